"""What closer looks bring on demo frames, by the ball's size, and what they cost.

    python scripts/measure_looks.py --images 400

Input size, slices and the mirror image, each against the plain look: AUC, recall at the threshold where 5 % of the
empty frames are flagged, and images a second of the model alone. Prints a Markdown table.
"""

import io
import time
from collections.abc import Sequence
from multiprocessing import Pool
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Annotated, Any

import numpy as np
import typer
from numpy.typing import NDArray
from PIL import Image

from app.config import DetectorSettings
from app.demo.dataset import FOOTBALL, Contamination, draw_planned, plan_demo
from app.detector.base import Detector
from app.detector.loading import load_detector
from app.domain.scoring import image_score
from app.files.caching import FolderCache
from app.services.detectors import shipped_canaries

LOOKS: dict[str, dict[str, Any]] = {
    "plain, 640 px": {},
    "480 px": {"input_size": 480},
    "800 px": {"input_size": 800},
    "960 px": {"input_size": 960},
    "mirror": {"mirror": True},
    "slices always, 384 px": {"slicing": "always"},
    "slices always, 320 px": {"slicing": "always", "slice_px": 320},
    "slices selective, 384 px": {"slicing": "selective"},
    "slices selective, mirror": {"slicing": "selective", "mirror": True},
}
SIZES_PX = ((0, 10), (10, 20), (20, 40), (40, 1000))
Scores = NDArray[np.float64]


def area_under_curve(balls: Scores, empties: Scores) -> float:
    """The share of pairs (ball, empty) in the right order; a tie counts half."""
    ordered = np.sort(empties)
    below = np.searchsorted(ordered, balls, side="left") + np.searchsorted(ordered, balls, side="right")
    return float(below.mean() / 2 / len(ordered))


def score_all(detector: Detector, pictures: Sequence[Image.Image]) -> tuple[Scores, float]:
    """Scores (n,), and images a second."""
    began = time.perf_counter()
    found = []
    for start in range(0, len(pictures), 8):
        batch = [detector.prepare(each, each.width, each.height) for each in pictures[start : start + 8]]
        found += [image_score(each, ("football",)) for each in detector.detect(batch)]
    return np.array(found), len(pictures) / (time.perf_counter() - began)


def describe(scores: Scores, truth: NDArray[np.bool_], sizes: Scores) -> list[str]:
    """AUC, recall at 5 % false flags, and the recall by size."""
    empties = scores[~truth]
    threshold = float(np.quantile(empties, 0.95))
    recalls = [np.mean(scores[truth & (sizes >= low) & (sizes < high)] > threshold) for low, high in SIZES_PX]
    figures = [area_under_curve(scores[truth], empties), float(np.mean(scores[truth] > threshold)), *recalls]
    return [f"{value:.3f}" for value in figures]


def main(
    images: Annotated[int, typer.Option(help="Demo frames to draw.")] = 400,
    seed: Annotated[int, typer.Option(help="The demo's seed.")] = 515151,
) -> None:
    """Measure every look on the same frames."""
    planned = plan_demo(images, seed, Contamination.SEED)
    with Pool() as pool:
        drawn = pool.map(draw_planned, planned, chunksize=8)
    pictures = [Image.open(io.BytesIO(data)).convert("RGB") for data, _ in drawn]
    truth = np.array([plan.true_label == FOOTBALL for plan in planned])
    sides = [[np.sqrt((x1 - x0) * (y1 - y0)) for x0, y0, x1, y1 in boxes] for _, boxes in drawn]
    sizes = np.array([max(each, default=0.0) for each in sides])
    counts = [int((truth & (sizes >= low) & (sizes < high)).sum()) for low, high in SIZES_PX]
    heads = [f"{low} to {high} px ({n})" for (low, high), n in zip(SIZES_PX, counts, strict=True)]
    print("| look | AUC | recall |", " | ".join(heads), "| images/s |")
    print("|", " | ".join("---" for _ in range(len(heads) + 4)), "|")
    with TemporaryDirectory() as folder:
        for name, values in LOOKS.items():
            detector = load_detector(DetectorSettings(**values), FolderCache(Path(folder)), shipped_canaries)
            scores, speed = score_all(detector, pictures)
            print("|", " | ".join([name, *describe(scores, truth, sizes), f"{speed:.1f}"]), "|", flush=True)


if __name__ == "__main__":
    typer.run(main)
