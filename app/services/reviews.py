"""Verdicts: giving one, taking one back, and in batches."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from math import isfinite

from app.domain.images import Side
from app.domain.reviewing import Source, Verdict, find_effective, upholds_flag
from app.domain.text import is_id
from app.errors import ConflictError, InvalidInputError, NotFoundError, StaleReviewError
from app.services.audits import find_asked, find_boxes_again, take_answer
from app.services.clock import Clock
from app.services.images import ImageItem, describe_verdict, get_item, get_record, load_items, media_url
from app.services.second_rules import is_second_wanted
from app.storage import reviews as stored
from app.storage.audit_looks import Look, find_pending
from app.storage.database import Database, Session
from app.storage.datasets import MAX_ID
from app.storage.images import DetectionRecord, ImageRecord, find_images
from app.storage.queue import release
from app.storage.repeats import reopen
from app.storage.reviews import Review

Xyxy = tuple[float, float, float, float]
MAX_BATCH = 500
MAX_NOTE = 2000  #: characters


@dataclass(frozen=True, slots=True)
class NewReview:
    """A verdict as a person gives it."""

    verdict: Verdict
    seen_review_id: int | None  #: the latest row of the image that the person's card was made from
    reviewer: str
    source: str
    boxes: Sequence[Xyxy] | None = None
    spent_ms: int | None = None
    request_id: str | None = None
    note: str | None = None
    blind: bool | None = None  #: whether the image was shown blind; None: it was if it waits for a blind answer


@dataclass(frozen=True, slots=True)
class GivenReview:
    """A stored review with what follows from it; ``repeated`` if the same request had made it before."""

    review: Review
    item: ImageItem
    repeated: bool
    ask_again: tuple[DetectionRecord, ...] = ()  #: boxes to show after a blind no, before a second answer
    waits_blind: bool = False  #: after an undo: the image is to be shown blind again


def clean_reviewer(name: str | None) -> str:
    """A reviewer's name, trimmed.

    Raises:
        InvalidInputError: there is none, or it is too long.
    """
    trimmed = " ".join((name or "").split())
    if not trimmed:
        raise InvalidInputError.on(
            "reviewer", "nobody has said who is reviewing: give your name on the page, or set TOUCHLINE_REVIEWER"
        )
    if len(trimmed) > 200:
        raise InvalidInputError.on("reviewer", "a name has at most 200 characters")
    return trimmed


def clean_note(text: str | None) -> str | None:
    """A note as it is kept: lines end alike, nothing around it; None where nothing is left.

    Raises:
        InvalidInputError: it has more than 2,000 characters.
    """
    note = (text or "").replace("\r\n", "\n").strip()
    if len(note) > MAX_NOTE:
        raise InvalidInputError.on("note", f"has {len(note)} characters; a note has at most {MAX_NOTE}")
    return note or None


def give_review(
    database: Database, clock: Clock, image_id: int, new: NewReview, dataset_id: int | None = None
) -> GivenReview:
    """Store a verdict on an image, in one transaction.

    Raises:
        NotFoundError: no such image.
        StaleReviewError: ``seen_review_id`` is not the latest row of the image.
        ConflictError: the request id has been used for something else.
        InvalidInputError: the image is not of ``dataset_id``; a box outside the image, without extent, or on an
            image of unknown size; a note that is too long.
    """
    new = replace(new, note=clean_note(new.note))
    with database.write() as session:
        _check_dataset(session, [image_id], dataset_id)
        repeated = find_repeat(session, image_id, new)
        if repeated is not None:
            return repeated
        _check_boxes(session, image_id, new.boxes)
        record = get_record(session, image_id)  # one that is not there is said before anything is asked of it
        look = find_asked(session, record, new.seen_review_id, new.reviewer, blind=new.blind)
        review = append(session, clock, image_id, _as_repeat(session, record, look, new))
        item = get_item(session, image_id)
        again = () if look is None else take_answer(session, look, review.id, new.verdict, item)
        return GivenReview(review, item, repeated=False, ask_again=again)


def _as_repeat(session: Session, record: ImageRecord, look: Look | None, new: NewReview) -> NewReview:
    """The answer to a repeat as it is stored: its card named no row, and by another person it is a second look.

    Whoever does not answer such a card, as the API's callers, names the latest row as everywhere.
    """
    if look is None or look.of_review_id is None:
        return new
    first = stored.find_review(session, look.of_review_id)
    return replace(
        new,
        seen_review_id=record.latest_review_id if new.blind and new.seen_review_id is None else new.seen_review_id,
        source=Source.REPEAT if first is not None and first.reviewer != new.reviewer else new.source,
    )


def _check_dataset(session: Session, image_ids: Sequence[int], dataset_id: int | None) -> None:
    if dataset_id is None:
        return
    possible = [image_id for image_id in image_ids if image_id <= MAX_ID]  # the others are not found where they count
    for record in find_images(session, possible).values():
        if record.dataset_id != dataset_id:
            raise InvalidInputError.on("image", f"image {record.id} is not of dataset {dataset_id}")


def find_repeat(session: Session, image_id: int, new: NewReview) -> GivenReview | None:
    """What the same request made before; None if it did not come before.

    Raises:
        ConflictError: its id has been used for something else.
    """
    before = None if new.request_id is None else stored.find_review_by_request(session, new.request_id)
    return None if before is None else _repeat(session, before, image_id, new)


def _repeat(session: Session, before: Review, image_id: int, new: NewReview) -> GivenReview:
    boxes = None if new.boxes is None else tuple(new.boxes)
    if (before.image_id, before.verdict, before.boxes, before.note) != (image_id, new.verdict, boxes, new.note):
        raise _used_already(before)
    item = get_item(session, image_id)
    return GivenReview(before, item, repeated=True, ask_again=find_boxes_again(session, item, before.id))


def _used_already(before: Review) -> ConflictError:
    return ConflictError(f"request_id {before.request_id} was used for another review")


def append(session: Session, clock: Clock, image_id: int, new: NewReview, batch_id: str | None = None) -> Review:
    """Add a verdict to an image's history, in the caller's transaction.

    Raises:
        NotFoundError: no such image.
        StaleReviewError: ``seen_review_id`` is not the latest row of the image.
    """
    record = get_record(session, image_id)
    history = stored.reviews_of_image(session, image_id)
    latest = history[-1].id if history else None
    if new.seen_review_id != latest:
        msg = f"image {image_id} has been reviewed since this card was made; look at it again"
        raise StaleReviewError(msg, latest)
    release(session, image_id)
    return stored.append_review(
        session,
        image_id=image_id,
        dataset_id=record.dataset_id,
        history=history,
        wanted=is_second_wanted(session, record, new.verdict, new.source),
        verdict=new.verdict,
        reviewer=new.reviewer,
        reviewed_at=clock(),
        spent_ms=new.spent_ms,
        boxes=None if new.boxes is None else [list(box) for box in new.boxes],
        image_sha256=record.sha256,
        request_id=new.request_id,
        batch_id=batch_id,
        source=new.source,
        note=new.note,
    )


def _check_boxes(session: Session, image_id: int, boxes: Sequence[Xyxy] | None) -> None:
    if not boxes:
        return
    record = get_record(session, image_id)
    width, height = record.width, record.height
    if width is None or height is None:
        why = record.unreadable or "no scan has read it yet"
        raise InvalidInputError.on("boxes", f"the size of image {image_id} is not known: {why}")
    for index, (x0, y0, x1, y1) in enumerate(boxes):
        if not (all(map(isfinite, (x0, y0, x1, y1))) and 0 <= x0 < x1 and 0 <= y0 < y1):
            raise InvalidInputError.on(f"boxes.{index}", "must be [x0, y0, x1, y1] with 0 <= x0 < x1 and 0 <= y0 < y1")
        if x1 > width or y1 > height:
            raise InvalidInputError.on(f"boxes.{index}", f"reaches beyond the image of {width} x {height} pixels")


def undo_review(
    database: Database,
    clock: Clock,
    review_id: int,
    reviewer: str,
    request_id: str | None = None,
    dataset_id: int | None = None,
) -> GivenReview:
    """Take a verdict back, with a row of its own.

    Raises:
        NotFoundError: no such review.
        ConflictError: it is undone already, or is not the one that counts for its image; or the request id has been
            used for something else.
        InvalidInputError: its image is not of ``dataset_id``.
    """
    with database.write() as session:
        if request_id is not None:
            before = stored.find_review_by_request(session, request_id)
            if before is not None and before.undoes != review_id:
                raise _used_already(before)
            if before is not None:
                return GivenReview(before, get_item(session, before.image_id), repeated=True)
        review = stored.find_review(session, review_id)
        if review is None:
            msg = f"no review {review_id}"
            raise NotFoundError(msg)
        _check_dataset(session, [review.image_id], dataset_id)
        undo = _append_undo(session, clock, review, reviewer, request_id)
        waits = find_pending(session, review.image_id) is not None
        return GivenReview(undo, get_item(session, review.image_id), repeated=False, waits_blind=waits)


def _append_undo(
    session: Session, clock: Clock, review: Review, reviewer: str, request_id: str | None = None
) -> Review:
    history = stored.reviews_of_image(session, review.image_id)
    effective = find_effective([row.fact for row in history])
    if effective is None or effective.review_id != review.id:
        msg = f"review {review.id} is not the verdict that counts for its image: it was undone or followed by another"
        raise ConflictError(msg)
    undo = stored.append_review(
        session,
        image_id=review.image_id,
        dataset_id=review.dataset_id,
        history=history,
        undoes=review.id,
        reviewer=reviewer,
        reviewed_at=clock(),
        request_id=request_id,
        source="undo",
    )
    reopen(session, review)
    return undo


def undo_latest(database: Database, clock: Clock, dataset_id: int, reviewer: str) -> GivenReview | None:
    """Take back a reviewer's latest verdict that still counts; None if there is none left."""
    with database.read() as session:
        latest = stored.latest_by(session, dataset_id, reviewer, 1)
    return undo_review(database, clock, latest[0].id, reviewer) if latest else None


