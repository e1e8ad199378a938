"""Queries on scans, detectors, scores and boxes."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import and_, case, delete, false, func, insert, or_, select, update
from sqlalchemy.exc import IntegrityError
from sqlalchemy.orm import Session

from app.domain.detections import DetectorIdentity
from app.domain.flagging import disagrees
from app.domain.images import Side
from app.domain.scoring import suspicion
from app.storage.datasets import MAX_ID
from app.storage.fits import find_target, forget_fit
from app.storage.images import of_dataset_by_id
from app.storage.learning_tables import FeatureRow
from app.storage.tables import (
    DatasetRow,
    DetectionRow,
    DetectorRow,
    EngineRow,
    ImageRow,
    ScanRow,
    ScoreRow,
    StandingRow,
)

OPEN = ("queued", "running")


@dataclass(frozen=True, slots=True)
class Scan:
    """One pass of a detector over a dataset."""

    id: int
    dataset_id: int
    dataset_name: str
    status: str
    worker_id: int | None
    total: int
    scored: int
    reused: int
    unreadable: int
    images_per_s: float | None
    detector_id: int | None
    detector: dict[str, Any] | None
    cancel_requested: bool
    paused: bool
    priority: int
    telemetry: dict[str, Any] | None
    error: str | None
    queued_at: datetime
    started_at: datetime | None
    finished_at: datetime | None

    @property
    def finished(self) -> int:
        """Images that are dealt with."""
        return self.scored + self.reused + self.unreadable


def _scan(row: ScanRow, name: str) -> Scan:
    return Scan(
        id=row.id,
        dataset_id=row.dataset_id,
        dataset_name=name,
        status=row.status,
        worker_id=row.worker_id,
        total=row.total,
        scored=row.scored,
        reused=row.reused,
        unreadable=row.unreadable,
        images_per_s=row.images_per_s,
        detector_id=row.detector_id,
        detector=row.detector,
        cancel_requested=row.cancel_requested,
        paused=row.paused,
        priority=row.priority,
        telemetry=row.telemetry,
        error=row.error,
        queued_at=row.queued_at,
        started_at=row.started_at,
        finished_at=row.finished_at,
    )


def list_scans(
    session: Session, dataset_id: int | None = None, before: int | None = None, limit: int = 50
) -> list[Scan]:
    """Scans, newest first, before an id."""
    query = select(ScanRow, DatasetRow.name).join(DatasetRow, DatasetRow.id == ScanRow.dataset_id)
    if dataset_id is not None:
        query = query.where(ScanRow.dataset_id == dataset_id)
    if before is not None:
        query = query.where(ScanRow.id < before)
    return [_scan(row, name) for row, name in session.execute(query.order_by(ScanRow.id.desc()).limit(limit))]


def find_scan(session: Session, scan_id: int) -> Scan | None:
    """One scan."""
    if not 0 < scan_id <= MAX_ID:
        return None
    found = session.execute(
        select(ScanRow, DatasetRow.name)
        .join(DatasetRow, DatasetRow.id == ScanRow.dataset_id)
        .where(ScanRow.id == scan_id)
    ).one_or_none()
    return None if found is None else _scan(found[0], found[1])


def find_open_scan(session: Session, dataset_id: int) -> Scan | None:
    """The queued or running scan of a dataset."""
    found = session.scalar(select(ScanRow.id).where(ScanRow.dataset_id == dataset_id, ScanRow.status.in_(OPEN)))
    return None if found is None else find_scan(session, found)


def insert_scan(session: Session, dataset_id: int, now: datetime) -> int | None:
    """Queue a scan; None if another process queued one in this moment."""
    try:
        with session.begin_nested():
            return session.execute(
                insert(ScanRow).values(dataset_id=dataset_id, status="queued", queued_at=now).returning(ScanRow.id)
            ).scalar_one()
    except IntegrityError:
        return None


def list_open_scans(session: Session) -> list[Scan]:
    """Queued and running scans in the order of claiming: highest priority, then oldest."""
    rows = session.execute(
        select(ScanRow, DatasetRow.name)
        .join(DatasetRow, DatasetRow.id == ScanRow.dataset_id)
        .where(ScanRow.status.in_(OPEN))
        .order_by(ScanRow.priority.desc(), ScanRow.id)
    )
    return [_scan(row, name) for row, name in rows]


def list_latest_by_detector(session: Session, dataset_id: int) -> list[Scan]:
    """The newest scan of each detector that a dataset was scanned with, newest first."""
    newest = (
        select(func.max(ScanRow.id))
        .where(ScanRow.dataset_id == dataset_id, ScanRow.detector_id.is_not(None))
        .group_by(ScanRow.detector_id)
    )
    rows = session.execute(
        select(ScanRow, DatasetRow.name)
        .join(DatasetRow, DatasetRow.id == ScanRow.dataset_id)
        .where(ScanRow.id.in_(newest))
        .order_by(ScanRow.id.desc())
    )
    return [_scan(row, name) for row, name in rows]


@dataclass(frozen=True, slots=True)
class Engine:
    """What computed scores, with the figures of its faith gate; None: it is the reference itself."""

    fingerprint: str
    backend: str
    device: str
    precision: str
    gate: dict[str, Any] | None


def find_engine(session: Session, scan_id: int) -> Engine | None:
    """An engine that computed scores of a scan; None where it has scored nothing, or before engines were noted."""
    # One score stands for all: a scan of before engines were noted would otherwise be read to its end in vain.
    engine_id = session.scalar(select(ScoreRow.engine_id).where(ScoreRow.scan_id == scan_id).limit(1))
    row = None if engine_id is None else session.get(EngineRow, engine_id)
    return None if row is None else Engine(row.fingerprint, row.backend, row.device, row.precision, row.gate)


def update_scan(session: Session, scan_id: int, **values: Any) -> None:
    """Change columns of a scan."""
    session.execute(update(ScanRow).where(ScanRow.id == scan_id).values(**values))


def find_or_insert_detector(
    session: Session, identity: DetectorIdentity, class_names: Sequence[str], now: datetime
) -> int:
    """The id of a detector by identity."""
    found = session.scalar(select(DetectorRow.id).where(DetectorRow.identity == identity.key))
    if found is not None:
        return found
    return session.execute(
        insert(DetectorRow)
        .values(
            identity=identity.key,
            model=identity.model,
            revision=identity.revision,
            weights_sha256=identity.weights_sha256,
            preprocessing=identity.preprocessing,
            input_size=identity.input_size,
            class_names=list(class_names),
            created_at=now,
        )
        .returning(DetectorRow.id)
    ).scalar_one()


def find_detector_model(session: Session, detector_id: int | None) -> str | None:
    """The model of a detector, as ``detector.model`` named it when it scored."""
    row = None if detector_id is None else session.get(DetectorRow, detector_id)
    return None if row is None else row.model


def detector_name(session: Session, detector_id: int | None) -> str:
    """A detector as one word for a manifest: model, and the first digits of its weights' hash."""
    row = None if detector_id is None else session.get(DetectorRow, detector_id)
    return "" if row is None else f"{row.model}@{row.weights_sha256[:12]}"


