"""Browsing by a person's own hands: filters, jumps, pages, deep links, saved filters, one image and the way back."""

import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from itertools import chain
from typing import Any
from urllib.parse import parse_qs, urlsplit

import pytest
from playwright.sync_api import Locator, Page, expect

from tests.browser.conftest import Server, Tab
from tests.browser.looking import find_violations
from tests.browser.scenes import filling, make_dataset
from tests.parts import Workshop

BACKGROUND, FOOTBALL = 130, 10
TILES = 60
REFUSED = ("422 (Unprocessable Entity)",)
HIDDEN_NAMES = "[...document.querySelectorAll('main .cell-name')].map(each => each.title)"


@dataclass(frozen=True)
class Shelf:
    """A dataset that no test changes: 140 images, six of them called by two people."""

    id: int
    items: list[dict[str, Any]]  #: by path

    def paths(self, holds: Callable[[dict[str, Any]], bool] = lambda _: True) -> list[str]:
        """Paths of the images for which something holds, in order of path."""
        return [item["path"] for item in self.items if holds(item)]


@pytest.fixture(scope="module")
def filled(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Server, Workshop]]:
    """A server of this module's own, and the workshop that fills its database."""
    with filling(tmp_path_factory.mktemp("browse")) as parts:
        yield parts


@pytest.fixture(scope="module")
def server(filled: tuple[Server, Workshop]) -> Server:
    """What the tabs of this module open."""
    return filled[0]


@pytest.fixture(scope="module")
def shelf(filled: tuple[Server, Workshop]) -> Shelf:
    """Scores from 0 to 1 in two folders with sub-folders; verdicts of Grace and of Linus."""
    server, workshop = filled
    days = {f"background/day-{at % 3 + 1}/{at:03}.png": (at, 2 * at % 251) for at in range(BACKGROUND)}
    games = {f"football/Spiel ä {at}.png": (200 + at, 255 - 25 * at) for at in range(FOOTBALL)}
    dataset = make_dataset(workshop, days | games)
    ids = {path: workshop.image_id(dataset, path) for path in days}
    for at, (verdict, who) in enumerate([("positive", "Grace"), ("negative", "Grace"), ("unsure", "Linus")] * 2):
        path = f"background/day-{(120 + at) % 3 + 1}/{120 + at:03}.png"
        workshop.clock.advance(60)
        workshop.call(ids[path], verdict, who)
    items = server.get(f"/api/images?dataset={dataset}&order=path&limit=500")["items"]
    return Shelf(dataset, items)


def names(page: Page) -> list[str]:
    """Paths of the images on the page, in their order."""
    found: list[str] = page.evaluate(HIDDEN_NAMES)
    return found


def every_name(page: Page) -> list[str]:
    """Paths of all images of the list, page after page; a slow search stops at times, and goes on."""
    found = names(page)
    while (more := page.locator(".pager a", has_text=re.compile("Next images|Go on searching"))).count():
        follow(page, more.click)
        found += names(page)
    return found


def follow(page: Page, act: Callable[[], None]) -> None:
    """Do something that brings another page, and wait for it."""
    with page.expect_navigation():
        act()


def press(page: Page, key: str) -> None:
    """Press a key that brings another page."""
    follow(page, lambda: page.keyboard.press(key))


def apply(page: Page) -> None:
    """Press the form's button."""
    follow(page, page.get_by_role("button", name="Apply").click)


def field_of(page: Page, label: str) -> Locator:
    """A field of the form of filters, by the words above it."""
    name = page.locator(".field-name").filter(has_text=re.compile(f"^{re.escape(label)}$"))
    return page.locator("form.filters .field").filter(has=name).locator("input, select")


def query(page: Page) -> dict[str, str]:
    """What the address says, without empty fields."""
    return {name: found[-1] for name, found in parse_qs(urlsplit(page.url).query).items()}


