"""Measure the built-in checkpoint on drawn frames it has never seen, and on folders of photographs if you have any.

    python scripts/evaluate_builtin.py                                   # 1,000 demo frames
    python scripts/evaluate_builtin.py --folder path/to/dataset          # AUC with the folders as truth
    python scripts/evaluate_builtin.py --list path/to/frames --speed     # a score for every file; images/s

An image's score is the highest confidence of any query.
"""

from __future__ import annotations

import io
import time
from collections.abc import Iterable, Iterator
from itertools import islice
from multiprocessing import Pool
from pathlib import Path
from typing import Annotated

import numpy as np
import torch
import typer
from numpy.typing import NDArray
from PIL import Image
from transformers import AutoImageProcessor, DFineForObjectDetection

from app.demo.balls import Box
from app.demo.dataset import BACKGROUND, FOOTBALL, Contamination, draw_planned, plan_demo

BATCH = 4
SIZES_PX = ((0, 10), (10, 20), (20, 40), (40, 1000))
SUFFIXES = {".jpg", ".jpeg", ".png", ".webp"}
Scores = NDArray[np.float64]


class Scorer:
    """The checkpoint with its own image processor."""

    def __init__(self, checkpoint: Path) -> None:
        self._model = DFineForObjectDetection.from_pretrained(checkpoint).eval()
        self._model = self._model.to(memory_format=torch.channels_last)
        self._processor = AutoImageProcessor.from_pretrained(checkpoint)

    @torch.inference_mode()
    def score(self, images: Iterable[Image.Image]) -> Scores:
        """The highest confidence (n,) in each image."""
        parts = [self._forward(self.prepare(batch)) for batch in _in_batches(images)]
        return np.concatenate(parts) if parts else np.zeros(0)

    def prepare(self, images: Iterable[Image.Image]) -> torch.Tensor:
        """Pixels (n, 3, 640, 640) as the network wants them."""
        pixels: torch.Tensor = self._processor(images=list(images), return_tensors="pt")["pixel_values"]
        return pixels.contiguous(memory_format=torch.channels_last)

    @torch.inference_mode()
    def measure_speed(self, rounds: int = 12) -> float:
        """Images a second through the network alone, batches of four."""
        pixels = torch.rand(BATCH, 3, 640, 640).contiguous(memory_format=torch.channels_last)
        self._forward(pixels)
        start = time.perf_counter()
        for _ in range(rounds):
            self._forward(pixels)
        return rounds * BATCH / (time.perf_counter() - start)

    def _forward(self, pixels: torch.Tensor) -> Scores:
        logits = self._model(pixel_values=pixels).logits
        return np.asarray(logits.sigmoid().amax((1, 2)).numpy(), np.float64)


def _in_batches(images: Iterable[Image.Image]) -> Iterator[list[Image.Image]]:
    waiting = iter(images)
    while batch := list(islice(waiting, BATCH)):
        yield batch


def area_under_curve(truth: NDArray[np.bool_], scores: Scores) -> float:
    """The share of pairs (ball, empty) in the right order; a tie counts half."""
    balls, empties = scores[truth], np.sort(scores[~truth])
    below = np.searchsorted(empties, balls, side="left") + np.searchsorted(empties, balls, side="right")
    return float(below.mean() / 2 / len(empties))


def evaluate_demo(scorer: Scorer, images: int, seed: int) -> None:
    """Print the figures for drawn frames: AUC, recall at 5 % false flags, recall by the ball's size."""
    planned = plan_demo(images, seed, Contamination.SEED)
    with Pool() as pool:
        drawn = pool.map(draw_planned, planned, chunksize=8)
    scores = scorer.score(Image.open(io.BytesIO(data)) for data, _ in drawn)
    truth = np.array([plan.true_label == FOOTBALL for plan in planned])
    filed = np.array([plan.given_label == FOOTBALL for plan in planned])
    threshold = float(np.quantile(scores[~truth], 0.95))
    print(f"demo frames: {images}, seed {seed}, {int(truth.sum())} with a ball")
    print(f"AUC {area_under_curve(truth, scores):.4f}")
    print(f"threshold that flags 5 % of the empty frames: {threshold:.3f}")
    print(f"recall there: {np.mean(scores[truth] > threshold):.3f}")
    print(f"recall of balls filed as background: {np.mean(scores[truth & ~filed] > threshold):.3f}")
    sizes = np.array([max((_diameter(box) for box in boxes), default=0.0) for _, boxes in drawn])
    _print_by_size(scores, sizes, truth, threshold)
    _print_thresholds(scores, truth)


