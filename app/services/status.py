"""Everything at a glance, for ``touchline status``."""

from typing import Any

from app.config import Settings
from app.services.clock import Clock
from app.services.datasets import get_dataset, list_dataset_views
from app.services.overview import view_stats
from app.services.relocations import view_relocation
from app.services.scans import find_latest_scan
from app.services.workers import is_worker_alive, liveness
from app.storage.database import Database, Session
from app.storage.relocations import list_relocations


def view_status(database: Database, settings: Settings, clock: Clock) -> dict[str, Any]:
    """Datasets with their counts, latest scan and relocations, and whether a worker runs."""
    views = list_dataset_views(database)
    with database.read() as session:
        datasets = [_dataset(session, settings, clock, view.id) for view in views]
    return {
        "worker": is_worker_alive(database, settings.worker, clock),
        "datasets": datasets,
        "archived": [{"id": view.id, "name": view.name} for view in list_dataset_views(database, archived=True)],
        "queue": sum(each["scan"] is not None and each["scan"]["status"] == "queued" for each in datasets),
        "paused": sum(each["scan"] is not None and each["scan"]["paused"] for each in datasets),
    }


def _dataset(session: Session, settings: Settings, clock: Clock, dataset_id: int) -> dict[str, Any]:
    dataset = get_dataset(session, dataset_id)
    stats = view_stats(session, dataset)
    scan = find_latest_scan(session, dataset_id, liveness(settings.worker, clock))
    return {
        "id": dataset.id,
        "name": dataset.name,
        "root": dataset.root,
        "images": stats.images,
        "unreadable": stats.unreadable,
        "scored": stats.scored,
        "flagged": stats.flagged,
        "open_flags": stats.open_flags,
        "reviewed": stats.reviewed,
        "scan": None
        if scan is None
        else {
            "id": scan.id,
            "status": scan.status,
            "finished": scan.finished,
            "total": scan.total,
            "paused": scan.paused,
            "priority": scan.priority,
        },
        "relocations": [
            {"id": found.id, "to": found.to, "status": found.status, "done": found.done, "failed": found.failed}
            for found in (view_relocation(session, row) for row in list_relocations(session, dataset_id, 10))
        ],
    }


def describe_status(status: dict[str, Any]) -> str:
    """The same for people."""
    lines = ["worker: running" if status["worker"] else "worker: none; `touchline worker` starts one"]
    for each in status["datasets"]:
        scan = each["scan"]
        told = (
            "never scanned"
            if scan is None
            else f"scan {scan['id']} {scan['status']}{', paused' * scan['paused']} {scan['finished']}/{scan['total']}"
        )
        lines.append(
            f"{each['id']}  {each['name']}: {each['images']} images, {each['unreadable']} unreadable; {told}; "
            f"{each['open_flags']} of {each['flagged']} flags open, {each['reviewed']} reviewed"
        )
        lines += [
            f"   relocation {row['id']} {row['status']}: {row['done']} placed in {row['to']}"
            for row in each["relocations"]
        ]
    if status["archived"]:
        lines.append(f"archived: {', '.join(each['name'] for each in status['archived'])}")
    if not (status["datasets"] or status["archived"]):
        lines.append("no dataset yet; `touchline add ROOT` registers one")
    return "\n".join(lines)
