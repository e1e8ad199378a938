"""Images as the API and the pages show them, and the list with its filters and cursors."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from pathlib import PurePosixPath
from time import monotonic
from uuid import uuid4

from app.domain.flagging import Copies, Flag, FlagReason
from app.domain.images import Side
from app.domain.reviewing import ReviewFact, Verdict, final_side, find_effective
from app.errors import InvalidInputError, NotFoundError
from app.services.cursors import decode_cursor, decode_cut, encode_cursor, encode_cut
from app.services.datasets import DatasetView, get_dataset, view_dataset
from app.services.flags import flags_of
from app.services.scans import DetectorView, view_detector
from app.storage import images as stored
from app.storage.browsing import LAST_ID, START, Cut, name_order, walk
from app.storage.database import Database, Session
from app.storage.datasets import Dataset, find_dataset
from app.storage.duplicates import count_copies
from app.storage.images import DetectionRecord, ImageFilter, ImageRecord
from app.storage.narrowing import Wanted
from app.storage.numbering import find_number
from app.storage.relocations import moves_of_image
from app.storage.reviews import Review, reviews_of_image
from app.storage.scans import list_scans

BUDGET_S = 0.04  #: that looking for the images of a page may take


@dataclass(frozen=True, slots=True)
class ImageItem:
    """An image with everything that is known of it."""

    record: ImageRecord
    dataset: Dataset
    boxes: tuple[DetectionRecord, ...]
    flags: tuple[Flag, ...]
    blind: bool = False  #: to be shown without anything that is known of it

    @property
    def given_label(self) -> str:
        """The folder's label."""
        return self.dataset.labels.name(self.record.given)

    @property
    def final_label(self) -> str | None:
        """The label that follows from the verdict or from a sign-off, where either was given on these very bytes."""
        if self.record.verdict_outdated:
            return None
        signed_off = self.record.signed and not self.flags and self.record.unsettled is None
        side = final_side(self.record.given, self.record.verdict, signed_off=signed_off)
        return None if side is None else self.dataset.labels.name(side)

    @property
    def targets(self) -> tuple[str, ...]:
        """Class names that mean that the object is there."""
        return self.dataset.target_classes or ()


@dataclass(frozen=True, slots=True)
class BoxView:
    """A detected box, in pixels of the upright image."""

    x0: float
    y0: float
    x1: float
    y1: float
    confidence: float
    class_name: str
    target: bool


@dataclass(frozen=True, slots=True)
class CropView:
    """A square window, in pixels of the upright image."""

    x: float
    y: float
    size: float


@dataclass(frozen=True, slots=True)
class ReviewItem:
    """One image on the review desk."""

    image_id: int
    path: str
    name: str
    given_label: str
    width: int
    height: int
    score: float | None
    boxes: tuple[BoxView, ...]
    crop: CropView | None
    reasons: tuple[str, ...]
    verdict: str | None
    review_id: int | None
    screen_url: str
    tile_url: str
    file_url: str
    request_id: str


@dataclass(frozen=True, slots=True)
class Tile:
    """One image in a grid."""

    image_id: int
    name: str
    path: str
    given_label: str
    score: float | None
    tile_url: str
    width: int
    height: int
    boxes: tuple[BoxView, ...]
    review_id: int | None
    verdict: str | None
    verdict_text: str | None
    flags: tuple[str, ...]


def load_items(session: Session, records: Sequence[ImageRecord]) -> list[ImageItem]:
    """Records with their dataset, boxes and flags."""
    datasets: dict[int, Dataset] = {}
    for record in records:
        if record.dataset_id not in datasets:
            datasets[record.dataset_id] = get_dataset(session, record.dataset_id)
    detectors = {record.id: datasets[record.dataset_id].detector_id for record in records}
    boxes = stored.detections_of(session, [record.id for record in records], detectors)
    return [
        _item(record, datasets[record.dataset_id], boxes[record.id], _elsewhere(session, record)) for record in records
    ]


def _elsewhere(session: Session, record: ImageRecord) -> Copies | None:
    """Its exact copies in the other folder."""
    if not record.duplicate_conflict or record.sha256 is None:
        return None
    return count_copies(session, record.dataset_id, record.sha256, record.given.other)


def _item(
    record: ImageRecord, dataset: Dataset, boxes: Sequence[DetectionRecord], elsewhere: Copies | None
) -> ImageItem:
    flags = flags_of(record, dataset, elsewhere)
    return ImageItem(record, dataset, tuple(boxes) if record.score is not None else (), flags)


def get_record(session: Session, image_id: int) -> ImageRecord:
    """An image by id.

    Raises:
        NotFoundError: there is none.
    """
    record = stored.find_image(session, image_id)
    if record is None:
        msg = f"no image {image_id}"
        raise NotFoundError(msg)
    return record


