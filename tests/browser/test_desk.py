"""The desk under real keys, pointers and accidents: servers that die, tabs that race, people who change their mind."""

import json
import signal
import socket
import sqlite3
import subprocess
import sys
import time
import urllib.request
from collections.abc import Callable, Iterator
from contextlib import closing
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import Browser, BrowserContext, Page, Route, expect

from app.config import Settings
from app.storage.database import Database
from app.storage.migrating import migrate
from tests.browser.conftest import ROOT
from tests.browser.looking import find_violations
from tests.browser.test_whole_loop import SEEN, press
from tests.parts import SetClock, Workshop, bare_environment

IMAGES = 130
OFFLINE = (
    "ERR_CONNECTION_REFUSED",
    "ERR_CONNECTION_RESET",
    "ERR_EMPTY_RESPONSE",
    "ERR_FAILED",
    "409 (Conflict)",
    "htmx:error: Failed to fetch",
)
REFUSED = ("422 (Unprocessable Entity)",)
FIELD = "document.querySelector('[data-boxes-field]').value"
IMAGE = "document.getElementById('card')?.dataset.image"


@dataclass
class Desk:
    """A server over a data folder of its own, which can be killed and started again on the same port."""

    folder: Path
    port: int
    environment: dict[str, str]
    process: subprocess.Popen[bytes] | None = field(default=None)

    @property
    def base(self) -> str:
        """Where it answers."""
        return f"http://127.0.0.1:{self.port}"

    def get(self, path: str) -> Any:
        """A JSON answer of the API."""
        with urllib.request.urlopen(self.base + path, timeout=30) as response:
            return json.loads(response.read() or "null")

    def post(self, path: str, body: dict[str, Any], reviewer: str) -> Any:
        """Send JSON to the API as a reviewer."""
        headers = {"Content-Type": "application/json", "Cookie": f"touchline_reviewer={reviewer}"}
        request = urllib.request.Request(self.base + path, json.dumps(body).encode(), headers)
        with urllib.request.urlopen(request, timeout=30) as response:
            return json.loads(response.read())

    def reviews(self, image: str | int) -> list[dict[str, Any]]:
        """An image's history."""
        found: list[dict[str, Any]] = self.get(f"/api/images/{image}")["reviews"]
        return found

    def spent_ms(self, image: str | int) -> int:
        """What is stored of the time that an image's latest verdict took."""
        with closing(sqlite3.connect(self.folder / "var" / "touchline.db")) as connection:
            query = "SELECT spent_ms FROM reviews WHERE image_id = ? ORDER BY id DESC LIMIT 1"
            return int(connection.execute(query, (int(image),)).fetchone()[0])

    def image(self, path: str) -> int:
        """The id of an image, which is given at random."""
        found: list[dict[str, Any]] = self.get(f"/api/images?dataset=1&order=path&limit=500&text={path}")["items"]
        return next(int(item["id"]) for item in found if item["path"] == path)

    def start(self) -> None:
        """Start the server and wait until it answers."""
        command = [sys.executable, "-m", "app", "serve", "--port", str(self.port), "--no-worker"]
        with (self.folder / "serve.log").open("ab") as log:
            self.process = subprocess.Popen(command, cwd=ROOT, env=self.environment, stdout=log, stderr=log)
        until = time.monotonic() + 60
        while not self._answers():
            assert time.monotonic() < until, "the server did not start"
            time.sleep(0.1)

    def _answers(self) -> bool:
        try:
            return bool(self.get("/readyz"))
        except OSError:
            return False

    def kill(self) -> None:
        """End it without a word (SIGKILL)."""
        assert self.process is not None
        self.process.send_signal(signal.SIGKILL)
        self.process.wait(30)


def lay_out(
    folder: Path, files: dict[str, int], prepare: Callable[[Workshop], object] = lambda _: None, **environment: str
) -> Desk:
    """A desk over files that a detector scanned which reads colours; ``prepare`` does what was done there before."""
    settings = Settings(data_dir=folder / "var", datasets={"allowed_roots": (folder,)})
    settings.data_dir.mkdir()
    database = Database(f"sqlite:///{folder / 'var' / 'touchline.db'}")
    migrate(database)
    workshop = Workshop(folder, database, settings, SetClock())
    workshop.ready(files)
    prepare(workshop)
    database.dispose()
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    own = {"TOUCHLINE_DATA_DIR": str(settings.data_dir), "TOUCHLINE_REVIEW__LEASE_S": "1"}
    return Desk(folder, port, bare_environment() | own | environment)


