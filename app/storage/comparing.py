"""Queries on what two detectors say of the same images."""

from dataclasses import dataclass
from typing import Any

from sqlalchemy import ColumnElement, Select, and_, case, func, or_, select
from sqlalchemy.orm import Session, aliased

from app.domain.comparing import Change, ChangeCounts
from app.domain.images import Side
from app.storage.tables import ImageRow, ScoreRow

A = aliased(ScoreRow, name="a")
B = aliased(ScoreRow, name="b")


@dataclass(frozen=True, slots=True)
class Pair:
    """The two detectors of a comparison, on one dataset with its threshold."""

    dataset_id: int
    threshold: float
    a: int
    b: int


def _flagged(score: Any, threshold: float) -> ColumnElement[bool]:
    """The same rule as :func:`app.domain.flagging.disagrees`."""
    return or_(
        and_(score.given == Side.NEGATIVE, score.score >= threshold),
        and_(score.given == Side.POSITIVE, score.score < threshold),
    )


def _both(pair: Pair, *columns: Any) -> Select[Any]:
    """Images that both detectors scored."""
    return (
        select(*columns)
        .select_from(A)
        .join(B, and_(B.image_id == A.image_id, B.detector_id == pair.b))
        .where(A.dataset_id == pair.dataset_id, A.detector_id == pair.a)
    )


def count_changes(session: Session, pair: Pair) -> dict[Side, ChangeCounts]:
    """Images that both scored, by given label and by who flags them."""
    by_a, by_b = _flagged(A, pair.threshold), _flagged(B, pair.threshold)

    def total(condition: ColumnElement[bool]) -> Any:
        return func.coalesce(func.sum(case((condition, 1), else_=0)), 0)

    rows = session.execute(
        _both(
            pair,
            A.given,
            total(and_(by_a, by_b)),
            total(and_(by_a, ~by_b)),
            total(and_(~by_a, by_b)),
            total(and_(~by_a, ~by_b)),
            func.coalesce(func.sum(func.abs(B.score - A.score)), 0.0),
        ).group_by(A.given)
    )
    found = {Side(row[0]): ChangeCounts(*row[1:]) for row in rows}
    return {side: found.get(side, ChangeCounts()) for side in Side}


def count_scores(session: Session, dataset_id: int, detector_id: int) -> int:
    """Images of a dataset that a detector scored."""
    counted = select(func.count()).where(ScoreRow.dataset_id == dataset_id, ScoreRow.detector_id == detector_id)
    return session.scalar(counted) or 0


def list_changes(session: Session, pair: Pair, after: tuple[float, int] | None, limit: int) -> list[Change]:
    """Images that both scored, largest change of score first, after ``(change, image id)``."""
    size = func.abs(B.score - A.score)
    query = _both(pair, A.image_id, A.score.label("a"), B.score.label("b"), size.label("size"))
    if after is not None:
        change, image_id = after
        query = query.where(or_(size < change, and_(size == change, A.image_id > image_id)))
    # The few of a page are found first: what else is known of an image is not read for all the others.
    top = query.order_by(size.desc(), A.image_id).limit(limit).subquery()
    rows = session.execute(
        select(
            ImageRow.id,
            ImageRow.path,
            ImageRow.given,
            ImageRow.sha256,
            ImageRow.width,
            ImageRow.height,
            top.c.a,
            top.c.b,
        )
        .join(top, top.c.image_id == ImageRow.id)
        .order_by(top.c.size.desc(), ImageRow.id)
    )
    return [Change(row[0], row[1], Side(row[2]), *row[3:]) for row in rows]