def start(page: Page, shelf: Shelf, more: str = "order=path") -> None:
    """Open the list."""
    page.goto(f"/images?dataset={shelf.id}&{more}")


def between(low: float, high: float) -> Callable[[dict[str, Any]], bool]:
    """Whether an image's score lies in a band."""
    return lambda item: low <= item["score"] <= high


@pytest.mark.parametrize(
    ("fields", "holds"),
    [
        ({"Folder": "background/day-2"}, lambda item: item["path"].startswith("background/day-2/")),
        ({"Folder": "/football/"}, lambda item: item["given_label"] == "football"),
        ({"Text in the path": "07"}, lambda item: "07" in item["path"]),
        ({"Text in the path": "SPIEL ä"}, lambda item: "Spiel" in item["path"]),
        ({"Score from": "0.4", "to": "0,5"}, between(0.4, 0.5)),
        ({"Score from": "0.9"}, between(0.9, 1)),
        ({"Flag": "Disagreement"}, lambda item: bool(item["flags"])),
        ({"Verdict": "football"}, lambda item: item["verdict"] == "positive"),
        ({"Verdict": "Unsure"}, lambda item: item["verdict"] == "unsure"),
        ({"Reviewed": "Not yet"}, lambda item: item["verdict"] is None),
        ({"Reviewer": "Linus"}, lambda item: item["verdict"] == "unsure"),
        ({"Reviewer": "Grace", "Verdict": "background"}, lambda item: item["verdict"] == "negative"),
        (
            {"Folder": "background/day-1", "Flag": "Disagreement", "Score from": "0.8"},
            lambda item: item["path"].startswith("background/day-1/") and item["score"] >= 0.8,
        ),
    ],
    ids=lambda given: "+".join(given) if isinstance(given, dict) else "",
)
def test_filters(
    shelf: Shelf,
    open_tab: Callable[..., Tab],
    fields: dict[str, str],
    holds: Callable[[dict[str, Any]], bool],
) -> None:
    """The form finds just what it says, keeps what was put in, and its address gives the same list to others."""
    page = open_tab().page
    start(page, shelf)
    for label, value in fields.items():
        field = field_of(page, label)
        if field.evaluate("element => element.tagName") == "SELECT":
            field.select_option(label=value)
        else:
            field.fill(value)
    apply(page)
    link = page.url
    found = every_name(page)
    assert found == shelf.paths(holds) != []

    page.goto(link)
    for label, value in fields.items():
        field = field_of(page, label)
        shown = field.evaluate("element => element.selectedOptions?.[0].text ?? element.value")
        assert shown == value
    other = open_tab(reviewer=None).page
    other.goto(link)
    assert every_name(other) == found
    follow(page, page.get_by_role("link", name="Clear").click)
    assert names(page) == shelf.paths()[:TILES]


def test_enter_in_a_field_applies(shelf: Shelf, open_tab: Callable[..., Tab]) -> None:
    """No mouse is needed; and a filter that finds nothing says so, with the way out."""
    page = open_tab().page
    start(page, shelf)
    page.get_by_label("Text in the path").fill("nowhere")
    page.keyboard.press("Enter")
    expect(page.get_by_role("heading", name="No image matches")).to_be_visible()
    page.get_by_role("link", name="Show all images").click()
    expect(page.locator(".cell")).to_have_count(TILES)


def test_nonsense_is_told_beside_the_form(shelf: Shelf, open_tab: Callable[..., Tab]) -> None:
    """A score of 7 or a number of words is named, marked in its field, and what was put in is still there."""
    page = open_tab(expect=REFUSED).page
    start(page, shelf)
    page.get_by_label("Score from").fill("7")
    apply(page)
    expect(page.get_by_role("alert")).to_have_text("Score from: must be a number between 0 and 1")
    field = page.get_by_label("Score from")
    expect(field).to_have_value("7")
    expect(field).to_have_attribute("aria-invalid", "true")
    field.fill("0.2")
    apply(page)
    expect(page.get_by_role("alert")).to_have_count(0)
    page.get_by_label("Go to image number").fill("many")
    page.keyboard.press("Enter")
    expect(page.get_by_role("alert")).to_contain_text("Image number: must be a whole number")
    expect(page.get_by_label("Score from")).to_have_value("0.2")


