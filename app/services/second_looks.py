"""The second look: one image at a time, told nothing of what was said, who said it, or where the file lies."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import timedelta
from uuid import uuid4

from app.config import ReviewSettings
from app.domain.reviewing import Source
from app.domain.second_looks import Stage
from app.errors import ConflictError, InvalidInputError
from app.services.clock import Clock
from app.services.datasets import DatasetView, view_dataset
from app.services.images import get_item, get_record, media_url
from app.services.reviews import GivenReview, NewReview, append, find_repeat, undo_review
from app.storage import second_looks as stored
from app.storage.database import Database, Session
from app.storage.datasets import MAX_ID, Dataset
from app.storage.images import ImageRecord, find_images
from app.storage.reviews import find_latest_own, find_review
from app.storage.second_looks import Asker

AHEAD = 4  #: images that a tab has in hand: the one shown and those preloaded


@dataclass(frozen=True, slots=True)
class Waiting:
    """What waits in a dataset, as one person sees it."""

    mine: int = 0  #: second looks that this person may give
    others: int = 0  #: second looks at what this person called, for somebody else
    given: int = 0  #: second looks that this person gave
    conflicts: int = 0  #: disagreements that nobody has settled

    @property
    def total(self) -> int:
        """Second looks that nobody has given."""
        return self.mine + self.others


def count_waiting(session: Session, dataset_id: int, reviewer: str | None) -> Waiting:
    """What waits, from counters kept with each verdict."""
    counts = stored.count_looks(session, dataset_id)
    second = [(person, images) for stage, person, images in counts if stage is Stage.SECOND]
    return Waiting(
        mine=sum(images for person, images in second if person != reviewer),
        others=sum(images for person, images in second if person == reviewer),
        given=sum(images for stage, person, images in counts if stage is not Stage.SECOND and person == reviewer),
        conflicts=sum(images for stage, _, images in counts if stage is Stage.THIRD),
    )


@dataclass(frozen=True, slots=True)
class BlindItem:
    """An image and nothing else that is known of it."""

    image_id: int
    width: int
    height: int
    screen_url: str
    review_id: int | None  #: the latest row, which the answer must name
    request_id: str


@dataclass(frozen=True, slots=True)
class SecondPage:
    """The second looks of one person and tab."""

    dataset: DatasetView | None
    item: BlindItem | None
    is_on: bool
    waiting: Waiting
    prefetch: tuple[str, ...]
    undo_id: int | None  #: this person's latest second look that can be taken back
    message: str


def no_second(message: str = "") -> SecondPage:
    """The page of somebody who has no dataset yet, or no name."""
    return SecondPage(None, None, is_on=False, waiting=Waiting(), prefetch=(), undo_id=None, message=message)


def view_second(
    database: Database,
    settings: ReviewSettings,
    clock: Clock,
    dataset: Dataset,
    reviewer: str,
    client: str,
    *,
    image_id: int | None = None,
    message: str = "",
) -> SecondPage:
    """The next image that waits for somebody other than those who called it; ``image_id`` first where it does.

    It and those that follow are leased to the tab.
    """
    asker = Asker(reviewer, client, clock())
    with database.write() as session:
        wanted = choose_looks(session, dataset.id, Stage.SECOND, asker, image_id)
        records = take_looks(session, settings, dataset.id, Stage.SECOND, asker, wanted)
        return SecondPage(
            dataset=view_dataset(session, dataset),
            item=view_blind(records[0]) if records else None,
            is_on=dataset.reviewing.is_on,
            waiting=count_waiting(session, dataset.id, reviewer),
            prefetch=list_coming(records),
            undo_id=find_latest_own(session, dataset.id, reviewer, Source.SECOND),
            message=message,
        )


def choose_looks(
    session: Session,
    dataset_id: int,
    stage: Stage,
    asker: Asker,
    image_id: int | None,
    *,
    own: bool = False,
    limit: int = AHEAD,
) -> list[int]:
    """Images for a tab: the named one where it is free for the asker, then what comes next."""
    found = stored.find_free(session, dataset_id, stage, asker, limit, own=own)
    if image_id is None or not 0 < image_id <= MAX_ID:
        return found
    named = stored.find_free(session, dataset_id, stage, asker, 1, own=own, only=image_id)
    return list(dict.fromkeys([*named, *found]))[:limit]


def take_looks(
    session: Session, settings: ReviewSettings, dataset_id: int, stage: Stage, asker: Asker, wanted: Sequence[int]
) -> list[ImageRecord]:
    """Lease images to a tab, and load them: the one to show, and those that come next."""
    until = asker.now + timedelta(seconds=settings.lease_s)
    stored.lease_looks(session, dataset_id, stage, asker, wanted, until)
    records = find_images(session, wanted)
    return [records[image_id] for image_id in wanted]


def list_coming(records: Sequence[ImageRecord]) -> tuple[str, ...]:
    """Where the pictures lie that come after the one shown, to be preloaded; a number and a hash, and no more."""
    return tuple(media_url(record, "rendition/screen") for record in records[1:])


def view_blind(record: ImageRecord) -> BlindItem:
    """An image for somebody who is told nothing of it."""
    return BlindItem(
        image_id=record.id,
        width=record.width or 1,
        height=record.height or 1,
        screen_url=media_url(record, "rendition/screen"),
        review_id=record.latest_review_id,
        request_id=str(uuid4()),
    )


def give_second(database: Database, clock: Clock, image_id: int, new: NewReview, dataset_id: int) -> GivenReview:
    """Store a second, blind verdict, in one transaction.

    Raises:
        NotFoundError: no such image.
        ConflictError: the image does not wait for this person's second look (any more); or the request id has been
            used for something else.
        InvalidInputError: the image is not of the dataset.
    """

    def refuse(session: Session) -> None:
        if not stored.is_waiting_for(session, image_id, Stage.SECOND, new.reviewer):
            msg = "that image does not wait for your second look any more; here is the next"
            raise ConflictError(msg)

    return give_look(database, clock, image_id, new, dataset_id, refuse)


def give_look(
    database: Database,
    clock: Clock,
    image_id: int,
    new: NewReview,
    dataset_id: int,
    refuse: Callable[[Session], None],
) -> GivenReview:
    """Store a verdict on what waits for somebody, in one transaction, unless ``refuse`` raises.

    Raises:
        NotFoundError: no such image.
        ConflictError: the request id has been used for something else.
        InvalidInputError: the image is not of the dataset.
    """
    with database.write() as session:
        _check_dataset(session, image_id, dataset_id)
        repeated = find_repeat(session, image_id, new)
        if repeated is not None:
            return repeated
        refuse(session)
        review = append(session, clock, image_id, new)
        return GivenReview(review, get_item(session, image_id), repeated=False)


def _check_dataset(session: Session, image_id: int, dataset_id: int) -> None:
    """Refuse an image of another dataset.

    Raises:
        NotFoundError: no such image.
        InvalidInputError: it is another dataset's.
    """
    if get_record(session, image_id).dataset_id != dataset_id:
        raise InvalidInputError.on("image", f"image {image_id} is not of dataset {dataset_id}")


def undo_own(
    database: Database, clock: Clock, review_id: int, reviewer: str, dataset_id: int, source: Source
) -> GivenReview:
    """Take back a second look, or a settling verdict, of one's own.

    Raises:
        ConflictError: it is not the person's own, was taken back already, or another verdict followed.
        InvalidInputError: it is another dataset's.
    """
    with database.read() as session:
        review = find_review(session, review_id)
    if review is None or review.source != source or review.reviewer != reviewer:
        msg = "that verdict is not yours to take back here"
        raise ConflictError(msg)
    return undo_review(database, clock, review_id, reviewer, dataset_id=dataset_id)
