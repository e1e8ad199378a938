"""One synthetic broadcast frame, with a football in it or without.

The scene, the ball, the lens and the codec each have their own random numbers. With the same
`rng` a frame with a ball and one without differ only where the ball is: the ball is the only cue.
"""

from __future__ import annotations

import io
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from app.demo.balls import Ball, Box, draw_ball
from app.demo.camera import draw_lens, expose
from app.demo.canvas import FRAME_SIZE_PX
from app.demo.scenes import Scene, contrast, draw_scene, free_place, shadow_below

SMALLEST_PX, LARGEST_PX = 6.0, 160.0
_ENOUGH_CONTRAST = 45.0
_OVER_THE_PITCH = 0.8  # of the balls in a match, at least


@dataclass(frozen=True, slots=True)
class Frame:
    """A drawn frame.

    `pixels` is (640, 640, 3) RGB; `boxes` are xyxy in pixels of the frame, empty when there is no
    ball; `quality` is the JPEG quality to encode it with.
    """

    pixels: NDArray[np.uint8]
    boxes: tuple[Box, ...]
    quality: int


def draw_frame(
    rng: np.random.Generator,
    *,
    with_ball: bool,
    hard: bool = False,
    largest_px: float = LARGEST_PX,
    anywhere: bool = False,
) -> Frame:
    """Draw a frame.

    `hard` makes for smaller scales, less light and more blur, whether there is a ball or not.
    `largest_px` bounds the ball's diameter before motion blur. A broadcast follows the ball over the pitch, and most
    balls are white; with `anywhere` it is as often over the stands, on other grounds, or of another colour, which a
    detector that is to know a football from its surroundings has to have seen.
    """
    seeds = rng.integers(0, 2**63, size=4)
    scene_rng, ball_rng, lens_rng, codec_rng = (np.random.default_rng(int(s)) for s in seeds)
    ball_px = _draw_scale(scene_rng, hard, largest_px)
    scene = draw_scene(scene_rng, ball_px, anywhere)
    ball = _place_ball(ball_rng, scene, hard, largest_px, anywhere) if with_ball else None
    scene.finish(ball)
    pixels = expose(lens_rng, scene.canvas.average(), draw_lens(lens_rng, ball_px, hard))
    boxes = () if ball is None else (_clipped(ball.box),)
    return Frame(pixels, boxes, int(codec_rng.integers(35 if hard else 50, 93)))


def encode_jpeg(frame: Frame) -> bytes:
    """The frame as a JPEG file; the same frame always gives the same bytes."""
    buffer = io.BytesIO()
    subsampling = "4:2:0" if frame.quality < 85 else "4:4:4"
    image = Image.fromarray(frame.pixels)
    image.save(buffer, "JPEG", quality=frame.quality, subsampling=subsampling)
    return buffer.getvalue()


def _draw_scale(rng: np.random.Generator, hard: bool, largest_px: float) -> float:
    """A ball's diameter in pixels at the middle of the scene: log-uniform, leaning to 12 to 48."""
    low, high = SMALLEST_PX, largest_px
    if hard:
        low, high = 8.0, min(high, 50.0)
    elif rng.random() < 0.7:
        low, high = 12.0, min(48.0, high)
    return float(np.exp(rng.uniform(np.log(low), np.log(high))))


def _place_ball(rng: np.random.Generator, scene: Scene, hard: bool, largest_px: float, anywhere: bool) -> Ball:
    """Of up to sixteen random places take the first where a person would see the ball, or else the best."""
    preview = scene.preview()
    tried: list[tuple[float, Ball, bool]] = []
    for _ in range(16):
        ball, grounded, on_grass = _try_place(rng, scene, hard, largest_px, anywhere)
        unlikely = scene.camera is not None and not on_grass and not anywhere and rng.random() < _OVER_THE_PITCH
        tried.append((contrast(preview, ball) - 255.0 * unlikely, ball, grounded))
        if tried[-1][0] > _ENOUGH_CONTRAST:
            break
    _, ball, grounded = max(tried, key=lambda one: one[0])
    if grounded:
        shadow_below(rng, scene, ball.centre, ball.diameter_px)
    return ball


def _try_place(
    rng: np.random.Generator, scene: Scene, hard: bool, largest_px: float, anywhere: bool
) -> tuple[Ball, bool, bool]:
    """A ball at a random place, whether it lies on the grass there, and whether there is grass."""
    place = free_place(rng, scene)
    diameter, on_grass = scene.diameter_at(place, largest_px)
    if not on_grass:
        diameter = float(np.clip(diameter * rng.uniform(0.7, 1.3), SMALLEST_PX, largest_px))
    grounded = bool(on_grass and rng.random() < 0.75)
    return draw_ball(rng, place, diameter, grounded, hard, anywhere), grounded, on_grass


def _clipped(box: Box) -> Box:
    x0, y0, x1, y1 = (float(np.clip(edge, 0, FRAME_SIZE_PX)) for edge in box)
    return x0, y0, x1, y1
