"""Renditions made during a scan: which, of what, and how much of the disk they may take."""

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from time import monotonic, sleep

import pytest
from PIL import Image

from app.config import Settings
from app.domain.detections import DetectorIdentity
from app.files.budget import PixelBudget
from app.files.renditions import RenditionSize
from app.services.media import cut_original, get_rendition
from app.services.renditions import estimate_renditions
from tests.parts import ColourDetector, Workshop, draw


class Modest(ColourDetector):
    """Is content with few pixels."""

    @property
    def enough_px(self) -> int | None:
        return 64


class Another(ColourDetector):
    """Scores everything anew."""

    @property
    def identity(self) -> DetectorIdentity:
        return DetectorIdentity("another", None, "f" * 64, "none", 0)


def chosen(workshop: Workshop, **renditions: object) -> Settings:
    """Settings with another section of renditions."""
    settings = workshop.settings
    return settings.model_copy(update={"renditions": settings.renditions.model_copy(update=renditions)})


def kept(workshop: Workshop) -> dict[str, tuple[int, int]]:
    """``tile`` and ``screen`` files by kind, with their sizes; several of a kind are numbered."""
    found: dict[str, tuple[int, int]] = {}
    for path in sorted((workshop.settings.data_dir / "renditions").rglob("*.jpg")):
        kind = path.name.split("-")[1]
        with Image.open(path) as picture:
            found[kind if kind not in found else f"{kind} {len(found)}"] = picture.size
    return found


def large(workshop: Workshop, extension: str = "jpg", size: tuple[int, int] = (4000, 3000)) -> Path:
    """A dataset of one large photograph."""
    root = workshop.folder / "frames"
    (root / "background").mkdir(parents=True)
    draw(root / "football" / f"a.{extension}", 200, size=size)
    workshop.add(root)
    return root


@pytest.mark.parametrize(
    ("during_scan", "expected"),
    [
        ("all", {"screen": (2000, 1500), "tile": (320, 240)}),
        ("tile", {"tile": (320, 240)}),
        ("off", {}),
    ],
)
def test_a_scan_makes_what_is_asked_for(
    workshop: Workshop, during_scan: str, expected: dict[str, tuple[int, int]]
) -> None:
    """From the same decode, which is reduced as far as both the detector and the screen allow."""
    large(workshop)
    assert workshop.scan(1, Modest(), chosen(workshop, during_scan=during_scan)).status == "done"
    assert kept(workshop) == expected


def test_what_the_scan_made_is_what_the_browser_gets(workshop: Workshop) -> None:
    """Nothing is decoded for it again."""
    root = large(workshop, "png")
    workshop.scan(1)
    (root / "football" / "a.png").unlink()
    wanted: dict[RenditionSize, tuple[int, int]] = {"tile": (320, 240), "screen": (2048, 1536)}
    for size, sides in wanted.items():
        rendition = get_rendition(workshop.database, workshop.settings, PixelBudget(10**9), 1, size)
        assert isinstance(rendition.kept, Path)
        with Image.open(rendition.kept) as picture:
            assert picture.size == sides


def test_an_image_that_fits_the_screen_gets_a_tile_only(workshop: Workshop) -> None:
    """It can be shown as it is."""
    root = large(workshop, "jpg", (640, 480))
    workshop.scan(1)
    assert kept(workshop) == {"tile": (320, 240)}
    rendition = get_rendition(workshop.database, workshop.settings, PixelBudget(10**9), 1, "screen")
    assert (rendition.kept, rendition.media_type) == ((root / "football" / "a.jpg").read_bytes(), "image/jpeg")
    assert kept(workshop) == {"tile": (320, 240)}


def test_bytes_that_were_never_decoded_are_not_shown_as_they_are(workshop: Workshop) -> None:
    """A file that changed since the scan is decoded first."""
    root = large(workshop, "jpg", (640, 480))
    workshop.scan(1)
    draw(root / "football" / "a.jpg", 50, size=(320, 200))
    rendition = get_rendition(workshop.database, workshop.settings, PixelBudget(10**9), 1, "screen")
    assert isinstance(rendition.kept, Path)
    assert rendition.sha256 in rendition.kept.name


