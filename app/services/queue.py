"""What a reviewer gets next: for the API by lease, for the desk by place."""

from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from itertools import pairwise
from typing import Literal

from app.config import ReviewSettings
from app.domain.yields import Yield
from app.errors import InvalidInputError
from app.services.audits import find_boxes_again, find_waiting
from app.services.carrying import Carried, CarryOffer
from app.services.clock import Clock
from app.services.datasets import DatasetView, view_dataset
from app.services.dealing import Dealer, Dealt
from app.services.desk import BARE, Desk, view_desk_of
from app.services.images import (
    BoxView,
    ReviewItem,
    get_item,
    get_record,
    load_items,
    media_url,
    view_boxes,
    view_review_item,
)
from app.services.learned import expect_next
from app.services.reviews import RecentVerdict, list_recent
from app.services.second_looks import BlindItem, Waiting, count_waiting, view_blind
from app.storage import queue as stored
from app.storage.audit_looks import Asker, Look, renew
from app.storage.database import Database, Session
from app.storage.datasets import Dataset
from app.storage.images import ImageRecord, find_images
from app.storage.queue import Place
from app.storage.reviews import recent_times
from app.storage.scans import find_open_scan
from app.storage.tallies import count_dataset

DeskQueue = Literal["flagged", "audit"]
AHEAD = 6  #: images that the desk leases: the one on it and five to preload
RECENT = 8
PACE_GAP_S = 60.0  #: a longer pause between two verdicts is a break, not part of the pace
PACE_OF = 50
NONE_WAITING = Waiting()
NOTHING: tuple[int | None, list[int]] = (None, [])  #: neither to be shown nor to be preloaded


def _places(
    session: Session,
    dataset: Dataset,
    after: Place | None,
    client: str | None,
    now: datetime,
    limit: int,
    *,
    flagged: bool | None = True,
    backwards: bool = False,
    called: bool = False,
) -> list[Place]:
    return stored.find_places(
        session,
        dataset,
        flagged=flagged,
        after=after,
        backwards=backwards,
        called=called,
        client=client,
        now=now,
        limit=limit,
    )


@dataclass(frozen=True, slots=True)
class Progress:
    """How far the flags are called, and how long the rest will take."""

    called: int
    flagged: int
    pace_per_h: int | None
    left_s: float | None
    expected: Yield | None = None  #: what the next flagged images hold, where that has been learned


@dataclass(frozen=True, slots=True)
class ReviewPage:
    """The review desk, as it stands for one reviewer and tab."""

    dataset: DatasetView | None
    item: ReviewItem | None
    empty: str | None
    progress: Progress
    recent: tuple[RecentVerdict, ...]
    prefetch: tuple[str, ...]
    previous_id: int | None
    next_id: int | None
    message: str
    desk: Desk
    carry: CarryOffer | None = None  #: of the image that was called before this one
    carried: Carried | None = None
    waiting: Waiting = NONE_WAITING  #: for a second or a third person
    blind: BlindItem | None = None  #: in place of ``item``: an image of which nothing is told
    again: tuple[BoxView, ...] = ()  #: the boxes that are shown after a blind no
    queue: DeskQueue = "flagged"
    elsewhere: bool = False  #: another screen has the image in hand


NO_PROGRESS = Progress(0, 0, None, None)


def no_desk(empty: str, message: str = "") -> ReviewPage:
    """The desk of somebody who has no dataset yet."""
    return ReviewPage(None, None, empty, NO_PROGRESS, (), (), None, None, message, BARE)