@dataclass(frozen=True, slots=True)
class ScanCounts:
    """Where a scan stands, counted from what is stored."""

    total: int
    scored: int
    reused: int


def count_scan(session: Session, scan: Scan, detector_id: int) -> ScanCounts:
    """Count a scan's images: those this scan scored, and those scored by the same detector before."""
    total = session.scalar(
        select(func.count()).where(ImageRow.dataset_id == scan.dataset_id, ImageRow.missing_since.is_(None))
    )
    mine = func.coalesce(func.sum(case((ScoreRow.scan_id == scan.id, 1), else_=0)), 0)  # a sum of booleans is a boolean
    settled = and_(
        ScoreRow.dataset_id == scan.dataset_id,
        ScoreRow.detector_id == detector_id,
        ImageRow.inspected_at.is_not(None),
        ImageRow.missing_since.is_(None),
    )
    scored, stored = session.execute(
        select(mine, func.count()).select_from(ScoreRow).join(ImageRow, ImageRow.id == ScoreRow.image_id).where(settled)
    ).one()
    return ScanCounts(total or 0, scored, stored - scored)


@dataclass(frozen=True, slots=True)
class PendingImage:
    """An image that a scan must look at."""

    id: int
    path: str
    given: str
    sha256: str | None
    scored_sha256: str | None  #: of the bytes that this detector has scored before
    unreadable: str | None  #: the reason of the last try


