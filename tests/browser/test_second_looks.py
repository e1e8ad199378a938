"""Two people and a third, each in a browser of their own, by keys."""

import json
import re
from collections.abc import Callable
from typing import Any
from uuid import uuid4

import pytest
from playwright.sync_api import Page, Route, expect

from tests.browser.conftest import Server, Tab
from tests.browser.looking import find_violations
from tests.browser.test_whole_loop import press


@pytest.fixture
def team(server: Server) -> dict[str, Any]:
    """A scanned dataset of this test's own."""
    root = server.data / f"team-{uuid4()}"
    server.run("demo", "--images", "24", "--seed", "5", "--dest", str(root))
    dataset: dict[str, Any] = json.loads(server.run("add", str(root), "--name", root.name, "--json"))
    server.run("scan", root.name, "--wait", "--json")
    return dataset


def switch_on(page: Page, dataset: int) -> None:
    """Everything is seen twice, and most must agree."""
    page.goto(f"/datasets/{dataset}/reviewing")
    page.get_by_label("Share of the images").fill("100")
    page.get_by_label("The majority").check()
    page.get_by_role("button", name="Save").click()
    expect(page.get_by_text("Saved", exact=True)).to_be_visible()


def test_two_people_and_a_third(server: Server, team: dict[str, Any], open_tab: Callable[..., Tab]) -> None:
    """Ada calls two, Bob agrees on one and differs on the other, undoes it and differs again; Cy settles it."""
    number = team["id"]
    ada, bob, cy = (open_tab(reviewer=name).page for name in ("Ada", "Bob", "Cy"))
    switch_on(ada, number)
    ada.goto(f"/review?dataset={number}")
    press(ada, "1")
    press(ada, "1")
    ada.goto(f"/second?dataset={number}")
    expect(ada.get_by_role("heading", level=1)).to_have_text("Nothing waits for your second look")

    bob.goto(f"/second?dataset={number}")
    assert bob.locator(".box-line, .facts").count() == 0
    assert "Ada" not in bob.content()
    for theme, width in (("dark", 1440), ("light", 390)):
        bob.set_viewport_size({"width": width, "height": 844})
        bob.evaluate("theme => { document.documentElement.dataset.theme = theme; }", theme)
        assert find_violations(bob) == []
    bob.set_viewport_size({"width": 1440, "height": 900})
    press(bob, "1")
    expect(bob.locator("#live")).to_contain_text("Saved")
    press(bob, "2")
    press(bob, "u")
    expect(bob.locator("#live")).to_contain_text("look again")
    press(bob, "2")
    expect(bob.get_by_role("heading", level=1)).to_have_text("Nothing waits for your second look")

    cy.goto(f"/conflicts?dataset={number}")
    expect(cy.locator(".votes li")).to_have_count(2)
    for theme, width in (("dark", 390), ("light", 1440)):
        cy.set_viewport_size({"width": width, "height": 844})
        cy.evaluate("theme => { document.documentElement.dataset.theme = theme; }", theme)
        assert find_violations(cy) == []
    press(cy, "1")
    expect(cy.get_by_role("heading", level=1)).to_have_text("Nothing to settle")
    agreement = server.get(f"/api/datasets/{number}/agreement")
    assert (agreement["overall"]["images"], agreement["overall"]["agreed"], agreement["waiting_settling"]) == (2, 1, 0)
    cy.goto(f"/stats?dataset={number}")
    expect(cy.locator("#team")).to_contain_text("50.0 %")
    assert find_violations(cy) == []


