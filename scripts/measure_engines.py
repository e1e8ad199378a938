"""The faith gate's figures and the bare speed of every engine and precision, on the built-in model or another.

    python scripts/measure_engines.py

Prints a Markdown table. A row says `refused` with the reason where the gate lets the engine write no score.
"""

from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Annotated

import numpy as np
import typer

from app.config import BUILTIN_MODEL, DetectorSettings
from app.detector.benching import run_engine
from app.detector.dfine import DFine
from app.detector.engines import Backend, Precision
from app.detector.loading import load_detector
from app.files.caching import FolderCache
from app.services.detectors import shipped_canaries

ENGINES: tuple[tuple[Backend, Precision], ...] = (
    ("torch", "float32"),
    ("torch", "bfloat16"),
    ("openvino", "float32"),
    ("openvino", "bfloat16"),
    ("onnxruntime", "float32"),
)
HEADS = (
    "engine",
    "canaries",
    "least IoU",
    "confidence off by",
    "score off by",
    "scores within 0.02",
    "flags turned",
    "verdict",
    "images/s",
)
FIGURES = ("min_iou", "max_confidence_gap", "max_score_gap", "scores_within", "flags_turned")


def main(
    model: Annotated[str, typer.Option(help="As detector.model.")] = BUILTIN_MODEL,
    target: Annotated[str, typer.Option(help="One of its classes.")] = "football",
) -> None:
    """Judge and measure each."""
    print(f"| {' | '.join(HEADS)} |\n|{' --- |' * len(HEADS)}")
    with TemporaryDirectory() as folder:
        cache = FolderCache(Path(folder))
        for backend, precision in ENGINES:
            settings = DetectorSettings(model=model, target_classes=(target,), backend=backend, precision=precision)
            print(_row(settings, cache), flush=True)


def _row(settings: DetectorSettings, cache: FolderCache) -> str:
    detector = load_detector(settings, cache, shipped_canaries)
    name = f"{settings.backend} {settings.precision}"
    if not isinstance(detector, DFine) or detector.runtime.gate is None:
        return f"| {name} | | | | | | | refused: {'; '.join(detector.runtime.refused)} | |"
    gate = detector.runtime.gate
    cells = [name, str(gate["canaries"]), *(f"{gate[figure]:.5g}" for figure in FIGURES), "passed"]
    return f"| {' | '.join(cells)} | {_speed(detector):.1f} |"


def _speed(detector: DFine, images: int = 48) -> float:
    pictures = [detector.prepare(each, *each.size).views[0].pixels for each in shipped_canaries()[:images]]
    run_engine(detector, pictures[:4], 1)
    return float(np.median([run_engine(detector, pictures, 4) for _ in range(3)]))


if __name__ == "__main__":
    typer.run(main)
