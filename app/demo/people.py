"""Players, referees and people at the touchline, drawn from limbs."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from app.demo.canvas import Canvas, Colour, Point, as_colour, shade

_CLOTH = (
    (240, 242, 244), (240, 242, 244), (240, 242, 244), (28, 28, 32), (28, 28, 32), (205, 25, 35),
    (205, 25, 35), (25, 55, 170), (25, 55, 170), (245, 220, 40), (110, 180, 230), (15, 110, 60),
    (240, 120, 30), (110, 20, 45), (60, 210, 120), (250, 110, 140), (100, 60, 150),
)  # fmt: skip


@dataclass(frozen=True, slots=True)
class Kit:
    """The colours a team plays in."""

    shirt: Colour
    shorts: Colour
    socks: Colour


@dataclass(frozen=True, slots=True)
class Figure:
    """One person: the ground point in pixels, the scale, colours, and the pose in radians.

    `legs` and `arms` hold, for each of the two limbs, the angle of the upper and of the lower part
    from straight down; positive angles point to the right.
    """

    foot: Point
    pixels_per_metre: float
    kit: Kit
    skin: Colour
    hair: Colour
    boots: tuple[Colour, Colour]
    lean: float
    legs: tuple[tuple[float, float], tuple[float, float]]
    arms: tuple[tuple[float, float], tuple[float, float]]
    facing: float
    number: bool


def draw_kit(rng: np.random.Generator) -> Kit:
    """Random team colours; white shirts, shorts and socks are as common as in life."""

    def piece() -> Colour:
        tint = np.array(_CLOTH[int(rng.integers(len(_CLOTH)))]) * rng.uniform(0.75, 1.05)
        return as_colour(tint + rng.normal(0, 14, 3))

    shirt = piece()
    shorts = shirt if rng.random() < 0.4 else piece()
    return Kit(shirt, shorts, shirt if rng.random() < 0.4 else piece())


def pose_figure(rng: np.random.Generator, foot: Point, pixels_per_metre: float, kit: Kit) -> Figure:
    """A person standing, walking or running with the lower foot at `foot`."""
    energy = rng.choice([0.15, 0.4, 0.8])
    facing = float(rng.choice([-1.0, 1.0]))
    swing = rng.normal(0, energy, 4)
    bend = -facing * np.abs(rng.normal(0, energy, 2))
    tone = rng.uniform(0.3, 1.0)
    boot = (245, 245, 245) if rng.random() < 0.35 else as_colour(rng.uniform(0, 250, 3))
    return Figure(
        foot=foot,
        pixels_per_metre=pixels_per_metre * rng.uniform(0.93, 1.06),
        kit=kit,
        skin=as_colour((235 * tone, 185 * tone, 155 * tone)),
        hair=as_colour(rng.uniform(5, 70) * np.array((1.2, 1.0, 0.8))),
        boots=(boot, boot),
        lean=float(rng.normal(0.1 * facing * energy, 0.08)),
        legs=((swing[0], swing[0] + bend[0]), (swing[1], swing[1] + bend[1])),
        arms=((swing[2], swing[2] + facing * 0.6), (swing[3], swing[3] + facing * 0.9)),
        facing=facing,
        number=bool(rng.random() < 0.4),
    )


def draw_shadow(canvas: Canvas, figure: Figure, direction: float, strength: float) -> None:
    """The shadow a figure throws on the grass, to the left or right."""
    scale, (x, y) = figure.pixels_per_metre, figure.foot
    reach = direction * scale
    canvas.line([(x, y), (x + reach, y - 0.12 * abs(reach))], (5, 20, 5), 0.3 * scale, strength)
    canvas.ellipse((x, y), 0.35 * scale, 0.1 * scale, (5, 20, 5), strength)


def draw_figure(canvas: Canvas, figure: Figure) -> None:
    """Draw a figure from back to front: far arm, legs, trunk, head, near arm."""
    scale = figure.pixels_per_metre
    hip = _hip(figure)
    neck = _along(hip, np.pi + figure.lean, 0.55 * scale)
    _draw_arm(canvas, figure, neck, 0)
    for index in (0, 1):
        _draw_leg(canvas, figure, hip, index)
    _draw_trunk(canvas, figure, hip, neck)
    _draw_head(canvas, figure, neck)
    _draw_arm(canvas, figure, neck, 1)


def _hip(figure: Figure) -> Point:
    """The hip's place: as high above the foot as the longer leg reaches down."""
    scale = figure.pixels_per_metre
    drops = [0.45 * np.cos(upper) + 0.48 * np.cos(lower) for upper, lower in figure.legs]
    return figure.foot[0], figure.foot[1] - float(max(drops)) * scale