@pytest.fixture(scope="module")
def desk(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Desk]:
    """Many flagged images behind a real server."""
    files = {f"background/{number:03}.png": 250 - number for number in range(IMAGES)} | {"football/sure.png": 255}
    no_blind_card = {"TOUCHLINE_REVIEW__AUDIT_SHARE": "0"}
    running = lay_out(tmp_path_factory.mktemp("desk"), files, **no_blind_card)
    running.start()
    yield running
    running.kill()


@pytest.fixture
def sit(browser: Browser, desk: Desk) -> Iterator[Callable[..., Page]]:
    """Opens the desk for a reviewer; at the end none may have seen an error that was not expected."""
    contexts: list[BrowserContext] = []
    problems: list[str] = []

    def sit_down(
        reviewer: str,
        path: str = "/review",
        expect_also: tuple[str, ...] = (),
        beside: Page | None = None,
        **options: Any,
    ) -> Page:
        if beside is None:
            context = browser.new_context(base_url=desk.base, **{"viewport": {"width": 1440, "height": 900}, **options})
            contexts.append(context)
            context.add_cookies([{"name": "touchline_reviewer", "value": reviewer, "url": desk.base}])
        else:
            context = beside.context
        page = context.new_page()

        def note(text: str) -> None:
            if not any(expected in text for expected in expect_also):
                problems.append(text)

        page.on("console", lambda message: note(message.text) if message.type in ("error", "warning") else None)
        page.on("pageerror", lambda error: note(str(error)))
        page.goto(path)
        if options.get("java_script_enabled", True) and path.startswith("/review"):
            page.wait_for_function(SEEN)
            page.wait_for_timeout(150)
        return page

    yield sit_down
    for context in contexts:
        context.close()
    assert problems == []


def key(page: Page, *names: str) -> None:
    """Press keys that do not change the card."""
    for name in names:
        page.keyboard.press(name)


def boxes_of(page: Page) -> list[list[float]]:
    """What will go along with the verdict."""
    value = page.evaluate(FIELD)
    found: list[list[float]] = json.loads(value) if value else []
    return found


def drag(page: Page, start: tuple[float, float], end: tuple[float, float]) -> None:
    """Drag over the image, in image pixels."""
    (x0, y0), (x1, y1) = (on_screen(page, point) for point in (start, end))
    page.mouse.move(x0, y0)
    page.mouse.down()
    page.mouse.move((x0 + x1) / 2, (y0 + y1) / 2)
    page.mouse.move(x1, y1)
    page.mouse.up()


def on_screen(page: Page, point: tuple[float, float]) -> tuple[float, float]:
    """Image pixels to CSS pixels."""
    x, y = page.evaluate(
        """([x, y]) => { const at = new DOMPoint(x, y).matrixTransform(
            document.querySelector('[data-human]').getScreenCTM()); return [at.x, at.y]; }""",
        list(point),
    )
    return x, y


@pytest.mark.parametrize(("name", "verdict"), [("1", "positive"), ("2", "negative"), ("3", "unsure"), ("4", "discard")])
def test_each_answer_has_its_key(desk: Desk, sit: Callable[..., Page], name: str, verdict: str) -> None:
    """One key, one verdict; undo brings the image back."""
    page = sit("Ada")
    image = page.evaluate(IMAGE)
    before = len(desk.reviews(image))
    press(page, name)
    assert page.evaluate(IMAGE) != image
    assert [row["verdict"] for row in desk.reviews(image)[before:]] == [verdict]
    press(page, "u")
    assert page.evaluate(IMAGE) == image
    assert desk.reviews(image)[-1]["undoes"] is not None


def test_keys_that_move_and_look(sit: Callable[..., Page]) -> None:
    """Next, previous, neighbours by name, zoom, hidden boxes, enlargements, the list of keys."""
    page = sit("Ada")  # the most suspicious image, and the first of its folder
    first = page.evaluate(IMAGE)
    for there, back in (("ArrowRight", "ArrowLeft"), ("d", "a")):
        press(page, there)
        assert page.evaluate(IMAGE) != first
        press(page, back)
        assert page.evaluate(IMAGE) == first
    key(page, "z")
    expect(page.locator("[data-stage]")).to_have_class("stage is-zoomed")
    key(page, "z")
    page.keyboard.down("h")
    expect(page.locator("[data-stage]")).to_have_class("stage boxes-hidden")
    page.keyboard.up("h")
    expect(page.locator("[data-stage]")).to_have_class("stage")
    key(page, "p")
    expect(page.locator("html")).to_have_class("is-pixelated")
    assert (
        page.locator(".crop-image").first.evaluate("element => getComputedStyle(element).imageRendering") == "pixelated"
    )
    key(page, "p", "?")
    expect(page.get_by_role("dialog")).to_be_visible()
    key(page, "1", "Escape")
    expect(page.get_by_role("dialog")).to_be_hidden()
    assert page.evaluate(IMAGE) == first