def view_desk(
    database: Database,
    settings: ReviewSettings,
    clock: Clock,
    dataset: Dataset,
    reviewer: str | None,
    client: str,
    *,
    image_id: int | None = None,
    after_id: int | None = None,
    again_id: int | None = None,
    queue: DeskQueue = "flagged",
    message: str = "",
    browser: str | None = None,
    arriving: bool = False,
) -> ReviewPage:
    """The desk with one image on it: ``image_id``, or the next open flag after ``after_id``, or the first.

    Blind looks are woven in; with ``queue`` ``audit`` there is nothing but draws. ``again_id`` is an image of which a
    blind *no* was just given: its boxes are shown, if there are any. What comes next is leased to the tab with it, so
    that two people do not get the same image. Looking at ``image_id`` takes it out of no other tab's hand.

    ``browser`` is the client under which the tab was opened: what it got then is the tab's. ``arriving``: the page is
    being opened, and ``client`` is the browser, whose other tabs keep what they have.

    Raises:
        NotFoundError: no such image.
        InvalidInputError: the image is another dataset's.
    """
    now = clock()
    asker = Asker(client, now, now + timedelta(seconds=settings.lease_s), reviewer)
    with database.write() as session:
        stored.drop_expired(session, now)
        again = None if again_id is None else _view_again(session, dataset, again_id)
        start = _start_of(session, dataset, image_id, after_id)
        named = start if image_id is not None else None
        elsewhere = named is not None and stored.is_held_elsewhere(session, named.id, (client, browser or client), now)
        dealt, dealer = Dealt(None, ()), Dealer(session, dataset, settings, asker)
        if again is None:
            dealt = _deal_desk(session, dealer, asker, reviewer, named, queue, keep=elsewhere)
        shown, coming = (
            _choose(session, dataset, client, now, start, explicit=named is not None) if queue == "flagged" else NOTHING
        )
        wanted = ([shown] if shown is not None else []) + coming
        stored.lease(session, dataset.id, client, coming if elsewhere else wanted, asker.until, keep=arriving)
        if shown is None and dealt.now is None and dealt.coming:  # nothing else is left: its turn is now
            dealt = Dealt(dealt.coming[0], dealt.coming[1:])
        if shown is None and again is None and dealt.now is None and reviewer is not None:
            dealt = Dealt(dealer.left_over(), ())
        is_blind = again is not None or dealt.now is not None
        shown = None if is_blind else shown
        ahead = [look.image_id for look in dealt.coming] + ([] if shown is not None else wanted[:1]) + coming
        records = find_images(session, [*wanted, *ahead])
        item = None if shown is None else load_items(session, [records[shown]])[0]
        place = None if item is None else stored.find_place(session, dataset, item.record)
        blind = _view_look(session, dealt.now) if again is None else again[0]
        return ReviewPage(
            dataset=view_dataset(session, dataset),
            item=None if item is None else view_review_item(item),
            empty=None if item is not None or blind is not None else why_empty(session, dataset),
            progress=view_progress(session, dataset, reviewer, now),
            recent=list_recent(session, dataset.id, reviewer, RECENT) if reviewer else (),
            prefetch=tuple(media_url(records[coming_id], "rendition/screen") for coming_id in ahead[:AHEAD]),
            previous_id=_neighbour(session, dataset, place, client, now, backwards=True),
            next_id=_neighbour(session, dataset, place, client, now, backwards=False),
            message=message,
            desk=BARE if item is None else view_desk_of(session, settings, item),
            waiting=count_waiting(session, dataset.id, reviewer),
            blind=blind,
            again=() if again is None else again[1],
            queue=queue,
            elsewhere=elsewhere,
        )


def _deal_desk(
    session: Session,
    dealer: Dealer,
    asker: Asker,
    reviewer: str | None,
    named: ImageRecord | None,
    queue: DeskQueue,
    *,
    keep: bool,
) -> Dealt:
    """What is shown blind: the ``named`` image if it waits for that, or what this turn of the tab holds.

    ``keep``: the named one stays in the hand in which it is.
    """
    if named is not None:
        look = find_waiting(session, named.id, named.dataset_id, reviewer)
        if look is not None and not keep:
            renew(session, [look.id], asker, look.turn)
        return Dealt(look, ())
    if reviewer is None:
        return Dealt(None, ())
    dealer.begin(always=queue == "audit")
    return dealer.draws_alone() if queue == "audit" else dealer.woven(reviewer)


