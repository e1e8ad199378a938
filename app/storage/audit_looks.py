"""Queries on blind looks: drawing, handing out, and what became of them."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from itertools import islice
from typing import Any

from sqlalchemy import ColumnElement, and_, delete, exists, func, insert, or_, select, update
from sqlalchemy.orm import Session

from app.domain.drawing import candidates, choose_stratum, random_number
from app.storage.audit_tables import AuditRow, LookRow, MemberRow, StratumRow, TurnRow
from app.storage.audits import FRESH, REPEAT, UNSEEN, WRONG, Audit, Stratum, is_whole, list_strata, settle
from app.storage.tables import ImageRow, LeaseRow, ReviewRow, StandingRow

TRIED_AT_ONCE = 256
TRIES = 8  #: times so many candidates are tried before what is left in the stratum is listed
GONE_AT_ONCE = 1000  #: draws of images that are gone, one after the other, before somebody must ask again
DRAW, SHOWN = "draw", "shown"


@dataclass(frozen=True, slots=True)
class Asker:
    """The tab that asks for work, when, until when it may keep it, and who sits there, if that is known."""

    client: str
    now: datetime
    until: datetime
    reviewer: str | None = None


@dataclass(frozen=True, slots=True)
class Look:
    """An image shown blind."""

    id: int
    audit_id: int
    image_id: int
    kind: str
    client: str
    turn: int
    answered: bool
    first_review_id: int | None
    second_review_id: int | None
    of_review_id: int | None

    @property
    def is_repeat(self) -> bool:
        """Whether the image has a verdict already."""
        return self.of_review_id is not None


def _look(row: LookRow) -> Look:
    return Look(
        id=row.id,
        audit_id=row.audit_id,
        image_id=row.image_id,
        kind=row.kind,
        client=row.client,
        turn=row.turn,
        answered=row.answered,
        first_review_id=row.first_review_id,
        second_review_id=row.second_review_id,
        of_review_id=row.of_review_id,
    )


def is_pending(image_id: Any) -> ColumnElement[bool]:
    """Whether an image waits for a blind answer: no other queue holds it meanwhile."""
    return exists().where(LookRow.image_id == image_id, ~LookRow.answered)


def find_pending(session: Session, image_id: int) -> Look | None:
    """The blind look that an image waits for."""
    query = select(LookRow).where(LookRow.image_id == image_id, ~LookRow.answered).order_by(LookRow.id).limit(1)
    row = session.scalar(query.execution_options(**FRESH))
    return None if row is None else _look(row)


def find_latest(session: Session, image_id: int) -> Look | None:
    """The latest blind look at an image."""
    query = select(LookRow).where(LookRow.image_id == image_id).order_by(LookRow.id.desc()).limit(1)
    row = session.scalar(query.execution_options(**FRESH))
    return None if row is None else _look(row)


def list_held(session: Session, audit_id: int, asker: Asker) -> list[Look]:
    """What a tab has in hand, in the order in which it is shown."""
    query = (
        select(LookRow)
        .where(
            LookRow.audit_id == audit_id,
            ~LookRow.answered,
            LookRow.client == asker.client,
            LookRow.leased_until > asker.now,
        )
        .order_by(LookRow.turn, LookRow.id)
        .execution_options(**FRESH)
    )
    return [_look(row) for row in session.scalars(query)]


def drop_expired(session: Session, now: datetime) -> None:
    """Flagged images that were shown blind to somebody who went away stand in the open queue again.

    A repeat waits for somebody else then, as a draw does, unless its verdict or its image is not what it was.
    """
    over = or_(LookRow.kind == SHOWN, and_(LookRow.kind == REPEAT, ~is_repeatable()))
    gone = and_(over, ~LookRow.answered, LookRow.leased_until <= now)
    session.execute(delete(LookRow).where(gone), execution_options=UNSEEN)


def is_repeatable() -> ColumnElement[bool]:
    """Whether the verdict that a repeat asks for once more stands, of the image as it lies there."""
    return exists().where(
        StandingRow.image_id == LookRow.image_id,
        StandingRow.effective_review_id == LookRow.of_review_id,
        ImageRow.id == StandingRow.image_id,
        lies_as_called(),
    )


def lies_as_called() -> ColumnElement[bool]:
    """Whether an image lies there with the bytes on which its verdict was given."""
    return and_(
        ImageRow.missing_since.is_(None), ImageRow.unreadable.is_(None), ImageRow.sha256 == StandingRow.image_sha256
    )


def renew(session: Session, looks: Sequence[int], asker: Asker, turn: int) -> None:
    """Hand looks to a tab, to be shown in this order from a turn on."""
    for position, look_id in enumerate(looks):
        session.execute(
            update(LookRow)
            .where(LookRow.id == look_id)
            .values(client=asker.client, leased_until=asker.until, turn=turn + position),
            execution_options=UNSEEN,
        )


def show(
    session: Session,
    audit_id: int,
    image_id: int,
    kind: str,
    asker: Asker,
    turn: int,
    of_review_id: int | None = None,
) -> int:
    """Note that a tab is shown an image blind, and of a repeat which review it repeats; the look's id."""
    return session.execute(
        insert(LookRow)
        .values(
            audit_id=audit_id,
            image_id=image_id,
            kind=kind,
            client=asker.client,
            turn=turn,
            leased_until=asker.until,
            made_at=asker.now,
            answered=False,
            of_review_id=of_review_id,
        )
        .returning(LookRow.id)
    ).scalar_one()


