"""Flat things for scenes that are no pitch: panels, discs, badges, letters, grids, lamps, people."""

from __future__ import annotations

import numpy as np

from app.demo.canvas import FRAME_SIZE_PX, Canvas, Colour, Point, as_colour, shade
from app.demo.clutter import write
from app.demo.people import draw_figure, draw_kit, pose_figure
from app.demo.stands import draw_lamps


def draw_shapes(rng: np.random.Generator, canvas: Canvas) -> None:
    """Strew up to ten random things over the frame; many of them are round, none is a ball."""
    makers = (_panel, _disc, _ring, _pole, _letters, _lamps, _person, _badge, _grid, _text, _polygon)
    for _ in range(int(rng.integers(1, 11))):
        x, y = rng.uniform(-40, FRAME_SIZE_PX + 40, 2)
        size = float(np.exp(rng.uniform(np.log(15), np.log(260))))
        makers[int(rng.integers(len(makers)))](rng, canvas, (float(x), float(y)), size)


def _colour(rng: np.random.Generator) -> Colour:
    if rng.random() < 0.4:
        return as_colour(rng.uniform(0, 255) * np.ones(3))
    return as_colour(rng.uniform(0, 255, 3))


def _panel(rng: np.random.Generator, canvas: Canvas, place: Point, size: float) -> None:
    (x, y), lean, height = place, rng.normal(0, size / 4), size * rng.uniform(0.3, 2)
    corners = [(x, y), (x + size, y + lean), (x + size, y + height), (x, y + height)]
    canvas.polygon(corners, _colour(rng))


def _disc(rng: np.random.Generator, canvas: Canvas, place: Point, size: float) -> None:
    canvas.ellipse(place, size / 2, size / 2 * rng.uniform(0.5, 1.0), _colour(rng))


def _ring(rng: np.random.Generator, canvas: Canvas, place: Point, size: float) -> None:
    canvas.ring(place, size / 2, _colour(rng), rng.uniform(1.5, size / 5))


def _pole(rng: np.random.Generator, canvas: Canvas, place: Point, size: float) -> None:
    top, foot = (place[0], 0.0), (place[0] + rng.normal(0, 80), 640.0)
    canvas.line([top, foot], _colour(rng), max(3.0, size / 10))


def _letters(rng: np.random.Generator, canvas: Canvas, place: Point, size: float) -> None:
    write(canvas, place, "Oo8 NORD"[int(rng.integers(4)) :], max(14.0, size / 2))


def _lamps(rng: np.random.Generator, canvas: Canvas, place: Point, size: float) -> None:
    draw_lamps(rng, canvas, place, (place[0] + size, place[1]))


def _person(rng: np.random.Generator, canvas: Canvas, place: Point, size: float) -> None:
    draw_figure(canvas, pose_figure(rng, place, size * rng.uniform(0.8, 2.5), draw_kit(rng)))


def _badge(rng: np.random.Generator, canvas: Canvas, place: Point, size: float) -> None:
    """A round sign: rims, and a star, a cross or a letter in the middle."""
    ground, ink = _colour(rng), _colour(rng)
    canvas.ellipse(place, size / 2, size / 2, ground)
    canvas.ring(place, size / 2, ink, size / 12)
    kind = rng.random()
    if kind < 0.3:
        canvas.ring(place, size / 4, ink, size / 10)
    elif kind < 0.6:
        canvas.polygon(_star(place, size * 0.34, int(rng.integers(3, 8))), ink)
    else:
        write(canvas, (place[0] - size / 4, place[1] - size / 3), "R8AX5"[int(rng.integers(5))], size / 2)


def _star(place: Point, radius: float, points: int) -> list[Point]:
    turn = np.arange(2 * points) * np.pi / points
    reach = np.where(np.arange(2 * points) % 2, 0.45, 1.0) * radius
    x, y = place[0] + reach * np.sin(turn), place[1] - reach * np.cos(turn)
    return [(float(a), float(b)) for a, b in zip(x, y, strict=True)]


def _grid(rng: np.random.Generator, canvas: Canvas, place: Point, size: float) -> None:
    """A chequered patch: windows, tiles, a board game."""
    dark, light = _colour(rng), _colour(rng)
    cells, step = int(rng.integers(2, 7)), size / int(rng.integers(2, 7))
    for row in range(cells):
        for column in range(cells):
            x, y = place[0] + column * step, place[1] + row * step
            tone = dark if (row + column) % 2 else light
            canvas.polygon([(x, y), (x + step, y), (x + step, y + step), (x, y + step)], tone)


def _text(rng: np.random.Generator, canvas: Canvas, place: Point, size: float) -> None:
    """A block of text, as bars of random length."""
    height, ink = max(3.0, size / 16), _colour(rng)
    for line in range(int(rng.integers(2, 10))):
        x, y = place[0], place[1] + line * height * 1.8
        while x < place[0] + size:
            word = float(rng.uniform(1, 6)) * height
            canvas.line([(x, y), (x + word, y)], ink, height)
            x += word + height


def _polygon(rng: np.random.Generator, canvas: Canvas, place: Point, size: float) -> None:
    """An irregular patch with a darker outline, like a drawing."""
    turn = np.sort(rng.uniform(0, 2 * np.pi, int(rng.integers(3, 12))))
    reach = rng.uniform(0.3, 0.7, len(turn)) * size
    x, y = place[0] + reach * np.cos(turn), place[1] + reach * np.sin(turn)
    points = [(float(a), float(b)) for a, b in zip(x, y, strict=True)]
    colour = _colour(rng)
    canvas.polygon(points, colour)
    canvas.line([*points, points[0]], shade(colour, 0.5), rng.uniform(1, 5))
