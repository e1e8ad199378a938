"""How many images a dataset has, by label, score bin, verdict and sign-off: kept, so no page counts a million rows.

Every function of this layer that changes which images there are, what is scored or what stands wraps the change in
:func:`keeping`, in the same transaction; a change to a whole dataset ends with :func:`recount`.
"""

from collections import Counter
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from functools import cache, lru_cache
from typing import Any

from sqlalchemy import (
    BindParameter,
    ColumnElement,
    Integer,
    and_,
    bindparam,
    case,
    delete,
    func,
    insert,
    literal,
    or_,
    select,
    union,
)
from sqlalchemy.orm import Session

from app.domain.counting import (
    BINS,
    HAIR,
    UNREADABLE,
    CrossedCounts,
    DatasetCounts,
    ReleaseCounts,
    SignedCounts,
    Tally,
    TallyKey,
    bin_of,
    count_released,
    count_signed,
    count_tallies,
    cross_tallies,
)
from app.domain.images import Side
from app.domain.reviewing import Verdict
from app.storage import person_tallies
from app.storage.bins import image_bin, score_bin
from app.storage.datasets import Dataset
from app.storage.fits import doubted_of
from app.storage.images import disagreement, in_conflict
from app.storage.kept_counts import add_counts
from app.storage.tables import DatasetRow, ImageRow, ScoreRow, SignedImageRow, SignOffRow, StandingRow, TallyRow

NOBODY, UNSETTLED = "none", "unsettled"  #: in place of a verdict
KEY = ("given", "bin", "verdict", "signed")  #: what images are tallied by
Key = tuple[str, int, str, bool]
AT_ONCE = 500  #: parameters of one statement
STATEMENTS = 64  #: that are kept, of each kind: several pages ask the same of the same dataset, and building costs most


def _verdict_column() -> ColumnElement[str]:
    standing = func.coalesce(StandingRow.verdict, NOBODY)
    return case((StandingRow.unsettled.is_not(None), UNSETTLED), else_=standing).label("verdict")


def _covering(dataset_id: "int | BindParameter[int]") -> ColumnElement[bool]:
    """Whether the sign-off of a dataset that stands covers an image, with the bytes that it has."""
    standing = select(func.max(SignOffRow.id)).where(
        SignOffRow.dataset_id == dataset_id, SignOffRow.withdrawn_at.is_(None)
    )
    return and_(
        SignedImageRow.image_id == ImageRow.id,
        SignedImageRow.sign_off_id == standing.scalar_subquery(),
        SignedImageRow.sha256 == ImageRow.sha256,
    )


def _signed_column() -> ColumnElement[bool]:
    return SignedImageRow.image_id.is_not(None).label("signed")


def _tallied(dataset_id: "int | BindParameter[int]", *chosen: ColumnElement[bool]) -> Any:
    """Images of a dataset that are not missing, grouped as tallies are."""
    key = (ImageRow.dataset_id, ImageRow.given, image_bin(), _verdict_column(), _signed_column())
    return (
        select(*key, func.count().label("images"))
        .join(DatasetRow, DatasetRow.id == ImageRow.dataset_id)
        .outerjoin(ScoreRow, and_(ScoreRow.image_id == ImageRow.id, ScoreRow.detector_id == DatasetRow.detector_id))
        .outerjoin(StandingRow, StandingRow.image_id == ImageRow.id)
        .outerjoin(SignedImageRow, _covering(dataset_id))
        .where(ImageRow.missing_since.is_(None), *chosen)
        .group_by(*key)
    )


@cache
def _some() -> Any:
    """Made once: SQLAlchemy takes longer to build it than SQLite to run it, and each verdict runs it twice."""
    dataset = bindparam("dataset", type_=Integer)
    ids = ImageRow.id.in_(bindparam("ids", expanding=True, type_=Integer))
    return _tallied(dataset, ids, ImageRow.dataset_id + 0 == dataset)


def _count_some(session: Session, dataset_id: int, image_ids: Sequence[int]) -> Counter[Key]:
    found: Counter[Key] = Counter()
    for start in range(0, len(image_ids), AT_ONCE):
        values = {"dataset": dataset_id, "ids": image_ids[start : start + AT_ONCE]}
        for row in session.execute(_some(), values):
            found[row.given, row.bin, row.verdict, row.signed] += row.images
    return found