def find_pending(session: Session, dataset_id: int, detector_id: int, after: int, limit: int) -> list[PendingImage]:
    """Images without a score of this detector, or changed since: by id, after an id."""
    rows = session.execute(
        select(
            ImageRow.id,
            ImageRow.path,
            ImageRow.given,
            ImageRow.sha256,
            ScoreRow.sha256.label("scored_sha256"),
            ImageRow.unreadable,
        )
        .outerjoin(ScoreRow, and_(ScoreRow.image_id == ImageRow.id, ScoreRow.detector_id == detector_id))
        .where(
            of_dataset_by_id(dataset_id),
            ImageRow.id > after,
            ImageRow.missing_since.is_(None),
            or_(ScoreRow.image_id.is_(None), ImageRow.inspected_at.is_(None)),
        )
        .order_by(ImageRow.id)
        .limit(limit)
    )
    return [PendingImage(**row._mapping) for row in rows]


def drop_scores(session: Session, image_ids: Sequence[int]) -> None:
    """Scores, boxes and features of bytes that are no longer there."""
    if image_ids:
        session.execute(delete(ScoreRow).where(ScoreRow.image_id.in_(image_ids)))
        session.execute(delete(DetectionRow).where(DetectionRow.image_id.in_(image_ids)))
        session.execute(delete(FeatureRow).where(FeatureRow.image_id.in_(image_ids)))


def insert_scores(session: Session, scores: Sequence[dict[str, Any]], boxes: Sequence[dict[str, Any]]) -> None:
    """Store scores and their boxes."""
    if scores:
        called = _find_called(session, [score["image_id"] for score in scores])
        target = find_target(session, scores[0]["dataset_id"], scores[0]["detector_id"])
        rows = [score | {"called": score["image_id"] in called} | _order_of(score, target) for score in scores]
        session.execute(insert(ScoreRow), rows)
    if boxes:
        session.execute(insert(DetectionRow), boxes)


def _order_of(score: dict[str, Any], target: float | None) -> dict[str, Any]:
    """Where a new score stands in the queue: nothing has been learned of it yet."""
    given = Side(score["given"])
    against = -suspicion(given, score["score"])
    return {
        "against": against,
        "rank": against,
        "flagged": target is not None and disagrees(given, score["score"], target),
    }


def _find_called(session: Session, image_ids: Sequence[int]) -> set[int]:
    spoken = or_(StandingRow.verdict.is_not(None), StandingRow.unsettled.is_not(None))
    standing = select(StandingRow.image_id).where(StandingRow.image_id.in_(image_ids), spoken)
    return set(session.scalars(standing))


def rescore(session: Session, dataset_id: int, detector_id: int, targets: Sequence[str]) -> None:
    """Set each score anew from the stored boxes: other target classes need no other scan."""
    best = (
        select(func.coalesce(func.max(DetectionRow.confidence), 0.0))
        .where(
            DetectionRow.image_id == ScoreRow.image_id,
            DetectionRow.detector_id == detector_id,
            DetectionRow.class_name.in_(targets),
        )
        .correlate(ScoreRow)
        .scalar_subquery()
    )
    session.execute(
        update(ScoreRow)
        .where(ScoreRow.dataset_id == dataset_id, ScoreRow.detector_id == detector_id)
        .values(score=best),
        execution_options={"synchronize_session": False},
    )
    session.execute(
        update(ScoreRow)
        .where(ScoreRow.dataset_id == dataset_id, ScoreRow.detector_id == detector_id)
        .values(
            against=case((ScoreRow.given == Side.NEGATIVE, -ScoreRow.score), else_=ScoreRow.score - 1.0),
            doubted=false(),
        ),
        execution_options={"synchronize_session": False},
    )
    forget_fit(session, dataset_id)  # what was learned of other scores says nothing of these
