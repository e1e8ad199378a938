"""The grid against one image at a time: near-identical frames, answered by keys in a real browser against a server.

    python scripts/measure_grid.py --frames 240

Draws one still scene ``--frames`` times, each a pixel or two aside and with noise of its own, filed as ``background``.
A ball lies in all of them but ``--exceptions``. All are flagged. They are answered on the desk by ``1`` and ``2``,
then, for each size of the grid, by marking the exceptions with arrows and Space, and "Yes to all others" with the
marked as "no". Each key goes out as soon as the page takes it: when the next image, or every tile, has been painted
and the moment has passed in which no answer counts. Afterwards every verdict is compared with what was drawn.

Keys, seconds and images a second are measured; no person is. Below ``with_a_person`` stands what follows from
assumptions that are options: seconds a person takes for an image alone (0.9 is a published pace, 4,000 an hour, so
the machine's time hides behind it), to look a page of tiles through, to mark one. For the grid the machine's time is
added to theirs. ``ten_times_up_to_s_per_tile`` needs no assumption of how fast a person looks at tiles: looking at
up to that long for each tile the grid is still ten times faster. Prints one JSON document.
"""

import http.client
import json
import shutil
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from math import ceil
from pathlib import Path
from tempfile import TemporaryDirectory
from time import perf_counter, sleep
from typing import Annotated, Any

import numpy as np
import typer
from PIL import Image
from playwright.sync_api import Page, sync_playwright
from playwright.sync_api import TimeoutError as PlaywrightTimeout

from app.cli.bench_review import FLAGS, Served, serving
from app.config import Settings
from app.demo.frames import draw_frame
from app.logs import set_up_logs
from app.services.clock import utc_now
from app.services.datasets import NewDataset, register_dataset
from app.services.review_bench import Pace, PacedDetector
from app.services.scanning import claim_scan, run_scan
from app.services.scans import request_scan
from app.services.workers import announced
from app.storage.database import Database
from app.storage.migrating import migrate

SEED = 24
DWELL_MS = 125  #: after an image was painted no answer counts for 120 ms
CARD = "document.querySelector('#card input[name=request_id]')?.value"
PAINTED = """old => { const card = document.querySelector('#card input[name=request_id]')?.value;
    const image = document.querySelector('#card [data-stage-image]');
    return card !== old && (!image || (image.complete && image.naturalWidth)); }"""
TILES = """() => { const all = [...document.querySelectorAll('#tiles:not([data-old]) img')];
    for (const image of all) image.loading = 'eager';
    return !!document.querySelector('#tiles:not([data-old])') && all.every(image => image.complete); }"""
PLACES = """() => [...document.querySelectorAll('[data-grid] .cell')].map(cell => {
    const at = cell.getBoundingClientRect();
    return [parseInt(cell.querySelector('[name=image]').value), at.left, at.top + scrollY]; })"""
FOCUSED = "parseInt(document.activeElement.closest('.cell')?.querySelector('[name=image]').value ?? '0')"


@dataclass(frozen=True, slots=True)
class Person:
    """What a person is assumed to take, in seconds."""

    per_image: float
    per_screen: float
    per_mark: float


@dataclass
class Hand:
    """Presses keys and counts them."""

    page: Page
    keys: int = 0

    def press(self, key: str) -> None:
        """One key."""
        self.keys += 1
        self.page.keyboard.press(key)

    def answer(self, key: str, done: Callable[[int], None]) -> None:
        """A key, once it counts, until something is done; one that was dropped is pressed again, as people do."""
        for _ in range(10):
            self.page.wait_for_timeout(DWELL_MS)
            self.press(key)
            with suppress(PlaywrightTimeout):
                done(3_000)
                return
        raise SystemExit(f"{key}: the page did not answer")