@contextmanager
def keeping(session: Session, dataset_id: int, image_ids: Sequence[int]) -> Iterator[None]:
    """Bring the tallies up to date with what the block changes of these images of a dataset."""
    before = _count_some(session, dataset_id, image_ids)
    people_before = person_tallies.count_some(session, dataset_id, image_ids)
    yield
    session.flush()
    after = _count_some(session, dataset_id, image_ids)
    after.subtract(before)
    _add(session, dataset_id, after)
    people = person_tallies.count_some(session, dataset_id, image_ids)
    people.subtract(people_before)
    person_tallies.add(session, dataset_id, people)


@contextmanager
def keeping_new(session: Session, dataset_id: int) -> Iterator[None]:
    """The same for images that the block adds to a dataset."""
    last = session.scalar(select(func.max(ImageRow.id))) or 0
    yield
    rows = session.execute(_tallied(dataset_id, ImageRow.id > last, ImageRow.dataset_id + 0 == dataset_id))
    _add(session, dataset_id, Counter({(row.given, row.bin, row.verdict, row.signed): row.images for row in rows}))


def _add(session: Session, dataset_id: int, changes: Counter[Key]) -> None:
    add_counts(session, TallyRow, dataset_id, KEY, changes.items())


def recount(session: Session, dataset_id: int) -> None:
    """Count a dataset's images and verdicts anew: for what changes all of them, as another detector does."""
    recount_images(session, dataset_id)
    person_tallies.recount_people(session, dataset_id)


def recount_images(session: Session, dataset_id: int) -> None:
    """Count its images alone: for what changes nobody's verdict nor any score, as a sign-off."""
    session.execute(delete(TallyRow).where(TallyRow.dataset_id == dataset_id))
    counted = _tallied(dataset_id, ImageRow.dataset_id == dataset_id)
    session.execute(insert(TallyRow).from_select(["dataset_id", *KEY, "images"], counted))


def read_tallies(session: Session, dataset_id: int) -> list[Tally]:
    """A dataset's tallies, bin by bin."""
    rows = session.execute(
        select(TallyRow.given, TallyRow.bin, TallyRow.verdict, TallyRow.signed, TallyRow.images).where(
            TallyRow.dataset_id == dataset_id, TallyRow.images != 0
        )
    )
    return [_tally(row) for row in rows]


def _read_around(session: Session, dataset: Dataset) -> list[Tally]:
    """A dataset's tallies; the bins on either side of the threshold's own are one each, in the lowest of them.

    Which side a bin lies on is all that counts under a threshold; there are hundreds of bins, and a page reads this
    several times.
    """
    return [_tally(row) for row in session.execute(_around_query(dataset.id, dataset.threshold))]


@lru_cache(maxsize=STATEMENTS)
def _around_query(dataset_id: int, threshold: float) -> Any:
    edge = bin_of(threshold)
    beside = ((TallyRow.bin < 0, TallyRow.bin), (TallyRow.bin < edge, 0), (TallyRow.bin > edge, edge + 1))
    key = (TallyRow.given, case(*beside, else_=edge).label("bin"), TallyRow.verdict, TallyRow.signed)
    return (
        select(*key, func.sum(TallyRow.images).label("images"))
        .where(TallyRow.dataset_id == dataset_id, TallyRow.images != 0)
        .group_by(*key)
    )


def _tally(row: Any) -> Tally:
    verdict = None if row.verdict in (NOBODY, UNSETTLED) else Verdict(row.verdict)
    return Tally(Side(row.given), row.bin, verdict, int(row.images), row.verdict == UNSETTLED, bool(row.signed))


def _below(session: Session, dataset: Dataset) -> dict[TallyKey, int]:
    """Images in the threshold's own bin with a score under it: a few, as thresholds lie at the edge of bins mostly."""
    rows = session.execute(_below_query(dataset.id, dataset.detector_id, dataset.threshold))
    tallies = [_tally(row) for row in rows]
    return {tally.key: tally.images for tally in tallies}


