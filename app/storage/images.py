"""Queries on images: the list, the queue, the counts. Every stage a page shows is derived here."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import BindParameter, ColumnElement, Select, and_, case, func, literal, or_, select, update
from sqlalchemy.orm import Session

from app.domain.consensus import Unsettled
from app.domain.images import Side
from app.domain.reviewing import Verdict
from app.storage.datasets import MAX_ID
from app.storage.duplicates import keeping_conflicts
from app.storage.tables import (
    DatasetRow,
    DetectionRow,
    DetectorRow,
    ImageRow,
    ScoreRow,
    SignedImageRow,
    SignOffRow,
    StandingRow,
)


@dataclass(frozen=True, slots=True)
class ImageRecord:
    """An image with what the detector and people say of it, as it stands."""

    id: int
    dataset_id: int
    path: str
    given: Side
    size_bytes: int
    sha256: str | None
    width: int | None
    height: int | None
    unreadable: str | None
    missing: bool
    score: float | None
    verdict: Verdict | None
    latest_review_id: int | None
    effective_review_id: int | None
    reviewed_at: datetime | None
    verdict_sha256: str | None  #: of the bytes that the verdict was given on
    unsettled: Unsettled | None  #: why no verdict stands although people have spoken
    signed: bool  #: covered by the standing sign-off, by id and hash
    duplicated: bool  #: there are exact copies of it
    duplicate_conflict: bool  #: and one of them lies in the other folder
    rank: float | None = None  #: its place in the learned order, see app/storage/fits.py; None without a score
    doubted: bool = False  #: the second opinion doubts it

    @property
    def doubt(self) -> float | None:
        """The learned suspicion where it is high enough to raise a flag."""
        return -self.rank if self.doubted and self.rank is not None else None

    @property
    def verdict_outdated(self) -> bool:
        """Whether the verdict was given on other bytes than those that lie there now."""
        known = self.verdict is not None and self.verdict_sha256 is not None and self.sha256 is not None
        return known and self.verdict_sha256 != self.sha256


@dataclass(frozen=True, slots=True)
class DetectionRecord:
    """One stored box of an image."""

    image_id: int
    x0: float
    y0: float
    x1: float
    y1: float
    confidence: float
    class_name: str


@dataclass(frozen=True, slots=True)
class ImageFilter:
    """Which images a list shows; None means all."""

    dataset_id: int | None = None
    flagged: bool | None = None
    unreadable: bool | None = None
    duplicate_conflict: bool | None = None
    second_opinion: bool | None = None
    reviewed: bool | None = None
    given: Side | None = None
    verdict: Verdict | None = None


def _standing_sign_off() -> Any:
    """The id of each dataset's sign-off that stands: the latest, unless it was withdrawn."""
    return (
        select(func.max(SignOffRow.id))
        .where(SignOffRow.dataset_id == ImageRow.dataset_id, SignOffRow.withdrawn_at.is_(None))
        .correlate(ImageRow)
        .scalar_subquery()
    )


def suspicion_column() -> ColumnElement[float]:
    """How strongly the detector speaks against the folder; see :func:`app.domain.scoring.suspicion`."""
    return case((ImageRow.given == Side.NEGATIVE, ScoreRow.score), else_=1.0 - ScoreRow.score)


def disagreement() -> ColumnElement[bool]:
    """Whether an image is flagged; the same rule as :func:`app.domain.flagging.disagrees`."""
    return or_(
        and_(ScoreRow.given == Side.NEGATIVE, ScoreRow.score >= DatasetRow.threshold),
        and_(ScoreRow.given == Side.POSITIVE, ScoreRow.score < DatasetRow.threshold),
    )


def in_conflict(dataset_id: int | BindParameter[int]) -> Select[int]:
    """Ids of the images with a copy in the other folder: few, and found by an index of their own.

    Meant for ``IN``: as a condition among others SQLite takes it for one that half the dataset meets.
    """
    return select(ImageRow.id).where(ImageRow.dataset_id == dataset_id, ImageRow.duplicate_conflict)


def unreadable_of(dataset_id: int) -> Select[int]:
    """Ids of the images that could not be read; meant for ``IN`` as well.

    That they have a path makes SQLite take the index of the unreadable ones, not one of all images.
    """
    return select(ImageRow.id).where(
        ImageRow.dataset_id == dataset_id, ImageRow.unreadable.is_not(None), ImageRow.path > ""
    )


def _doubted(dataset_id: int | None) -> Select[int]:
    """Ids of the images that the second opinion doubts, of a dataset or of all."""
    chosen = select(ScoreRow.image_id).where(ScoreRow.doubted)
    return chosen if dataset_id is None else chosen.where(ScoreRow.dataset_id == dataset_id)


