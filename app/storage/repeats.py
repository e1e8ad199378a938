"""Queries on blind repeats: which called image is asked about once more, whom, and what came of it."""

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import islice

from sqlalchemy import ColumnElement, and_, exists, func, select, update
from sqlalchemy.orm import Session, aliased

from app.domain.drawing import called_before
from app.domain.reviewing import Source, Verdict
from app.storage.audit_looks import Asker, Look, find_pending, is_pending, is_repeatable, lies_as_called, renew, show
from app.storage.audit_tables import AuditRow, LookRow
from app.storage.audits import FRESH, REPEAT, UNSEEN, Audit, find_audit
from app.storage.reviews import Review, list_reviewers
from app.storage.second_looks import OWN, UNDO
from app.storage.tables import ImageRow, LeaseRow, ReviewRow, SecondLookRow, StandingRow

GAP = 50  #: own verdicts after which somebody who reviews alone is asked about an image once more
TRIED_AT_ONCE, TRIES = 256, 4  #: reviews of the random sequence, and how often so many are tried


def take_repeat(session: Session, audit: Audit, asker: Asker, turn: int, place: Sequence[object]) -> Look | None:
    """A repeat for a tab: one that somebody left, or else a new one; None where there is nothing to repeat.

    ``place`` is the place of the queue: with the audit's seed it says which image.
    """
    if asker.reviewer is None:
        return None
    may_answer = _may_answer(session, audit.dataset_id, asker.reviewer)
    left = session.execute(
        select(LookRow.id, LookRow.image_id)
        .join(ReviewRow, ReviewRow.id == LookRow.of_review_id)
        .where(
            LookRow.audit_id == audit.id,
            ~LookRow.answered,
            LookRow.of_review_id.is_not(None),
            LookRow.leased_until <= asker.now,
            is_repeatable(),
            may_answer,
        )
        .order_by(LookRow.id)
        .limit(1)
    ).one_or_none()
    if left is not None:
        renew(session, [left.id], asker, turn)
        return find_pending(session, left.image_id)
    review = _choose(session, audit, asker, place, may_answer)
    if review is None:
        return None
    review_id, image_id = review
    show(session, audit.id, image_id, REPEAT, asker, turn, review_id)
    return find_pending(session, image_id)


def _choose(
    session: Session, audit: Audit, asker: Asker, place: Sequence[object], may_answer: ColumnElement[bool]
) -> tuple[int, int] | None:
    """A review to repeat, with its image: uniform over all that may be, for each image has one that stands.

    Reviews are tried by number, so that nothing is sorted or counted; where hardly any may be repeated none is found.
    """
    reviews = session.scalar(select(func.max(ReviewRow.id))) or 0
    if reviews == 0:
        return None
    numbers = called_before(audit.seed, place, reviews)
    for _ in range(TRIES):
        tried = list(islice(numbers, TRIED_AT_ONCE))
        rows = session.execute(
            select(ReviewRow.id, ReviewRow.image_id)
            .join(
                StandingRow,
                and_(StandingRow.image_id == ReviewRow.image_id, StandingRow.effective_review_id == ReviewRow.id),
            )
            .join(ImageRow, ImageRow.id == ReviewRow.image_id)
            .where(ReviewRow.id.in_(tried), may_answer, *_is_free(audit, asker))
        )
        found = {row.id: row.image_id for row in rows}
        review_id = next((number for number in tried if number in found), None)
        if review_id is not None:
            return review_id, found[review_id]
    return None


