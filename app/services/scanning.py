"""Running a scan: claim, refresh the files, decode ahead, score in batches, commit each batch.

Where a scan stands follows from the stored scores. So a worker may die anywhere: the next one asks which images have
no score yet and goes on with those.
"""

from collections import deque
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass, replace
from os import cpu_count
from pathlib import Path
from time import monotonic
from typing import Any

import structlog

from app.config import Settings
from app.detector.base import Detector, detect_pictures
from app.domain.detections import Detection
from app.domain.scoring import image_score
from app.errors import ImageUnreadableError, TouchlineError
from app.files.decoding import Decoded, decode_file
from app.files.scanning import NAME_NOT_UTF8
from app.services.clock import Clock
from app.services.datasets import get_dataset, refresh_images, unreadable_columns
from app.services.scans import get_scan
from app.services.workers import liveness
from app.storage import scans as stored
from app.storage.database import Database
from app.storage.datasets import Dataset, set_detector
from app.storage.images import record_inspections
from app.storage.scans import PendingImage, Scan
from app.storage.workers import is_alive

log = structlog.get_logger()
LOAD_AHEAD = 3  #: batches that are decoded while the model works
PIXELS_AHEAD = 200_000_000  #: decoded pixels (3 bytes each) that may wait for the model
FETCH = 512
RATE_WINDOW_S = 10.0


class ScanCancelledError(Exception):
    """A person cancelled the scan."""


class ScanPausedError(Exception):
    """A person holds the scan; what is left waits until they let it go on."""


class ScanLostError(Exception):
    """Another worker took the scan over, because this one was silent for too long."""


@dataclass(frozen=True, slots=True)
class Looked:
    """A pending image with its picture, or with the reason why there is none."""

    image: PendingImage
    decoded: Decoded | None
    unreadable: str | None


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
        finished = _score_dataset(database, settings, clock, scan, dataset, detector, stopping)
    except ScanCancelledError:
        return _finish(database, clock, scan, "cancelled", None)
    except ScanPausedError:
        finished = False
    except ScanLostError:
        log.warning("scan taken over by another worker", scan=scan.id)
        return "running"
    except TouchlineError as error:
        log.warning("scan failed", scan=scan.id, reason=str(error))
        return _finish(database, clock, scan, "failed", str(error))
    except Exception as error:  # left running under a live worker, nobody would ever take it over
        log.exception("scan failed by a bug", scan=scan.id)
        return _finish(database, clock, scan, "failed", f"a bug in Touchline, see the worker's log: {error!r}")
    if finished:
        return _finish(database, clock, scan, "done", None)
    with database.write() as session:
        stored.update_scan(session, scan.id, status="queued", worker_id=None)
    return "queued"


def _finish(database: Database, clock: Clock, scan: Scan, status: str, error: str | None) -> str:
    with database.write() as session:
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
) -> bool:
    """Score every pending image; False if it was asked to stop before the end."""
    recorder = _Recorder.begin(database, settings, clock, scan, dataset, detector)
    pending = recorder.pending()
    with ThreadPoolExecutor(cpu_count(), thread_name_prefix="decode") as pool:
        for batch in _Ahead(pool, pending, dataset, settings).batches():
            readable = [looked for looked in batch if looked.decoded is not None and not _unchanged(looked)]
            pictures = [looked.decoded.pixels for looked in readable if looked.decoded is not None]
            found = detect_pictures(detector, pictures)
            recorder.commit(batch, dict(zip((looked.image.id for looked in readable), found, strict=True)))
            if stopping():
                return False
    return True


def _unchanged(looked: Looked) -> bool:
    """Touched, but with the bytes that were scored: the score stays."""
    return looked.decoded is not None and looked.decoded.sha256 == looked.image.scored_sha256


def _outdates_scores(looked: Looked) -> bool:
    """Whether what is stored of an image, by any detector, speaks of bytes that are gone."""
    if looked.decoded is None:
        return True
    known = {looked.image.sha256, looked.image.scored_sha256} - {None}
    return bool(known - {looked.decoded.sha256})


