"""The faith gate: an engine is compared with the float32 reference before it may write a score.

Its figures are kept for each machine, detector and engine; :mod:`app.domain.faith` has the rules.
"""

import hashlib
import json
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import structlog
from PIL.Image import Image

from app.detector.base import Cache, Prepared
from app.detector.dfine import DFine
from app.detector.engines import REDUCED, Engine
from app.detector.machine import describe_gpu, describe_machine
from app.domain.detections import Detection
from app.domain.faith import FaithReport, FaithRules, compare_engines

log = structlog.get_logger()
Canaries = Callable[[], Sequence[Image]]
BATCH = 8
NVIDIA = ("cuda", "tensorrt")  #: devices on which an engine computes on NVIDIA's GPU
RULES = "3"  #: to be counted up when rules, canaries or the exported graph change: earlier verdicts then no longer hold


class Gate:
    """Compares engines of one detector with its reference, whose answers it computes at most once."""

    def __init__(
        self, canaries: Canaries, reference: Callable[[], DFine], rules: FaithRules, cache: Cache, key: str
    ) -> None:
        self._canaries = canaries
        self._load_reference = reference
        self._rules = rules
        self._cache = cache
        self._key = key
        self._pictures: Sequence[Image] | None = None
        self._known: list[list[Detection]] | None = None

    def judge(self, detector: DFine) -> dict[str, Any]:
        """The figures of an engine on this machine, from an earlier comparison or from one made now."""
        name = f"{self._key}/gate-{self._digest(detector.engine)}.json"
        path = self._cache.find_or_make(name, lambda partial: self._write(partial, detector))
        try:
            figures: dict[str, Any] = json.loads(path.read_text(encoding="utf-8"))
        except ValueError:  # what a power cut left of it
            figures = self._compare(detector).as_json()
        return figures

    def _write(self, path: Path, detector: DFine) -> None:
        report = self._compare(detector)
        log.info("engine compared", engine=detector.engine.runtime.fingerprint, **report.as_json())
        path.write_text(json.dumps(report.as_json(), indent=1), encoding="utf-8")

    def _compare(self, detector: DFine) -> FaithReport:
        if self._pictures is None or self._known is None:
            self._pictures = self._canaries()
            self._known = _detect(self._load_reference(), self._pictures)
        rules = FaithRules(
            self._rules.targets,
            self._rules.floor,
            self._rules.threshold,
            reduced=detector.engine.runtime.precision in REDUCED,
        )
        return compare_engines(self._known, _detect(detector, self._pictures), rules)

    def _digest(self, engine: Engine) -> str:
        """Of all that a verdict depends on: the engine, the machine with its GPU, and what the rules compare."""
        gpu = describe_gpu() if engine.runtime.device in NVIDIA else ""
        parts = (RULES, engine.runtime.fingerprint, describe_machine(), gpu, repr(self._rules))
        return hashlib.sha256("|".join(parts).encode()).hexdigest()[:16]


def _detect(detector: DFine, pictures: Sequence[Image]) -> list[list[Detection]]:
    found: list[list[Detection]] = []
    for start in range(0, len(pictures), BATCH):
        batch = [_prepare(detector, picture) for picture in pictures[start : start + BATCH]]
        found += detector.detect_all(batch, 0.0)
    return found


def _prepare(detector: DFine, picture: Image) -> Prepared:
    return detector.prepare(picture, picture.width, picture.height)
