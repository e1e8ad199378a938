"""``touchline bench scan``: the speed of a scan against the bare model, on drawn frames in a temporary folder."""

import platform
from collections.abc import Callable, Sequence
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
from app.errors import DetectorError
from app.files.writing import write_cache
from app.services.clock import Clock
from app.services.datasets import NewDataset, register_dataset
from app.services.demo import write_demo
from app.services.scanning import claim_scan, run_scan
from app.services.scans import request_scan
from app.services.workers import announced
from app.storage.database import Database
from app.storage.migrating import migrate

SEED = 99
BEGIN, END = "<!-- bench scan: begin -->", "<!-- bench scan: end -->"
COLUMNS = ("model", "engine", "limit (a)", "Touchline (b)", "pipeline (c)", "original (d)", "b/a", "b/c", "b/d")


@dataclass(frozen=True, slots=True)
class Speeds:
    """Images a second in one round: four ways over the same files, one after the other."""

    limit: float
    touchline: float
    pipeline: float
    original: float


Way = Callable[[list[Path]], float]


@dataclass(frozen=True, slots=True)
class Subject:
    """A detector to measure, and how to measure each way beside Touchline's own, given the files."""

    name: str
    detector: Detector
    settings: Settings
    limit: Way
    pipeline: Way
    original: Way


def bench_scan(clock: Clock, subjects: Sequence[Subject], images: int, rounds: int) -> list[dict[str, Any]]:
    """Measure each subject ``rounds`` times; ratios are medians of the ratios within a round."""
    with TemporaryDirectory(prefix="touchline-bench-") as folder:
        root = Path(folder) / "demo"
        write_demo(root, images, SEED, Contamination.NONE)
        return [_measure(clock, subject, root, rounds) for subject in subjects]


def _measure(clock: Clock, subject: Subject, root: Path, rounds: int) -> dict[str, Any]:
    paths = sorted(root.glob("*/*.jpg"))
    found = [
        Speeds(
            limit=subject.limit(paths),
            touchline=_measure_scan(subject, clock, root),
            pipeline=subject.pipeline(paths),
            original=subject.original(paths),
        )
        for _ in range(rounds)
    ]
    runtime = subject.detector.runtime
    return {
        "model": subject.name,
        "backend": runtime.backend,
        "precision": runtime.precision,
        "gate": None if runtime.gate is None else dict(runtime.gate),
        "refused": list(runtime.refused),
        "failed": list(runtime.failed),
        "images": len(paths),
        "rounds": rounds,
        **_medians(found),
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


def _measure_scan(subject: Subject, clock: Clock, root: Path) -> float:
    """A whole scan with everything a user's has: walk, decode, score, boxes, renditions and progress.

    Registering is not part of it, nor are the decoding and hashing that registering does ahead.
    """
    with TemporaryDirectory(prefix="touchline-bench-") as data:
        own = _settings_in(subject.settings, Path(data))
        database = Database(own.url)
        migrate(database)
        view = register_dataset(database, own, NewDataset(root), clock())
        scan_id = request_scan(database, own.worker, clock, view.id).scan.id
        with announced(database, own.worker, clock, serves=False) as worker_id:
            scan = claim_scan(database, own, clock, worker_id, scan_id)
            began = perf_counter()
            status = "lost" if scan is None else run_scan(database, own, clock, scan, lambda: subject.detector)
            spent = perf_counter() - began
        database.dispose()
    if status != "done":
        msg = f"the scan of {subject.name} ended as {status}, so there is nothing to measure"
        raise DetectorError(msg)
    return view.images / spent


def _settings_in(settings: Settings, data: Path) -> Settings:
    datasets = settings.datasets.model_copy(update={"inspect_on_add_s": 0.0})
    return settings.model_copy(update={"data_dir": data, "database_url": None, "datasets": datasets})


def describe_platform() -> dict[str, str]:
    """The machine, in words."""
    return {"platform": platform.platform(), "processor": platform.machine()}


def describe_versions() -> dict[str, str]:
    """What is not the engines' own."""
    return {"touchline": __version__, "python": platform.python_version()}


def write_table(path: Path, result: dict[str, Any], command: str) -> None:
    """Put the figures between the two marks of a document, or at its end."""
    put_between(path, BEGIN, END, _table(result, command))


def put_between(path: Path, begin: str, end: str, lines: Sequence[str]) -> None:
    """Put lines between two marks of a document, or with them at its end."""
    text = path.read_text(encoding="utf-8") if path.is_file() else "# Benchmarks\n"
    before, _, rest = text.partition(begin)
    after = rest.partition(end)[2] if rest else "\n"
    middle = "\n".join([begin, "", *lines, "", end])
    write_cache(path, f"{before.rstrip()}\n\n{middle}{after}".encode())


def _table(result: dict[str, Any], command: str) -> list[str]:
    machine = ", ".join(f"{key} {value}" for key, value in (result["machine"] | result["versions"]).items())
    lines = [f"`{command}`: images a second. {machine}.", "", _row(COLUMNS), _row("---" for _ in COLUMNS)]
    for row in result["rows"]:
        speeds = [row[f"{name}_images_per_s"] for name in ("limit", "touchline", "pipeline", "original")]
        lines.append(_row([row["model"], f"{row['backend']} {row['precision']}", *speeds, *row["ratios"].values()]))
    return lines


def _row(cells: Any) -> str:
    return f"| {' | '.join(map(str, cells))} |"
