"""Where to cut an image into overlapping slices."""

from math import ceil

from app.domain.detections import Box

OVERLAP = 0.2  #: of a slice's side, as SAHI has it: an object on an edge lies whole in a neighbour
MAX_PER_SIDE = 8


def plan_slices(width: int, height: int, slice_px: int) -> list[Box]:
    """Overlapping squares of about ``slice_px`` that cover an image of ``width`` x ``height``, row by row.

    None for an image that is no larger than one slice. A huge image gets larger slices, not more than
    ``MAX_PER_SIDE`` a side.
    """
    if max(width, height) <= slice_px:
        return []
    least = ceil(max(width, height) / (MAX_PER_SIDE * (1 - OVERLAP) + OVERLAP))
    side = max(slice_px, least)
    return [
        Box(x, y, min(x + side, width), min(y + side, height))
        for y in _starts(height, side)
        for x in _starts(width, side)
    ]


def _starts(length: int, side: int) -> list[int]:
    """Evenly spread starts of slices along one side, overlapping by at least the share that is wanted."""
    if length <= side:
        return [0]
    count = ceil((length - side * OVERLAP) / (side * (1 - OVERLAP)))
    step = (length - side) / (count - 1)
    return [round(number * step) for number in range(count)]
