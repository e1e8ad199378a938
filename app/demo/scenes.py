"""Whole scenes: what a frame shows, and where in it a ball may lie.

A scene is drawn from its own random numbers and knows nothing of the ball, so nothing in it can
tell whether one will be there.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field

import numpy as np

from app.demo.balls import Ball
from app.demo.camera import BALL_DIAMETER_M, Camera, aim_camera
from app.demo.canvas import FRAME_SIZE_PX, Canvas, Point
from app.demo.clutter import draw_banner, draw_litter
from app.demo.people import Figure, draw_figure, draw_kit, draw_shadow, pose_figure
from app.demo.pitch import LENGTH_M, WIDTH_M, draw_corner_flag, draw_goal, draw_markings
from app.demo.shapes import draw_shapes
from app.demo.stands import draw_bank_view, draw_surroundings
from app.demo.textures import elsewhere, grass

_MOST_HIDDEN = 0.45


@dataclass(slots=True)
class Scene:
    """A background already drawn, the people still to be drawn, and the scale.

    `ball_px` is the diameter that a ball has at the point the camera looks at. `camera` is None
    where there is no pitch.
    """

    canvas: Canvas
    ball_px: float
    camera: Camera | None = None
    figures: list[Figure] = field(default_factory=list)

    def diameter_at(self, place: Point, largest_px: float) -> tuple[float, bool]:
        """A ball's diameter in pixels at an image point, and whether it lies on the ground."""
        smallest = 6.0
        if self.camera is not None:
            size, offset = _ground_scale(self.camera, place)
            if size:
                return float(np.clip(size * BALL_DIAMETER_M, smallest, largest_px)), offset
        return float(np.clip(self.ball_px, smallest, largest_px)), False

    def preview(self) -> Canvas:
        """A copy of the canvas with everybody on it, to judge places for a ball by."""
        canvas = self.canvas.copy()
        for figure in self.figures:
            draw_figure(canvas, figure)
        return canvas

    def finish(self, ball: Ball | None) -> None:
        """Draw the people from far to near, with the ball among them."""
        behind = [f for f in self.figures if ball is None or f.foot[1] <= ball.centre[1]]
        for figure in behind:
            draw_figure(self.canvas, figure)
        if ball is not None:
            ball.paste(self.canvas)
            self._draw_before(ball, self.figures[len(behind) :])

    def _draw_before(self, ball: Ball, before: list[Figure]) -> None:
        """Draw the people nearer than the ball; if they would hide it, it comes to the front."""
        untouched = _region(self.canvas, ball)
        for figure in before:
            draw_figure(self.canvas, figure)
        changed = (np.abs(_region(self.canvas, ball) - untouched).max(-1) > 4) & _inside(ball)
        if changed.sum() > _MOST_HIDDEN * _inside(ball).sum():
            ball.paste(self.canvas)


def _region(canvas: Canvas, ball: Ball) -> np.ndarray:
    (left, top), (height, width) = ball.corner, ball.cover.shape
    crop = canvas.image.crop((left, top, left + width, top + height))
    return np.asarray(crop, np.float32)


def _inside(ball: Ball) -> np.ndarray:
    return ball.cover > 0.4


def _ground_scale(camera: Camera, place: Point) -> tuple[float, bool]:
    """Pixels per metre at the ground point below an image point; 0 above the horizon."""
    ray = np.array([place[0] - camera.centre[0], place[1] - camera.centre[1], camera.focal_px])
    world = ray @ camera.axes
    if world[2] > -1e-3 * camera.focal_px:
        return 0.0, False
    point = camera.position - world * camera.position[2] / world[2]
    on_pitch = -6 < point[0] < LENGTH_M + 6 and -6 < point[1] < WIDTH_M + 4
    if not on_pitch:
        return 0.0, False
    return camera.pixels_per_metre(point), True


def draw_scene(rng: np.random.Generator, ball_px: float, anywhere: bool) -> Scene:
    """A random scene at a given scale: nearly always of a match, or `anywhere`."""
    kinds: tuple[tuple[float, Callable[[np.random.Generator, float], Scene]], ...] = (
        (0.72 if anywhere else 0.88, _match_scene),
        (0.11 if anywhere else 0.09, _bank_scene),
        (0.17 if anywhere else 0.03, _other_scene),
    )
    limits = np.cumsum([share for share, _ in kinds])
    pick = min(int(np.searchsorted(limits, rng.random(), side="right")), len(kinds) - 1)
    return kinds[pick][1](rng, ball_px)


def _match_scene(rng: np.random.Generator, ball_px: float) -> Scene:
    """A look onto a pitch from the main stand."""
    camera = aim_camera(rng, _target(rng), ball_px)
    canvas = Canvas(grass(rng, camera))
    draw_surroundings(rng, canvas, camera)
    draw_markings(rng, canvas, camera)
    for line in (0.0, LENGTH_M):
        draw_goal(rng, canvas, camera, line)
    for corner in ((0.0, 0.0), (0.0, WIDTH_M), (LENGTH_M, 0.0), (LENGTH_M, WIDTH_M)):
        draw_corner_flag(rng, canvas, camera, corner)
    _soften(rng, canvas, ball_px)
    scene = Scene(canvas, ball_px, camera)
    _add_litter(rng, scene)
    _add_people(rng, scene)
    if rng.random() < 0.08:
        draw_banner(rng, canvas)
    return scene


