"""The review queue: open flags, most suspicious first, without what another tab has in hand."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from sqlalchemy import ColumnElement, Select, and_, delete, exists, insert, or_, select
from sqlalchemy.orm import InstrumentedAttribute, Session

from app.domain.images import Side
from app.domain.scoring import suspicion
from app.storage.audit_looks import is_pending
from app.storage.datasets import Dataset
from app.storage.fits import doubted_of, is_ranked
from app.storage.images import ImageRecord, in_conflict, uncalled
from app.storage.tables import ImageRow, LeaseRow, ScoreRow, StandingRow

Key = InstrumentedAttribute[float]
_Scores = Select[str, float, float, int]  #: given label, score, rank, image
FIRST = -2.0  #: less than minus any suspicion


@dataclass(frozen=True, slots=True, order=True)
class Place:
    """A place in the queue: sorts most suspicious first, then by id."""

    against: float  #: minus the suspicion: the learned one where there is one, else the detector's
    image_id: int
    given: Side = field(compare=False)
    score: float = field(compare=False)


def find_places(
    session: Session,
    dataset: Dataset,
    *,
    flagged: bool | None,
    after: Place | None,
    backwards: bool = False,
    called: bool = False,
    client: str | None,
    now: datetime,
    limit: int,
) -> list[Place]:
    """The next open places: flagged ones, agreeing ones (``flagged=False``) or both (None).

    What waits for a blind answer is in no other queue.

    Where something has been learned, flagged and agreeing images are each read in the order of an index by rank; see
    :mod:`app.storage.fits`. Elsewhere each label is read in the order of the detector's scores and the two are merged.
    Either way the cost does not grow with the dataset. With ``backwards`` the places before ``after``, nearest first;
    with ``called`` also those that have a verdict. ``client`` sees its own leases.
    """
    found: list[Place] = []
    if flagged is not False:
        found += _conflicts(session, dataset, after, backwards, called, client, now, limit)
    if is_ranked(session, dataset.id, dataset.detector_id, dataset.threshold):
        for flag in (True, False) if flagged is None else (flagged,):
            for done in (False, True) if called else (False,):
                found += _ranked(session, dataset, after, backwards, client, now, limit, flag=flag, done=done)
        return sorted(found, reverse=backwards)[:limit]
    for given in Side:
        found += _places_of_label(session, dataset, given, flagged, after, backwards, called, client, now, limit)
        if flagged:
            found += _doubted(session, dataset, given, after, backwards, called, client, now, limit)
    return sorted(found, reverse=backwards)[:limit]


def _of_nobody_else(client: str | None, now: datetime) -> Any:
    return and_(LeaseRow.image_id == ScoreRow.image_id, LeaseRow.expires_at > now, LeaseRow.client != (client or ""))


def _free(dataset: Dataset, client: str | None, now: datetime) -> _Scores:
    """Scores of the detector in force whose image is in nobody else's hand, waits for no blind answer, and has no copy
    in the other folder."""
    return (
        select(ScoreRow.given, ScoreRow.score, ScoreRow.rank, ScoreRow.image_id)
        .outerjoin(LeaseRow, _of_nobody_else(client, now))
        .where(
            ScoreRow.detector_id == dataset.detector_id,
            LeaseRow.image_id.is_(None),
            ~is_pending(ScoreRow.image_id),
            ~exists().where(ImageRow.id == ScoreRow.image_id, ImageRow.duplicate_conflict),
        )
    )


def _in_order(query: _Scores, key: Key, limit: int, *, backwards: bool) -> _Scores:
    order = (key.desc(), ScoreRow.image_id.desc()) if backwards else (key, ScoreRow.image_id)
    return query.order_by(*order).limit(limit)


def _ranked(
    session: Session,
    dataset: Dataset,
    after: Place | None,
    backwards: bool,
    client: str | None,
    now: datetime,
    limit: int,
    *,
    flag: bool,
    done: bool,
) -> list[Place]:
    """Flagged or agreeing images, called or not, by the learned rank; each of the four is a stretch of an index."""
    read = _Range() if after is None else _beyond(after, ScoreRow.rank, backwards=backwards)
    query = _free(dataset, client, now).where(
        ScoreRow.dataset_id == dataset.id,
        ScoreRow.flagged if flag else ~ScoreRow.flagged,
        ScoreRow.called if done else ~ScoreRow.called,
        *read.conditions(ScoreRow.rank),
    )
    rows = session.execute(_in_order(query, ScoreRow.rank, limit, backwards=backwards))
    return [Place(row.rank, row.image_id, Side(row.given), row.score) for row in rows]


def _doubted(
    session: Session,
    dataset: Dataset,
    given: Side,
    after: Place | None,
    backwards: bool,
    called: bool,
    client: str | None,
    now: datetime,
    limit: int,
) -> list[Place]:
    """Agreeing images of a label that the second opinion doubts, while the order is the detector's: they are few."""
    read = _flag_edge(given, dataset.threshold, flagged=False)
    if after is not None:
        read = read.within(_beyond(after, ScoreRow.against, backwards=backwards))
    query = _free(dataset, client, now).where(
        ScoreRow.image_id.in_(doubted_of(dataset.id, dataset.detector_id)),
        ScoreRow.given == given,
        *read.conditions(ScoreRow.against),
    )
    if not called:
        query = query.where(~ScoreRow.called)
    rows = session.execute(_in_order(query, ScoreRow.against, limit, backwards=backwards))
    return [place_of(given, row.score, row.image_id) for row in rows]


