"""Any other object detection model of transformers, through its own processor: slower, and marked untested."""

from collections.abc import Sequence
from typing import Any

import torch
from PIL.Image import Image
from transformers import AutoImageProcessor

from app.config import DetectorSettings
from app.detector.backends.torch import find_device, keep_memory
from app.detector.base import Prepared, Runtime
from app.detector.checkpoints import Checkpoint, check_target_classes
from app.detector.network import load_model
from app.detector.preprocessing import fingerprint
from app.domain.detections import Box, Detection, DetectorIdentity, Sight
from app.errors import CheckpointError, DetectorError


class GenericDetector:
    """A model whose processor does what no graph of ours does: proportions kept, padding, masks."""

    def __init__(self, checkpoint: Checkpoint, settings: DetectorSettings) -> None:
        keep_memory()
        self._floor = settings.floor
        self._tested = checkpoint.tested
        self._device = torch.device(find_device(settings.device))
        self._model = load_model(checkpoint.folder).to(self._device)
        self._processor = _load_processor(checkpoint)
        labels: dict[int, str] = self._model.config.id2label
        self._labels = {int(index): name for index, name in labels.items()}
        self._identity = DetectorIdentity(
            model=checkpoint.model,
            revision=checkpoint.revision,
            weights_sha256=checkpoint.weights_sha256(),
            preprocessing=fingerprint(self._processor.to_dict()),
            input_size=max((v for v in dict(self._processor.size).values() if isinstance(v, int)), default=0),
            floor=settings.floor,
        )

    @property
    def identity(self) -> DetectorIdentity:
        """See :class:`app.detector.base.Detector`."""
        return self._identity

    @property
    def runtime(self) -> Runtime:
        """See :class:`app.detector.base.Detector`. The reference itself: float32 torch, nothing changed."""
        version = f"{torch.__version__} transformers, untested"
        return Runtime("torch", str(self._device), "float32", version, tested=self._tested)

    @property
    def class_names(self) -> tuple[str, ...]:
        """See :class:`app.detector.base.Detector`."""
        return tuple(self._labels[index] for index in sorted(self._labels))

    @property
    def parallel(self) -> int:
        """See :class:`app.detector.base.Detector`."""
        return 1

    @property
    def enough_px(self) -> int | None:
        """See :class:`app.detector.base.Detector`."""
        return None

    def prepare(self, picture: Image, width: int, height: int) -> Prepared:
        """See :class:`app.detector.base.Detector`. The processor does its work in :meth:`detect`."""
        return Prepared(width, height, (), source=picture)

    def look(self, prepared: Sequence[Prepared]) -> list[Sight]:
        """See :class:`app.detector.base.Detector`. What its encoder gives has no known form: no features."""
        return [Sight(found) for found in self.detect(prepared)]

    def detect(self, prepared: Sequence[Prepared]) -> list[list[Detection]]:
        """See :class:`app.detector.base.Detector`. Pictures of different shapes go one by one."""
        try:
            return [self._detect_one(each) for each in prepared]
        except RuntimeError as error:  # out of memory is one too
            msg = f"the detector failed on {self._device}: {' '.join(str(error).split())}"
            raise DetectorError(msg) from error

    def _detect_one(self, prepared: Prepared) -> list[Detection]:
        inputs = self._processor(images=[prepared.source], return_tensors="pt").to(self._device)
        with torch.inference_mode():
            outputs = self._model(**inputs)
        size = torch.tensor([(prepared.height, prepared.width)], device=self._device)
        found = self._processor.post_process_object_detection(outputs, threshold=self._floor, target_sizes=size)
        return self._detections(found[0], prepared)

    def _detections(self, result: dict[str, Any], prepared: Prepared) -> list[Detection]:
        columns = (result[name].tolist() for name in ("boxes", "scores", "labels"))
        detections = [
            Detection(
                Box(*map(float, box)).clipped(prepared.width, prepared.height), min(score, 1.0), self._labels[label]
            )
            for box, score, label in zip(*columns, strict=True)
        ]
        whole = [detection for detection in detections if detection.box.area > 0]
        return sorted(whole, key=lambda detection: -detection.confidence)


def load_generic(checkpoint: Checkpoint, settings: DetectorSettings) -> GenericDetector:
    """A model that Touchline does not know by kind; what only D-FINE has (slices, sizes, engines) does not apply.

    Raises:
        CheckpointError: it cannot be loaded.
        UnknownClassError: it lacks one of ``detector.target_classes``.
        DetectorError: ``detector.device`` is not to be had, or a setting that it cannot follow is set.
    """
    for name, changed in (
        ("input_size", settings.input_size != 0),
        ("slicing", settings.slicing != "off"),
        ("mirror", settings.mirror),
        ("backend", settings.backend not in ("auto", "torch")),
    ):
        if changed:
            msg = f"detector.{name}: a {checkpoint.folder.name} model runs as it is; take this setting back"
            raise DetectorError(msg)
    if settings.threads:
        torch.set_num_threads(settings.threads)
    detector = GenericDetector(checkpoint, settings)
    check_target_classes(settings.target_classes, detector.class_names)
    return detector


def _load_processor(checkpoint: Checkpoint) -> Any:
    try:
        return AutoImageProcessor.from_pretrained(checkpoint.folder, local_files_only=True, backend="pil")
    except (OSError, ValueError, KeyError, ImportError) as error:
        msg = f"detector.model: {checkpoint.folder} has no usable processor: {' '.join(str(error).split())}"
        raise CheckpointError(msg) from error