def test_the_limit_ends_the_making_and_not_the_scan(workshop: Workshop) -> None:
    """What is missing then is made on demand."""
    root = workshop.folder / "frames"
    for number in range(6):
        draw(root / ("football" if number % 2 else "background") / f"{number}.png", 100 + number, size=(400, 300))
    workshop.add(root)
    scan = workshop.scan(1, settings=chosen(workshop, max_gb=2e-6))
    made = len(kept(workshop))
    assert (scan.status, scan.scored) == ("done", 6)
    assert 0 < made < 6
    for image_id in range(1, 7):
        get_rendition(workshop.database, workshop.settings, PixelBudget(10**9), image_id, "tile")
    assert len(kept(workshop)) == 6


def test_a_disk_that_takes_no_more_ends_the_making_and_not_the_scan(workshop: Workshop) -> None:
    """A folder that is none stands for a full disk."""
    large(workshop)
    (workshop.settings.data_dir / "renditions").write_text("in the way")
    scan = workshop.scan(1)
    assert (scan.status, scan.scored) == ("done", 1)


def test_the_estimate_covers_what_a_scan_makes(workshop: Workshop) -> None:
    """Shown before the scan; afterwards there is nothing left to make."""
    large(workshop)
    dataset = workshop.dataset(1)
    estimate = estimate_renditions(workshop.database, workshop.settings, dataset)
    workshop.scan(1)
    folder = workshop.settings.data_dir / "renditions"
    assert sum(path.stat().st_size for path in folder.rglob("*.jpg")) <= estimate
    assert estimate == pytest.approx(320 * 240 * 0.35 + 2048 * 1536 * 0.6, rel=0.01)
    assert estimate_renditions(workshop.database, workshop.settings, workshop.dataset(1)) == 0


def test_the_estimate_follows_the_settings(workshop: Workshop) -> None:
    """Tiles alone, nothing at all, or no more than the limit leaves."""
    large(workshop)
    dataset = workshop.dataset(1)

    def estimate(**renditions: object) -> int:
        return estimate_renditions(workshop.database, chosen(workshop, **renditions), dataset)

    assert estimate(during_scan="tile") == pytest.approx(320 * 240 * 0.35, rel=0.01)
    assert estimate(during_scan="off") == 0
    assert estimate(max_gb=0.000_01) == 10_000


def test_images_of_unknown_size_are_taken_for_the_mean_of_the_others(workshop: Workshop) -> None:
    """Before anything is decoded they count as square tiles."""
    workshop.add(workshop.fill({"football/a.png": 1, "background/b.png": 2}))
    with workshop.database.engine.begin() as connection:
        connection.exec_driver_sql("UPDATE images SET width = 320, height = 160 WHERE id = 1")
        connection.exec_driver_sql("UPDATE images SET width = NULL, height = NULL WHERE id = 2")
    dataset = workshop.dataset(1)
    assert estimate_renditions(workshop.database, workshop.settings, dataset) == int(2 * 320 * 160 * 0.35)
    with workshop.database.engine.begin() as connection:
        connection.exec_driver_sql("UPDATE images SET width = NULL, height = NULL")
    assert estimate_renditions(workshop.database, workshop.settings, dataset) == int(2 * 320 * 320 * 0.35)


@pytest.mark.parametrize(
    "make",
    [
        lambda workshop, budget: get_rendition(workshop.database, workshop.settings, budget, 1, "tile").kept,
        lambda workshop, budget: get_rendition(workshop.database, workshop.settings, budget, 1, "screen").kept,
        lambda workshop, budget: cut_original(workshop.database, workshop.settings, budget, 1, (0, 0, 10))[0],
    ],
    ids=["tile", "screen", "crop"],
)
def test_a_picture_made_on_demand_waits_for_room(
    workshop: Workshop, make: Callable[[Workshop, PixelBudget], Path | bytes]
) -> None:
    """A folder of huge images and a page of them: never more pixels in memory than there is room for."""
    large(workshop, "png")
    workshop.scan(1, settings=chosen(workshop, during_scan="off"))
    budget = PixelBudget(4000 * 3000)
    budget.take(1)
    with ThreadPoolExecutor(1) as pool:
        made = pool.submit(make, workshop, budget)
        until = monotonic() + 30
        while not budget.waiting and not made.done() and monotonic() < until:
            sleep(0.01)
        assert (budget.waiting, made.done()) == (1, False)
        budget.change(-1)
        assert made.result(30)
    assert budget.held == 0
