"""Queries on audits: the freeze, what came after it, and the counts that follow each verdict."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import ColumnElement, and_, delete, func, select, update
from sqlalchemy.orm import Session

from app.domain.images import Side
from app.domain.reviewing import Verdict
from app.storage.audit_tables import (
    AuditRow,
    LookRow,
    MemberRow,
    StratumRow,
)
from app.storage.tables import ImageRow, ScanRow

RIGHT, WRONG = "right", "wrong"
REPEAT = "repeat"  #: of a blind look: the image has been called, and is asked about once more
UNSEEN = {"synchronize_session": False}  #: for changes that no object in the session need know of
FRESH = {"populate_existing": True}  #: and so for what is read after them


@dataclass(frozen=True, slots=True)
class Audit:
    """An audit as it stands."""

    id: int
    dataset_id: int
    number: int
    seed: int
    risk: float
    prior: tuple[float, float]
    detector_id: int
    threshold: float
    goal: float
    scan_id: int
    frozen_at: datetime
    draws: int
    version: int
    kept: dict[str, Any] | None


@dataclass(frozen=True, slots=True)
class Stratum:
    """A stratum with its counts; see :class:`app.storage.audit_tables.StratumRow`."""

    number: int
    given: Side
    band: str
    images: int
    counter: int
    left_pool: int
    reviewed: int
    found: int
    reviewed_at_freeze: int
    found_at_freeze: int

    @property
    def in_pool(self) -> int:
        """Images that can still be drawn."""
        return self.images - self.left_pool


def find_audit(session: Session, dataset_id: int) -> Audit | None:
    """The audit in force: a dataset's latest."""
    row = session.scalar(
        select(AuditRow)
        .where(AuditRow.dataset_id == dataset_id)
        .order_by(AuditRow.number.desc())
        .limit(1)
        .execution_options(**FRESH)
    )
    return None if row is None else _audit(row)


def list_audits(session: Session, dataset_id: int) -> list[Audit]:
    """Every audit of a dataset, oldest first."""
    query = select(AuditRow).where(AuditRow.dataset_id == dataset_id).order_by(AuditRow.number)
    rows = session.scalars(query.execution_options(**FRESH))
    return [_audit(row) for row in rows]


def _audit(row: AuditRow) -> Audit:
    return Audit(
        id=row.id,
        dataset_id=row.dataset_id,
        number=row.number,
        seed=row.seed,
        risk=row.risk,
        prior=(row.prior_a, row.prior_b),
        detector_id=row.detector_id,
        threshold=row.threshold,
        goal=row.goal,
        scan_id=row.scan_id,
        frozen_at=row.frozen_at,
        draws=row.draws,
        version=row.version,
        kept=row.kept,
    )


def list_strata(session: Session, audit_id: int) -> list[Stratum]:
    """The strata of an audit, by number."""
    query = select(StratumRow).where(StratumRow.audit_id == audit_id).order_by(StratumRow.number)
    rows = session.scalars(query.execution_options(**FRESH))
    return [
        Stratum(
            number=row.number,
            given=Side(row.given),
            band=row.band,
            images=row.images,
            counter=row.counter,
            left_pool=row.left_pool,
            reviewed=row.reviewed,
            found=row.found,
            reviewed_at_freeze=row.reviewed_at_freeze,
            found_at_freeze=row.found_at_freeze,
        )
        for row in rows
    ]


def find_latest_scan(session: Session, dataset_id: int) -> int | None:
    """The id of a dataset's newest scan, open or over."""
    return session.scalar(select(func.max(ScanRow.id)).where(ScanRow.dataset_id == dataset_id))


def is_whole() -> ColumnElement[bool]:
    """Whether an image lies there as it was frozen: the same bytes, under the same label."""
    return and_(
        ImageRow.missing_since.is_(None),
        ImageRow.unreadable.is_(None),
        ImageRow.sha256 == MemberRow.sha256,
        ImageRow.given == StratumRow.given,
    )


def follow(session: Session, image_id: int, dataset_id: int, *, verdict: Verdict | None, unsettled: str | None) -> None:
    """Bring the audit in force in step with what stands of an image, in the transaction of the verdict.

    A first verdict takes the image out of the pool, at the end of the order. A verdict that is taken back leaves it
    there, without a state. Of an image that is not what was frozen any more nothing is learned.
    """
    latest = select(func.max(AuditRow.number)).where(AuditRow.dataset_id == dataset_id).scalar_subquery()
    found = session.execute(
        select(MemberRow, StratumRow.given)
        .join(AuditRow, AuditRow.id == MemberRow.audit_id)
        .join(StratumRow, and_(StratumRow.audit_id == MemberRow.audit_id, StratumRow.number == MemberRow.stratum))
        .join(ImageRow, ImageRow.id == MemberRow.image_id)
        .where(MemberRow.image_id == image_id, AuditRow.dataset_id == dataset_id, AuditRow.number == latest, is_whole())
        .with_for_update(of=AuditRow)
        .execution_options(populate_existing=True)
    ).one_or_none()
    spoken = verdict is not None or unsettled is not None
    if found is not None:
        member, given = found
        state = None if verdict is None else RIGHT if verdict == given else WRONG
        if member.place is not None or spoken:
            settle(session, member, state, drawn=member.drawn)
    _follow_looks(session, image_id, dataset_id, spoken=spoken)


