"""How fast the pieces are on this machine: the bare model, transformers' own pipeline, and the original work's loop.

All give images a second, model loading not counted. What a user would write runs in a process of its own, so that no
setting of ours (the memory allocator's, say) makes it faster or slower.
"""

import multiprocessing
import os
from collections.abc import Callable, Sequence
from concurrent.futures import ProcessPoolExecutor, ThreadPoolExecutor
from functools import cache
from itertools import cycle, islice
from pathlib import Path
from time import perf_counter
from typing import Any, TypeVar

import numpy as np
import openvino
import torch
import transformers
from PIL import Image
from transformers import (
    AutoImageProcessor,
    AutoModelForObjectDetection,
    DFineForObjectDetection,
    RTDetrImageProcessor,
    pipeline,
)
from transformers.utils import logging as transformers_logging

from app.detector.base import BATCH_ON_GPU
from app.detector.converting import SIZES
from app.detector.dfine import DFine
from app.detector.original import class_list, make_config

ORIGINAL_BATCH = 4
PIPELINE_BATCHES = (1, 2, 4, 8)
LIMIT_BATCHES = (1, 4, 8)  #: on a CPU, where larger ones bring nothing
MORE_ON_GPU = (16, 32, 64)
T = TypeVar("T")
FLOOR = 0.05
COCO_CLASSES = 80
PROBE = 8  #: images on which the best batch size is looked for


def write_random_checkpoint(letter: str, folder: Path) -> None:
    """A D-FINE of a published size with random weights: as fast as a trained one, and of no other use."""
    transformers_logging.disable_progress_bar()
    transformers_logging.set_verbosity_error()
    torch.manual_seed(0)
    size = next(size for size in SIZES if size.letter == letter)
    model = DFineForObjectDetection(make_config(size, class_list(COCO_CLASSES), {}))
    tell_places_apart(model)
    model.save_pretrained(folder)
    side = {"height": 640, "width": 640}
    RTDetrImageProcessor(size=side, do_normalize=False).save_pretrained(folder)


@torch.no_grad()
def tell_places_apart(model: DFineForObjectDetection) -> None:
    """Give random weights an opinion, so that engines can be compared.

    Fresh weights find all places of an image alike; which of them become queries is then rounding's choice, and no two
    engines give the same boxes.
    """
    for module in model.model.backbone.modules():
        if isinstance(module, torch.nn.Conv2d):
            torch.nn.init.kaiming_normal_(module.weight)
    torch.nn.init.normal_(model.model.enc_score_head.weight, std=1.0)
    for head in model.class_embed:
        torch.nn.init.normal_(head.weight, std=0.05)


def measure_limit(detector: DFine, paths: Sequence[Path]) -> float:
    """The bare engine on inputs that lie in memory, at its best batch: what nothing around it can exceed."""
    views = [_prepare(detector, path) for path in paths]
    return run_engine(detector, views, _best_batch(detector, tuple(paths[:PROBE])))


def device_beside(detector: DFine) -> str:
    """``cuda`` or ``cpu``: where torch has to run to be compared with a detector, whatever library computes it."""
    return "cpu" if detector.runtime.device in ("cpu", "gpu") else "cuda"


def limit_batches(device: str) -> tuple[int, ...]:
    """The batches among which the best for the bare engine is looked for; on CUDA also that of a scan."""
    return (*LIMIT_BATCHES, *MORE_ON_GPU, BATCH_ON_GPU) if device == "cuda" else LIMIT_BATCHES


def pipeline_batches(device: str) -> tuple[int, ...]:
    """The batches among which the best for transformers' pipeline is looked for."""
    return (*PIPELINE_BATCHES, *MORE_ON_GPU) if device == "cuda" else PIPELINE_BATCHES


def _prepare(detector: DFine, path: Path) -> np.ndarray:
    picture = Image.open(path).convert("RGB")
    return detector.prepare(picture, *picture.size).views[0].pixels


