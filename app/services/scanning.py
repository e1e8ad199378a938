"""Running a scan: claim, refresh the files, take every pending image through the pipeline, store it.

Where a scan stands follows from the stored scores. So a worker may die anywhere: the next one asks which images have
no score yet and goes on with those.
"""

from collections.abc import Callable, Iterator
from enum import StrEnum
from pathlib import Path

import structlog

from app.config import Settings
from app.detector.base import Detector, choose_batch_size
from app.errors import TouchlineError
from app.services.clock import Clock
from app.services.datasets import get_dataset
from app.services.duplicates import find_duplicates
from app.services.learning import learn_after_scan
from app.services.refreshing import refresh_images
from app.services.renditions import ScanRenditions
from app.services.scan_looking import Looker
from app.services.scan_pipeline import Pipeline, Scored
from app.services.scan_recording import Recorder, ScanLostError
from app.services.scans import get_scan
from app.services.workers import liveness
from app.storage import scans as stored
from app.storage.database import Database
from app.storage.datasets import Dataset
from app.storage.scans import PendingImage, Scan
from app.storage.workers import is_alive

log = structlog.get_logger()
PAGE = 512


class Outcome(StrEnum):
    """How far a run of a scan came."""

    WHOLE = "whole"  #: every image is dealt with
    LEFT = "left"  #: a person paused it, or the worker stops: the rest is for later
    CANCELLED = "cancelled"  #: a person wants no more of it


def claim_scan(
    database: Database, settings: Settings, clock: Clock, worker_id: int, scan_id: int | None = None
) -> Scan | None:
    """Take the scan that comes first, by priority, then age: one that is queued, or whose worker is gone.

    None if there is nothing to do; nobody takes a paused scan. With ``scan_id`` only that one.
    """
    alive = liveness(settings.worker, clock)
    with database.write() as session:
        for scan in stored.list_open_scans(session):
            if scan_id not in (None, scan.id) or scan.paused:
                continue
            if scan.status == "running" and is_alive(session, scan.worker_id, alive):
                continue
            started = scan.started_at or clock()
            stored.update_scan(session, scan.id, status="running", worker_id=worker_id, started_at=started)
            return get_scan(session, scan.id)
    return None


def run_scan(
    database: Database,
    settings: Settings,
    clock: Clock,
    scan: Scan,
    load: Callable[[], Detector],
    stopping: Callable[[], bool] = lambda: False,
) -> str:
    """Run a claimed scan to its end; its final status. ``stopping`` asks it to leave the rest to a later worker.

    A failure is recorded with its reason and raises nothing, unless the database itself is gone.
    """
    try:
        detector = load()
        with database.read() as session:
            dataset = get_dataset(session, scan.dataset_id)
        refresh_images(database, dataset, clock())
        outcome = _score_dataset(database, settings, clock, scan, dataset, detector, stopping)
        if outcome is Outcome.WHOLE:
            _find_duplicates(database, dataset, stopping)
            learn_after_scan(database, settings, clock, dataset.id, stopping)
    except ScanLostError:
        log.warning("scan taken over by another worker", scan=scan.id)
        return "running"
    except TouchlineError as error:
        log.warning("scan failed", scan=scan.id, reason=str(error))
        return _finish(database, clock, scan, "failed", str(error))
    except Exception as error:  # left running under a live worker, nobody would ever take it over
        log.exception("scan failed by a bug", scan=scan.id)
        return _finish(database, clock, scan, "failed", f"a bug in Touchline, see the worker's log: {error!r}")
    if outcome is not Outcome.LEFT:
        return _finish(database, clock, scan, "done" if outcome is Outcome.WHOLE else "cancelled", None)
    with database.write() as session:
        stored.update_scan(session, scan.id, status="queued", worker_id=None)
    return "queued"


def _find_duplicates(database: Database, dataset: Dataset, stopping: Callable[[], bool]) -> None:
    """Search for copies and near duplicates. Scores are worth having without them, so a failure is only logged."""
    try:
        find_duplicates(database, dataset.id, stopping)
    except Exception:  # the next scan searches again: nothing is remembered of a search that did not end
        log.exception("the search for duplicates failed; the scan's scores are stored", dataset=dataset.name)


def _finish(database: Database, clock: Clock, scan: Scan, status: str, error: str | None) -> str:
    with database.write() as session:
        now = get_scan(session, scan.id)
        if (now.status, now.worker_id) != ("running", scan.worker_id):
            return now.status  # another worker's by now, or ended by a person while this one was silent
        stored.update_scan(session, scan.id, status=status, error=error, finished_at=clock())
    log.info("scan ended", scan=scan.id, dataset=scan.dataset_name, status=status)
    return status


def _score_dataset(
    database: Database,
    settings: Settings,
    clock: Clock,
    scan: Scan,
    dataset: Dataset,
    detector: Detector,
    stopping: Callable[[], bool],
) -> Outcome:
    batch_size = choose_batch_size(settings.detector.batch_size, detector.runtime.device, detector.parallel)
    recorder = Recorder(database, settings, clock, scan, dataset, detector, batch_size)
    recorder.begin()
    pipeline = Pipeline(detector, batch_size)
    looker = Looker(
        Path(dataset.root), settings.datasets.max_pixels, detector, ScanRenditions(settings), pipeline.budget
    )

    def store(group: list[Scored]) -> bool:
        recorder.store(group)
        stop = stopping()  # asked every time: it is also what draws a progress bar
        return not (stop or recorder.asked.cancel_requested or recorder.asked.paused)

    whole = pipeline.run(_pending_pages(database, dataset.id, recorder.detector_id), looker.look, store)
    recorder.end()
    if recorder.asked.cancel_requested:
        return Outcome.CANCELLED
    return Outcome.WHOLE if whole else Outcome.LEFT


def _pending_pages(database: Database, dataset_id: int, detector_id: int) -> Iterator[list[PendingImage]]:
    """Images that the scan must look at, by id, read in parts."""
    after = 0
    while True:
        with database.read() as session:
            page = stored.find_pending(session, dataset_id, detector_id, after, PAGE)
        if not page:
            return
        yield page
        after = page[-1].id