def _places_of_label(
    session: Session,
    dataset: Dataset,
    given: Side,
    flagged: bool | None,
    after: Place | None,
    backwards: bool,
    called: bool,
    client: str | None,
    now: datetime,
    limit: int,
) -> list[Place]:
    query = _free(dataset, client, now).where(ScoreRow.dataset_id == dataset.id, ScoreRow.given == given)
    if not called:
        query = query.where(~ScoreRow.called)
    if flagged is False:
        query = query.where(~ScoreRow.doubted)
    read = _Range() if flagged is None else _flag_edge(given, dataset.threshold, flagged=flagged)
    if after is not None:
        read = read.within(_beyond(after, ScoreRow.against, backwards=backwards))
    query = query.where(*read.conditions(ScoreRow.against))
    rows = session.execute(_in_order(query, ScoreRow.against, limit, backwards=backwards))
    return [place_of(given, row.score, row.image_id) for row in rows]


def _conflicts(
    session: Session,
    dataset: Dataset,
    after: Place | None,
    backwards: bool,
    called: bool,
    client: str | None,
    now: datetime,
    limit: int,
) -> list[Place]:
    """Images with a copy in the other folder: they come before all others, by id."""
    query = (
        select(ImageRow.id, ImageRow.given, ScoreRow.score)
        .outerjoin(ScoreRow, and_(ScoreRow.image_id == ImageRow.id, ScoreRow.detector_id == (dataset.detector_id or 0)))
        .outerjoin(StandingRow, StandingRow.image_id == ImageRow.id)
        .outerjoin(
            LeaseRow,
            and_(LeaseRow.image_id == ImageRow.id, LeaseRow.expires_at > now, LeaseRow.client != (client or "")),
        )
        .where(ImageRow.id.in_(in_conflict(dataset.id)), LeaseRow.image_id.is_(None), ~is_pending(ImageRow.id))
    )
    if not called:
        query = query.where(uncalled())
    if after is not None and after.against == FIRST:
        query = query.where(ImageRow.id < after.image_id if backwards else ImageRow.id > after.image_id)
    elif after is not None and not backwards:
        return []
    query = query.order_by(ImageRow.id.desc() if backwards else ImageRow.id).limit(limit)
    return [place_of(Side(row.given), row.score, row.id, conflict=True) for row in session.execute(query)]


@dataclass(frozen=True, slots=True)
class _Range:
    """Which part of the index of a label is read, both ends included, and what is asked of each row in it."""

    low: float = -1.0
    high: float = 0.0
    asked: tuple[ColumnElement[bool], ...] = ()

    def within(self, other: "_Range") -> "_Range":
        """What lies in both."""
        return _Range(max(self.low, other.low), min(self.high, other.high), (*self.asked, *other.asked))

    def conditions(self, key: Key) -> tuple[ColumnElement[bool], ...]:
        """One bound on each side: of two SQLite takes either, and may read the whole label for the other."""
        return key >= self.low, key <= self.high, *self.asked


