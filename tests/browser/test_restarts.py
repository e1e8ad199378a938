"""A server that dies between two keys, on the cards that are not the desk's usual one: blind ones, and those of a team.

What a verdict is kept for and how it is sent again is in :mod:`tests.browser.test_desk`.
"""

from collections.abc import Callable, Iterator

import pytest
from playwright.sync_api import Page, expect

from app.domain.consensus import Consensus
from app.services.audits import ensure_audit
from app.services.sweeping import set_reviewing
from tests.browser.test_desk import OFFLINE, Desk, key, lay_out, sit
from tests.browser.test_whole_loop import press
from tests.parts import Workshop

__all__ = ["sit"]  # the fixture, over the desk of this file

REPEATED, TWICE = 12, 4
ACTION = "document.querySelector('[data-verdict-form]')?.getAttribute('action')"


def prepare(workshop: Workshop) -> None:
    """Zed called agreeing images long ago; then everything that is called gets a second look, and he called some."""
    with workshop.database.write() as session:
        ensure_audit(session, workshop.dataset(1), workshop.settings.review, workshop.clock(), 5)
    for number in range(REPEATED):
        workshop.call(workshop.image_id(1, f"background/b{2 * number:02}.png"), "negative", "Zed")
    set_reviewing(workshop.database, 1, 1.0, ["disagreement"], Consensus.MAJORITY)
    for number in range(TWICE):
        workshop.call(workshop.image_id(1, f"background/b{2 * number + 1:02}.png"), "positive", "Zed")
    set_reviewing(workshop.database, 1, 0.0, [], Consensus.LATEST)


@pytest.fixture(scope="module")
def desk(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Desk]:
    """A desk at which most cards are blind."""
    files = {f"background/b{number:02}.png": 250 if number % 2 else number for number in range(60)}
    files |= {f"football/f{number}.png": 200 + number for number in range(12)}
    shares = {"TOUCHLINE_REVIEW__AUDIT_SHARE": "0.4", "TOUCHLINE_REVIEW__REPEAT_SHARE": "0.2"}
    running = lay_out(tmp_path_factory.mktemp("restarts"), files, prepare, **shares)
    running.start()
    yield running
    running.kill()


def image_on(page: Page) -> int:
    """The image that the card's form answers for."""
    return int(page.evaluate(ACTION).rpartition("/")[2])


def press_while_away(desk: Desk, page: Page, name: str) -> None:
    """Press a key while there is no server, wait until the page says that it is kept, and start the server again."""
    page.wait_for_timeout(300)
    desk.kill()
    key(page, name)
    expect(page.locator("#outbox")).to_contain_text("kept in this browser")
    desk.start()
    expect(page.locator("#outbox")).to_be_hidden(timeout=30_000)
    assert page.locator("#notice").is_hidden(), page.locator("#notice").text_content()


def said(desk: Desk, image: int) -> list[tuple[str, str]]:
    """Who said what of an image."""
    return [(row["reviewer"], row["verdict"]) for row in desk.reviews(image)]


def test_a_kept_answer_to_a_repeat_arrives_once(desk: Desk, sit: Callable[..., Page]) -> None:
    """The card tells of no earlier verdict, and what was kept of it is its answer all the same."""
    repeated = {desk.image(f"background/b{2 * number:02}.png") for number in range(REPEATED)}
    page = sit("Ada", expect_also=OFFLINE)
    for _ in range(60):
        image = image_on(page)
        if image in repeated:
            break
        press(page, "1")
    assert image in repeated
    assert page.locator("[name=blind]").count() == 1
    press_while_away(desk, page, "1")
    page.wait_for_function(f"old => {ACTION} !== old", arg=f"/review/{image}")
    expect(page.locator(".said")).to_contain_text("Saved after all")
    assert said(desk, image) == [("Zed", "negative"), ("Ada", "positive")]


def test_a_kept_blind_no_is_asked_about_once_more(desk: Desk, sit: Callable[..., Page]) -> None:
    """The boxes are shown as if nothing had happened, and the second answer counts."""
    page = sit("Ada", "/review?dataset=1&queue=audit", expect_also=OFFLINE)
    for _ in range(40):
        image = image_on(page)
        if desk.get(f"/api/images/{image}")["boxes"]:
            break
        press(page, "1")
    press_while_away(desk, page, "2")
    expect(page.get_by_text("You said no")).to_be_visible()
    expect(page.locator(".said")).to_contain_text("Saved after all")
    assert image_on(page) == image
    assert said(desk, image) == [("Ada", "negative")]
    press(page, "1")
    assert said(desk, image) == [("Ada", "negative"), ("Ada", "positive")]


def test_kept_second_looks_and_settling_verdicts_arrive_once(desk: Desk, sit: Callable[..., Page]) -> None:
    """On their own pages, as what they are: the two then disagree, and the third ends it."""
    for name, path, name_of_key in (("Bob", "/second", "2"), ("Cy", "/conflicts", "1")):
        page = sit(name, f"{path}?dataset=1", expect_also=OFFLINE)
        image = image_on(page)
        before = said(desk, image)
        assert len(before) == (1 if name == "Bob" else 2)
        press_while_away(desk, page, name_of_key)
        page.wait_for_function(f"old => {ACTION} !== old", arg=f"{path}/{image}")
        expect(page.locator(".said")).to_contain_text("Saved after all")
        assert said(desk, image) == [*before, (name, "negative" if name == "Bob" else "positive")]