@pytest.mark.parametrize("order", ["path", "suspicion", "score"])
def test_next_and_previous_by_keys_and_links(shelf: Shelf, open_tab: Callable[..., Tab], order: str) -> None:
    """Every image once, in one order, there and back; an arrow in a field moves its caret and no page."""
    page = open_tab().page
    start(page, shelf, f"order={order}")
    pages = [names(page)]
    for _ in range(2):
        press(page, "ArrowRight")
        pages.append(names(page))
    assert sorted(chain.from_iterable(pages)) == sorted(shelf.paths())
    expect(page.get_by_role("link", name="Next images")).to_have_count(0)
    before = page.url
    page.get_by_label("Text in the path").focus()
    page.keyboard.press("ArrowLeft")
    page.wait_for_timeout(200)
    assert page.url == before
    page.locator("h1").click()
    press(page, "ArrowLeft")
    assert names(page) == pages[1]
    follow(page, page.get_by_role("link", name="Previous images").click)
    assert names(page) == pages[0]
    follow(page, page.get_by_role("link", name="Next images").click)
    follow(page, page.get_by_role("link", name="Back to the first").click)
    assert names(page) == pages[0]
    assert query(page) == {"dataset": str(shelf.id), "order": order}


def test_jump_to_a_number(shelf: Shelf, open_tab: Callable[..., Tab]) -> None:
    """The list goes on from the 77th of the filtered list, and back from there to what stands before it."""
    page = open_tab(expect=REFUSED).page
    start(page, shelf, "order=path&given=background")
    page.get_by_label("Go to image number").fill("77")
    press(page, "Enter")
    whole = shelf.paths(lambda item: item["given_label"] == "background")
    assert names(page) == whole[76:]
    expect(page.get_by_label("Go to image number")).to_have_value("77")
    press(page, "ArrowLeft")
    assert names(page) == whole[16:76]
    page.get_by_label("Go to image number").fill("1,000")
    press(page, "Enter")
    assert names(page) == []
    expect(page.locator("main")).to_contain_text("there is no image number 1,000")
    follow(page, page.get_by_role("link", name="Show the last images").click)
    assert names(page) == whole[-TILES:]


def test_jump_to_a_score(shelf: Shelf, open_tab: Callable[..., Tab]) -> None:
    """From a score downwards; the list is by score then, and says so."""
    page = open_tab().page
    start(page, shelf)
    page.get_by_label("Go to score").fill("0.4")
    press(page, "Enter")
    by_path = {item["path"]: item["score"] for item in shelf.items}
    scores = [by_path[path] for path in names(page)]
    assert scores == sorted(scores, reverse=True)
    assert scores[0] == max(score for score in by_path.values() if score <= 0.4)
    expect(field_of(page, "Order")).to_have_value("score")
    press(page, "ArrowLeft")
    assert by_path[names(page)[-1]] > 0.4


def test_saved_filters(shelf: Shelf, open_tab: Callable[..., Tab]) -> None:
    """Made from the list as it stands, refused twice under one name, used by another person, deleted."""
    page = open_tab(expect=REFUSED).page
    start(page, shelf, "order=score&text=07&reviewed=false")
    found = every_name(page)
    page.locator("summary", has_text="Saved filters").click()
    page.get_by_label("Save this list as").fill("  Sevens   & open ")
    press(page, "Enter")
    assert every_name(page) == found
    page.locator("summary", has_text="Saved filters").click()
    expect(page.get_by_role("link", name="Sevens & open")).to_have_attribute("aria-current", "true")
    page.get_by_label("Save this list as").fill("Sevens & open")
    follow(page, page.get_by_role("button", name="Save", exact=True).click)
    expect(page.locator("#save-error")).to_contain_text("there is a filter")
    assert every_name(page) == found

    other = open_tab(reviewer="Grace").page
    start(other, shelf)
    other.locator("summary", has_text="Saved filters").click()
    follow(other, other.get_by_role("link", name="Sevens & open").click)
    assert query(other) == {"dataset": str(shelf.id), "order": "score", "text": "07", "reviewed": "false"}
    assert every_name(other) == found
    other.locator("summary", has_text="Saved filters").click()
    follow(other, other.get_by_role("button", name="Delete Sevens & open").click)
    other.locator("summary", has_text="Saved filters").click()
    expect(other.get_by_role("link", name="Sevens & open")).to_have_count(0)
    assert every_name(other) == found


