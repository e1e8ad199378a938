"""The faith gate's figures and the bare speed of every engine and precision, on the built-in model or another.

    python scripts/measure_engines.py

Prints a Markdown table, a row for each engine on the device. A row says `refused` with the reason where the gate lets
the engine write no score, and `does not run here` where it could not even be started; no other engine takes its place.
"""

from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Annotated, Literal

import numpy as np
import typer

from app.config import BUILTIN_MODEL, DetectorSettings
from app.detector.benching import run_engine
from app.detector.dfine import DFine
from app.detector.engines import Backend, Candidate, Precision
from app.detector.loading import load_engine
from app.errors import DetectorError
from app.files.caching import FolderCache
from app.services.detectors import shipped_canaries

Device = Literal["cpu", "cuda"]
ENGINES: dict[Device, tuple[tuple[Backend, Precision], ...]] = {
    "cpu": (
        ("torch", "float32"),
        ("torch", "bfloat16"),
        ("openvino", "float32"),
        ("openvino", "bfloat16"),
        ("openvino", "float16"),
        ("onnxruntime", "float32"),
    ),
    "cuda": (("torch", "float32"), ("torch", "bfloat16"), ("torch", "float16"), ("onnxruntime", "float32")),
}
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
    device: Annotated[Device, typer.Option(help="Where to run them.")] = "cpu",
) -> None:
    """Judge and measure each."""
    print(f"| {' | '.join(HEADS)} |\n|{' --- |' * len(HEADS)}")
    with TemporaryDirectory() as folder:
        cache = FolderCache(Path(folder))
        settings = DetectorSettings(model=model, target_classes=(target,), device=device)
        for backend, precision in ENGINES[device]:
            print(measure(settings, Candidate(backend, device, precision), cache), flush=True)


def measure(settings: DetectorSettings, candidate: Candidate, cache: FolderCache) -> str:
    """The row of one engine: its own figures, whether it passed or not, and its own speed."""
    name = f"{candidate.backend} {candidate.precision}"
    try:
        detector, gate = load_engine(settings, candidate, cache, shipped_canaries)
    except DetectorError as error:
        return f"| {name} |{' |' * len(FIGURES)} | does not run here: {error} | |"
    verdict = "passed" if gate["reason"] is None else f"refused: {gate['reason']}"
    cells = [name, str(gate["canaries"]), *(f"{gate[figure]:.5g}" for figure in FIGURES), verdict]
    return f"| {' | '.join(cells)} | {_speed(detector):.1f} |"


def _speed(detector: DFine, images: int = 48) -> float:
    pictures = [detector.prepare(each, *each.size).views[0].pixels for each in shipped_canaries()[:images]]
    run_engine(detector, pictures[:4], 1)
    return float(np.median([run_engine(detector, pictures, 4) for _ in range(3)]))


if __name__ == "__main__":
    typer.run(main)
