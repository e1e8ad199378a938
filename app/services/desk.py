"""What lies on the review desk beside the image: enlargements, neighbours, a person's boxes and note."""

from dataclasses import dataclass, replace

from app.config import ReviewSettings
from app.services.alike import find_alike
from app.services.images import (
    BoxView,
    CropView,
    ImageItem,
    crop_window,
    describe_verdict,
    picture_url,
    view_boxes,
)
from app.storage.database import Session
from app.storage.datasets import find_guidelines
from app.storage.images import find_images
from app.storage.neighbours import Neighbour, find_neighbours
from app.storage.reviews import Review, reviews_of_image

CROPS = 3
NEIGHBOURS = 3  #: on each side
SIMILAR = 4
CUT_PX = 1024  #: the largest window that is cut from the original

Xyxy = tuple[float, float, float, float]


@dataclass(frozen=True, slots=True)
class Enlargement:
    """A place where the detector is confident, to be shown enlarged."""

    box: BoxView
    window: CropView
    url: str
    whole: bool  #: whether ``url`` is the whole picture; else it is the window alone, from the original


@dataclass(frozen=True, slots=True)
class Frame:
    """An image in a strip of neighbours."""

    image_id: int
    name: str
    tile_url: str
    score: float | None
    verdict: str | None
    verdict_text: str
    current: bool
    likeness: str = ""  #: how it resembles the present image, in words
    elsewhere: bool = False  #: it is filed in the other folder


@dataclass(frozen=True, slots=True)
class Desk:
    """What lies beside the image of one card."""

    enlargements: tuple[Enlargement, ...]
    frames: tuple[Frame, ...]  #: by file name, the present one among them
    similar: tuple[Frame, ...]  #: that look like it and are not among ``frames``: copies first, then the nearest
    before_id: int | None
    after_id: int | None
    human_boxes: tuple[Xyxy, ...] | None
    note: str
    guidelines: str


BARE = Desk((), (), (), None, None, None, "", "")


def view_desk_of(session: Session, settings: ReviewSettings, item: ImageItem) -> Desk:
    """Everything beside the image of a card that is not blind."""
    record = item.record
    before = find_neighbours(session, record.dataset_id, record.path, NEIGHBOURS, backwards=True)
    after = find_neighbours(session, record.dataset_id, record.path, NEIGHBOURS, backwards=False)
    here = Neighbour(record.id, record.path, record.sha256, record.score, record.verdict)
    draft = find_draft(reviews_of_image(session, record.id) if record.latest_review_id is not None else [])
    in_row = [*before, here, *after]
    return Desk(
        enlargements=view_enlargements(item, settings.screen_px),
        frames=tuple(_frame(item, each, current=each is here) for each in in_row),
        similar=_view_similar(session, item, {each.id for each in in_row}),
        before_id=before[-1].id if before else None,
        after_id=after[0].id if after else None,
        human_boxes=None if draft is None else draft.boxes,
        note="" if draft is None or draft.note is None else draft.note,
        guidelines=find_guidelines(session, record.dataset_id),
    )


def _view_similar(session: Session, item: ImageItem, shown: set[int]) -> tuple[Frame, ...]:
    """What looks like an image, without what its strip of file names shows already. Look-ups by id alone."""
    alike = find_alike(session, item.record.id, SIMILAR + len(shown), copied=item.record.duplicated)
    wanted = [each for each in alike if each[0] not in shown][:SIMILAR]
    if not wanted:
        return ()
    records = find_images(session, [image_id for image_id, _, _ in wanted])
    frames = []
    for image_id, exact, _ in wanted:
        record = records[image_id]
        likeness = "the same file" if exact else "looks alike"
        near = Neighbour(record.id, record.path, record.sha256, record.score, record.verdict)
        filed = item.dataset.labels.name(record.given)
        frames.append(
            replace(
                _frame(item, near, current=False),
                likeness=f"{likeness}, filed as {filed}",
                elsewhere=record.given is not item.record.given,
            )
        )
    return tuple(frames)


def find_draft(history: list[Review]) -> Review | None:
    """The verdict whose boxes and note the card begins with: the one in force, or the one that was just taken back.

    Who takes a verdict back wants to change a part of it, not to draw the boxes again.
    """
    if not history:
        return None
    latest = history[-1]
    wanted = latest.undoes if latest.undoes is not None else latest.id
    return next((review for review in history if review.id == wanted), None)


def view_enlargements(item: ImageItem, screen_px: int) -> tuple[Enlargement, ...]:
    """The strongest target boxes, each with a window; from the original where the screen's picture is smaller."""
    record = item.record
    if record.width is None or record.height is None:
        return ()
    fits = max(record.width, record.height) <= screen_px
    found = []
    for box in [box for box in view_boxes(item) if box.target][:CROPS]:
        window = crop_window(box, record.width, record.height)
        if window is None:
            continue
        whole = fits or window.size > CUT_PX  # of a large window the screen's picture shows all that there is to see
        url = picture_url(record.id, record.sha256, "rendition/screen" if whole else f"crop/{_square(window)}")
        found.append(Enlargement(box, window if whole else _whole_pixels(window), url, whole))
    return tuple(found)


def _whole_pixels(window: CropView) -> CropView:
    return CropView(int(window.x), int(window.y), max(1, int(window.size)))


def _square(window: CropView) -> str:
    whole = _whole_pixels(window)
    return f"{whole.x:.0f}-{whole.y:.0f}-{whole.size:.0f}"


def _frame(item: ImageItem, found: Neighbour, *, current: bool) -> Frame:
    return Frame(
        image_id=found.id,
        name=found.path.rpartition("/")[2],
        tile_url=picture_url(found.id, found.sha256, "rendition/tile"),
        score=found.score,
        verdict=found.verdict,
        verdict_text="" if found.verdict is None else describe_verdict(item.dataset, found.verdict),
        current=current,
    )