def test_one_image_and_its_neighbours_in_the_list(shelf: Shelf, open_tab: Callable[..., Tab]) -> None:
    """Opened from a filtered list, arrows go along that list; the crumb goes back to it, as does the Back button."""
    page = open_tab().page
    start(page, shelf, "order=path&folder=background/day-2")
    whole = shelf.paths(lambda item: item["path"].startswith("background/day-2/"))
    follow(page, page.locator(".cell-link").nth(3).click)
    for step, place in (("ArrowRight", 4), ("ArrowRight", 5), ("ArrowLeft", 4)):
        press(page, step)
        expect(page.locator(".page-sub.path")).to_have_text(whole[place])
    follow(page, page.get_by_label("Where you are").get_by_role("link", name="Images").click)
    expect(field_of(page, "Folder")).to_have_value("background/day-2")
    for _ in range(5):
        page.go_back()
    assert query(page) == {"dataset": str(shelf.id), "order": "path", "folder": "background/day-2"}
    assert every_name(page) == whole


def test_back_returns_to_the_place(shelf: Shelf, open_tab: Callable[..., Tab]) -> None:
    """From the second page, scrolled down: one image, the Back button, the same page at the same height."""
    page = open_tab(viewport={"width": 1000, "height": 700}).page
    start(page, shelf)
    follow(page, page.get_by_role("link", name="Next images").click)
    second = names(page)
    page.locator(".cell-link").nth(40).scroll_into_view_if_needed()
    page.wait_for_timeout(200)
    height = page.evaluate("scrollY")
    page.locator(".cell-link").nth(40).click()
    expect(page.locator(".page-sub.path")).to_have_text(second[40])
    page.go_back()
    page.wait_for_function("height => Math.abs(scrollY - height) < 40", arg=height)
    assert names(page) == second
    assert height > 100
    page.go_back()
    assert names(page) == shelf.paths()[:TILES]


def test_the_whole_history_of_an_image(
    filled: tuple[Server, Workshop], open_tab: Callable[..., Tab], shelf: Shelf
) -> None:
    """Who said what, newest first, what was taken back, and Undo here; what the folder and the detector say."""
    server, workshop = filled
    dataset = make_dataset(workshop, {"background/a.png": (1, 250), "football/b.png": (2, 250)})
    image = workshop.image_id(dataset, "background/a.png")
    first = workshop.call(image, "unsure", "Grace")
    workshop.take_back(first.review.id, "Grace")
    workshop.clock.advance(60)
    workshop.call(image, "positive", "Linus")
    page = open_tab().page
    page.goto(f"/images?dataset={dataset}&order=path")
    page.locator(".cell-link").first.click()
    history = page.locator(".panel", has=page.get_by_role("heading", name="Verdicts")).locator("li")
    said = [" ".join(row.inner_text().split()) for row in history.all()]
    assert [("Linus" in row, "Grace" in row) for row in said] == [(True, False), (False, True), (False, True)]
    assert "in force" in said[0]
    assert "in force" not in said[1] + said[2]
    facts = " ".join(page.locator(".facts").first.inner_text().split())
    assert "Folder says background Detector says 0.98" in facts
    assert "People say football Final label football" in facts
    follow(page, page.get_by_role("button", name="Undo").click)
    expect(history).to_have_count(4)
    expect(page.locator(".facts").first).to_contain_text("no verdict yet")
    assert server.get(f"/api/images/{image}")["verdict"] is None
    page.get_by_role("link", name="Make the call").click()
    page.wait_for_url("**/review?**")
    page.wait_for_selector(f"#card[data-image='{image}']")
    assert shelf.id != dataset


