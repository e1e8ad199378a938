"""The rules by which an engine is let in or refused."""

from dataclasses import replace

import pytest

from app.domain.detections import Box, Detection
from app.domain.faith import MIN_CANARIES, FaithRules, compare_engines, iou

FULL = FaithRules(("football",), floor=0.05, threshold=0.5, reduced=False)
REDUCED = replace(FULL, reduced=True)
Image = list[Detection]


def see(confidence: float, x: float = 100.0, name: str = "football") -> Detection:
    """A ball of 40 pixels."""
    return Detection(Box(x, 50, x + 40, 90), confidence, name)


def canaries(confidence: float = 0.8, count: int = MIN_CANARIES) -> list[Image]:
    """Each with a ball that the engine is that sure of, and something weak."""
    return [[see(confidence), see(0.1, 300)] for _ in range(count)]


def with_first(image: Image) -> list[Image]:
    """The canaries, the first of which was seen differently."""
    return [image, *canaries()[1:]]


def test_the_same_answers_pass() -> None:
    """With figures that say so."""
    report = compare_engines(canaries(), canaries(), FULL)
    assert (report.passed, report.min_iou, report.max_confidence_gap, report.scores_within) == (True, 1.0, 0.0, 1.0)


def test_swapped_places_are_no_difference() -> None:
    """Two near-tied queries may come in either order."""
    report = compare_engines(canaries(), [list(reversed(image)) for image in canaries()], FULL)
    assert report.passed


def test_rounding_passes_and_more_does_not() -> None:
    """A hundredth of confidence is allowed."""
    assert compare_engines(canaries(), with_first([see(0.809), see(0.1, 300)]), FULL).passed
    report = compare_engines(canaries(), with_first([see(0.815), see(0.1, 300)]), FULL)
    assert "confidence is 0.015 off" in (report.reason or "")


@pytest.mark.parametrize("rules", [FULL, REDUCED])
def test_too_few_canaries_prove_nothing(rules: FaithRules) -> None:
    """However well they agree."""
    report = compare_engines(canaries(count=10), canaries(count=10), rules)
    assert "only 10 canary images" in (report.reason or "")


@pytest.mark.parametrize(
    ("image", "reason"),
    [
        ([see(0.8)], "seen by one engine alone"),
        ([see(0.8), see(0.1, 300), see(0.2, 500)], "seen by one engine alone"),
        ([see(0.8, 103), see(0.1, 300)], "overlaps the reference's by IoU"),
        ([see(0.8, name="head"), see(0.1, 300)], "turns the flag of 1"),
        ([], "turns the flag of 1"),
    ],
)
def test_what_an_engine_in_float32_must_not_do(image: Image, reason: str) -> None:
    """Lose, invent, shift or rename a single box."""
    report = compare_engines(canaries(), with_first(image), FULL)
    assert reason in (report.reason or "")
    assert not report.passed


def test_a_box_that_slips_below_the_floor_is_still_found() -> None:
    """Both engines give everything: at the floor itself nothing is lost by rounding."""
    weak = [[see(0.8), see(0.0501, 300)] for _ in range(MIN_CANARIES)]
    weaker = [[see(0.8), see(0.0499, 300)] for _ in range(MIN_CANARIES)]
    assert compare_engines(weak, weaker, FULL).passed


def test_reduced_precision_may_move_boxes_but_not_scores() -> None:
    """99 of 100 scores within 0.02."""
    moved = [[see(0.81, 104), see(0.1, 300)] for _ in range(MIN_CANARIES)]
    assert compare_engines(canaries(), moved, REDUCED).passed
    far = [[see(0.85), see(0.1, 300)] for _ in range(MIN_CANARIES)]
    assert "0.0% of the scores are within" in (compare_engines(canaries(), far, REDUCED).reason or "")


def test_one_score_in_a_hundred_may_be_off_but_no_flag() -> None:
    """A turned flag is what a person would see."""
    many = canaries(count=200)
    off = [[see(0.75), see(0.1, 300)], *many[1:]]
    turned = [[see(0.4), see(0.1, 300)], *many[1:]]
    assert compare_engines(many, off, REDUCED).passed
    assert "turns the flag of 1" in (compare_engines(many, turned, REDUCED).reason or "")


def test_a_flag_near_the_threshold_may_turn() -> None:
    """There the reference itself is undecided."""
    near = [[see(0.501)], *canaries()[1:]]
    assert compare_engines(near, [[see(0.497)], *canaries()[1:]], FULL).passed


def test_an_engine_that_sees_nothing_is_not_excused_by_an_unsure_reference() -> None:
    """With nothing above the floor the strongest boxes below it are compared."""
    unsure = [[see(0.01), see(0.009, 300)] for _ in range(MIN_CANARIES)]
    blind: list[Image] = [[] for _ in range(MIN_CANARIES)]
    assert compare_engines(unsure, unsure, FULL).passed
    assert "seen by one engine alone" in (compare_engines(unsure, blind, FULL).reason or "")


def test_reduced_precision_needs_something_to_be_seen() -> None:
    """Scores of nothing at all agree whatever the engine does."""
    unsure = [[see(0.01)] for _ in range(MIN_CANARIES)]
    report = compare_engines(unsure, unsure, REDUCED)
    assert "on only 0 canary images" in (report.reason or "")


def test_a_reference_that_gives_no_box_at_all_settles_nothing() -> None:
    """Nobody can be compared with it."""
    blind: list[Image] = [[] for _ in range(MIN_CANARIES)]
    assert "sees nothing on any canary" in (compare_engines(blind, blind, FULL).reason or "")


def test_intersection_over_union() -> None:
    """None, half of one, all."""
    assert iou(Box(0, 0, 10, 10), Box(20, 0, 30, 10)) == 0
    assert iou(Box(0, 0, 10, 10), Box(0, 0, 10, 5)) == pytest.approx(0.5)
    assert iou(Box(0, 0, 0, 0), Box(0, 0, 0, 0)) == 0
