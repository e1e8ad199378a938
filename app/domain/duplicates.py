"""Pictures that look alike: a search over 64-bit perceptual hashes that never compares all pairs.

Multi-index hashing: Norouzi, Punjani, Fleet, Fast Search in Hamming Space with Multi-Index Hashing, 2012
(arXiv 1307.2982). A hash is cut into four bands of 16 bits. Two hashes at most ten bits apart differ by at most two
bits in one of the first three bands, or by at most one bit in the last; so it is enough to look into the buckets of a
band that are that near. What bounds the work where pictures crowd, as in video or where thousands are black, is that
no bucket is looked into further than :data:`LOOK` hashes around the place where the hash itself would stand.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from itertools import combinations

import numpy as np
from numpy.typing import NDArray

BANDS = 4
BAND_BITS = 16
BUCKETS = 1 << BAND_BITS
DISTANCE = 10  #: bits; unrelated pictures differ in 32, and ten or fewer by chance in one pair of a hundred million
NEIGHBOURS = 8  #: kept of each picture: as many as a person takes in beside it
LOOK = 128  #: hashes looked at in one bucket; a million unrelated ones lie about 15 to a bucket
PART = 1 << 20  #: comparisons made at a time, about 40 bytes each
FAR = 65  #: farther than any two hashes

Hashes = NDArray[np.uint64]
Numbers = NDArray[np.int64]


@dataclass(frozen=True, slots=True)
class Neighbours:
    """The nearest of each query, nearest first: positions in the data (-1: none) and distances in bits.

    Both have the shape ``(queries, kept)``.
    """

    positions: NDArray[np.int32]
    distances: NDArray[np.uint8]

    def pairs(self) -> tuple[Numbers, Numbers, NDArray[np.uint8]]:
        """Every neighbour as ``(query, position, distance)``, in the order of the queries."""
        queries, places = np.nonzero(self.positions >= 0)
        return queries, self.positions[queries, places].astype(np.int64), self.distances[queries, places]


def as_hashes(signed: NDArray[np.int64]) -> Hashes:
    """Perceptual hashes as the database keeps them, as what is searched: the same 64 bits without a sign."""
    return np.ascontiguousarray(signed).view(np.uint64)


def find_neighbours(
    queries: Hashes, data: Hashes | None = None, *, within: int = DISTANCE, keep: int = NEIGHBOURS
) -> Neighbours:
    """The ``keep`` nearest in ``data`` of each query, at most ``within`` bits away.

    Without ``data`` the queries are searched for each other, and none is its own neighbour. Exact as long as no bucket
    holds more than :data:`LOOK` hashes; in a denser place the neighbours are near ones, not surely the nearest.

    Memory: about 50 bytes a hash and ``5 * keep`` bytes a query, beside one part of the comparisons.

    Raises:
        ValueError: ``within`` is not 0..10, for which the bands are made.
    """
    if not 0 <= within <= DISTANCE:
        msg = f"within must lie between 0 and {DISTANCE}"
        raise ValueError(msg)
    best = _Best(len(queries), keep)
    known = queries if data is None else data
    open_queries = np.arange(len(queries))
    crowded = np.zeros(len(queries), np.bool_)
    for turned in range(3):
        for number in range(BANDS):
            if turned == 2 and number == BANDS - 1:
                break  # two turned bits in each band would be eleven in all: the pigeonhole leaves one for the last
            band = _Band(known, number)
            for part, candidates in band.look(queries, open_queries, turned, crowded):
                best.offer(queries, known, part, candidates, within, others=data is None)
        open_queries = open_queries[~best.settled(open_queries, BANDS * turned + BANDS - 1, crowded)]
        if BANDS * turned + BANDS > within or not len(open_queries):
            break
    return Neighbours(best.positions, best.distances)


class _Band:
    """The data sorted by one band; what lies in a bucket is sorted by the bits that follow."""

    def __init__(self, data: Hashes, number: int) -> None:
        self._shift = number * BAND_BITS
        turned = self._turn(data)
        self._order = np.argsort(turned, kind="stable").astype(np.int32)
        self._sorted = turned[self._order]
        band = (self._sorted >> np.uint64(64 - BAND_BITS)).astype(np.int64)
        self._starts = np.searchsorted(band, np.arange(BUCKETS + 1)).astype(np.int32)

    def _turn(self, hashes: Hashes) -> Hashes:
        """The band's bits in front, the others after them in their order."""
        if not self._shift:
            return hashes
        return (hashes << np.uint64(self._shift)) | (hashes >> np.uint64(64 - self._shift))

    def look(
        self, queries: Hashes, chosen: Numbers, turned: int, crowded: NDArray[np.bool_]
    ) -> Iterator[tuple[Numbers, NDArray[np.int32]]]:
        """Pairs of a query and a candidate, in parts: those in buckets that differ from its own by ``turned`` bits.

        ``crowded`` becomes true of a query for which a bucket was cut short.
        """
        wanted = self._turn(queries[chosen])
        own = (wanted >> np.uint64(64 - BAND_BITS)).astype(np.int32)
        for bits in combinations(range(BAND_BITS), turned):
            mask = sum(1 << bit for bit in bits)
            bucket = own ^ mask
            low, high = self._starts[bucket], self._starts[bucket + 1]
            full = np.flatnonzero(high - low > LOOK)
            if len(full):
                crowded[chosen[full]] = True
                sought = wanted[full] ^ np.uint64(mask << (64 - BAND_BITS))
                low, high = self._narrow(sought, chosen[full], full, low, high)
            yield from self._expand(chosen, low, high)

    def _narrow(
        self, sought: Hashes, asking: Numbers, full: Numbers, low: NDArray[np.int32], high: NDArray[np.int32]
    ) -> tuple[NDArray[np.int32], NDArray[np.int32]]:
        """Of full buckets the part around the place where the query would stand.

        Among equal hashes the queries spread out, or all of them would have the same few for neighbours.
        """
        left = np.searchsorted(self._sorted, sought)
        equal = np.searchsorted(self._sorted, sought, side="right") - left
        place = (left + asking % np.maximum(equal, 1)).astype(np.int32)
        first = np.clip(place - LOOK // 2, low[full], high[full] - LOOK)
        low, high = low.copy(), high.copy()
        low[full], high[full] = first, first + LOOK
        return low, high

    def _expand(
        self, chosen: Numbers, low: NDArray[np.int32], high: NDArray[np.int32]
    ) -> Iterator[tuple[Numbers, NDArray[np.int32]]]:
        found = np.flatnonzero(high > low)
        counts = (high - low)[found].astype(np.int64)
        ends = np.cumsum(counts)
        begin = 0
        while begin < len(found):
            done = ends[begin - 1] if begin else 0
            stop = max(begin + 1, int(np.searchsorted(ends, done + PART, side="right")))
            part, some = found[begin:stop], counts[begin:stop]
            within = np.arange(int(some.sum())) - np.repeat(np.cumsum(some) - some, some)
            yield np.repeat(chosen[part], some), self._order[np.repeat(low[part], some) + within]
            begin = stop


class _Best:
    """The nearest so far of each query."""

    def __init__(self, queries: int, keep: int) -> None:
        self.positions = np.full((queries, keep), -1, np.int32)
        self.distances = np.full((queries, keep), FAR, np.uint8)

    def settled(self, chosen: Numbers, surely: int, crowded: NDArray[np.bool_]) -> NDArray[np.bool_]:
        """Whether a query can find none nearer: all up to ``surely`` bits away have been looked at.

        In a crowd as many as are kept are enough.
        """
        farthest = self.distances[chosen, -1]
        enough: NDArray[np.bool_] = (farthest <= surely) | (crowded[chosen] & (farthest < FAR))
        return enough

    def offer(
        self,
        queries: Hashes,
        data: Hashes,
        asking: Numbers,
        candidates: NDArray[np.int32],
        within: int,
        *,
        others: bool,
    ) -> None:
        """Take from some candidates those that are nearer than what is kept; with ``others`` none is its own."""
        apart = np.bitwise_count(queries[asking] ^ data[candidates])
        near = np.flatnonzero((apart <= within) & (apart < self.distances[asking, -1]))
        if others:
            near = near[asking[near] != candidates[near]]
        if len(near):
            self._merge(asking[near], candidates[near], apart[near])

    def _merge(self, asking: Numbers, positions: NDArray[np.int32], apart: NDArray[np.uint8]) -> None:
        rows = np.unique(asking)
        keep = self.positions.shape[1]
        asking = np.concatenate([asking, np.repeat(rows, keep)])
        positions = np.concatenate([positions, self.positions[rows].ravel()])
        apart = np.concatenate([apart, self.distances[rows].ravel()])
        order = np.lexsort((positions, apart, asking))
        asking, positions, apart = asking[order], positions[order], apart[order]
        again = np.zeros(len(order), np.bool_)  # the same pair is met in several bands; it stands together now
        again[1:] = (asking[1:] == asking[:-1]) & (positions[1:] == positions[:-1]) & (positions[1:] >= 0)
        asking, positions, apart = asking[~again], positions[~again], apart[~again]
        starts = np.searchsorted(asking, asking)  # where the query's own candidates begin
        rank = np.arange(len(asking)) - starts
        kept = rank < keep
        self.positions[asking[kept], rank[kept]] = positions[kept]
        self.distances[asking[kept], rank[kept]] = apart[kept]
