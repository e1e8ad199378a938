"""Footballs: shaded, panelled spheres, still or in motion."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from PIL import Image

from app.demo.canvas import SUPERSAMPLING, Canvas, FloatArray, Point

Box = tuple[float, float, float, float]
_GOLDEN = (1 + 5**0.5) / 2
_SOLID = 0.4  # a pixel belongs to the ball's box when it covers at least this share


@dataclass(frozen=True, slots=True)
class Ball:
    """A ball ready to be pasted.

    `pixels` (h, w, 3) are straight (not premultiplied) values 0 to 255 and `cover` (h, w) is the
    opacity 0 to 1, both on the canvas's grid; `centre` and `diameter_px` (without motion)
    are in frame pixels.
    """

    pixels: FloatArray
    cover: FloatArray
    centre: Point
    diameter_px: float

    @property
    def corner(self) -> tuple[int, int]:
        """The canvas pixel of the picture's top left corner."""
        height, width = self.cover.shape
        x, y = self.centre
        return round(x * SUPERSAMPLING - width / 2), round(y * SUPERSAMPLING - height / 2)

    @property
    def box(self) -> Box:
        """The frame pixels that the ball covers, xyxy, not clipped."""
        solid = self.cover > _SOLID * float(self.cover.max())
        rows, columns = np.flatnonzero(solid.any(1)), np.flatnonzero(solid.any(0))
        left, top = self.corner
        edges = (left + columns[0], top + rows[0], left + columns[-1] + 1, top + rows[-1] + 1)
        x0, y0, x1, y1 = (float(edge) / SUPERSAMPLING for edge in edges)
        return x0, y0, x1, y1

    def paste(self, canvas: Canvas) -> None:
        """Put the ball over what the canvas shows."""
        picture = Image.fromarray(self.pixels.astype(np.uint8))
        mask = Image.fromarray(np.round(self.cover * 255).astype(np.uint8))
        canvas.image.paste(picture, self.corner, mask)


def draw_ball(
    rng: np.random.Generator, centre: Point, diameter_px: float, grounded: bool, hard: bool, colourful: bool
) -> Ball:
    """A ball of random make, turn and light; `grounded` balls sink a little into the grass.

    Of the `colourful` ones more than half are marked in colours or are not white at all.
    """
    side = max(4.0, diameter_px * SUPERSAMPLING)
    fine = max(1, round(48 / side))
    colours, cover = _sphere(rng, int(np.ceil(side)) * fine, colourful)
    if grounded:
        depth = np.linspace(-1, 1, cover.shape[0], dtype=np.float32)[:, None]
        cover = cover * np.clip((rng.uniform(0.85, 1.1) - depth) * 12, 0, 1)
    length = _motion_length(rng, diameter_px, hard) * SUPERSAMPLING * fine
    colours, cover = _smeared(colours, cover, length, rng.uniform(0, np.pi))
    pixels, cover = _averaged(colours, cover, fine)
    return Ball(pixels, cover, centre, diameter_px)


def _motion_length(rng: np.random.Generator, diameter_px: float, hard: bool) -> float:
    """How far the ball flies during the exposure, in frame pixels."""
    if rng.random() < 0.55:
        return 0.0
    most = 0.9 if hard and diameter_px > 12 else 0.6
    return float(min(rng.uniform(0.1, most) * diameter_px, 40.0))


def _sphere(rng: np.random.Generator, size: int, colourful: bool) -> tuple[FloatArray, FloatArray]:
    """A lit sphere filling a square: colours (size, size, 3) and cover (size, size)."""
    line = (np.arange(size, dtype=np.float32) + 0.5) / size * 2 - 1
    x, y = np.meshgrid(line, line)
    square = x * x + y * y
    z = np.sqrt(np.maximum(0, 1 - square))
    normal = np.stack([x, y, z], -1)
    colours = _panels(rng, normal @ _rotation(rng), seams=size > 60, colourful=colourful)
    lit = colours * _light(rng, normal)[..., None]
    cover = np.clip((1 - np.sqrt(square)) * size / 2, 0, 1)
    return np.clip(lit, 0, 255).astype(np.float32), cover.astype(np.float32)


def _light(rng: np.random.Generator, normal: np.ndarray) -> np.ndarray:
    """Brightness factors: a lamp from above, the sky, and what the grass throws back."""
    lamp = np.array([rng.normal(0, 0.5), -1.0, rng.uniform(0.1, 1.2)])
    lamp /= np.linalg.norm(lamp)
    ambient = rng.uniform(0.45, 0.75)
    facing = np.clip(normal @ lamp, 0, 1)
    return np.asarray(ambient + (1.08 - ambient) * facing + 30 * np.clip(facing - 0.97, 0, 1) * 0.2)