def test_without_javascript(shelf: Shelf, open_tab: Callable[..., Tab]) -> None:
    """Filter, next page, jump, one image, a saved filter made and deleted: plain forms and links."""
    page = open_tab(java_script_enabled=False).page
    start(page, shelf)
    page.get_by_label("Filed as").select_option("background")
    page.get_by_role("button", name="Apply").click()
    page.get_by_role("link", name="Next images").click()
    expect(page.locator(".cell")).to_have_count(TILES)
    expect(page.get_by_role("link", name="Previous images")).to_be_visible()
    page.get_by_label("Go to score").fill("0.3")
    page.get_by_role("button", name="Go to that score").click()
    expect(page.get_by_label("Filed as")).to_have_value("background")
    page.locator("summary", has_text="Saved filters").click()
    page.get_by_label("Save this list as").fill("plain")
    page.get_by_role("button", name="Save", exact=True).click()
    page.locator("summary", has_text="Saved filters").click()
    page.get_by_role("button", name="Delete plain").click()
    page.locator(".cell-link").first.click()
    page.get_by_role("link", name="Next image").click()
    page.get_by_label("Where you are").get_by_role("link", name="Images").click()
    expect(page.locator(".cell")).to_have_count(TILES)


def test_on_a_phone(shelf: Shelf, open_tab: Callable[..., Tab]) -> None:
    """Filters, jumps and tiles fit; what is pressed is large enough; the saved filters' panel stays on the screen."""
    page = open_tab(viewport={"width": 390, "height": 844}, has_touch=True, is_mobile=True).page
    start(page, shelf)
    page.locator("summary", has_text="Saved filters").tap()
    panel = page.locator(".saved-panel").bounding_box()
    assert panel is not None
    assert panel["x"] >= 0
    assert panel["x"] + panel["width"] <= 390
    assert page.evaluate("document.documentElement.scrollWidth") <= 390
    page.locator("summary", has_text="Saved filters").tap()
    for pressed in (page.get_by_role("button", name="Apply"), page.get_by_role("link", name="Next images")):
        box = pressed.bounding_box()
        assert box is not None
        assert box["height"] >= 36
    page.locator(".cell-link").first.tap()
    expect(page.locator(".page-sub.path")).to_have_text(shelf.paths()[0])
    assert page.evaluate("document.documentElement.scrollWidth") <= 390


@pytest.mark.parametrize("theme", ["dark", "light"])
@pytest.mark.parametrize("width", [1440, 390])
def test_accessible_in_every_state(
    server: Server, shelf: Shelf, open_tab: Callable[..., Tab], theme: str, width: int
) -> None:
    """axe finds nothing in a list with filters, the saved ones open, an error, none found, or on a called image."""
    page = open_tab(viewport={"width": width, "height": 844}, expect=REFUSED).page
    page.context.add_cookies([{"name": "touchline_theme", "value": theme, "url": server.base}])
    called = next(item["id"] for item in shelf.items if item["verdict"] is not None)
    found: dict[str, list[str]] = {}
    for path in (
        f"/images?dataset={shelf.id}&reviewer=Grace",
        f"/images?dataset={shelf.id}&min_score=7",
        f"/images?dataset={shelf.id}&text=nowhere",
        f"/images/{called}?dataset={shelf.id}&reviewer=Grace",
    ):
        page.goto(path)
        for saved in page.locator("summary", has_text="Saved filters").all():
            saved.click()
        if violations := find_violations(page):
            found[path] = violations
    assert found == {}
