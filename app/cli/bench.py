"""``bench scan``. Importing this module loads torch, so the command line does it only when asked."""

from collections.abc import Sequence
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from app.cli.common import show
from app.config import BUILTIN_MODEL, Settings, load_settings
from app.detector import benching as pieces
from app.detector.checkpoints import find_checkpoint
from app.detector.dfine import DFine
from app.detector.loading import load_detector
from app.errors import UsageError
from app.files.caching import FolderCache
from app.logs import set_up_logs
from app.services import benching
from app.services.benching import Subject, bench_scan
from app.services.clock import utc_now
from app.services.detectors import shipped_canaries

RANDOM = {"dfine-n": "n", "dfine-s": "s", "dfine-m": "m", "dfine-l": "l", "dfine-x": "x"}


def run_bench_scan(
    images: int, rounds: int, models: Sequence[str], write: Path | None, as_json: bool, config: Path | None
) -> None:
    """Measure and print."""
    settings = load_settings(config)
    set_up_logs(settings.log.model_copy(update={"level": "error"}))
    with TemporaryDirectory(prefix="touchline-bench-") as folder:
        subjects = [_subject(settings, name, Path(folder)) for name in models]
        rows = bench_scan(utc_now, subjects, images, rounds)
    result = {
        "rows": rows,
        "machine": benching.describe_platform() | pieces.describe_machine(),
        "versions": benching.describe_versions() | pieces.describe_versions(),
    }
    if write is not None:
        arguments = f"--images {images} --rounds {rounds} --models {','.join(models)}"
        benching.write_table(write, result, f"touchline bench scan {arguments}")
    show(result, as_json, "\n".join(map(_describe, rows)))


def _subject(settings: Settings, name: str, folder: Path) -> Subject:
    chosen = _settings_of(settings, name, folder)
    cache = FolderCache(folder / "cache")
    detector = load_detector(chosen.detector, cache, shipped_canaries)
    if not isinstance(detector, DFine):
        msg = f"--models {name}: only D-FINE is measured"
        raise UsageError(msg)
    device = pieces.device_beside(detector)
    weights = find_checkpoint(chosen.detector.model, chosen.detector.revision, cache=cache).folder
    return Subject(
        name=name,
        detector=detector,
        settings=chosen,
        limit=lambda paths: pieces.measure_limit(detector, paths),
        pipeline=lambda paths: pieces.measure_pipeline(weights, paths, device),
        original=lambda paths: pieces.measure_original(weights, paths, device),
    )


def _settings_of(settings: Settings, name: str, folder: Path) -> Settings:
    """Random weights are measured in float32: nothing tells whether a lower precision would keep their scores."""
    values: dict[str, Any] = {}
    if name in RANDOM:
        pieces.write_random_checkpoint(RANDOM[name], folder / name)
        values = {"model": str(folder / name), "target_classes": ("sports ball",), "precision": "float32"}
    elif name == "builtin":
        values = {"model": BUILTIN_MODEL, "target_classes": ("football",)}
    elif name != "configured":
        msg = f"--models {name}: choose among {', '.join(RANDOM)}, builtin and configured"
        raise UsageError(msg)
    return settings.model_copy(update={"detector": settings.detector.model_copy(update=values)})


def _describe(row: dict[str, Any]) -> str:
    ratios = ", ".join(f"{name.replace('_', ' ')} {value}" for name, value in row["ratios"].items())
    return (
        f"{row['model']} ({row['backend']}, {row['precision']}): {row['touchline_images_per_s']} images/s; bare model "
        f"{row['limit_images_per_s']}, transformers' pipeline {row['pipeline_images_per_s']}, "
        f"the original loop {row['original_images_per_s']}; ratios: {ratios}"
    )
