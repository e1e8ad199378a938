"""The review queue: open flags, most suspicious first, without what another tab has in hand."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime

from sqlalchemy import and_, delete, insert, or_, select
from sqlalchemy.orm import Session

from app.domain.images import Side
from app.domain.scoring import suspicion
from app.storage.datasets import Dataset
from app.storage.images import uncalled
from app.storage.tables import LeaseRow, ScoreRow, StandingRow


@dataclass(frozen=True, slots=True, order=True)
class Place:
    """A place in the queue: sorts most suspicious first, then by id."""

    against: float  #: minus the suspicion
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

    Each label is read in the order of its index and the two are merged, so the cost does not grow with the
    dataset. With ``backwards`` the places before ``after``, nearest first; with ``called`` also those
    that have a verdict. ``client`` sees its own leases.
    """
    found: list[Place] = []
    for given in Side:
        found += _places_of_label(session, dataset, given, flagged, after, backwards, called, client, now, limit)
    return sorted(found, reverse=backwards)[:limit]


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
    score = ScoreRow.score
    query = (
        select(score, ScoreRow.image_id)
        .outerjoin(StandingRow, StandingRow.image_id == ScoreRow.image_id)
        .outerjoin(
            LeaseRow,
            and_(LeaseRow.image_id == ScoreRow.image_id, LeaseRow.expires_at > now, LeaseRow.client != (client or "")),
        )
        .where(
            ScoreRow.dataset_id == dataset.id,
            ScoreRow.detector_id == dataset.detector_id,
            ScoreRow.given == given,
            LeaseRow.image_id.is_(None),
        )
    )
    if not called:
        query = query.where(uncalled())
    high_first = given is Side.NEGATIVE
    if flagged is not None:
        upper = score >= dataset.threshold
        query = query.where(upper if flagged == high_first else score < dataset.threshold)
    if after is not None:
        edge = after.score if after.given is given else 1.0 - after.score
        lower = high_first != backwards
        beyond = score < edge if lower else score > edge
        tie = ScoreRow.image_id < after.image_id if backwards else ScoreRow.image_id > after.image_id
        query = query.where(or_(beyond, and_(score == edge, tie)))
    descending = high_first != backwards
    by_id = ScoreRow.image_id.desc() if backwards else ScoreRow.image_id
    query = query.order_by(score.desc() if descending else score, by_id).limit(limit)
    return [place_of(given, row.score, row.image_id) for row in session.execute(query)]


def place_of(given: Side, score: float, image_id: int) -> Place:
    """Where an image stands in the queue."""
    return Place(-suspicion(given, score), image_id, given, score)


def leased_to(session: Session, dataset_id: int, client: str, now: datetime) -> list[int]:
    """Images that a tab has in hand, in the order it got them."""
    rows = session.scalars(
        select(LeaseRow.image_id)
        .where(LeaseRow.dataset_id == dataset_id, LeaseRow.client == client, LeaseRow.expires_at > now)
        .order_by(LeaseRow.position)
    )
    return list(rows)


def lease(session: Session, dataset_id: int, client: str, image_ids: Sequence[int], expires_at: datetime) -> None:
    """Hand images to a tab, in this order, and take back whatever else it had."""
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
                for position, image_id in enumerate(image_ids)
            ],
        )


def release(session: Session, image_id: int) -> None:
    """An image was answered: nobody has it in hand any more."""
    session.execute(delete(LeaseRow).where(LeaseRow.image_id == image_id))


def drop_expired(session: Session, now: datetime) -> None:
    """Forget leases that ran out."""
    session.execute(delete(LeaseRow).where(LeaseRow.expires_at <= now))
