"""Parts that tests are built of: pictures with a known answer, a detector that reads colours, a clock that is set."""

import os
from collections.abc import Callable, Sequence
from contextlib import ExitStack
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from functools import partial
from pathlib import Path
from typing import Any
from uuid import uuid4

import httpx
import numpy as np
from anyio.from_thread import start_blocking_portal
from PIL import Image

from app.config import Settings
from app.detector.base import Detector, Prepared, Runtime, View
from app.domain.detections import Box, Detection, DetectorIdentity, Sight
from app.domain.relocation import Mode
from app.domain.reviewing import Verdict
from app.services.datasets import DatasetView, NewDataset, get_dataset, register_dataset
from app.services.images import ImageItem, ImageQuery, get_item, list_items
from app.services.relocating import apply_now, undo_now
from app.services.relocations import RelocationView, plan_relocation
from app.services.reviews import GivenReview, NewReview, give_review, undo_review
from app.services.scanning import claim_scan, run_scan
from app.services.scans import ScanView, request_scan, show_scan
from app.services.workers import this_process
from app.storage.database import Database
from app.storage.datasets import Dataset
from app.storage.reviews import reviews_of_image
from app.storage.workers import Process, insert_worker
from app.web.app import create_app

CACHE_DIR = "TOUCHLINE_CACHE_DIR"


class SetClock:
    """A clock that stands still until it is moved."""

    def __init__(self) -> None:
        self.now = datetime(2026, 3, 1, 12, 0, tzinfo=UTC)

    def __call__(self) -> datetime:
        return self.now

    def advance(self, seconds: float) -> None:
        """Let time pass."""
        self.now += timedelta(seconds=seconds)


def draw(path: Path, red: int, *, green: int = 0, size: tuple[int, int] = (16, 12), noise: int = 0) -> Path:
    """A picture of one colour: ``red`` / 255 is what :class:`ColourDetector` answers. ``noise`` changes the bytes."""
    path.parent.mkdir(parents=True, exist_ok=True)
    picture = Image.new("RGB", size, (red, green, 0))
    picture.putpixel((size[0] - 1, size[1] - 1), (red, green, noise))
    picture.save(path)
    return path


class ColourDetector:
    """Sees a football as sure as the first pixel is red, and a goal as sure as it is green."""

    def __init__(self, weights: str = "a" * 64, floor: float = 0.05) -> None:
        self._weights = weights
        self._floor = floor
        self.looked_at = 0
        self.before_batch: Callable[[], None] = lambda: None

    @property
    def identity(self) -> DetectorIdentity:
        """See :class:`app.detector.base.Detector`."""
        return DetectorIdentity("colour", None, self._weights, "none", 0, floor=self._floor)

    @property
    def runtime(self) -> Runtime:
        """See :class:`app.detector.base.Detector`."""
        return Runtime("colour", "cpu", "exact")

    @property
    def class_names(self) -> tuple[str, ...]:
        """See :class:`app.detector.base.Detector`."""
        return ("football", "goal")

    @property
    def parallel(self) -> int:
        """See :class:`app.detector.base.Detector`."""
        return 1

    @property
    def enough_px(self) -> int | None:
        """See :class:`app.detector.base.Detector`."""
        return None

    def prepare(self, picture: Image.Image, width: int, height: int) -> Prepared:
        """See :class:`app.detector.base.Detector`."""
        corner = np.asarray(picture.crop((0, 0, 1, 1))).transpose(2, 0, 1)
        return Prepared(width, height, (View(corner, Box(0, 0, width, height)),))

    def look(self, prepared: Sequence[Prepared]) -> list[Sight]:
        """See :class:`app.detector.base.Detector`."""
        return [Sight(found) for found in self.detect(prepared)]

    def detect(self, prepared: Sequence[Prepared]) -> list[list[Detection]]:
        """See :class:`app.detector.base.Detector`."""
        self.before_batch()
        self.looked_at += len(prepared)
        return [self._look(each) for each in prepared]

    def _look(self, prepared: Prepared) -> list[Detection]:
        red, green, _ = (int(value) for value in prepared.views[0].pixels[:, 0, 0])
        box = Box(0.0, 0.0, prepared.width / 2, float(prepared.height))
        found = [Detection(box, red / 255, "football"), Detection(box, green / 255, "goal")]
        return sorted((each for each in found if each.confidence >= self._floor), key=lambda each: -each.confidence)


