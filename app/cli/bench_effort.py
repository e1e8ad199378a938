"""``bench review-effort``. Importing this module loads torch, so the command line does it only when asked."""

from pathlib import Path
from typing import Any

from app.cli.common import opened, show
from app.config import BUILTIN_MODEL, Settings, load_settings
from app.detector.loading import load_detector
from app.files.caching import FolderCache
from app.logs import set_up_logs
from app.services import benching
from app.services.clock import utc_now
from app.services.detectors import shipped_canaries
from app.services.effort import Study
from app.services.effort_bench import bench_effort, describe_effort, study_dataset, study_demo, write_effort


def run_bench_effort(
    images: int,
    seeds: int,
    error: float,
    dataset: tuple[str, Path] | None,
    write: Path | None,
    as_json: bool,
    config: Path | None,
) -> None:
    """Simulate and print."""
    settings = load_settings(config)
    set_up_logs(settings.log.model_copy(update={"level": "error"}))
    studies = _study_demos(settings, images, seeds) if dataset is None else _study_one(config, seeds, *dataset)
    result: dict[str, Any] = {
        "rows": bench_effort(studies, error),
        "reviewer_error": error,
        "machine": benching.describe_platform(),
        "versions": benching.describe_versions(),
    }
    if write is not None:
        what = f"--images {images}" if dataset is None else f"--dataset {dataset[0]}"
        write_effort(write, result, f"touchline bench review-effort {what} --seeds {seeds} --error {error:g}")
    show(result, as_json, "\n".join(map(describe_effort, result["rows"])))


def _study_demos(settings: Settings, images: int, seeds: int) -> list[tuple[int, Study]]:
    detector = settings.detector.model_copy(update={"model": BUILTIN_MODEL, "target_classes": ("football",)})
    own = settings.model_copy(update={"detector": detector})
    cache = FolderCache(settings.cache)
    loaded = load_detector(detector, cache, shipped_canaries)
    return [(seed, study_demo(own, utc_now, lambda: loaded, images, seed)) for seed in range(1, seeds + 1)]


def _study_one(config: Path | None, seeds: int, reference: str, truth: Path) -> list[tuple[int, Study]]:
    with opened(config) as parts:
        study = study_dataset(parts.database, reference, truth)
    return [(seed, study) for seed in range(1, seeds + 1)]
