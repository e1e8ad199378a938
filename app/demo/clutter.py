"""Things that look a little like a football and are none; both classes get them alike."""

from __future__ import annotations

import numpy as np
from PIL import ImageFont

from app.demo.canvas import SUPERSAMPLING, Canvas, Point, as_colour, shade

_WHITE = (236, 238, 234)
_TELLABLE_PX = 14.0


def draw_litter(rng: np.random.Generator, canvas: Canvas, place: Point, size_px: float) -> None:
    """One small thing on the ground, about as large as a ball would be there.

    What is smaller than 14 pixels lies flat: nobody could tell an upright thing of that size from a ball.
    """
    makers = (_spot, _divot) if size_px < _TELLABLE_PX else (_paper, _bottle, _cone, _spot, _divot)
    makers[int(rng.integers(len(makers)))](rng, canvas, place, size_px)


def _paper(rng: np.random.Generator, canvas: Canvas, place: Point, size: float) -> None:
    """A crumpled, elongated scrap."""
    turn = np.sort(rng.uniform(0, 2 * np.pi, 6))
    reach = rng.uniform(0.25, 1.0, 6) * size * 0.6
    x, y = place[0] + reach * np.cos(turn), place[1] + reach * np.sin(turn) * 0.45
    points = [(float(a), float(b)) for a, b in zip(x, y, strict=True)]
    canvas.polygon(points, shade(_WHITE, rng.uniform(0.7, 1.0)))


def _bottle(rng: np.random.Generator, canvas: Canvas, place: Point, size: float) -> None:
    lean = rng.normal(0, 0.5)
    end = (place[0] + lean * size, place[1] - 1.1 * size)
    body = as_colour(rng.uniform(80, 250, 3))
    canvas.capsule(place, end, body, 0.36 * size)
    tip = (end[0] + lean * 0.25 * size, end[1] - 0.3 * size)
    canvas.line([end, tip], _WHITE, 0.18 * size)


def _cone(rng: np.random.Generator, canvas: Canvas, place: Point, size: float) -> None:
    x, y = place
    colour = as_colour((rng.uniform(200, 255), rng.uniform(60, 200), rng.uniform(0, 60)))
    canvas.polygon([(x - size / 2, y), (x, y - 0.9 * size), (x + size / 2, y)], colour)
    canvas.ellipse((x, y), 0.6 * size, 0.14 * size, shade(colour, 0.8))


def _spot(rng: np.random.Generator, canvas: Canvas, place: Point, size: float) -> None:
    """A painted spot lying flat."""
    flat = rng.uniform(0.15, 0.4)
    canvas.ellipse(place, 0.7 * size, 0.7 * size * flat, _WHITE, rng.uniform(0.5, 0.95))


def _divot(rng: np.random.Generator, canvas: Canvas, place: Point, size: float) -> None:
    """Torn grass or a dry, pale patch."""
    for _ in range(5):
        x, y = place + rng.normal(0, 0.5, 2) * (size, size * 0.25)
        tone = as_colour(rng.uniform(0.5, 1.3) * np.array((130, 125, 80)))
        canvas.ellipse((float(x), float(y)), 0.4 * size, 0.14 * size, tone, 0.5)


def draw_banner(rng: np.random.Generator, canvas: Canvas) -> None:
    """A broadcaster's overlay in a corner: a bar with names, a score, a round badge."""
    x, y = rng.uniform(10, 300), float(rng.choice([18.0, 30.0, 590.0]))
    width, height = rng.uniform(160, 300), rng.uniform(20, 34)
    ground = as_colour(rng.uniform(0, 90, 3))
    canvas.polygon([(x, y), (x + width, y), (x + width, y + height), (x, y + height)], ground, 0.85)
    write(canvas, (x + height * 1.3, y + 1), "NOR 2 : 1 VEL", height * 0.75)
    badge = (x + height * 0.6, y + height / 2)
    canvas.ellipse(badge, height * 0.42, height * 0.42, as_colour(rng.uniform(120, 255, 3)))
    canvas.ring(badge, height * 0.3, ground, 2)


def write(canvas: Canvas, place: Point, text: str, size_px: float) -> None:
    """Write white text of a given height at a frame position."""
    font = ImageFont.load_default(size_px * SUPERSAMPLING)
    canvas.write(place, text, font)