@dataclass
class Workshop:
    """One data folder with its database, and the short ways to what a test wants to have happened already."""

    folder: Path
    database: Database
    settings: Settings
    clock: SetClock
    detector: ColourDetector = field(default_factory=ColourDetector)

    def fill(self, files: dict[str, int], root: str = "frames") -> Path:
        """Draw pictures, ``path -> red``, below a root."""
        for number, (path, red) in enumerate(files.items()):
            draw(self.folder / root / path, red, noise=number % 256, size=(16 + number // 256, 12))
        return self.folder / root

    def add(self, root: Path, **values: Any) -> DatasetView:
        """Register a dataset."""
        return register_dataset(self.database, self.settings, NewDataset(root, **values), self.clock())

    def dataset(self, reference: str | int) -> Dataset:
        """A dataset as it is stored."""
        with self.database.read() as session:
            return get_dataset(session, reference)

    def worker(self, process: Process | None = None) -> int:
        """The id of a worker: this process, or another that may be long gone."""
        with self.database.write() as session:
            return insert_worker(session, process or this_process(), self.clock(), serves=True)

    def scan(
        self,
        reference: str | int,
        detector: Detector | None = None,
        settings: Settings | None = None,
        stopping: Callable[[], bool] = lambda: False,
    ) -> ScanView:
        """Queue a scan, or take the open one, and run it in this process."""
        chosen = settings or self.settings
        scan_id = request_scan(self.database, chosen.worker, self.clock, reference).scan.id
        scan = claim_scan(self.database, chosen, self.clock, self.worker(), scan_id)
        assert scan is not None
        run_scan(self.database, chosen, self.clock, scan, lambda: detector or self.detector, stopping)
        return show_scan(self.database, chosen.worker, self.clock, scan_id)

    def ready(self, files: dict[str, int], root: str = "frames") -> DatasetView:
        """A dataset that is registered and scanned."""
        view = self.add(self.fill(files, root))
        self.scan(view.id)
        return view

    def items(self, reference: str | int, **query: Any) -> dict[str, ImageItem]:
        """Images by path."""
        found = list_items(self.database, ImageQuery(dataset=str(reference), order="path", limit=500, **query))
        return {item.record.path: item for item in found.items}

    def image_id(self, reference: str | int, path: str) -> int:
        """An image's id."""
        return self.items(reference)[path].record.id

    def item(self, image_id: int) -> ImageItem:
        """An image with its flags and boxes."""
        with self.database.read() as session:
            return get_item(session, image_id)

    def call(self, image_id: int, verdict: Verdict | str, reviewer: str = "ada") -> GivenReview:
        """Give a verdict on top of whatever was said before."""
        with self.database.read() as session:
            history = reviews_of_image(session, image_id)
        seen = history[-1].id if history else None
        new = NewReview(Verdict(verdict), seen, reviewer, "test")
        return give_review(self.database, self.clock, image_id, new)

    def call_paths(self, reference: str | int, verdicts: dict[str, Verdict | str]) -> None:
        """Give verdicts by path."""
        items = self.items(reference)
        for path, verdict in verdicts.items():
            self.call(items[path].record.id, verdict)

    def take_back(self, review_id: int, reviewer: str = "ada") -> GivenReview:
        """Undo a verdict."""
        return undo_review(self.database, self.clock, review_id, reviewer)

    def relocate(self, reference: str | int, to: Path, mode: Mode = Mode.COPY) -> RelocationView:
        """Plan a relocation and apply it in this process."""
        plan = plan_relocation(self.database, self.clock, reference, to, mode)
        return self.apply(plan.id)

    def apply(self, relocation_id: int) -> RelocationView:
        """Apply a plan in this process."""
        return apply_now(self.database, self.settings.worker, self.clock, self.worker(), relocation_id)

    def undo_relocation(self, relocation_id: int) -> RelocationView:
        """Take a relocation back in this process."""
        return undo_now(self.database, self.settings.worker, self.clock, self.worker(), relocation_id)


class Browser:
    """An HTTP client in front of the real application, without a socket between them."""

    def __init__(self, workshop: Workshop, settings: Settings | None = None) -> None:
        app = create_app(settings or workshop.settings, workshop.database, workshop.clock)
        self._open = ExitStack()
        # In a thread of its own: a test before this one may have left this thread's event loop to Playwright.
        self._portal = self._open.enter_context(start_blocking_portal())
        self.client = httpx.AsyncClient(
            transport=httpx.ASGITransport(app, raise_app_exceptions=False), base_url="http://127.0.0.1:8000"
        )

    def request(self, method: str, url: str, **values: Any) -> httpx.Response:
        """Send one request; redirects are not followed."""
        return self._portal.call(partial(self.client.request, method, url, **values))

    def get(self, url: str, **values: Any) -> httpx.Response:
        """GET."""
        return self.request("GET", url, **values)

    def post(self, url: str, **values: Any) -> httpx.Response:
        """POST."""
        return self.request("POST", url, **values)

    def sign_in(self, name: str = "ada") -> None:
        """Say who is reviewing."""
        self.post("/settings/reviewer", data={"name": name})

    def close(self) -> None:
        """End the client and its loop."""
        self._portal.call(self.client.aclose)
        self._open.close()


def bare_environment() -> dict[str, str]:
    """The environment for a process of Touchline's: no setting of the person who runs the tests, the tests' cache."""
    return {key: value for key, value in os.environ.items() if not key.startswith("TOUCHLINE_") or key == CACHE_DIR}


def tree(folder: Path) -> dict[str, bytes]:
    """Every file below a folder with its bytes, links as where they lead."""
    return {
        str(path.relative_to(folder)): str(path.readlink()).encode() if path.is_symlink() else path.read_bytes()
        for path in sorted(folder.rglob("*"))
        if path.is_symlink() or path.is_file()
    }


def names(folder: Path) -> list[str]:
    """What lies in a folder, by name."""
    return sorted(path.name for path in folder.iterdir())


def new_request_id() -> str:
    """An id of a request, as a page makes one."""
    return str(uuid4())
