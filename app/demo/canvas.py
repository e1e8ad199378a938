"""A supersampled drawing surface in frame pixels.

Everything is drawn at twice the frame's size and averaged down at the end, which is what
makes the edges of lines, limbs and balls soft. Coordinates passed in are always pixels of the
final 640 x 640 frame (x to the right, y down, floats welcome).
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageDraw, ImageFilter, ImageFont

FRAME_SIZE_PX = 640
SUPERSAMPLING = 2
_CANVAS_PX = FRAME_SIZE_PX * SUPERSAMPLING

Colour = tuple[int, int, int]
Point = tuple[float, float]
FloatArray = NDArray[np.float32]
Font = ImageFont.FreeTypeFont | ImageFont.ImageFont


def as_colour(values: Sequence[float] | NDArray[np.floating]) -> Colour:
    """Round and clip three channel values (0 to 255) to a Pillow colour."""
    red, green, blue = (int(min(255.0, max(0.0, float(value)))) for value in values)
    return red, green, blue


def shade(colour: Colour, factor: float) -> Colour:
    """The colour with its brightness multiplied by `factor`."""
    return as_colour([channel * factor for channel in colour])


class Canvas:
    """An RGB surface at twice the frame's size; all arguments are frame pixels."""

    def __init__(self, background: FloatArray) -> None:
        """Start from `background`: (h, w, 3) values 0 to 255, stretched to the whole frame."""
        small = Image.fromarray(np.clip(background, 0, 255).astype(np.uint8))
        self.image = small.resize((_CANVAS_PX, _CANVAS_PX), Image.Resampling.BILINEAR)
        self._pen = ImageDraw.Draw(self.image, "RGBA")

    def copy(self) -> Canvas:
        """An independent canvas that shows the same."""
        twin = Canvas.__new__(Canvas)
        twin.image = self.image.copy()
        twin._pen = ImageDraw.Draw(twin.image, "RGBA")
        return twin

    def polygon(self, points: Sequence[Point], colour: Colour, alpha: float = 1.0) -> None:
        """Fill a polygon of at least three points; fewer points draw nothing."""
        if len(points) >= 3:
            self._pen.polygon(_scaled(points), fill=_rgba(colour, alpha))

    def line(self, points: Sequence[Point], colour: Colour, width_px: float, alpha: float = 1.0) -> None:
        """Stroke a polyline with round corners."""
        width = max(1, round(width_px * SUPERSAMPLING))
        self._pen.line(_scaled(points), fill=_rgba(colour, alpha), width=width, joint="curve")

    def capsule(self, start: Point, end: Point, colour: Colour, width_px: float) -> None:
        """A thick line with round ends, as limbs and posts have them."""
        self.line([start, end], colour, width_px)
        for centre in (start, end):
            self.ellipse(centre, width_px / 2, width_px / 2, colour)

    def ellipse(self, centre: Point, radius_x: float, radius_y: float, colour: Colour, alpha: float = 1.0) -> None:
        """Fill an axis-parallel ellipse given by centre and radii."""
        (x, y), k = centre, SUPERSAMPLING
        box = ((x - radius_x) * k, (y - radius_y) * k, (x + radius_x) * k, (y + radius_y) * k)
        self._pen.ellipse(box, fill=_rgba(colour, alpha))

    def ring(self, centre: Point, radius: float, colour: Colour, width_px: float) -> None:
        """Stroke a circle."""
        (x, y), k = centre, SUPERSAMPLING
        box = ((x - radius) * k, (y - radius) * k, (x + radius) * k, (y + radius) * k)
        self._pen.ellipse(box, outline=_rgba(colour, 1.0), width=max(1, round(width_px * k)))

    def write(self, place: Point, text: str, font: Font) -> None:
        """Write white text; the font's size counts in canvas pixels."""
        x, y = place
        self._pen.text((x * SUPERSAMPLING, y * SUPERSAMPLING), text, fill=(240, 240, 240), font=font)

    def warp(self, picture: Image.Image, corners: Sequence[Point]) -> None:
        """Paste an RGB picture so that its corners (clockwise from top left) fall on `corners`."""
        target = np.asarray(corners, np.float64) * SUPERSAMPLING
        low = np.maximum(np.floor(target.min(0)), 0)
        high = np.minimum(np.ceil(target.max(0)), _CANVAS_PX)
        width, height = (int(side) for side in high - low)
        if width < 2 or height < 2:
            return
        coefficients = _perspective(target - low, picture.size)
        size, bilinear = (width, height), Image.Resampling.BILINEAR
        warped = picture.transform(size, Image.Transform.PERSPECTIVE, coefficients, bilinear)
        mask = Image.new("L", size, 0)
        outline = [(float(x), float(y)) for x, y in target - low]
        ImageDraw.Draw(mask).polygon(outline, fill=255)
        self.image.paste(warped, (int(low[0]), int(low[1])), mask)

    def soften(self, radius_px: float) -> None:
        """Blur everything drawn so far, as a background out of focus."""
        small = self.image.reduce(SUPERSAMPLING).filter(ImageFilter.BoxBlur(radius_px))
        large = small.resize((_CANVAS_PX, _CANVAS_PX), Image.Resampling.BILINEAR)
        self.image.paste(large)

    def average(self) -> FloatArray:
        """The finished frame, (640, 640, 3) values 0 to 255."""
        return np.asarray(self.image.reduce(SUPERSAMPLING), np.float32)


def _scaled(points: Sequence[Point]) -> list[Point]:
    return [(x * SUPERSAMPLING, y * SUPERSAMPLING) for x, y in points]


def _rgba(colour: Colour, alpha: float) -> tuple[int, int, int, int]:
    return (*colour, round(255 * alpha))


def _perspective(target: NDArray[np.float64], size: tuple[int, int]) -> list[float]:
    """Pillow's eight coefficients that map target pixels back to picture pixels."""
    width, height = size
    source = np.array([(0, 0), (width, 0), (width, height), (0, height)], np.float64)
    rows: list[list[float]] = []
    for (x, y), (u, v) in zip(target, source, strict=True):
        rows.append([x, y, 1, 0, 0, 0, -u * x, -u * y])
        rows.append([0, 0, 0, x, y, 1, -v * x, -v * y])
    solution, *_ = np.linalg.lstsq(np.array(rows), source.reshape(8), rcond=None)
    return [float(value) for value in solution]
