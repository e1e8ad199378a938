"""The course of a scan, for its page: speed over time, where the time goes, memory."""

import os
from collections.abc import Callable, Sequence
from pathlib import Path
from time import monotonic
from typing import Any

from app.detector.base import Detector
from app.detector.memory import device_bytes
from app.services.scan_pipeline import Scored

POINTS = 240  #: samples kept at most; past that every other one goes
EVERY_S = 1.0
NOTICEABLE = 0.1  #: of the model's time: less waiting than this holds nobody up


class Course:
    """Collects what the writer sees go by. Used by one thread."""

    def __init__(
        self,
        detector: Detector,
        batch_size: int,
        earlier: dict[str, Any] | None = None,
        clock: Callable[[], float] = monotonic,
    ) -> None:
        self._detector = detector
        self._batch_size = batch_size
        self._clock = clock
        self._samples: list[list[float]] = [list(sample) for sample in (earlier or {}).get("samples", [])]
        self._seconds = dict.fromkeys(("decode", "model", "write"), 0.0)
        for stage in self._seconds:
            self._seconds[stage] += (earlier or {}).get("shares", {}).get(stage, 0.0)
        self._model_s = self._starved_s = self._blocked_s = 0.0
        self._began = clock() - (self._samples[-1][0] if self._samples else 0.0)
        self._latest = -EVERY_S
        self._stride_s = EVERY_S

    def pass_by(self, group: Sequence[Scored], write_s: float) -> None:
        """Count the work behind some batches, once they are stored."""
        self._seconds["decode"] += sum(looked.busy_s for scored in group for looked in scored.images)
        model_s = sum(scored.busy_s for scored in group)
        self._seconds["model"] += model_s
        self._seconds["write"] += write_s
        self._model_s += model_s
        self._starved_s += sum(scored.starved_s for scored in group)
        self._blocked_s += sum(scored.blocked_s for scored in group)

    def due(self) -> bool:
        """Whether it is time to store it again."""
        return self._clock() - self._latest >= EVERY_S

    def document(self, finished: int) -> dict[str, Any]:
        """What is stored: plain JSON."""
        self._latest = self._clock()
        self._sample(round(self._latest - self._began, 2), finished)
        return {
            "samples": self._samples,
            "shares": {stage: round(spent, 6) for stage, spent in self._seconds.items()}
            | {"waiting_for": self._waiting_for()},
            "rss_bytes": rss_bytes(),
            "device_bytes": device_bytes(self._detector.runtime.device),
            "batch_size": self._batch_size,
            "refused": list(self._detector.runtime.refused),
            "failed": list(self._detector.runtime.failed),
            "gate": None if self._detector.runtime.gate is None else dict(self._detector.runtime.gate),
        }

    def _sample(self, elapsed_s: float, finished: int) -> None:
        if len(self._samples) > 1 and self._samples[-1][0] - self._samples[-2][0] < self._stride_s:
            self._samples.pop()  # the newest point always says how far the scan is
        self._samples.append([elapsed_s, finished])
        if len(self._samples) > POINTS:
            self._samples = self._samples[:-1:2] + self._samples[-1:]
            self._stride_s *= 2

    def _waiting_for(self) -> str:
        """The stage that holds the others up: what the model's threads wait for, else the model."""
        whole = self._model_s + self._starved_s + self._blocked_s
        stage, waited = max((("decode", self._starved_s), ("write", self._blocked_s)), key=lambda pair: pair[1])
        return stage if waited > NOTICEABLE * whole else "model"


def rss_bytes() -> int | None:
    """Memory that this process holds; None where the system does not say."""
    try:
        pages = int(Path("/proc/self/statm").read_text(encoding="ascii").split()[1])
    except (OSError, IndexError, ValueError):
        return None
    return pages * os.sysconf("SC_PAGE_SIZE")
