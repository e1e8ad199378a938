"""Which verdict counts after any history of verdicts and undos."""

from datetime import UTC, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from app.domain.images import Side
from app.domain.reviewing import ReviewFact, Verdict, final_side, find_effective, side_of, upholds_flag

NOW = datetime(2026, 3, 1, tzinfo=UTC)


def said(review_id: int, verdict: Verdict) -> ReviewFact:
    """A verdict."""
    return ReviewFact(review_id, verdict, None, "ada", NOW)


def took_back(review_id: int, undoes: int) -> ReviewFact:
    """An undo."""
    return ReviewFact(review_id, None, undoes, "ada", NOW)


def test_without_a_review_nothing_counts() -> None:
    """An image nobody looked at has no effective review."""
    assert find_effective([]) is None


def test_the_latest_verdict_counts() -> None:
    """A second verdict on the same image takes the place of the first."""
    first, second = said(1, Verdict.POSITIVE), said(2, Verdict.NEGATIVE)
    assert find_effective([first, second]) == second


def test_an_undo_brings_the_verdict_before_back() -> None:
    """Taking the second verdict back makes the first count again; taking that back leaves none."""
    first, second = said(1, Verdict.POSITIVE), said(2, Verdict.NEGATIVE)
    history = [first, second, took_back(3, 2)]
    assert find_effective(history) == first
    assert find_effective([*history, took_back(4, 1)]) is None


@given(st.lists(st.one_of(st.sampled_from(list(Verdict)), st.just("undo")), max_size=30))
def test_any_interleaving_of_verdicts_and_undos_is_a_stack(steps: list[Verdict | str]) -> None:
    """A verdict is pushed, an undo of what counts pops: what counts is always the top of that stack."""
    history: list[ReviewFact] = []
    stack: list[ReviewFact] = []
    for review_id, step in enumerate(steps, 1):
        if isinstance(step, Verdict):
            history.append(said(review_id, step))
            stack.append(history[-1])
        elif stack:
            history.append(took_back(review_id, stack.pop().review_id))
        assert find_effective(history) == (stack[-1] if stack else None)


@given(st.permutations([said(1, Verdict.POSITIVE), said(2, Verdict.DISCARD), took_back(3, 2), said(4, Verdict.UNSURE)]))
def test_the_order_of_the_rows_does_not_matter(history: list[ReviewFact]) -> None:
    """Ids grow with time, so rows may be read in any order."""
    assert find_effective(history) == said(4, Verdict.UNSURE)


@pytest.mark.parametrize(
    ("verdict", "side"),
    [
        (Verdict.POSITIVE, Side.POSITIVE),
        (Verdict.NEGATIVE, Side.NEGATIVE),
        (Verdict.UNSURE, None),
        (Verdict.DISCARD, None),
        (None, None),
    ],
)
def test_a_verdict_stands_for_a_label_or_for_none(verdict: Verdict | None, side: Side | None) -> None:
    """Only yes and no name a label."""
    assert side_of(verdict) is side


@pytest.mark.parametrize(
    ("verdict", "signed_off", "final"),
    [
        (None, False, None),
        (None, True, Side.NEGATIVE),
        (Verdict.POSITIVE, False, Side.POSITIVE),
        (Verdict.POSITIVE, True, Side.POSITIVE),
        (Verdict.NEGATIVE, False, Side.NEGATIVE),
        (Verdict.UNSURE, True, None),
        (Verdict.DISCARD, True, None),
    ],
)
def test_the_final_label_follows_the_verdict_and_then_the_sign_off(
    verdict: Verdict | None, signed_off: bool, final: Side | None
) -> None:
    """A verdict wins over a sign-off, and unsure or discard release the image nowhere, signed off or not."""
    assert final_side(Side.NEGATIVE, verdict, signed_off=signed_off) is final


@pytest.mark.parametrize(
    ("given_side", "verdict", "upheld"),
    [
        (Side.NEGATIVE, Verdict.POSITIVE, True),
        (Side.NEGATIVE, Verdict.NEGATIVE, False),
        (Side.POSITIVE, Verdict.NEGATIVE, True),
        (Side.POSITIVE, Verdict.POSITIVE, False),
        (Side.POSITIVE, Verdict.UNSURE, None),
        (Side.NEGATIVE, Verdict.DISCARD, None),
    ],
)
def test_a_verdict_upholds_or_overrules_the_flag(given_side: Side, verdict: Verdict, upheld: bool | None) -> None:
    """Against the folder is upheld, with the folder is overruled, unsure and discard are neither."""
    assert upholds_flag(given_side, verdict) is upheld