def test_a_party_ticks_the_box_first(server: Server, team: dict[str, Any], open_tab: Callable[..., Tab]) -> None:
    """Alone with a disagreement of one's own: a key does nothing until the box is ticked."""
    number = team["id"]
    ada, bob = (open_tab(reviewer=name).page for name in ("Ada", "Bob"))
    switch_on(ada, number)
    ada.goto(f"/review?dataset={number}")
    press(ada, "1")
    bob.goto(f"/second?dataset={number}")
    press(bob, "2")
    bob.goto(f"/conflicts?dataset={number}")
    before = server.get(f"/api/datasets/{number}/agreement")["waiting_settling"]
    bob.wait_for_timeout(300)
    bob.keyboard.press("2")
    bob.wait_for_timeout(300)
    assert server.get(f"/api/datasets/{number}/agreement")["waiting_settling"] == before == 1
    bob.get_by_label("Nobody else can").check()
    press(bob, "2")
    assert server.get(f"/api/datasets/{number}/agreement")["waiting_settling"] == 0


def held_while(page: Page, pattern: str, key: str) -> tuple[str, str]:
    """Press a key while its answer is held back: what is preloaded first, and what stands on the stage meanwhile."""
    coming: str = page.locator("#card").get_attribute("data-prefetch") or ""
    first = coming.partition(" ")[0]
    held: list[Route] = []

    def hold(route: Route) -> None:
        held.append(route)

    page.route(pattern, hold)
    with page.expect_request(pattern):
        page.keyboard.press(key)
    page.wait_for_function(
        "url => { const image = document.querySelector('[data-stage-image]');"
        " return image.getAttribute('src') === url && image.complete && image.naturalWidth > 0; }",
        arg=first,
    )
    painted = page.content()
    held[0].continue_()
    page.wait_for_function("() => document.getElementById('card').dataset.message !== ''")
    assert page.locator("[data-stage-image]").get_attribute("src") == first
    page.unroute(pattern)
    return first, painted


def test_the_next_is_there_at_once_and_as_blind(
    server: Server, team: dict[str, Any], open_tab: Callable[..., Tab]
) -> None:
    """Both pages paint what they preloaded while the answer is under way; nothing blind is asked for or shown."""
    number = team["id"]
    ada, bob, cy = (open_tab(reviewer=name).page for name in ("Ada", "Bob", "Cy"))
    switch_on(ada, number)
    ada.goto(f"/review?dataset={number}")
    for _ in range(3):
        press(ada, "1")

    asked: list[str] = []
    bob.on("request", lambda request: asked.append(request.url))
    bob.goto(f"/second?dataset={number}")
    bob.wait_for_load_state("networkidle")
    first, painted = held_while(bob, "**/second/*", "2")
    pictures = [url for url in asked if "/images/" in url]
    assert len(pictures) >= 3
    assert [url for url in pictures if not re.fullmatch(r".*/images/\d+/rendition/screen\?v=[0-9a-f]{64}", url)] == []
    assert re.fullmatch(r"/images/\d+/rendition/screen\?v=[0-9a-f]{64}", first)
    for url in pictures:
        item = server.get(f"/api/images/{url.partition('/images/')[2].partition('/')[0]}")
        assert item["path"] not in painted
        assert item["path"].rpartition("/")[2] not in painted
    assert "Ada" not in painted
    assert bob.locator(".box-line, .facts, .votes").count() == 0
    press(bob, "2")
    press(bob, "2")

    cy.goto(f"/conflicts?dataset={number}")
    cy.wait_for_load_state("networkidle")
    held_while(cy, "**/conflicts/*", "1")
    expect(cy.locator(".votes li")).to_have_count(2)


def test_a_disagreement_is_looked_at_like_a_flag(team: dict[str, Any], open_tab: Callable[..., Tab]) -> None:
    """The view opens by its key, and what is brightened there stays so on the next card."""
    number = team["id"]
    ada, bob, cy = (open_tab(reviewer=name).page for name in ("Ada", "Bob", "Cy"))
    switch_on(ada, number)
    ada.goto(f"/review?dataset={number}")
    press(ada, "1")
    bob.goto(f"/second?dataset={number}")
    press(bob, "2")
    cy.goto(f"/conflicts?dataset={number}")
    cy.keyboard.press("v")
    expect(cy.get_by_label("Brightness")).to_be_visible()
    cy.keyboard.press("+")
    expect(cy.locator("[data-shown=brightness]")).to_have_text("120 %")
    assert find_violations(cy) == []
