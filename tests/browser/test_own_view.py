"""What belongs to the reader's own view: weaker boxes, the next enlargement, and times in the zone of the browser."""

from collections.abc import Callable
from datetime import datetime
from typing import Any
from zoneinfo import ZoneInfo

import pytest
from playwright.sync_api import expect

from tests.browser.conftest import Server, Tab
from tests.browser.test_whole_loop import SEEN


def test_a_key_draws_weaker_boxes_too(server: Server, scanned: dict[str, Any], open_tab: Callable[..., Tab]) -> None:
    """One press lowers by 0.05 from where on boxes are drawn: those and no others are seen; back with the other key."""
    threshold = server.get(f"/api/datasets/{scanned['id']}/stats")["threshold"]
    high, low = round(threshold + 0.05, 2), round(threshold - 0.35, 2)
    items = server.get(f"/api/images?dataset={scanned['id']}&limit=100")["items"]
    image = next(item for item in items if any(low + 0.01 < box["confidence"] < high - 0.01 for box in item["boxes"]))
    page = open_tab().page
    page.goto(f"/review?dataset={scanned['id']}&image={image['id']}")
    page.wait_for_function(SEEN)
    drawn = page.locator("[data-stage] .box:visible")
    for presses, name, least in ((1, "k", high), (8, "j", low), (8, "k", high)):
        for _ in range(presses):
            page.keyboard.press(name)
        expect(page.locator("#live")).to_have_text(f"Boxes from {least:.2f}")
        expect(drawn).to_have_count(sum(box["confidence"] >= least for box in image["boxes"]))


def test_a_key_enlarges_the_next_box(server: Server, scanned: dict[str, Any], open_tab: Callable[..., Tab]) -> None:
    """Box after box in order of confidence, each said; after the last comes the first."""
    items = server.get(f"/api/images?dataset={scanned['id']}&limit=100")["items"]
    image = next(item for item in items if len(item["boxes"]) > 1)
    page = open_tab().page
    page.goto(f"/review?dataset={scanned['id']}&image={image['id']}")
    page.wait_for_function(SEEN)
    crops = page.locator("[data-crop-at]")
    large = page.locator("[data-crop-at].is-large")
    many = crops.count()
    assert many > 1
    assert large.get_attribute("data-crop-at") == "0"
    for step in range(1, many + 1):
        page.keyboard.press("x")
        expect(large).to_have_attribute("data-crop-at", str(step % many))
        expect(large).to_have_attribute("aria-pressed", "true")
        expect(page.locator("#live")).to_contain_text(f"box {step % many + 1} of {many}")
    widths = [box["width"] for box in (crops.nth(each).bounding_box() for each in range(many)) if box is not None]
    assert widths[0] > max(widths[1:])


@pytest.mark.parametrize("zone", ["Pacific/Kiritimati", "America/St_Johns"])
def test_times_are_the_reader_s_own(scanned: dict[str, Any], open_tab: Callable[..., Tab], zone: str) -> None:
    """By the browser's clock, day and hour; what the server wrote, in UTC, is told beside it."""
    page = open_tab(timezone_id=zone, locale="en-GB").page
    page.goto(f"/scans?dataset={scanned['id']}")
    times = page.locator("time[datetime]")
    assert times.count() > 0
    for number in range(times.count()):
        time = times.nth(number)
        at = datetime.fromisoformat(time.get_attribute("datetime") or "")
        here = at.astimezone(ZoneInfo(zone))
        text = time.inner_text()
        assert (text.split()[0], text[-5:]) == (str(here.day), here.strftime("%H:%M"))
        assert time.get_attribute("title") == at.strftime("%Y-%m-%d %H:%M UTC")
