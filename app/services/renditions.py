"""Renditions made during a scan, from the picture that is decoded anyway, and what they take on the disk."""

from pathlib import Path
from threading import Lock

import structlog
from PIL.Image import Image

from app.config import Settings
from app.files.decoding import Undecoded
from app.files.renditions import RenditionSize, find_rendition, keep_rendition, least_px, measure_renditions
from app.storage.database import Database
from app.storage.datasets import Dataset
from app.storage.picture_sizes import sum_shrunk_pixels
from app.storage.tallies import count_images

log = structlog.get_logger()
GIGABYTE = 1_000_000_000
SAMPLED = 16  #: for an estimate one folder in so many is measured: they are filled by hash, so evenly
#: bytes of a JPEG per pixel, rather too many than too few: photographs full of grass and crowds take so much
BYTES_PER_PIXEL: dict[RenditionSize, float] = {"tile": 0.35, "screen": 0.6}


def renditions_folder(settings: Settings) -> Path:
    """Where renditions are kept."""
    return settings.data_dir.resolve() / "renditions"


def rendition_sides(settings: Settings) -> dict[RenditionSize, int]:
    """The longest side of each size, in pixels."""
    return {"tile": settings.review.tile_px, "screen": settings.review.screen_px}


class ScanRenditions:
    """Makes the renditions of a scan until they take ``renditions.max_gb``; what is missing then is made on demand."""

    def __init__(self, settings: Settings) -> None:
        self._folder = renditions_folder(settings)
        self._sides = rendition_sides(settings)
        self._during_scan = settings.renditions.during_scan
        self._limit = int(settings.renditions.max_gb * GIGABYTE)
        self._used: int | None = None  #: measured when the first one is made: a scan that reuses everything needs none
        self._full = False
        self._lock = Lock()

    def choose(self, undecoded: Undecoded, sha256: str) -> tuple[RenditionSize, ...]:
        """The sizes to make of an image: a screen picture only of one that is larger than the screen."""
        if self._during_scan == "off" or self._full:
            return ()
        sizes: list[RenditionSize] = ["tile"]
        if self._during_scan == "all" and undecoded.longer_px > self._sides["screen"]:
            sizes.append("screen")
        return tuple(size for size in sizes if find_rendition(self._folder, sha256, size, self._sides[size]) is None)

    def least_px(self, sizes: tuple[RenditionSize, ...]) -> int:
        """What the longer side of a picture must have for these sizes."""
        return max((least_px(size, self._sides[size]) for size in sizes), default=0)

    def make(self, picture: Image, sha256: str, sizes: tuple[RenditionSize, ...]) -> None:
        """Make and keep them. A full disk ends the making, not the scan."""
        for size in sizes:
            if not self._has_room():
                return
            try:
                written = keep_rendition(self._folder, sha256, picture, size, self._sides[size])
            except OSError as error:
                self._end(f"they cannot be written: {error.strerror}")
                return
            with self._lock:
                self._used = (self._used or 0) + written

    def _has_room(self) -> bool:
        with self._lock:
            if self._used is None:
                self._used = measure_renditions(self._folder)
            room = self._used < self._limit
        if not room:
            self._end("renditions.max_gb is reached")
        return room and not self._full

    def _end(self, reason: str) -> None:
        if not self._full:
            log.warning("no more renditions are made in this scan, but on demand", reason=reason)
        self._full = True


def estimate_renditions(database: Database, settings: Settings, dataset: Dataset) -> int:
    """About how many bytes the renditions of the next scan will take, at most what ``renditions.max_gb`` leaves."""
    chosen = settings.renditions.during_scan
    if chosen == "off":
        return 0
    sides = rendition_sides(settings)
    with database.read() as session:
        pixels = sum_shrunk_pixels(session, dataset.id, dataset.detector_id, sides["tile"], sides["screen"])
        images, _ = count_images(session, dataset.id)
    wanted = pixels.tile * BYTES_PER_PIXEL["tile"]
    if chosen == "all":
        wanted += pixels.screen * BYTES_PER_PIXEL["screen"]
    wanted *= images / max(1, pixels.sampled)
    if not wanted:
        return 0
    used = measure_renditions(renditions_folder(settings), one_in=SAMPLED)
    return max(0, min(int(wanted), int(settings.renditions.max_gb * GIGABYTE) - used))
