"""Queries on fits: what has been learned of a dataset, and which threshold ``scores.flagged`` follows.

The order of the queue is that of ``scores.rank``, minus the learned suspicion, within the images that carry a flag. A
flag hangs on the threshold, which may move at any moment, and an index cannot know that. So each row says whether it
is flagged under ``fits.target``; a row that is added says it from the start, and a pass of short batches brings the
others there. When all follow it, it is noted as ``fits.threshold``, and as long as that is the dataset's own the queue
reads the index of flagged rows by rank. Between a move of the threshold and the end of the pass it reads the range of
scores beyond the threshold, as it does where nothing has been learned: the same images, in the detector's order.
"""

from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import BindParameter, ColumnElement, Select, and_, delete, func, insert, or_, select, update
from sqlalchemy.orm import Session

from app.domain.images import Side
from app.storage.learning_tables import FitRow
from app.storage.tables import DatasetRow, ScoreRow, TallyRow


@dataclass(frozen=True, slots=True)
class Fit:
    """The latest fit of a dataset."""

    dataset_id: int
    detector_id: int
    target: float
    threshold: float | None
    verdicts: int
    report: dict[str, Any]
    fitted_at: datetime


def find_fit(session: Session, dataset_id: int) -> Fit | None:
    """The fit of a dataset."""
    row = session.get(FitRow, dataset_id, populate_existing=True)
    if row is None:
        return None
    return Fit(row.dataset_id, row.detector_id, row.target, row.threshold, row.verdicts, row.report, row.fitted_at)


def find_target(session: Session, dataset_id: int, detector_id: int) -> float | None:
    """The threshold by which a new score is flagged; None where nothing has been learned."""
    return session.scalar(
        select(FitRow.target).where(FitRow.dataset_id == dataset_id, FitRow.detector_id == detector_id)
    )


def is_ranked(session: Session, dataset_id: int, detector_id: int | None, threshold: float) -> bool:
    """Whether all scores of a detector are ranked, and flagged under this very threshold."""
    found = session.scalar(
        select(FitRow.dataset_id).where(
            FitRow.dataset_id == dataset_id, FitRow.detector_id == detector_id, FitRow.threshold == threshold
        )
    )
    return found is not None


def store_fit(
    session: Session, dataset_id: int, detector_id: int, *, verdicts: int, report: dict[str, Any], now: datetime
) -> None:
    """Note a new fit; the threshold that flags follow stays what it is."""
    values = {"detector_id": detector_id, "verdicts": verdicts, "report": report, "fitted_at": now}
    known = session.scalar(select(FitRow.detector_id).where(FitRow.dataset_id == dataset_id))
    if known == detector_id:
        session.execute(update(FitRow).where(FitRow.dataset_id == dataset_id).values(**values))
        return
    forget_fit(session, dataset_id)
    target = select(DatasetRow.threshold).where(DatasetRow.id == dataset_id).scalar_subquery()
    session.execute(insert(FitRow).values(dataset_id=dataset_id, target=target, threshold=None, **values))


def forget_fit(session: Session, dataset_id: int) -> None:
    """Nothing has been learned of a dataset any more."""
    session.execute(delete(FitRow).where(FitRow.dataset_id == dataset_id))


def begin_sweep(session: Session, dataset_id: int) -> None:
    """From now on new rows are flagged under the dataset's threshold, and old ones are to be."""
    target = select(DatasetRow.threshold).where(DatasetRow.id == dataset_id).scalar_subquery()
    session.execute(
        update(FitRow).where(FitRow.dataset_id == dataset_id).values(target=target, threshold=None),
        execution_options={"synchronize_session": False},
    )


def end_sweep(session: Session, dataset_id: int, target: float) -> None:
    """All rows follow ``target``, if that is still what they are brought to."""
    session.execute(
        update(FitRow).where(FitRow.dataset_id == dataset_id, FitRow.target == target).values(threshold=target),
        execution_options={"synchronize_session": False},
    )


def find_to_sweep(session: Session) -> int | None:
    """A dataset whose flags do not follow its threshold."""
    return session.scalar(
        select(FitRow.dataset_id)
        .join(DatasetRow, DatasetRow.id == FitRow.dataset_id)
        .where(
            DatasetRow.removed_at.is_(None), or_(FitRow.threshold.is_(None), FitRow.threshold != DatasetRow.threshold)
        )
        .limit(1)
    )


def sweep_batch(session: Session, fit: Fit, after: int, limit: int) -> int | None:
    """Flag the images next after an id as ``fit.target`` has it; the last of them, None if there were none."""
    rows = session.execute(
        select(ScoreRow.image_id, ScoreRow.flagged, _flagged(fit.target).label("right"))
        .where(*_scores_by_id(fit), ScoreRow.image_id > after)
        .order_by(ScoreRow.image_id)
        .limit(limit)
    ).all()
    for value in (True, False):
        wrong = [row.image_id for row in rows if row.right == value and row.flagged != value]
        if wrong:
            session.execute(
                update(ScoreRow)
                .where(ScoreRow.image_id.in_(wrong), ScoreRow.detector_id == fit.detector_id)
                .values(flagged=value),
                execution_options={"synchronize_session": False},
            )
    return rows[-1].image_id if rows else None


def _flagged(threshold: float) -> ColumnElement[bool]:
    """Whether a score is a flag under a threshold; see :func:`app.domain.flagging.disagrees`."""
    return or_(
        ScoreRow.doubted,
        and_(ScoreRow.given == Side.NEGATIVE, ScoreRow.score >= threshold),
        and_(ScoreRow.given == Side.POSITIVE, ScoreRow.score < threshold),
    )


def _scores_by_id(fit: Fit) -> tuple[ColumnElement[bool], ...]:
    """A dataset's scores in a form that only the primary key answers, for pages in the order of ids."""
    return ScoreRow.dataset_id + 0 == fit.dataset_id, ScoreRow.detector_id == fit.detector_id


def doubted_of(dataset_id: int | BindParameter[int], detector_id: int | BindParameter[int] | None) -> Select[int]:
    """Ids of the images that the second opinion doubts: few, and found by an index of their own. Meant for ``IN``."""
    known = 0 if detector_id is None else detector_id
    return select(ScoreRow.image_id).where(
        ScoreRow.dataset_id == dataset_id, ScoreRow.detector_id == known, ScoreRow.doubted
    )


def count_sided_verdicts(session: Session) -> dict[int, int]:
    """Images called positive or negative, by dataset; only of datasets that somebody works on and a detector scored."""
    rows = session.execute(
        select(TallyRow.dataset_id, func.sum(TallyRow.images).label("images"))
        .join(DatasetRow, DatasetRow.id == TallyRow.dataset_id)
        .where(
            TallyRow.verdict.in_(("positive", "negative")),
            DatasetRow.removed_at.is_(None),
            DatasetRow.archived_at.is_(None),
            DatasetRow.detector_id.is_not(None),
        )
        .group_by(TallyRow.dataset_id)
    )
    return {row.dataset_id: int(row.images) for row in rows}


def list_fitted_verdicts(session: Session) -> dict[int, int]:
    """How many verdicts each dataset's latest fit knew."""
    return {row.dataset_id: row.verdicts for row in session.execute(select(FitRow.dataset_id, FitRow.verdicts))}
