"""What surrounds a pitch: advertising boards, stands with their crowds, roofs and lamps."""

from __future__ import annotations

import numpy as np
from PIL import Image, ImageDraw, ImageFont

from app.demo.camera import Camera
from app.demo.canvas import FRAME_SIZE_PX, Canvas, Colour, Point, as_colour, shade
from app.demo.pitch import LENGTH_M, WIDTH_M
from app.demo.textures import crowd

_WORDS = ("NORD", "Vela", "KIOSK 24", "ARENA", "Lumo", "TRIO", "fresh", "BANK", "OPEN", "Zeta", "8")
_FAR_M = WIDTH_M + 6.0


def draw_surroundings(rng: np.random.Generator, canvas: Canvas, camera: Camera) -> None:
    """The far stand and the stands behind both goals, with the boards in front of them."""
    depth_m, height_m = rng.uniform(14, 30), rng.uniform(8, 18)
    for ends in (
        ((-8.0, -30.0), (-8.0, _FAR_M)),
        ((LENGTH_M + 8, _FAR_M), (LENGTH_M + 8, -30.0)),
        ((-30.0, _FAR_M), (LENGTH_M + 30, _FAR_M)),
    ):
        _draw_stand(rng, canvas, camera, np.array(ends), depth_m, height_m)
        _draw_boards(rng, canvas, camera, np.array(ends))


def _draw_stand(
    rng: np.random.Generator,
    canvas: Canvas,
    camera: Camera,
    ends: np.ndarray,
    depth_m: float,
    height_m: float,
) -> None:
    """One sloping bank of seats above the line between two ground points (2, 2)."""
    along = ends[1] - ends[0]
    back = np.array([-along[1], along[0]]) / np.linalg.norm(along) * depth_m
    for start in np.arange(0, 1, 1 / 6):
        near = ends[0] + along * start, ends[0] + along * (start + 1 / 6)
        quad = np.array(
            [(*(near[0] + back), height_m), (*(near[1] + back), height_m), (*near[1], 1.0), (*near[0], 1.0)]
        )
        if _is_seen(camera, quad):
            length = float(np.linalg.norm(near[1] - near[0]))
            picture = crowd(rng, int(depth_m / 0.85), int(length / 0.62))
            canvas.warp(picture, camera.outline(quad))


def _draw_boards(rng: np.random.Generator, canvas: Canvas, camera: Camera, ends: np.ndarray) -> None:
    """A row of boards, 0.9 m high and 6 m wide, on the line between two ground points."""
    along = ends[1] - ends[0]
    inwards = np.array([along[1], -along[0]]) / np.linalg.norm(along)
    count = max(1, int(np.linalg.norm(along) / 6))
    far = np.array([(*ends[0], 0.5), (*ends[1], 0.5)])
    if camera.project(far)[0][:, 1].max() < -200:
        return
    cycle = [draw_board(rng) for _ in range(4)]
    for index in range(count):
        left = ends[0] + along * index / count + inwards * 1.5
        right = ends[0] + along * (index + 0.99) / count + inwards * 1.5
        quad = np.array([(*left, 0.95), (*right, 0.95), (*right, 0.0), (*left, 0.0)])
        if _is_seen(camera, quad):
            canvas.warp(cycle[index % 4], camera.outline(quad))


def _is_seen(camera: Camera, quad: np.ndarray) -> bool:
    flat, depth = camera.project(quad)
    inside = (flat.max(0) > 0).all() and (flat.min(0) < FRAME_SIZE_PX).all()
    return bool(inside and depth.min() > 4 and np.abs(flat).max() < 9000)


def draw_board(rng: np.random.Generator) -> Image.Image:
    """An advertisement of 384 x 60 pixels: words, round logos, bars."""
    ground = as_colour(rng.uniform(5, 245, 3) if rng.random() < 0.6 else rng.uniform(0, 60, 3))
    ink = as_colour(np.where(np.mean(ground) > 120, 0, 255) + rng.normal(0, 40, 3))
    board = Image.new("RGB", (384, 60), ground)
    pen = ImageDraw.Draw(board)
    x = float(rng.uniform(0, 40))
    while x < 380:
        x += _draw_motif(rng, pen, x, ink) + rng.uniform(8, 60)
    return board


