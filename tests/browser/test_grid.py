"""The grid by real keys and mouse: marking, ranges, all but the marked, one batch and its one undo."""

import json
import urllib.request
from collections.abc import Callable, Iterator
from typing import Any

import pytest
from playwright.sync_api import Locator, Page, Request, expect

from tests.browser.conftest import Server, Tab
from tests.browser.looking import find_violations
from tests.browser.scenes import filling, make_dataset
from tests.parts import Workshop

SCENES = ((1, 40), (2, 20), (3, 7))  #: scene, and how many pictures of it; the rest are alone
ALONE = 3
FLAGS = sum(number for _, number in SCENES) + ALONE
SHOWN = 60
BOXES = "[...document.querySelectorAll('[data-grid] input[type=checkbox]')]"
FOCUSED = f"{BOXES}.indexOf(document.activeElement)"
MARKED = f"{BOXES}.flatMap((box, at) => box.checked ? [at] : [])"
COLUMNS = """() => { const tops = [...document.querySelectorAll('[data-grid] .cell')]
    .map(cell => cell.getBoundingClientRect().top); return tops.filter(top => top === tops[0]).length; }"""
CONFLICT = ("409 (Conflict)",)
OFFLINE = ("ERR_FAILED", "htmx:error: Failed to fetch")


@pytest.fixture(scope="module")
def filled(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Server, Workshop]]:
    """A server of this module's own, and the workshop that fills its database."""
    with filling(tmp_path_factory.mktemp("grid")) as parts:
        yield parts


@pytest.fixture(scope="module")
def server(filled: tuple[Server, Workshop]) -> Server:
    """What the tabs of this module open."""
    return filled[0]


@pytest.fixture
def dataset(filled: tuple[Server, Workshop]) -> int:
    """70 flagged images filed as background, of three scenes and three that are like no other."""
    scenes = [scene for scene, number in SCENES for _ in range(number)] + [10 + each for each in range(ALONE)]
    pictures = {f"background/{at:03}.png": (scene, 250 - at) for at, scene in enumerate(scenes)}
    return make_dataset(filled[1], pictures | {"football/sure.png": (99, 255)})


def go(page: Page, dataset: int, order: str = "suspicion") -> None:
    """Open the grid and wait out the moment in which no press counts."""
    page.goto(f"/grid?dataset={dataset}&order={order}&count={SHOWN}")
    settle(page)


def settle(page: Page) -> None:
    """Wait until keys count: a moment after the page was shown."""
    page.wait_for_timeout(160)


def tiles(page: Page) -> Locator:
    """The images' boxes to tick."""
    return page.locator("[data-grid] input[type=checkbox]")


def marked(page: Page) -> list[int]:
    """Places of the marked images; the page must count as many."""
    found: list[int] = page.evaluate(MARKED)
    expect(page.locator("[data-selected] b")).to_have_text(str(len(found)))
    return found


def swapped(page: Page, act: Callable[[], None]) -> None:
    """Do something and wait for the block that comes back."""
    page.evaluate("document.getElementById('tiles').dataset.old = '1'")
    act()
    page.wait_for_selector("#tiles:not([data-old])", state="attached")
    settle(page)


def press(page: Page, key: str) -> None:
    """Press a key that brings another block."""
    swapped(page, lambda: page.keyboard.press(key))


def counted(server: Server, dataset: int) -> dict[str, int]:
    """How many images have which verdict."""
    found: dict[str, int] = {}
    for item in listed(server, dataset):
        if item["verdict"] is not None:
            found[item["verdict"]] = found.get(item["verdict"], 0) + 1
    return found


def listed(server: Server, dataset: int) -> list[dict[str, Any]]:
    """All images, the most suspicious first, whatever was called."""
    items: list[dict[str, Any]] = server.get(f"/api/images?dataset={dataset}&order=path&limit=500")["items"]
    return items


def reviews(server: Server, image: int) -> list[dict[str, Any]]:
    """An image's history."""
    found: list[dict[str, Any]] = server.get(f"/api/images/{image}")["reviews"]
    return found


def answer(server: Server, image: int, verdict: str, reviewer: str) -> None:
    """Another person calls an image."""
    body = {"verdict": verdict, "seen_review_id": server.get(f"/api/images/{image}")["review_id"]}
    headers = {"Content-Type": "application/json", "Cookie": f"touchline_reviewer={reviewer}"}
    request = urllib.request.Request(f"{server.base}/api/images/{image}/reviews", json.dumps(body).encode(), headers)
    urllib.request.urlopen(request, timeout=30).close()


