"""What a reviewer gets next: for the API by lease, for the desk by place."""

from dataclasses import dataclass
from datetime import datetime, timedelta
from itertools import pairwise
from typing import Literal

from app.config import ReviewSettings
from app.domain.flagging import disagrees
from app.domain.yields import Yield
from app.errors import InvalidInputError
from app.services.carrying import Carried, CarryOffer
from app.services.clock import Clock
from app.services.datasets import DatasetView, get_dataset, view_dataset
from app.services.desk import BARE, Desk, view_desk_of
from app.services.images import (
    ImageItem,
    ReviewItem,
    get_record,
    load_items,
    media_url,
    view_review_item,
)
from app.services.learned import expect_next
from app.services.reviews import RecentVerdict, list_recent
from app.services.second_looks import Waiting, count_waiting
from app.storage import queue as stored
from app.storage.database import Database, Session
from app.storage.datasets import Dataset
from app.storage.fits import is_ranked
from app.storage.images import ImageRecord, find_images
from app.storage.queue import Place
from app.storage.reviews import recent_times
from app.storage.scans import find_open_scan
from app.storage.tallies import count_dataset

QueueName = Literal["all", "flagged", "audit"]
AHEAD = 6  #: images that the desk leases: the one on it and five to preload
RECENT = 8
PACE_GAP_S = 60.0  #: a longer pause between two verdicts is a break, not part of the pace
PACE_OF = 50
NONE_WAITING = Waiting()


def next_items(
    database: Database,
    settings: ReviewSettings,
    clock: Clock,
    reference: str | int,
    queue: QueueName,
    count: int,
    client: str,
) -> list[ImageItem]:
    """The next images for one tab, leased to it; it gets the same again until they are answered or the lease ends.

    ``flagged`` ends with the last open flag; ``all`` goes on with the agreeing images, or serves both alike by
    suspicion where that has been learned; ``audit`` is empty as long as no audit has been drawn.

    Raises:
        NotFoundError: no such dataset.
        InvalidInputError: ``count`` is not within 1..10.
    """
    if not 1 <= count <= 10:
        raise InvalidInputError.on("n", "must lie between 1 and 10")
    now = clock()
    with database.write() as session:
        dataset = get_dataset(session, reference)
        if queue == "audit":
            return []
        stored.drop_expired(session, now)
        held = [record for record in _held(session, dataset, client, now) if _is_open(record, dataset, queue)]
        chosen = [record.id for record in held][:count]
        # What has been learned compares flagged and agreeing images; the detector alone does not.
        ranked = is_ranked(session, dataset.id, dataset.detector_id, dataset.threshold)
        stretches: tuple[bool | None, ...] = (None,) if ranked else (True, False)
        for flagged in (True,) if queue == "flagged" else stretches:
            if len(chosen) < count:
                places = _places(session, dataset, None, client, now, count + len(chosen), flagged=flagged)
                chosen += [place.image_id for place in places if place.image_id not in chosen]
        chosen = chosen[:count]
        expires = now + timedelta(seconds=settings.lease_s)
        stored.lease(session, dataset.id, client, chosen, expires)
        records = find_images(session, chosen)
        return load_items(session, [records[image_id] for image_id in chosen])


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
    message: str = "",
) -> ReviewPage:
    """The desk with one image on it: ``image_id``, or the next open flag after ``after_id``, or the first.

    What comes next is leased to the tab with it, so that two people do not get the same image.

    Raises:
        NotFoundError: no such image.
        InvalidInputError: the image is another dataset's.
    """
    now = clock()
    with database.write() as session:
        stored.drop_expired(session, now)
        start = _start_of(session, dataset, image_id, after_id)
        shown, coming = _choose(session, dataset, client, now, start, explicit=image_id is not None)
        wanted = ([shown] if shown is not None else []) + coming
        stored.lease(session, dataset.id, client, wanted, now + timedelta(seconds=settings.lease_s))
        records = find_images(session, wanted)
        item = None if shown is None else load_items(session, [records[shown]])[0]
        place = None if item is None else stored.find_place(session, dataset, item.record)
        return ReviewPage(
            dataset=view_dataset(session, dataset),
            item=None if item is None else view_review_item(item),
            empty=None if item is not None else why_empty(session, dataset),
            progress=view_progress(session, dataset, reviewer, now),
            recent=list_recent(session, dataset.id, reviewer, RECENT) if reviewer else (),
            prefetch=tuple(media_url(records[coming_id], "rendition/screen") for coming_id in coming),
            previous_id=_neighbour(session, dataset, place, client, now, backwards=True),
            next_id=_neighbour(session, dataset, place, client, now, backwards=False),
            message=message,
            desk=BARE if item is None else view_desk_of(session, settings, item),
            waiting=count_waiting(session, dataset.id, reviewer),
        )


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
