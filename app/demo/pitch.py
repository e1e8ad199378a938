"""What belongs to a pitch: its markings, the goals with their nets, the corner flags."""

from __future__ import annotations

from itertools import pairwise

import numpy as np
from numpy.typing import NDArray

from app.demo.camera import Camera
from app.demo.canvas import Canvas, Colour, as_colour, shade

LENGTH_M, WIDTH_M = 105.0, 68.0
_LINE_M = 0.12
Path = NDArray[np.float64]


def draw_markings(rng: np.random.Generator, canvas: Canvas, camera: Camera) -> None:
    """Every line, arc and spot of a pitch, as ribbons lying on the ground."""
    white = shade((245, 248, 240), rng.uniform(0.75, 1.0))
    alpha = float(rng.uniform(0.45, 1.0))
    width = _LINE_M * rng.uniform(0.8, 1.5)
    for path in _paths():
        _draw_ribbon(canvas, camera, path, width, white, alpha)
    for spot in ((11.0, 34.0), (94.0, 34.0), (52.5, 34.0)):
        canvas.polygon(camera.outline(_circle(spot, 0.13)), white, alpha)


def _paths() -> list[Path]:
    middle = WIDTH_M / 2
    paths = [_box(0, 0, LENGTH_M, WIDTH_M), _segment((52.5, 0), (52.5, WIDTH_M))]
    paths.append(_circle((52.5, middle), 9.15))
    for line, side in ((0.0, 1.0), (LENGTH_M, -1.0)):
        paths.append(_box(line, middle - 20.16, line + side * 16.5, middle + 20.16))
        paths.append(_box(line, middle - 9.16, line + side * 5.5, middle + 9.16))
        arc = _circle((line + side * 11.0, middle), 9.15)
        paths.append(arc[(arc[:, 0] - line) * side > 16.5])
    return paths


def _segment(start: tuple[float, float], end: tuple[float, float]) -> Path:
    share = np.linspace(0, 1, 24)[:, None]
    flat = np.array(start) * (1 - share) + np.array(end) * share
    return np.asarray(np.c_[flat, np.zeros(len(flat))])


def _box(x0: float, y0: float, x1: float, y1: float) -> Path:
    corners = [(x0, y0), (x1, y0), (x1, y1), (x0, y1), (x0, y0)]
    return np.concatenate([_segment(start, end) for start, end in pairwise(corners)])


def _circle(centre: tuple[float, float], radius: float) -> Path:
    turn = np.linspace(0, 2 * np.pi, 49) + 0.37
    x, y = centre[0] + radius * np.cos(turn), centre[1] + radius * np.sin(turn)
    return np.stack([x, y, np.zeros_like(x)], 1)


def _draw_ribbon(canvas: Canvas, camera: Camera, path: Path, width_m: float, colour: Colour, alpha: float) -> None:
    """Draw a path (n, 3) on the ground as quadrilaterals, leaving out what is behind the camera."""
    step = path[1:] - path[:-1]
    length = np.linalg.norm(step, axis=1, keepdims=True)
    side = np.c_[-step[:, 1], step[:, 0], step[:, 2]] / np.maximum(length, 1e-9) * width_m / 2
    corners = np.stack([path[:-1] + side, path[1:] + side, path[1:] - side, path[:-1] - side], 1)
    flat, depth = camera.project(corners.reshape(-1, 3))
    flat, depth = flat.reshape(-1, 4, 2), depth.reshape(-1, 4)
    near = (length[:, 0] > 1e-6) & (length[:, 0] < 12) & (depth.min(1) > 2)
    seen = near & (flat.max((1, 2)) > -400) & (flat.min((1, 2)) < 1040)
    for quad in flat[seen]:
        if np.abs(quad).max() < 6000:
            canvas.polygon([(float(x), float(y)) for x, y in quad], colour, alpha)


def draw_goal(rng: np.random.Generator, canvas: Canvas, camera: Camera, line_m: float) -> None:
    """A goal with its net; `line_m` is the x of its goal line, 0 or 105."""
    behind = -2.2 if line_m == 0 else 2.2
    low, high = WIDTH_M / 2 - 3.66, WIDTH_M / 2 + 3.66
    net = as_colour(rng.uniform(170, 240) * np.ones(3))
    alpha = float(rng.uniform(0.25, 0.7))
    for start, end in _net_threads(line_m, behind, low, high):
        _draw_bar(canvas, camera, start, end, 0.03, net, alpha)
    for start, end in (
        ((line_m, low, 0), (line_m, low, 2.44)),
        ((line_m, high, 0), (line_m, high, 2.44)),
        ((line_m, low, 2.44), (line_m, high, 2.44)),
    ):
        _draw_bar(canvas, camera, start, end, 0.12, (240, 242, 240), 1.0)


Corner = tuple[float, float, float]


def _net_threads(line: float, behind: float, low: float, high: float) -> list[tuple[Corner, Corner]]:
    """Back, roof and sides of a net as straight threads 0.45 m apart."""
    back, half = line + behind, line + behind * 0.5
    threads: list[tuple[Corner, Corner]] = []
    for y in np.arange(low, high + 0.01, 0.45):
        threads.append(((back, y, 0), (half, y, 2.35)))
        threads.append(((half, y, 2.35), (line, y, 2.44)))
    for share in np.linspace(0, 1, 6):
        x, z = back + (half - back) * share, 2.35 * share
        threads.append(((x, low, z), (x, high, z)))
        threads += [((line, y, 2.44 * share), (x, y, z)) for y in (low, high)]
    return threads


def _draw_bar(
    canvas: Canvas,
    camera: Camera,
    start: Corner,
    end: Corner,
    width_m: float,
    colour: Colour,
    alpha: float,
) -> None:
    ends = np.array([start, end], np.float64)
    flat, depth = camera.project(ends)
    if depth.min() < 3 or np.abs(flat).max() > 5000:
        return
    width = max(0.5, width_m * camera.focal_px / float(depth.mean()))
    points = [(float(x), float(y)) for x, y in flat]
    canvas.line(points, colour, width, alpha)


def draw_corner_flag(rng: np.random.Generator, canvas: Canvas, camera: Camera, corner: tuple[float, float]) -> None:
    """A pole of 1.5 m with a small coloured cloth."""
    foot, top = (*corner, 0.0), (*corner, 1.5)
    _draw_bar(canvas, camera, foot, top, 0.05, (235, 235, 225), 1.0)
    reach = rng.uniform(-0.45, 0.45)
    cloth = np.array([top, (corner[0] + reach, corner[1], 1.35), (*corner, 1.15)], np.float64)
    flat, depth = camera.project(cloth)
    if depth.min() > 3 and np.abs(flat).max() < 5000:
        canvas.polygon([(float(x), float(y)) for x, y in flat], as_colour(rng.uniform(0, 255, 3)))
