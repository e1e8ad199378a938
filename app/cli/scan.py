"""``scan``, ``pause``, ``resume``, ``retry``."""

from dataclasses import asdict
from typing import Annotated, Any

import typer

from app.cli.common import AsJson, Config, DatasetArgument, opened, show
from app.cli.following import run_scan_command
from app.services.clock import utc_now
from app.services.retrying import retry_unreadable
from app.services.scans import MAX_PRIORITY, ScanView, pause_scan, resume_scan

ScanArgument = Annotated[int, typer.Argument(metavar="SCAN", help="A scan's number, as `touchline status` shows it.")]


def scan(
    dataset: DatasetArgument,
    wait: Annotated[bool, typer.Option("--wait", help="Run or follow it to its end.")] = False,
    priority: Annotated[
        int | None,
        typer.Option(metavar="N", min=-MAX_PRIORITY, max=MAX_PRIORITY, help="The highest is taken first [default: 0]."),
    ] = None,
    as_json: AsJson = False,
    config: Config = None,
) -> None:
    """Queue a scan; with --wait run it here, or follow the worker that has it.

    Example: touchline scan frames --wait
    """

    with opened(config) as parts:
        view = run_scan_command(parts.database, parts.settings, dataset, wait=wait, priority=priority)
    show(_scan_document(view), as_json, _describe(view))
    if view.status in ("failed", "cancelled"):
        raise typer.Exit(1)


def pause(scan: ScanArgument, as_json: AsJson = False, config: Config = None) -> None:
    """Hold a scan: nobody takes it, and a worker that has it puts it back after its batch. What is scored stays.

    Example: touchline pause 3
    """

    with opened(config) as parts:
        view = pause_scan(parts.database, parts.settings.worker, utc_now, scan)
    show(_scan_document(view), as_json, _describe(view))


def resume(scan: ScanArgument, as_json: AsJson = False, config: Config = None) -> None:
    """Let a paused scan go on where it stopped.

    Example: touchline resume 3
    """

    with opened(config) as parts:
        view = resume_scan(parts.database, parts.settings.worker, utc_now, scan)
    show(_scan_document(view), as_json, _describe(view))


def retry(dataset: DatasetArgument, as_json: AsJson = False, config: Config = None) -> None:
    """Queue a scan that looks again at every image that could not be read.

    Example: touchline retry frames
    """

    with opened(config) as parts:
        asked = retry_unreadable(parts.database, parts.settings.worker, utc_now, dataset)
    view = asked.request.scan
    text = f"{asked.images} unreadable images of {view.dataset_name} will be looked at again by scan {view.id}"
    show(_scan_document(view), as_json, text)


def _describe(view: ScanView) -> str:
    speed = f", {view.images_per_s:.1f} images/s" if view.images_per_s else ""
    held = ", paused" if view.paused else ""
    untested = "; its detector is untested" if view.detector and not view.detector.tested else ""
    return (
        f"scan {view.id} of {view.dataset_name}: {view.status}{held}; {view.scored} scored, {view.reused} reused, "
        f"{view.unreadable} unreadable of {view.total}{speed}{untested}" + (f"; {view.error}" if view.error else "")
    )


def _scan_document(view: ScanView) -> dict[str, Any]:
    document = {key: value for key, value in asdict(view).items() if key not in ("active", "finished", "dataset_id")}
    return document | {"dataset": view.dataset_id}
