"""The search for pictures that look alike, against comparing all pairs."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from app.domain.duplicates import DISTANCE, LOOK, NEIGHBOURS, as_hashes, find_neighbours
from app.domain.perceptual import hash_distance

HASH = st.integers(0, (1 << 64) - 1)


@st.composite
def crowds(draw: st.DrawFn) -> list[int]:
    """A few hashes, and others a few bits away from one of them, across any of the bands."""
    bases = draw(st.lists(HASH, min_size=1, max_size=4))
    hashes = list(bases)
    for _ in range(draw(st.integers(0, 30))):
        turned = draw(st.sets(st.integers(0, 63), max_size=13))
        hashes.append(draw(st.sampled_from(bases)) ^ sum(1 << bit for bit in turned))
    return hashes


def brute_force(hashes: list[int], within: int) -> list[list[int]]:
    """The distances of each to the others, nearest first."""
    return [
        sorted(
            apart
            for other, that in enumerate(hashes)
            if other != one and (apart := hash_distance(this, that)) <= within
        )
        for one, this in enumerate(hashes)
    ]


def array(hashes: list[int]) -> NDArray[np.uint64]:
    """As the search takes them."""
    return np.array(hashes, np.uint64)


@settings(max_examples=60, deadline=None)
@given(hashes=crowds(), within=st.integers(0, DISTANCE), keep=st.integers(1, NEIGHBOURS))
def test_the_nearest_are_those_of_comparing_all_pairs(hashes: list[int], within: int, keep: int) -> None:
    """As many, and each as near; every distance is that of its pair, and no picture is its own neighbour."""
    found = find_neighbours(array(hashes), within=within, keep=keep)

    wanted = brute_force(hashes, within)
    for one, this in enumerate(hashes):
        positions = [int(position) for position in found.positions[one] if position >= 0]
        distances = [int(apart) for apart in found.distances[one][: len(positions)]]
        assert distances == wanted[one][:keep]
        assert [hash_distance(this, hashes[position]) for position in positions] == distances
        assert one not in positions
        assert len(set(positions)) == len(positions)


@settings(max_examples=60, deadline=None)
@given(data=crowds(), queries=st.lists(HASH, max_size=5), turned=st.sets(st.integers(0, 63), max_size=10))
def test_one_side_is_searched_for_the_other(data: list[int], queries: list[int], turned: set[int]) -> None:
    """The neighbours are of the data alone, also where a query stands in it."""
    queries = [*queries, data[0] ^ sum(1 << bit for bit in turned), data[-1]]
    found = find_neighbours(array(queries), array(data))

    for one, this in enumerate(queries):
        wanted = sorted(apart for that in data if (apart := hash_distance(this, that)) <= DISTANCE)
        assert [int(apart) for apart in found.distances[one] if apart <= DISTANCE] == wanted[:NEIGHBOURS]


@pytest.mark.parametrize("turned", [[0, 1, 2, 16, 17, 18, 32, 33, 34, 48], [3, 4, 16, 17, 18, 40, 41, 50, 51, 63]])
def test_ten_bits_are_found_however_they_are_spread(turned: list[int]) -> None:
    """Three in each of the first bands and one in the last is the worst case, and any other."""
    pair = array([7, 7 ^ sum(1 << bit for bit in turned)])
    assert find_neighbours(pair).distances[:, 0].tolist() == [10, 10]
    assert find_neighbours(array([7, int(pair[1]) ^ (1 << 60)])).distances[:, 0].tolist() == [65, 65]


def test_thousands_of_one_hash_stay_few_neighbours() -> None:
    """Black frames: each has its share of neighbours, none is compared with all others."""
    found = find_neighbours(np.zeros(50 * LOOK, np.uint64))
    assert found.distances.shape == (50 * LOOK, NEIGHBOURS)
    assert not found.distances.any()
    assert (found.positions >= 0).all()
    assert np.bincount(found.positions.ravel()).max() <= LOOK  # nor is one the neighbour of all


def test_a_crowd_in_which_no_two_are_equal_has_near_neighbours() -> None:
    """Frames of one video: each finds as many as are kept, and nearly all of the nearest."""
    random = np.random.default_rng(3)
    hashes = np.full(3000, random.integers(0, 1 << 63), np.uint64)
    for _ in range(4):
        hashes ^= np.uint64(1) << random.integers(0, 64, len(hashes)).astype(np.uint64)
    hashes = np.unique(hashes)
    found = find_neighbours(hashes)
    nearest = np.sort(np.bitwise_count(hashes[:200, None] ^ hashes[None, :]), axis=1)[:, 1 : NEIGHBOURS + 1]
    assert (found.distances <= DISTANCE).all()
    assert float(found.distances[:200].mean()) <= float(nearest.mean()) + 2


def test_nothing_has_no_neighbours() -> None:
    """Of no picture, and of one."""
    assert find_neighbours(array([])).positions.shape == (0, NEIGHBOURS)
    assert [len(part) for part in find_neighbours(array([5])).pairs()] == [0, 0, 0]


@pytest.mark.parametrize("within", [-1, DISTANCE + 1])
def test_a_distance_for_which_the_bands_are_not_made_is_refused(within: int) -> None:
    """It would be searched with holes."""
    with pytest.raises(ValueError, match="between 0 and 10"):
        find_neighbours(array([1]), within=within)


def test_stored_hashes_are_the_same_bits() -> None:
    """The database keeps them with a sign."""
    assert as_hashes(np.array([-1, 0, 5], np.int64)).tolist() == [(1 << 64) - 1, 0, 5]
