"""The pages of scans in a real browser: accessible in every state, live, by keyboard, and without JavaScript."""

import shutil
from collections.abc import Callable, Iterator
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import Page, expect

from app.config import Settings
from app.services.clock import utc_now
from app.services.scans import request_scan
from app.storage.database import Database
from app.storage.scans import update_scan
from app.storage.workers import beat
from tests.browser.conftest import Server, Tab, serving
from tests.browser.looking import find_violations
from tests.parts import ColourDetector, Workshop

FILES = {f"football/{number}.png": 120 + number for number in range(9)} | {
    f"background/{number}.png": 10 * number for number in range(9)
}
TELEMETRY: dict[str, Any] = {
    "samples": [[float(second), 15 * second + second % 7] for second in range(100)],
    "shares": {"decode": 40.0, "model": 95.0, "write": 3.0, "waiting_for": "model"},
    "rss_bytes": 700_000_000,
    "device_bytes": 3_000_000_000,
    "batch_size": 16,
    "refused": ["openvino on cpu in bf16: it turns the flag of 3 of 72 canary images"],
}
PAGES = ("/scans?dataset=1", "/scans/1", "/scans/3", "/scans/compare?a=1&b=2", "/scans/compare?a=1&b=3")
REFUSED = "422 (Unprocessable"  # the browser itself reports the comparison that cannot be


@pytest.fixture(scope="module")
def watched(tmp_path_factory: pytest.TempPathFactory, migrated: Path) -> Iterator[Server]:
    """A server without a worker: a dataset scanned by two detectors and running once more, two others queued."""
    folder = tmp_path_factory.mktemp("watched")
    settings = Settings(data_dir=folder / "var", datasets={"allowed_roots": (folder,)})
    settings.data_dir.mkdir()
    database = Database(settings.url)
    shutil.copyfile(migrated, str(database.engine.url.database))
    workshop = Workshop(folder, database, settings, utc_now)  # type: ignore[arg-type]
    root = workshop.fill(FILES)
    for number in range(3):
        (root / "football" / f"broken-{number}.jpg").write_bytes(b"no image")
    workshop.scan(workshop.add(root).id)
    workshop.scan(1, ColourDetector("b" * 64, floor=0.6))
    for name in ("a-training-ground-with-a-long-name", "cup"):
        workshop.add(workshop.fill(FILES, name))
    scans = [request_scan(database, settings.worker, utc_now, number).scan.id for number in (1, 2, 3)]
    with database.write() as session:
        running = {"status": "running", "worker_id": workshop.worker(), "started_at": utc_now(), "detector_id": 1}
        counts = {"total": 1400, "scored": 900, "images_per_s": 15.2, "telemetry": TELEMETRY}
        update_scan(session, scans[0], **running, **counts)
        beat(session, running["worker_id"], utc_now() + timedelta(days=1))  # else it stalls while the tests go on
        update_scan(session, 1, telemetry=TELEMETRY)
    database.dispose()
    with serving(folder, "--no-worker") as server:
        yield server


@pytest.fixture
def show(watched: Server, open_tab: Callable[..., Tab]) -> Callable[..., Page]:
    """Opens a page of that server."""

    def open_one(path: str, **options: Any) -> Page:
        page = open_tab(expect=(REFUSED,), **options).page
        page.goto(watched.base + path)
        return page

    return open_one


@pytest.mark.parametrize("theme", ["dark", "light"])
@pytest.mark.parametrize("width", [1440, 390])
def test_accessible(watched: Server, show: Callable[..., Page], theme: str, width: int) -> None:
    """axe finds nothing in any state, and no page scrolls sideways."""
    page = show("/scans", viewport={"width": width, "height": 844})
    page.context.add_cookies([{"name": "touchline_theme", "value": theme, "url": watched.base}])
    found: dict[str, list[str]] = {}
    for path in PAGES:
        page.goto(watched.base + path)
        if violations := find_violations(page):
            found[path] = violations
    assert found == {}


def test_paused_and_resumed_by_keyboard(watched: Server, show: Callable[..., Page]) -> None:
    """The button changes in place, and the live region says what happened."""
    page = show("/scans/4")
    page.get_by_role("button", name="Pause scan 4").focus()
    page.keyboard.press("Enter")
    expect(page.get_by_role("button", name="Resume scan 4")).to_be_visible()
    expect(page.locator("#live")).to_contain_text("Scan 4 is paused")
    assert watched.get("/api/scans/4")["paused"] is True
    expect(page.get_by_role("button", name="Resume scan 4")).to_be_focused()
    page.keyboard.press("Enter")
    expect(page.get_by_role("button", name="Pause scan 4")).to_be_visible()
    assert watched.get("/api/scans/4")["paused"] is False


def test_ranked_in_the_queue(watched: Server, show: Callable[..., Page]) -> None:
    """What comes sooner moves up at once."""
    page = show("/scans?dataset=1")
    waiting = page.locator("article h2")
    expect(waiting.nth(2)).to_contain_text("Scan 5")
    page.get_by_role("button", name="Sooner scan 5").click()
    expect(waiting.nth(1)).to_contain_text("Scan 5")
    expect(page.get_by_role("button", name="Sooner scan 5")).to_be_focused()
    page.get_by_role("button", name="Later scan 5").click()
    expect(waiting.nth(2)).to_contain_text("Scan 5")


def test_an_open_table_outlives_the_refresh(show: Callable[..., Page]) -> None:
    """The page of a running scan asks again every two seconds; what a person opened stays open."""
    page = show("/scans/3")
    page.get_by_text("The speeds as a table").click()
    with page.expect_response(lambda response: "/scans/3" in response.url):
        pass
    page.wait_for_timeout(300)
    expect(page.get_by_role("table", name="Images a second over time")).to_be_visible()


def test_without_javascript(watched: Server, show: Callable[..., Page]) -> None:
    """Held and let go, and an unreadable image retried, by plain forms that lead back to the page."""
    page = show("/scans/5", java_script_enabled=False)
    page.get_by_role("button", name="Pause scan 5").click()
    assert page.url.endswith("/scans/5")
    page.get_by_role("button", name="Resume scan 5").click()
    assert watched.get("/api/scans/5")["paused"] is False
    page.goto(f"{watched.base}/scans/1")
    page.get_by_role("button", name="Retry football/broken-0.jpg").click()
    assert page.url.endswith("/scans/1")
    expect(page.get_by_text("waits for a scan")).to_have_count(1)
