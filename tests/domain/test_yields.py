"""What the next verdicts are expected to find."""

import numpy as np
import pytest

from app.domain.yields import expect_errors, plan_finding


def test_a_hundred_images_of_a_third_each() -> None:
    """Mean 31, and a spread that nineteen of twenty draws stay within."""
    found = expect_errors([0.31] * 100)
    assert (found.images, found.errors, found.low, found.high) == (100, 31, 22, 40)
    random = np.random.default_rng(2)
    draws = (random.random((4_000, 100)) < 0.31).sum(axis=1)
    assert 0.94 <= ((draws >= found.low) & (draws <= found.high)).mean() <= 0.98


@pytest.mark.parametrize(("suspicions", "expected"), [([], (0, 0, 0)), ([1.0] * 4, (4, 4, 4)), ([0.0] * 4, (0, 0, 0))])
def test_certainty_has_no_spread(suspicions: list[float], expected: tuple[int, int, int]) -> None:
    """Nor has nothing."""
    found = expect_errors(suspicions)
    assert (found.errors, found.low, found.high) == expected


def test_the_most_suspicious_are_called_first() -> None:
    """Ten sure errors and a thousand images of one per cent: 95 % of the twenty want the ten and most of the rest."""
    counts = [0] * 101
    counts[100], counts[1] = 10, 1000
    plan = plan_finding(counts, 0.95)
    assert (plan.errors, plan.wanted, plan.images) == (20, 19, 910)
    assert plan_finding(counts, 0.5).images == 10
    assert plan_finding([500] + [0] * 100, 0.95).images == 0
    assert plan_finding([], 0.95).errors == 0
