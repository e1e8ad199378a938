"""A worker that is killed in mid-scan: the scan shows stalled, and the next worker goes on where it was."""

import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from app.demo.dataset import Contamination
from app.services.clock import utc_now
from app.services.demo import write_demo
from app.services.scans import ScanView, request_scan, show_scan
from tests.parts import Workshop, bare_environment

ROOT = Path(__file__).resolve().parents[2]
IMAGES = 40


def start_worker(workshop: Workshop, *arguments: str) -> subprocess.Popen[bytes]:
    """A real worker process that commits image by image."""
    kept = bare_environment()
    environment = {
        **kept,
        "TOUCHLINE_DATA_DIR": str(workshop.settings.data_dir),
        "TOUCHLINE_DATABASE_URL": workshop.settings.url,
        "TOUCHLINE_DETECTOR__BATCH_SIZE": "1",
    }
    return subprocess.Popen(
        [sys.executable, "-m", "app", "worker", *arguments], cwd=ROOT, env=environment, stderr=subprocess.DEVNULL
    )


def scored(workshop: Workshop) -> dict[str, str]:
    """Path -> when it was scored, of every image that has a score."""
    with workshop.database.engine.connect() as connection:
        rows = connection.exec_driver_sql(
            "SELECT images.path, scores.scored_at FROM scores JOIN images ON images.id = scores.image_id"
        )
        return {row.path: row.scored_at for row in rows}


def look(workshop: Workshop, scan_id: int) -> ScanView:
    """The scan as a page would show it now."""
    return show_scan(workshop.database, workshop.settings.worker, utc_now, scan_id)


def test_killed_worker(workshop: Workshop) -> None:
    """After kill -9 nothing that was scored is scored again, and the totals add up."""
    root = workshop.folder / "demo"
    write_demo(root, IMAGES, 3, Contamination.SEED)
    view = workshop.add(root)
    scan_id = request_scan(workshop.database, workshop.settings.worker, utc_now, view.id).scan.id
    worker = start_worker(workshop)
    until = time.monotonic() + 400
    while len(scored(workshop)) < 4:
        assert time.monotonic() < until, "the worker scored nothing"
        time.sleep(0.01)

    worker.send_signal(signal.SIGKILL)
    worker.wait()
    before = scored(workshop)
    stalled = look(workshop, scan_id)
    assert start_worker(workshop, "--once").wait(300) == 0
    after = scored(workshop)
    done = look(workshop, scan_id)

    assert stalled.status == "stalled"
    assert 4 <= len(before) < IMAGES
    assert {path: after[path] for path in before} == before
    assert len(after) == IMAGES
    assert (done.status, done.total, done.scored + done.reused + done.unreadable) == ("done", IMAGES, IMAGES)


@pytest.mark.parametrize("name", [signal.SIGTERM, signal.SIGINT])
def test_stopped_worker(workshop: Workshop, name: signal.Signals) -> None:
    """Asked to stop, a worker ends in good order and says so."""
    worker = start_worker(workshop)
    until = time.monotonic() + 60
    while not alive_workers(workshop):
        assert time.monotonic() < until, "the worker did not announce itself"
        time.sleep(0.02)

    worker.send_signal(name)

    assert worker.wait(30) == 0
    assert alive_workers(workshop) == 0


def alive_workers(workshop: Workshop) -> int:
    """Workers that have not said that they stopped."""
    with workshop.database.engine.connect() as connection:
        found = connection.exec_driver_sql("SELECT count(*) FROM workers WHERE stopped_at IS NULL").scalar_one()
    return int(found)