@cache
def _best_batch(detector: DFine, paths: tuple[Path, ...]) -> int:
    device = device_beside(detector)
    views = [_prepare(detector, path) for path in paths] * 2
    run_engine(detector, views[:PROBE], 1)
    if device == "cpu":
        return max(LIMIT_BATCHES, key=lambda batch: run_engine(detector, views, batch))

    def speed(batch: int) -> float:
        several = _fill(views, 2 * detector.parallel * batch)
        run_engine(detector, several, batch)  # the first batch of a size is slow: kernels are chosen for it
        return run_engine(detector, several, batch)

    return max(limit_batches(device), key=speed)


def _fill(things: Sequence[T], count: int) -> list[T]:
    """As many, over and over again."""
    return list(islice(cycle(things), count))


def run_engine(detector: DFine, views: Sequence[np.ndarray], batch: int) -> float:
    """Images a second of the engine alone on inputs ``(3, h, w)`` that lie in memory."""
    batches = [np.stack(views[start : start + batch]) for start in range(0, len(views), batch)]
    with ThreadPoolExecutor(detector.parallel) as pool:
        began = perf_counter()
        list(pool.map(detector.engine.infer, batches))
        return len(views) / (perf_counter() - began)


def measure_pipeline(folder: Path, paths: Sequence[Path], device: str) -> float:
    """``transformers.pipeline`` on files at its best working batch size, on ``cpu`` or ``cuda``."""
    return _apart(_run_pipeline, folder, paths, device)


def measure_original(folder: Path, paths: Sequence[Path], device: str) -> float:
    """The loop of the original work: batches of four, decoded on the main thread, nothing overlapping."""
    return _apart(_run_original, folder, paths, device)


def _apart(
    run: Callable[[Path, Sequence[Path], str], float], folder: Path, paths: Sequence[Path], device: str
) -> float:
    with ProcessPoolExecutor(1, multiprocessing.get_context("spawn")) as pool:
        return pool.submit(run, folder, paths, device).result()


def _run_pipeline(folder: Path, paths: Sequence[Path], device: str) -> float:
    transformers_logging.disable_progress_bar()
    transformers_logging.set_verbosity_error()
    processor = AutoImageProcessor.from_pretrained(folder, local_files_only=True, backend="pil")
    run = pipeline("object-detection", model=str(folder), image_processor=processor, device=device)
    files = [str(path) for path in paths]

    def speed(batch: int, chosen: list[str]) -> float:
        began = perf_counter()
        run(chosen, threshold=FLOOR, batch_size=batch)
        return len(chosen) / (perf_counter() - began)

    def probe(batch: int) -> float:
        try:
            return speed(batch, files[:PROBE] if batch <= PROBE else _fill(files, batch))
        except IndexError:  # a known fault of D-FINE-N in the pipeline: some batch sizes do not work
            return 0.0

    speed(1, files[:2])
    return speed(max(pipeline_batches(device), key=probe), files)


def _run_original(folder: Path, paths: Sequence[Path], device: str) -> float:
    transformers_logging.disable_progress_bar()
    transformers_logging.set_verbosity_error()
    processor = AutoImageProcessor.from_pretrained(folder, local_files_only=True, backend="pil")
    model = AutoModelForObjectDetection.from_pretrained(folder, local_files_only=True).eval().to(device)
    _detect_as_original(model, processor, paths[:ORIGINAL_BATCH])
    began = perf_counter()
    for start in range(0, len(paths), ORIGINAL_BATCH):
        _detect_as_original(model, processor, paths[start : start + ORIGINAL_BATCH])
    return len(paths) / (perf_counter() - began)


def _detect_as_original(model: Any, processor: Any, paths: Sequence[Path]) -> Any:
    pictures = [Image.open(path).convert("RGB") for path in paths]
    with torch.inference_mode():
        outputs = model(**processor(images=pictures, return_tensors="pt").to(model.device))
    sizes = torch.tensor([picture.size[::-1] for picture in pictures], device=model.device)
    return processor.post_process_object_detection(outputs, threshold=FLOOR, target_sizes=sizes)


def describe_machine() -> dict[str, str | int]:
    """What the figures were measured on."""
    return {"cpus": os.cpu_count() or 1, "threads": torch.get_num_threads(), "cuda": torch.cuda.is_available()}


def describe_versions() -> dict[str, str]:
    """The libraries that compute."""
    return {
        "torch": torch.__version__,
        "transformers": transformers.__version__,
        "openvino": openvino.get_version().partition("-")[0],
    }
