"""``bench review``: a real server, a real browser, a worker that writes, and a person's keys."""

import http.client
import os
import shutil
import socket
import subprocess
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from statistics import median, quantiles
from tempfile import TemporaryDirectory
from time import perf_counter, sleep
from typing import Any

from app.cli.common import show
from app.config import Settings, load_settings
from app.errors import UsageError
from app.logs import set_up_logs
from app.services.clock import utc_now
from app.services.review_bench import draw_frames, fill_database, writing
from app.storage.database import Database
from app.storage.migrating import migrate

SPARE = 20  #: images more than verdicts, for what is fetched ahead
#: every page of a dataset, with the filters and orders that read it differently; ``{middle}`` is an image half-way
PAGES = (
    *("/", "/review", "/second", "/conflicts", "/grid", "/grid?count=200", "/grid?order=similar"),
    *("/images", "/images?order=score", "/images?order=path", "/images?order=reviewed_at", "/images?reviewed=true"),
    *("/images?reviewed=false", "/images?flag=disagreement", "/images?flag=unreadable", "/images?verdict=positive"),
    *("/images?reviewer=bench", "/images?text=00012", "/images?folder=background", "/images?max_score=0.4"),
    *("/images?number={middle}", "/images?order=score&at_score=0.5", "/images?order=path&number={middle}"),
    *("/images/1", "/images/{middle}", "/duplicates", "/duplicates?kind=near", "/stats", "/report", "/audit"),
    *("/scans", "/scans/1", "/scans/compare", "/admin"),
    *("/clean", "/export", "/settings", "/settings/keys", "/datasets", "/datasets/{id}", "/datasets/{id}/files"),
    *("/datasets/{id}/guidelines", "/datasets/{id}/reviewing"),
)
ROUNDS = 40  #: requests of each page
WARM_UP = 3  #: verdicts
FLAGS = ["--headless", "--no-sandbox", "--disable-gpu", "--disable-background-networking"]
STARTS_WITHIN_S = 120.0
#: in the page: from the press of a key to the frame that shows the next image, decoded, and to the next card
WATCH = """
(() => {
  const picture = () => document.querySelector("#card [data-stage-image]");
  const url = () => document.querySelector("#card")?.dataset.url;
  const isWhole = (image) => image && image.complete && image.naturalWidth > 0;
  window.benchTimes = [];
  window.benchCards = [];
  const note = (times, event, isThere) => {
    const look = () => {
      if (!isThere()) { requestAnimationFrame(look); return; }
      requestAnimationFrame(() => times.push(performance.now() - event.timeStamp));
    };
    look();
  };
  window.addEventListener("keydown", (event) => {
    const [card, image] = [url(), picture()?.getAttribute("src")];
    note(window.benchTimes, event, () => isWhole(picture()) && picture().getAttribute("src") !== image);
    note(window.benchCards, event, () => isWhole(picture()) && url() !== card);
  }, { capture: true });
})();
"""


@dataclass(frozen=True, slots=True)
class Served:
    """A running server."""

    host: str
    port: int
    start_s: float

    def get_ms(self, path: str) -> float:
        """Milliseconds that a page takes, from the request to its last byte."""
        connection = http.client.HTTPConnection(self.host, self.port, timeout=60)
        began = perf_counter()
        connection.request("GET", path, headers={"Cookie": "touchline_reviewer=bench"})
        response = connection.getresponse()
        response.read()
        spent = (perf_counter() - began) * 1000
        connection.close()
        if response.status != 200:
            msg = f"{path} answered {response.status}"
            raise UsageError(msg)
        return spent


def run_bench_review(
    sizes: Sequence[int], verdicts: int, browser: str | None, as_json: bool, config: Path | None
) -> None:
    """Measure and print."""
    settings = load_settings(config)
    settings = settings.model_copy(update={"log": settings.log.model_copy(update={"level": "error"})})
    set_up_logs(settings.log)
    with TemporaryDirectory(prefix="touchline-bench-") as folder:
        frames = Path(folder) / "frames"
        draw_frames(frames, verdicts + SPARE)
        rows = [_measure(settings, frames, Path(folder) / str(size), size, verdicts, browser) for size in sizes]
    show({"rows": rows}, as_json, "\n".join(map(_describe, rows)))


