"""Running a scan in this process, or following the worker that has it."""

import sys
import time

from app.cli.common import progress_bar
from app.config import Settings
from app.services.clock import utc_now
from app.services.datasets import get_dataset
from app.services.scanning import claim_scan, run_scan
from app.services.scans import ScanView, request_scan, scan_notice, show_scan
from app.services.workers import announced, is_worker_alive
from app.storage.database import Database

LOOK_EVERY_S = 0.3


def run_scan_command(
    database: Database, settings: Settings, reference: str, *, wait: bool, priority: int | None = None
) -> ScanView:
    """Queue a scan and, with ``wait``, see it through."""
    view = request_scan(database, settings.worker, utc_now, reference, priority=priority).scan
    told = _tell_of_model(database, settings, view)
    if not wait:
        if not is_worker_alive(database, settings.worker, utc_now):
            sys.stderr.write("note: no worker is running; `touchline worker` starts one, or add --wait\n")
        return view
    ended = _see_through(database, settings, view.id)
    _tell_of_model(database, settings, ended, told)  # a worker may have other settings than this process
    return ended


def _tell_of_model(database: Database, settings: Settings, view: ScanView, told: str | None = None) -> str | None:
    """Say what is to be expected of the built-in model, unless just that was ``told`` before."""
    with database.read() as session:
        notice = scan_notice(settings.detector, view, demo=get_dataset(session, view.dataset_id).demo)
    if notice and notice != told:
        sys.stderr.write(f"note: {notice}\n")
    return notice


def _see_through(database: Database, settings: Settings, scan_id: int) -> ScanView:
    """Follow the scan while a worker is there for it; otherwise run it here."""
    while True:
        view = _follow(database, settings, scan_id)
        if not view.active:
            return view
        _run_here(database, settings, scan_id)


def _follow(database: Database, settings: Settings, scan_id: int) -> ScanView:
    """Watch until the scan has ended, or it waits and nobody is there to run it."""
    told = False
    with progress_bar("Scanning", 1) as advance:
        while True:
            view = show_scan(database, settings.worker, utc_now, scan_id)
            served = view.status == "running" or view.paused or is_worker_alive(database, settings.worker, utc_now)
            if not view.active or not served:
                return view
            if view.held and not told:
                sys.stderr.write(f"note: scan {scan_id} is paused; `touchline resume {scan_id}` lets it go on\n")
            told = view.held
            advance(view.finished, view.total)
            time.sleep(LOOK_EVERY_S)


def _run_here(database: Database, settings: Settings, scan_id: int) -> None:
    from app.services.detectors import DetectorLoader  # torch takes seconds: only where a scan is run

    loader = DetectorLoader(database, settings)
    with announced(database, settings.worker, utc_now, serves=False) as worker_id:
        scan = claim_scan(database, settings, utc_now, worker_id, scan_id)
        if scan is None:
            return  # a worker was faster: follow it
        with progress_bar("Scanning", 1) as advance:

            def look() -> bool:
                view = show_scan(database, settings.worker, utc_now, scan_id)
                advance(view.finished, view.total)
                return False

            run_scan(database, settings, utc_now, scan, loader.load_for(scan.dataset_id), look)
