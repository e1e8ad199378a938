"""The detector that a scan gets, with what its faith gate needs: a cache, and canary images.

Only what scans may import this: it leads to torch.
"""

import random
from collections.abc import Callable, Sequence
from pathlib import Path

from PIL import Image

from app.config import Settings
from app.demo import CANARIES
from app.detector.base import Detector
from app.detector.loading import load_detector
from app.errors import ImageUnreadableError
from app.files.caching import FolderCache
from app.files.decoding import decode_file
from app.services.datasets import get_dataset
from app.storage.database import Database
from app.storage.images import ImageFilter, list_images

FROM_DATASET = 32  #: canaries taken from the dataset itself: drawn frames alone say little of photographs
CANDIDATES = 256


class DetectorLoader:
    """Loads the detector of the settings at the first scan, and keeps it for the next."""

    def __init__(self, database: Database, settings: Settings) -> None:
        self._database = database
        self._settings = settings
        self._detector: Detector | None = None

    def load_for(self, dataset_id: int) -> Callable[[], Detector]:
        """What gives the detector; an engine that is new to this machine is compared on that dataset's images too."""

        def load() -> Detector:
            if self._detector is None:
                cache = FolderCache(self._settings.cache)
                self._detector = load_detector(self._settings.detector, cache, lambda: self._canaries(dataset_id))
            return self._detector

        return load

    def _canaries(self, dataset_id: int) -> list[Image.Image]:
        return [*shipped_canaries(), *dataset_canaries(self._database, self._settings, dataset_id)]


def shipped_canaries() -> list[Image.Image]:
    """The drawn frames that ship with Touchline, half of them with a ball."""
    return [_open(path) for path in sorted(CANARIES.glob("*.jpg"))]


def _open(path: Path) -> Image.Image:
    with Image.open(path) as picture:
        return picture.convert("RGB")


def dataset_canaries(database: Database, settings: Settings, dataset_id: int) -> Sequence[Image.Image]:
    """A few readable images of a dataset, chosen at random but always the same ones."""
    with database.read() as session:
        dataset = get_dataset(session, dataset_id)
        known = list_images(session, ImageFilter(dataset_id=dataset_id, unreadable=False), "path", None, CANDIDATES)
    paths = [record.path for record, _ in known]
    random.Random(dataset_id).shuffle(paths)  # noqa: S311 - nothing is kept secret here
    found: list[Image.Image] = []
    for path in paths:
        if len(found) == FROM_DATASET:
            break
        try:
            found.append(decode_file(Path(dataset.root), path, settings.datasets.max_pixels).pixels)
        except ImageUnreadableError:
            continue  # the scan itself will say so
    return found