def draw_still_scene(root: Path, frames: int, exceptions: int) -> set[str]:
    """One scene over and over; the paths of those without a ball."""
    without = {round((at + 0.5) * frames / exceptions) for at in range(exceptions)} if exceptions else set()
    scene = {ball: draw_frame(np.random.default_rng(SEED), with_ball=ball).pixels for ball in (True, False)}
    random = np.random.default_rng(SEED)
    for folder in ("background", "football"):
        (root / folder).mkdir(parents=True)
    Image.fromarray(scene[True]).save(root / "football/0000.jpg", quality=90)
    for number in range(frames):
        moved = np.roll(scene[number not in without], tuple(random.integers(-2, 3, 2)), (0, 1))
        noisy = np.clip(moved + random.normal(0, 2, moved.shape), 0, 255).astype(np.uint8)
        Image.fromarray(noisy).save(root / f"background/{number:04}.jpg", quality=90)
    return {f"background/{number:04}.jpg" for number in without}


@contextmanager
def flagged(frames: Path, folder: Path) -> Iterator[tuple[Served, int]]:
    """A server over the frames, each of which a detector has seen something in; and the dataset's id."""
    settings = Settings(data_dir=folder / "var", datasets={"allowed_roots": (frames.parent,)})
    settings.data_dir.mkdir(parents=True)
    database = Database(settings.url)
    migrate(database)
    dataset = register_dataset(database, settings, NewDataset(frames, name="still"), utc_now()).id
    with announced(database, settings.worker, utc_now, serves=True) as worker_id:
        scan_id = request_scan(database, settings.worker, utc_now, dataset).scan.id
        scan = claim_scan(database, settings, utc_now, worker_id, scan_id)
        if scan is None:
            raise SystemExit("the scan of the frames could not be taken")
        run_scan(database, settings, utc_now, scan, lambda: PacedDetector(0, Pace(sleep)), lambda: False)
    with serving(settings) as server:
        yield server, dataset
    database.dispose()


def ask(server: Served, path: str) -> Any:
    """A JSON answer of the server."""
    connection = http.client.HTTPConnection(server.host, server.port, timeout=60)
    connection.request("GET", path)
    response = connection.getresponse()
    answer = json.loads(response.read())
    connection.close()
    if response.status != 200:
        raise SystemExit(f"{path}: {answer}")
    return answer


def one_by_one(hand: Hand, dataset: int, without: set[int]) -> None:
    """Every image on the desk, by its digit."""
    page = hand.page
    page.goto(f"/review?dataset={dataset}")
    page.wait_for_function(PAINTED, arg=None)
    while page.locator("#card form[data-verdict-form]").count():
        image, card = page.evaluate(f"[parseInt(document.getElementById('card').dataset.image), {CARD}]")

        def next_one(limit_ms: int, card: str = card) -> None:
            page.wait_for_function(PAINTED, arg=card, timeout=limit_ms)

        hand.answer("2" if image in without else "1", next_one)


def by_grid(hand: Hand, dataset: int, without: set[int], tiles: int) -> None:
    """Every image on the grid: mark what differs, call the rest, look at the preview, save."""
    page = hand.page
    page.goto(f"/grid?dataset={dataset}&order=similar&count={tiles}")

    def painted(limit_ms: int) -> None:
        page.wait_for_function(TILES, timeout=limit_ms)

    def next_block(key: str) -> None:
        page.evaluate("document.getElementById('tiles').dataset.old = '1'")
        hand.answer(key, painted)

    painted(30_000)
    while page.locator("[data-grid]").count():
        places = {image: (x, y) for image, x, y in page.evaluate(PLACES)}
        marks = [image for image in places if image in without]
        for image in marks:
            walk(hand, places, image)
            hand.press("Space")
        next_block("p")
        next_block("o" if marks else "s")


def walk(hand: Hand, places: dict[int, tuple[float, float]], goal: int) -> None:
    """Go to a tile by arrows, row by row first."""
    at = hand.page.evaluate(FOCUSED)
    while at != goal:
        (x, y), (goal_x, goal_y) = places.get(at, (0.0, 0.0)), places[goal]
        if at not in places:
            key = "ArrowRight"
        elif abs(goal_y - y) > 2:
            key = "ArrowDown" if goal_y > y else "ArrowUp"
        else:
            key = "ArrowRight" if goal_x > x else "ArrowLeft"
        hand.press(key)
        at = hand.page.evaluate(FOCUSED)


