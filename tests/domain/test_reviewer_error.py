"""Reviewer error: chances from repeats that hold at all times, and a bound that is not below the truth."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.stats import beta, binom

from app.domain.reviewer_error import (
    Repeats,
    chance_upper,
    measure_reviewer_error,
    truly_wrong,
    wrong_verdicts,
)


def test_without_repeats_nothing_is_known_of_people() -> None:
    """Every verdict may be wrong, and every image that has none."""
    found = measure_reviewer_error(Repeats(), settled_yes=30, settled_no=20, unreviewed=50, left_upper=3)
    assert found.errors_upper_with_reviewer_error == 100
    assert (found.says_no_given_object.estimate, found.says_no_given_object.upper) == (None, 1.0)


def test_with_many_faultless_repeats_little_is_added() -> None:
    """The bound comes down to the one without reviewer error as people prove reliable, and never below it."""
    bounds = [
        measure_reviewer_error(
            Repeats(of_yes=count, of_no=count), settled_yes=50, settled_no=50, unreviewed=900, left_upper=9
        ).errors_upper_with_reviewer_error
        for count in (10, 1_000, 100_000, 10**7)
    ]
    assert bounds == sorted(bounds, reverse=True)
    assert 9 <= bounds[-1] <= 9 + 6
    assert bounds[0] > 3 * bounds[-1]


def test_estimates_are_plain_shares() -> None:
    """Of the repeats by the first answer; the bound lies above."""
    found = measure_reviewer_error(Repeats(100, 2, 300, 3), settled_yes=9, settled_no=9, unreviewed=9, left_upper=1)
    assert (found.says_no_given_object.estimate, found.says_yes_given_none.estimate) == (0.02, 0.01)
    assert found.says_no_given_object.upper > found.says_yes_given_none.upper > 0.01
    assert found.risk == 0.05
    assert found.assumptions


@pytest.mark.parametrize(("wrong", "trials"), [(0, 50), (1, 50), (10, 50), (49, 50), (20, 5_000)])
def test_a_chance_is_bounded_a_little_wider_than_for_a_fixed_number(wrong: int, trials: int) -> None:
    """Clopper-Pearson holds only for a number of trials fixed beforehand: the price of all times is not large."""
    fixed = beta.ppf(0.99, wrong + 1, trials - wrong)
    assert fixed < chance_upper(wrong, trials, 0.01) < min(1.0, 2 * fixed)


def test_more_wrong_answers_never_lower_the_chance() -> None:
    """On which it rests that repeats which err more often than the person bound the person."""
    for trials in (1, 7, 40, 200):
        uppers = [chance_upper(wrong, trials, 0.01) for wrong in range(trials + 1)]
        assert uppers == sorted(uppers)
        assert uppers[-1] == 1.0


@pytest.mark.parametrize("chance", [0.002, 0.03, 0.3])
def test_the_true_chance_stays_below_its_bound_at_all_times(chance: float) -> None:
    """Looked at after every answer, in 300 runs at a risk of 5 %."""
    answers = np.random.default_rng(5).random((300, 150)) < chance
    uppers = {(wrong, trials): 0.0 for trials in range(1, 151) for wrong in range(trials + 1)}
    passed = 0
    for run in answers.cumsum(axis=1):
        looks = [(int(wrong), trials) for trials, wrong in enumerate(run, start=1)]
        for look in looks:
            uppers[look] = uppers[look] or chance_upper(*look, 0.05)
        passed += all(uppers[look] >= chance for look in looks)
    assert passed >= 0.95 * 300


@given(st.integers(0, 60), st.integers(0, 60), st.floats(0, 1), st.floats(0.001, 0.5))
@settings(deadline=None)
def test_parts_of_the_bound_stay_within_what_there_is(called: int, images: int, chance: float, risk: float) -> None:
    """Never more than the images, nor fewer than would be called wrong, and more with a larger chance."""
    wrong = truly_wrong(called, images, chance, risk)
    assert min(called, images) <= wrong <= images
    assert wrong <= truly_wrong(called, images, min(1.0, chance + 0.1), risk)
    assert 0 <= wrong_verdicts(right=images, called=called, chance=chance, risk=risk) <= called


def test_wrong_verdicts_are_bounded_at_all_times() -> None:
    """Objects called one after the other, looked at after each: the misses stay below the bound in 95 % of 400 runs."""
    missed = (np.random.default_rng(6).random((400, 300)) < 0.04).cumsum(axis=1)
    bounds = {
        (count, wrong): wrong_verdicts(right=count - wrong, called=10**6, chance=0.04, risk=0.05)
        for count in range(1, 301)
        for wrong in np.unique(missed[:, count - 1]).tolist()
    }
    held = [all(bounds[count, int(wrong)] >= wrong for count, wrong in enumerate(run, start=1)) for run in missed]
    assert sum(held) >= 0.95 * 400
    assert bounds[300, int(np.median(missed[:, -1]))] < 60


def test_misses_among_images_without_a_verdict() -> None:
    """70 that would be called wrong, 5 % missed at most: about 79 are, and all if nothing is known of the chance."""
    assert truly_wrong(70, 10**7, 0.05, 0.01) == 79
    assert truly_wrong(70, 500, 1.0, 0.01) == 500
    assert truly_wrong(0, 500, 0.0, 0.01) == 0


def test_the_bound_covers_what_people_leave_wrong() -> None:
    """People who miss 6 % and invent 3 %: verdicts, repeats and the rest, in 300 runs."""
    rng, low = np.random.default_rng(7), 0
    for _ in range(300):
        objects, nothings, rest_wrong = 300, 400, 60
        missed, invented = rng.binomial(objects, 0.06), rng.binomial(nothings, 0.03)
        called = rest_wrong - rng.binomial(rest_wrong, 0.06)
        repeats = Repeats(150, rng.binomial(150, 0.06), 150, rng.binomial(150, 0.03))
        found = measure_reviewer_error(
            repeats,
            settled_yes=objects - missed + invented,
            settled_no=nothings - invented + missed,
            unreviewed=5_000,
            left_upper=int(called),
        )
        low += found.errors_upper_with_reviewer_error < missed + invented + rest_wrong
    assert low <= 0.05 * 300


@given(st.integers(0, 300), st.integers(0, 300), st.floats(0, 0.999), st.sampled_from([0.01, 0.05, 0.2]))
def test_what_may_be_wrong_goes_by_the_quantile_of_a_binomial(
    called: int, images: int, chance: float, risk: float
) -> None:
    """Counted one by one with scipy.stats, which the app does not import, as it makes every command start later."""
    wrong = np.arange(images + 1)
    possible = wrong - binom.ppf(1 - risk, wrong, chance) <= called
    assert truly_wrong(called, images, chance, risk) == np.flatnonzero(possible).max()
