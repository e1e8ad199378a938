"""Who has which image in hand: two people, and two tabs of one of them, never the same."""

from collections.abc import Callable, Iterator

import pytest
from playwright.sync_api import Page, expect

from tests.browser.looking import find_violations
from tests.browser.test_desk import IMAGE, OFFLINE, Desk, lay_out, sit
from tests.browser.test_whole_loop import press

__all__ = ["sit"]  # the fixture, over the desk of this file


@pytest.fixture(scope="module")
def desk(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Desk]:
    """A desk at which an image stays in hand for as long as it does by default."""
    settings = {"TOUCHLINE_REVIEW__LEASE_S": "120", "TOUCHLINE_REVIEW__AUDIT_SHARE": "0"}
    files = {f"background/{number:03}.png": 250 - number for number in range(120)}
    running = lay_out(tmp_path_factory.mktemp("hands"), files | {"football/sure.png": 255}, **settings)
    running.start()
    yield running
    running.kill()


def shown(page: Page) -> str:
    """The image on a card that has come to rest: a tab may swap the first one for its own."""
    page.wait_for_load_state("networkidle")
    found: str = page.evaluate(IMAGE)
    return found


def test_two_tabs_and_another_person_have_an_image_each(sit: Callable[..., Page]) -> None:
    """Each keeps its own: over a reload, while the others go on, and where a tab is copied with all it has stored."""
    one = sit("Ada")
    first = shown(one)
    two = sit("Ada", beside=one)
    second = shown(two)
    with one.context.expect_page() as opened:
        one.evaluate("() => { window.open('/review?dataset=1'); }")
    opened.value.wait_for_url("**/review*")
    opened.value.wait_for_function(f"image => ![undefined, image].includes({IMAGE})", arg=first)
    third = shown(opened.value)
    bob = sit("Bob")
    fourth = shown(bob)
    assert len({first, second, third, fourth}) == 4
    for page, image in ((two, second), (one, first)):
        page.reload()
        page.wait_for_function(f"image => {IMAGE} === image", arg=image)
        assert shown(page) == image
        assert page.locator(".in-hand").count() == 0
    seen = {first, third}
    for page in (two, bob, two, bob):
        page.bring_to_front()
        press(page, "3")
        assert shown(page) not in seen
        seen.add(shown(page))
    assert shown(one) == first


def test_looking_takes_an_image_from_nobody(desk: Desk, sit: Callable[..., Page]) -> None:
    """A link to what Cy has in hand shows it and says so; Cy keeps it until it is called, and then is told."""
    cy = sit("Cy", expect_also=OFFLINE)
    image = shown(cy)
    dan = sit("Dan", f"/review?dataset=1&image={image}")
    assert shown(dan) == image
    expect(dan.locator(".in-hand")).to_contain_text("On another screen somebody has this image in hand just now")
    for theme, width in (("dark", 1440), ("light", 390)):
        dan.set_viewport_size({"width": width, "height": 844})
        dan.evaluate("theme => { document.documentElement.dataset.theme = theme; }", theme)
        assert find_violations(dan) == []
    dan.set_viewport_size({"width": 1440, "height": 900})
    eve = sit("Eve")
    assert shown(eve) not in (image, None)
    cy.reload()
    assert shown(cy) == image
    assert cy.locator(".in-hand").count() == 0
    press(dan, "3")
    cy.bring_to_front()
    press(cy, "1")
    expect(cy.locator(".said")).to_contain_text("look at it again")
    assert [row["reviewer"] for row in desk.reviews(image)] == ["Dan"]