def canvas(page: Page) -> dict[str, float]:
    """Where the picture lies in its stage and how large it is, in CSS pixels."""
    found: dict[str, float] = page.evaluate(
        """() => { const {style} = document.querySelector('[data-canvas]');
            const keys = ['left', 'top', 'width', 'height'];
            return Object.fromEntries(keys.map(key => [key, parseFloat(style[key])])); }"""
    )
    return found


def test_wheel_and_drag_move_the_picture(sit: Callable[..., Page]) -> None:
    """The wheel zooms at the pointer, a drag pans what is zoomed and never past its edge; a whole image lies still."""
    page = sit("Ada")
    box = page.locator("[data-stage]").bounding_box()
    assert box is not None
    whole = canvas(page)
    x, y = box["x"] + box["width"] * 0.5, box["y"] + box["height"] * 0.5
    pointed = (8.0, 6.0)  # in image pixels: the middle
    page.mouse.move(x, y)
    page.mouse.down()
    page.mouse.move(x + 40, y + 20, steps=3)
    page.mouse.up()
    assert canvas(page) == whole

    page.mouse.move(x, y)
    page.mouse.wheel(0, -800)
    expect(page.locator("[data-stage]")).to_have_class("stage is-zoomed")
    zoomed = canvas(page)
    assert zoomed["width"] > 2 * whole["width"]
    assert on_screen(page, pointed) == pytest.approx((x, y), abs=2)

    page.mouse.down()
    page.mouse.move(x + 40, y + 20, steps=3)
    page.mouse.up()
    panned = canvas(page)
    assert (panned["left"] - zoomed["left"], panned["top"] - zoomed["top"]) == pytest.approx((40, 20), abs=1)
    assert (panned["width"], panned["height"]) == (zoomed["width"], zoomed["height"])
    page.mouse.move(x, y)
    assert canvas(page) == panned

    page.mouse.wheel(0, 4000)
    expect(page.locator("[data-stage]")).to_have_class("stage")
    assert canvas(page) == whole


def test_a_verdict_says_how_long_it_took(desk: Desk, sit: Callable[..., Page]) -> None:
    """From the image's being seen to the key, in milliseconds."""
    page = sit("Timed")
    image = page.evaluate(IMAGE)
    page.wait_for_timeout(300)
    press(page, "3")
    spent = desk.spent_ms(image)
    assert 300 <= spent < 60_000
    press(page, "u")


def test_a_verdict_in_the_strip_has_an_undo_of_its_own(desk: Desk, sit: Callable[..., Page]) -> None:
    """An older one is taken back, the newest stays; by script and by a plain form alike."""
    for name, scripted in (("Strip", True), ("Plain strip", False)):
        page = sit(name, java_script_enabled=scripted)
        called = []
        for _ in range(2):
            image = page.locator("#card").get_attribute("data-image") or ""
            page.locator("#verdict button[value=unsure]").click()
            expect(page.locator(f"#card[data-image='{image}']")).to_have_count(0)
            called.append(image)
            page.wait_for_timeout(150)
        page.locator(".recent li").nth(1).get_by_role("button", name="Undo").click()
        expect(page.locator(f"#card[data-image='{called[0]}']")).to_have_count(1)
        expect(page.locator(".recent li")).to_have_count(1)
        older, newer = (desk.reviews(image)[-1] for image in called)
        assert (older["verdict"], newer["verdict"]) == (None, "unsure")
        desk.post(f"/api/reviews/{newer['review_id']}/undo", {}, name)


