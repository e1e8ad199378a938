"""Two scans of one dataset with different detectors: who flags what, and what changes, image by image."""

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import pytest

from app.detector.base import Prepared
from app.domain.detections import Detection
from app.errors import InvalidInputError, NotFoundError
from app.services.comparing import ComparisonView, compare_scans
from app.services.scans import request_scan
from tests.parts import ColourDetector, Workshop, draw

FILES = {
    "football/both.png": 20,
    "football/only-a.png": 100,
    "football/only-b.png": 200,
    "football/neither.png": 250,
    "background/hot.png": 240,
    "background/cold.png": 0,
}


class OtherDetector(ColourDetector):
    """Another model: it is a quarter less sure, but sees the 100 as 200 and the 200 as 100."""

    def __init__(self) -> None:
        super().__init__("b" * 64)

    def detect(self, prepared: Sequence[Prepared]) -> list[list[Detection]]:
        """Answer otherwise than the first."""
        return [[self._other(found) for found in image] for image in super().detect(prepared)]

    def _other(self, found: Detection) -> Detection:
        swapped = {100 / 255: 200 / 255, 200 / 255: 100 / 255}
        return replace(found, confidence=swapped.get(found.confidence, found.confidence * 0.75))


@pytest.fixture
def compared(workshop: Workshop) -> Workshop:
    """A dataset scanned by two detectors; one image is there for the second alone."""
    root = workshop.fill(FILES)
    workshop.scan(workshop.add(root).id)
    draw(root / "background" / "late.png", 30, noise=200)
    workshop.scan(1, OtherDetector())
    return workshop


def compare(workshop: Workshop, a: int = 1, b: int = 2, **values: Any) -> ComparisonView:
    """Compare two scans."""
    return compare_scans(workshop.database, workshop.settings.worker, workshop.clock, a, b, **values)


def test_flags_are_counted_by_who_raises_them(compared: Workshop) -> None:
    """In all and by folder, over what both have scored; the rest is counted beside it."""
    view = compare(compared)
    counts = view.per_label["football"]
    assert (counts.both, counts.only_a, counts.only_b, counts.neither) == (1, 1, 1, 1)
    counts = view.per_label["background"]
    assert (counts.both, counts.only_a, counts.only_b, counts.neither) == (1, 0, 0, 1)
    assert (view.counts.images, view.only_scored_by_a, view.only_scored_by_b) == (6, 0, 1)


def test_the_mean_is_of_absolute_changes(compared: Workshop) -> None:
    """Two that cancel out are two changes all the same."""
    view = compare(compared)
    sizes = [abs(item.change) for item in view.items]
    assert view.counts.mean_change == pytest.approx(sum(sizes) / 6)
    assert sizes == sorted(sizes, reverse=True)
    assert sizes[0] == pytest.approx(100 / 255)


def test_every_image_says_what_changed(compared: Workshop) -> None:
    """Both scores, both flags, its folder, and where it can be looked at."""
    item = next(item for item in compare(compared).items if item.name == "only-a.png")
    assert (item.score_a, item.score_b) == pytest.approx((100 / 255, 200 / 255))
    assert (item.flagged_a, item.flagged_b, item.given_label, item.path) == (
        True,
        False,
        "football",
        "football/only-a.png",
    )
    assert (item.url, item.thumbnail.startswith(f"{item.url}/rendition/tile?v=")) == (f"/images/{item.image_id}", True)


def test_every_image_shows_where_each_is_surest(compared: Workshop) -> None:
    """The strongest box among what each looked for; none where nothing passed the floor."""
    items = {item.name: item for item in compare(compared).items}
    box_a, box_b = items["only-a.png"].box_a, items["only-a.png"].box_b
    assert box_a is not None
    assert box_b is not None
    assert (box_a.confidence, box_b.confidence) == pytest.approx((100 / 255, 200 / 255))
    assert (items["cold.png"].box_a, items["cold.png"].box_b) == (None, None)
    assert (items["only-a.png"].width, items["only-a.png"].height) == (16, 12)


def test_the_other_way_round_every_change_is_its_opposite(compared: Workshop) -> None:
    """In the same order."""
    there, back = compare(compared), compare(compared, 2, 1)
    assert [(item.image_id, item.change) for item in there.items] == [
        (item.image_id, -item.change) for item in back.items
    ]
    assert (there.counts.only_a, there.counts.only_b) == (back.counts.only_b, back.counts.only_a)


@pytest.mark.parametrize("limit", [1, 2, 5])
def test_pages_go_on_without_repeats(compared: Workshop, limit: int) -> None:
    """Also where two images change by as much."""
    found, cursor = [], None
    while True:
        page = compare(compared, cursor=cursor, limit=limit)
        found += [item.image_id for item in page.items]
        cursor = page.next
        if cursor is None:
            break
    assert found == [item.image_id for item in compare(compared).items]


def test_one_detector_is_nothing_to_compare(compared: Workshop) -> None:
    """Whatever its engine; neither are two datasets, nor a scan that has not begun."""
    compared.scan(1)
    with pytest.raises(InvalidInputError, match="scans 1 and 3 had the same detector, so there is nothing to compare"):
        compare(compared, 1, 3)
    compared.ready(FILES, "other")
    with pytest.raises(InvalidInputError, match="choose one dataset"):
        compare(compared, 1, 4)
    waiting = request_scan(compared.database, compared.settings.worker, compared.clock, 1).scan.id
    with pytest.raises(InvalidInputError, match="has not begun"):
        compare(compared, 1, waiting)
    with pytest.raises(NotFoundError):
        compare(compared, 1, 99)