def watch_posts(page: Page) -> list[str]:
    """Collects what the page posts from now on."""
    posted: list[str] = []

    def note(request: Request) -> None:
        if request.method == "POST":
            posted.append("/grid" + request.url.partition("/grid")[2])

    page.on("request", note)
    return posted


def test_arrows_move_and_space_or_enter_marks(dataset: int, open_tab: Callable[..., Tab]) -> None:
    """Arrows go by what is seen and stop at the edges; Space and Enter mark, and neither saves anything."""
    page = open_tab().page
    go(page, dataset)
    posted = watch_posts(page)
    columns = page.evaluate(COLUMNS)
    for key, place in (
        ("ArrowRight", 0),
        ("ArrowLeft", 0),
        ("ArrowRight", 1),
        ("ArrowDown", 1 + columns),
        ("ArrowRight", 2 + columns),
        ("ArrowUp", 2),
        ("ArrowUp", 2),
        ("ArrowLeft", 1),
    ):
        page.keyboard.press(key)
        assert page.evaluate(FOCUSED) == place, key
    page.keyboard.press("Space")
    assert marked(page) == [1]
    page.keyboard.press("ArrowRight")
    page.keyboard.press("Enter")
    assert marked(page) == [1, 2]
    page.keyboard.press("Enter")
    page.keyboard.press("ArrowLeft")
    page.keyboard.press("Space")
    assert marked(page) == []
    page.wait_for_timeout(300)
    assert posted == []


def test_the_image_in_focus_is_in_sight(dataset: int, open_tab: Callable[..., Tab]) -> None:
    """The arrows scroll along, and neither the head of the page nor the bar of answers lies over the image."""
    page = open_tab(viewport={"width": 1000, "height": 700}).page
    go(page, dataset)
    covered = """() => { const cell = document.activeElement.closest('.cell').getBoundingClientRect();
        const at = y => document.elementFromPoint(cell.left + cell.width / 2, y)?.closest('.cell');
        const own = document.activeElement.closest('.cell');
        return at(cell.top + 8) !== own || at(cell.bottom - 8) !== own; }"""
    page.keyboard.press("ArrowRight")
    for key in ["ArrowDown"] * 20 + ["ArrowUp"] * 20:
        page.keyboard.press(key)
        assert page.evaluate(covered) is False, key


def test_ranges_by_keys(dataset: int, open_tab: Callable[..., Tab]) -> None:
    """Shift and an arrow marks on the way; Shift and Space marks from the last one marked; A marks all, and none."""
    page = open_tab().page
    go(page, dataset)
    page.keyboard.press("ArrowRight")
    for _ in range(3):
        page.keyboard.press("Shift+ArrowRight")
    assert marked(page) == [0, 1, 2, 3]
    page.keyboard.press("a")
    assert len(marked(page)) == SHOWN
    page.keyboard.press("a")
    assert marked(page) == []
    for _ in range(2):
        page.keyboard.press("ArrowRight")
    page.keyboard.press("Space")
    for _ in range(4):
        page.keyboard.press("ArrowRight")
    page.keyboard.press("Shift+Space")
    assert marked(page) == [5, 6, 7, 8, 9]
    expect(page.locator("[data-selected]")).to_have_text("5 selected")


def test_ranges_by_mouse(dataset: int, open_tab: Callable[..., Tab]) -> None:
    """A click marks, Shift and a click marks all up to it, another takes a range back; no words get selected."""
    page = open_tab().page
    go(page, dataset)
    cells = page.locator("[data-grid] .cell label")
    cells.nth(2).click()
    cells.nth(9).click(modifiers=["Shift"])
    assert marked(page) == list(range(2, 10))
    cells.nth(5).click()
    cells.nth(7).click(modifiers=["Shift"])
    assert marked(page) == [2, 3, 4, 8, 9]
    assert page.evaluate("String(getSelection())") == ""
    page.keyboard.press("ArrowRight")
    assert page.evaluate(FOCUSED) == 8


def test_the_chosen_get_one_verdict_in_one_request(server: Server, dataset: int, open_tab: Callable[..., Tab]) -> None:
    """Marked and called by a digit: one request, told, what is left comes up; one undo takes the whole batch back."""
    page = open_tab().page
    go(page, dataset)
    posted = watch_posts(page)
    page.keyboard.press("ArrowRight")
    for _ in range(11):
        page.keyboard.press("Shift+ArrowRight")
    press(page, "2")
    assert posted == ["/grid"]
    assert counted(server, dataset) == {"negative": 12}
    expect(page.locator("#live")).to_have_text("Saved for 12 images")
    assert page.evaluate("document.activeElement.tagName") == "H1"
    assert marked(page) == []
    expect(tiles(page)).to_have_count(FLAGS - 12)
    press(page, "u")
    assert posted == ["/grid", "/grid/undo"]
    assert counted(server, dataset) == {}
    expect(page.locator("#live")).to_have_text("Taken back for 12 images")
    expect(page.get_by_role("button", name="Undo the last batch")).to_have_count(0)
    assert [len(reviews(server, item["id"])) for item in listed(server, dataset)][:13] == [2] * 12 + [0]


