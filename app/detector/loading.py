"""From the settings to a detector that may be trusted: the fastest engine that sees what the reference sees."""

import hashlib
import json
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import Any

import structlog
from PIL.Image import Image

from app.config import DetectorSettings
from app.detector.base import Cache, Detector, choose_batch_size
from app.detector.candidates import find_candidates
from app.detector.checkpoints import Checkpoint, check_target_classes, find_checkpoint
from app.detector.dfine import DFine, Looks
from app.detector.engines import Candidate, Engine
from app.detector.exporting import find_or_export
from app.detector.gate import Gate
from app.detector.preprocessing import Preprocessing, read_preprocessing, stretches
from app.domain.detections import DetectorIdentity
from app.domain.faith import FaithRules
from app.errors import CheckpointError, DetectorError

log = structlog.get_logger()
OWN_OUTPUTS = ("d_fine", "rt_detr", "rt_detr_v2")  #: kinds whose raw outputs we decode ourselves


def load_detector(settings: DetectorSettings, cache: Cache, canaries: Callable[[], Sequence[Image]]) -> Detector:
    """The detector that the settings name, on the fastest engine that the faith gate passes.

    ``canaries`` gives at least 64 upright pictures; it is asked only when an engine is new to this machine.

    Raises:
        CheckpointError: the checkpoint cannot be had or loaded.
        UnknownClassError: it lacks one of ``detector.target_classes``.
        DetectorError: ``detector.device`` is not to be had, or no engine runs.
    """
    checkpoint = find_checkpoint(settings.model, settings.revision, cache=cache)
    if checkpoint.kind not in OWN_OUTPUTS or not stretches(checkpoint.folder):
        from app.detector.generic import load_generic

        return load_generic(checkpoint, settings)
    plan = _Plan.of(checkpoint, settings, cache)
    check_target_classes(settings.target_classes, plan.labels)
    return _first_faithful(plan, canaries)


def load_reference(settings: DetectorSettings, cache: Cache) -> DFine:
    """The float32 torch reference itself."""
    checkpoint = find_checkpoint(settings.model, settings.revision, cache=cache)
    plan = _Plan.of(checkpoint, settings, cache)
    check_target_classes(settings.target_classes, plan.labels)
    return plan.reference()


def load_engine(
    settings: DetectorSettings, candidate: Candidate, cache: Cache, canaries: Callable[[], Sequence[Image]]
) -> tuple[DFine, dict[str, Any]]:
    """The detector on exactly that engine, and the figures of its faith gate, passed or not: for measuring alone.

    What writes scores asks :func:`load_detector`, which lets only an engine that passed do so.

    Raises:
        CheckpointError: the checkpoint cannot be had or loaded.
        UnknownClassError: it lacks one of ``detector.target_classes``.
        DetectorError: the engine does not run here; no other takes its place.
    """
    plan = _Plan.of(find_checkpoint(settings.model, settings.revision, cache=cache), settings, cache)
    check_target_classes(settings.target_classes, plan.labels)
    engine = plan.build(candidate)
    return plan.detector(engine), _gate_of(plan, canaries).judge(plan.detector(engine, Looks()))