def _rotation(rng: np.random.Generator) -> np.ndarray:
    """A random rotation matrix (3, 3)."""
    matrix, _ = np.linalg.qr(rng.standard_normal((3, 3)))
    return np.asarray(matrix, np.float32)


def _panels(rng: np.random.Generator, points: np.ndarray, seams: bool, colourful: bool) -> np.ndarray:
    """The colours (h, w, 3) of points (h, w, 3) on the ball's surface."""
    base, marks = _ball_colours(rng, colourful)
    if rng.random() < 0.45:
        seeds = _icosahedron()
        nearest = np.sort(points @ seeds.T, -1)
        marked = nearest[..., -1] > rng.uniform(0.90, 0.935)
        colours = np.where(marked[..., None], marks[0], base)
    else:
        colours, nearest = _patches(rng, points, base, marks)
    if seams:
        joint = np.clip((nearest[..., -1] - nearest[..., -2]) / 0.03, 0, 1)
        colours = colours * (0.72 + 0.28 * joint)[..., None]
    return np.asarray(colours)


def _patches(
    rng: np.random.Generator, points: np.ndarray, base: np.ndarray, marks: np.ndarray
) -> tuple[np.ndarray, np.ndarray]:
    """A modern ball: irregular panels, some of them in a second and third colour."""
    seeds = rng.standard_normal((int(rng.integers(14, 32)), 3))
    seeds /= np.linalg.norm(seeds, axis=1, keepdims=True)
    likeness = points @ seeds.T + 0.12 * np.sin(5 * points[..., :1] + seeds[:, 0] * 9)
    painted = rng.random(len(seeds)) < rng.uniform(0.15, 0.38)
    painted[0] = True
    choice = np.where(painted[:, None], marks[rng.integers(0, 2, len(seeds))], base)
    return choice[np.argmax(likeness, -1)], np.sort(likeness, -1)


def _ball_colours(rng: np.random.Generator, colourful: bool) -> tuple[np.ndarray, np.ndarray]:
    """The ground colour (3,) and two colours (2, 3) for its marks."""
    base = np.array((242.0, 243.0, 240.0)) * rng.uniform(0.88, 1.0)
    marks = np.stack([np.full(3, rng.uniform(10, 45)), rng.uniform(0, 255, 3)])
    kind = rng.random()
    if kind < (0.16 if colourful else 0.06):
        bright = ((245, 225, 40), (250, 130, 30), (250, 95, 150), (205, 240, 60))
        base = np.array(bright[int(rng.integers(4))], np.float64)
    elif kind < (0.55 if colourful else 0.3):
        marks = rng.uniform(0, 200, (2, 3))
    return base, marks


def _icosahedron() -> np.ndarray:
    """The twelve corners (12, 3), the middles of a classic ball's black panels."""
    corners = []
    for one in (-1.0, 1.0):
        for other in (-_GOLDEN, _GOLDEN):
            corners += [(0, one, other), (one, other, 0), (other, 0, one)]
    stacked = np.array(corners)
    return np.asarray(stacked / np.linalg.norm(stacked[0]))


def _smeared(colours: FloatArray, cover: FloatArray, length: float, angle: float) -> tuple[FloatArray, FloatArray]:
    """Average the ball along a straight flight of `length` samples."""
    if length < 1.5:
        return colours, cover
    pad = int(np.ceil(length / 2)) + 1
    steps = np.linspace(-0.5, 0.5, min(13, 3 + int(length)))
    weighted = np.dstack([colours * cover[..., None], cover]).astype(np.float32)
    weighted = np.pad(weighted, ((pad, pad), (pad, pad), (0, 0)))
    total = np.zeros_like(weighted)
    for step in steps * length:
        shift = (round(float(step * np.sin(angle))), round(float(step * np.cos(angle))))
        total += np.roll(weighted, shift, (0, 1))
    total /= np.float32(len(steps))
    seen = total[..., 3]
    return np.asarray(total[..., :3] / np.maximum(seen, 1e-3)[..., None], np.float32), seen


def _averaged(colours: FloatArray, cover: FloatArray, fine: int) -> tuple[FloatArray, FloatArray]:
    """Reduce a finely sampled ball to the canvas's grid."""
    if fine == 1:
        return colours, cover
    height, width = (-(-side // fine) for side in cover.shape)
    rest = ((0, height * fine - cover.shape[0]), (0, width * fine - cover.shape[1]))
    seen = np.pad(cover, rest).reshape(height, fine, width, fine)
    paint = np.pad(colours * cover[..., None], (*rest, (0, 0)))
    paint = paint.reshape(height, fine, width, fine, 3).mean((1, 3))
    mean = seen.mean((1, 3))
    return paint / np.maximum(mean, 1e-3)[..., None], mean
