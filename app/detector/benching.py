"""How fast the pieces are on this machine: the bare model, transformers' own pipeline, and the original work's loop.

All three read the same files, or are given what was read of them, and give images a second.
"""

from collections.abc import Sequence
from pathlib import Path
from time import perf_counter

import torch
from PIL import Image
from transformers import AutoImageProcessor, pipeline

from app.detector.base import detect_pictures
from app.detector.dfine import TorchDFine

ORIGINAL_BATCH = 4


def measure_limit(detector: TorchDFine, paths: Sequence[Path], batch: int) -> float:
    """The model alone, on tensors that are ready: what no pipeline around it can exceed."""
    pictures = [Image.open(path).convert("RGB") for path in paths[:batch]]
    pixels = detector.stack(pictures)
    rounds = max(2, len(paths) // batch)
    detector.forward(pixels)
    began = perf_counter()
    for _ in range(rounds):
        detector.forward(pixels)
    return rounds * batch / (perf_counter() - began)


def measure_pipeline(folder: Path, paths: Sequence[Path]) -> float:
    """``transformers.pipeline`` on files, one image at a time: with D-FINE-N larger batches fail in it."""
    processor = AutoImageProcessor.from_pretrained(folder, local_files_only=True, backend="pil")
    run = pipeline("object-detection", model=str(folder), image_processor=processor, device="cpu")
    run(str(paths[0]))
    began = perf_counter()
    for path in paths:
        run(str(path), threshold=0.05)
    return len(paths) / (perf_counter() - began)


def measure_original(detector: TorchDFine, paths: Sequence[Path]) -> float:
    """The loop of the original work: one process, batches of four, reading and decoding between them."""
    began = perf_counter()
    for start in range(0, len(paths), ORIGINAL_BATCH):
        detect_pictures(detector, [Image.open(path).convert("RGB") for path in paths[start : start + ORIGINAL_BATCH]])
    return len(paths) / (perf_counter() - began)


def describe_machine() -> dict[str, str | int]:
    """What the figures were measured on."""
    return {"torch": torch.__version__, "threads": torch.get_num_threads(), "cuda": torch.cuda.is_available()}
