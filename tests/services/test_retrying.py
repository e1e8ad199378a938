"""Looking again at what could not be read."""

from pathlib import Path

import pytest

from app.errors import ConflictError, InvalidInputError, NotFoundError
from app.services.retrying import Retry, retry_unreadable
from app.services.scan_pages import view_scan_page
from tests.parts import Workshop, draw

FILES = {"football/a.png": 250, "background/b.png": 0}
BROKEN = ("football/x.jpg", "football/y.jpg", "background/z.jpg")


@pytest.fixture
def broken(workshop: Workshop) -> Workshop:
    """A scanned dataset with three files that are no images."""
    root = workshop.fill(FILES)
    for path in BROKEN:
        (root / path).write_bytes(b"\xff\xd8\xff\xe0 no more")
    workshop.scan(workshop.add(root).id)
    return workshop


def retry(workshop: Workshop, image_ids: list[int] | None = None) -> Retry:
    """Ask for another look."""
    return retry_unreadable(workshop.database, workshop.settings.worker, workshop.clock, 1, image_ids)


def log(workshop: Workshop) -> dict[str, bool]:
    """The log of unreadable images by path: whether each waits for a scan."""
    page = view_scan_page(workshop.database, workshop.settings, workshop.clock, 1)
    assert all(image.reason for image in page.unreadable)
    return {image.path: image.waiting for image in page.unreadable}


def root(workshop: Workshop) -> Path:
    """The root of the dataset."""
    return workshop.folder / "frames"


def test_all_are_looked_at_again(broken: Workshop) -> None:
    """By a scan that is queued for it; until then each keeps its reason and waits."""
    asked = retry(broken)
    assert (asked.images, asked.request.queued, asked.request.scan.status) == (3, True, "queued")
    assert log(broken) == dict.fromkeys(BROKEN, True)
    draw(root(broken) / BROKEN[0], 200)
    scan = broken.scan(1)
    assert (scan.id, scan.scored, scan.unreadable) == (asked.request.scan.id, 1, 2)
    assert log(broken) == dict.fromkeys(BROKEN[1:], False)


def test_some_are_looked_at_again(broken: Workshop) -> None:
    """The others are left as they are."""
    asked = retry(broken, [broken.image_id(1, BROKEN[1])])
    assert asked.images == 1
    assert log(broken) == {BROKEN[0]: False, BROKEN[1]: True, BROKEN[2]: False}


def test_a_scan_that_is_open_is_given(broken: Workshop) -> None:
    """No second one is queued."""
    first, second = retry(broken), retry(broken)
    assert (first.request.scan.id, second.request.queued) == (second.request.scan.id, False)


def test_what_is_not_unreadable_is_not_retried(broken: Workshop) -> None:
    """It is said, and no scan is queued."""
    readable = broken.image_id(1, "football/a.png")
    with pytest.raises(ConflictError, match="none of these images is unreadable"):
        retry(broken, [readable, 999, 1 << 60])
    with pytest.raises(InvalidInputError, match="at most 500"):
        retry(broken, list(range(1, 502)))
    with pytest.raises(NotFoundError):
        retry_unreadable(broken.database, broken.settings.worker, broken.clock, "nothing")
    broken.ready(FILES, "clean")
    with pytest.raises(ConflictError, match="no image is unreadable"):
        retry_unreadable(broken.database, broken.settings.worker, broken.clock, "clean")
    assert set(log(broken).values()) == {False}
