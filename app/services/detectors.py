"""The detector that a scan gets, with what its faith gate needs: a cache, and canary images.

Only what scans may import this: it leads to torch.
"""

from collections.abc import Callable, Sequence
from pathlib import Path

from PIL import Image

from app.config import Settings
from app.demo import CANARIES
from app.detector.base import Detector
from app.detector.loading import load_detector
from app.domain.images import Side
from app.errors import ImageUnreadableError
from app.files.caching import FolderCache
from app.files.decoding import decode_file
from app.services.datasets import get_dataset
from app.storage.canaries import first_readable
from app.storage.database import Database

FROM_DATASET = 32  #: canaries taken from the dataset itself: drawn frames alone say little of photographs
SIDE_PX = 1600  #: of a canary at most, so that all of them fit into memory
MAX_PIXELS = 50_000_000


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
    """A few readable images of a dataset, half of each given label: the first by id, whose order is random."""
    with database.read() as session:
        root = Path(get_dataset(session, dataset_id).root)
        paths = [path for side in Side for path in first_readable(session, dataset_id, side, FROM_DATASET)]
    return [
        picture
        for half in (paths[:FROM_DATASET], paths[FROM_DATASET:])
        for picture in _first_pictures(root, half, min(settings.datasets.max_pixels, MAX_PIXELS))
    ]


def _first_pictures(root: Path, paths: Sequence[str], max_pixels: int) -> list[Image.Image]:
    found: list[Image.Image] = []
    for path in paths:
        if len(found) == FROM_DATASET // 2:
            break
        try:
            picture = decode_file(root, path, max_pixels, SIDE_PX).pixels
        except ImageUnreadableError:
            continue  # the scan itself will say so
        picture.thumbnail((SIDE_PX, SIDE_PX))
        found.append(picture)
    return found
