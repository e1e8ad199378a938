"""What a program gets next, by lease: open flags, everything by suspicion with draws woven in, or draws alone."""

from collections.abc import Iterator
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import Literal

from app.config import ReviewSettings
from app.domain.flagging import disagrees
from app.errors import InvalidInputError
from app.services.clock import Clock
from app.services.datasets import get_dataset
from app.services.dealing import Dealer
from app.services.images import ImageItem, load_items
from app.storage import queue as stored
from app.storage.audit_looks import DRAW, Asker, Look, find_pending, renew
from app.storage.database import Database, Session
from app.storage.datasets import Dataset
from app.storage.fits import is_ranked
from app.storage.images import ImageRecord, find_images

QueueName = Literal["all", "flagged", "audit"]


def next_items(
    database: Database,
    settings: ReviewSettings,
    clock: Clock,
    reference: str | int,
    queue: QueueName,
    count: int,
    client: str,
    reviewer: str | None = None,
) -> list[ImageItem]:
    """The next images for one tab, leased to it; it gets the same again until they are answered or the lease ends.

    ``flagged`` ends with the last open flag. ``all`` goes on with the agreeing images until the audit's goal is
    certified; draws are woven in, blind, and repeats for a ``reviewer`` who is named. ``audit`` holds draws alone, and
    is empty where nothing has been scanned.

    Raises:
        NotFoundError: no such dataset.
        InvalidInputError: ``count`` is not within 1..10.
    """
    if not 1 <= count <= 10:
        raise InvalidInputError.on("n", "must lie between 1 and 10")
    now = clock()
    asker = Asker(client, now, now + timedelta(seconds=settings.lease_s), reviewer)
    with database.write() as session:
        dataset = get_dataset(session, reference)
        stored.drop_expired(session, now)
        dealer = Dealer(session, dataset, settings, asker)
        dealer.begin(always=queue == "audit")
        chosen = _draws(dealer, count) if queue == "audit" else _deal(session, dataset, dealer, asker, queue, count)
        return _hand_out(session, dataset, asker, chosen, keep=queue == "audit")


@dataclass(frozen=True, slots=True)
class _Slot:
    """A place of a tab's queue."""

    position: int
    image_id: int
    look: Look | None = None


def _draws(dealer: Dealer, count: int) -> list[_Slot]:
    held = [look for look in dealer.held() if look.kind == DRAW][:count]
    while len(held) < count:
        found = dealer.draw(held[-1].turn + 1 if held else 0)
        if found is None:
            break
        held.append(found)
    return [_Slot(look.turn, look.image_id, look) for look in held]


def _deal(
    session: Session, dataset: Dataset, dealer: Dealer, asker: Asker, queue: QueueName, count: int
) -> list[_Slot]:
    """What a tab has in hand, and as much more as it wants, blind looks woven into ``all``."""
    slots = _in_hand(session, dataset, asker, queue)
    if queue == "all":
        slots += [_Slot(look.turn, look.image_id, look) for look in dealer.held()]
    slots = sorted(slots, key=lambda slot: slot.position)[:count]
    if len(slots) == count:
        return slots
    to_the_end = queue == "all" and not (dealer.weaves and dealer.is_certified())
    known = {slot.image_id for slot in slots}
    free = _iter_free(session, dataset, asker, count + len(known), agreeing=to_the_end)
    while len(slots) < count:
        position = slots[-1].position + 1 if slots else 0
        look = dealer.deal_slot(position) if queue == "all" else None
        image_id = next((found for found in free if found not in known), None) if look is None else look.image_id
        if image_id is None and queue == "all":
            look = (dealer.draw(position) if to_the_end else None) or dealer.left_over(position)
            image_id = None if look is None else look.image_id
        if image_id is None or image_id in known:
            break
        slots.append(_Slot(position, image_id, look))
        known.add(image_id)
    return slots


def _iter_free(session: Session, dataset: Dataset, asker: Asker, limit: int, *, agreeing: bool) -> Iterator[int]:
    """Open flags and, if wanted, the agreeing images after them; looked up when they are asked for.

    What has been learned compares flagged and agreeing images, so both come by suspicion then.
    """
    ranked = agreeing and is_ranked(session, dataset.id, dataset.detector_id, dataset.threshold)
    stretches: tuple[bool | None, ...] = (None,) if ranked else (True, False) if agreeing else (True,)
    for flagged in stretches:
        places = stored.find_places(
            session, dataset, flagged=flagged, after=None, client=asker.client, now=asker.now, limit=limit
        )
        yield from (place.image_id for place in places)


def _in_hand(session: Session, dataset: Dataset, asker: Asker, queue: QueueName) -> list[_Slot]:
    positions = stored.positions_of(session, dataset.id, asker.client, asker.now)
    return [
        _Slot(positions[record.id], record.id)
        for record in _held(session, dataset, asker.client, asker.now)
        if _is_open(record, dataset, queue) and find_pending(session, record.id) is None
    ]


def _hand_out(session: Session, dataset: Dataset, asker: Asker, chosen: list[_Slot], *, keep: bool) -> list[ImageItem]:
    """Lease what was chosen; ``keep``: what the tab has in hand of the open queues stays there."""
    if not keep:
        seen = [slot for slot in chosen if slot.look is None]
        ids, positions = [slot.image_id for slot in seen], [slot.position for slot in seen]
        stored.lease(session, dataset.id, asker.client, ids, asker.until, positions)
    for slot in chosen:
        if slot.look is not None:
            renew(session, [slot.look.id], asker, slot.position)
    records = find_images(session, [slot.image_id for slot in chosen])
    items = load_items(session, [records[slot.image_id] for slot in chosen])
    return [replace(item, blind=slot.look is not None) for item, slot in zip(items, chosen, strict=True)]


def _is_open(record: ImageRecord, dataset: Dataset, queue: QueueName) -> bool:
    """Whether an image in a tab's hand still belongs to the queue: it may be gone, or have lost its flag since."""
    if record.verdict is not None or record.unsettled is not None or record.missing:
        return False
    if record.score is None or record.duplicate_conflict:
        return record.duplicate_conflict
    return queue == "all" or record.doubted or disagrees(record.given, record.score, dataset.threshold)


def _held(session: Session, dataset: Dataset, client: str, now: datetime) -> list[ImageRecord]:
    ids = stored.leased_to(session, dataset.id, client, now)
    records = find_images(session, ids)
    return [records[image_id] for image_id in ids]