def uncalled() -> ColumnElement[bool]:
    """Whether nobody has called an image; one that waits for a second or a third person is called."""
    return and_(StandingRow.verdict.is_(None), StandingRow.unsettled.is_(None))


_COLUMNS = (
    ImageRow.id,
    ImageRow.dataset_id,
    ImageRow.path,
    ImageRow.given,
    ImageRow.size_bytes,
    ImageRow.sha256,
    ImageRow.width,
    ImageRow.height,
    ImageRow.unreadable,
    ImageRow.missing_since,
    ImageRow.duplicated,
    ImageRow.duplicate_conflict,
    ScoreRow.score,
    ScoreRow.rank,
    ScoreRow.doubted,
    StandingRow.verdict,
    StandingRow.latest_review_id,
    StandingRow.effective_review_id,
    StandingRow.reviewed_at,
    StandingRow.image_sha256.label("verdict_sha256"),
    StandingRow.unsettled,
)


def _select_images() -> Any:
    return (
        select(*_COLUMNS, SignedImageRow.image_id.label("signed"))
        .select_from(ImageRow)
        .join(DatasetRow, DatasetRow.id == ImageRow.dataset_id)
        .outerjoin(ScoreRow, and_(ScoreRow.image_id == ImageRow.id, ScoreRow.detector_id == DatasetRow.detector_id))
        .outerjoin(StandingRow, StandingRow.image_id == ImageRow.id)
        .outerjoin(
            SignedImageRow,
            and_(
                SignedImageRow.image_id == ImageRow.id,
                SignedImageRow.sign_off_id == _standing_sign_off(),
                SignedImageRow.sha256 == ImageRow.sha256,
            ),
        )
    )


def _record(row: Any) -> ImageRecord:
    return ImageRecord(
        id=row.id,
        dataset_id=row.dataset_id,
        path=row.path,
        given=Side(row.given),
        size_bytes=row.size_bytes,
        sha256=row.sha256,
        width=row.width,
        height=row.height,
        unreadable=row.unreadable,
        missing=row.missing_since is not None,
        score=row.score,
        verdict=None if row.verdict is None else Verdict(row.verdict),
        latest_review_id=row.latest_review_id,
        effective_review_id=row.effective_review_id,
        reviewed_at=row.reviewed_at,
        verdict_sha256=row.verdict_sha256,
        unsettled=None if row.unsettled is None else Unsettled(row.unsettled),
        signed=row.signed is not None,
        duplicated=row.duplicated,
        duplicate_conflict=row.duplicate_conflict,
        rank=row.rank,
        doubted=bool(row.doubted),
    )


def find_image(session: Session, image_id: int) -> ImageRecord | None:
    """One image."""
    if not 0 < image_id <= MAX_ID:
        return None
    row = session.execute(_select_images().where(ImageRow.id == image_id)).one_or_none()
    return None if row is None else _record(row)


def find_images(session: Session, image_ids: Sequence[int]) -> dict[int, ImageRecord]:
    """Several images by id."""
    rows = session.execute(_select_images().where(ImageRow.id.in_(image_ids)))
    return {row.id: _record(row) for row in rows}


def _conditions(wanted: ImageFilter) -> list[ColumnElement[bool]]:
    conditions: list[ColumnElement[bool]] = [ImageRow.missing_since.is_(None), DatasetRow.removed_at.is_(None)]
    if wanted.dataset_id is not None:
        of_dataset = of_dataset_by_id if wanted.unreadable else ImageRow.dataset_id.__eq__
        conditions.append(of_dataset(wanted.dataset_id))
    if wanted.flagged:
        conditions.append(disagreement())
    if wanted.second_opinion:
        conditions.append(and_(ImageRow.id.in_(_doubted(wanted.dataset_id)), ~disagreement()))
    if wanted.duplicate_conflict:
        conditions.append(and_(ImageRow.duplicate_conflict))
    if wanted.unreadable:
        unread = ImageRow.unreadable.is_not(None)
        conditions.append(unread if wanted.dataset_id is None else ImageRow.id.in_(unreadable_of(wanted.dataset_id)))
    if wanted.reviewed is not None:
        conditions.append(StandingRow.verdict.is_not(None) if wanted.reviewed else StandingRow.verdict.is_(None))
    if wanted.given is not None:
        conditions.append(ImageRow.given == wanted.given)
    if wanted.verdict is not None:
        conditions.append(StandingRow.verdict == wanted.verdict)
    return conditions