def measure(frames: Path, folder: Path, without: set[str], drive: Callable[[Hand, int, set[int]], None]) -> Any:
    """Serve, answer everything, compare; keys and seconds."""
    with flagged(frames, folder) as (server, dataset), sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=shutil.which("chromium"), args=FLAGS)
        base = f"http://{server.host}:{server.port}"
        context = browser.new_context(base_url=base, viewport={"width": 1440, "height": 900})
        context.add_cookies([{"name": "touchline_reviewer", "value": "bench", "url": base}])
        hand = Hand(context.new_page())
        listing = f"/api/images?dataset={dataset}&given=background&limit=500"
        ids = {item["path"]: item["id"] for item in ask(server, listing)["items"]}
        hand.page.goto("/stats")  # the browser has started, and the scripts are in its cache
        began = perf_counter()
        drive(hand, dataset, {ids[path] for path in without})
        spent = perf_counter() - began
        for item in ask(server, listing)["items"]:
            if item["verdict"] != ("negative" if item["path"] in without else "positive"):
                raise SystemExit(f"{item['path']}: {item['verdict']}")
        browser.close()
    images = len(ids)
    return {
        "images": images,
        "keys": hand.keys,
        "seconds": round(spent, 2),
        "images_per_s": round(images / spent, 1),
    }


def with_person(alone: Any, grid: Any, tiles: int, marks: int, person: Person) -> dict[str, float]:
    """What a person would need, under the assumptions, and how slow one may be with tiles for ten times the speed."""
    images = grid["images"]
    desk_s = max(images * person.per_image, alone["seconds"])
    fixed_s = grid["seconds"] + marks * person.per_mark
    grid_s = fixed_s + ceil(images / tiles) * person.per_screen
    return {
        "one_by_one_s": round(desk_s, 1),
        "grid_s": round(grid_s, 1),
        "times_faster": round(desk_s / grid_s, 1),
        "ten_times_up_to_s_per_tile": round(max(0.0, desk_s / 10 - fixed_s) / images, 3),
    }


def main(
    frames: Annotated[int, typer.Option(help="Near-identical frames, at most 500.", min=10, max=500)] = 240,
    exceptions: Annotated[int, typer.Option(help="Frames among them without the ball.", min=0)] = 6,
    tiles: Annotated[list[int] | None, typer.Option(help="Sizes of the grid: 60, 120 or 200.")] = None,
    image_s: Annotated[float, typer.Option(help="Assumed: seconds a person takes for an image alone.")] = 0.9,
    screen_s: Annotated[float, typer.Option(help="Assumed: seconds to look a page of tiles through.")] = 6.0,
    mark_s: Annotated[float, typer.Option(help="Assumed: seconds to mark a tile.")] = 0.5,
) -> None:
    """Draw, answer one by one and on the grid, compare, print."""
    set_up_logs(Settings().log.model_copy(update={"level": "error"}))
    person = Person(image_s, screen_s, mark_s)
    with TemporaryDirectory(prefix="touchline-grid-") as folder:
        root = Path(folder)
        without = draw_still_scene(root / "frames", frames, exceptions)
        alone = measure(root / "frames", root / "desk", without, one_by_one)
        rows = []
        for size in tiles or [60, 120, 200]:

            def drive(hand: Hand, dataset: int, ids: set[int], size: int = size) -> None:
                by_grid(hand, dataset, ids, size)

            grid = measure(root / "frames", root / f"grid-{size}", without, drive)
            times = {
                "machine_times_faster": round(alone["seconds"] / grid["seconds"], 1),
                "fewer_keys": round(alone["keys"] / grid["keys"], 1),
                "with_a_person": with_person(alone, grid, size, exceptions, person),
            }
            rows.append({"tiles": size} | grid | times)
    assumed = {"image_s": image_s, "screen_s": screen_s, "mark_s": mark_s}
    print(json.dumps({"exceptions": exceptions, "one_by_one": alone, "grid": rows, "assumed": assumed}, indent=1))


if __name__ == "__main__":
    typer.run(main)