def _draw_motif(rng: np.random.Generator, pen: ImageDraw.ImageDraw, x: float, ink: Colour) -> float:
    """Draw one word, logo or bar at `x`; the result is its width."""
    kind = rng.random()
    if kind < 0.5:
        font = ImageFont.load_default(float(rng.integers(24, 46)))
        word = _WORDS[int(rng.integers(len(_WORDS)))]
        pen.text((x, rng.uniform(2, 12)), word, fill=ink, font=font)
        return float(pen.textlength(word, font=font))
    if kind < 0.85:
        radius = rng.uniform(10, 26)
        box = (x, 30 - radius, x + 2 * radius, 30 + radius)
        pen.ellipse(box, fill=ink if rng.random() < 0.6 else None, outline=ink, width=4)
        if rng.random() < 0.5:
            inner = (x + radius * 0.6, 30 - radius * 0.4, x + radius * 1.4, 30 + radius * 0.4)
            pen.rectangle(inner, fill=as_colour(rng.uniform(0, 255, 3)))
        return float(2 * radius)
    pen.rectangle((x, 8, x + 50, 52), fill=as_colour(rng.uniform(0, 255, 3)))
    return 50.0


def draw_bank_view(rng: np.random.Generator, canvas: Canvas) -> None:
    """A look into the stands only: seats at a slant filling the frame, stairs, rails."""
    rows, columns = int(rng.integers(8, 40)), int(rng.integers(8, 50))
    slant = rng.normal(0, 90, 4)
    corners: list[Point] = [(-60, -60 + slant[0]), (700, -60 + slant[1])]
    corners += [(720, 720 + slant[2]), (-80, 720 + slant[3])]
    canvas.warp(crowd(rng, rows, columns), corners)
    for _ in range(int(rng.integers(0, 3))):
        x, lean = rng.uniform(0, 640), rng.normal(0, 160)
        grey = as_colour(rng.uniform(60, 190) * np.ones(3))
        canvas.line([(x, 0), (x + lean, 640)], grey, rng.uniform(10, 45))
    if rng.random() < 0.5:
        _draw_roof(rng, canvas)
    if rng.random() < 0.4:
        y = rng.uniform(400, 560)
        canvas.polygon([(0, y), (640, y + slant[1] / 3), (640, 640), (0, 640)], (40, 70, 130))


def _draw_roof(rng: np.random.Generator, canvas: Canvas) -> None:
    """A roof above the stand: dark or lit panels, girders, a row of lamps."""
    height, fall = rng.uniform(120, 330), rng.normal(0, 60)
    tone = as_colour(rng.uniform(20, 130) * rng.uniform(0.8, 1.2, 3))
    canvas.polygon([(0, 0), (640, 0), (640, height + fall), (0, height)], tone)
    for _ in range(int(rng.integers(2, 9))):
        x, lean = rng.uniform(-60, 700), rng.normal(0, 140)
        girder = shade(tone, rng.choice([0.6, 1.5]))
        canvas.line([(x, 0), (x + lean, height)], girder, rng.uniform(2, 10))
    draw_lamps(rng, canvas, (0.0, height * 0.9), (640.0, height * 0.9 + fall))


def draw_lamps(rng: np.random.Generator, canvas: Canvas, start: Point, end: Point) -> None:
    """A row of floodlights between two points: round or oval, over-exposed, with a halo."""
    count, radius = int(rng.integers(2, 8)), rng.uniform(4, 26)
    stretch = rng.uniform(0.5, 1.0)
    for share in (np.arange(count) + rng.uniform(0.2, 0.8)) / count:
        centre = (start[0] + (end[0] - start[0]) * share, start[1] + (end[1] - start[1]) * share)
        for reach, alpha in ((2.4, 0.12), (1.7, 0.2), (1.0, 1.0)):
            size = radius * reach
            canvas.ellipse(centre, size, size * stretch, (255, 250, 250), alpha)