def _along(start: Point, angle: float, length: float) -> Point:
    """The point at `length` pixels from `start`; the angle counts from straight down."""
    return start[0] + float(np.sin(angle)) * length, start[1] + float(np.cos(angle)) * length


def _draw_limb(canvas: Canvas, start: Point, end: Point, colour: Colour, width: float) -> None:
    """A limb with a lit edge, which keeps close-ups from looking flat."""
    canvas.capsule(start, end, shade(colour, 0.82), width)
    if width > 4:
        shift = width * 0.14
        lit = (start[0] - shift, start[1] - shift), (end[0] - shift, end[1] - shift)
        canvas.capsule(lit[0], lit[1], colour, width * 0.62)


def _draw_leg(canvas: Canvas, figure: Figure, hip: Point, index: int) -> None:
    scale, (upper, lower) = figure.pixels_per_metre, figure.legs[index]
    start = (hip[0] + (index - 0.5) * 0.14 * scale, hip[1])
    knee = _along(start, upper, 0.45 * scale)
    ankle = _along(knee, lower, 0.42 * scale)
    middle = _along(knee, lower, 0.12 * scale)
    _draw_limb(canvas, knee, ankle, figure.skin, 0.11 * scale)
    _draw_limb(canvas, middle, ankle, figure.kit.socks, 0.125 * scale)
    _draw_limb(canvas, start, knee, figure.skin, 0.15 * scale)
    _draw_limb(canvas, start, _along(start, upper, 0.33 * scale), figure.kit.shorts, 0.21 * scale)
    heel = (ankle[0] - figure.facing * 0.05 * scale, ankle[1] + 0.05 * scale)
    toe = (ankle[0] + figure.facing * 0.16 * scale, ankle[1] + 0.06 * scale)
    _draw_limb(canvas, heel, toe, figure.boots[index], 0.09 * scale)


def _draw_arm(canvas: Canvas, figure: Figure, neck: Point, index: int) -> None:
    scale, (upper, lower) = figure.pixels_per_metre, figure.arms[index]
    shoulder = (neck[0] + (index - 0.5) * 0.36 * scale, neck[1] + 0.07 * scale)
    elbow = _along(shoulder, upper + (index - 0.5) * 0.5, 0.29 * scale)
    hand = _along(elbow, lower, 0.27 * scale)
    _draw_limb(canvas, elbow, hand, figure.skin, 0.08 * scale)
    _draw_limb(canvas, shoulder, elbow, figure.kit.shirt, 0.12 * scale)


def _draw_trunk(canvas: Canvas, figure: Figure, hip: Point, neck: Point) -> None:
    scale, shirt = figure.pixels_per_metre, figure.kit.shirt
    wide, slim = 0.22 * scale, 0.16 * scale
    outline = [
        (neck[0] - wide, neck[1] + 0.04 * scale),
        (neck[0] + wide, neck[1] + 0.04 * scale),
        (hip[0] + slim, hip[1]),
        (hip[0] - slim, hip[1]),
    ]
    canvas.polygon(outline, shade(shirt, 0.85))
    lit = [outline[0], (neck[0] + wide * 0.3, outline[1][1]), (hip[0], hip[1]), outline[3]]
    canvas.polygon(lit, shirt)
    if figure.number:
        middle = ((hip[0] + neck[0]) / 2, (hip[1] + neck[1]) / 2)
        ink = (245, 245, 245) if sum(shirt) < 380 else (20, 20, 25)
        top, foot = (middle[0], middle[1] - 0.11 * scale), (middle[0], middle[1] + 0.11 * scale)
        canvas.line([top, foot], ink, 0.05 * scale)


def _draw_head(canvas: Canvas, figure: Figure, neck: Point) -> None:
    scale = figure.pixels_per_metre
    centre = _along(neck, np.pi + figure.lean, 0.15 * scale)
    canvas.capsule(neck, centre, shade(figure.skin, 0.8), 0.1 * scale)
    canvas.ellipse(centre, 0.1 * scale, 0.13 * scale, figure.hair)
    face = (centre[0] + figure.facing * 0.03 * scale, centre[1] + 0.03 * scale)
    canvas.ellipse(face, 0.08 * scale, 0.1 * scale, figure.skin)