def take_draw(session: Session, audit: Audit, asker: Asker, turn: int, *, new: bool = True) -> Look | None:
    """A draw for a tab: one that somebody left, or one whose verdict was taken back, or else a ``new`` one."""
    left = session.scalar(
        select(LookRow.id)
        .where(
            LookRow.audit_id == audit.id,
            ~LookRow.answered,
            LookRow.kind == DRAW,
            LookRow.leased_until <= asker.now,
        )
        .order_by(LookRow.id)
        .limit(1)
    )
    if left is not None:
        renew(session, [left], asker, turn)
        return _look(session.get_one(LookRow, left, populate_existing=True))
    image_id = _find_owed(session, audit.id, asker)
    if image_id is None and new:
        image_id = draw(session, audit)
    if image_id is None:
        return None
    look_id = show(session, audit.id, image_id, DRAW, asker, turn)
    return _look(session.get_one(LookRow, look_id))


def _find_owed(session: Session, audit_id: int, asker: Asker) -> int | None:
    """An image that left the pool and has no verdict any more: until it has one it holds back what was drawn later."""
    in_hand = exists().where(
        LeaseRow.image_id == MemberRow.image_id, LeaseRow.expires_at > asker.now, LeaseRow.client != asker.client
    )
    return session.scalar(
        select(MemberRow.image_id)
        .join(StratumRow, and_(StratumRow.audit_id == MemberRow.audit_id, StratumRow.number == MemberRow.stratum))
        .join(ImageRow, ImageRow.id == MemberRow.image_id)
        .outerjoin(StandingRow, StandingRow.image_id == MemberRow.image_id)
        .where(
            MemberRow.audit_id == audit_id,
            MemberRow.telling,
            MemberRow.state.is_(None),
            StandingRow.unsettled.is_(None),
            StandingRow.verdict.is_(None),
            ~is_pending(MemberRow.image_id),
            ~in_hand,
            is_whole(),
        )
        .order_by(MemberRow.place, MemberRow.image_id)
        .limit(1)
    )


