"""Whose verdicts stand, by given label, score bin and verdict: kept beside the tallies, in the same transactions."""

from collections import Counter
from collections.abc import Sequence
from functools import cache, lru_cache
from typing import Any

from sqlalchemy import ColumnElement, Integer, and_, bindparam, delete, func, insert, literal, select
from sqlalchemy.orm import Session

from app.domain.counting import BINS, HAIR, PersonTally, ReviewerCounts, bin_of, count_people
from app.domain.images import Side
from app.domain.reviewing import Verdict
from app.storage.bins import image_bin, score_bin
from app.storage.datasets import Dataset
from app.storage.kept_counts import add_counts
from app.storage.tables import DatasetRow, ImageRow, PersonTallyRow, ReviewRow, ScoreRow, StandingRow

KEY = ("reviewer", "given", "bin", "verdict")
Key = tuple[str, str, int, str]
STATEMENTS = 64  #: that are kept, as in :mod:`app.storage.tallies`
AT_ONCE = 500  #: parameters of one statement


def _tallied(*chosen: ColumnElement[bool]) -> Any:
    """Standing verdicts, grouped as person tallies are."""
    key = (StandingRow.dataset_id, ReviewRow.reviewer, ImageRow.given, image_bin(), StandingRow.verdict)
    return (
        select(*key, func.count().label("images"))
        .join_from(StandingRow, ReviewRow, ReviewRow.id == StandingRow.effective_review_id)
        .join(ImageRow, ImageRow.id == StandingRow.image_id)
        .join(DatasetRow, DatasetRow.id == StandingRow.dataset_id)
        .outerjoin(
            ScoreRow, and_(ScoreRow.image_id == StandingRow.image_id, ScoreRow.detector_id == DatasetRow.detector_id)
        )
        .where(*chosen)
        .group_by(*key)
    )


@cache
def _some() -> Any:
    """Made once, as its like for images is."""
    ids = StandingRow.image_id.in_(bindparam("ids", expanding=True, type_=Integer))
    return _tallied(ids, StandingRow.dataset_id + 0 == bindparam("dataset", type_=Integer))


def count_some(session: Session, dataset_id: int, image_ids: Sequence[int]) -> Counter[Key]:
    """Of some images of a dataset the standing verdicts, by person, given label, bin and verdict."""
    found: Counter[Key] = Counter()
    for start in range(0, len(image_ids), AT_ONCE):
        values = {"dataset": dataset_id, "ids": image_ids[start : start + AT_ONCE]}
        for row in session.execute(_some(), values):
            found[row.reviewer, row.given, row.bin, row.verdict] += row.images
    return found


def add(session: Session, dataset_id: int, changes: Counter[Key]) -> None:
    """Add to the tallies of a dataset, or take from them."""
    add_counts(session, PersonTallyRow, dataset_id, KEY, changes.items())


def recount_people(session: Session, dataset_id: int) -> None:
    """Count a dataset's verdicts anew."""
    session.execute(delete(PersonTallyRow).where(PersonTallyRow.dataset_id == dataset_id))
    counted = _tallied(StandingRow.dataset_id == dataset_id)
    session.execute(insert(PersonTallyRow).from_select(["dataset_id", *KEY, "images"], counted))


def _tally(row: Any) -> PersonTally:
    return PersonTally(row.reviewer, Side(row.given), row.bin, Verdict(row.verdict), row.images)


def read_person_tallies(session: Session, dataset_id: int) -> list[PersonTally]:
    """A dataset's person tallies."""
    columns = (getattr(PersonTallyRow, name) for name in (*KEY, "images"))
    chosen = (PersonTallyRow.dataset_id == dataset_id, PersonTallyRow.images != 0)
    return [_tally(row) for row in session.execute(select(*columns).where(*chosen))]


def _below(session: Session, dataset: Dataset) -> list[PersonTally]:
    """Verdicts in the threshold's own bin on images with a score under it: few, mostly none."""
    rows = session.execute(_below_query(dataset.id, dataset.detector_id, dataset.threshold))
    return [_tally(row) for row in rows]


@lru_cache(maxsize=STATEMENTS)
def _below_query(dataset_id: int, detector_id: int | None, threshold: float) -> Any:
    edge = bin_of(threshold)
    key = (ReviewRow.reviewer, ScoreRow.given, literal(edge).label("bin"), StandingRow.verdict)
    return (
        select(*key, func.count().label("images"))
        .join_from(ScoreRow, StandingRow, StandingRow.image_id == ScoreRow.image_id)
        .join(ReviewRow, ReviewRow.id == StandingRow.effective_review_id)
        .join(ImageRow, ImageRow.id == ScoreRow.image_id)
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


def count_by_reviewer(session: Session, dataset: Dataset) -> list[ReviewerCounts]:
    """Each reviewer's standing verdicts in a dataset, the busiest first."""
    return count_people(read_person_tallies(session, dataset.id), dataset.threshold, _below(session, dataset))
