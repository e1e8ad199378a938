"""What every engine is: the arithmetic of a checkpoint, on one device, in one precision."""

from dataclasses import dataclass
from typing import Literal, Protocol

import numpy as np
from numpy.typing import NDArray

from app.detector.base import Runtime
from app.detector.decoding import Outputs

Backend = Literal["torch", "openvino", "onnxruntime"]
Precision = Literal["float32", "bfloat16", "float16"]
REDUCED: tuple[Precision, ...] = ("bfloat16", "float16")


class Engine(Protocol):
    """Turns pixels into raw outputs."""

    @property
    def runtime(self) -> Runtime:
        """Where and how it runs."""

    @property
    def parallel(self) -> int:
        """How many threads may call :meth:`infer` at once, and should, to keep it busy."""

    def infer(self, pixels: NDArray[np.uint8]) -> Outputs:
        """Raw outputs for ``(n, 3, h, w)`` bytes.

        Logits ``(n, queries, classes)``, boxes ``(n, queries, 4)`` as cxcywh shares, and features ``(n, k)`` of the
        encoder.

        Raises:
            DetectorError: not even a single picture fits into memory, or the library failed.
        """


@dataclass(frozen=True, slots=True)
class Candidate:
    """An engine that may be tried."""

    backend: Backend
    device: str
    precision: Precision

    def __str__(self) -> str:
        """As a person reads it."""
        return f"{self.backend} on {self.device} in {self.precision}"