def _measure(
    settings: Settings, frames: Path, folder: Path, images: int, verdicts: int, browser: str | None
) -> dict[str, Any]:
    own = settings.model_copy(update={"data_dir": folder / "var", "database_url": None})
    database = Database(own.url)
    migrate(database)
    dataset_id = fill_database(database, own, utc_now, frames, images)
    with serving(own) as server, writing(own, utc_now, folder):
        times, cards = _press_keys(server, dataset_id, verdicts, browser)
        pages = {path: _time_page(server, path, dataset_id, images) for path in PAGES}
    database.dispose()
    slowest = max(pages.values(), key=lambda found: float(found["p95"]))
    return {
        "images": images,
        "verdicts": len(times),
        "key_to_paint_ms": _summary(times),
        "key_to_card_ms": _summary(cards),
        "server_ms": slowest,
        "pages": pages,
        "start_s": round(server.start_s, 2),
    }


def _summary(times: Sequence[float]) -> dict[str, float]:
    return {"median": round(median(times), 1), "p95": round(quantiles(times, n=20)[-1], 1)}


def _time_page(server: Served, path: str, dataset_id: int, images: int) -> dict[str, float]:
    filled = path.replace("{id}", str(dataset_id)).replace("{middle}", str(images // 2))
    url = f"{filled}{'&' if '?' in filled else '?'}dataset={dataset_id}"
    server.get_ms(url)
    return _summary([server.get_ms(url) for _ in range(ROUNDS)])


@contextmanager
def serving(settings: Settings) -> Iterator[Served]:
    """``touchline serve`` over the filled database; the worker is this process."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    kept = {key: value for key, value in os.environ.items() if not key.startswith("TOUCHLINE_")}
    # Flags alone: which card is blind is left to chance, and no two runs would compare.
    environment = kept | {"TOUCHLINE_DATA_DIR": str(settings.data_dir), "TOUCHLINE_REVIEW__AUDIT_SHARE": "0"}
    command = [sys.executable, "-m", "app", "serve", "--no-worker", "--port", str(port)]
    began = perf_counter()
    with (
        (settings.data_dir / "serve.log").open("wb") as log,
        subprocess.Popen(command, cwd=settings.data_dir, env=environment, stdout=log, stderr=log) as process,
    ):
        try:
            yield _wait_for(process, port, began)
        finally:
            process.terminate()


def _wait_for(process: "subprocess.Popen[bytes]", port: int, began: float) -> Served:
    while perf_counter() - began < STARTS_WITHIN_S and process.poll() is None:
        try:
            Served("127.0.0.1", port, 0.0).get_ms("/readyz")
        except OSError:
            sleep(0.02)
            continue
        return Served("127.0.0.1", port, perf_counter() - began)
    msg = "the server to be measured did not start"
    raise UsageError(msg)


def _press_keys(server: Served, dataset_id: int, verdicts: int, browser: str | None) -> tuple[list[float], list[float]]:
    """Give verdicts by key, alternating yes and no; the times to the image and to the card, without the first few.

    Those warm everything up.
    """
    try:
        from playwright.sync_api import sync_playwright
    except ImportError as error:
        raise UsageError("bench review drives a browser: `make bench-env` installs what it needs") from error
    base = f"http://{server.host}:{server.port}"
    with sync_playwright() as playwright:
        opened = playwright.chromium.launch(executable_path=browser or shutil.which("chromium"), args=FLAGS)
        context = opened.new_context(base_url=base, viewport={"width": 1440, "height": 900})
        context.add_cookies([{"name": "touchline_reviewer", "value": "bench", "url": base}])
        page = context.new_page()
        page.add_init_script(WATCH)
        page.goto(f"/review?dataset={dataset_id}")
        page.wait_for_selector("#card [data-stage-image]")
        for number in range(verdicts):
            page.wait_for_timeout(150)  # a person looks; what comes next is fetched meanwhile
            page.keyboard.press("12"[number % 2])
            page.wait_for_function("count => window.benchCards.length > count", arg=number)
        times, cards = page.evaluate("[window.benchTimes, window.benchCards]")
        opened.close()
    return times[WARM_UP:], cards[WARM_UP:]


def _describe(row: dict[str, Any]) -> str:
    key, server = row["key_to_paint_ms"], row["server_ms"]
    return (
        f"{row['images']} images: key to paint {key['median']} ms (p95 {key['p95']}); "
        f"slowest page {server['median']} ms "
        f"(p95 {server['p95']}); start {row['start_s']} s"
    )
