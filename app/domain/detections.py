"""What a detector says of one image."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import NamedTuple


class Box(NamedTuple):
    """A rectangle ``x0, y0, x1, y1`` in pixels of the upright (EXIF-applied) image, origin top left."""

    x0: float
    y0: float
    x1: float
    y1: float

    def clipped(self, width: int, height: int) -> "Box":
        """The part inside an image of ``width`` x ``height`` pixels."""
        return Box(
            min(max(self.x0, 0.0), width),
            min(max(self.y0, 0.0), height),
            min(max(self.x1, 0.0), width),
            min(max(self.y1, 0.0), height),
        )

    @property
    def area(self) -> float:
        """Square pixels; 0 for a box without extent."""
        return max(self.x1 - self.x0, 0.0) * max(self.y1 - self.y0, 0.0)


@dataclass(frozen=True, slots=True)
class Detection:
    """One box with its class and the detector's confidence in 0..1."""

    box: Box
    confidence: float
    class_name: str


@dataclass(frozen=True, slots=True)
class Sight:
    """What a detector saw in an image: boxes, strongest first, and the features of its encoder where it gives any."""

    detections: list[Detection]
    features: bytes | None = None  #: float16, little-endian, of the whole image even where slices are looked at


@dataclass(frozen=True, slots=True)
class DetectorIdentity:
    """What decides a detector's scores: two runs with equal identity give the same score to the same bytes.

    Backend, device and precision are not part of it.
    """

    model: str
    revision: str | None
    weights_sha256: str
    preprocessing: str
    input_size: int
    slicing: str = "off"
    floor: float = 0.05

    @property
    def key(self) -> str:
        """The identity as one line of text, unique in the database."""
        return f"{self.weights_sha256}|{self.preprocessing}|{self.input_size}|{self.slicing}|floor={self.floor:g}"


def strongest(detections: Sequence[Detection], targets: Sequence[str]) -> Detection | None:
    """The detection of a target class with the highest confidence, or None."""
    wanted = [detection for detection in detections if detection.class_name in targets]
    return max(wanted, key=lambda detection: detection.confidence, default=None)