def test_nothing_chosen_saves_nothing(server: Server, dataset: int, open_tab: Callable[..., Tab]) -> None:
    """A digit without a marked image is told, and no request goes out."""
    page = open_tab().page
    go(page, dataset)
    posted = watch_posts(page)
    page.keyboard.press("1")
    expect(page.locator("#notice")).to_contain_text("Select at least one image")
    assert posted == []
    assert counted(server, dataset) == {}


def test_all_positive_but_the_marked(server: Server, dataset: int, open_tab: Callable[..., Tab]) -> None:
    """The preview names what will be saved; Escape keeps the marks; S saves; one undo takes it back."""
    page = open_tab().page
    go(page, dataset)
    names = [item["path"] for item in listed(server, dataset)[:2]]
    for place in range(2):
        page.locator("[data-grid] .cell label").nth(place).click()
    press(page, "p")
    expect(page.locator("h1")).to_have_text(f"{SHOWN - 2} images become football")
    exceptions = page.get_by_role("region", name="The marked").locator(".cell-name")
    assert sorted(each.get_attribute("title") or "" for each in exceptions.all()) == sorted(names)
    assert counted(server, dataset) == {}
    press(page, "Escape")
    assert marked(page) == [0, 1]
    assert counted(server, dataset) == {}
    press(page, "p")
    posted = watch_posts(page)
    press(page, "s")
    assert posted == ["/grid"]
    assert counted(server, dataset) == {"positive": SHOWN - 2}
    open_now = {item["path"] for item in listed(server, dataset) if item["verdict"] is None}
    assert set(names) <= open_now
    press(page, "u")
    assert counted(server, dataset) == {}


def test_the_marked_may_get_the_opposite(server: Server, dataset: int, open_tab: Callable[..., Tab]) -> None:
    """All no but the marked, which become yes in the same batch; one undo for both."""
    page = open_tab().page
    go(page, dataset)
    for place in (3, 4, 7):
        page.locator("[data-grid] .cell label").nth(place).click()
    press(page, "n")
    posted = watch_posts(page)
    press(page, "o")
    assert posted == ["/grid"]
    assert counted(server, dataset) == {"negative": SHOWN - 3, "positive": 3}
    yes = [int(item["path"][-7:-4]) for item in listed(server, dataset) if item["verdict"] == "positive"]
    assert yes == [3, 4, 7]
    expect(page.get_by_role("button", name=f"Undo the last batch ({SHOWN})")).to_be_visible()
    press(page, "u")
    assert counted(server, dataset) == {}


def test_a_key_pressed_twice_gives_one_batch(server: Server, dataset: int, open_tab: Callable[..., Tab]) -> None:
    """Two quick presses of the digit, and a double click on Save: one batch each, none for images not looked at."""
    page = open_tab().page
    go(page, dataset)
    posted = watch_posts(page)
    page.keyboard.press("ArrowRight")
    page.keyboard.press("Space")
    page.evaluate("document.getElementById('tiles').dataset.old = '1'")
    page.keyboard.press("3")
    page.keyboard.press("3")
    page.wait_for_selector("#tiles:not([data-old])")
    page.wait_for_timeout(500)
    assert counted(server, dataset) == {"unsure": 1}
    press(page, "p")
    page.get_by_role("button", name="Save").first.dblclick()
    expect(page.locator("#live")).to_have_text(f"Saved for {SHOWN} images")
    page.wait_for_timeout(500)
    assert posted == ["/grid", "/grid/preview", "/grid"]
    assert counted(server, dataset) == {"unsure": 1, "positive": SHOWN}
    press(page, "u")
    press(page, "u")
    assert counted(server, dataset) == {}


