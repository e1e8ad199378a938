"""Writing the synthetic dataset to disk, and registering it on a first start."""

import csv
import io
import json
from collections.abc import Callable, Iterator
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass
from multiprocessing import get_context
from os import cpu_count
from pathlib import Path

import structlog

from app.config import Settings
from app.demo.dataset import Contamination, PlannedFrame, draw_planned, plan_demo, truth_rows
from app.domain.exporting import TRUTH_COLUMNS
from app.errors import UsageError
from app.files.archives import new_or_empty_folder
from app.services.clock import Clock
from app.services.datasets import DEMO_MARKER, NewDataset, list_dataset_views, register_dataset
from app.services.scans import request_scan
from app.storage.database import Database

log = structlog.get_logger()
DEMO_IMAGES = 400
DEMO_SEED = 1
CHUNK = 4
Boxes = tuple[tuple[float, float, float, float], ...]


@dataclass(frozen=True, slots=True)
class WrittenDemo:
    """What was written."""

    dest: str
    images: int
    seed: int
    contamination: str
    football: int
    background: int


def write_demo(
    dest: Path,
    images: int,
    seed: int,
    contamination: Contamination,
    progress: Callable[[int], None] = lambda _: None,
) -> WrittenDemo:
    """Draw ``images`` frames into ``dest/football`` and ``dest/background``, with ``truth.csv`` beside them.

    The same arguments give the same bytes. ``dest`` appears when all is drawn, or not at all.

    Raises:
        UsageError: ``images`` or ``seed`` is out of range.
        TargetExistsError: ``dest`` holds something.
    """
    if not 1 <= images <= 1_000_000 or not 0 <= seed < 1 << 63:
        msg = "--images must lie between 1 and 1,000,000, --seed between 0 and 2^63 - 1"
        raise UsageError(msg)
    planned = plan_demo(images, seed, contamination)
    with new_or_empty_folder(dest) as folder:
        for label in sorted({frame.given_label for frame in planned} | {"football", "background"}):
            (folder / label).mkdir()
        drawn: list[tuple[PlannedFrame, Boxes]] = []
        for frame, (content, boxes) in zip(planned, _draw(planned), strict=True):
            (folder / frame.path).write_bytes(content)
            drawn.append((frame, boxes))
            progress(len(drawn))
        (folder / "truth.csv").write_text(_truth(drawn), encoding="utf-8", newline="")
        written = WrittenDemo(
            dest=str(dest),
            images=images,
            seed=seed,
            contamination=contamination,
            football=sum(frame.given_label == "football" for frame in planned),
            background=sum(frame.given_label == "background" for frame in planned),
        )
        marker = json.dumps({"images": images, "seed": seed, "contamination": contamination})
        (folder / DEMO_MARKER).write_text(marker + "\n", encoding="utf-8")
    return written


def _draw(planned: list[PlannedFrame]) -> Iterator[tuple[bytes, Boxes]]:
    workers = min(cpu_count() or 1, len(planned))
    # spawn: a child forked from a process with threads (the server's) could inherit a lock that nobody will release.
    with ProcessPoolExecutor(workers, mp_context=get_context("spawn")) as pool:
        yield from pool.map(draw_planned, planned, chunksize=CHUNK)


def _truth(drawn: list[tuple[PlannedFrame, Boxes]]) -> str:
    text = io.StringIO()
    writer = csv.DictWriter(text, TRUTH_COLUMNS, lineterminator="\n")
    writer.writeheader()
    writer.writerows(truth_rows(drawn))
    return text.getvalue()


def prepare_demo(database: Database, settings: Settings, clock: Clock) -> None:
    """If no dataset is registered: draw the demo under the data folder, register it and queue its scan."""
    if list_dataset_views(database, limit=1, archived=None):
        return
    dest = settings.data_dir.resolve() / "demo"
    if not (dest / DEMO_MARKER).is_file():
        log.info("drawing the demo dataset", images=DEMO_IMAGES, dest=str(dest))
        write_demo(dest, DEMO_IMAGES, DEMO_SEED, Contamination.SEED)
    view = register_dataset(database, settings, NewDataset(dest, name="demo"), clock())
    request_scan(database, settings.worker, clock, view.id)
    log.info("the demo is registered and its scan is queued", images=view.images)
