"""``touchline bench scan``: the speed of a scan against the bare model, on drawn frames in a temporary folder."""

import platform
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from statistics import median
from tempfile import TemporaryDirectory
from time import perf_counter
from typing import Any

from app import __version__
from app.config import Settings
from app.demo.dataset import Contamination
from app.detector.base import Detector
from app.services.clock import Clock
from app.services.datasets import NewDataset, register_dataset
from app.services.demo import write_demo
from app.services.scanning import claim_scan, run_scan
from app.services.scans import request_scan
from app.services.workers import announced
from app.storage.database import Database
from app.storage.migrating import migrate

SEED = 99


@dataclass(frozen=True, slots=True)
class Speeds:
    """Images a second in one round: four ways over the same files, one after the other."""

    limit: float
    touchline: float
    pipeline: float
    original: float


@dataclass(frozen=True, slots=True)
class Ways:
    """How to measure each way beside Touchline's own, given the files."""

    limit: Callable[[list[Path]], float]
    pipeline: Callable[[list[Path]], float]
    original: Callable[[list[Path]], float]


def bench_scan(
    settings: Settings, clock: Clock, detector: Detector, ways: Ways, machine: dict[str, Any], images: int, rounds: int
) -> dict[str, Any]:
    """Measure ``rounds`` times and give the medians; ratios are medians of the ratios within a round."""
    with TemporaryDirectory(prefix="touchline-bench-") as folder:
        root = Path(folder) / "demo"
        write_demo(root, images, SEED, Contamination.NONE)
        paths = sorted(root.glob("*/*.jpg"))
        found = [
            Speeds(
                limit=ways.limit(paths),
                touchline=_measure_scan(settings, clock, detector, root, Path(folder) / f"var-{number}"),
                pipeline=ways.pipeline(paths),
                original=ways.original(paths),
            )
            for number in range(rounds)
        ]
    row = {"model": detector.identity.model, "gate": None, "images": images, "rounds": rounds}
    runtime = {"backend": detector.runtime.backend, "precision": detector.runtime.precision}
    return {
        "rows": [row | runtime | _medians(found)],
        "machine": {"platform": platform.platform(), "processor": platform.machine(), **machine},
        "versions": {"touchline": __version__, "python": platform.python_version()},
    }


def _medians(found: list[Speeds]) -> dict[str, Any]:
    return {
        "limit_images_per_s": round(median(each.limit for each in found), 2),
        "touchline_images_per_s": round(median(each.touchline for each in found), 2),
        "pipeline_images_per_s": round(median(each.pipeline for each in found), 2),
        "original_images_per_s": round(median(each.original for each in found), 2),
        "ratios": {
            "to_limit": round(median(each.touchline / each.limit for each in found), 3),
            "to_pipeline": round(median(each.touchline / each.pipeline for each in found), 3),
            "to_original": round(median(each.touchline / each.original for each in found), 3),
        },
    }


def _measure_scan(settings: Settings, clock: Clock, detector: Detector, root: Path, data: Path) -> float:
    """A whole scan with everything a user's has: walk, decode, score, boxes and progress in the database."""
    own = settings.model_copy(update={"data_dir": data, "database_url": None})
    database = Database(own.url)
    migrate(database)
    view = register_dataset(database, own, NewDataset(root), clock())
    scan_id = request_scan(database, own.worker, clock, view.id).scan.id
    with announced(database, own.worker, clock, serves=False) as worker_id:
        scan = claim_scan(database, own, clock, worker_id, scan_id)
        began = perf_counter()
        if scan is not None:
            run_scan(database, own, clock, scan, lambda: detector)
        spent = perf_counter() - began
    database.dispose()
    return view.images / spent
