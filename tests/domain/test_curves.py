"""Curves give a function's values to rounding, and searches find the last place where a condition holds."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from app.domain.curves import CHUNK, Curve, Reals, last_true


def logs(up: Reals, down: Reals) -> Reals:
    """Singular one step outside both ends, several times over."""
    result: Reals = 5 * np.log(up + 1) + 300 * np.log1p(down) - np.log(down + 2.5)
    return result


@pytest.mark.parametrize("length", [1, 2, 63, 64, 65, 127, 128, 129, 130, 200, 1_400, 100_000, 10_000_000])
def test_a_curve_has_the_functions_values(length: int) -> None:
    """To rounding, next to the singularities and far from them, at any length."""
    first = 7
    curve = Curve(logs, first, first + length - 1)
    at = np.unique(
        np.concatenate(
            [np.arange(min(length, 300)), np.arange(max(0, length - 300), length), np.linspace(0, length - 1, 999)]
        ).astype(np.int64)
    )
    exact = logs(at.astype(float), (length - 1 - at).astype(float))
    assert np.abs(curve(at + first) - exact).max() < 1e-14 * (1 + np.abs(exact).max())
    assert curve.at(first) == pytest.approx(exact[0], abs=1e-12)


@pytest.mark.parametrize(("first", "last"), [(0, 0), (3, 3), (0, 99_999), (63, 64), (70, 99_940), (99_990, 99_999)])
def test_a_walk_meets_every_integer_once_with_its_value(first: int, last: int) -> None:
    """In order, in steps of bounded length, from any place to any other."""
    curve = Curve(logs, 0, 99_999)
    steps = list(curve.walk(first, last))
    at = np.concatenate([numbers for numbers, _ in steps])
    assert at.tolist() == list(range(first, last + 1))
    assert max(len(numbers) for numbers, _ in steps) <= CHUNK
    np.testing.assert_allclose(np.concatenate([values for _, values in steps]), curve(at), rtol=1e-12)


@given(st.integers(-5, 5), st.integers(0, 10**7), st.integers(0, 10**7))
@settings(max_examples=200, deadline=None)
def test_the_last_place_where_a_condition_holds(first: int, more: int, holding: int) -> None:
    """Whatever the range, and also where it holds everywhere or at the first place alone."""
    last = first + more
    turn = min(first + holding, last)
    assert last_true(lambda at: at <= turn, first, last) == turn
