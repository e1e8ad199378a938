"""What ``touchline bench review`` measures on: a database of any size, and a worker that goes on writing into it."""

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from datetime import timedelta
from functools import partial
from hashlib import sha256
from io import BytesIO
from multiprocessing import get_context
from multiprocessing.synchronize import Event
from pathlib import Path
from time import monotonic, sleep
from typing import Any

import numpy as np
from PIL.Image import Image
from PIL.Image import new as new_image

from app.config import Settings
from app.demo.dataset import Contamination
from app.detector.base import Prepared, Runtime, View
from app.domain.detections import Box, Detection, DetectorIdentity, Sight
from app.domain.images import Side
from app.domain.scoring import suspicion
from app.files.budget import PixelBudget
from app.files.writing import write_cache
from app.logs import set_up_logs
from app.services.clock import Clock
from app.services.datasets import NewDataset, register_dataset
from app.services.demo import write_demo
from app.services.media import get_rendition
from app.services.scanning import claim_scan, run_scan
from app.services.scans import request_scan
from app.services.sign_offs import sign_off
from app.services.workers import announced
from app.storage.database import Database, Session
from app.storage.datasets import set_detector
from app.storage.scans import find_or_insert_detector
from app.storage.seeding import images_of, insert_rows
from app.storage.tallies import recount

SEED = 5
CHUNK = 20_000
CALLED = 0.02  #: share of the images that has a verdict already
UNREADABLE_EVERY = 10_000  #: one image of so many is cut off
ALIKE_EVERY, ALIKE = 10, 8  #: one image of so many looks like so many others
#: shares of the original work: filed positive and right, filed positive and wrong, and so on
SHARES = (3_861 / 8_599, 189 / 8_599, 3_263 / 8_599, 1_286 / 8_599)
ROWS_PER_S = 200
WRITTEN = 2_000  #: files of the dataset that the worker scans meanwhile, over and over


class Pace:
    """So many rows a second, over all scans: what one comes late the next makes up for."""

    def __init__(self, wait: Callable[[float], object]) -> None:
        self._wait = wait
        self._began = monotonic()
        self._rows = 0

    def take(self, rows: int) -> None:
        """Wait until it is time for so many more."""
        self._rows += rows
        self._wait(max(0.0, self._began + self._rows / ROWS_PER_S - monotonic()))


class PacedDetector:
    """A detector that takes its time and sees one box in everything: only its rows matter."""

    def __init__(self, turn: int, pace: Pace) -> None:
        self._turn = turn
        self._pace = pace

    @property
    def identity(self) -> DetectorIdentity:
        """See :class:`app.detector.base.Detector`. Another one in each turn, so that everything is scored again."""
        return DetectorIdentity("bench", None, sha256(str(self._turn).encode()).hexdigest(), "none", 0)

    @property
    def runtime(self) -> Runtime:
        """See :class:`app.detector.base.Detector`."""
        return Runtime("bench", "cpu", "float32")

    @property
    def class_names(self) -> tuple[str, ...]:
        """See :class:`app.detector.base.Detector`."""
        return ("football",)

    @property
    def parallel(self) -> int:
        """See :class:`app.detector.base.Detector`."""
        return 1

    @property
    def enough_px(self) -> int | None:
        """See :class:`app.detector.base.Detector`."""
        return 16

    def prepare(self, _picture: Image, width: int, height: int) -> Prepared:
        """See :class:`app.detector.base.Detector`."""
        pixel = np.zeros((3, 1, 1), np.uint8)
        return Prepared(width, height, (View(pixel, Box(0, 0, width, height)),))

    def look(self, prepared: Sequence[Prepared]) -> list[Sight]:
        """See :class:`app.detector.base.Detector`."""
        return [Sight(found) for found in self.detect(prepared)]

    def detect(self, prepared: Sequence[Prepared]) -> list[list[Detection]]:
        """See :class:`app.detector.base.Detector`."""
        self._pace.take(len(prepared))
        return [[Detection(Box(0, 0, 1, 1), 0.7, "football")] for _ in prepared]


def draw_frames(root: Path, shown: int) -> None:
    """The files that the desk will show."""
    write_demo(root, shown, SEED, Contamination.NONE)


