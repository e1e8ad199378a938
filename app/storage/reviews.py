"""Queries on verdicts. Rows are only ever added; ``standings`` follows in the same transaction."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime
from functools import cache
from typing import Any

from sqlalchemy import ColumnElement, Integer, Select, bindparam, exists, func, insert, select, update
from sqlalchemy.exc import IntegrityError
from sqlalchemy.orm import Session, aliased

from app.domain.consensus import Consensus, Standing, find_standing
from app.domain.reviewing import ReviewFact, Source, Verdict
from app.errors import ConflictError
from app.storage import audits
from app.storage.datasets import MAX_ID
from app.storage.second_looks import UNDO, awaits_second, follow
from app.storage.tables import DatasetRow, ImageRow, ReviewRow, ScoreRow, StandingRow
from app.storage.tallies import keeping

OWN_LOOKED_THROUGH = 500  #: of a person's latest rows, in search of one to take back
LATER = aliased(ReviewRow, name="later")


@dataclass(frozen=True, slots=True)
class Review:
    """One row of an image's history."""

    id: int
    image_id: int
    dataset_id: int
    ordinal: int
    verdict: Verdict | None
    undoes: int | None
    reviewer: str
    reviewed_at: datetime
    spent_ms: int | None
    boxes: tuple[tuple[float, float, float, float], ...] | None
    request_id: str | None
    batch_id: str | None
    image_sha256: str | None
    source: str
    note: str | None

    @property
    def fact(self) -> ReviewFact:
        """What the rules of :mod:`app.domain.reviewing` need of it."""
        return ReviewFact(self.id, self.verdict, self.undoes, self.reviewer, self.reviewed_at, self.source)


def _review(row: ReviewRow) -> Review:
    return Review(
        id=row.id,
        image_id=row.image_id,
        dataset_id=row.dataset_id,
        ordinal=row.ordinal,
        verdict=None if row.verdict is None else Verdict(row.verdict),
        undoes=row.undoes,
        reviewer=row.reviewer,
        reviewed_at=row.reviewed_at,
        spent_ms=row.spent_ms,
        boxes=None if row.boxes is None else tuple((box[0], box[1], box[2], box[3]) for box in row.boxes),
        request_id=row.request_id,
        batch_id=row.batch_id,
        image_sha256=row.image_sha256,
        source=row.source,
        note=row.note,
    )


def find_review(session: Session, review_id: int) -> Review | None:
    """One review by id."""
    if not 0 < review_id <= MAX_ID:
        return None
    row = session.get(ReviewRow, review_id)
    return None if row is None else _review(row)


def find_review_by_request(session: Session, request_id: str) -> Review | None:
    """The review that a request made, if it came before."""
    row = session.scalar(select(ReviewRow).where(ReviewRow.request_id == request_id))
    return None if row is None else _review(row)


def reviews_of_image(session: Session, image_id: int) -> list[Review]:
    """An image's history, oldest first."""
    rows = session.scalars(select(ReviewRow).where(ReviewRow.image_id == image_id).order_by(ReviewRow.ordinal))
    return [_review(row) for row in rows]


def list_called(session: Session, dataset_id: int, after: int, limit: int) -> list[int]:
    """Images of a dataset that have reviews, by id after ``after``; held against other writers until the commit."""
    rows = session.scalars(
        select(StandingRow.image_id)
        .where(StandingRow.dataset_id + 0 == dataset_id, StandingRow.image_id > after)
        .order_by(StandingRow.image_id)
        .limit(limit)
        .with_for_update()
    )
    return list(rows)


def reviews_of_images(session: Session, image_ids: Sequence[int]) -> dict[int, list[Review]]:
    """The histories of several images, each oldest first."""
    found: dict[int, list[Review]] = {image_id: [] for image_id in image_ids}
    rows = session.scalars(
        select(ReviewRow).where(ReviewRow.image_id.in_(image_ids)).order_by(ReviewRow.image_id, ReviewRow.ordinal)
    )
    for row in rows:
        found[row.image_id].append(_review(row))
    return found


def reviews_of_batch(session: Session, batch_id: str) -> list[Review]:
    """The reviews that one grid batch made."""
    rows = session.scalars(select(ReviewRow).where(ReviewRow.batch_id == batch_id).order_by(ReviewRow.id))
    return [_review(row) for row in rows]