@dataclass(frozen=True, slots=True)
class BatchEntry:
    """One image of a grid batch."""

    image_id: int
    seen_review_id: int | None
    verdict: Verdict | None = None  #: None: the batch's own


def give_batch(
    database: Database,
    clock: Clock,
    entries: Sequence[BatchEntry],
    verdict: Verdict,
    reviewer: str,
    batch_id: str,
    dataset_id: int | None = None,
) -> int:
    """Store a verdict on each of many images in one transaction: all of them or none. How many there are.

    An image takes its entry's verdict, or else ``verdict``. The same ``batch_id`` again changes nothing.

    Raises:
        InvalidInputError: no image, more than 500, or one that is not of ``dataset_id``.
        StaleReviewError: one of them was reviewed since the grid was made.
        ConflictError: ``batch_id`` has been used for other images or other verdicts.
    """
    if not 1 <= len(entries) <= MAX_BATCH:
        raise InvalidInputError.on("image", f"choose between 1 and {MAX_BATCH} images")
    with database.write() as session:
        _check_dataset(session, [entry.image_id for entry in entries], dataset_id)
        before = stored.reviews_of_batch(session, batch_id)
        if before:
            _check_repeat(before, {entry.image_id: entry.verdict or verdict for entry in entries})
            return len(before)
        for entry in entries:
            new = NewReview(entry.verdict or verdict, entry.seen_review_id, reviewer, "grid")
            append(session, clock, entry.image_id, new, batch_id)
    return len(entries)