def _flag_edge(given: Side, threshold: float, *, flagged: bool) -> _Range:
    """The scores of a label that are flags, or are none; on the edge the score itself decides."""
    if given is Side.NEGATIVE:
        edge, asked = -threshold, ScoreRow.score >= threshold if flagged else ScoreRow.score < threshold
    else:
        edge, asked = threshold - 1.0, ScoreRow.score < threshold if flagged else ScoreRow.score >= threshold
    return _Range(high=edge, asked=(asked,)) if flagged else _Range(low=edge, asked=(asked,))


def _beyond(after: Place, key: Key, *, backwards: bool) -> _Range:
    """Places after one, or before it, in the order of ``key``."""
    if backwards:
        tie = and_(key == after.against, ScoreRow.image_id < after.image_id)
        return _Range(high=after.against, asked=(or_(key < after.against, tie),))
    tie = and_(key == after.against, ScoreRow.image_id > after.image_id)
    return _Range(low=after.against, asked=(or_(key > after.against, tie),))


def find_place(session: Session, dataset: Dataset, record: ImageRecord) -> Place | None:
    """Where an image stands in the queue as it is ordered now; None if it has no place in it."""
    if record.duplicate_conflict:
        return place_of(record.given, record.score, record.id, conflict=True)
    if record.score is None:
        return None
    if record.rank is not None and is_ranked(session, dataset.id, dataset.detector_id, dataset.threshold):
        return Place(record.rank, record.id, record.given, record.score)
    return place_of(record.given, record.score, record.id)


def place_of(given: Side, score: float | None, image_id: int, *, conflict: bool = False) -> Place:
    """Where an image stands in the queue; one with a copy in the other folder needs no score to stand there."""
    known = score or 0.0
    return Place(FIRST if conflict else -suspicion(given, known), image_id, given, known)


def leased_to(session: Session, dataset_id: int, client: str, now: datetime) -> list[int]:
    """Images that a tab has in hand, in the order it got them."""
    rows = session.scalars(
        select(LeaseRow.image_id)
        .where(LeaseRow.dataset_id == dataset_id, LeaseRow.client == client, LeaseRow.expires_at > now)
        .order_by(LeaseRow.position)
    )
    return list(rows)


def positions_of(session: Session, dataset_id: int, client: str, now: datetime) -> dict[int, int]:
    """Images that a tab has in hand, each with its position."""
    rows = session.execute(
        select(LeaseRow.image_id, LeaseRow.position).where(
            LeaseRow.dataset_id == dataset_id, LeaseRow.client == client, LeaseRow.expires_at > now
        )
    )
    return {row.image_id: row.position for row in rows}


def lease(
    session: Session,
    dataset_id: int,
    client: str,
    image_ids: Sequence[int],
    expires_at: datetime,
    positions: Sequence[int] | None = None,
) -> None:
    """Hand images to a tab, in this order or at these positions, and take back whatever else it had."""
    session.execute(delete(LeaseRow).where(LeaseRow.dataset_id == dataset_id, LeaseRow.client == client))
    session.execute(delete(LeaseRow).where(LeaseRow.image_id.in_(image_ids)))
    if image_ids:
        session.execute(
            insert(LeaseRow),
            [
                {
                    "image_id": image_id,
                    "dataset_id": dataset_id,
                    "client": client,
                    "position": position,
                    "expires_at": expires_at,
                }
                for position, image_id in zip(positions or range(len(image_ids)), image_ids, strict=True)
            ],
        )


def release(session: Session, image_id: int) -> None:
    """An image was answered: nobody has it in hand any more."""
    session.execute(delete(LeaseRow).where(LeaseRow.image_id == image_id))


def drop_expired(session: Session, now: datetime) -> None:
    """Forget leases that ran out."""
    session.execute(delete(LeaseRow).where(LeaseRow.expires_at <= now))
