"""The one writer of a scan: counts, scores, boxes, what decoding found, and the course, batches to a transaction."""

from collections import deque
from collections.abc import Sequence
from dataclasses import replace
from time import monotonic, perf_counter, sleep
from typing import Any, NamedTuple

from app.config import Settings
from app.detector.base import Detector
from app.domain.detections import Detection, Sight
from app.domain.scoring import image_score
from app.services.clock import Clock
from app.services.datasets import unreadable_columns
from app.services.scan_course import Course
from app.services.scan_looking import Facts, Looked
from app.services.scan_pipeline import Scored
from app.services.scans import get_scan
from app.storage import scans as stored
from app.storage.database import Database, Session
from app.storage.datasets import Dataset, set_detector
from app.storage.engines import find_or_insert_engine
from app.storage.features import insert_features
from app.storage.images import record_inspections
from app.storage.scans import PendingImage, Scan
from app.storage.tallies import keeping, recount

RATE_WINDOW_S = 10.0
GIVE_WAY_S = 0.005  #: between two transactions, so that people's verdicts get in between


class ScanLostError(Exception):
    """Another worker took the scan over, because this one was silent for too long."""


class _Rows(NamedTuple):
    """What a group of batches adds to each table."""

    scores: list[dict[str, Any]]
    boxes: list[dict[str, Any]]
    features: list[dict[str, Any]]


