"""``add``, ``demo``, ``status``, ``settings``."""

import sys
from dataclasses import asdict
from pathlib import Path
from typing import Annotated

import typer

from app.cli.common import AsJson, Config, opened, progress_bar, show
from app.config import load_settings
from app.errors import UsageError
from app.files.opening import expand_given
from app.logs import set_up_logs
from app.services.clock import utc_now
from app.services.datasets import NewDataset, get_dataset, register_dataset
from app.services.scans import dataset_notice
from app.services.settings import list_settings
from app.services.status import describe_status, view_status


def add(
    root: Annotated[Path, typer.Argument(metavar="ROOT", help="Folder that holds one sub-folder per label.")],
    name: Annotated[str, typer.Option(help="Name of the dataset [default: the folder's].")] = "",
    positive: Annotated[str, typer.Option(help="Folder, or glob below ROOT, of the object.")] = "football",
    negative: Annotated[str, typer.Option(help="Folder, or glob below ROOT, of the rest.")] = "background",
    question: Annotated[str, typer.Option(help="What reviewers are asked [default: Is there a <positive>?].")] = "",
    as_json: AsJson = False,
    config: Config = None,
) -> None:
    """Register ROOT/<positive>/ and ROOT/<negative>/, sub-folders kept. Files stay where they are.

    Example: touchline add ~/frames --positive '*/football' --negative '*/background'
    """

    with opened(config) as parts:
        new = NewDataset(root, name, positive, negative, question)
        view = register_dataset(parts.database, parts.settings, new, utc_now())
        with parts.database.read() as session:
            notice = dataset_notice(session, parts.settings.detector, get_dataset(session, view.id))
    show(
        asdict(view),
        as_json,
        f"{view.name}: {view.images} images ({view.unreadable} unreadable so far), {view.ignored} other files ignored. "
        f"Next: touchline scan {view.name}",
    )
    if notice:
        sys.stderr.write(f"note: {notice}\n")


def status(as_json: AsJson = False, config: Config = None) -> None:
    """Datasets, scans, queue, reviews, moves.

    Example: touchline status --json
    """

    with opened(config) as parts:
        view = view_status(parts.database, parts.settings, utc_now)
    show(view, as_json, describe_status(view))


def demo(
    images: Annotated[int, typer.Option(help="How many.")] = 400,
    seed: Annotated[int, typer.Option(help="The same arguments, the same bytes.")] = 1,
    dest: Annotated[Path, typer.Option(metavar="DIR", help="A folder that is missing or empty.")] = Path("demo"),
    contamination: Annotated[str, typer.Option(help="seed: as in the original work; none: all filed right.")] = "seed",
    as_json: AsJson = False,
    config: Config = None,
) -> None:
    """Draw a synthetic football dataset: DIR/football/, DIR/background/ and DIR/truth.csv.

    Example: touchline demo --images 60 --seed 5 --dest /tmp/demo
    """
    from app.demo.dataset import Contamination
    from app.services.demo import write_demo

    set_up_logs(load_settings(config).log)
    if contamination not in list(Contamination):
        msg = f"--contamination: must be one of {', '.join(Contamination)}"
        raise UsageError(msg)
    with progress_bar("Drawing", images) as advance:
        written = write_demo(
            expand_given(dest, "--dest"), images, seed, Contamination(contamination), lambda done: advance(done, images)
        )
    show(
        asdict(written),
        as_json,
        f"{written.images} images in {written.dest} ({written.football} filed football, {written.background} "
        f"background). Next: touchline add {written.dest}",
    )


def settings_command(as_json: AsJson = False, config: Config = None) -> None:
    """Every setting with its value, and the variable that sets it.

    Example: touchline settings
    """

    rows = list_settings(load_settings(config))
    text = "\n".join(f"{row.key} = {row.value}\n    {row.env}: {row.description}" for row in rows)
    show([asdict(row) for row in rows], as_json, text)
