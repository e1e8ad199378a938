"""A hash that pictures share when they look the same.

DCT hash: Zauner, Implementation and Benchmarking of Perceptual Image Hash Functions, 2010, section 3.2.1.
"""

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

SIDE_PX = 32  #: of the greyscale picture that is hashed
KEPT = 8  #: frequencies kept in each direction


def _cosines() -> NDArray[np.float64]:
    """Rows 1 .. 8 of the orthonormal DCT-II matrix; row 0, the mean brightness, says nothing of what is shown."""
    frequencies = np.arange(1, KEPT + 1)[:, None]
    places = (np.arange(SIDE_PX) + 0.5)[None, :]
    cosines: NDArray[np.float64] = np.sqrt(2 / SIDE_PX) * np.cos(np.pi * frequencies * places / SIDE_PX)
    return cosines


_COSINES = _cosines()
_WEIGHTS = 1 << np.arange(KEPT * KEPT, dtype=np.uint64)


def perceptual_hash(grey: NDArray[np.uint8]) -> int:
    """64 bits of a ``(32, 32)`` greyscale picture as a signed number: each low frequency above the median or not.

    Equal or a few bits apart for the same picture in another size or compression; 0 for one of a single colour.
    """
    low = _COSINES @ grey.astype(np.float64) @ _COSINES.T
    rounded = np.round(low, 2)  # of a picture without detail only rounding errors are left
    bits = (rounded > np.median(rounded)).ravel()
    return int((bits.astype(np.uint64) * _WEIGHTS).sum(dtype=np.uint64).astype(np.int64))


def hash_distance(one: int, other: int) -> int:
    """Bits in which two perceptual hashes differ, 0 .. 64. Up to about 10: most likely the same picture."""
    return ((one ^ other) & 0xFFFF_FFFF_FFFF_FFFF).bit_count()


ALIKE = 10  #: bits that hashes of one group differ from its first at most


def group_similar(hashes: Sequence[int | None], radius: int = ALIKE) -> list[list[int]]:
    """Places in ``hashes`` that look alike, the largest group first, then by its first place; no hash, no group.

    Each group is a place and all later ones within ``radius`` bits of it that no earlier group has. Every place is
    in just one group, many alone. Takes one row of distances at a time, so some bytes a place.
    """
    known = np.array([(value or 0) & 0xFFFF_FFFF_FFFF_FFFF for value in hashes], dtype=np.uint64)
    free = np.array([value is not None for value in hashes], dtype=bool)
    groups = []
    for place, value in enumerate(hashes):
        if value is None:
            groups.append([place])
        elif free[place]:
            near = free & (np.bitwise_count(known ^ known[place]) <= radius)
            near[place] = True
            free &= ~near
            groups.append([int(found) for found in np.flatnonzero(near)])
    return sorted(groups, key=lambda group: (-len(group), group[0]))