class _Ahead:
    """Pending images, decoded by the pool while the model works, within a budget of pixels in memory."""

    def __init__(
        self, pool: ThreadPoolExecutor, pending: Iterator[PendingImage], dataset: Dataset, settings: Settings
    ) -> None:
        self._pool = pool
        self._pending = pending
        self._dataset = dataset
        self._max_pixels = settings.datasets.max_pixels
        self._size = settings.detector.batch_size
        self._waiting: deque[Future[Looked]] = deque()
        self._largest = 1  #: pixels of the largest picture of late: what the next ones are taken to have

    def batches(self) -> Iterator[list[Looked]]:
        """Batches of decoded images; shorter ones where pictures are huge."""
        while True:
            self._fill()
            if not self._waiting:
                return
            yield self._take()

    def _fill(self) -> None:
        room = max(2, min(self._size * LOAD_AHEAD, PIXELS_AHEAD // self._largest))
        while len(self._waiting) < room:
            image = next(self._pending, None)
            if image is None:
                return
            self._waiting.append(self._pool.submit(_look_at, image, self._dataset, self._max_pixels))

    def _take(self) -> list[Looked]:
        batch: list[Looked] = []
        pixels = 0
        while self._waiting and len(batch) < self._size and pixels < PIXELS_AHEAD:
            looked = self._waiting.popleft().result()
            count = looked.decoded.width * looked.decoded.height if looked.decoded else 0
            pixels += count
            self._largest = max(1, count, self._largest * 9 // 10)
            batch.append(looked)
        return batch


def _look_at(image: PendingImage, dataset: Dataset, max_pixels: int) -> Looked:
    if image.unreadable == NAME_NOT_UTF8:
        return Looked(image, None, NAME_NOT_UTF8)  # its name cannot even be passed to the system
    try:
        return Looked(image, decode_file(Path(dataset.root), image.path, max_pixels), None)
    except ImageUnreadableError as error:
        return Looked(image, None, str(error))


class _Recorder:
    """The one writer of a scan: counts, scores, boxes and what decoding found, a transaction a batch."""

    def __init__(
        self, database: Database, clock: Clock, scan: Scan, dataset: Dataset, detector_id: int, settings: Settings
    ) -> None:
        self._database = database
        self._clock = clock
        self._scan = scan
        self._dataset = dataset
        self._detector_id = detector_id
        self._targets = settings.detector.target_classes
        self._recent: deque[tuple[float, int]] = deque([(monotonic(), 0)])
        self._settled = 0

    @classmethod
    def begin(
        cls,
        database: Database,
        settings: Settings,
        clock: Clock,
        scan: Scan,
        dataset: Dataset,
        detector: Detector,
    ) -> "_Recorder":
        """Say which detector it is, whose scores count from now on, and where the scan stands."""
        targets = settings.detector.target_classes
        with database.write() as session:
            detector_id = stored.find_or_insert_detector(session, detector.identity, detector.class_names, clock())
            if dataset.detector_id == detector_id and dataset.target_classes != targets:
                stored.rescore(session, dataset.id, detector_id, targets)
            set_detector(session, dataset.id, detector_id, targets)
            counts = stored.count_scan(session, scan, detector_id)
            stored.update_scan(
                session,
                scan.id,
                total=counts.total,
                scored=counts.scored,
                reused=counts.reused,
                unreadable=0,
                detector_id=detector_id,
                detector=_describe(detector, targets),
            )
        counted = replace(scan, total=counts.total, scored=counts.scored, reused=counts.reused, unreadable=0)
        return cls(database, clock, counted, dataset, detector_id, settings)

    def pending(self) -> Iterator[PendingImage]:
        """Images that this scan must look at, by id, read in parts."""
        after = 0
        while True:
            with self._database.read() as session:
                part = stored.find_pending(session, self._dataset.id, self._detector_id, after, FETCH)
            if not part:
                return
            yield from part
            after = part[-1].id

    def commit(self, batch: Sequence[Looked], found: dict[int, list[Detection]]) -> None:
        """Store one batch.

        Raises:
            ScanCancelledError: a person cancelled; the batch is stored all the same.
            ScanPausedError: a person paused; likewise.
            ScanLostError: the scan is another worker's now; nothing is stored.
        """
        self._count(batch, found)
        scores, boxes = self._rows(batch, found)
        with self._database.write() as session:
            current = get_scan(session, self._scan.id)
            if current.worker_id != self._scan.worker_id or current.status != "running":
                raise ScanLostError
            stored.drop_scores(session, [looked.image.id for looked in batch if _outdates_scores(looked)])
            record_inspections(session, [self._inspection(looked) for looked in batch])
            stored.insert_scores(session, scores, boxes)
            stored.update_scan(
                session,
                self._scan.id,
                scored=self._scan.scored,
                reused=self._scan.reused,
                unreadable=self._scan.unreadable,
                images_per_s=self._rate(),
            )
        if current.cancel_requested:
            raise ScanCancelledError
        if current.paused:
            raise ScanPausedError

    def _count(self, batch: Sequence[Looked], found: dict[int, list[Detection]]) -> None:
        unreadable = sum(looked.decoded is None for looked in batch)
        self._scan = replace(
            self._scan,
            scored=self._scan.scored + len(found),
            unreadable=self._scan.unreadable + unreadable,
            reused=self._scan.reused + len(batch) - unreadable - len(found),
        )
        self._settled += len(batch)
        self._recent.append((monotonic(), self._settled))
        while len(self._recent) > 2 and self._recent[0][0] < monotonic() - RATE_WINDOW_S:
            self._recent.popleft()

    def _rate(self) -> float:
        """Images a second over the last few seconds."""
        (began, before), (now, after) = self._recent[0], self._recent[-1]
        return (after - before) / max(now - began, 1e-6)

    def _inspection(self, looked: Looked) -> dict[str, Any]:
        if looked.decoded is None:
            return unreadable_columns(looked.image.id, looked.unreadable or "", self._clock())
        return {
            "id": looked.image.id,
            "sha256": looked.decoded.sha256,
            "width": looked.decoded.width,
            "height": looked.decoded.height,
            "unreadable": None,
            "inspected_at": self._clock(),
        }

    def _rows(
        self, batch: Sequence[Looked], found: dict[int, list[Detection]]
    ) -> tuple[list[dict[str, Any]], list[dict[str, Any]]]:
        scores: list[dict[str, Any]] = []
        boxes: list[dict[str, Any]] = []
        for looked in batch:
            if looked.decoded is None or looked.image.id not in found:
                continue
            detections = found[looked.image.id]
            scores.append(self._score_row(looked.image, looked.decoded, detections))
            boxes += [self._box_row(looked.image.id, detection) for detection in detections]
        return scores, boxes

    def _score_row(self, image: PendingImage, decoded: Decoded, detections: Sequence[Detection]) -> dict[str, Any]:
        return {
            "image_id": image.id,
            "detector_id": self._detector_id,
            "dataset_id": self._dataset.id,
            "given": image.given,
            "scan_id": self._scan.id,
            "sha256": decoded.sha256,
            "score": image_score(detections, self._targets),
            "scored_at": self._clock(),
        }

    def _box_row(self, image_id: int, detection: Detection) -> dict[str, Any]:
        x0, y0, x1, y1 = detection.box
        return {
            "image_id": image_id,
            "detector_id": self._detector_id,
            "x0": x0,
            "y0": y0,
            "x1": x1,
            "y1": y1,
            "confidence": detection.confidence,
            "class_name": detection.class_name,
        }


def _describe(detector: Detector, targets: Sequence[str]) -> dict[str, Any]:
    identity, runtime = detector.identity, detector.runtime
    return {
        "model": identity.model,
        "revision": identity.revision,
        "weights_sha256": identity.weights_sha256,
        "backend": runtime.backend,
        "device": runtime.device,
        "precision": runtime.precision,
        "input_size": identity.input_size,
        "target_classes": list(targets),
    }
