"""Where images are cut into slices."""

from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from app.domain.slicing import MAX_PER_SIDE, OVERLAP, plan_slices


def test_a_small_image_is_not_cut() -> None:
    """The whole image is its one slice already."""
    assert plan_slices(384, 200, 384) == []


def test_a_demo_frame_is_cut_into_four() -> None:
    """640 pixels hold two slices of 384 a side, the last of which ends at the edge."""
    found = plan_slices(640, 640, 384)
    assert [tuple(part) for part in found] == [
        (0, 0, 384, 384),
        (256, 0, 640, 384),
        (0, 256, 384, 640),
        (256, 256, 640, 640),
    ]


@given(st.integers(1, 9000), st.integers(1, 9000), st.integers(64, 1000))
def test_slices_cover_the_image_overlap_and_stay_few(width: int, height: int, slice_px: int) -> None:
    """Whatever the proportions: no gap, none past the edge, neighbours share a fifth, at most 8 a side."""
    found = plan_slices(width, height, slice_px)
    if not found:
        assert max(width, height) <= slice_px
        return
    columns = sorted({(part.x0, part.x1) for part in found})
    rows = sorted({(part.y0, part.y1) for part in found})
    assert len(found) == len(columns) * len(rows)
    for spans, length in ((columns, width), (rows, height)):
        assert len(spans) <= MAX_PER_SIDE
        assert (spans[0][0], spans[-1][1]) == (0, length)
        for (low, high), (after, _) in pairwise(spans):
            assert high - after >= OVERLAP * (high - low) - 1


@pytest.mark.parametrize("width", [641, 1280, 4000])
def test_an_object_on_an_edge_lies_whole_in_a_neighbour(width: int) -> None:
    """If it is no wider than the overlap."""
    found = plan_slices(width, 384, 384)
    for left in range(0, width - 70, 10):
        assert any(part.x0 <= left and left + 70 <= part.x1 for part in found)