def append_review(
    session: Session, *, image_id: int, dataset_id: int, history: Sequence[Review], wanted: bool = False, **values: Any
) -> Review:
    """Add a row after ``history`` and bring the image's standing, and the second look at it, up to date.

    ``wanted``: a second person is to look at it.

    Raises:
        ConflictError: another process added one in between, or the same undo came twice.
    """
    ordinal = history[-1].ordinal + 1 if history else 0
    try:
        row_id = session.execute(
            insert(ReviewRow)
            .values(image_id=image_id, dataset_id=dataset_id, ordinal=ordinal, **values)
            .returning(ReviewRow.id)
        ).scalar_one()
    except IntegrityError as error:
        msg = f"image {image_id} was reviewed by somebody else in this moment; look at it again"
        raise ConflictError(msg) from error
    added = _review(session.get_one(ReviewRow, row_id))
    restate(session, image_id, dataset_id, [*history, added], wanted=wanted, new=not history)
    return added


def restate(
    session: Session,
    image_id: int,
    dataset_id: int,
    history: Sequence[Review],
    *,
    wanted: bool,
    forget: bool = False,
    new: bool = False,
) -> None:
    """Bring the standing of an image and the second look at it in step with its reviews and the dataset's rule.

    ``forget``: the look stays only if it is ``wanted`` now, or given already. ``new``: it has no standing yet.
    """
    rule = Consensus(session.get_one(DatasetRow, dataset_id).consensus)
    facts = [review.fact for review in history]
    look = follow(session, image_id, dataset_id, rule, facts, wanted=wanted, forget=forget)
    standing = find_standing(rule, facts, awaits_second=awaits_second(look))
    _update_standing(session, image_id, dataset_id, history, standing, new=new)


def _update_standing(
    session: Session, image_id: int, dataset_id: int, history: Sequence[Review], standing: Standing, *, new: bool
) -> None:
    effective = standing.review
    seen = next((review for review in history if effective is not None and review.id == effective.review_id), None)
    values: dict[str, Any] = {
        "dataset_id": dataset_id,
        "latest_review_id": history[-1].id,
        "effective_review_id": None if effective is None else effective.review_id,
        "verdict": None if effective is None else effective.verdict,
        "reviewed_at": None if effective is None else effective.reviewed_at,
        "image_sha256": None if seen is None else seen.image_sha256,
        "unsettled": standing.unsettled,
    }
    with keeping(session, dataset_id, [image_id]):
        if new:
            session.execute(insert(StandingRow).values(image_id=image_id, **values))
        else:
            session.execute(update(StandingRow).where(StandingRow.image_id == image_id).values(**values))
    audits.follow(session, image_id, dataset_id, verdict=values["verdict"], unsettled=standing.unsettled)
    called = values["verdict"] is not None or values["unsettled"] is not None
    session.execute(update(ScoreRow).where(ScoreRow.image_id == image_id).values(called=called))


def _effective_join() -> ColumnElement[bool]:
    return StandingRow.effective_review_id == ReviewRow.id


def _is_undone(review_id: Any) -> ColumnElement[bool]:
    return exists(select(UNDO.id).where(UNDO.undoes == review_id))


def _is_followed() -> ColumnElement[bool]:
    """Whether a later verdict on the same image is in force."""
    return exists(
        select(LATER.id).where(
            LATER.image_id == ReviewRow.image_id,
            LATER.ordinal > ReviewRow.ordinal,
            LATER.verdict.is_not(None),
            ~_is_undone(LATER.id),
        )
    )


def latest_by(session: Session, dataset_id: int, reviewer: str, limit: int) -> list[Review]:
    """A reviewer's latest verdicts of the ordinary queues that can be undone, newest first.

    Those are the latest of their image, neither undone nor followed by another: under a rule that asks several
    people they need not be what stands. What was carried to copies has its own undo.
    """
    values = {"dataset": dataset_id, "reviewer": reviewer, "limit": limit}
    return [_review(row) for row in session.scalars(_latest_query(), values)]


@cache
def _latest_query() -> Select[ReviewRow]:
    """Built once: every card of the desk asks for it."""
    return (
        select(ReviewRow)
        .where(
            ReviewRow.dataset_id == bindparam("dataset"),
            ReviewRow.reviewer == bindparam("reviewer"),
            ReviewRow.verdict.is_not(None),
            ReviewRow.source.not_in((Source.SECOND, Source.SETTLE, Source.CARRY)),
            ~_is_undone(ReviewRow.id),
            ~_is_followed(),
        )
        .order_by(ReviewRow.id.desc())
        .limit(bindparam("limit", type_=Integer))
    )


