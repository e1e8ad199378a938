"""``scan``."""

from dataclasses import asdict
from typing import Annotated, Any

import typer

from app.cli.common import AsJson, Config, DatasetArgument, opened, show
from app.cli.following import run_scan_command


def scan(
    dataset: DatasetArgument,
    wait: Annotated[bool, typer.Option("--wait", help="Run or follow it to its end.")] = False,
    as_json: AsJson = False,
    config: Config = None,
) -> None:
    """Queue a scan; with --wait run it here, or follow the worker that has it.

    Example: touchline scan frames --wait
    """

    with opened(config) as parts:
        view = run_scan_command(parts.database, parts.settings, dataset, wait=wait)
    document = _scan_document(view)
    speed = f", {view.images_per_s:.1f} images/s" if view.images_per_s else ""
    show(
        document,
        as_json,
        f"scan {view.id} of {view.dataset_name}: {view.status}; {view.scored} scored, {view.reused} reused, "
        f"{view.unreadable} unreadable of {view.total}{speed}" + (f"; {view.error}" if view.error else ""),
    )
    if view.status in ("failed", "cancelled"):
        raise typer.Exit(1)


def _scan_document(view: Any) -> dict[str, Any]:
    document = {key: value for key, value in asdict(view).items() if key not in ("active", "finished", "dataset_id")}
    return document | {"dataset": view.dataset_id}