def get_item(session: Session, image_id: int) -> ImageItem:
    """An image by id, with its boxes and flags.

    Raises:
        NotFoundError: there is none.
    """
    return load_items(session, [get_record(session, image_id)])[0]


def media_url(record: ImageRecord, kind: str) -> str:
    """Where the browser gets a picture; with the hash in it, so that it may be kept for ever."""
    return picture_url(record.id, record.sha256, kind)


def picture_url(image_id: int, sha256: str | None, kind: str) -> str:
    """The same of an image that is known by id and hash alone."""
    return f"/images/{image_id}/{kind}" + (f"?v={sha256}" if sha256 else "")


def describe_verdict(dataset: Dataset, verdict: str | None) -> str:
    """A verdict in the dataset's own words: ``football``, ``no football``, ``unsure``, ``discard``."""
    return {
        None: "taken back",
        Verdict.POSITIVE.value: dataset.positive,
        Verdict.NEGATIVE.value: f"no {dataset.positive}",
    }.get(verdict, verdict or "")


def view_boxes(item: ImageItem) -> tuple[BoxView, ...]:
    """Every stored box, strongest first."""
    targets = item.targets
    return tuple(
        BoxView(box.x0, box.y0, box.x1, box.y1, box.confidence, box.class_name, box.class_name in targets)
        for box in item.boxes
    )


def view_review_item(item: ImageItem) -> ReviewItem:
    """An image for the review desk."""
    record = item.record
    boxes = view_boxes(item)
    width, height = record.width or 1, record.height or 1
    return ReviewItem(
        image_id=record.id,
        path=record.path,
        name=PurePosixPath(record.path).name,
        given_label=item.given_label,
        width=width,
        height=height,
        score=record.score,
        boxes=boxes,
        crop=crop_window(next((box for box in boxes if box.target), None), width, height),
        reasons=tuple(flag.detail for flag in item.flags),
        verdict=record.verdict,
        review_id=record.latest_review_id,
        screen_url=media_url(record, "rendition/screen"),
        tile_url=media_url(record, "rendition/tile"),
        file_url=media_url(record, "file"),
        request_id=str(uuid4()),
    )


def crop_window(box: BoxView | None, width: int, height: int) -> CropView | None:
    """A square around a box, three times its longer side and at least 48 pixels, moved to lie inside the image."""
    if box is None:
        return None
    size = min(max(3 * max(box.x1 - box.x0, box.y1 - box.y0), 48.0), float(min(width, height)))
    x = (box.x0 + box.x1 - size) / 2
    y = (box.y0 + box.y1 - size) / 2
    return CropView(min(max(x, 0.0), width - size), min(max(y, 0.0), height - size), size)


def view_tile(item: ImageItem) -> Tile:
    """An image for a grid."""
    record = item.record
    return Tile(
        image_id=record.id,
        name=PurePosixPath(record.path).name,
        path=record.path,
        given_label=item.given_label,
        score=record.score,
        tile_url=media_url(record, "rendition/tile"),
        width=record.width or 1,
        height=record.height or 1,
        boxes=view_boxes(item),
        review_id=record.latest_review_id,
        verdict=record.verdict,
        verdict_text=None if record.verdict is None else describe_verdict(item.dataset, record.verdict),
        flags=tuple(str(flag.reason) for flag in item.flags),
    )


@dataclass(frozen=True, slots=True)
class ImageQuery:
    """A list's query string, as it came."""

    dataset: str | None = None
    flag: str | None = None
    reviewed: bool | None = None
    given: str | None = None
    verdict: str | None = None
    order: str = "suspicion"
    cursor: str | None = None
    limit: int = 50
    reviewer: str | None = None
    folder: str | None = None
    text: str | None = None
    min_score: float | None = None
    max_score: float | None = None
    number: int | None = None  #: begin with the image of this number, from 1 on
    at_score: float | None = None  #: begin with the first image of at most this score, in the order of scores
    backwards: bool = False  #: the page before the cursor


@dataclass(frozen=True, slots=True)
class ImageList:
    """A page of images, and the cursors of the next and of the one before."""

    items: tuple[ImageItem, ...]
    next: str | None
    previous: str | None = None
    passed: int = 0  #: images that were looked at for it


