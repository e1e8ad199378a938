"""The review queue: open flags, most suspicious first, without what another tab has in hand."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum
from functools import cache
from typing import Any

from sqlalchemy import ColumnElement, Integer, Select, and_, bindparam, delete, exists, insert, or_, select
from sqlalchemy.orm import InstrumentedAttribute, Session

from app.domain.images import Side
from app.domain.scoring import suspicion
from app.storage.audit_looks import is_pending
from app.storage.audit_tables import LookRow
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
    asking = _Asking(session, dataset, after, backwards, client, now, limit)
    found = [] if flagged is False else _conflicts(asking, called)
    if is_ranked(session, dataset.id, dataset.detector_id, dataset.threshold):
        for flag in (True, False) if flagged is None else (flagged,):
            for done in (False, True) if called else (False,):
                found += _ranked(asking, flag=flag, done=done)
        return sorted(found, reverse=backwards)[:limit]
    for given in Side:
        found += _places_of_label(asking, given, flagged, called)
        if flagged:
            found += _doubted(asking, given, called)
    return sorted(found, reverse=backwards)[:limit]


class _Kind(StrEnum):
    """Which stretch of which index is read."""

    RANKED = "ranked"  #: flagged or agreeing images, called or not, by the learned rank: four stretches
    LABEL = "label"  #: images of a given label, by the detector's score
    DOUBTED = "doubted"  #: agreeing images of a label that the second opinion doubts, likewise: they are few


@dataclass(frozen=True, slots=True)
class _Shape:
    """What tells one statement of the queue from another; all else are parameters, so each is built once."""

    kind: _Kind
    flagged: bool | None
    called: bool
    backwards: bool
    above: bool | None  #: whether the score must reach the threshold; None: it does not matter
    beyond: bool  #: a place


def _of_nobody_else(image_id: Any) -> Any:
    held = and_(LeaseRow.expires_at > bindparam("now"), LeaseRow.client != bindparam("client"))
    return and_(LeaseRow.image_id == image_id, held)


@cache
def _statement(shape: _Shape) -> _Scores:
    """Scores of the detector in force whose image is in nobody else's hand, waits for no blind answer, and has no copy
    in the other folder."""
    key = ScoreRow.rank if shape.kind is _Kind.RANKED else ScoreRow.against
    order = (key.desc(), ScoreRow.image_id.desc()) if shape.backwards else (key, ScoreRow.image_id)
    return (
        select(ScoreRow.given, ScoreRow.score, ScoreRow.rank, ScoreRow.image_id)
        .outerjoin(LeaseRow, _of_nobody_else(ScoreRow.image_id))
        .where(
            ScoreRow.detector_id == bindparam("detector"),
            LeaseRow.image_id.is_(None),
            ~is_pending(ScoreRow.image_id),
            ~exists().where(ImageRow.id == ScoreRow.image_id, ImageRow.duplicate_conflict),
            *_of_kind(shape),
            # One bound on each side: of two SQLite takes either, and may read the whole label for the other.
            key >= bindparam("low"),
            key <= bindparam("high"),
            *_asked(shape, key),
        )
        .order_by(*order)
        .limit(bindparam("limit", type_=Integer))
    )


def _of_kind(shape: _Shape) -> list[ColumnElement[bool]]:
    """What each kind asks of a row, whatever its score."""
    if shape.kind is _Kind.RANKED:
        flag: Any = ScoreRow.flagged if shape.flagged else ~ScoreRow.flagged
        called: Any = ScoreRow.called if shape.called else ~ScoreRow.called
        return [ScoreRow.dataset_id == bindparam("dataset"), flag, called]
    open_ = [] if shape.called else [~ScoreRow.called]
    label = ScoreRow.given == bindparam("given")
    if shape.kind is _Kind.DOUBTED:
        return [ScoreRow.image_id.in_(doubted_of(bindparam("dataset"), bindparam("detector"))), label, *open_]
    sure = [~ScoreRow.doubted] if shape.flagged is False else []
    return [ScoreRow.dataset_id == bindparam("dataset"), label, *open_, *sure]


def _asked(shape: _Shape, key: Key) -> list[ColumnElement[bool]]:
    """What the two bounds leave open at their ends."""
    asked: list[ColumnElement[bool]] = []
    if shape.above is not None:
        threshold: Any = bindparam("threshold")
        asked.append(ScoreRow.score >= threshold if shape.above else ScoreRow.score < threshold)
    if shape.beyond:
        at: Any = bindparam("at")
        at_id: Any = bindparam("at_id")
        further = key < at if shape.backwards else key > at
        later = ScoreRow.image_id < at_id if shape.backwards else ScoreRow.image_id > at_id
        asked.append(or_(further, and_(key == at, later)))
    return asked


@dataclass(frozen=True, slots=True)
class _Asking:
    """What all statements of one question to the queue share."""

    session: Session
    dataset: Dataset
    after: Place | None
    backwards: bool
    client: str | None
    now: datetime
    limit: int

    def read(
        self, kind: _Kind, flagged: bool | None, called: bool, given: Side | None = None, edge: "_Edge | None" = None
    ) -> Sequence[Any]:
        """Rows of one stretch of an index, from the place on."""
        low, high = (-1.0, 0.0) if edge is None else (edge.low, edge.high)
        if self.after is not None:
            low, high = (low, min(high, self.after.against)) if self.backwards else (max(low, self.after.against), high)
        above = None if edge is None else edge.above
        shape = _Shape(kind, flagged, called, self.backwards, above, self.after is not None)
        return self.session.execute(_statement(shape), self._values(low, high, given)).all()

    def _values(self, low: float, high: float, given: Side | None) -> dict[str, Any]:
        values: dict[str, Any] = {
            **self.shared(),
            "detector": self.dataset.detector_id or 0,
            "threshold": self.dataset.threshold,
            "given": given,
            "low": low,
            "high": high,
        }
        return values | ({} if self.after is None else {"at": self.after.against, "at_id": self.after.image_id})

    def shared(self) -> dict[str, Any]:
        """Parameters of every statement."""
        return {
            "dataset": self.dataset.id,
            "client": self.client or "",
            "now": self.now,
            "limit": self.limit,
        }


def _ranked(asking: _Asking, *, flag: bool, done: bool) -> list[Place]:
    rows = asking.read(_Kind.RANKED, flag, done)
    return [Place(row.rank, row.image_id, Side(row.given), row.score) for row in rows]


def _doubted(asking: _Asking, given: Side, called: bool) -> list[Place]:
    edge = _flag_edge(given, asking.dataset.threshold, flagged=False)
    rows = asking.read(_Kind.DOUBTED, None, called, given, edge)
    return [place_of(given, row.score, row.image_id) for row in rows]


def _places_of_label(asking: _Asking, given: Side, flagged: bool | None, called: bool) -> list[Place]:
    edge = None if flagged is None else _flag_edge(given, asking.dataset.threshold, flagged=flagged)
    rows = asking.read(_Kind.LABEL, flagged, called, given, edge)
    return [place_of(given, row.score, row.image_id) for row in rows]


def _conflicts(asking: _Asking, called: bool) -> list[Place]:
    """Images with a copy in the other folder: they come before all others, by id."""
    after, beyond = asking.after, False
    if after is not None:
        beyond = after.against == FIRST
        if not beyond and not asking.backwards:
            return []
    values = asking.shared() | {"detector": asking.dataset.detector_id or 0}
    if beyond and after is not None:
        values["at_id"] = after.image_id
    rows = asking.session.execute(_conflict_statement(called, asking.backwards, beyond), values)
    return [place_of(Side(row.given), row.score, row.id, conflict=True) for row in rows]


@cache
def _conflict_statement(called: bool, backwards: bool, beyond: bool) -> Any:
    of_detector = and_(ScoreRow.image_id == ImageRow.id, ScoreRow.detector_id == bindparam("detector"))
    query = (
        select(ImageRow.id, ImageRow.given, ScoreRow.score)
        .outerjoin(ScoreRow, of_detector)
        .outerjoin(StandingRow, StandingRow.image_id == ImageRow.id)
        .outerjoin(LeaseRow, _of_nobody_else(ImageRow.id))
        .where(ImageRow.id.in_(in_conflict(bindparam("dataset"))), LeaseRow.image_id.is_(None))
        .where(~is_pending(ImageRow.id))
    )
    if not called:
        query = query.where(uncalled())
    if beyond:
        at_id: Any = bindparam("at_id")
        query = query.where(ImageRow.id < at_id if backwards else ImageRow.id > at_id)
    return query.order_by(ImageRow.id.desc() if backwards else ImageRow.id).limit(bindparam("limit", type_=Integer))


@dataclass(frozen=True, slots=True)
class _Edge:
    """Which part of the index of a label is read, both ends included, and on which side of the threshold."""

    low: float
    high: float
    above: bool


def _flag_edge(given: Side, threshold: float, *, flagged: bool) -> _Edge:
    """The scores of a label that are flags, or are none; on the edge the score itself decides."""
    edge = -threshold if given is Side.NEGATIVE else threshold - 1.0
    above = flagged == (given is Side.NEGATIVE)
    return _Edge(-1.0, edge, above) if flagged else _Edge(edge, 0.0, above)


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
    *,
    keep: bool = False,
) -> None:
    """Hand images to a tab, in this order or at these positions; unless ``keep``, take back whatever else it had."""
    if not keep:
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


def is_held_elsewhere(session: Session, image_id: int, clients: Sequence[str], now: datetime) -> bool:
    """Whether a tab that is none of ``clients`` has an image in hand, open or blind."""
    leased = exists().where(LeaseRow.image_id == image_id, LeaseRow.expires_at > now, LeaseRow.client.not_in(clients))
    shown = exists().where(
        LookRow.image_id == image_id, ~LookRow.answered, LookRow.leased_until > now, LookRow.client.not_in(clients)
    )
    return bool(session.scalar(select(or_(leased, shown))))


def release(session: Session, image_id: int) -> None:
    """An image was answered: nobody has it in hand any more."""
    session.execute(delete(LeaseRow).where(LeaseRow.image_id == image_id))


def drop_expired(session: Session, now: datetime) -> None:
    """Forget leases that ran out."""
    session.execute(delete(LeaseRow).where(LeaseRow.expires_at <= now))