def test_keys_for_dark_frames_hold_from_card_to_card(sit: Callable[..., Page]) -> None:
    """Brightness, contrast and the drawn boxes are of the view alone, stay, and go back with one key."""
    page = sit("Ada")
    shown = "getComputedStyle(document.querySelector('[data-stage-image]')).filter"
    key(page, "+", "+", "-", ".", ".", ",")
    assert page.evaluate(shown) == "brightness(1.2) contrast(1.15)"
    drawn = page.locator("[data-stage] .box:visible").count()
    for _ in range(11):
        key(page, "k")
    assert page.locator("[data-stage] .box:visible").count() == 0 < drawn
    press(page, "ArrowRight")
    assert page.evaluate(shown) == "brightness(1.2) contrast(1.15)"
    assert page.locator("[data-stage] .box:visible").count() == 0
    page.reload()
    assert page.evaluate(shown) == "brightness(1.2) contrast(1.15)"
    key(page, "v")
    expect(page.locator("[data-view-panel]")).to_be_visible()
    page.get_by_label("Boxes from").fill("0.1")
    assert page.locator("[data-stage] .box:visible").count() == drawn
    page.locator("h1").click()
    key(page, "0", "v")
    assert page.evaluate(shown) == "none"
    expect(page.locator("[data-view-panel]")).to_be_hidden()


def test_chosen_keys_are_the_ones_that_work(desk: Desk, sit: Callable[..., Page]) -> None:
    """Chosen by pressing them in the form; the old key does nothing then; switched off, none does."""
    page = sit("Key Chooser", "/settings/keys", expect_also=REFUSED)
    for label, name in (("Yes: the object", "q"), ("Undo my last", "End"), ("Zoom in", "+"), ("Brighter", "b")):
        page.get_by_label(label).press(name)
    page.get_by_role("button", name="Save the keys").click()
    expect(page.get_by_text("Nothing was saved")).to_be_visible()
    page.get_by_label("Edit boxes").fill("")
    page.get_by_role("button", name="Save the keys").click()
    expect(page.get_by_text("The keys are saved")).to_be_visible()

    page.goto("/review")
    image = page.evaluate(IMAGE)
    page.wait_for_function(SEEN)
    page.wait_for_timeout(200)
    key(page, "1", "u")
    page.wait_for_timeout(400)
    assert page.evaluate(IMAGE) == image
    key(page, "b")
    assert page.locator("[data-editor]").is_hidden()
    assert page.locator("html").get_attribute("class") == "is-tuned"
    press(page, "q")
    assert desk.reviews(image)[-1]["verdict"] == "positive"
    press(page, "End")
    assert page.evaluate(IMAGE) == image

    page.goto("/settings")
    page.get_by_label("Single keys answer").uncheck()
    page.get_by_role("button", name="Save the keys").click()
    page.goto("/review")
    page.wait_for_timeout(300)
    key(page, "q")
    page.wait_for_timeout(400)
    assert page.evaluate(IMAGE) == image


def test_the_grid_obeys_chosen_keys(sit: Callable[..., Page]) -> None:
    """An arrow that answers does not move as well, and the key that answered before does nothing."""
    page = sit("Grid Chooser", "/settings/keys")
    page.get_by_label("Next image").fill("")
    page.get_by_label("Yes: the object").press("ArrowRight")
    page.get_by_role("button", name="Save the keys").click()
    expect(page.get_by_text("The keys are saved")).to_be_visible()
    page.goto("/grid")
    page.locator("[data-grid] input[type=checkbox]").first.check()
    page.wait_for_timeout(200)
    key(page, "1")
    page.wait_for_timeout(300)
    expect(page.locator("[data-selected] b")).to_have_text("1")
    key(page, "ArrowRight")
    expect(page.locator("#tiles .said")).to_contain_text("Saved for 1")
    page.wait_for_timeout(200)
    key(page, "u")
    expect(page.locator("#tiles .said")).to_contain_text("Taken back for 1")


def test_undo_at_depth_50(desk: Desk, sit: Callable[..., Page]) -> None:
    """Fifty verdicts are taken back one by one, newest first, and no other person's."""
    page = sit("Deep")
    called = []
    for _ in range(50):
        called.append(page.evaluate(IMAGE))
        press(page, "3")
    assert len(set(called)) == 50
    undone = []
    for _ in range(50):
        press(page, "u")
        undone.append(page.evaluate(IMAGE))
    assert undone == called[::-1]
    assert all(desk.get(f"/api/images/{image}")["verdict"] is None for image in called)