def list_items(database: Database, query: ImageQuery) -> ImageList:
    """A page of images.

    Raises:
        NotFoundError: no such dataset.
        InvalidInputError: an unknown flag, label, verdict or order, or a cursor of another order.
    """
    with database.read() as session:
        wanted = _filter(session, query)
        if query.dataset is not None:
            return _browse(session, query, wanted)
        _refuse_without_dataset(query)
        after = None if query.cursor is None else decode_cursor(query.cursor, query.order)
        found = stored.list_images(session, wanted, query.order, after, query.limit + 1)
        page = found[: query.limit]
        following = encode_cursor(query.order, page[-1][1], page[-1][0].id) if len(found) > len(page) else None
        return ImageList(tuple(load_items(session, [record for record, _ in page])), following)


def _browse(session: Session, query: ImageQuery, wanted: ImageFilter) -> ImageList:
    """The same of one dataset: in bounded time, so a page may come short where few images match; it then goes on."""
    dataset = get_dataset(session, query.dataset or "")
    narrowed = _narrow(query, wanted)
    order, cut = _start(session, dataset, query, narrowed)
    until = monotonic() + BUDGET_S

    def late() -> bool:
        return monotonic() > until

    backwards = query.backwards and query.cursor is not None
    found = walk(session, dataset, narrowed, order, cut, query.limit, late, backwards=backwards)
    if backwards and found.ended:  # the first page is a whole one
        backwards = False
        found = walk(session, dataset, narrowed, order, START, query.limit, late)
    records = stored.find_images(session, found.ids)
    items = load_items(session, [records[image_id] for image_id in found.ids if image_id in records])
    return ImageList(
        tuple(items),
        None if found.ended and not backwards else encode_cut(order, found.end),
        None if found.start == START else encode_cut(order, found.start),
        found.passed,
    )


def _start(session: Session, dataset: Dataset, query: ImageQuery, narrowed: Wanted) -> tuple[str, Cut]:
    """The order that is meant, and where in it the page begins."""
    if query.cursor is not None:
        return decode_cut(query.cursor, query.order)
    order = name_order(session, dataset, narrowed, query.order)
    if query.at_score is not None:
        if order != "score":
            raise InvalidInputError.on("at_score", "needs the order score")
        return order, ((query.at_score, LAST_ID), (query.at_score, LAST_ID), *START[2:])
    if query.number is not None:
        return order, find_number(session, dataset, narrowed, order, query.number)
    return order, START


def narrow_query(session: Session, query: ImageQuery) -> Wanted:
    """The filters of a query.

    Raises:
        NotFoundError: no such dataset.
        InvalidInputError: an unknown flag, label, verdict or order.
    """
    return _narrow(query, _filter(session, query))


def _narrow(query: ImageQuery, wanted: ImageFilter) -> Wanted:
    folder = None if query.folder is None else query.folder.strip().strip("/")
    return Wanted(
        flagged=wanted.flagged,
        duplicate_conflict=wanted.duplicate_conflict,
        second_opinion=wanted.second_opinion,
        unreadable=wanted.unreadable,
        reviewed=wanted.reviewed,
        given=wanted.given,
        verdict=wanted.verdict,
        reviewer=query.reviewer or None,
        folder=folder or None,
        text=query.text or None,
        min_score=query.min_score,
        max_score=query.max_score,
    )


def _refuse_without_dataset(query: ImageQuery) -> None:
    needing = ("reviewer", "folder", "text", "min_score", "max_score", "number", "at_score")
    asked = next((name for name in needing if getattr(query, name) is not None), None)
    if asked is not None:
        raise InvalidInputError.on(asked, "needs a dataset")


def _filter(session: Session, query: ImageQuery) -> ImageFilter:
    dataset = None if query.dataset is None else get_dataset(session, query.dataset)
    if query.order not in stored.ORDERS:
        raise InvalidInputError.on("order", f"must be one of {', '.join(stored.ORDERS)}")
    return ImageFilter(
        dataset_id=None if dataset is None else dataset.id,
        flagged=True if query.flag == FlagReason.DISAGREEMENT else None,
        unreadable=True if query.flag == FlagReason.UNREADABLE else None,
        duplicate_conflict=True if query.flag == FlagReason.DUPLICATE_CONFLICT else None,
        second_opinion=True if query.flag == FlagReason.SECOND_OPINION else None,
        reviewed=query.reviewed,
        given=_side(query, dataset),
        verdict=_choice("verdict", query.verdict, Verdict),
    )


def _choice(loc: str, value: str | None, kind: type[Verdict]) -> Verdict | None:
    if value is None:
        return None
    try:
        return kind(value)
    except ValueError as error:
        raise InvalidInputError.on(loc, f"must be one of {', '.join(kind)}") from error


