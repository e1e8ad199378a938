"""The random sequence of an audit: everything that is left to chance follows from its seed, and can be done again.

A number of the sequence is SHA-256 of the seed and of what it is for, read as an integer of 256 bits: its remainder by
any number of images is uniform to 60 digits.
"""

from collections.abc import Iterator, Sequence
from enum import StrEnum
from hashlib import sha256
from itertools import accumulate

BITS = 256


class Deal(StrEnum):
    """What a place of a queue holds."""

    OPEN = "open"  #: an image with all that is known of it
    DRAW = "draw"  #: of the audit, blind
    SHOWN = "shown"  #: a flagged image in the same blind form, so that the form says nothing about the answer


def random_number(seed: int, *purpose: object) -> int:
    """The number of the sequence for a purpose, in ``0 .. 2**256 - 1``."""
    return int.from_bytes(sha256(":".join(map(str, (seed, *purpose))).encode()).digest())


def candidates(seed: int, stratum: int, counter: int, images: int) -> Iterator[int]:
    """Images of a stratum in the order in which they are tried, by ordinal, with repetitions, without end."""
    while True:
        yield random_number(seed, "draw", stratum, counter) % images
        counter += 1


def choose_stratum(seed: int, counter: int, left: Sequence[int]) -> int:
    """The index of a stratum, chosen in proportion to the images that are ``left`` in each.

    Raises:
        ValueError: none are left in any.
    """
    total = sum(left)
    if total <= 0:
        msg = "nothing is left to be drawn"
        raise ValueError(msg)
    at = random_number(seed, "stratum", counter) % total
    return next(index for index, end in enumerate(accumulate(left)) if at < end)


def called_before(seed: int, place: Sequence[object], reviews: int) -> Iterator[int]:
    """Reviews ``1 .. reviews`` in the order in which they are tried for the repeat at a place, without end."""
    counter = 0
    while True:
        yield random_number(seed, "repeat", *place, counter) % reviews + 1
        counter += 1


def repeats(seed: int, share: float, *place: object) -> bool:
    """Whether a place of a queue is for a blind repeat, with chance ``share``: the other end of what ``deal`` reads."""
    at: float = random_number(seed, "deal", *place) / 2**BITS
    return at >= 1 - share


def deal(seed: int, share: float, *place: object) -> Deal:
    """What a place of a queue holds: a draw with chance ``share`` (0..0.5), a flag shown blind with the same chance."""
    at = random_number(seed, "deal", *place) / 2**BITS
    if at < share:
        return Deal.DRAW
    return Deal.SHOWN if at < 2 * share else Deal.OPEN
