"""What is read of an audit for files and for its curve."""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import and_, delete, exists, insert, select
from sqlalchemy.orm import Session

from app.domain.images import Side
from app.domain.reviewing import Verdict
from app.storage.audit_tables import MemberRow, PointRow, StratumRow
from app.storage.tables import ImageRow, ReviewRow, StandingRow


@dataclass(frozen=True, slots=True)
class Left:
    """An image that left the pool since the freeze, with the verdict that stands on it."""

    stratum: int
    place: int
    out_before: int
    drawn: bool
    state: str
    path: str
    sha256: str
    given: Side
    verdict: Verdict | None
    reviewer: str | None
    reviewed_at: datetime | None


def iter_left(session: Session, audit_id: int) -> Iterator[Left]:
    """What left the pool of an audit since its freeze and has a verdict, in that order."""
    query = (
        select(
            MemberRow.stratum,
            MemberRow.place,
            MemberRow.out_before,
            MemberRow.drawn,
            MemberRow.state,
            MemberRow.sha256,
            ImageRow.path,
            StratumRow.given,
            StandingRow.verdict,
            ReviewRow.reviewer,
            ReviewRow.reviewed_at,
        )
        .join(StratumRow, and_(StratumRow.audit_id == MemberRow.audit_id, StratumRow.number == MemberRow.stratum))
        .join(ImageRow, ImageRow.id == MemberRow.image_id)
        .outerjoin(StandingRow, StandingRow.image_id == MemberRow.image_id)
        .outerjoin(ReviewRow, ReviewRow.id == StandingRow.effective_review_id)
        .where(MemberRow.audit_id == audit_id, MemberRow.place > 0, MemberRow.state.is_not(None))
        .order_by(MemberRow.place)
    )
    for row in session.execute(query.execution_options(yield_per=1000)):
        verdict = None if row.verdict is None else Verdict(row.verdict)
        yield Left(
            stratum=row.stratum,
            place=row.place,
            out_before=row.out_before,
            drawn=row.drawn,
            state=row.state,
            path=row.path,
            sha256=row.sha256,
            given=Side(row.given),
            verdict=verdict,
            reviewer=row.reviewer,
            reviewed_at=row.reviewed_at,
        )


@dataclass(frozen=True, slots=True)
class Apart:
    """An image with a verdict that no audit counts: it was flagged, or called before the first freeze."""

    path: str
    sha256: str
    given: Side
    verdict: Verdict
    reviewer: str
    reviewed_at: datetime


def iter_apart(session: Session, dataset_id: int) -> Iterator[Apart]:
    """Images with a verdict that have no place in any audit, in order of time."""
    counted = exists().where(
        MemberRow.image_id == StandingRow.image_id, MemberRow.place > 0, MemberRow.state.is_not(None)
    )
    query = (
        select(
            ImageRow.path,
            ImageRow.sha256,
            ImageRow.given,
            StandingRow.verdict,
            ReviewRow.reviewer,
            ReviewRow.reviewed_at,
        )
        .join(ImageRow, ImageRow.id == StandingRow.image_id)
        .join(ReviewRow, ReviewRow.id == StandingRow.effective_review_id)
        .where(ImageRow.dataset_id == dataset_id, StandingRow.verdict.is_not(None), ~counted)
        .order_by(ReviewRow.reviewed_at, ReviewRow.id)
    )
    for row in session.execute(query.execution_options(yield_per=1000)):
        yield Apart(row.path, row.sha256 or "", Side(row.given), Verdict(row.verdict), row.reviewer, row.reviewed_at)


@dataclass(frozen=True, slots=True)
class Point:
    """The bound after so many draws that count."""

    draws: int
    images: int
    errors_upper: int
    rate_upper: float
    at: datetime


def list_points(session: Session, audit_id: int) -> list[Point]:
    """The bound over an audit, by draws."""
    rows = session.scalars(select(PointRow).where(PointRow.audit_id == audit_id).order_by(PointRow.draws))
    return [Point(row.draws, row.images, row.errors_upper, row.rate_upper, row.at) for row in rows]


def add_point(session: Session, audit_id: int, point: Point) -> None:
    """Keep a point of the curve: with each draw at first, then with each hundredth part more; and always the latest."""
    last = session.scalars(
        select(PointRow.draws).where(PointRow.audit_id == audit_id).order_by(PointRow.draws.desc()).limit(2)
    ).all()
    steps = last[0] - last[1] if len(last) == 2 else last[0] if last else 1
    if last and steps < max(1, last[0] // 100):
        session.execute(delete(PointRow).where(PointRow.audit_id == audit_id, PointRow.draws == last[0]))
    session.execute(delete(PointRow).where(PointRow.audit_id == audit_id, PointRow.draws >= point.draws))
    session.execute(
        insert(PointRow).values(
            audit_id=audit_id,
            draws=point.draws,
            images=point.images,
            errors_upper=point.errors_upper,
            rate_upper=point.rate_upper,
            at=point.at,
        )
    )
