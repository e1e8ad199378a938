"""Patterns without objects: grass, crowds, seats, clouds, walls and roads."""

from __future__ import annotations

import numpy as np
from PIL import Image
from scipy import ndimage

from app.demo.camera import Camera
from app.demo.canvas import FloatArray, as_colour

_GROUND_PX = 320


def cloud(rng: np.random.Generator, size: int, octaves: tuple[int, ...]) -> FloatArray:
    """Smooth noise (size, size) of mean 0 and about unit spread; an octave is cells per side."""
    total = np.zeros((size, size), np.float32)
    for cells in octaves:
        grid = Image.fromarray(rng.standard_normal((cells, cells), np.float32))
        total += np.asarray(grid.resize((size, size), Image.Resampling.BICUBIC))
    return total / np.float32(len(octaves) ** 0.5)


def grass(rng: np.random.Generator, camera: Camera) -> FloatArray:
    """A mown pitch (320, 320, 3) as the camera sees it; what is no ground is dark."""
    ground, falling = camera.ground(_GROUND_PX)
    base = np.array(_grass_colour(rng), np.float32)
    light = 1 + rng.uniform(0.0, 0.14) * _stripes(rng, ground)
    light += rng.uniform(0.01, 0.06) * cloud(rng, _GROUND_PX, (4, 9, 20))
    light += rng.uniform(0.01, 0.05) * cloud(rng, _GROUND_PX, (64, 160))
    worn = np.clip(cloud(rng, _GROUND_PX, (3, 7)) - rng.uniform(0.8, 2.5), 0, 1)
    colours = base * light[..., None].astype(np.float32)
    earth = np.array((120, 105, 60), np.float32)
    colours += (earth - colours) * (0.5 * worn)[..., None]
    return np.where(falling[..., None], colours, np.float32(18.0)).astype(np.float32)


def _grass_colour(rng: np.random.Generator) -> tuple[float, float, float]:
    green = rng.uniform(75, 165)
    return green * rng.uniform(0.2, 0.75), green, green * rng.uniform(0.12, 0.5)


def _stripes(rng: np.random.Generator, ground: np.ndarray) -> np.ndarray:
    """Mowing stripes from -1 to 1, along the pitch, across it, or both."""
    width = rng.uniform(4.0, 6.5)
    sharp = rng.uniform(1.5, 8.0)
    along = np.tanh(sharp * np.sin(np.pi * ground[..., 0] / width))
    across = np.tanh(sharp * np.sin(np.pi * ground[..., 1] / width))
    kind = rng.integers(4)
    chosen = (along, across, along * across, np.zeros_like(along))[int(kind)]
    return np.asarray(chosen)


def crowd(rng: np.random.Generator, rows: int, columns: int) -> Image.Image:
    """Rows of seats, some taken: an RGB picture of 12 x 16 pixels a seat."""
    seat = _seat_colour(rng)
    taken = rng.random((rows, columns)) < rng.choice([0.0, 0.03, 0.3, 0.8, 0.95])
    shirts = _shirt_colours(rng, rows, columns)
    skin = rng.uniform(0.35, 1.0, (rows, columns, 1)) * np.array((225, 180, 150))
    body, head, back = _seat_masks(16, 12)
    vacant = ~taken[..., None]
    empty = seat * rng.uniform(0.85, 1.1, (rows, columns, 1))
    cells = _spread(np.where(vacant, empty, shirts), body)
    cells += _spread(empty * vacant, back) + _spread(skin * ~vacant, head)
    floor = seat * rng.uniform(0.2, 0.6) + rng.uniform(0, 25)
    picture = np.where(cells.sum(-1, keepdims=True) > 0, cells, floor)
    picture = _disordered(rng, picture.astype(np.float32))
    return Image.fromarray(np.clip(picture, 0, 255).astype(np.uint8))


def _seat_colour(rng: np.random.Generator) -> np.ndarray:
    """The plastic of the seats: grey, blue, red or anything muted."""
    tints = ((90, 95, 105), (30, 60, 150), (150, 30, 35), (35, 35, 40), (190, 195, 200))
    tint = np.array(tints[int(rng.integers(len(tints)))]) * rng.uniform(0.5, 1.15)
    return np.asarray(tint + rng.normal(0, 12, 3)).clip(8, 230)


def _shirt_colours(rng: np.random.Generator, rows: int, columns: int) -> np.ndarray:
    """What the people wear (rows, columns, 3): mostly dull, or the colour of their team."""
    grey = rng.uniform(10, 215, (rows, columns, 1))
    shirts = grey + rng.normal(0, 28, (rows, columns, 3))
    if rng.random() < 0.5:
        loyal = rng.random((rows, columns, 1)) < 0.65
        team = np.array(rng.uniform(10, 240, 3)) * rng.uniform(0.7, 1.1, (rows, columns, 1))
        shirts = np.where(loyal, team, shirts)
    return np.asarray(shirts.clip(5, 240))