def test_a_burst_answers_only_what_was_seen(desk: Desk, sit: Callable[..., Page]) -> None:
    """A key that is hammered gives no image more than one verdict, and each verdict one image that stood there."""
    page = sit("Hasty")
    before = desk.get("/api/datasets/1/stats")["reviewed"]
    seen = {page.evaluate(IMAGE)}
    for _ in range(12):
        page.keyboard.press("3")
        page.wait_for_timeout(40)
        seen.add(page.evaluate(IMAGE))
    page.wait_for_timeout(600)
    seen.add(page.evaluate(IMAGE))
    given = desk.get("/api/datasets/1/stats")["reviewed"] - before
    assert 1 <= given == len(seen) - 1
    for _ in range(given):
        press(page, "u")


def test_the_next_image_is_painted_before_the_answer(sit: Callable[..., Page]) -> None:
    """It was fetched and decoded ahead; the card follows, and no key counts before it is there."""
    page = sit("Ada")
    page.wait_for_timeout(500)
    ahead = page.evaluate("document.getElementById('card').dataset.prefetch").split(" ")
    assert len(ahead) == 5
    held: list[Route] = []

    def hold(route: Route) -> None:
        held.append(route)

    page.route("**/review/*", hold)
    page.keyboard.press("3")
    page.wait_for_function(
        "url => document.querySelector('[data-stage-image]').getAttribute('src') === url", arg=ahead[0]
    )
    key(page, "1")
    assert len(held) == 1
    held[0].continue_()
    page.wait_for_function("() => document.getElementById('card').dataset.message.startsWith('unsure')")
    assert page.locator("[data-stage-image]").get_attribute("src") == ahead[0]
    page.unroute("**/review/*")
    press(page, "u")


def test_a_note_is_written_by_key(desk: Desk, sit: Callable[..., Page]) -> None:
    """N goes into the field, digits there are text, Ctrl and Enter leave it, and the verdict takes it along."""
    page = sit("Ada")
    image = page.evaluate(IMAGE)
    key(page, "n")
    page.keyboard.type("ball 1 of 2")
    key(page, "Enter")
    page.keyboard.type("by the post")
    key(page, "Control+Enter")
    assert page.evaluate("document.activeElement.tagName") == "H1"
    press(page, "1")
    assert desk.reviews(image)[-1]["note"] == "ball 1 of 2\nby the post"
    assert page.locator("[data-note]").input_value() == ""
    page.goto(f"/images/{image}")
    expect(page.locator(".history-note")).to_contain_text("by the post")
    page.goto("/review")
    press(page, "u")
    assert page.locator("[data-note]").input_value() == "ball 1 of 2\nby the post"


def test_guidelines_beside_the_image(sit: Callable[..., Page]) -> None:
    """Written on their page, read by a key without leaving the image."""
    page = sit("Ada", "/datasets/1/guidelines")
    page.get_by_label("Guidelines, in Markdown").fill("# Boards\n\nA ball on a **board** counts not.")
    page.get_by_role("button", name="Preview").click()
    expect(page.locator(".prose strong")).to_have_text("board")
    page.get_by_role("button", name="Save the guidelines").click()
    page.goto("/review")
    image = page.evaluate(IMAGE)
    key(page, "g")
    expect(page.get_by_role("complementary", name="Guidelines")).to_be_visible()
    key(page, "Escape")
    expect(page.locator("#guidelines")).to_be_hidden()
    assert page.evaluate(IMAGE) == image


def test_boxes_by_keyboard(desk: Desk, sit: Callable[..., Page]) -> None:
    """Accept, move, resize, make, take back, delete; each is said; the verdict takes along what is left."""
    page = sit("Ada", "/review?image=9")
    live = page.locator("#live")
    key(page, "b")
    expect(live).to_contain_text("1 of the detector")
    key(page, "Enter")
    assert boxes_of(page) == [[0, 0, 8, 12]]
    key(page, "Alt+ArrowLeft", "Alt+Shift+ArrowUp")
    assert boxes_of(page) == [[0, 0, 7, 2]]
    key(page, "ArrowRight", "ArrowDown", "Shift+ArrowDown")
    assert boxes_of(page) == [[1, 10, 8, 12]]
    expect(live).to_contain_text("7 by 2 pixels at 1, 10")
    key(page, "Control+z")
    assert boxes_of(page) == [[1, 1, 8, 3]]
    key(page, "c")
    assert len(boxes_of(page)) == 2
    key(page, "Tab", "Shift+Tab", "Delete")
    assert boxes_of(page) == [[1, 1, 8, 3]]
    assert page.evaluate(IMAGE) == "9"
    key(page, "Escape")
    expect(page.locator("[data-editor]")).to_be_hidden()
    expect(page.locator("[data-boxes-said]")).to_have_text("1 box goes along with Yes or Unsure")
    press(page, "1")
    assert desk.reviews(9)[-1]["boxes"] == [[1, 1, 8, 3]]
    page.goto("/images/9")
    expect(page.locator(".human-box")).to_have_count(1)
    page.goto("/review?image=9")
    expect(page.locator(".human-box")).to_have_count(1)
    assert boxes_of(page) == [[1, 1, 8, 3]]