def test_an_answer_that_got_lost_makes_no_second_batch(
    server: Server, dataset: int, open_tab: Callable[..., Tab]
) -> None:
    """Stored, but the page never heard: it says so, keeps the marks, and the same press again is the same batch."""
    page = open_tab(expect=OFFLINE).page
    go(page, dataset)
    page.keyboard.press("ArrowRight")
    page.keyboard.press("Shift+ArrowRight")
    page.route("**/grid", lambda route: (route.fetch(), route.abort()))
    page.keyboard.press("2")
    expect(page.locator("#notice")).to_be_visible()
    expect(page.locator("#notice")).to_contain_text("not known whether this was saved")
    assert marked(page) == [0, 1]
    page.unroute("**/grid")
    press(page, "2")
    assert counted(server, dataset) == {"negative": 2}
    assert [len(reviews(server, item["id"])) for item in listed(server, dataset)][:3] == [1, 1, 0]


def test_an_image_that_another_person_answered_is_told(
    server: Server, dataset: int, open_tab: Callable[..., Tab]
) -> None:
    """Nothing is saved over it, nor half a batch: the page says so, shows what is open, and keeps the other marks."""
    page = open_tab(expect=CONFLICT).page
    go(page, dataset)
    images = listed(server, dataset)
    for place in (0, 1, 2):
        page.locator("[data-grid] .cell label").nth(place).click()
    answer(server, images[1]["id"], "positive", "Grace")
    press(page, "2")
    expect(page.locator(".said")).to_contain_text("Nothing was saved")
    assert counted(server, dataset) == {"positive": 1}
    assert marked(page) == [0, 1]
    press(page, "2")
    assert counted(server, dataset) == {"positive": 1, "negative": 2}
    assert [row["reviewer"] for row in reviews(server, images[1]["id"])] == ["Grace"]


def test_a_preview_that_another_person_overtook_is_told(
    server: Server, dataset: int, open_tab: Callable[..., Tab]
) -> None:
    """Between the preview and its Save an image was answered: nothing is saved, and the marks are still there."""
    page = open_tab(expect=CONFLICT).page
    go(page, dataset)
    images = listed(server, dataset)
    page.locator("[data-grid] .cell label").nth(0).click()
    press(page, "p")
    answer(server, images[5]["id"], "negative", "Grace")
    press(page, "s")
    expect(page.locator(".said")).to_contain_text("Nothing was saved")
    assert counted(server, dataset) == {"negative": 1}
    assert marked(page) == [0]
    press(page, "p")
    press(page, "s")
    assert counted(server, dataset) == {"negative": 1, "positive": SHOWN - 1}
    assert [row["reviewer"] for row in reviews(server, images[5]["id"])] == ["Grace"]


def test_similar_together(server: Server, dataset: int, open_tab: Callable[..., Tab]) -> None:
    """Scenes stand together, the largest first; a button marks a whole one, and arrows cross from one to the next."""
    page = open_tab().page
    go(page, dataset, "similar")
    heads = [head.inner_text() for head in page.locator(".group-head h2").all()]
    assert heads == ["40 alike", "20 alike"]
    groups = page.locator(".group-head")
    groups.nth(1).get_by_role("button").click()
    assert marked(page) == list(range(40, 60))
    tiles(page).nth(39).focus()
    page.keyboard.press("ArrowDown")
    assert page.evaluate(FOCUSED) in range(40, 60)
    page.keyboard.press("ArrowUp")
    assert page.evaluate(FOCUSED) in range(30, 40)
    press(page, "1")
    paths = [int(item["path"][-7:-4]) for item in listed(server, dataset) if item["verdict"] == "positive"]
    assert paths == list(range(40, 60))
    assert [head.inner_text() for head in page.locator(".group-head h2").all()] == [
        "40 alike",
        "7 alike",
        "Like no other here",
    ]
    press(page, "p")
    press(page, "s")
    expect(page.get_by_role("heading", name="Every flag has been called")).to_be_visible()
    assert page.evaluate("document.activeElement === document.body") is False
    press(page, "u")
    assert counted(server, dataset) == {"positive": 20}
    press(page, "u")
    assert counted(server, dataset) == {}


def test_back_from_one_image_keeps_the_marks(dataset: int, open_tab: Callable[..., Tab]) -> None:
    """A look at one image alone, and the Back button: what was marked is marked, and counted."""
    page = open_tab().page
    go(page, dataset)
    for place in (1, 4):
        page.locator("[data-grid] .cell label").nth(place).click()
    page.locator(".cell-open").nth(4).click()
    page.wait_for_url("**/review?**")
    page.go_back()
    page.wait_for_url("**/grid?**")
    assert marked(page) == [1, 4]


