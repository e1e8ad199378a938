"""Groups of pictures that look alike, by their hashes."""

from hypothesis import given
from hypothesis import strategies as st

from app.domain.perceptual import ALIKE, group_similar, hash_distance

HASHES = st.lists(st.none() | st.integers(-(1 << 63), (1 << 63) - 1) | st.integers(-3, 3), max_size=40)


def test_the_largest_group_comes_first() -> None:
    """Then by the first place; each hash lies near its group's first."""
    far = [0, -1, 0x00FF_00FF_00FF_00FF]
    assert group_similar([far[0], far[1], far[2], far[1] ^ 1, far[1] ^ 2, far[2] ^ 8]) == [[1, 3, 4], [2, 5], [0]]


def test_without_a_hash_there_is_no_group() -> None:
    """Nothing is known of it, so it is like nothing."""
    assert group_similar([None, None, 5, 5]) == [[2, 3], [0], [1]]
    assert group_similar([]) == []


@given(HASHES)
def test_every_place_is_in_one_group_near_its_first(hashes: list[int | None]) -> None:
    """Whatever the hashes, signs included."""
    groups = group_similar(hashes)
    assert sorted(place for group in groups for place in group) == list(range(len(hashes)))
    assert [len(group) for group in groups] == sorted((len(group) for group in groups), reverse=True)
    for group in groups:
        first = hashes[group[0]]
        for place in group[1:]:
            other = hashes[place]
            assert first is not None
            assert other is not None
            assert hash_distance(first, other) <= ALIKE