def test_boxes_by_pointer(sit: Callable[..., Page]) -> None:
    """Drag on the image draws, inside the chosen box moves, at its side resizes; a click chooses."""
    page = sit("Ada", "/review?image=11")
    key(page, "b")
    page.mouse.click(*on_screen(page, (14, 2)))
    drag(page, (10, 4), (14, 8))
    assert [round(value) for value in boxes_of(page)[0]] == [10, 4, 14, 8]
    drag(page, (12, 6), (13, 7))
    assert [round(value) for value in boxes_of(page)[0]] == [11, 5, 15, 9]
    drag(page, (15, 9), (20, 20))
    assert [round(value) for value in boxes_of(page)[0]] == [11, 5, 16, 12]
    drag(page, (13, 8), (1, 8))
    assert boxes_of(page)[0][0] == 0
    page.get_by_role("button", name="Delete").click()
    assert boxes_of(page) == []
    page.mouse.click(*on_screen(page, (3, 3)))
    page.get_by_role("button", name="Accept").click()
    assert boxes_of(page) == [[0, 0, 8, 12]]
    page.get_by_role("button", name="Done").click()
    expect(page.locator("[data-editor]")).to_be_hidden()


def test_boxes_by_touch_on_a_phone(sit: Callable[..., Page]) -> None:
    """A finger draws while boxes are edited, and the page does not scroll away under it."""
    page = sit("Ada", "/review?image=13", viewport={"width": 390, "height": 844}, has_touch=True, is_mobile=True)
    page.get_by_role("button", name="Edit boxes").tap()
    page.touchscreen.tap(*on_screen(page, (14, 2)))
    (x0, y0), (x1, y1) = on_screen(page, (10, 3)), on_screen(page, (15, 9))
    session = page.context.new_cdp_session(page)
    for kind, x, y in (("Start", x0, y0), ("Move", x0 + 8, y0 + 8), ("Move", x1, y1)):
        session.send("Input.dispatchTouchEvent", {"type": f"touch{kind}", "touchPoints": [{"x": x, "y": y}]})
    session.send("Input.dispatchTouchEvent", {"type": "touchEnd", "touchPoints": []})
    assert [round(value) for value in boxes_of(page)[0]] == [10, 3, 15, 9]
    assert page.evaluate("scrollY") == 0
    for button in page.locator("[data-edit-bar] button").all():
        box = button.bounding_box()
        assert box is not None
        assert box["height"] >= 36
        assert box["x"] >= 0
        assert box["x"] + box["width"] <= 390


def test_boxes_do_not_go_along_with_a_no(desk: Desk, sit: Callable[..., Page]) -> None:
    """What is not there has no box; without a touch nothing goes along at all."""
    page = sit("Ada", "/review?image=15")
    key(page, "b", "Enter", "Escape")
    press(page, "2")
    assert desk.reviews(15)[-1]["boxes"] is None
    image = page.evaluate(IMAGE)
    key(page, "b", "Escape")
    press(page, "1")
    assert desk.reviews(image)[-1]["boxes"] is None


