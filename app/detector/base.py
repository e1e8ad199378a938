"""What every detector is, whatever computes it. Importing this module loads no engine."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray
from PIL.Image import Image

from app.domain.detections import Box, Detection, DetectorIdentity, Sight


@dataclass(frozen=True, slots=True)
class Runtime:
    """Where and how a detector runs. No part of its identity."""

    backend: str
    device: str
    precision: str
    version: str = ""  #: of the engine's library, and of what else changes its arithmetic
    gate: Mapping[str, Any] | None = None  #: the figures that let this engine pass; None for the reference itself
    refused: tuple[str, ...] = field(default=())  #: engines that did not see the same, each with the reason against it
    failed: tuple[str, ...] = field(default=())  #: engines that could not be compared because they do not run here
    tested: bool = True  #: whether Touchline is tested on detectors of this kind

    @property
    def fingerprint(self) -> str:
        """The engine as one line of text, stored with every score."""
        return " ".join(part for part in (self.backend, self.version, self.device, self.precision) if part)


BATCH_ON_GPU, BATCH_A_STREAM = 192, 8


def choose_batch_size(wanted: int, device: str, parallel: int) -> int:
    """``detector.batch_size``, or what suits the device where that is 0.

    Larger batches bring nothing on a CPU; there it is enough that no stream has to wait for the database.
    """
    return wanted or (BATCH_ON_GPU if device.startswith("cuda") else BATCH_A_STREAM * max(2, parallel))


@dataclass(frozen=True, slots=True)
class View:
    """One look at an image: ``pixels`` ``(3, height, width)``, RGB bytes, of the size that the model takes.

    ``region`` is what they show, ``xyxy`` in pixels of the upright image. Where the model wants padding it reaches
    past the image. ``mirrored``: left and right are swapped.
    """

    pixels: NDArray[np.uint8]
    region: Box
    mirrored: bool = False


@dataclass(frozen=True, slots=True)
class Prepared:
    """An image as a detector takes it, made by a decoding thread so that the model has only to compute."""

    width: int  #: of the upright image, in pixels
    height: int
    views: tuple[View, ...]
    source: Image | None = None  #: kept only where a second, closer look may be wanted


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

    @property
    def parallel(self) -> int:
        """How many threads may call :meth:`detect` at once, and should, to keep the engine busy."""

    @property
    def enough_px(self) -> int | None:
        """A picture whose shorter side has this many pixels may stand for a larger one; None: always the whole one.

        So a decoder that reduces on the way (JPEG's DCT scaling) saves time and changes no detection.
        """

    def prepare(self, picture: Image, width: int, height: int) -> Prepared:
        """The input for one upright RGB picture of an image of ``width`` x ``height`` pixels. Safe in any thread.

        The picture itself may be smaller, down to :attr:`enough_px`.
        """

    def look(self, prepared: Sequence[Prepared]) -> list[Sight]:
        """What it sees in each: what :meth:`detect` finds, and its features. Safe in the same threads."""

    def detect(self, prepared: Sequence[Prepared]) -> list[list[Detection]]:
        """Detections above the floor for each, strongest first. Safe in :attr:`parallel` threads.

        Boxes are ``xyxy`` in pixels of the upright image, clipped to it.

        Raises:
            DetectorError: not even a single picture fits into memory, or the engine failed.
        """


class Cache(Protocol):
    """Keeps what is dear to make: exported networks, converted checkpoints, the figures of the faith gate."""

    def find_or_make(self, name: str, make: Callable[[Path], None]) -> Path:
        """The file or folder of that name; if there is none, ``make`` writes it to the path that it is given."""


def detect_pictures(detector: Detector, pictures: Sequence[Image]) -> list[list[Detection]]:
    """Detections in upright RGB pictures, see :meth:`Detector.detect`."""
    return detector.detect([detector.prepare(picture, picture.width, picture.height) for picture in pictures])
