"""Smooth functions on a range of integers, kept as a few polynomials, and searches on monotone ones.

A sum of ``n`` logarithms at each of ten million integers is out of reach, but between its singularities it is as
smooth as a function can be. The range is cut into pieces whose length grows with the distance from both ends, where
the singularities lie; on each piece the function is interpolated at 16 Chebyshev nodes. A piece is at most half as
long as its distance from the nearest singularity, so the Bernstein ellipse has rho >= 5 + sqrt(24) = 9.9 and the error
is of the order 9.9**-16 = 1e-16 of the function's size on that ellipse (L. N. Trefethen, Approximation Theory and
Approximation Practice, SIAM 2013, theorem 8.2): rounding, not approximation. The 64 integers next to either end, where
a singularity may be one step away, are computed one by one.
"""

from collections.abc import Callable, Iterator
from itertools import pairwise

import numpy as np
from numpy.typing import NDArray

Numbers = NDArray[np.int64]
Reals = NDArray[np.float64]
Function = Callable[[Reals, Reals], Reals]  #: of the distances from the first and from the last integer, shape (k,)

NODES = 16
EDGE = 64  #: integers at either end that are computed one by one
CHUNK = 1 << 15  #: integers that are evaluated at a time: what fits a processor's cache
_ANGLES = np.pi * (np.arange(NODES) + 0.5) / NODES
_TO_COEFFICIENTS = np.cos(np.outer(np.arange(NODES), _ANGLES)) * (2 / NODES)
_TO_COEFFICIENTS[0] /= 2


class Curve:
    """A function on the integers ``first..last``, smooth but for singularities outside that range.

    Making one calls ``function`` at 128 integers and 32 more places for each doubling of the range; a value costs 16
    multiplications after that, however costly the function.
    """

    def __init__(self, function: Function, first: int, last: int) -> None:
        self.first = first
        self.last = last
        self._length = last - first
        self._tail = max(0, self._length + 1 - EDGE)  # all of these count from ``first``
        head = np.arange(min(EDGE, self._length + 1), dtype=np.float64)
        self._head_values = function(head, self._length - head)
        self._tail_values = function(self._length - head[::-1], head[::-1])
        self._starts, halves = _cut(self._length)
        self._middles = self._starts + halves
        self._halves = np.maximum(halves, 0.5)
        up, down = self._nodes()
        self._coefficients = _TO_COEFFICIENTS @ function(up.ravel(), down.ravel()).reshape(up.shape).T

    def _nodes(self) -> tuple[Reals, Reals]:
        """Distances of the nodes from both ends, (pieces, NODES); the shorter is exact: a rounded one is felt there."""
        shift = self._halves[:, None] * np.cos(_ANGLES)
        up = self._middles[:, None] + shift
        down = (self._length - self._middles)[:, None] - shift
        near_first = up < down
        return np.where(near_first, up, self._length - down), np.where(near_first, self._length - up, down)

    def __call__(self, at: Numbers) -> Reals:
        """The values at integers ``at`` (shape (k,), each within ``first..last``), in any order."""
        up = at - self.first
        values: Reals = np.empty(len(at))
        head, tail = up < len(self._head_values), up >= self._tail
        values[head] = self._head_values[up[head]]
        values[tail] = self._tail_values[up[tail] - self._tail]
        inside = up[~(head | tail)]
        piece = np.searchsorted(self._starts, inside, side="right") - 1
        places = (inside - self._middles[piece]) / self._halves[piece]
        values[~(head | tail)] = _evaluate(self._coefficients[:, piece], places)
        return values

    def at(self, number: int) -> float:
        """The value at one integer of ``first..last``."""
        return float(self(np.array([number], dtype=np.int64))[0])

    def walk(self, first: int, last: int) -> Iterator[tuple[Numbers, Reals]]:
        """The integers ``first..last`` and their values, in order, at most CHUNK at a time."""
        ends = sorted({0, *self._starts.tolist(), self._tail, self._length + 1})
        for start, stop in pairwise(end + self.first for end in ends):
            for begin in range(max(start, first), min(stop, last + 1), CHUNK):
                at = np.arange(begin, min(begin + CHUNK, stop, last + 1), dtype=np.int64)
                yield at, self._on_piece(at, start - self.first)

    def _on_piece(self, at: Numbers, start: int) -> Reals:
        """Values at consecutive integers of the one piece that begins at ``start``."""
        if start == 0 or start >= self._tail:
            return self(at)
        piece = int(np.searchsorted(self._starts, start))
        places = (at - self.first - self._middles[piece]) / self._halves[piece]
        return _evaluate(self._coefficients[:, piece], places)


def _cut(length: int) -> tuple[Numbers, Reals]:
    """Where pieces of ``EDGE..length-EDGE`` begin and half their lengths: none over half its way to 0 or ``length``."""
    starts, end = [EDGE], max(EDGE, length + 1 - EDGE)
    while starts[-1] < end:
        start = starts[-1]
        right = max((length - start) // 3, EDGE // 2)  # half of what is then left
        starts.append(min(start + min(start // 2, right), end))
    bounds = np.array(starts, dtype=np.int64)
    return bounds[:-1], (bounds[1:] - bounds[:-1] - 1) / 2


def _evaluate(coefficients: Reals, places: Reals) -> Reals:
    """Clenshaw's recurrence: Chebyshev sums with coefficients (NODES,) or (NODES, k) at ``places`` (k,) in -1..1."""
    one, two = np.zeros_like(places), np.zeros_like(places)
    twice = 2 * places
    for coefficient in coefficients[:0:-1]:
        two *= -1
        two += twice * one
        two += coefficient
        one, two = two, one
    value: Reals = places * one - two + coefficients[0]
    return value


def last_true(holds: Callable[[Numbers], NDArray[np.bool_]], first: int, last: int) -> int:
    """The largest integer of ``first..last`` for which a condition holds that, once false, stays false.

    It is taken to hold at ``first``. Costs a call with at most 32 integers for each factor 32 of the range.
    """
    while first < last:
        at = np.unique(np.linspace(first + 1, last, 32).astype(np.int64))
        true = holds(at)
        failed = len(at) if true.all() else int(np.argmin(true))
        if failed < len(at):
            last = int(at[failed]) - 1
        if failed > 0:
            first = int(at[failed - 1])
    return first
