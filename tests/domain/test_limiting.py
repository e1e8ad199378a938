"""Buckets of attempts: what they let through, how they fill again, what they remember."""

from hypothesis import given
from hypothesis import strategies as st

from app.domain.limiting import Buckets


def test_a_bucket_empties_and_fills_again() -> None:
    """Three at once, then one every ten seconds."""
    buckets = Buckets(size=3, refill_s=10)
    for _ in range(3):
        assert buckets.wait_s("ada", 100) == 0
        buckets.take("ada", 100)
    assert buckets.wait_s("ada", 100) == 10
    assert buckets.wait_s("ada", 104) == 6
    assert buckets.wait_s("ada", 110) == 0
    assert buckets.wait_s("grace", 100) == 0


def test_an_attempt_that_was_right_is_given_back() -> None:
    """So that signing in often costs nothing."""
    buckets = Buckets(size=1, refill_s=10)
    buckets.take("ada", 100)
    buckets.give_back("ada", 100)
    buckets.give_back("nobody", 100)
    assert buckets.wait_s("ada", 100) == 0


def test_memory_is_bounded() -> None:
    """The key that was used least lately is forgotten."""
    buckets = Buckets(size=1, refill_s=1000, most=3)
    for key in ("a", "b", "c", "a", "d"):
        buckets.take(key, 100)
    assert len(buckets) == 3
    assert buckets.wait_s("b", 100) == 0
    assert buckets.wait_s("a", 100) > 0


@given(st.lists(st.floats(0, 5000), max_size=60), st.integers(1, 8), st.floats(1, 100))
def test_nobody_is_shut_out_for_ever(moments: list[float], size: int, refill_s: float) -> None:
    """However often somebody tries, one refill after the last counted attempt the next one is free."""
    buckets = Buckets(size=size, refill_s=refill_s)
    last, counted = 0.0, 0
    for moment in sorted(moments):
        if buckets.wait_s("ada", moment) == 0:
            buckets.take("ada", moment)
            last, counted = moment, counted + 1
    assert buckets.wait_s("ada", last + refill_s + 0.001) == 0
    assert counted <= size + 5000 / refill_s + 1