def _check_repeat(before: Sequence[Review], wanted: Mapping[int, Verdict]) -> None:
    if {review.image_id: review.verdict for review in before} != wanted:
        msg = f"batch_id {before[0].batch_id} was used for other images or another verdict"
        raise ConflictError(msg)


def undo_batch(database: Database, clock: Clock, batch_id: str, reviewer: str, dataset_id: int | None = None) -> int:
    """Take back every verdict of a batch that still counts; how many there were.

    Raises:
        NotFoundError: no such batch.
        InvalidInputError: it is not of ``dataset_id``.
    """
    with database.write() as session:
        reviews = stored.reviews_of_batch(session, batch_id)
        if not reviews:
            msg = f"no batch {batch_id}"
            raise NotFoundError(msg)
        _check_dataset(session, [review.image_id for review in reviews], dataset_id)
        undone = 0
        for review in reviews:
            history = stored.reviews_of_image(session, review.image_id)
            effective = find_effective([row.fact for row in history])
            if effective is not None and effective.review_id == review.id:
                _append_undo(session, clock, review, reviewer)
                undone += 1
    return undone


@dataclass(frozen=True, slots=True)
class RecentVerdict:
    """One of a reviewer's latest verdicts."""

    review_id: int
    image_id: int
    name: str
    verdict: str
    verdict_text: str
    given_label: str
    upheld: bool | None
    tile_url: str
    reviewed_at: datetime


def list_recent(session: Session, dataset_id: int, reviewer: str, limit: int) -> tuple[RecentVerdict, ...]:
    """A reviewer's latest verdicts that still count, newest first."""
    latest = stored.latest_by(session, dataset_id, reviewer, limit)
    records = find_images(session, [review.image_id for review in latest])
    items = {item.record.id: item for item in load_items(session, list(records.values()))}
    return tuple(_recent(items[review.image_id], review) for review in latest)


def _recent(item: ImageItem, review: Review) -> RecentVerdict:
    verdict = review.verdict or Verdict.UNSURE
    return RecentVerdict(
        review_id=review.id,
        image_id=review.image_id,
        name=item.record.path.rpartition("/")[2],
        verdict=verdict,
        verdict_text=describe_verdict(item.dataset, verdict),
        given_label=item.given_label,
        upheld=upholds_flag(Side(item.record.given), verdict) if item.flags else None,
        tile_url=media_url(item.record, "rendition/tile"),
        reviewed_at=review.reviewed_at,
    )


def format_time(moment: datetime) -> str:
    """ISO 8601 in UTC: ``2026-11-23T02:40:00.123456Z``."""
    return moment.isoformat().replace("+00:00", "Z")


def parse_entries(values: Iterable[str]) -> list[BatchEntry]:
    """Grid fields ``"12:34"`` (image, latest review) or ``"12:"`` (none yet).

    Raises:
        InvalidInputError: a value of another form.
    """
    entries = []
    for value in values:
        image_id, _, seen = value.partition(":")
        if not (is_id(image_id) and (seen == "" or is_id(seen))):
            raise InvalidInputError.on("image", f"{value[:40]!r} is not of the form image:review")
        entries.append(BatchEntry(int(image_id), int(seen) if seen else None))
    return entries