def _is_free(audit: Audit, asker: Asker) -> tuple[ColumnElement[bool], ...]:
    """What a called image must be to be repeated, whoever is asked.

    It has had no second look, and none is wanted; it was called longer ago than an image stays in hand, so that
    nothing is asked again of whoever called it; and somebody looked at it: a verdict carried from a copy is none.
    """
    in_hand = exists().where(LeaseRow.image_id == ReviewRow.image_id, LeaseRow.expires_at > asker.now)
    repeated = exists().where(
        LookRow.audit_id == audit.id, LookRow.image_id == ReviewRow.image_id, LookRow.of_review_id.is_not(None)
    )
    return (
        StandingRow.dataset_id + 0 == audit.dataset_id,  # not by an index of the whole dataset
        StandingRow.verdict.in_((Verdict.POSITIVE, Verdict.NEGATIVE)),
        ReviewRow.source != Source.CARRY,
        ReviewRow.reviewed_at <= asker.now - (asker.until - asker.now),
        lies_as_called(),
        ~in_hand,
        ~repeated,
        ~is_pending(ReviewRow.image_id),
        ~exists().where(SecondLookRow.image_id == ReviewRow.image_id),
    )


def _may_answer(session: Session, dataset_id: int, reviewer: str) -> ColumnElement[bool]:
    """Whether a person may be asked about a review once more.

    Where others have reviewed the dataset: if they never called its image. Alone: if they gave at least ``GAP``
    verdicts since.
    """
    if any(name != reviewer for name in list_reviewers(session, dataset_id, 2)):
        return ~exists(
            select(OWN.id).where(
                OWN.image_id == ReviewRow.image_id,
                OWN.reviewer == reviewer,
                OWN.verdict.is_not(None),
                ~exists(select(UNDO.id).where(UNDO.undoes == OWN.id)),
            )
        )
    since = session.scalar(
        select(ReviewRow.id)
        .where(ReviewRow.dataset_id == dataset_id, ReviewRow.reviewer == reviewer, ReviewRow.verdict.is_not(None))
        .order_by(ReviewRow.id.desc())
        .offset(GAP - 1)
        .limit(1)
    )
    return ReviewRow.id < (since or 0)


def may_answer(session: Session, look: Look, dataset_id: int, reviewer: str | None) -> bool:
    """Whether a repeat that waits is for this person."""
    if reviewer is None:
        return False
    allowed = select(ReviewRow.id).where(ReviewRow.id == look.of_review_id, _may_answer(session, dataset_id, reviewer))
    return session.scalar(allowed) is not None


def reopen(session: Session, review: Review) -> None:
    """The answer to a repeat was taken back: it waits again, if it is of the audit in force and its verdict stands."""
    look = session.scalar(
        select(LookRow)
        .where(
            LookRow.image_id == review.image_id,
            LookRow.of_review_id.is_not(None),
            LookRow.first_review_id == review.id,
        )
        .execution_options(**FRESH)
    )
    if look is None:
        return
    audit = find_audit(session, review.dataset_id)
    stands = session.scalar(select(LookRow.id).where(LookRow.id == look.id, is_repeatable())) is not None
    waits = stands and audit is not None and audit.id == look.audit_id
    session.execute(
        update(LookRow).where(LookRow.id == look.id).values(first_review_id=None, answered=not waits),
        execution_options=UNSEEN,
    )


@dataclass(frozen=True, slots=True)
class RepeatCount:
    """Answered repeats by what was said first and then, and whether the same person said both."""

    first_verdict: Verdict
    second_verdict: Verdict
    by_same: bool
    images: int


def count_repeats(session: Session, dataset_id: int) -> list[RepeatCount]:
    """The answered repeats of all audits of a dataset. Reads them all: they are a small share of the verdicts."""
    first, second = aliased(ReviewRow), aliased(ReviewRow)
    by_same = first.reviewer == second.reviewer
    rows = session.execute(
        select(first.verdict, second.verdict, by_same, func.count())
        .select_from(AuditRow)
        .join(LookRow, and_(LookRow.audit_id == AuditRow.id, LookRow.of_review_id.is_not(None)))
        .join(first, first.id == LookRow.of_review_id)
        .join(second, second.id == LookRow.first_review_id)
        .where(AuditRow.dataset_id == dataset_id)
        .group_by(first.verdict, second.verdict, by_same)
    )
    return [
        RepeatCount(Verdict(before), Verdict(then), bool(same), images)
        for before, then, same, images in rows
        if before is not None and then is not None
    ]
