"""Queries on second looks. A row follows from the image's reviews, and is written in their transaction."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import ColumnElement, and_, delete, exists, func, insert, or_, select, update
from sqlalchemy.orm import Session, aliased

from app.domain.agreement import LookCount
from app.domain.consensus import Consensus
from app.domain.reviewing import SECOND_SOURCES, ReviewFact, Verdict
from app.domain.second_looks import Look, Stage, find_look
from app.storage.tables import ImageRow, ReviewRow, SecondCountRow, SecondLookRow

#: made once: making an alias takes longer than most statements
OWN, UNDO = aliased(ReviewRow, name="own"), aliased(ReviewRow, name="undo")


def follow(
    session: Session,
    image_id: int,
    dataset_id: int,
    rule: Consensus,
    reviews: Sequence[ReviewFact],
    *,
    wanted: bool,
    forget: bool = False,
) -> Look | None:
    """Bring the second look at an image in step with its reviews, and with ``wanted``.

    What was wanted once stays so, unless ``forget``.
    """
    row = session.execute(
        select(SecondLookRow.stage, SecondLookRow.wanted, SecondLookRow.first_reviewer, SecondLookRow.second_reviewer)
        .where(SecondLookRow.image_id == image_id)
        .with_for_update()
    ).one_or_none()
    kept = wanted or (row is not None and row.wanted and not forget)
    look = find_look(rule, reviews, wanted=kept)
    if row is not None:
        _count(session, dataset_id, row.stage, _person(row.stage, row.first_reviewer, row.second_reviewer), -1)
    if look is None:
        if row is not None:
            session.execute(delete(SecondLookRow).where(SecondLookRow.image_id == image_id))
        return None
    values = _values(look, wanted=kept)
    if row is None:
        session.execute(insert(SecondLookRow).values(image_id=image_id, dataset_id=dataset_id, **values))
    else:
        session.execute(update(SecondLookRow).where(SecondLookRow.image_id == image_id).values(**values))
    person = _person(look.stage, values["first_reviewer"], values["second_reviewer"])
    _count(session, dataset_id, look.stage, person, 1)
    return look


def _values(look: Look, *, wanted: bool) -> dict[str, Any]:
    second, settling = look.second, look.settling
    return {
        "stage": look.stage,
        "wanted": wanted,
        "first_reviewer": look.first.reviewer,
        "first_verdict": look.first.verdict,
        "second_reviewer": None if second is None else second.reviewer,
        "second_verdict": None if second is None else second.verdict,
        "settled_by": None if settling is None else settling.reviewer,
        "settled_verdict": None if settling is None else settling.verdict,
        "client": None,
        "leased_until": None,
    }


def _person(stage: str, first: str, second: str | None) -> str:
    return first if stage == Stage.SECOND else second or ""


def _count(session: Session, dataset_id: int, stage: str, person: str, change: int) -> None:
    key = {"dataset_id": dataset_id, "stage": stage, "person": person}
    found = session.execute(
        update(SecondCountRow)
        .filter_by(**key)
        .values(images=SecondCountRow.images + change)
        .returning(SecondCountRow.images)
    ).all()
    if not found:
        session.execute(insert(SecondCountRow).values(**key, images=change))


def awaits_second(look: Look | None) -> bool:
    """Whether nobody has given the second look that was asked for."""
    return look is not None and look.stage is Stage.SECOND


def count_looks(session: Session, dataset_id: int) -> list[tuple[Stage, str, int]]:
    """``(stage, person, images)`` of a dataset, a row a stage and person; none are zero."""
    rows = session.execute(
        select(SecondCountRow).where(SecondCountRow.dataset_id == dataset_id, SecondCountRow.images > 0)
    ).scalars()
    return [(Stage(row.stage), row.person, row.images) for row in rows]


def has_called(reviewer: str) -> ColumnElement[bool]:
    """Whether a person has called the image of a look; a blind verdict that they took back does not count."""
    return exists(
        select(OWN.id).where(
            OWN.image_id == SecondLookRow.image_id,
            OWN.reviewer == reviewer,
            OWN.verdict.is_not(None),
            or_(OWN.source.not_in(SECOND_SOURCES), ~exists(select(UNDO.id).where(UNDO.undoes == OWN.id))),
        )
    )


def _is_shown() -> ColumnElement[bool]:
    return and_(ImageRow.missing_since.is_(None), ImageRow.unreadable.is_(None))


@dataclass(frozen=True, slots=True)
class Asker:
    """Who asks for work, from which tab, and when."""

    reviewer: str
    client: str
    now: datetime

    @property
    def may_have(self) -> ColumnElement[bool]:
        """Whether no other tab has a look in hand."""
        return or_(
            SecondLookRow.leased_until.is_(None),
            SecondLookRow.leased_until <= self.now,
            SecondLookRow.client == self.client,
        )


def find_free(
    session: Session,
    dataset_id: int,
    stage: Stage,
    asker: Asker,
    limit: int,
    *,
    own: bool = False,
    after: int = 0,
    only: int | None = None,
) -> list[int]:
    """Images that wait for somebody like the asker: those in the tab's hand first, then by first reviewer and id.

    With ``own`` those that the asker has called; with ``only`` no image but that one. What was called first by the
    asker is skipped by the index, however much of it there is.
    """
    within = SecondLookRow.image_id > after if only is None else SecondLookRow.image_id == only
    held = _free(session, dataset_id, stage, asker, limit, own=own, within=within, held=True)
    rest = _free(session, dataset_id, stage, asker, limit, own=own, within=within, held=False)
    return list(dict.fromkeys([*held, *rest]))[:limit]


def _free(
    session: Session,
    dataset_id: int,
    stage: Stage,
    asker: Asker,
    limit: int,
    *,
    own: bool,
    within: ColumnElement[bool],
    held: bool,
) -> list[int]:
    first = SecondLookRow.first_reviewer
    ranges = (
        [first == asker.reviewer, first != asker.reviewer] if own else [first < asker.reviewer, first > asker.reviewer]
    )
    called = has_called(asker.reviewer)
    mine = and_(SecondLookRow.client == asker.client, SecondLookRow.leased_until > asker.now)
    found: list[int] = []
    for part in ranges:
        query = (
            select(SecondLookRow.image_id)
            .join(ImageRow, ImageRow.id == SecondLookRow.image_id)
            .where(
                SecondLookRow.dataset_id == dataset_id,
                SecondLookRow.stage == stage,
                part,
                within,
                called if own else ~called,
                mine if held else asker.may_have,
                _is_shown(),
            )
            .order_by(first, SecondLookRow.image_id)
            .limit(limit - len(found))
        )
        found += session.scalars(query).all() if len(found) < limit else []
    return found


def is_waiting_for(session: Session, image_id: int, stage: Stage, reviewer: str) -> bool:
    """Whether an image waits at a stage for somebody who has not called it."""
    return bool(
        session.scalar(
            select(
                exists().where(SecondLookRow.image_id == image_id, SecondLookRow.stage == stage, ~has_called(reviewer))
            )
        )
    )


def find_stage(session: Session, image_id: int) -> Stage | None:
    """What an image waits for; None if no second look at it was ever wanted."""
    found = session.scalar(select(SecondLookRow.stage).where(SecondLookRow.image_id == image_id))
    return None if found is None else Stage(found)


def lease_looks(
    session: Session, dataset_id: int, stage: Stage, asker: Asker, image_ids: Sequence[int], until: datetime
) -> None:
    """Hand looks to a tab, and take back whatever else of that stage it had."""
    session.execute(
        update(SecondLookRow)
        .where(
            SecondLookRow.dataset_id == dataset_id,
            SecondLookRow.stage == stage,
            SecondLookRow.client == asker.client,
            SecondLookRow.image_id.not_in(image_ids),
        )
        .values(client=None, leased_until=None)
    )
    session.execute(
        update(SecondLookRow)
        .where(SecondLookRow.image_id.in_(image_ids))
        .values(client=asker.client, leased_until=until)
    )


def count_pairs(session: Session, dataset_id: int) -> list[LookCount]:
    """Looks that somebody answered, counted by who said what: of as many rows as people and verdicts make."""
    columns = (
        SecondLookRow.first_reviewer,
        SecondLookRow.first_verdict,
        SecondLookRow.second_reviewer,
        SecondLookRow.second_verdict,
        SecondLookRow.settled_verdict,
    )
    rows = session.execute(
        select(*columns, func.count().label("images"))
        .where(SecondLookRow.dataset_id == dataset_id, SecondLookRow.stage.in_((Stage.THIRD, Stage.DONE)))
        .group_by(*columns)
    )
    return [
        LookCount(
            first=row.first_reviewer,
            first_verdict=Verdict(row.first_verdict),
            second=row.second_reviewer,
            second_verdict=None if row.second_verdict is None else Verdict(row.second_verdict),
            settled_verdict=None if row.settled_verdict is None else Verdict(row.settled_verdict),
            images=row.images,
        )
        for row in rows
    ]