def fill_database(database: Database, settings: Settings, clock: Clock, root: Path, images: int) -> int:
    """Register the drawn frames and pretend that there are ``images`` images, scanned and partly reviewed; the id.

    What agrees with its folder is signed off.

    The drawn ones are the most suspicious of them.
    """
    view = register_dataset(database, settings, NewDataset(root, name="bench"), clock())
    filler = _Filler(database, clock, view.id)
    filler.prepare()
    filler.score_shown()
    _make_renditions(database, settings, view.id)
    for start in range(view.images, images, CHUNK):
        filler.add(start, min(CHUNK, images - start))
    with database.write() as session:
        recount(session, view.id)
    sign_off(database, clock, view.id, "bench")
    return view.id


def _make_renditions(database: Database, settings: Settings, dataset_id: int) -> None:
    """As a scan does on its way."""
    budget = PixelBudget(settings.datasets.max_pixels)
    with database.read() as session:
        shown = [image_id for image_id, _, _ in images_of(session, dataset_id)]
    for image_id in shown:
        for size in ("tile", "screen"):
            get_rendition(database, settings, budget, image_id, size)


class _Filler:
    """Adds images with scores, boxes and verdicts. Deterministic."""

    def __init__(self, database: Database, clock: Clock, dataset_id: int) -> None:
        self._database = database
        self._clock = clock
        self._dataset_id = dataset_id
        self._detector_id = 0
        self._chance = np.random.default_rng(SEED)
        self._next_image = self._next_review = 1

    def prepare(self) -> None:
        """A detector, and its finished scan."""
        now = self._clock()
        identity = PacedDetector(0, Pace(sleep)).identity
        with self._database.write() as session:
            self._detector_id = find_or_insert_detector(session, identity, ["football"], now)
            set_detector(session, self._dataset_id, self._detector_id, ["football"])
            told: dict[str, Any] = {
                "model": identity.model,
                "revision": None,
                "weights_sha256": identity.weights_sha256,
            }
            told |= {"backend": "bench", "device": "cpu", "precision": "float32", "input_size": 0}
            told |= {"target_classes": ["football"]}
            scan = {"dataset_id": self._dataset_id, "status": "done", "detector_id": self._detector_id}
            scan |= {"detector": told, "images_per_s": 1.0, "queued_at": now, "started_at": now, "finished_at": now}
            insert_rows(session, "scans", [scan])

    def score_shown(self) -> None:
        """The files that exist come first in the queue."""
        with self._database.write() as session:
            for image_id, given, digest in images_of(session, self._dataset_id):
                self._next_image = max(self._next_image, image_id + 1)
                score = 1.0 if given == Side.NEGATIVE else 0.0
                self._insert(session, [self._score(image_id, given, score, digest)])
                self._liken(session, image_id)

    def add(self, start: int, count: int) -> None:
        """More images, without files."""
        kinds = self._chance.choice(4, size=count, p=SHARES)
        scores = np.where(
            np.isin(kinds, (0, 3)), 0.5 + self._chance.random(count) * 0.49, self._chance.random(count) / 2
        )
        called = self._chance.random(count) < CALLED
        images, rows, verdicts = [], [], []
        for number in range(count):
            given = Side.POSITIVE if kinds[number] < 2 else Side.NEGATIVE
            image_id = self._next_image + number
            digest = sha256(str(start + number).encode()).hexdigest()
            images.append(self._image(image_id, given, start + number, digest))
            if (start + number) % UNREADABLE_EVERY == UNREADABLE_EVERY - 1:
                images[-1] |= {"unreadable": "the file is cut off", "phash": None}
                continue
            rows.append(self._score(image_id, given, float(scores[number]), digest) | {"called": bool(called[number])})
            if called[number]:
                verdicts.append((image_id, given, digest))
        self._next_image += count
        with self._database.write() as session:
            insert_rows(session, "images", images)
            self._insert(session, rows)
            self._call(session, verdicts)
            for image_id in range(images[0]["id"], images[-1]["id"], ALIKE_EVERY):
                self._liken(session, image_id)

    def _liken(self, session: Session, image_id: int) -> None:
        """Say that an image looks like those before it."""
        shared = {"image_id": image_id, "dataset_id": self._dataset_id, "across": False}
        others = range(max(1, image_id - ALIKE), image_id)
        rows = [shared | {"other_id": other, "distance": image_id - other} for other in others]
        insert_rows(session, "near_duplicates", rows)

    def _image(self, image_id: int, given: Side, number: int, digest: str) -> dict[str, Any]:
        folder = "football" if given is Side.POSITIVE else "background"
        now = self._clock()
        return {
            "id": image_id,
            "dataset_id": self._dataset_id,
            "path": f"{folder}/match {number // 500:05}/{number:08}.jpg",
            "given": given,
            "size_bytes": 60_000,
            "mtime_ns": number,
            "sha256": digest,
            "width": 640,
            "height": 640,
            "phash": int(digest[:15], 16),
            "inspected_at": now,
            "registered_at": now,
            "unreadable": None,
        }

    def _score(self, image_id: int, given: str, score: float, digest: str) -> dict[str, Any]:
        return {
            "image_id": image_id,
            "detector_id": self._detector_id,
            "dataset_id": self._dataset_id,
            "given": given,
            "scan_id": 1,
            "sha256": digest,
            "score": score,
            "against": -suspicion(Side(given), score),
            "scored_at": self._clock(),
        }

    def _insert(self, session: Session, rows: Sequence[dict[str, Any]]) -> None:
        insert_rows(session, "scores", rows)
        box = {"detector_id": self._detector_id, "x0": 100.0, "y0": 120.0, "x1": 140.0, "y1": 160.0}
        found = {**box, "class_name": "football"}
        boxes = [{**found, "image_id": row["image_id"], "confidence": max(row["score"], 0.05)} for row in rows]
        insert_rows(session, "detections", boxes)

    def _call(self, session: Session, verdicts: Sequence[tuple[int, Side, str]]) -> None:
        reviews, standings = [], []
        earlier = self._clock() - timedelta(days=1)
        for image_id, given, digest in verdicts:
            shared = {"image_id": image_id, "dataset_id": self._dataset_id, "verdict": given, "image_sha256": digest}
            review = {"id": self._next_review, "ordinal": 0, "reviewer": "bench", "source": "review"}
            reviews.append(shared | review | {"reviewed_at": earlier, "spent_ms": 900})
            latest = {"latest_review_id": self._next_review, "effective_review_id": self._next_review}
            standings.append(shared | latest | {"reviewed_at": earlier})
            self._next_review += 1
        insert_rows(session, "reviews", reviews)
        insert_rows(session, "standings", standings)