def draw(session: Session, audit: Audit) -> int | None:
    """Draw an image: uniform over those of a stratum that are in the pool. None where every pool is empty.

    One that does not lie there any more as it was frozen can be shown to nobody: it counts as a wrong draw, and
    another is drawn.
    """
    for _ in range(GONE_AT_ONCE):
        number = session.execute(
            update(AuditRow)
            .where(AuditRow.id == audit.id)
            .values(draws=AuditRow.draws + 1)
            .returning(AuditRow.draws)
            .execution_options(**UNSEEN)
        ).scalar_one()
        strata = [stratum for stratum in list_strata(session, audit.id) if stratum.in_pool]
        if not strata:
            return None
        stratum = strata[choose_stratum(audit.seed, number - 1, [each.in_pool for each in strata])]
        ordinal, counter = _choose(session, audit, stratum)
        member = session.get_one(MemberRow, (audit.id, stratum.number, ordinal), populate_existing=True)
        whole = _lies_there(session, member)
        settle(session, member, None if whole else WRONG, drawn=True, counter=counter)
        if whole:
            return member.image_id
    return None


def _choose(session: Session, audit: Audit, stratum: Stratum) -> tuple[int, int]:
    """The ordinal of an image in the pool, and how much of the random sequence is used up then."""
    counter = stratum.counter
    in_pool = (MemberRow.audit_id == audit.id, MemberRow.stratum == stratum.number, MemberRow.place.is_(None))
    for _ in range(TRIES):
        tried = list(islice(candidates(audit.seed, stratum.number, counter, stratum.images), TRIED_AT_ONCE))
        found = set(session.scalars(select(MemberRow.ordinal).where(*in_pool, MemberRow.ordinal.in_(tried))))
        used = next((index for index, ordinal in enumerate(tried) if ordinal in found), None)
        if used is not None:
            return tried[used], counter + used + 1
        counter += TRIED_AT_ONCE
    at = random_number(audit.seed, "last", stratum.number, counter) % stratum.in_pool
    query = select(MemberRow.ordinal).where(*in_pool).order_by(MemberRow.ordinal).offset(at).limit(1)
    return session.scalars(query).one(), counter + 1


def _lies_there(session: Session, member: MemberRow) -> bool:
    query = (
        select(func.count())
        .select_from(MemberRow)
        .join(StratumRow, and_(StratumRow.audit_id == MemberRow.audit_id, StratumRow.number == MemberRow.stratum))
        .join(ImageRow, ImageRow.id == MemberRow.image_id)
        .where(MemberRow.image_id == member.image_id, MemberRow.audit_id == member.audit_id, is_whole())
    )
    return bool(session.scalar(query))


def note_answer(session: Session, look_id: int, review_id: int, *, second: bool) -> None:
    """Store which review was the blind answer, or the one after the boxes were shown."""
    column = "second_review_id" if second else "first_review_id"
    session.execute(update(LookRow).where(LookRow.id == look_id).values({column: review_id}), execution_options=UNSEEN)


def next_slot(session: Session, audit_id: int) -> int:
    """The number of the next place that is dealt out of a queue."""
    return session.execute(
        update(AuditRow)
        .where(AuditRow.id == audit_id)
        .values(slots=AuditRow.slots + 1)
        .returning(AuditRow.slots)
        .execution_options(**UNSEEN)
    ).scalar_one()


def advance_turn(session: Session, audit_id: int, client: str, dataset_id: int, reviewer: str | None) -> int:
    """Which turn a tab is at: it grows when its reviewer has answered since it asked, and stays with a reload."""
    latest = 0
    if reviewer is not None:
        newest = select(func.max(ReviewRow.id)).where(
            ReviewRow.dataset_id == dataset_id, ReviewRow.reviewer == reviewer
        )
        latest = session.scalar(newest) or 0
    row = session.get(TurnRow, (audit_id, client), populate_existing=True)
    if row is None:
        session.add(TurnRow(audit_id=audit_id, client=client, turn=1, latest_review_id=latest))
        session.flush()
        return 1
    if row.latest_review_id != latest:
        row.turn += 1
        row.latest_review_id = latest
        session.flush()
    return row.turn
