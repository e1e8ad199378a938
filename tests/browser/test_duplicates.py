"""Duplicates in a real browser: accessible in every state, carried by one key, taken back, and without JavaScript."""

import shutil
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from playwright.sync_api import Page, expect

from app.config import Settings
from app.services.clock import utc_now
from app.storage.database import Database
from tests.browser.conftest import Server, Tab, serving
from tests.browser.looking import find_violations
from tests.browser.test_whole_loop import SEEN
from tests.parts import Workshop
from tests.services.test_duplicates import scene

LONG = 'a frame <b>exported<i> & "saved" again by somebody who likes long names, a second time.png'


@pytest.fixture(scope="module")
def copied(tmp_path_factory: pytest.TempPathFactory, migrated: Path) -> Iterator[Server]:
    """A server without a worker: a scene in both folders and twice in one, a smaller version, and other scenes."""
    folder = tmp_path_factory.mktemp("copied")
    settings = Settings(data_dir=folder / "var", datasets={"allowed_roots": (folder,)})
    settings.data_dir.mkdir()
    database = Database(settings.url)
    shutil.copyfile(migrated, str(database.engine.url.database))
    workshop = Workshop(folder, database, settings, utc_now)  # type: ignore[arg-type]
    root = workshop.folder / "frames"
    picture = scene(root / "football/one.png", 1)
    shutil.copy(root / "football/one.png", root / "football/two.png")
    (root / "background").mkdir()
    shutil.copy(root / "football/one.png", root / "background" / LONG)
    picture.resize((200, 150)).save(root / "background/small.jpg", quality=70)
    for seed in range(2, 5):
        scene(root / f"background/other-{seed}.jpg", seed)
        shutil.copy(root / f"background/other-{seed}.jpg", root / f"background/again-{seed}.jpg")
    workshop.scan(workshop.add(root).id)
    workshop.call(workshop.image_id(1, "background/other-2.jpg"), "negative")
    workshop.call(workshop.image_id(1, "background/other-3.jpg"), "negative")
    workshop.call(workshop.image_id(1, "background/again-3.jpg"), "positive")
    database.dispose()
    with serving(folder, "--no-worker") as server:
        yield server


@pytest.fixture
def show(copied: Server, open_tab: Callable[..., Tab]) -> Callable[..., Page]:
    """Opens a page of that server."""

    def open_one(path: str, **options: object) -> Page:
        page = open_tab(reviewer=None, **options).page
        page.context.add_cookies([{"name": "touchline_reviewer", "value": "Ada", "url": copied.base}])
        page.goto(copied.base + path)
        return page

    return open_one


def image_id(server: Server, name: str) -> int:
    """An image by the name of its file."""
    items = server.get("/api/images?dataset=1&limit=500")["items"]
    return int(next(item["id"] for item in items if item["path"].endswith("/" + name)))


def verdicts(server: Server) -> dict[str, str | None]:
    """Verdicts of the copies of one scene, by path."""
    items = server.get("/api/images?dataset=1&flag=duplicate_conflict")["items"]
    return {item["path"]: item["verdict"] for item in items}


@pytest.mark.parametrize("theme", ["dark", "light"])
@pytest.mark.parametrize("width", [1440, 390])
def test_accessible(copied: Server, show: Callable[..., Page], theme: str, width: int) -> None:
    """axe finds nothing on the list, on a page of one kind, on an image's page and on the desk that offers."""
    page = show("/duplicates", viewport={"width": width, "height": 844})
    page.context.add_cookies([{"name": "touchline_theme", "value": theme, "url": copied.base}])
    one, other = image_id(copied, "one.png"), image_id(copied, "other-2.jpg")
    third = image_id(copied, "other-3.jpg")
    paths = ["/duplicates?dataset=1", "/duplicates?dataset=1&kind=near", f"/duplicates?kind=exact&after={'f' * 64}"]
    found: dict[str, list[str]] = {}
    for path in [*paths, f"/images/{one}", f"/images/{other}", f"/review?called={other}", f"/review?called={third}"]:
        page.goto(copied.base + path)
        if violations := find_violations(page):
            found[path] = violations
    assert found == {}


def test_carried_by_one_key_and_taken_back(copied: Server, show: Callable[..., Page]) -> None:
    """The verdict alone first; then C gives it to the copies, the live region says so, and its undo takes it back."""
    page = show(f"/review?dataset=1&image={image_id(copied, 'one.png')}")
    page.wait_for_function(SEEN)
    page.wait_for_timeout(300)
    page.keyboard.press("1")
    expect(page.get_by_text("2 exact copies of one.png")).to_be_visible()
    assert sum(verdict is not None for verdict in verdicts(copied).values()) == 1

    page.wait_for_function(SEEN)
    page.wait_for_timeout(300)
    page.keyboard.press("c")
    expect(page.locator("#live")).to_contain_text("football: 2 exact copies too")
    assert set(verdicts(copied).values()) == {"positive"}

    page.wait_for_timeout(300)
    page.get_by_role("button", name="Undo for the copies").click()
    expect(page.locator("#live")).to_contain_text("Taken back for 2 exact copies")
    expect(page.get_by_text("2 exact copies of one.png")).to_be_visible()
    assert sum(verdict is not None for verdict in verdicts(copied).values()) == 1


def test_carried_from_the_list_without_javascript(copied: Server, show: Callable[..., Page]) -> None:
    """A plain form, and back to the list."""
    page = show("/duplicates?dataset=1", java_script_enabled=False)
    page.get_by_role("button", name="call it no football too").click()
    assert "/duplicates?dataset=1&carried=" in page.url
    expect(page.get_by_text("no football: 1 exact copy too")).to_be_visible()
    page.get_by_role("button", name="Undo for the copies").click()
    expect(page.get_by_text("Taken back for 1 exact copy")).to_be_visible()