def find_latest_own(session: Session, dataset_id: int, reviewer: str, source: Source) -> int | None:
    """The latest verdict of a source, among a person's last ones, that can be taken back; its id."""
    recent = (
        select(ReviewRow.id)
        .where(ReviewRow.dataset_id == dataset_id, ReviewRow.reviewer == reviewer)
        .order_by(ReviewRow.id.desc())
        .limit(OWN_LOOKED_THROUGH)
    )
    found: int | None = session.scalar(
        select(func.max(ReviewRow.id)).where(
            ReviewRow.id.in_(recent),
            ReviewRow.source == source,
            ReviewRow.verdict.is_not(None),
            ~_is_undone(ReviewRow.id),
            ~_is_followed(),
        )
    )
    return found


def latest_batch(session: Session, dataset_id: int, reviewer: str) -> tuple[str, int] | None:
    """A reviewer's latest grid batch that still counts, and how many of its verdicts do."""
    newest = session.scalar(
        select(ReviewRow.batch_id)
        .join(StandingRow, _effective_join())
        .where(ReviewRow.dataset_id == dataset_id, ReviewRow.reviewer == reviewer, ReviewRow.batch_id.is_not(None))
        .order_by(ReviewRow.id.desc())
        .limit(1)
    )
    if newest is None:
        return None
    counting = select(func.count()).join_from(ReviewRow, StandingRow, _effective_join())
    return newest, session.scalar(counting.where(ReviewRow.batch_id == newest, ReviewRow.reviewer == reviewer)) or 0


def iter_effective(session: Session, dataset_id: int, chunk: int = 1000) -> Iterator[tuple[str, Review]]:
    """Every image's effective review as ``(path, review)``, by path."""
    last = ""
    while True:
        rows = session.execute(
            select(ImageRow.path, ReviewRow)
            .join(StandingRow, _effective_join())
            .join(ImageRow, ImageRow.id == StandingRow.image_id)
            .where(StandingRow.dataset_id == dataset_id, ImageRow.path > last)
            .order_by(ImageRow.path)
            .limit(chunk)
        ).all()
        if not rows:
            return
        yield from ((path, _review(row)) for path, row in rows)
        last = rows[-1][0]


def find_image_id(session: Session, dataset_id: int, path: str) -> int | None:
    """The image with a path."""
    return session.scalar(select(ImageRow.id).where(ImageRow.dataset_id == dataset_id, ImageRow.path == path))


def list_reviewers(session: Session, dataset_id: int, limit: int) -> list[str]:
    """Who has reviewed a dataset, by name; one step in the index a person, not one a review."""
    names: list[str] = []
    while len(names) < limit:
        query = select(func.min(ReviewRow.reviewer)).where(ReviewRow.dataset_id == dataset_id)
        found = session.scalar(query.where(ReviewRow.reviewer > names[-1]) if names else query)
        if found is None:
            break
        names.append(found)
    return names


def recent_times(session: Session, dataset_id: int, reviewer: str, limit: int) -> list[datetime]:
    """When a reviewer gave the latest verdicts, newest first."""
    rows = session.scalars(
        select(ReviewRow.reviewed_at)
        .where(ReviewRow.dataset_id == dataset_id, ReviewRow.reviewer == reviewer, ReviewRow.verdict.is_not(None))
        .order_by(ReviewRow.id.desc())
        .limit(limit)
    )
    return list(rows)


def find_latest_time(session: Session, dataset_id: int) -> datetime | None:
    """When somebody last reviewed anything in a dataset, undos included; for files, since it reads all their rows."""
    latest = select(func.max(ReviewRow.id)).where(ReviewRow.dataset_id == dataset_id)
    return session.scalar(select(ReviewRow.reviewed_at).where(ReviewRow.id == latest.scalar_subquery()))


def count_verdicts(session: Session, dataset_id: int) -> int:
    """Verdicts of a dataset that count."""
    counted = select(func.count()).where(StandingRow.dataset_id == dataset_id, StandingRow.verdict.is_not(None))
    return session.scalar(counted) or 0
