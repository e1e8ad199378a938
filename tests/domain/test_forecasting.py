"""What a goal takes: the fewest clean draws that reach it, and None where an audit cannot."""

import pytest

from app.domain.bounds import bound_left
from app.domain.evidence import Draw, Evidence, Record
from app.domain.forecasting import draws_needed, with_right_draws

RECORDS = [
    Record("football", 900, 40, 3, tuple(Draw(20 + number, 3, wrong=False) for number in range(20))),
    Record("background", 2_100, 10, 0),
    Record("background", 5, 5, 5),
]


def bound_after(count: int) -> int:
    """The bound after so many more clean draws."""
    return bound_left([Evidence(record) for record in with_right_draws(RECORDS, count)], 0.05).overall


@pytest.mark.parametrize("goal", [0, 10, 30, 150])
def test_the_fewest_draws_that_reach_a_goal(goal: int) -> None:
    """With them the bound is low enough, with one fewer it is not."""
    needed = draws_needed(RECORDS, goal, 0.05)
    assert needed is not None
    assert bound_after(needed) <= goal < bound_after(needed - 1)


def test_a_goal_that_is_reached_takes_nothing() -> None:
    """Also where nothing is left to draw."""
    assert draws_needed(RECORDS, 3_000, 0.05) == 0
    assert draws_needed([], 0, 0.05) == 0


def test_a_goal_out_of_reach_is_said_to_be() -> None:
    """No mislabel at all among a million images cannot be shown by draws."""
    assert draws_needed([Record("football", 1_000_000)], 0, 0.05) is None


def test_draws_are_spread_by_what_is_left() -> None:
    """None is lost, and none comes from where nothing is left."""
    for count in (0, 1, 7, 500, 2_950):
        later = with_right_draws(RECORDS, count)
        added = [after.reviewed - before.reviewed for after, before in zip(later, RECORDS, strict=True)]
        assert sum(added) == count
        assert added[2] == 0
        assert all(after.reviewed <= after.images for after in later)
        assert abs(added[0] - count * 860 / 2_950) <= 1
