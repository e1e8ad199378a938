"""``relocate``, ``undo``, ``recover``, ``export``."""

from dataclasses import asdict
from pathlib import Path
from typing import Annotated, Any

import typer

from app.cli.common import AsJson, Config, DatasetArgument, opened, show, working
from app.domain.relocation import Mode
from app.errors import UsageError
from app.services.clock import utc_now
from app.services.exports import export_now
from app.services.relocating import apply_now, recover_relocations, undo_now
from app.services.relocations import plan_relocation
from app.services.workers import announced


def relocate(
    dataset: DatasetArgument,
    to: Annotated[Path, typer.Option("--to", metavar="DIR", help="The cleaned folder.")],
    mode: Annotated[str, typer.Option(help=f"One of {', '.join(Mode)}.")] = "copy",
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Plan only; touches no file.")] = False,
    yes: Annotated[bool, typer.Option("--yes", help="The confirmation that mode `move` wants.")] = False,
    as_json: AsJson = False,
    config: Config = None,
) -> None:
    """Place confirmed images in DIR/<label>/, with manifest.csv and left-out.csv.

    Example: touchline relocate frames --to ~/frames-clean --dry-run
    """

    if mode not in list(Mode):
        msg = f"--mode: must be one of {', '.join(Mode)}"
        raise UsageError(msg)
    if mode == Mode.MOVE and not (yes or dry_run):
        msg = "--mode move takes the files out of their source folders: confirm with --yes"
        raise UsageError(msg)
    with working(config) as (parts, worker_id):
        view = plan_relocation(parts.database, utc_now, dataset, to, Mode(mode))
        if not dry_run:
            view = apply_now(parts.database, parts.settings.worker, utc_now, worker_id, view.id)
    show_relocation(view, as_json)


def show_relocation(view: Any, as_json: bool) -> None:
    """Print a relocation; a failed move makes the exit status 1."""
    left_out = ", ".join(f"{count} {reason}" for reason, count in view.left_out) or "nothing"
    show(
        relocation_document(view),
        as_json,
        f"relocation {view.id} to {view.to}: {view.status}; {view.planned} moves, {view.done} done, "
        f"{view.skipped} there already, {view.failed} failed, {view.collisions} renamed; left out: {left_out}",
    )
    if view.failed:
        raise typer.Exit(1)


def relocation_document(view: Any) -> dict[str, Any]:
    """A relocation as JSON."""
    counts = {key: getattr(view, key) for key in ("planned", "done", "failed", "skipped")}
    return {
        "id": view.id,
        "to": view.to,
        "mode": view.mode,
        "status": view.status,
        "moves": counts,
        "collisions": view.collisions,
        "bytes": view.bytes,
        "left_out": dict(view.left_out),
        "by_label": dict(view.by_label),
        "error": view.error,
        "created_at": view.created_at,
        "finished_at": view.finished_at,
    }


def undo(
    relocation: Annotated[int, typer.Argument(metavar="RELOCATION", help="Its number.")],
    as_json: AsJson = False,
    config: Config = None,
) -> None:
    """Take a relocation back: what it placed and nobody changed since.

    Example: touchline undo 3
    """

    with working(config) as (parts, worker_id):
        view = undo_now(parts.database, parts.settings.worker, utc_now, worker_id, relocation)
    show_relocation(view, as_json)


def recover(as_json: AsJson = False, config: Config = None) -> None:
    """Finish or undo what a crash left under way; every start does the same.

    Example: touchline recover
    """

    with (
        opened(config) as parts,
        announced(parts.database, parts.settings.worker, utc_now, serves=False) as worker_id,
    ):
        views = recover_relocations(parts.database, parts.settings.worker, utc_now, worker_id)
    document = {"relocations": [relocation_document(view) for view in views]}
    show(document, as_json, f"{len(views)} relocations recovered" if views else "nothing to recover")


def export(
    dataset: DatasetArgument,
    form: Annotated[str, typer.Option("--format", metavar="F", help="imagefolder or csv.")],
    to: Annotated[Path, typer.Option("--to", metavar="PATH", help="A path that does not exist yet.")],
    as_json: AsJson = False,
    config: Config = None,
) -> None:
    """Write the released images, or their manifest, for other tools.

    Example: touchline export frames --format csv --to frames.csv
    """

    with working(config) as (parts, worker_id):
        view = export_now(parts.database, utc_now, worker_id, dataset, form, to)
    document = {key: value for key, value in asdict(view).items() if key != "active"}
    show(document, as_json, f"export {view.id}: {view.path}, {view.bytes} bytes, SHA-256 {view.sha256}")
