"""The examples of a report, and their pictures: few, small, and none of them a link to anywhere."""

from base64 import b64encode
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

from app.config import Settings
from app.domain.examples import ExampleKind, choose_examples
from app.domain.images import Side
from app.domain.reviewing import upholds_flag
from app.errors import ImageUnreadableError
from app.files.budget import PixelBudget
from app.files.pictures import encode_small, shrink_kept, shrink_source
from app.files.renditions import find_rendition
from app.services.images import BoxView, ImageItem, describe_verdict, load_items, picture_url, view_boxes
from app.services.renditions import rendition_sides, renditions_folder
from app.storage.database import Session
from app.storage.datasets import Dataset
from app.storage.examples import list_newest_called, list_suspicious_called
from app.storage.images import find_images
from app.storage.reviews import find_review

NEWEST = 250  #: verdicts that are looked through; most of them are called
LOOKED_THROUGH = 1_000  #: of the most suspicious images of each label, of which few may be called
SIDE_PX = 640
MOST_BYTES = 90_000  #: of one picture: 24 of them make less than 3 MB, also as text
BOXES = 3  #: strongest boxes of an image that are shown


@dataclass(frozen=True, slots=True)
class Example:
    """A called image as a report shows it; boxes are in pixels of the upright image."""

    image_id: int
    path: str
    sha256: str
    width: int
    height: int
    given_label: str
    verdict: str  #: in the dataset's own words
    final_label: str | None
    score: float | None
    flag: str | None  #: ``upheld``, ``overruled`` or ``raised`` (neither); None: it carries none
    reviewer: str
    reviewed_at: datetime
    note: str | None
    boxes: tuple[BoxView, ...]


@dataclass(frozen=True, slots=True)
class ExampleGroup:
    """Examples of one kind."""

    kind: ExampleKind
    examples: tuple[Example, ...]


def list_examples(session: Session, dataset: Dataset) -> tuple[ExampleGroup, ...]:
    """Examples of each kind that there is: the newest, then the most suspicious."""
    sources = [
        list_newest_called(session, dataset, NEWEST),
        *(list_suspicious_called(session, dataset, side, LOOKED_THROUGH) for side in Side),
    ]
    chosen = choose_examples(sources, dataset.threshold)
    records = find_images(session, [image_id for ids in chosen.values() for image_id in ids])
    items = {item.record.id: item for item in load_items(session, list(records.values()))}
    groups = [
        ExampleGroup(kind, tuple(_view(session, items[image_id]) for image_id in ids if _fits(items.get(image_id))))
        for kind, ids in chosen.items()
    ]
    return tuple(group for group in groups if group.examples)


def _fits(item: ImageItem | None) -> bool:
    """Whether an image is there with the very bytes that were called."""
    return item is not None and item.record.sha256 is not None and not item.record.verdict_outdated


def _view(session: Session, item: ImageItem) -> Example:
    record = item.record
    review = find_review(session, record.effective_review_id or 0)
    upholds = None if record.verdict is None else upholds_flag(record.given, record.verdict)
    boxes = [box for box in view_boxes(item) if box.target]
    return Example(
        image_id=record.id,
        path=record.path,
        sha256=record.sha256 or "",
        width=record.width or 1,
        height=record.height or 1,
        given_label=item.given_label,
        verdict=describe_verdict(item.dataset, record.verdict),
        final_label=item.final_label,
        score=record.score,
        flag={True: "upheld", False: "overruled", None: "raised"}[upholds] if item.flags else None,
        reviewer=review.reviewer if review else "",
        reviewed_at=record.reviewed_at or item.dataset.created_at,
        note=review.note if review else None,
        boxes=tuple(boxes[:BOXES]),
    )


def link_pictures(groups: tuple[ExampleGroup, ...]) -> dict[int, str]:
    """Where the app's own page finds the pictures of examples, by image."""
    return {
        example.image_id: picture_url(example.image_id, example.sha256, "rendition/tile")
        for group in groups
        for example in group.examples
    }


def embed_pictures(
    settings: Settings, budget: PixelBudget, root: str, groups: tuple[ExampleGroup, ...]
) -> dict[int, str]:
    """Small pictures of examples as ``data:`` URIs, by image; one that cannot be read any more has none."""
    found: dict[int, str] = {}
    for group in groups:
        for example in group.examples:
            content = _small(settings, budget, Path(root), example)
            if content is not None:
                found[example.image_id] = f"data:image/jpeg;base64,{b64encode(content).decode('ascii')}"
    return found


def _small(settings: Settings, budget: PixelBudget, root: Path, example: Example) -> bytes | None:
    """At most MOST_BYTES of JPEG: from the kept screen picture, else from the image itself, if it is still the same."""
    kept = find_rendition(renditions_folder(settings), example.sha256, "screen", rendition_sides(settings)["screen"])
    try:
        if kept is not None:
            return encode_small(shrink_kept(kept, SIDE_PX), SIDE_PX, MOST_BYTES)
        picture = shrink_source(root, example.path, example.sha256, SIDE_PX, settings.datasets.max_pixels, budget)
    except ImageUnreadableError:
        return None
    return None if picture is None else encode_small(picture, SIDE_PX, MOST_BYTES)
