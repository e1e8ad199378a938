"""Figures for a monitoring system."""

from collections import Counter
from dataclasses import dataclass

from app.config import WorkerSettings
from app.services.clock import Clock
from app.services.datasets import get_dataset, list_dataset_views
from app.services.overview import view_stats
from app.services.scans import ScanView, view_scan
from app.services.workers import liveness
from app.storage.database import Database
from app.storage.scans import list_open_scans, list_scans


@dataclass(frozen=True, slots=True)
class Metrics:
    """Counts by dataset's name, scans by stored status, and the scans that run."""

    datasets: int
    images: dict[str, int]
    unreadable: dict[str, int]
    open_flags: dict[str, int]
    reviewed: dict[str, int]
    scans: dict[str, int]
    waiting: int
    paused: int
    running: tuple[ScanView, ...]


def collect_metrics(database: Database, settings: WorkerSettings, clock: Clock) -> Metrics:
    """Counts over all datasets, and how the scans go."""
    views = list_dataset_views(database)
    alive = liveness(settings, clock)
    with database.read() as session:
        stats = {view.name: view_stats(session, get_dataset(session, view.id)) for view in views}
        open_scans = [view_scan(session, scan, alive) for scan in list_open_scans(session)]
        return Metrics(
            datasets=len(views),
            images={name: found.images for name, found in stats.items()},
            unreadable={name: found.unreadable for name, found in stats.items()},
            open_flags={name: found.open_flags for name, found in stats.items()},
            reviewed={name: found.reviewed for name, found in stats.items()},
            scans=Counter(scan.status for scan in list_scans(session, limit=500)),
            waiting=sum(scan.status != "running" and not scan.paused for scan in open_scans),
            paused=sum(scan.paused for scan in open_scans),
            running=tuple(scan for scan in open_scans if scan.status == "running"),
        )
