"""Where the broadcast camera stands, and what its lens and its codec do to a frame.

The world is measured in metres: x along the touchline (0 to 105), y across the pitch (0 to 68,
away from the main camera), z upwards. Image coordinates are frame pixels.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage

from app.demo.canvas import FRAME_SIZE_PX, FloatArray, Point

BALL_DIAMETER_M = 0.22


@dataclass(frozen=True, slots=True)
class Camera:
    """A pinhole camera.

    `position` is in metres; the rows of `axes` are its right, down and forward directions;
    `focal_px` and `centre` (the image point on the optical axis) are in frame pixels.
    """

    position: NDArray[np.float64]
    axes: NDArray[np.float64]
    focal_px: float
    centre: Point

    def project(self, points: NDArray[np.float64]) -> tuple[NDArray[np.float64], ...]:
        """Image points (n, 2) in pixels and depths (n,) in metres of world points (n, 3)."""
        local = (points - self.position) @ self.axes.T
        depth = np.maximum(local[:, 2], 0.5)
        return self.focal_px * local[:, :2] / depth[:, None] + self.centre, depth

    def outline(self, points: NDArray[np.float64]) -> list[Point]:
        """The image points of world points (n, 3), ready for drawing."""
        flat, _ = self.project(points)
        return [(float(x), float(y)) for x, y in flat]

    def pixels_per_metre(self, point: NDArray[np.float64]) -> float:
        """The scale of things that stand at a world point (3,)."""
        return self.focal_px / float(self.project(point[None])[1][0])

    def ground(self, size: int) -> tuple[NDArray[np.float64], NDArray[np.bool_]]:
        """The pitch point (size, size, 2) in metres under a grid of pixels, and where there is one."""
        step = FRAME_SIZE_PX / size
        line = (np.arange(size) + 0.5) * step
        u, v = np.meshgrid(line - self.centre[0], line - self.centre[1])
        rays = np.stack([u, v, np.full_like(u, self.focal_px)], -1) @ self.axes
        falling = rays[..., 2] < -1e-3 * self.focal_px
        reach = np.where(falling, -self.position[2] / np.where(falling, rays[..., 2], -1.0), 0.0)
        return self.position[:2] + rays[..., :2] * reach[..., None], falling


def aim_camera(rng: np.random.Generator, target: NDArray[np.float64], ball_px: float) -> Camera:
    """A camera in the main stand for which a ball at `target` (3,) is `ball_px` wide."""
    distance = rng.uniform(35, 75)
    steepness = rng.uniform(8, 30) if ball_px < 60 else rng.uniform(3, 14)
    yaw, tilt = np.radians(rng.normal(0, 22)), np.radians(steepness)
    forward = np.array([np.sin(yaw) * np.cos(tilt), np.cos(yaw) * np.cos(tilt), -np.sin(tilt)])
    right = np.array([np.cos(yaw), -np.sin(yaw), 0.0])
    roll = np.radians(rng.normal(0, 1.2))
    down = np.cross(forward, right)
    right, down = (
        np.cos(roll) * right + np.sin(roll) * down,
        np.cos(roll) * down - np.sin(roll) * right,
    )
    centre = rng.uniform(0.25, 0.75, 2) * FRAME_SIZE_PX
    focal = ball_px * distance / BALL_DIAMETER_M
    axes = np.stack([right, down, forward])
    return Camera(target - forward * distance, axes, focal, (float(centre[0]), float(centre[1])))


@dataclass(frozen=True, slots=True)
class Lens:
    """How a frame is degraded: lengths in pixels, noise in grey levels, light as a factor."""

    blur_px: float
    shake_px: float
    noise: float
    light: float
    gamma: float
    tint: NDArray[np.float64]
    vignette: float
    coarse: float
    sharpen: float


def draw_lens(rng: np.random.Generator, ball_px: float, hard: bool) -> Lens:
    """A lens for a scene at the given scale; hard scenes are darker, noisier and softer."""
    extra = 1.25 if hard else 1.0
    limit = 0.09 * ball_px + 0.2
    dark = rng.random() < (0.22 if hard else 0.1)
    return Lens(
        blur_px=float(min(limit, rng.uniform(0.4, 1.7) * extra)),
        shake_px=float(rng.uniform(2, 7) if rng.random() < 0.08 and ball_px > 20 else 0.0),
        noise=float(rng.uniform(0.5, 5.0) * extra),
        light=float(rng.uniform(0.42, 0.72) if dark else rng.uniform(0.75, 1.2)),
        gamma=float(rng.uniform(0.8, 1.25)),
        tint=rng.normal(1.0, 0.035, 3),
        vignette=float(rng.uniform(0.0, 0.35)),
        coarse=float(rng.choice([1.0, 0.75, 0.6]) if ball_px > 12 else 1.0),
        sharpen=float(rng.uniform(0.0, 0.8) if rng.random() < 0.4 else 0.0),
    )


def expose(rng: np.random.Generator, pixels: FloatArray, lens: Lens) -> NDArray[np.uint8]:
    """Pass drawn pixels (640, 640, 3) through the lens; the result is what the codec gets."""
    soft = _blurred(pixels, lens)
    bright = np.clip(soft / np.float32(255.0), 0.0, 1.0) ** np.float32(lens.gamma)
    bright *= _vignette(lens.vignette)[..., None] * (lens.tint * lens.light).astype(np.float32)
    bright = bright * np.float32(255.0) + _grain(rng, lens.noise)
    return np.asarray(np.clip(bright, 0, 255), np.uint8)


def _blurred(pixels: FloatArray, lens: Lens) -> FloatArray:
    soft = pixels
    if lens.shake_px:
        soft = ndimage.uniform_filter1d(soft, max(1, round(lens.shake_px)), axis=1)
    blur = lens.blur_px / lens.coarse
    wide = ndimage.gaussian_filter(soft, (blur, blur, 0), truncate=2.5)
    if lens.sharpen:
        ringing = ndimage.uniform_filter(wide, (5, 5, 1))
        wide = wide + np.float32(lens.sharpen) * (wide - ringing)
    return np.asarray(wide, np.float32)


def _vignette(strength: float) -> FloatArray:
    line = np.linspace(-1, 1, FRAME_SIZE_PX, dtype=np.float32) ** 2
    return np.asarray(1 - np.float32(strength) * (line[:, None] + line[None, :]) / 2, np.float32)


def _grain(rng: np.random.Generator, strength: float) -> FloatArray:
    """Sensor noise (640, 640, 3), mostly in brightness and slightly coarser than a pixel."""
    size = (FRAME_SIZE_PX, FRAME_SIZE_PX, 1)
    fine = rng.standard_normal(size, np.float32)
    fine = (fine + np.roll(fine, 1, axis=1)) * np.float32(0.7)
    coarse = rng.standard_normal((FRAME_SIZE_PX // 4, FRAME_SIZE_PX // 4, 3), np.float32)
    colour = coarse.repeat(4, axis=0).repeat(4, axis=1)
    return np.asarray((fine + np.float32(0.4) * colour) * np.float32(strength), np.float32)
