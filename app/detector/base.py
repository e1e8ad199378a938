"""What every detector is, whatever computes it. Importing this module loads no engine."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol

from PIL.Image import Image

from app.domain.detections import Detection, DetectorIdentity


@dataclass(frozen=True, slots=True)
class Runtime:
    """Where and how a detector runs. No part of its identity."""

    backend: str
    device: str
    precision: str


class Detector(Protocol):
    """Finds objects in pictures. Knows no file and no database."""

    @property
    def identity(self) -> DetectorIdentity:
        """What decides its scores."""

    @property
    def runtime(self) -> Runtime:
        """Where and how it runs."""

    @property
    def class_names(self) -> tuple[str, ...]:
        """Every class that it knows."""

    def detect(self, pictures: Sequence[Image]) -> list[list[Detection]]:
        """Detections above the floor for each upright RGB picture, strongest first.

        Boxes are ``xyxy`` in pixels of the picture, clipped to it.

        Raises:
            DetectorError: not even a single picture fits into memory, or the engine failed.
        """