class Recorder:
    """Stores what the pipeline brings. Used by one thread."""

    def __init__(
        self,
        database: Database,
        settings: Settings,
        clock: Clock,
        scan: Scan,
        dataset: Dataset,
        detector: Detector,
        batch_size: int,
    ) -> None:
        self._database = database
        self._clock = clock
        self._scan = scan
        self._dataset = dataset
        self._detector = detector
        self._targets = settings.detector.target_classes
        self._course = Course(detector, batch_size, scan.telemetry)
        self._recent: deque[tuple[float, int]] = deque()
        self._detector_id = self._engine_id = 0
        self.asked: Scan = scan  #: the scan as the latest commit found it, with what a person asks of it

    @property
    def detector_id(self) -> int:
        """Whose scores are being made."""
        return self._detector_id

    def begin(self) -> None:
        """Say which detector it is, whose scores count from now on, and where the scan stands."""
        with self._database.write() as session:
            self._refuse_lost(session)
            self._know_detector(session)
            counts = stored.count_scan(session, self._scan, self._detector_id)
            self._scan = replace(
                self._scan, total=counts.total, scored=counts.scored, reused=counts.reused, unreadable=0
            )
            stored.update_scan(
                session,
                self._scan.id,
                total=counts.total,
                detector_id=self._detector_id,
                detector=_describe(self._detector, self._targets),
                **self._progress(),
                telemetry=self._course.document(self._scan.finished),
            )
        self._recent.append((monotonic(), self._scan.finished))

    def _know_detector(self, session: Session) -> None:
        identity, runtime, now = self._detector.identity, self._detector.runtime, self._clock()
        self._detector_id = stored.find_or_insert_detector(session, identity, self._detector.class_names, now)
        self._engine_id = find_or_insert_engine(
            session,
            fingerprint=runtime.fingerprint,
            backend=runtime.backend,
            device=runtime.device,
            precision=runtime.precision,
            gate=runtime.gate,
            now=now,
        )
        # The dataset knows the targets of its latest detector only: what an earlier one has stored may be of others.
        if (self._dataset.detector_id, self._dataset.target_classes) != (self._detector_id, self._targets):
            stored.rescore(session, self._dataset.id, self._detector_id, self._targets)
            set_detector(session, self._dataset.id, self._detector_id, self._targets)
            recount(session, self._dataset.id)

    def store(self, group: Sequence[Scored]) -> None:
        """Store finished batches, all of them or none.

        Raises:
            ScanLostError: the scan is another worker's now; nothing is stored.
        """
        began = perf_counter()
        images = [looked for scored in group for looked in scored.images]
        found = {image_id: sight for scored in group for image_id, sight in scored.found.items()}
        self._count(images, found)
        rows = self._rows(images, found)
        with self._database.write() as session:
            self._refuse_lost(session)
            with keeping(session, self._dataset.id, [looked.image.id for looked in images]):
                stored.drop_scores(session, [looked.image.id for looked in images if looked.outdates_scores])
                record_inspections(session, [self._inspection(looked) for looked in images])
                stored.insert_scores(session, rows.scores, rows.boxes)
                insert_features(session, rows.features)
            stored.update_scan(session, self._scan.id, images_per_s=self._rate(), **self._progress(), **self._news())
        self._course.pass_by(group, perf_counter() - began)
        sleep(GIVE_WAY_S)

    def end(self) -> None:
        """Store the last of the course.

        Raises:
            ScanLostError: the scan is another worker's now; nothing is stored.
        """
        with self._database.write() as session:
            self._refuse_lost(session)
            stored.update_scan(session, self._scan.id, telemetry=self._course.document(self._scan.finished))

    def _refuse_lost(self, session: Session) -> None:
        self.asked = get_scan(session, self._scan.id)
        if self.asked.worker_id != self._scan.worker_id or self.asked.status != "running":
            raise ScanLostError

    def _news(self) -> dict[str, Any]:
        return {"telemetry": self._course.document(self._scan.finished)} if self._course.due() else {}

    def _progress(self) -> dict[str, Any]:
        return {"scored": self._scan.scored, "reused": self._scan.reused, "unreadable": self._scan.unreadable}

    def _count(self, images: Sequence[Looked], found: dict[int, Sight]) -> None:
        unreadable = sum(looked.unreadable is not None for looked in images)
        self._scan = replace(
            self._scan,
            scored=self._scan.scored + len(found),
            unreadable=self._scan.unreadable + unreadable,
            reused=self._scan.reused + len(images) - unreadable - len(found),
        )
        self._recent.append((monotonic(), self._scan.finished))
        while len(self._recent) > 2 and self._recent[0][0] < monotonic() - RATE_WINDOW_S:
            self._recent.popleft()

    def _rate(self) -> float:
        """Images a second over the last few seconds."""
        (began, before), (now, after) = self._recent[0], self._recent[-1]
        return (after - before) / max(now - began, 1e-6)

    def _inspection(self, looked: Looked) -> dict[str, Any]:
        if looked.unreadable is not None:
            return unreadable_columns(looked.image.id, looked.unreadable, self._clock())
        columns: dict[str, Any] = {"id": looked.image.id, "unreadable": None, "inspected_at": self._clock()}
        if looked.facts is None:
            return columns | {"sha256": looked.image.scored_sha256}
        facts = looked.facts
        return columns | {
            "sha256": facts.sha256,
            "width": facts.width,
            "height": facts.height,
            "phash": facts.phash,
        }

    def _rows(self, images: Sequence[Looked], found: dict[int, Sight]) -> "_Rows":
        rows = _Rows([], [], [])
        for looked in images:
            if looked.facts is None or looked.image.id not in found:
                continue
            sight = found[looked.image.id]
            rows.scores.append(self._score_row(looked.image, looked.facts, sight.detections))
            rows.boxes.extend(self._box_row(looked.image.id, detection) for detection in sight.detections)
            if sight.features is not None:
                rows.features.append(self._feature_row(looked.image.id, looked.facts, sight.features))
        return rows

    def _feature_row(self, image_id: int, facts: Facts, features: bytes) -> dict[str, Any]:
        return {
            "image_id": image_id,
            "detector_id": self._detector_id,
            "vector": features,
            "brightness": facts.brightness,
            "sharpness": facts.sharpness,
        }

    def _score_row(self, image: PendingImage, facts: Facts, detections: Sequence[Detection]) -> dict[str, Any]:
        return {
            "image_id": image.id,
            "detector_id": self._detector_id,
            "dataset_id": self._dataset.id,
            "given": image.given,
            "scan_id": self._scan.id,
            "engine_id": self._engine_id,
            "sha256": facts.sha256,
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
        "tested": runtime.tested,
    }
