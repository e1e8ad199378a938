"""Many looks, one list."""

import pytest

from app.domain.detections import Box, Detection
from app.domain.merging import average_mirrored, merge_slices


def ball(x: float, confidence: float, side: float = 20, name: str = "football") -> Detection:
    """A square box at ``x``."""
    return Detection(Box(x, 10, x + side, 10 + side), confidence, name)


def test_an_object_seen_twice_is_kept_once_with_the_surer_look() -> None:
    """The whole image was unsure, a slice was not."""
    assert merge_slices([ball(100, 0.3)], [[ball(101, 0.9)]]) == [ball(101, 0.9)]


def test_half_an_object_at_the_edge_of_a_slice_goes() -> None:
    """Its IoU with the whole object is small, but it lies inside it."""
    half = Detection(Box(100, 10, 106, 30), 0.6, "football")
    assert merge_slices([ball(100, 0.8)], [[half]]) == [ball(100, 0.8)]


def test_other_objects_and_other_classes_stay() -> None:
    """Strongest first, whichever look they come from."""
    found = merge_slices([ball(100, 0.5), ball(100, 0.4, name="head")], [[ball(300, 0.7)], []])
    assert [(each.class_name, each.confidence) for each in found] == [
        ("football", 0.7),
        ("football", 0.5),
        ("head", 0.4),
    ]


def test_two_looks_are_averaged_one_to_one() -> None:
    """What only one look has seen keeps half of its confidence."""
    found = average_mirrored([ball(100, 0.8), ball(300, 0.4)], [ball(102, 0.6), ball(500, 0.5)])
    assert [each.confidence for each in found] == pytest.approx([0.7, 0.25, 0.2])
    assert found[0].box == ball(100, 0).box


def test_a_partner_serves_only_once() -> None:
    """Two boxes on one object: the mirror image has only one for them."""
    found = average_mirrored([ball(100, 0.8), ball(101, 0.6)], [ball(100, 0.8)])
    assert sorted(each.confidence for each in found) == pytest.approx([0.3, 0.8])
