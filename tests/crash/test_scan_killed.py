"""A scan that is killed in mid-batch: nothing that was stored is lost, and hardly anything is computed twice."""

import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from app.services.clock import utc_now
from app.services.scans import request_scan, show_scan
from tests.parts import Workshop, bare_environment

ROOT = Path(__file__).resolve().parents[2]
IMAGES = 400
BATCH = 8
#: a worker whose detector notes every image it has looked at, before anybody else knows of it
WORKER = """
import os, sys
from pathlib import Path
from app.config import Settings
from app.services.clock import utc_now
from app.services.scanning import claim_scan, run_scan
from app.services.workers import announced
from app.storage.database import Database
from tests.parts import ColourDetector

class Noting(ColourDetector):
    def detect(self, prepared):
        found = super().detect(prepared)
        os.write(notes, b"x" * len(prepared))
        return found

notes = os.open(sys.argv[2], os.O_WRONLY | os.O_CREAT | os.O_APPEND)
settings = Settings(data_dir=Path(sys.argv[1]), database_url=sys.argv[3], detector={"batch_size": 8})
database = Database(settings.url)
with announced(database, settings.worker, utc_now, serves=False) as worker_id:
    scan = claim_scan(database, settings, utc_now, worker_id)
    assert scan is not None
    run_scan(database, settings, utc_now, scan, Noting)
"""


def start(workshop: Workshop, notes: Path) -> subprocess.Popen[bytes]:
    """A process of its own that takes the scan."""
    kept = bare_environment()
    arguments = [str(workshop.settings.data_dir), str(notes), workshop.settings.url]
    return subprocess.Popen([sys.executable, "-c", WORKER, *arguments], cwd=ROOT, env=kept, stdout=subprocess.DEVNULL)


def count(workshop: Workshop, table: str) -> int:
    """Rows of a table."""
    with workshop.database.engine.connect() as connection:
        return int(connection.exec_driver_sql(f"SELECT count(*) FROM {table}").scalar_one())  # noqa: S608


@pytest.mark.parametrize("after", [1, 100, 250])
def test_a_killed_scan_computes_little_twice(workshop: Workshop, after: int) -> None:
    """What was in the model and what was not stored yet: at most one batch is looked at again."""
    root = workshop.fill({f"{'football' if n % 2 else 'background'}/{n}.png": 30 + n % 200 for n in range(IMAGES)})
    workshop.add(root)
    notes = workshop.folder / "notes"
    scan_id = request_scan(workshop.database, workshop.settings.worker, utc_now, 1).scan.id
    worker = start(workshop, notes)
    until = time.monotonic() + 120
    while count(workshop, "scores") < after:
        assert time.monotonic() < until, "nothing was scored"
        time.sleep(0.001)

    worker.send_signal(signal.SIGKILL)
    worker.wait()
    stored = count(workshop, "scores")
    looked_at = notes.stat().st_size
    assert start(workshop, notes).wait(120) == 0
    done = show_scan(workshop.database, workshop.settings.worker, utc_now, scan_id)

    assert (done.status, done.total, done.scored) == ("done", IMAGES, IMAGES)
    assert count(workshop, "scores") == IMAGES
    assert notes.stat().st_size - IMAGES == looked_at - stored <= BATCH
    assert count(workshop, "detections") == IMAGES