def _disordered(rng: np.random.Generator, picture: FloatArray) -> FloatArray:
    """Shift every line of pixels rows and columns about a little, and light it unevenly."""
    height, width = picture.shape[:2]
    rows = np.arange(height)[:, None] + rng.integers(-2, 3, width // 6 + 1)[np.arange(width) // 6]
    columns = np.arange(width)[None, :] + rng.integers(0, 12, height // 16 + 1)[np.arange(height) // 16][:, None]
    moved = picture[rows % height, columns % width]
    light = cloud(rng, max(height, width), (2, 5))[:height, :width]
    return np.asarray(moved * (1 + 0.12 * light[..., None]), np.float32)


def _seat_masks(height: int, width: int) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Where in a seat's cell the body, the head and the seat's back are drawn."""
    v, u = np.mgrid[0:height, 0:width].astype(np.float32)
    body = (np.abs(u - 5.5) < 4.6) & (v > 6)
    head = ((u - 5.5) ** 2 + (v - 4.0) ** 2 < 8.0) & ~body
    back = (np.abs(u - 5.5) < 5.6) & (v > 2) & ~body
    return body, head, back


def _spread(colours: np.ndarray, mask: np.ndarray) -> np.ndarray:
    """Colours (rows, columns, 3), each spread over the set pixels of its cell."""
    rows, columns = colours.shape[:2]
    wide = colours.repeat(mask.shape[0], 0).repeat(mask.shape[1], 1)
    return np.asarray(wide * np.tile(mask, (rows, columns))[..., None])


def elsewhere(rng: np.random.Generator) -> FloatArray:
    """A background (160, 160, 3) that is no pitch: board, sky, wall, road, floor, paper."""
    makers = (_plain, _sky, _wall, _road, _wood, _paper, _foliage)
    return makers[int(rng.integers(len(makers)))](rng)


def _plain(rng: np.random.Generator) -> FloatArray:
    """One colour with a gradient, like a hoarding close by."""
    colour = rng.uniform(10, 230, 3)
    if rng.random() < 0.4:
        colour = np.array((rng.uniform(0, 40), rng.uniform(40, 110), rng.uniform(120, 220)))
    slope = np.linspace(-1, 1, 160)
    light = 1 + rng.normal(0, 0.2) * slope[:, None] + rng.normal(0, 0.2) * slope[None, :]
    return np.asarray(colour * light[..., None], np.float32)


def _sky(rng: np.random.Generator) -> FloatArray:
    blue = np.array((rng.uniform(70, 170), rng.uniform(120, 200), rng.uniform(180, 250)))
    white = np.clip(cloud(rng, 160, (3, 6, 14)) * 0.4 + rng.uniform(-0.4, 0.6), 0, 1)
    night = rng.choice([1.0, 1.0, 0.25])
    return np.asarray((blue + (240 - blue) * white[..., None]) * night, np.float32)


def _wall(rng: np.random.Generator) -> FloatArray:
    """Bricks or tiles with joints."""
    height, width = int(rng.integers(6, 24)), int(rng.integers(10, 40))
    v, u = np.mgrid[0:160, 0:160]
    shifted = u + (v // height % 2) * (width // 2)
    joint = (v % height == 0) | (shifted % width == 0)
    tone = rng.normal(1, 0.07, (40, 60))[v // height % 40, shifted // width % 60]
    colour = rng.uniform(50, 210, 3) * tone[..., None]
    return np.asarray(np.where(joint[..., None], colour * 0.7, colour), np.float32)


def _road(rng: np.random.Generator) -> FloatArray:
    grey = rng.uniform(60, 160) * (1 + 0.12 * cloud(rng, 160, (3, 40, 120)))
    return np.asarray(grey[..., None] * rng.uniform(0.92, 1.08, 3), np.float32)


def _wood(rng: np.random.Generator) -> FloatArray:
    """Floor boards of a hall."""
    board = int(rng.integers(8, 30))
    rows = np.arange(160)
    tone = rng.normal(1, 0.08, 40)[rows // board % 40] * np.where(rows % board == 0, 0.75, 1)
    grain = ndimage.uniform_filter1d(rng.normal(1, 0.1, (160, 160)), 25, axis=1)
    colour = np.array((rng.uniform(140, 210), rng.uniform(95, 150), rng.uniform(50, 100)))
    return np.asarray(colour * (tone[:, None] * grain)[..., None], np.float32)


def _paper(rng: np.random.Generator) -> FloatArray:
    return np.full((160, 160, 3), rng.uniform(215, 255), np.float32)


def _foliage(rng: np.random.Generator) -> FloatArray:
    """Leaves, hedges and long grass."""
    light = np.clip(1 + 0.35 * cloud(rng, 160, (8, 30, 80)), 0.1, 2)
    colour = np.array(as_colour((rng.uniform(40, 130), rng.uniform(70, 150), rng.uniform(20, 80))))
    return np.asarray(colour * light[..., None], np.float32)