@contextmanager
def writing(settings: Settings, clock: Clock, folder: Path) -> Iterator[None]:
    """While the block runs a worker scans another dataset of the same database, at :data:`ROWS_PER_S` rows a second.

    It is a process of its own, as a worker is: a thread would take turns with whoever times the pages.
    """
    root = folder / "written"
    content = BytesIO()
    new_image("RGB", (32, 32), "green").save(content, "JPEG")
    for number in range(WRITTEN):
        write_cache(root / ("football" if number % 2 else "background") / f"{number}.jpg", content.getvalue())
    context = get_context("spawn")
    stopping = context.Event()
    process = context.Process(target=_write, args=(settings.model_dump(), clock, root, stopping), name="writing")
    process.start()
    try:
        yield
    finally:
        stopping.set()
        process.join()


def _write(values: dict[str, Any], clock: Clock, root: Path, stopping: Event) -> None:
    settings = Settings(**values)
    set_up_logs(settings.log)
    database = Database(settings.url)
    view = register_dataset(database, settings, NewDataset(root, name="written"), clock())
    turn, pace = 1, Pace(stopping.wait)
    with announced(database, settings.worker, clock, serves=False) as worker_id:
        while not stopping.is_set():
            scan_id = request_scan(database, settings.worker, clock, view.id).scan.id
            scan = claim_scan(database, settings, clock, worker_id, scan_id)
            load = partial(PacedDetector, turn, pace)
            if scan is None or run_scan(database, settings, clock, scan, load, stopping.is_set) == "failed":
                sleep(0.5)
            turn += 1
