"""Measure that memory stays flat while a scan goes on, and how fast a scan that changes nothing is.

python scripts/measure_memory.py                           100,000 small JPEGs, a detector that costs nothing
python scripts/measure_memory.py --images 20000 --builtin  with the detector of config.yaml

It draws the files into a temporary folder, registers and scans them, scans again, and prints one JSON document.
"""

import argparse
import io
import json
import os
import tempfile
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from time import perf_counter
from typing import Any

import numpy as np
from PIL import Image

from app.config import Settings, load_settings
from app.detector.base import Detector, Prepared, Runtime, View
from app.domain.detections import Box, Detection, DetectorIdentity, Sight
from app.logs import set_up_logs
from app.services.clock import utc_now
from app.services.datasets import NewDataset, register_dataset
from app.services.detectors import DetectorLoader
from app.services.scan_course import rss_bytes
from app.services.scanning import claim_scan, run_scan
from app.services.scans import request_scan, show_scan
from app.services.workers import announced
from app.storage.database import Database
from app.storage.migrating import migrate

FIRST = 5_000  #: images after which memory is taken for settled
SETTLED = f"rss_mb_at_{FIRST}"
FOLDERS = 100
FEATURES = 256  #: numbers, as in app.detector.network, whose import would load torch


class CornerDetector:
    """Reads one pixel: all that is measured is what happens around a detector."""

    identity = DetectorIdentity("corner", None, "0" * 64, "none", 640)
    runtime = Runtime("corner", "cpu", "exact")
    class_names = ("football",)
    parallel = 1
    enough_px = 640

    def prepare(self, picture: Image.Image, width: int, height: int) -> Prepared:
        """See :class:`app.detector.base.Detector`."""
        pixels = np.asarray(picture.resize((64, 64))).transpose(2, 0, 1)
        return Prepared(width, height, (View(pixels, Box(0, 0, width, height)),))

    def look(self, prepared: Sequence[Prepared]) -> list[Sight]:
        """See :class:`app.detector.base.Detector`. Features as long as D-FINE's, which a scan holds and writes."""
        features = np.zeros(FEATURES, "<f2").tobytes()
        return [Sight(found, features) for found in self.detect(prepared)]

    def detect(self, prepared: Sequence[Prepared]) -> list[list[Detection]]:
        """See :class:`app.detector.base.Detector`."""
        return [
            [Detection(Box(0, 0, each.width, each.height), int(each.views[0].pixels[0, 0, 0]) / 255, "football")]
            for each in prepared
        ]


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else "")
    parser.add_argument("--images", type=int, default=100_000)
    parser.add_argument("--side", type=int, default=96, help="longest side of the drawn files in pixels")
    parser.add_argument("--builtin", action="store_true", help="take the detector of the settings")
    parser.add_argument("--folder", type=Path, help="where the temporary folder is made")
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="touchline-memory-", dir=arguments.folder) as folder:
        root = Path(folder) / "frames"
        draw_files(root, arguments.images, arguments.side)
        print(json.dumps(measure(Path(folder), root, builtin=arguments.builtin), indent=2))


def draw_files(root: Path, images: int, side: int) -> None:
    """Small JPEGs, no two of the same bytes."""
    noise = np.random.default_rng(7).integers(0, 256, (side * 3 // 4, side, 3), np.uint8)
    buffer = io.BytesIO()
    Image.fromarray(noise).save(buffer, "JPEG", quality=75)
    start, rest = buffer.getvalue()[:2], buffer.getvalue()[2:]
    for label in ("football", "background"):
        for number in range(FOLDERS):
            (root / label / str(number)).mkdir(parents=True)
    for number in range(images):
        comment = b"\xff\xfe" + (10).to_bytes(2, "big") + number.to_bytes(8, "big")
        path = root / ("football", "background")[number % 2] / str(number // 2 % FOLDERS) / f"{number}.jpg"
        path.write_bytes(start + comment + rest)


def measure(folder: Path, root: Path, *, builtin: bool) -> dict[str, Any]:
    """Register, scan, and scan again."""
    settings = load_settings().model_copy(update={"data_dir": folder / "var", "database_url": None})
    set_up_logs(settings.log)
    with _database(settings) as database:
        began = perf_counter()
        view = register_dataset(database, settings, NewDataset(root), utc_now())
        registered_s = perf_counter() - began
        load = DetectorLoader(database, settings).load_for(view.id) if builtin else CornerDetector
        first = _scan(database, settings, load)
        return {
            "images": view.images,
            "cores": len(os.sched_getaffinity(0)),
            "registered_s": round(registered_s, 1),
            "scan": first,
            "rescan": _scan(database, settings, load),
            "rss_growth": round(first["rss_mb_at_end"] / first.get(SETTLED, first["rss_mb_at_end"]) - 1, 4),
        }


@contextmanager
def _database(settings: Settings) -> Iterator[Database]:
    settings.data_dir.mkdir()
    database = Database(settings.url)
    migrate(database)
    try:
        yield database
    finally:
        database.dispose()


def _scan(database: Database, settings: Settings, load: Callable[[], Detector]) -> dict[str, Any]:
    scan_id = request_scan(database, settings.worker, utc_now, 1).scan.id
    noted: dict[str, float] = {}

    def look() -> bool:
        view = show_scan(database, settings.worker, utc_now, scan_id)
        if view.scored >= FIRST and not noted:
            noted[SETTLED] = _rss_mb()
        return False

    began = perf_counter()
    with announced(database, settings.worker, utc_now, serves=False) as worker_id:
        scan = claim_scan(database, settings, utc_now, worker_id, scan_id)
        if scan is not None:
            run_scan(database, settings, utc_now, scan, load, look)
    spent = perf_counter() - began
    view = show_scan(database, settings.worker, utc_now, scan_id)
    return {
        "status": view.status,
        "scored": view.scored,
        "reused": view.reused,
        "seconds": round(spent, 1),
        "images_per_s": round(view.total / spent),
        **noted,
        "rss_mb_at_end": _rss_mb(),
    }


def _rss_mb() -> float:
    return round((rss_bytes() or 0) / 1e6, 1)


if __name__ == "__main__":
    main()
