"""``bench scan``. Importing this module loads torch, so the command line does it only when asked."""

from pathlib import Path

from app.cli.common import show
from app.config import load_settings
from app.detector.benching import describe_machine, measure_limit, measure_original, measure_pipeline
from app.detector.checkpoints import find_checkpoint
from app.detector.dfine import load_detector
from app.logs import set_up_logs
from app.services.benching import Ways, bench_scan
from app.services.clock import utc_now


def run_bench_scan(images: int, rounds: int, as_json: bool, config: Path | None) -> None:
    """Measure and print."""
    settings = load_settings(config)
    set_up_logs(settings.log.model_copy(update={"level": "warning"}))
    detector = load_detector(settings.detector)
    folder = find_checkpoint(settings.detector.model, settings.detector.revision).folder
    ways = Ways(
        limit=lambda paths: measure_limit(detector, paths, settings.detector.batch_size),
        pipeline=lambda paths: measure_pipeline(folder, paths),
        original=lambda paths: measure_original(detector, paths),
    )
    result = bench_scan(settings, utc_now, detector, ways, describe_machine(), images, rounds)
    row = result["rows"][0]
    show(
        result,
        as_json,
        f"{row['model']}: {row['touchline_images_per_s']} images/s; bare model {row['limit_images_per_s']}, "
        f"transformers pipeline {row['pipeline_images_per_s']}, the original loop {row['original_images_per_s']}; "
        f"ratios {row['ratios']}",
    )