def test_keys_in_the_dialog_and_switched_off(server: Server, dataset: int, open_tab: Callable[..., Tab]) -> None:
    """The list of keys opens, and answers nothing while it is open; switched off, no single key does anything."""
    page = open_tab().page
    go(page, dataset)
    posted = watch_posts(page)
    page.keyboard.press("a")
    page.keyboard.press("?")
    expect(page.get_by_role("dialog")).to_be_visible()
    page.keyboard.press("1")
    page.keyboard.press("ArrowDown")
    page.keyboard.press("Escape")
    expect(page.get_by_role("dialog")).to_be_hidden()
    page.goto("/settings")
    page.get_by_label("Single keys answer").uncheck()
    page.get_by_role("button", name="Save the keys").click()
    go(page, dataset)
    posted.clear()
    for name in ("a", "1", "p", "ArrowRight"):
        page.keyboard.press(name)
    assert marked(page) == []
    page.wait_for_timeout(300)
    assert posted == []
    assert counted(server, dataset) == {}


def test_without_javascript(server: Server, dataset: int, open_tab: Callable[..., Tab]) -> None:
    """Mark, call, all but the marked with its preview, and undo: all by plain forms."""
    page = open_tab(reviewer="Joan", java_script_enabled=False).page
    page.goto(f"/grid?dataset={dataset}")
    tiles(page).nth(0).check()
    tiles(page).nth(3).check()
    page.get_by_role("button", name="Unsure").click()
    assert counted(server, dataset) == {"unsure": 2}
    page.get_by_role("button", name="Undo the last batch").click()
    assert counted(server, dataset) == {}
    tiles(page).nth(5).check()
    page.get_by_role("button", name="No to all others").click()
    expect(page.locator("h1")).to_contain_text(f"{SHOWN - 1} images become no football")
    page.get_by_role("button", name="Back, save nothing").click()
    expect(tiles(page).nth(5)).to_be_checked()
    page.get_by_role("button", name="Yes to all others").click()
    page.get_by_role("button", name="Save all").dblclick()
    expect(page.get_by_role("button", name="Undo the last batch")).to_be_visible()
    assert counted(server, dataset) == {"positive": SHOWN - 1, "negative": 1}
    page.goto(f"/grid?dataset={dataset}")
    page.get_by_role("button", name="Undo the last batch").click()
    assert counted(server, dataset) == {}


def test_on_a_phone(server: Server, dataset: int, open_tab: Callable[..., Tab]) -> None:
    """Taps mark and call; every button is as large as a thumb, and images are left to be seen above them."""
    page = open_tab(viewport={"width": 390, "height": 844}, has_touch=True, is_mobile=True).page
    go(page, dataset)
    page.locator("[data-grid] .cell label").nth(1).scroll_into_view_if_needed()
    page.locator("[data-grid] .cell label").nth(1).tap()
    page.locator("[data-grid] .cell label").nth(2).tap()
    assert marked(page) == [1, 2]
    bar = page.locator(".grid-bar")
    for button in bar.get_by_role("button").all():
        if not button.is_visible():
            continue
        box = button.bounding_box()
        assert box is not None
        assert box["height"] >= 44, button.inner_text()
        assert box["x"] >= 0
        assert box["x"] + box["width"] <= 390
        assert box["y"] + box["height"] <= 844
    place = bar.bounding_box()
    assert place is not None
    assert place["height"] <= 844 / 3
    swapped(page, page.get_by_role("button", name="No").first.tap)
    assert counted(server, dataset) == {"negative": 2}
    swapped(page, page.get_by_role("button", name="Undo the last batch").tap)
    assert counted(server, dataset) == {}
    swapped(page, page.get_by_role("button", name="Yes to all others").tap)
    save = page.get_by_role("button", name="Save").first.bounding_box()
    assert save is not None
    assert save["y"] + save["height"] <= 844


@pytest.mark.parametrize("theme", ["dark", "light"])
@pytest.mark.parametrize("width", [1440, 390])
def test_accessible_in_every_state(
    server: Server, dataset: int, open_tab: Callable[..., Tab], theme: str, width: int
) -> None:
    """axe finds nothing while images are marked, in groups, in the preview, after a batch, or with the list of keys."""
    page = open_tab(viewport={"width": width, "height": 844}).page
    page.context.add_cookies([{"name": "touchline_theme", "value": theme, "url": server.base}])
    found: dict[str, list[str]] = {}

    def look(state: str) -> None:
        if violations := find_violations(page):
            found[state] = violations

    go(page, dataset, "similar")
    page.keyboard.press("ArrowRight")
    page.keyboard.press("Shift+ArrowRight")
    look("marked")
    page.keyboard.press("?")
    look("keys")
    page.keyboard.press("Escape")
    press(page, "p")
    look("preview")
    press(page, "o")
    look("after")
    assert found == {}
