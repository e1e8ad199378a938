"""From an upright picture to what a checkpoint takes, as the checkpoint's own processor configuration has it.

Resizing is done here, on bytes, in a decoding thread. Rescaling and normalisation are two multiplications that the
engine does with the rest, so that a quarter of the bytes travel.
"""

import hashlib
import json
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image

from app.detector.base import View
from app.domain.detections import Box
from app.errors import CheckpointError

FILE = "preprocessor_config.json"
BILINEAR = 2
ENOUGH = 2  #: pixels a side for each of the input's; resizing from no fewer is as good as from all


@dataclass(frozen=True, slots=True)
class Letterbox:
    """The picture keeps its proportions and the rest is filled: with ``value``, around it or right and below."""

    centre: bool = True
    value: int = 114


@dataclass(frozen=True, slots=True)
class Preprocessing:
    """What turns a picture into numbers; ``mean`` and ``std`` are per channel, after the scaling by ``scale``."""

    width: int
    height: int
    resample: int = BILINEAR
    scale: float = 1 / 255
    mean: tuple[float, ...] = (0.0, 0.0, 0.0)
    std: tuple[float, ...] = (1.0, 1.0, 1.0)
    letterbox: Letterbox | None = None

    @property
    def fingerprint(self) -> str:
        """A short hash of all of it."""
        return fingerprint(asdict(self))

    @property
    def enough_px(self) -> int:
        """See :class:`app.detector.base.Detector`."""
        return ENOUGH * max(self.width, self.height)

    def view(self, picture: Image.Image, shown: Box, *, mirrored: bool = False) -> View:
        """One look at a picture that shows the part ``shown`` (pixels of the upright image)."""
        if self.letterbox is None:
            pixels, region = self._resized(picture, self.width, self.height), shown
        else:
            pixels, region = self._letterboxed(picture, shown, self.letterbox)
        chosen = pixels[:, ::-1] if mirrored else pixels
        return View(np.ascontiguousarray(chosen.transpose(2, 0, 1)), region, mirrored)

    def _resized(self, picture: Image.Image, width: int, height: int) -> np.ndarray:
        if picture.size != (width, height):
            picture = picture.resize((width, height), Image.Resampling(self.resample))
        return np.asarray(picture)

    def _letterboxed(self, picture: Image.Image, shown: Box, box: Letterbox) -> tuple[np.ndarray, Box]:
        share = min(self.width / picture.width, self.height / picture.height)
        width, height = max(1, round(picture.width * share)), max(1, round(picture.height * share))
        left = (self.width - width) // 2 if box.centre else 0
        top = (self.height - height) // 2 if box.centre else 0
        canvas = np.full((self.height, self.width, 3), box.value, np.uint8)
        canvas[top : top + height, left : left + width] = self._resized(picture, width, height)
        across, down = (shown.x1 - shown.x0) / width, (shown.y1 - shown.y0) / height
        x0, y0 = shown.x0 - left * across, shown.y0 - top * down
        return canvas, Box(x0, y0, x0 + self.width * across, y0 + self.height * down)


def fingerprint(values: dict[str, Any]) -> str:
    """A short hash of everything that turns a picture into numbers."""
    return hashlib.sha256(json.dumps(values, sort_keys=True, default=str).encode()).hexdigest()[:16]


def read_preprocessing(folder: Path, input_size: int = 0) -> Preprocessing:
    """A checkpoint's preprocessing; ``input_size`` in place of its own, in pixels a side, unless 0.

    Raises:
        CheckpointError: its configuration cannot be read, or asks for what only its own processor does.
    """
    path = folder / FILE
    try:
        values: dict[str, Any] = json.loads(path.read_text(encoding="utf-8"))
        return _parse(values, input_size)
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        msg = f"detector.model: {path} cannot be used: {' '.join(str(error).split()) or type(error).__name__}"
        raise CheckpointError(msg) from error


def _parse(values: dict[str, Any], input_size: int) -> Preprocessing:
    size = values["size"]
    normalised = bool(values.get("do_normalize"))
    letterbox = values.get("letterbox")
    return Preprocessing(
        width=input_size or int(size["width"]),
        height=input_size or int(size["height"]),
        resample=int(values.get("resample", BILINEAR)),
        scale=float(values.get("rescale_factor", 1 / 255)) if values.get("do_rescale", True) else 1.0,
        mean=tuple(map(float, values["image_mean"])) if normalised else (0.0, 0.0, 0.0),
        std=tuple(map(float, values["image_std"])) if normalised else (1.0, 1.0, 1.0),
        letterbox=Letterbox(**letterbox) if letterbox else None,
    )


def stretches(folder: Path) -> bool:
    """Whether a checkpoint takes pictures of one fixed size, which is what our own preprocessing does."""
    try:
        size = json.loads((folder / FILE).read_text(encoding="utf-8")).get("size")
    except (OSError, ValueError, AttributeError):
        return False
    return isinstance(size, dict) and {"width", "height"} <= size.keys()
