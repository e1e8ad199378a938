"""Every page in both themes and two widths: no violation of WCAG that axe finds, nothing wider than the screen."""

from collections.abc import Callable
from typing import Any

import pytest
from playwright.sync_api import expect

from tests.browser.conftest import Server, Tab
from tests.browser.looking import find_violations, open_review
from tests.browser.test_whole_loop import press

PAGES = (
    "/",
    "/review",
    "/grid",
    "/images",
    "/images/1",
    "/duplicates",
    "/stats",
    "/report",
    "/audit",
    "/scans",
    "/scans/1",
    "/scans/compare",
    "/clean",
    "/export",
    "/settings",
    "/datasets",
    "/datasets/1",
    "/datasets/1/files",
    "/datasets/1/guidelines",
    "/settings/keys",
    "/datasets/1/reviewing",
    "/second",
    "/conflicts",
    "/no-such-page",
)
MISSING = "404 (Not Found)"  # the browser itself reports the page that is not there


@pytest.mark.parametrize("theme", ["dark", "light"])
@pytest.mark.parametrize("width", [1440, 390])
def test_accessible(
    server: Server, scanned: dict[str, Any], open_tab: Callable[..., Tab], theme: str, width: int
) -> None:
    """axe finds nothing on any page, and no page scrolls sideways."""
    tab = open_tab(viewport={"width": width, "height": 844}, expect=(MISSING,))
    tab.page.context.add_cookies([{"name": "touchline_theme", "value": theme, "url": server.base}])
    found: dict[str, list[str]] = {}
    for path in PAGES:
        tab.page.goto(path)
        if violations := find_violations(tab.page):
            found[path] = violations

    assert found == {}


def test_first_visit_is_dark(scanned: dict[str, Any], open_tab: Callable[..., Tab]) -> None:
    """Dark by default, light by choice, and the choice lasts."""
    page = open_tab(color_scheme="light").page
    page.goto("/settings")
    first = page.locator("html").get_attribute("data-theme")

    page.get_by_label("Light").check()
    page.get_by_role("button", name="Save the theme").click()

    page.goto("/")
    assert first == "dark"
    expect(page.locator("html")).to_have_attribute("data-theme", "light")


def test_double_press_answers_one_card(server: Server, scanned: dict[str, Any], open_tab: Callable[..., Tab]) -> None:
    """Two quick presses of a key give one verdict, and undo takes it back."""
    page = open_tab(reviewer="Grace").page
    open_review(page, scanned["id"])
    page.wait_for_function("() => document.querySelector('[data-stage-image]').complete")
    page.wait_for_timeout(200)
    before = server.get(f"/api/datasets/{scanned['id']}/stats")["reviewed"]

    page.keyboard.press("3")
    page.keyboard.press("3")
    page.wait_for_function("() => document.querySelector('#card').dataset.message.startsWith('unsure')")
    page.wait_for_timeout(300)
    during = server.get(f"/api/datasets/{scanned['id']}/stats")["reviewed"]
    press(page, "u")

    assert during == before + 1
    assert server.get(f"/api/datasets/{scanned['id']}/stats")["reviewed"] == before


def test_live_region_and_focus(scanned: dict[str, Any], open_tab: Callable[..., Tab]) -> None:
    """After a verdict the focus is on the next card's heading, and the live region says what was saved."""
    page = open_tab(reviewer="Grace").page
    open_review(page, scanned["id"])

    press(page, "3")

    expect(page.locator("#live")).to_contain_text("unsure")
    assert page.evaluate("document.activeElement.tagName") == "H1"
    press(page, "u")


def test_without_javascript(server: Server, scanned: dict[str, Any], open_tab: Callable[..., Tab]) -> None:
    """A verdict and its undo work by plain forms."""
    page = open_tab(reviewer="Joan", java_script_enabled=False).page
    open_review(page, scanned["id"])
    before = server.get(f"/api/datasets/{scanned['id']}/stats")["unsure"]

    page.get_by_role("button", name="Unsure").click()
    saved = server.get(f"/api/datasets/{scanned['id']}/stats")["unsure"]
    page.get_by_role("button", name="Undo").first.click()

    assert saved == before + 1
    assert server.get(f"/api/datasets/{scanned['id']}/stats")["unsure"] == before


def test_threshold_slider(server: Server, scanned: dict[str, Any], open_tab: Callable[..., Tab]) -> None:
    """The count of flags follows the slider at once, and is what the server counts."""
    page = open_tab().page
    page.goto(f"/?dataset={scanned['id']}")
    slider = page.get_by_role("slider")

    slider.fill("0.9")
    slider.dispatch_event("change")
    page.wait_for_timeout(500)
    shown = page.locator("[data-flags-all]").inner_text()
    stats = server.get(f"/api/datasets/{scanned['id']}/stats")
    slider.fill("0.5")
    slider.dispatch_event("change")
    page.wait_for_timeout(500)

    assert stats["threshold"] == 0.9
    assert int(shown) == stats["flagged"]
    assert server.get(f"/api/datasets/{scanned['id']}/stats")["threshold"] == 0.5


def test_phone(scanned: dict[str, Any], open_tab: Callable[..., Tab]) -> None:
    """On a phone the four answers stand at the bottom, within reach, as large as a thumb."""
    page = open_tab(viewport={"width": 390, "height": 844}, has_touch=True, is_mobile=True).page
    open_review(page, scanned["id"])

    for name in ("Yes", "No", "Unsure", "Discard"):
        box = page.get_by_role("button", name=name).first.bounding_box()
        assert box is not None
        assert box["height"] >= 44
        assert box["y"] + box["height"] <= 844