def settle(session: Session, member: MemberRow, state: str | None, *, drawn: bool, counter: int | None = None) -> None:
    """Give a member its state; the first time it takes its place among those that left the pool."""
    before, is_first = member.state, member.place is None
    if is_first:
        member.place, member.out_before = _take_place(session, member.audit_id, member.stratum)
    member.state, member.drawn = state, drawn
    member.telling = drawn or state != RIGHT
    reviewed = (state is not None) - (before is not None)
    wrong = (state == WRONG) - (before == WRONG)
    changes: dict[str, Any] = {
        "reviewed": StratumRow.reviewed + reviewed,
        "found": StratumRow.found + wrong,
    }
    if member.place == 0:
        changes["reviewed_at_freeze"] = StratumRow.reviewed_at_freeze + reviewed
        changes["found_at_freeze"] = StratumRow.found_at_freeze + wrong
    if counter is not None:
        changes["counter"] = counter
    session.flush()
    session.execute(
        update(StratumRow)
        .where(StratumRow.audit_id == member.audit_id, StratumRow.number == member.stratum)
        .values(**changes),
        execution_options=UNSEEN,
    )
    session.execute(
        update(AuditRow).where(AuditRow.id == member.audit_id).values(version=AuditRow.version + 1),
        execution_options=UNSEEN,
    )


def _take_place(session: Session, audit_id: int, stratum: int) -> tuple[int, int]:
    """The next place among those that left, and how many of the stratum left before."""
    place = session.execute(
        update(AuditRow)
        .where(AuditRow.id == audit_id)
        .values(exits=AuditRow.exits + 1)
        .returning(AuditRow.exits)
        .execution_options(**UNSEEN)
    ).scalar_one()
    out = session.execute(
        update(StratumRow)
        .where(StratumRow.audit_id == audit_id, StratumRow.number == stratum)
        .values(left_pool=StratumRow.left_pool + 1)
        .returning(StratumRow.left_pool)
        .execution_options(**UNSEEN)
    ).scalar_one()
    return place, out - 1


def _follow_looks(session: Session, image_id: int, dataset_id: int, *, spoken: bool) -> None:
    """A blind look ends when its image is called, by whomever, and waits again when that is taken back.

    Where no verdict is left there is nothing to repeat: a repeat that waits is dropped then.
    """
    if spoken:
        session.execute(
            update(LookRow).where(LookRow.image_id == image_id, ~LookRow.answered).values(answered=True),
            execution_options=UNSEEN,
        )
        return
    waiting = and_(LookRow.image_id == image_id, LookRow.kind == REPEAT, ~LookRow.answered)
    session.execute(delete(LookRow).where(waiting), execution_options=UNSEEN)
    audit = find_audit(session, dataset_id)
    if audit is None:
        return
    latest = select(func.max(LookRow.id)).where(
        LookRow.image_id == image_id, LookRow.audit_id == audit.id, LookRow.kind != REPEAT
    )
    session.execute(
        update(LookRow)
        .where(LookRow.id == latest.scalar_subquery())
        .values(answered=False, first_review_id=None, second_review_id=None),
        execution_options=UNSEEN,
    )


@dataclass(frozen=True, slots=True)
class Telling:
    """An image that left the pool and must be looked at one by one; see :class:`MemberRow`."""

    image_id: int
    stratum: int
    place: int
    out_before: int
    drawn: bool
    state: str | None


def list_telling(session: Session, audit_id: int) -> list[Telling]:
    """Draws, wrong ones and those without a verdict, in the order in which they left the pool."""
    columns = (MemberRow.image_id, MemberRow.stratum, MemberRow.place, MemberRow.out_before, MemberRow.drawn)
    rows = session.execute(
        select(*columns, MemberRow.state)
        .where(MemberRow.audit_id == audit_id, MemberRow.telling)
        .order_by(MemberRow.place)
    )
    return [Telling(row.image_id, row.stratum, row.place, row.out_before or 0, row.drawn, row.state) for row in rows]


def find_first_open(telling: Sequence[Telling]) -> int | None:
    """The place of the first image that left the pool and has no verdict: draws from there on do not count yet."""
    return min((each.place for each in telling if each.state is None), default=None)


def keep(session: Session, audit_id: int, kept: dict[str, Any]) -> None:
    """Store the bound as it is at a version."""
    session.execute(update(AuditRow).where(AuditRow.id == audit_id).values(kept=kept), execution_options=UNSEEN)
