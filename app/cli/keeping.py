"""``archive``, ``remove``, ``relink``."""

from dataclasses import asdict
from pathlib import Path
from typing import Annotated

import typer

from app.cli.common import AsJson, Config, DatasetArgument, opened, show
from app.errors import UsageError
from app.services.clock import utc_now
from app.services.datasets import get_dataset, view_dataset
from app.services.relinking import relink_dataset
from app.services.removing import archive_dataset, forget_removed, remove_dataset, view_removal


def archive(
    dataset: DatasetArgument,
    undo: Annotated[bool, typer.Option("--undo", help="Bring it back.")] = False,
    as_json: AsJson = False,
    config: Config = None,
) -> None:
    """Take a dataset out of menus and lists. Everything is kept; --undo brings it back.

    Example: touchline archive frames
    """

    with opened(config) as parts:
        found = archive_dataset(parts.database, utc_now, dataset, archived=not undo)
        with parts.database.read() as session:
            view = view_dataset(session, found)
    told = "is back" if undo else f"is archived; `touchline archive {view.name} --undo` brings it back"
    show(asdict(view), as_json, f"{view.name} {told}")


def remove(
    dataset: DatasetArgument,
    yes: Annotated[bool, typer.Option("--yes", help="The confirmation.")] = False,
    as_json: AsJson = False,
    config: Config = None,
) -> None:
    """Forget what Touchline knows of a dataset, its verdicts too. Its files stay as they are.

    Example: touchline remove frames --yes
    """

    with opened(config) as parts:
        with parts.database.read() as session:
            found = get_dataset(session, dataset)
            removal = view_removal(session, found)
        lost = f"{removal.images} images and {removal.verdicts} verdicts"
        if not yes:
            msg = (
                f"{found.name}: {lost} would be forgotten, no file touched; `touchline export-reviews` keeps the "
                f"verdicts. Confirm with --yes"
            )
            raise UsageError(msg)
        remove_dataset(parts.database, utc_now, found.id, found.name)
        while forget_removed(parts.database):
            pass
    show(asdict(removal), as_json, f"{removal.name}: {lost} are forgotten; no file was touched")


def relink(
    dataset: DatasetArgument,
    root: Annotated[Path, typer.Argument(metavar="NEWROOT", help="Folder that holds the label folders now.")],
    accept_missing: Annotated[
        bool, typer.Option("--accept-missing", help="Also where some of the sampled files differ.")
    ] = False,
    as_json: AsJson = False,
    config: Config = None,
) -> None:
    """Say where a dataset's folder lies now. A sample of its files is looked for there first.

    Example: touchline relink frames /mnt/disk2/frames
    """

    with opened(config) as parts:
        done = relink_dataset(parts.database, dataset, root, accept_missing=accept_missing)
    show(
        asdict(done),
        as_json,
        f"{done.name} lies in {done.root} now: of {done.sampled} sampled files {len(done.differing)} differ",
    )