def _diameter(box: Box) -> float:
    return float(np.sqrt((box[2] - box[0]) * (box[3] - box[1])))


def _print_by_size(scores: Scores, sizes: Scores, truth: NDArray[np.bool_], threshold: float) -> None:
    for low, high in SIZES_PX:
        chosen = truth & (sizes >= low) & (sizes < high)
        if not chosen.any():
            continue
        label = f"{low} to {high} px" if high < 1000 else f"over {low} px"
        either = chosen | ~truth
        area = area_under_curve(truth[either], scores[either])
        recall = np.mean(scores[chosen] > threshold)
        print(f"  balls {label}: {int(chosen.sum())}, recall {recall:.3f}, AUC {area:.4f}")


def _print_thresholds(scores: Scores, truth: NDArray[np.bool_]) -> None:
    for threshold in (0.2, 0.3, 0.4, 0.5, 0.6, 0.7):
        flagged, found = np.mean(scores[~truth] > threshold), np.mean(scores[truth] > threshold)
        print(f"  at {threshold:.1f}: {flagged:.3f} of the empty frames flagged, recall {found:.3f}")


def _find_images(folder: Path) -> Iterator[Path]:
    return (path for path in sorted(folder.rglob("*")) if path.suffix.lower() in SUFFIXES)


def _score_files(scorer: Scorer, files: list[Path]) -> Scores:
    return scorer.score(Image.open(path).convert("RGB") for path in files)


def evaluate_folder(scorer: Scorer, folder: Path) -> None:
    """Print the AUC for a folder whose `football` and `background` are taken for the truth."""
    balls, empties = (list(_find_images(folder / name)) for name in (FOOTBALL, BACKGROUND))
    scores = _score_files(scorer, [*balls, *empties])
    truth = np.arange(len(scores)) < len(balls)
    threshold = float(np.quantile(scores[~truth], 0.95))
    print(f"photographs: {len(balls)} football, {len(empties)} background")
    print(
        f"AUC {area_under_curve(truth, scores):.4f}, recall {np.mean(scores[truth] > threshold):.3f} at {threshold:.3f}"
    )


def list_scores(scorer: Scorer, folder: Path) -> None:
    """Print the score of every image below a folder."""
    files = list(_find_images(folder))
    for path, score in zip(files, _score_files(scorer, files), strict=True):
        print(f"  {path.relative_to(folder).as_posix()} {score:.3f}")


def main(
    checkpoint: Annotated[Path, typer.Option(help="The checkpoint to measure.")] = Path("app/demo/checkpoint"),
    images: Annotated[int, typer.Option(help="How many demo frames to draw; 0 for none.")] = 1000,
    seed: Annotated[int, typer.Option(help="The demo's seed.")] = 424242,
    folder: Annotated[Path | None, typer.Option(help="A folder with football/ and background/.")] = None,
    list_: Annotated[Path | None, typer.Option("--list", help="A folder of images to score one by one.")] = None,
    speed: Annotated[bool, typer.Option("--speed", help="Measure images a second.")] = False,
) -> None:
    """Measure a checkpoint."""
    scorer = Scorer(checkpoint)
    if images:
        evaluate_demo(scorer, images, seed)
    if folder is not None:
        evaluate_folder(scorer, folder)
    if list_ is not None:
        list_scores(scorer, list_)
    if speed:
        print(f"{scorer.measure_speed():.1f} images/s")


if __name__ == "__main__":
    typer.run(main)