def test_a_server_that_dies_between_two_keys_loses_no_verdict(desk: Desk, sit: Callable[..., Page]) -> None:
    """The page keeps it, says so, takes no other on top, and sends it by itself; it arrives once, with all of it."""
    page = sit("Ada", expect_also=OFFLINE)
    press(page, "3")
    image = page.evaluate(IMAGE)
    before = len(desk.reviews(image))
    key(page, "b", "Enter", "Escape", "n")
    page.keyboard.type("kept")
    key(page, "Control+Enter")
    desk.kill()
    key(page, "1")
    expect(page.locator("#outbox")).to_contain_text("kept in this browser")
    expect(page.locator("#live")).to_contain_text("kept in this browser")
    assert page.locator("#notice").is_hidden()
    key(page, "2", "u")
    page.wait_for_timeout(1_500)
    assert page.evaluate(IMAGE) == image
    assert page.locator("[data-stage-image]").get_attribute("src").startswith(f"/images/{image}/")  # type: ignore[union-attr]

    desk.start()
    expect(page.locator("#outbox")).to_be_hidden(timeout=30_000)
    page.wait_for_function(f"image => {IMAGE} !== image", arg=image)
    given = desk.reviews(image)[before:]
    assert [(row["verdict"], row["note"]) for row in given] == [("positive", "kept")]
    assert given[0]["boxes"] is not None
    expect(page.locator(".said")).to_contain_text("Saved after all")
    press(page, "u")
    press(page, "u")


def test_a_verdict_is_kept_over_a_reload(desk: Desk, sit: Callable[..., Page]) -> None:
    """The page is closed while the server is away; the next page of this browser sends what was kept."""
    page = sit("Ada", expect_also=OFFLINE)
    image = page.evaluate(IMAGE)
    before = len(desk.reviews(image))
    desk.kill()
    key(page, "3")
    expect(page.locator("#outbox")).to_be_visible()
    page.goto("about:blank")
    desk.start()
    page.goto("/review")
    expect(page.locator("#outbox")).to_be_visible()
    expect(page.locator("#outbox")).to_be_hidden(timeout=15_000)
    assert [row["verdict"] for row in desk.reviews(image)[before:]] == ["unsure"]
    page.reload()
    page.wait_for_timeout(2_000)
    assert len(desk.reviews(image)) == before + 1
    press(page, "u")


def test_an_answer_that_got_lost_makes_no_second_verdict(desk: Desk, sit: Callable[..., Page]) -> None:
    """The server stored it, the page never heard: what is sent again is the same request."""
    page = sit("Ada", expect_also=OFFLINE)
    image = page.evaluate(IMAGE)
    before = len(desk.reviews(image))

    def lose(route: Route) -> None:
        route.fetch()
        route.abort()

    page.route("**/review/*", lose, times=1)
    key(page, "3")
    page.wait_for_function(f"image => {IMAGE} !== image", arg=image, timeout=15_000)
    assert [row["verdict"] for row in desk.reviews(image)[before:]] == ["unsure"]
    press(page, "u")


def test_a_kept_verdict_that_came_too_late_is_told(desk: Desk, sit: Callable[..., Page]) -> None:
    """Somebody else called the image meanwhile: nothing is saved over it, and the page says so."""
    page = sit("Ada", expect_also=OFFLINE)
    image = page.evaluate(IMAGE)
    latest = desk.get(f"/api/images/{image}")["review_id"]
    page.route("**/review/*", lambda route: route.abort())
    key(page, "1")
    expect(page.locator("#outbox")).to_be_visible()
    given = desk.post(f"/api/images/{image}/reviews", {"verdict": "negative", "seen_review_id": latest}, "Grace")
    page.unroute("**/review/*")
    page.get_by_role("button", name="Try now").click()
    expect(page.locator("#notice")).to_contain_text("was not saved")
    expect(page.locator("#outbox")).to_be_hidden()
    assert page.evaluate(IMAGE) == image
    assert desk.reviews(image)[-1]["review_id"] == given["review_id"]
    desk.post(f"/api/reviews/{given['review_id']}/undo", {}, "Grace")


def test_a_stale_card_is_shown_anew(desk: Desk, sit: Callable[..., Page]) -> None:
    """The image was called by somebody else while it stood here."""
    page = sit("Ada", expect_also=OFFLINE)
    image = page.evaluate(IMAGE)
    latest = desk.get(f"/api/images/{image}")["review_id"]
    given = desk.post(f"/api/images/{image}/reviews", {"verdict": "negative", "seen_review_id": latest}, "Grace")
    press(page, "1")
    assert page.evaluate(IMAGE) == image
    expect(page.locator(".said")).to_contain_text("look at it again")
    assert desk.reviews(image)[-1]["review_id"] == given["review_id"]
    assert page.locator("#outbox").is_hidden()
    desk.post(f"/api/reviews/{given['review_id']}/undo", {}, "Grace")