def _side(query: ImageQuery, dataset: Dataset | None) -> Side | None:
    if query.flag is not None and query.flag not in list(FlagReason):
        raise InvalidInputError.on("flag", f"must be one of {', '.join(FlagReason)}")
    if query.given is None:
        return None
    names = {side.value: side for side in Side}
    if dataset is not None:
        names = {dataset.positive: Side.POSITIVE, dataset.negative: Side.NEGATIVE}
    if query.given not in names:
        raise InvalidInputError.on("given", f"must be one of {', '.join(names)}")
    return names[query.given]


@dataclass(frozen=True, slots=True)
class HistoryRow:
    """One row of an image's history."""

    review_id: int
    verdict: str | None
    verdict_text: str
    reviewer: str
    reviewed_at: datetime
    undoes: int | None
    spent_ms: int | None
    effective: bool  #: its verdict is the one that stands
    note: str | None
    boxes: int | None  #: how many were drawn or accepted; None where nobody looked at boxes
    undoable: bool  #: it is the latest that was not undone


@dataclass(frozen=True, slots=True)
class ImageMove:
    """One file operation on an image."""

    relocation_id: int
    source: str
    destination: str
    sha256: str
    state: str
    error: str | None


@dataclass(frozen=True, slots=True)
class OtherScore:
    """What one detector said of an image, and whether it is the one whose scores count."""

    model: str
    weights: str
    score: float
    scored_at: datetime
    counts: bool


@dataclass(frozen=True, slots=True)
class Around:
    """Where the list goes on from an image, and the list itself."""

    previous_url: str | None
    next_url: str | None
    list_url: str


@dataclass(frozen=True, slots=True)
class ImageDetail:
    """An image with its whole history."""

    item: ReviewItem
    dataset: DatasetView
    sha256: str | None
    size_bytes: int
    flags: tuple[str, ...]
    unreadable_reason: str | None
    final_label: str | None
    history: tuple[HistoryRow, ...]
    moves: tuple[ImageMove, ...]
    detector: DetectorView | None
    scores: tuple[OtherScore, ...]
    human_boxes: tuple[tuple[float, float, float, float], ...] | None  #: of the verdict in force
    around: Around | None = None


@dataclass(frozen=True, slots=True)
class FullImage:
    """An image with its reviews and moves, for the API."""

    item: ImageItem
    reviews: tuple[Review, ...]
    moves: tuple[ImageMove, ...]


def get_full_image(database: Database, image_id: int) -> FullImage:
    """An image with its history.

    Raises:
        NotFoundError: there is none.
    """
    with database.read() as session:
        return FullImage(
            get_item(session, image_id), tuple(reviews_of_image(session, image_id)), _moves(session, image_id)
        )


def _moves(session: Session, image_id: int) -> tuple[ImageMove, ...]:
    return tuple(
        ImageMove(move.relocation_id, move.source, move.destination, move.sha256, move.state, move.error)
        for move in moves_of_image(session, image_id)
    )


def view_image_detail(database: Database, image_id: int) -> ImageDetail:
    """The page of one image.

    Raises:
        NotFoundError: there is none.
    """
    full = get_full_image(database, image_id)
    record, dataset = full.item.record, full.item.dataset
    with database.read() as session:
        dataset = find_dataset(session, dataset.id) or dataset
        view = view_dataset(session, dataset)
        scans = list_scans(session, dataset.id, limit=1)
        scores = stored.scores_of_image(session, image_id)
    return ImageDetail(
        item=view_review_item(full.item),
        dataset=view,
        sha256=record.sha256,
        size_bytes=record.size_bytes,
        flags=tuple(str(flag.reason) for flag in full.item.flags),
        unreadable_reason=record.unreadable,
        final_label=full.item.final_label,
        history=_history(full),
        moves=full.moves,
        detector=view_detector(scans[0].detector) if scans else None,
        scores=tuple(
            OtherScore(model, weights[:12], score, scored_at, detector_id == dataset.detector_id)
            for detector_id, model, weights, score, scored_at in scores
        ),
        human_boxes=next((row.boxes for row in full.reviews if row.id == record.effective_review_id), None),
    )


def _history(full: FullImage) -> tuple[HistoryRow, ...]:
    latest = find_effective([review.fact for review in full.reviews])
    return tuple(_history_row(review, full.item, latest) for review in full.reviews)


def _history_row(review: Review, item: ImageItem, latest: ReviewFact | None) -> HistoryRow:
    return HistoryRow(
        review_id=review.id,
        verdict=review.verdict,
        verdict_text=describe_verdict(item.dataset, review.verdict),
        reviewer=review.reviewer,
        reviewed_at=review.reviewed_at,
        undoes=review.undoes,
        spent_ms=review.spent_ms,
        effective=review.id == item.record.effective_review_id,
        note=review.note,
        boxes=None if review.boxes is None else len(review.boxes),
        undoable=latest is not None and review.id == latest.review_id,
    )