@lru_cache(maxsize=STATEMENTS)
def _below_query(dataset_id: int, detector_id: int | None, threshold: float) -> Any:
    edge = bin_of(threshold)
    key = (ScoreRow.given, literal(edge).label("bin"), _verdict_column(), _signed_column())
    return (
        select(*key, func.count().label("images"))
        .join(ImageRow, ImageRow.id == ScoreRow.image_id)
        .outerjoin(StandingRow, StandingRow.image_id == ScoreRow.image_id)
        .outerjoin(SignedImageRow, _covering(dataset_id))
        .where(
            ScoreRow.dataset_id == dataset_id,
            ScoreRow.detector_id == detector_id,
            ScoreRow.given.in_(list(Side)),
            ScoreRow.score >= edge / BINS - HAIR,
            ScoreRow.score < threshold,
            score_bin() == edge,
            ImageRow.unreadable.is_(None),
        )
        .group_by(*key)
    )


def _conflicts(session: Session, dataset: Dataset) -> list[Tally]:
    """Images flagged though detector and folder agree: few, and found by indexes of their own."""
    return [_tally(row) for row in session.execute(_conflict_query(dataset.id, dataset.detector_id))]


@lru_cache(maxsize=STATEMENTS)
def _conflict_query(dataset_id: int, detector_id: int | None) -> Any:
    agrees = or_(ScoreRow.score.is_(None), ~disagreement())
    chosen = union(in_conflict(dataset_id), doubted_of(dataset_id, detector_id))
    return _tallied(dataset_id, and_(ImageRow.id.in_(chosen), ImageRow.unreadable.is_(None)), agrees)


def read_split(session: Session, dataset: Dataset) -> tuple[list[Tally], dict[TallyKey, int]]:
    """A dataset's tallies, and the images of the threshold's own bin that lie under it."""
    return read_tallies(session, dataset.id), _below(session, dataset)


def count_dataset(session: Session, dataset: Dataset) -> DatasetCounts:
    """Every count of a dataset, under its threshold."""
    tallies, below = _read_around(session, dataset), _below(session, dataset)
    return count_tallies(tallies, dataset.threshold, below, _conflicts(session, dataset))


def cross_dataset(session: Session, dataset: Dataset) -> tuple[CrossedCounts, ...]:
    """A dataset's images by given label, what the detector says under the threshold, and verdict."""
    return cross_tallies(_read_around(session, dataset), dataset.threshold, _below(session, dataset))


def count_dataset_released(session: Session, dataset: Dataset) -> dict[Side, ReleaseCounts]:
    """What a sign-off now would release, by given label."""
    tallies, below = _read_around(session, dataset), _below(session, dataset)
    return count_released(tallies, dataset.threshold, below, _conflicts(session, dataset))


def count_covered(session: Session, dataset: Dataset, covered: int) -> SignedCounts:
    """What became of the ``covered`` images of the sign-off that stands."""
    tallies, below = _read_around(session, dataset), _below(session, dataset)
    return count_signed(tallies, dataset.threshold, below, _conflicts(session, dataset), covered)


def count_images(session: Session, dataset_id: int) -> tuple[int, int]:
    """``(images, unreadable)`` of a dataset; images include the unreadable, not the missing."""
    unreadable = case((TallyRow.bin == UNREADABLE, TallyRow.images), else_=0)
    row = session.execute(
        select(
            func.coalesce(func.sum(TallyRow.images), 0).label("images"),
            func.coalesce(func.sum(unreadable), 0).label("unreadable"),
        ).where(TallyRow.dataset_id == dataset_id)
    ).one()
    return int(row.images), int(row.unreadable)


def has_unscored(session: Session, dataset_id: int) -> bool:
    """Whether images wait for a score or could not be read."""
    chosen = select(TallyRow.images).where(TallyRow.dataset_id == dataset_id, TallyRow.bin < 0, TallyRow.images != 0)
    return session.scalar(chosen.limit(1)) is not None


def histogram(session: Session, dataset_id: int) -> dict[tuple[Side, int], int]:
    """Images by given label and score bin, where there are any."""
    key = (TallyRow.given, TallyRow.bin)
    rows = session.execute(
        select(*key, func.sum(TallyRow.images).label("images"))
        .where(TallyRow.dataset_id == dataset_id, TallyRow.images != 0, TallyRow.bin >= 0)
        .group_by(*key)
    )
    return {(Side(row.given), row.bin): int(row.images) for row in rows}
