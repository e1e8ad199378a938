"""D-FINE through transformers, on CUDA or the CPU, in float32: the reference every other engine is held to.

D-FINE: Peng et al., 2024, arXiv 2410.13842.
"""

import ctypes
import hashlib
import json
from collections.abc import Sequence
from typing import Any

import torch
from PIL.Image import Image
from safetensors import SafetensorError
from transformers import AutoImageProcessor, DFineForObjectDetection
from transformers.utils import logging as transformers_logging

from app.config import DetectorSettings
from app.detector.base import Prepared, Runtime
from app.detector.checkpoints import Checkpoint, check_target_classes, find_checkpoint
from app.domain.detections import Box, Detection, DetectorIdentity
from app.errors import CheckpointError, DetectorError

M_TRIM_THRESHOLD, M_MMAP_THRESHOLD = -1, -3  #: of mallopt(3)


class TorchDFine:
    """A D-FINE checkpoint run by torch."""

    def __init__(self, checkpoint: Checkpoint, settings: DetectorSettings) -> None:
        self._floor = settings.floor
        self._device = _choose_device(settings.device)
        self._processor, self._model = _load(checkpoint)
        self._model.to(device=self._device, memory_format=torch.channels_last).eval()
        labels: dict[int, str] = self._model.config.id2label
        self._labels = {int(index): name for index, name in labels.items()}
        self._identity = DetectorIdentity(
            model=checkpoint.model,
            revision=checkpoint.revision,
            weights_sha256=checkpoint.weights_sha256(),
            preprocessing=_fingerprint(self._processor),
            input_size=int(self._processor.size["height"]),
            floor=settings.floor,
        )

    @property
    def identity(self) -> DetectorIdentity:
        """See :class:`app.detector.base.Detector`."""
        return self._identity

    @property
    def runtime(self) -> Runtime:
        """See :class:`app.detector.base.Detector`."""
        return Runtime(backend="torch", device=str(self._device), precision="float32")

    @property
    def class_names(self) -> tuple[str, ...]:
        """See :class:`app.detector.base.Detector`."""
        return tuple(self._labels[index] for index in sorted(self._labels))

    @property
    def parallel(self) -> int:
        """See :class:`app.detector.base.Detector`. One: torch spreads a single batch over all cores."""
        return 1

    @property
    def enough_px(self) -> int | None:
        """See :class:`app.detector.base.Detector`."""
        return None

    def prepare(self, picture: Image, width: int, height: int) -> Prepared:
        """See :class:`app.detector.base.Detector`. The processor does its work in :meth:`detect`."""
        return Prepared(width, height, (), source=picture)

    def detect(self, prepared: Sequence[Prepared]) -> list[list[Detection]]:
        """See :class:`app.detector.base.Detector`. Out of memory halves the batch and goes on."""
        if not prepared:
            return []
        try:
            return self._detect_at_once(prepared)
        except torch.OutOfMemoryError as error:
            if len(prepared) == 1:
                msg = f"out of memory on {self._device} with a single image: take a smaller model or another device"
                raise DetectorError(msg) from error
        except RuntimeError as error:
            msg = f"the detector failed on {self._device}: {' '.join(str(error).split())}"
            raise DetectorError(msg) from error
        if self._device.type == "cuda":
            torch.cuda.empty_cache()
        half = len(prepared) // 2
        return self.detect(prepared[:half]) + self.detect(prepared[half:])

    def stack(self, pictures: Sequence[Image]) -> torch.Tensor:
        """Pictures as the model takes them: ``(batch, 3, side, side)`` on its device."""
        inputs = self._processor(images=list(pictures), return_tensors="pt")
        pixels: torch.Tensor = inputs["pixel_values"].to(self._device, memory_format=torch.channels_last)
        return pixels

    def forward(self, pixels: torch.Tensor) -> Any:
        """The model's raw outputs for stacked pictures."""
        with torch.inference_mode():
            return self._model(pixel_values=pixels)

    def _detect_at_once(self, prepared: Sequence[Prepared]) -> list[list[Detection]]:
        pictures = [each.source for each in prepared if each.source is not None]
        outputs = self.forward(self.stack(pictures))
        sizes = torch.tensor([(each.height, each.width) for each in prepared], device=self._device)
        found = self._processor.post_process_object_detection(outputs, threshold=self._floor, target_sizes=sizes)
        return [self._detections(result, each) for result, each in zip(found, prepared, strict=True)]

    def _detections(self, result: dict[str, Any], prepared: Prepared) -> list[Detection]:
        detections = [
            Detection(
                Box(*(float(value) for value in box)).clipped(prepared.width, prepared.height),
                min(float(score), 1.0),
                self._labels[int(label)],
            )
            for box, score, label in zip(
                result["boxes"].tolist(), result["scores"].tolist(), result["labels"].tolist(), strict=True
            )
        ]
        whole = [detection for detection in detections if detection.box.area > 0]
        return sorted(whole, key=lambda detection: -detection.confidence)


def load_detector(settings: DetectorSettings) -> TorchDFine:
    """The detector that the settings name, ready to run.

    Raises:
        CheckpointError: the checkpoint cannot be had or loaded.
        UnknownClassError: it lacks one of ``detector.target_classes``.
        DetectorError: ``detector.device`` is not to be had.
    """
    transformers_logging.disable_progress_bar()  # our own progress is about images, not about weights
    _keep_memory()
    if settings.threads:
        torch.set_num_threads(settings.threads)
    detector = TorchDFine(find_checkpoint(settings.model, settings.revision), settings)
    check_target_classes(settings.target_classes, detector.class_names)
    return detector


def _choose_device(wanted: str) -> torch.device:
    present = torch.cuda.is_available()
    if wanted == "cuda" and not present:
        msg = "detector.device: cuda is asked for, but torch sees no GPU; set it to auto or cpu"
        raise DetectorError(msg)
    return torch.device("cuda" if present and wanted != "cpu" else "cpu")


def _load(checkpoint: Checkpoint) -> tuple[Any, Any]:
    try:
        processor = AutoImageProcessor.from_pretrained(checkpoint.folder, local_files_only=True, backend="pil")
        model, report = DFineForObjectDetection.from_pretrained(
            checkpoint.folder, local_files_only=True, dtype=torch.float32, output_loading_info=True
        )
    except (OSError, ValueError, KeyError, RuntimeError, SafetensorError) as error:
        msg = f"detector.model: {checkpoint.folder} cannot be loaded: {' '.join(str(error).split())}"
        raise CheckpointError(msg) from error
    if report["missing_keys"]:
        # Loaded all the same, the missing parts would be random numbers and every score would be noise.
        msg = f"detector.model: {checkpoint.folder} lacks weights, among them {sorted(report['missing_keys'])[0]}"
        raise CheckpointError(msg)
    return processor, model


def _fingerprint(processor: Any) -> str:
    """A short hash of everything that turns a picture into numbers."""
    described = json.dumps(processor.to_dict(), sort_keys=True, default=str)
    return hashlib.sha256(described.encode()).hexdigest()[:16]


def _keep_memory() -> None:
    """Keep freed memory in the process.

    glibc gives large blocks back to the system after every batch and takes them again for the next, which makes
    torch on the CPU up to three times slower.
    """
    try:
        mallopt = ctypes.CDLL(None).mallopt
    except (OSError, AttributeError):
        return  # not glibc
    mallopt(M_MMAP_THRESHOLD, 1 << 30)
    mallopt(M_TRIM_THRESHOLD, (1 << 31) - 1)