def _view_look(session: Session, look: Look | None) -> BlindItem | None:
    if look is None:
        return None
    item = view_blind(get_record(session, look.image_id))
    return replace(item, review_id=None) if look.is_repeat else item  # a row would tell that it was called


def _view_again(session: Session, dataset: Dataset, image_id: int) -> tuple[BlindItem, tuple[BoxView, ...]] | None:
    """An image of which a blind *no* stands, with the boxes that speak against it; None where there are none."""
    item = get_item(session, image_id)
    review_id = item.record.latest_review_id
    if review_id is None or item.record.dataset_id != dataset.id:
        return None
    if not find_boxes_again(session, item, review_id):
        return None
    return view_blind(item.record), tuple(box for box in view_boxes(item) if box.target)


def _start_of(session: Session, dataset: Dataset, image_id: int | None, after_id: int | None) -> ImageRecord | None:
    chosen = image_id if image_id is not None else after_id
    if chosen is None:
        return None
    record = get_record(session, chosen)
    if record.dataset_id != dataset.id:
        raise InvalidInputError.on("image", f"image {chosen} is not of dataset {dataset.name!r}")
    return record


def _choose(
    session: Session, dataset: Dataset, client: str, now: datetime, start: ImageRecord | None, *, explicit: bool
) -> tuple[int | None, list[int]]:
    """The image to show and those to preload: from ``start`` on, then once more from the front."""
    place = None if start is None else stored.find_place(session, dataset, start)
    places = _places(session, dataset, place, client, now, AHEAD) if place is not None else []
    if len(places) < AHEAD:
        known = {found.image_id for found in places}
        front = _places(session, dataset, None, client, now, AHEAD + 1)
        places += [found for found in front if found.image_id not in known]
    ids = [found.image_id for found in places]
    if explicit and start is not None:
        return start.id, [found for found in ids if found != start.id][: AHEAD - 1]
    if start is not None and len(ids) > 1:
        ids = [found for found in ids if found != start.id]
    return (ids[0], ids[1:AHEAD]) if ids else (None, [])


def _neighbour(
    session: Session, dataset: Dataset, place: Place | None, client: str, now: datetime, *, backwards: bool
) -> int | None:
    if place is None:
        return None
    # Back leads to what was just called as well; forward only to what is still open.
    found = _places(session, dataset, place, client, now, 1, backwards=backwards, called=backwards)
    return found[0].image_id if found else None


def why_empty(session: Session, dataset: Dataset) -> str:
    """Why nothing is there to be called: ``scanning``, ``not_scanned``, ``in_hand`` or ``done``."""
    if find_open_scan(session, dataset.id) is not None:
        return "scanning"
    if dataset.detector_id is None:
        return "not_scanned"
    return "in_hand" if count_dataset(session, dataset).open_flags else "done"


def view_progress(session: Session, dataset: Dataset, reviewer: str | None, now: datetime) -> Progress:
    """Flags called and left, with the reviewer's pace of the last verdicts, breaks left out."""
    counts = count_dataset(session, dataset)
    pace = measure_pace(recent_times(session, dataset.id, reviewer, PACE_OF)) if reviewer else None
    return Progress(
        called=counts.flagged - counts.open_flags,
        flagged=counts.flagged,
        pace_per_h=None if pace is None else round(3600 / pace),
        left_s=None if pace is None else pace * counts.open_flags,
        expected=expect_next(session, dataset),
    )


def measure_pace(times: list[datetime]) -> float | None:
    """Mean seconds a verdict over the given times (newest first), breaks left out; None with fewer than three gaps."""
    gaps = [(later - earlier).total_seconds() for later, earlier in pairwise(times)]
    working = [gap for gap in gaps if 0 <= gap <= PACE_GAP_S]
    return max(sum(working) / len(working), 0.05) if len(working) >= 3 else None