#: order -> (sort key, descending); the id breaks ties, ascending
ORDERS: dict[str, tuple[Any, bool]] = {
    "suspicion": (func.coalesce(suspicion_column(), literal(-1.0)), True),
    "score": (func.coalesce(ScoreRow.score, literal(-1.0)), True),
    "path": (ImageRow.path, False),
    "reviewed_at": (func.coalesce(StandingRow.effective_review_id, literal(0)), True),  # ids grow with time
}


def list_images(
    session: Session, wanted: ImageFilter, order: str, after: tuple[Any, int] | None, limit: int
) -> list[tuple[ImageRecord, Any]]:
    """Images in an order, after ``(key, id)``, each with its sort key (for the next cursor)."""
    key, descending = ORDERS[order]
    query = _select_images().add_columns(key.label("sort_key")).where(*_conditions(wanted))
    if after is not None:
        value, image_id = after
        beyond = key < value if descending else key > value
        query = query.where(or_(beyond, and_(key == value, ImageRow.id > image_id)))
    query = query.order_by(key.desc() if descending else key, ImageRow.id).limit(limit)
    return [(_record(row), row.sort_key) for row in session.execute(query)]


def iter_images(session: Session, dataset_id: int, chunk: int = 1000) -> Iterator[ImageRecord]:
    """Every image that is not missing, by path, read in parts."""
    last = ""
    while True:
        query = (
            _select_images()
            .where(ImageRow.dataset_id == dataset_id, ImageRow.missing_since.is_(None), ImageRow.path > last)
            .order_by(ImageRow.path)
            .limit(chunk)
        )
        rows = [_record(row) for row in session.execute(query)]
        if not rows:
            return
        yield from rows
        last = rows[-1].path


def detections_of(
    session: Session, image_ids: Sequence[int], detectors: dict[int, int | None]
) -> dict[int, list[DetectionRecord]]:
    """Boxes by image, strongest first; ``detectors`` says for each image whose boxes count."""
    found: dict[int, list[DetectionRecord]] = {image_id: [] for image_id in image_ids}
    counting = {detector_id for detector_id in detectors.values() if detector_id is not None}
    if not counting:
        return found
    rows = session.scalars(  # not by pairs of image and detector: for those SQLite reads the whole table
        select(DetectionRow)
        .where(DetectionRow.image_id.in_(image_ids), DetectionRow.detector_id.in_(counting))
        .order_by(DetectionRow.image_id, DetectionRow.confidence.desc(), DetectionRow.id)
    )
    for row in rows:
        if row.detector_id == detectors[row.image_id]:
            box = DetectionRecord(row.image_id, row.x0, row.y0, row.x1, row.y1, row.confidence, row.class_name)
            found[row.image_id].append(box)
    return found


def of_dataset_by_id(dataset_id: int) -> ColumnElement[bool]:
    """Whether an image is of a dataset, in a form that no index answers, for pages in the order of ids.

    With an index on the dataset SQLite would fetch and sort the whole dataset anew for each page.
    """
    return ImageRow.dataset_id + 0 == dataset_id


def find_uninspected(session: Session, dataset_id: int, after: int, limit: int) -> list[tuple[int, str]]:
    """Images nobody has decoded since they arrived or changed: ``(id, path)``."""
    rows = session.execute(
        select(ImageRow.id, ImageRow.path)
        .where(
            of_dataset_by_id(dataset_id),
            ImageRow.id > after,
            ImageRow.inspected_at.is_(None),
            ImageRow.missing_since.is_(None),
        )
        .order_by(ImageRow.id)
        .limit(limit)
    )
    return [(row.id, row.path) for row in rows]


def record_inspections(session: Session, rows: Sequence[dict[str, Any]]) -> None:
    """Store what decoding found, by ``id``: hash, size, upright width and height, or the reason why not."""
    if rows:
        with keeping_conflicts(session, [row["id"] for row in rows]):
            session.execute(update(ImageRow), rows)


def hashes_of(session: Session, image_ids: Sequence[int]) -> dict[int, int]:
    """Perceptual hashes by image, of those that have one."""
    rows = session.execute(
        select(ImageRow.id, ImageRow.phash).where(ImageRow.id.in_(image_ids), ImageRow.phash.is_not(None))
    )
    return {row.id: row.phash for row in rows}


def scores_of_image(session: Session, image_id: int) -> list[tuple[int, str, str, float, datetime]]:
    """What each detector said of an image, newest first: ``(detector, model, weights, score, when)``."""
    rows = session.execute(
        select(DetectorRow.id, DetectorRow.model, DetectorRow.weights_sha256, ScoreRow.score, ScoreRow.scored_at)
        .join(ScoreRow, ScoreRow.detector_id == DetectorRow.id)
        .where(ScoreRow.image_id == image_id)
        .order_by(ScoreRow.scored_at.desc())
    )
    return [(row[0], row[1], row[2], row[3], row[4]) for row in rows]
