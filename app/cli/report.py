"""``report``."""

from hashlib import sha256
from pathlib import Path
from typing import Annotated

import typer

from app.cli.common import AsJson, Config, DatasetArgument, opened, show
from app.errors import UsageError
from app.files.budget import PixelBudget
from app.services.clock import utc_now
from app.services.datasets import PIXELS_AT_ONCE, get_dataset
from app.services.report import make_report
from app.services.report_files import check_report_path, report_json, write_report

FORMATS = ("html", "json")


def report(
    dataset: DatasetArgument,
    to: Annotated[Path, typer.Option("--to", metavar="PATH", help="A file that does not exist yet.")],
    form: Annotated[
        str, typer.Option("--format", metavar="F", help="html or json [default: json for PATH.json, else html].")
    ] = "",
    with_paths: Annotated[bool, typer.Option("--with-paths", help="Name the folders of this machine in full.")] = False,
    as_json: AsJson = False,
    config: Config = None,
) -> None:
    """Write what was scanned, found and proved as one file that needs no network, never over an existing one.

    Example: touchline report frames --to report.html
    """
    from app.web.report_file import render_report

    chosen = form or ("json" if to.suffix.lower() == ".json" else "html")
    if chosen not in FORMATS:
        msg = f"--format: must be one of {', '.join(FORMATS)}"
        raise UsageError(msg)
    target = check_report_path(to)
    with opened(config) as parts:
        made = make_report(parts.database, parts.settings, utc_now, dataset, with_paths=with_paths)
        if chosen == "json":
            content = report_json(made)
        else:
            with parts.database.read() as session:
                root = get_dataset(session, dataset).root
            content = render_report(parts.settings, PixelBudget(PIXELS_AT_ONCE), made, root)
    write_report(target, content)
    document = {
        "path": str(target),
        "format": chosen,
        "bytes": len(content),
        "sha256": sha256(content).hexdigest(),
        "valid": made.certificate["valid"],
    }
    proof = (
        "its certificate is valid" if made.certificate["valid"] else "it proves nothing yet: the certificate says why"
    )
    show(document, as_json, f"{target}: report on {made.dataset.name}, {len(content)} bytes; {proof}")