@dataclass(frozen=True, slots=True)
class _Plan:
    """Everything of a detector but its engine."""

    checkpoint: Checkpoint
    settings: DetectorSettings
    cache: Cache
    preprocessing: Preprocessing
    labels: tuple[str, ...]
    identity: DetectorIdentity

    @classmethod
    def of(cls, checkpoint: Checkpoint, settings: DetectorSettings, cache: Cache) -> "_Plan":
        preprocessing = read_preprocessing(checkpoint.folder, settings.input_size)
        identity = DetectorIdentity(
            model=checkpoint.model,
            revision=checkpoint.revision,
            weights_sha256=checkpoint.weights_sha256(),
            preprocessing=preprocessing.fingerprint,
            input_size=max(preprocessing.width, preprocessing.height),
            slicing=_describe_looks(settings),
            floor=settings.floor,
        )
        return cls(checkpoint, settings, cache, preprocessing, read_labels(checkpoint), identity)

    @property
    def key(self) -> str:
        """Names what is kept of this detector."""
        parts = (self.identity.weights_sha256, self.identity.preprocessing)
        return f"engines/{hashlib.sha256('|'.join(parts).encode()).hexdigest()[:16]}"

    def detector(self, engine: Engine, looks: Looks | None = None) -> DFine:
        """The detector on an engine."""
        settings = self.settings
        detector = DFine(
            engine,
            self.preprocessing,
            self.labels,
            self.identity,
            settings.target_classes,
            looks or Looks.of(settings),
            choose_batch_size(settings.batch_size, engine.runtime.device, engine.parallel),
        )
        return detector.vetted(replace(engine.runtime, tested=self.checkpoint.tested))

    def reference(self, looks: Looks | None = None) -> DFine:
        """The detector as torch computes it in float32, nothing folded."""
        from app.detector.backends.torch import TorchEngine, find_device
        from app.detector.network import load_network

        network = load_network(self.checkpoint.folder, self.preprocessing)
        candidate = Candidate("torch", find_device(self.settings.device), "float32")
        return self.detector(TorchEngine(network, candidate, threads=self.settings.threads, reference=True), looks)

    def build(self, candidate: Candidate) -> Engine:
        """An engine, ready to run.

        Raises:
            DetectorError: it does not run here.
        """
        threads = self.settings.threads
        if candidate.backend == "torch":
            from app.detector.backends.torch import TorchEngine
            from app.detector.network import load_network

            return TorchEngine(load_network(self.checkpoint.folder, self.preprocessing), candidate, threads=threads)
        exported = find_or_export(self.checkpoint.folder, self.preprocessing, self.cache, self.key)
        if candidate.backend == "openvino":
            from app.detector.backends.openvino import OpenVinoEngine

            return OpenVinoEngine(exported, candidate, threads=threads)
        from app.detector.backends.onnxruntime import OnnxRuntimeEngine

        return OnnxRuntimeEngine(exported, candidate, threads=threads)


def _first_faithful(plan: _Plan, canaries: Callable[[], Sequence[Image]]) -> DFine:
    """The first candidate that runs and passes; each that does not is named with its reason."""
    gate = _gate_of(plan, canaries)
    refused: list[str] = []
    failed: list[str] = []
    for candidate in find_candidates(plan.settings):
        try:
            engine = plan.build(candidate)
            detector = plan.detector(engine)
            figures = gate.judge(plan.detector(engine, Looks()))
        except DetectorError as error:
            failed.append(f"{candidate}: {error}")
            continue
        if figures["reason"] is None:
            return detector.vetted(
                replace(detector.runtime, gate=figures, refused=tuple(refused), failed=tuple(failed))
            )
        refused.append(f"{candidate}: {figures['reason']}")
        log.warning("engine refused", engine=str(candidate), **figures)
    reference = plan.reference()
    return reference.vetted(replace(reference.runtime, refused=tuple(refused), failed=tuple(failed)))


def _gate_of(plan: _Plan, canaries: Callable[[], Sequence[Image]]) -> Gate:
    """It compares plain looks: slices and mirror images are more looks of the same engine."""
    rules = FaithRules(plan.settings.target_classes, plan.settings.floor, plan.settings.threshold, reduced=False)
    return Gate(canaries, lambda: plan.reference(Looks()), rules, plan.cache, plan.key)


def _describe_looks(settings: DetectorSettings) -> str:
    """Which images are looked at closer hangs on the target classes, so they are part of what was looked at."""
    targets = "+".join(sorted(settings.target_classes)) if settings.slicing == "selective" else ""
    return f"{Looks.of(settings)}:{targets}" if targets else str(Looks.of(settings))


def read_labels(checkpoint: Checkpoint) -> tuple[str, ...]:
    """The names of a checkpoint's classes, in its own order.

    Raises:
        CheckpointError: its configuration names none.
    """
    path = checkpoint.folder / "config.json"
    try:
        config: dict[str, Any] = json.loads(path.read_text(encoding="utf-8"))
        labels = {int(index): str(name) for index, name in config["id2label"].items()}
        return tuple(labels[index] for index in range(len(labels)))
    except (OSError, ValueError, KeyError, AttributeError) as error:
        msg = f"detector.model: {path} names no classes (id2label from 0 on)"
        raise CheckpointError(msg) from error
