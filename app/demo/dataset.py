"""Plans of whole synthetic datasets: which frame lies in which folder, and what it truly shows.

A plan is cheap and drawn at once; the frames are drawn from it one by one, in any order and in any
process. The same arguments always give the same files.
"""

from __future__ import annotations

import json
from collections.abc import Iterable
from dataclasses import dataclass
from enum import StrEnum

import numpy as np

from app.demo.balls import Box
from app.demo.frames import LARGEST_PX, Frame, draw_frame, encode_jpeg

FOOTBALL, BACKGROUND = "football", "background"

# The first number of every seed key. Keys of different namespaces differ in their first word, so no
# demo seed whatever can lead to the random numbers, hence to an image, that the model was shown.
DEMO_NAMESPACE = 0xDE305
TRAINING_NAMESPACE = 0x7EA17
VALIDATION_NAMESPACE = 0x7A11D

_NAMES_PER_IMAGE = 7  # numbers run to about seven times the count, as in a thinned-out recording
_CLOSE_UP_PX = 560.0


class Contamination(StrEnum):
    """How the folders of a demo dataset are filled."""

    SEED = "seed"  #: at the rates of the original work: 189 + 1,286 wrong of 8,599
    NONE = "none"  #: the same images, every one in its right folder


@dataclass(frozen=True, slots=True)
class Cell:
    """One cell of the original work's result: a given label, a true label, a count."""

    given_label: str
    true_label: str
    count: int


ORIGINAL_CELLS = (
    Cell(FOOTBALL, FOOTBALL, 3861),
    Cell(FOOTBALL, BACKGROUND, 189),
    Cell(BACKGROUND, BACKGROUND, 3263),
    Cell(BACKGROUND, FOOTBALL, 1286),
)


@dataclass(frozen=True, slots=True)
class PlannedFrame:
    """A file to be drawn.

    `path` is POSIX, below the dataset's root; its number says nothing about the truth. `key` is
    (namespace, seed, index, 1 for a hard frame), the entropy of the frame's random numbers.
    """

    path: str
    given_label: str
    true_label: str
    key: tuple[int, ...]


def plan_demo(images: int, seed: int, contamination: Contamination) -> list[PlannedFrame]:
    """Plan a dataset of `images` files in the order of their names.

    The counts of right and wrong files keep the original work's shares (largest remainder). Balls
    in `background/` are hard to see, as in reality; as large a share of the empty frames is drawn
    equally hard, so that hardness tells nothing. Raises ValueError for a negative argument.
    """
    if images < 0 or seed < 0:
        raise ValueError(f"images and seed must not be negative: {images}, {seed}")
    rng = np.random.default_rng([DEMO_NAMESPACE, seed])
    numbers = np.sort(rng.choice(_NAMES_PER_IMAGE * images, images, replace=False)) + 1
    cells = _deal_cells(rng, images)
    return [
        _planned(int(number), given, true, (DEMO_NAMESPACE, seed, index, int(hard)), contamination)
        for index, (number, (given, true, hard)) in enumerate(zip(numbers, cells, strict=True))
    ]


def _planned(number: int, given: str, true: str, key: tuple[int, ...], contamination: Contamination) -> PlannedFrame:
    filed = true if contamination is Contamination.NONE else given
    return PlannedFrame(f"{filed}/{number:08d}.jpg", filed, true, key)


def _deal_cells(rng: np.random.Generator, images: int) -> list[tuple[str, str, bool]]:
    """Given label, true label and hardness of every image, shuffled."""
    shares = scale_counts([cell.count for cell in ORIGINAL_CELLS], images)
    dealt: list[tuple[str, str, bool]] = []
    easy, *_, hard = shares
    ratio = hard / max(1, easy + hard)
    for cell, count in zip(ORIGINAL_CELLS, shares, strict=True):
        if cell.true_label == FOOTBALL:
            hard_count = count if cell.given_label == BACKGROUND else 0
        else:
            hard_count = round(count * ratio)
        dealt += [(cell.given_label, cell.true_label, k < hard_count) for k in range(count)]
    return [dealt[int(index)] for index in rng.permutation(images)]


def scale_counts(counts: list[int], total: int) -> list[int]:
    """Scale whole numbers to a new total, exactly, by the method of the largest remainder."""
    exact = [count * total / sum(counts) for count in counts]
    scaled = [int(share) for share in exact]
    by_rest = sorted(range(len(counts)), key=lambda k: exact[k] - scaled[k], reverse=True)
    for k in by_rest[: total - sum(scaled)]:
        scaled[k] += 1
    return scaled


def draw_planned(planned: PlannedFrame) -> tuple[bytes, tuple[Box, ...]]:
    """The bytes of a planned file and the boxes of its balls; fit for a process pool."""
    frame = draw_frame(
        np.random.default_rng(list(planned.key)),
        with_ball=planned.true_label == FOOTBALL,
        hard=bool(planned.key[-1]),
    )
    return encode_jpeg(frame), frame.boxes


def truth_rows(
    drawn: Iterable[tuple[PlannedFrame, tuple[Box, ...]]],
) -> list[dict[str, str]]:
    """The rows of truth.csv: path, given_label, true_label, boxes (JSON, xyxy pixels)."""
    return [
        {
            "path": planned.path,
            "given_label": planned.given_label,
            "true_label": planned.true_label,
            "boxes": json.dumps([[round(edge, 1) for edge in box] for box in boxes]),
        }
        for planned, boxes in drawn
    ]


def draw_training(namespace: int, seed: int, index: int) -> Frame:
    """A frame to learn from: six in ten with a ball, a quarter hard, four in ten anywhere, some of them close-ups.

    `namespace` is TRAINING_NAMESPACE or VALIDATION_NAMESPACE. In one frame of eight a ball may fill
    most of the picture, as in photographs; the demo has none of those.
    """
    rng = np.random.default_rng([namespace, seed, index])
    with_ball = bool(rng.random() < 0.6)
    hard = bool(rng.random() < 0.25)
    largest = _CLOSE_UP_PX if rng.random() < 0.125 else LARGEST_PX
    anywhere = bool(rng.random() < 0.4)
    return draw_frame(rng, with_ball=with_ball, hard=hard, largest_px=largest, anywhere=anywhere)
