"""Cohen's kappa against figures worked out by hand, and what is made of it for people."""

from datetime import UTC, datetime, timedelta

import pytest

from app.domain.agreement import (
    LookCount,
    PersonAgreement,
    cohens_kappa,
    measure_agreement,
    measure_people,
    median_pace,
    table_of_looks,
    tables_of_pairs,
)
from app.domain.reviewing import Verdict

YES, NO, UNSURE = Verdict.POSITIVE, Verdict.NEGATIVE, Verdict.UNSURE
T0 = datetime(2026, 3, 1, tzinfo=UTC)


def test_kappa_of_two_by_two() -> None:
    """20 + 15 of 50 agree: po = 0.7; margins 25/25 and 30/20 give pe = 0.5; so kappa = 0.2 / 0.5 = 0.4."""
    table = {(YES, YES): 20, (YES, NO): 5, (NO, YES): 10, (NO, NO): 15}
    found = measure_agreement(table)
    assert (found.images, found.agreed, found.percent) == (50, 35, pytest.approx(70.0))
    assert found.kappa == pytest.approx(0.4)


def test_kappa_of_three_by_three() -> None:
    """po = 81/200 = 0.405; pe = (50*60 + 80*70 + 70*70)/200^2 = 0.3375; kappa = 0.0675 / 0.6625."""
    table = {
        (YES, YES): 20, (YES, NO): 15, (YES, UNSURE): 15,
        (NO, YES): 20, (NO, NO): 33, (NO, UNSURE): 27,
        (UNSURE, YES): 20, (UNSURE, NO): 22, (UNSURE, UNSURE): 28,
    }  # fmt: skip
    po, pe = (20 + 33 + 28) / 200, (50 * 60 + 80 * 70 + 70 * 70) / 200**2
    assert pe == pytest.approx(0.3375)
    assert cohens_kappa(table) == pytest.approx((po - pe) / (1 - pe))
    assert cohens_kappa(table) == pytest.approx(0.10189, abs=1e-5)


@pytest.mark.parametrize(
    ("table", "kappa"),
    [
        ({}, None),
        ({(YES, YES): 9}, None),  # chance alone would agree on everything
        ({(YES, YES): 5, (NO, NO): 5}, 1.0),
        ({(YES, NO): 5, (NO, YES): 5}, -1.0),
        ({(YES, YES): 25, (YES, NO): 25, (NO, YES): 25, (NO, NO): 25}, 0.0),
        ({(YES, NO): 7}, 0.0),  # neither ever gives the other's verdict: po = pe = 0
    ],
)
def test_kappa_at_its_ends(table: dict[tuple[Verdict, Verdict], int], kappa: float | None) -> None:
    """Undefined, perfect, none, and what chance gives."""
    assert cohens_kappa(table) == kappa


COUNTS = [
    LookCount("ada", YES, "bob", YES, None, 6),
    LookCount("bob", NO, "ada", YES, NO, 2),  # settled against ada
    LookCount("ada", NO, "cy", YES, None, 1),  # open
    LookCount("cy", YES, None, None, NO, 1),  # not blind: no independent pair
]


def test_pairs_are_told_whichever_looked_first() -> None:
    """By names in order; the blind pairs alone."""
    assert table_of_looks(COUNTS) == {(YES, YES): 6, (NO, YES): 3}
    assert tables_of_pairs(COUNTS) == {("ada", "bob"): {(YES, YES): 6, (YES, NO): 2}, ("ada", "cy"): {(NO, YES): 1}}


def test_people_fare_by_what_was_independent() -> None:
    """Compared, agreed, settled, overruled."""
    assert measure_people(COUNTS) == {
        "ada": PersonAgreement(9, 6, 2, 2),
        "bob": PersonAgreement(8, 6, 2, 0),
        "cy": PersonAgreement(1, 0, 1, 1),
    }


def test_the_pace_leaves_breaks_out_and_shares_a_press() -> None:
    """Gaps of 1, 3, 120 (a break) and 2 seconds; a batch of four after 8 s counts 2 s each."""
    at = [0.0, 1.0, 4.0, 124.0, 126.0]
    times = [T0 + timedelta(seconds=second) for second in reversed(at)]
    assert median_pace(times) == 2.0
    batch = [T0 + timedelta(seconds=second) for second in (8.003, 8.002, 8.001, 8.0, 0.0)]
    assert median_pace(batch) == pytest.approx(2.0)
    assert median_pace(times[:3]) is None
