"""Carrying a verdict to the exact copies of an image: offered, never done unasked, and one batch with its own undo."""

from collections.abc import Sequence
from dataclasses import dataclass
from uuid import uuid4

from app.domain.reviewing import Verdict
from app.errors import ConflictError, InvalidInputError, NotFoundError, StaleReviewError
from app.services.clock import Clock
from app.services.datasets import get_dataset
from app.services.images import describe_verdict, get_record
from app.services.reviews import MAX_BATCH, BatchEntry, NewReview, append, undo_batch
from app.storage.database import Database, Session
from app.storage.duplicates import find_copies
from app.storage.images import ImageRecord, find_image, find_images
from app.storage.reviews import Review, reviews_of_batch

SOURCE = "carry"


@dataclass(frozen=True, slots=True)
class CarryOffer:
    """A verdict and the exact copies that it may be carried to: those that nobody has called."""

    image_id: int
    name: str
    review_id: int
    verdict_text: str
    entries: tuple[BatchEntry, ...]  #: at most 500; empty if every copy has a verdict of its own
    otherwise: tuple[int, ...]  #: copies that people called differently: carried over by nothing, but told
    batch_id: str


@dataclass(frozen=True, slots=True)
class Carried:
    """A verdict that was carried, as it stands."""

    batch_id: str
    image_id: int | None  #: the image that was called, where it is known
    images: int
    standing: int  #: of them, those where it still counts
    verdict_text: str

    @property
    def message(self) -> str:
        """A line that says so."""
        if not self.standing:
            return f"Taken back for {_copies_in_words(self.images)}"
        return f"{self.verdict_text}: {_copies_in_words(self.standing)} too"


def _copies_in_words(number: int) -> str:
    return "1 exact copy" if number == 1 else f"{number} exact copies"


@dataclass(frozen=True, slots=True)
class CarryRequest:
    """What a person agrees to. Without ``entries`` every copy that nobody has called at that moment."""

    batch_id: str
    reviewer: str
    review_id: int | None = None  #: the verdict that was shown; another one by now is refused
    entries: Sequence[BatchEntry] | None = None
    dataset_id: int | None = None


def find_offer(session: Session, image_id: int, dataset_id: int | None = None) -> CarryOffer | None:
    """The offer after a verdict; None without a verdict on these bytes, or without copies that differ in it."""
    record = find_image(session, image_id)
    if record is None or not record.duplicated or dataset_id not in (None, record.dataset_id):
        return None
    if record.verdict is None or record.verdict_outdated or record.effective_review_id is None:
        return None
    copies = _copies(session, record)
    entries = tuple(BatchEntry(copy.id, copy.latest_review_id) for copy in copies if _is_open(copy))
    otherwise = tuple(copy.id for copy in copies if not _is_open(copy) and copy.verdict != record.verdict)
    if not entries and not otherwise:
        return None
    dataset = get_dataset(session, record.dataset_id)
    text = describe_verdict(dataset, record.verdict)
    name = record.path.rpartition("/")[2]
    return CarryOffer(record.id, name, record.effective_review_id, text, entries, otherwise, str(uuid4()))


def _copies(session: Session, record: ImageRecord) -> list[ImageRecord]:
    ids = find_copies(session, record.id, MAX_BATCH)
    found = find_images(session, ids)
    return [found[image_id] for image_id in ids]


def _is_open(copy: ImageRecord) -> bool:
    """Whether nobody has called it as it is. A verdict of a person is never carried over."""
    return copy.verdict is None or copy.verdict_outdated


def carry_verdict(database: Database, clock: Clock, image_id: int, asked: CarryRequest) -> tuple[int, bool]:
    """Give an image's verdict to its exact copies, to all that were shown or to none.

    How many, and whether the same ``batch_id`` had done it before: then nothing changes.

    Raises:
        NotFoundError: no such image.
        InvalidInputError: it is of another dataset.
        StaleReviewError: its verdict, or a copy's, is not the one that was shown.
        ConflictError: there is no verdict to carry; one of the images is no copy any more, or was called; the
            ``batch_id`` was used for something else.
    """
    with database.write() as session:
        record = get_record(session, image_id)
        if asked.dataset_id not in (None, record.dataset_id):
            raise InvalidInputError.on("image", f"image {image_id} is not of dataset {asked.dataset_id}")
        before = reviews_of_batch(session, asked.batch_id)
        if before:
            _check_repeat(session, record, before)
            return len(before), True
        verdict = _verdict_to_carry(record, asked.review_id)
        entries = _checked_entries(session, record, asked.entries)
        for entry in entries:
            new = NewReview(verdict, entry.seen_review_id, asked.reviewer, SOURCE)
            append(session, clock, entry.image_id, new, asked.batch_id)
    return len(entries), False


def _check_repeat(session: Session, record: ImageRecord, before: Sequence[Review]) -> None:
    copies = set(find_copies(session, record.id, 2 * MAX_BATCH))
    if any(review.image_id not in copies or review.source != SOURCE for review in before):
        msg = f"batch_id {before[0].batch_id} was used for other images"
        raise ConflictError(msg)


def _verdict_to_carry(record: ImageRecord, shown: int | None) -> Verdict:
    if record.verdict is None or record.verdict_outdated:
        msg = f"image {record.id} has no verdict on the file that lies there, so there is none to carry"
        raise ConflictError(msg)
    if shown not in (None, record.effective_review_id):
        msg = f"image {record.id} has been called anew since this was shown; look at it again"
        raise StaleReviewError(msg, record.latest_review_id)
    return record.verdict


def _checked_entries(
    session: Session, record: ImageRecord, entries: Sequence[BatchEntry] | None
) -> Sequence[BatchEntry]:
    copies = {copy.id: copy for copy in _copies(session, record)}
    if entries is None:
        return [BatchEntry(copy.id, copy.latest_review_id) for copy in copies.values() if _is_open(copy)]
    for entry in entries:
        copy = copies.get(entry.image_id)
        if copy is None:
            msg = f"image {entry.image_id} is no exact copy of image {record.id}; look again"
            raise ConflictError(msg)
        if copy.latest_review_id != entry.seen_review_id or not _is_open(copy):
            msg = f"image {copy.id} has been called since this was shown; nothing was carried"
            raise StaleReviewError(msg, copy.latest_review_id)
    return entries


def find_carried(session: Session, batch_id: str, dataset_id: int, image_id: int | None = None) -> Carried | None:
    """What became of a verdict that was carried in a batch; None if there is no such batch in the dataset."""
    reviews = reviews_of_batch(session, batch_id)
    if not reviews or reviews[0].source != SOURCE or reviews[0].dataset_id != dataset_id:
        return None
    records = find_images(session, [review.image_id for review in reviews])
    standing = sum(records[review.image_id].effective_review_id == review.id for review in reviews)
    text = describe_verdict(get_dataset(session, dataset_id), reviews[0].verdict)
    return Carried(batch_id, image_id, len(reviews), standing, text)


def undo_carried(database: Database, clock: Clock, image_id: int, batch_id: str, reviewer: str) -> int:
    """Take a carried verdict back from every copy where it still counts; how many there were.

    Raises:
        NotFoundError: no such image, or no such batch in its dataset.
    """
    with database.read() as session:
        dataset_id = get_record(session, image_id).dataset_id
        known = find_carried(session, batch_id, dataset_id)
    if known is None:
        msg = f"no batch {batch_id} that carried a verdict"
        raise NotFoundError(msg)
    return undo_batch(database, clock, batch_id, reviewer, dataset_id)