def _target(rng: np.random.Generator) -> np.ndarray:
    """The pitch point (3,) the camera looks at: anywhere, a goal mouth, or the far side."""
    kind = rng.random()
    x, y = rng.uniform(0, LENGTH_M), rng.uniform(0, WIDTH_M)
    if kind < 0.22:
        x, y = abs(rng.normal(0, 7)), rng.normal(WIDTH_M / 2, 9)
        x = x if rng.random() < 0.5 else LENGTH_M - x
    elif kind < 0.5:
        y = WIDTH_M + rng.uniform(-12, 8)
    return np.array([x, y, 0.0])


def _soften(rng: np.random.Generator, canvas: Canvas, ball_px: float) -> None:
    """Close-ups have their background out of focus."""
    if ball_px > 45 and rng.random() < 0.8:
        canvas.soften(float(rng.uniform(1, min(9.0, ball_px / 12))))


def _add_litter(rng: np.random.Generator, scene: Scene) -> None:
    for _ in range(int(rng.poisson(0.9))):
        place = (float(rng.uniform(20, 620)), float(rng.uniform(20, 620)))
        size, grounded = scene.diameter_at(place, 200.0)
        if grounded:
            draw_litter(rng, scene.canvas, place, size * rng.uniform(0.6, 1.3))


def _add_people(rng: np.random.Generator, scene: Scene) -> None:
    """Place people of two teams on the pitch, with their shadows."""
    kits = [draw_kit(rng) for _ in range(2)]
    kits.append(draw_kit(rng))
    direction, strength = rng.normal(0, 0.8), float(rng.uniform(0.05, 0.45))
    low_edge = FRAME_SIZE_PX + 4 * scene.ball_px
    for _ in range(int(rng.poisson(2.6 if scene.ball_px < 60 else 1.3))):
        place = (float(rng.uniform(-10, 650)), float(rng.uniform(0, low_edge)))
        size, grounded = scene.diameter_at(place, 600.0)
        if grounded:
            kit = kits[int(rng.choice(3, p=(0.45, 0.45, 0.1)))]
            scene.figures.append(pose_figure(rng, place, size / BALL_DIAMETER_M, kit))
    scene.figures.sort(key=lambda figure: figure.foot[1])
    for figure in scene.figures:
        draw_shadow(scene.canvas, figure, direction, strength)


def _bank_scene(rng: np.random.Generator, ball_px: float) -> Scene:
    """A look into the stands, with no pitch in sight."""
    canvas = Canvas(np.full((2, 2, 3), rng.uniform(10, 80), np.float32))
    draw_bank_view(rng, canvas)
    _soften(rng, canvas, max(ball_px, 50.0) if rng.random() < 0.5 else ball_px)
    return Scene(canvas, max(ball_px, 16.0))


def _other_scene(rng: np.random.Generator, ball_px: float) -> Scene:
    """Hoardings, sky, halls, streets, paper: whatever is no stadium."""
    canvas = Canvas(elsewhere(rng))
    if rng.random() < 0.75:
        draw_shapes(rng, canvas)
    _soften(rng, canvas, ball_px)
    return Scene(canvas, ball_px)


def contrast(preview: Canvas, ball: Ball) -> float:
    """How far, in grey levels, the ball's colour is from what lies around it."""
    around = _region(preview, ball).reshape(-1, 3)
    weight = ball.cover[..., None]
    own = (ball.pixels * weight).sum((0, 1)) / max(1e-6, float(weight.sum()))
    return float(np.abs(own - around.mean(0)).max() - 0.8 * around.std(0).mean())


def shadow_below(rng: np.random.Generator, scene: Scene, place: Point, diameter: float) -> None:
    """The contact shadow of a ball on the grass."""
    centre = (place[0] + rng.normal(0, 0.15) * diameter, place[1] + 0.46 * diameter)
    strength = float(rng.uniform(0.05, 0.5))
    scene.canvas.ellipse(centre, 0.55 * diameter, 0.17 * diameter, (5, 18, 5), strength)


def free_place(rng: np.random.Generator, scene: Scene) -> Point:
    """An image point for a ball: near somebody's feet, or anywhere."""
    if scene.figures and rng.random() < 0.4:
        figure = scene.figures[int(rng.integers(len(scene.figures)))]
        reach = figure.pixels_per_metre
        x = figure.foot[0] + rng.normal(0, 0.55) * reach
        y = figure.foot[1] - BALL_DIAMETER_M / 2 * reach + rng.normal(0, 0.12) * reach
        if 8 < x < FRAME_SIZE_PX - 8 and 8 < y < FRAME_SIZE_PX - 8:
            return float(x), float(y)
    x, y = rng.uniform(12, FRAME_SIZE_PX - 12, 2)
    return float(x), float(y)