def test_two_tabs_of_one_person(desk: Desk, sit: Callable[..., Page]) -> None:
    """Both may show the same image; the second answer to it is refused, and both go on."""
    one = sit("Ada", "/review?image=21", expect_also=OFFLINE)
    two = sit("Ada", "/review?image=21", expect_also=OFFLINE, beside=one)
    before = len(desk.reviews(21))
    press(one, "3")
    two.bring_to_front()
    press(two, "1")
    expect(two.locator(".said")).to_contain_text("look at it again")
    assert [row["verdict"] for row in desk.reviews(21)[before:]] == ["unsure"]
    press(two, "1")
    assert [row["verdict"] for row in desk.reviews(21)[before:]] == ["unsure", "positive"]


def test_back_takes_a_step_back(desk: Desk, sit: Callable[..., Page]) -> None:
    """Links on the card are steps, verdicts are not; a page that was left comes back with its card."""
    first = desk.image("background/020.png")
    page = sit("Ada", f"/review?image={first}")
    press(page, "d")
    second = page.evaluate(IMAGE)
    press(page, "d")
    page.go_back()
    page.wait_for_function(f"image => {IMAGE} === image", arg=second)
    page.go_back()
    page.wait_for_function(f"image => {IMAGE} === image", arg=str(first))
    page.go_forward()
    page.wait_for_function(f"image => {IMAGE} === image", arg=second)
    page.get_by_role("link", name="All about this image").click()
    page.wait_for_url("**/images/*")
    page.go_back()
    page.wait_for_function(f"image => {IMAGE} === image", arg=second)
    press(page, "3")
    press(page, "u")
    assert page.evaluate(IMAGE) == second


def test_without_javascript(desk: Desk, sit: Callable[..., Page]) -> None:
    """A verdict with a note, the boxes of the last verdict, the keys and the guidelines: all by plain forms."""
    page = sit("Plain", "/review?image=35", java_script_enabled=False)
    page.get_by_label("Note with the verdict").fill("by hand")
    page.get_by_role("button", name="Yes").click()
    row = desk.reviews(35)[-1]
    assert (row["verdict"], row["note"], row["boxes"]) == ("positive", "by hand", None)
    seen = desk.get("/api/images/36")["review_id"]  # ids are given at random: an earlier test may have called it
    body = {"verdict": "positive", "seen_review_id": seen, "boxes": [[1, 1, 5, 5]]}
    desk.post("/api/images/36/reviews", body, "Ada")
    page.goto("/review?image=36")
    page.get_by_role("button", name="Unsure").click()
    assert desk.reviews(36)[-1]["boxes"] == [[1, 1, 5, 5]]
    page.goto("/settings/keys")
    page.get_by_label("Yes: the object").fill("y")
    page.get_by_role("button", name="Save the keys").click()
    expect(page.get_by_text("The keys are saved")).to_be_visible()
    page.get_by_role("button", name="All as at first").click()
    expect(page.get_by_label("Yes: the object")).to_have_value("1")


@pytest.mark.parametrize("theme", ["dark", "light"])
@pytest.mark.parametrize("width", [1440, 390])
def test_accessible_in_every_state(desk: Desk, sit: Callable[..., Page], theme: str, width: int) -> None:
    """axe finds nothing while boxes are edited, the view is changed, guidelines are open or a verdict waits."""
    page = sit("Axe", "/datasets/1/guidelines", expect_also=OFFLINE + REFUSED, viewport={"width": width, "height": 844})
    page.context.add_cookies([{"name": "touchline_theme", "value": theme, "url": desk.base}])
    page.get_by_label("Guidelines, in Markdown").fill("# Boards\n\n- [a link](https://example.org)\n- `code`")
    page.get_by_role("button", name="Save the guidelines").click()
    page.goto("/review")
    found: dict[str, list[str]] = {}

    def look(state: str) -> None:
        if violations := find_violations(page):
            found[state] = violations

    key(page, "b", "Enter")
    look("editing")
    key(page, "Escape", "v", "+", "k")
    look("view")
    key(page, "v", "0", "g")
    look("guidelines")
    key(page, "Escape", "?")
    look("keys")
    key(page, "Escape")
    page.route("**/review/*", lambda route: route.abort())
    page.wait_for_function(SEEN)
    page.wait_for_timeout(200)
    key(page, "3")
    expect(page.locator("#outbox")).to_be_visible()
    look("waiting")
    page.evaluate("localStorage.clear()")
    page.goto("/settings/keys")
    page.get_by_label("Yes: the object").fill("u")
    page.get_by_role("button", name="Save the keys").click()
    look("refused keys")
    assert found == {}
