"""Bounds equal the definition over all vectors of totals, and hold as often as they promise."""

from fractions import Fraction
from itertools import count
from math import pi

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from app.domain import bounds
from app.domain.bounds import bound_left, risk_of_audit
from app.domain.evidence import Draw, Evidence, Prior, Record
from app.errors import InvalidInputError
from tests.domain import exact
from tests.domain.test_evidence import EVENTS, PRIORS, paths, play

STRATUM = st.tuples(st.lists(st.booleans(), max_size=6), EVENTS, PRIORS)
LABELS = ("football", "background", "background", "football")


@given(st.lists(STRATUM, max_size=3), st.sampled_from([0.01, 0.05, 0.3, 0.9]))
@settings(max_examples=150, deadline=None)
def test_bounds_are_the_largest_sums_over_all_kept_vectors(
    strata: list[tuple[list[bool], list[tuple[bool, int]], Prior]], risk: float
) -> None:
    """Overall, per label and per stratum, against every vector of totals in fractions."""
    records = [play(*stratum, label) for stratum, label in zip(strata, LABELS, strict=False)]
    bound = bound_left([Evidence(record) for record in records], risk)
    everywhere = exact.largest_left(records, Fraction(risk), [True] * len(records))
    assert bound.overall == everywhere
    for label, left in bound.per_label.items():
        assert left == exact.largest_left(records, Fraction(risk), [record.label == label for record in records])
    for index, left in enumerate(bound.per_stratum):
        assert left == exact.largest_left(records, Fraction(risk), [each == index for each in range(len(records))])


def clean(images: int, draws: int, label: str = "football", prior: Prior | None = None, wrong: int = 0) -> Record:
    """A stratum with so many draws and no other verdicts, the first ``wrong`` of them wrong."""
    drawn = tuple(Draw(number, min(number, wrong), wrong=number < wrong) for number in range(draws))
    return Record(label, images, draws, min(draws, wrong), drawn, prior or Prior())


@pytest.mark.parametrize(
    ("draws", "prior", "percent"),
    [(427, Prior(1, 1), 2.02), (427, Prior(), 1.02), (824, Prior(1, 1), 1.09), (824, Prior(), 0.55)],
)
def test_clean_draws_of_seven_thousand_images(draws: int, prior: Prior, percent: float) -> None:
    """Figures worked out elsewhere for the same method."""
    bound = bound_left([Evidence(clean(7_124, draws, prior=prior))], 0.05)
    assert round(100 * bound.overall / 7_124, 2) == percent


def test_six_strata_cost_less_than_a_union_bound() -> None:
    """The product of six equal strata, against six bounds at a sixth of the risk each, added up."""
    strata = [Evidence(clean(1_187, 71)) for _ in range(6)]
    together = bound_left(strata, 0.05).overall
    apart = 6 * bound_left(strata[:1], 0.05 / 6).overall
    assert round(100 * together / 7_124, 1) == 1.7
    assert apart > 3 * together


@given(st.lists(st.tuples(st.integers(1, 900), st.integers(0, 60), st.integers(0, 5)), min_size=2, max_size=4))
@settings(max_examples=40, deadline=None)
def test_searching_by_halves_finds_what_sorting_everything_finds(strata: list[tuple[int, int, int]]) -> None:
    """With one step sorted outright, and with all of them."""
    evidence = [Evidence(clean(images, min(draws, images), wrong=wrong)) for images, draws, wrong in strata]
    whole = bound_left(evidence, 0.05)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(bounds, "SORTED", 1)
        assert bound_left(evidence, 0.05) == whole


def test_ten_million_images() -> None:
    """Six strata, some with errors: found by halves, and between the bounds of the strata and their sum."""
    strata = [Evidence(clean(1_666_666, 100 + number, LABELS[number % 2], wrong=number % 3)) for number in range(6)]
    bound = bound_left(strata, 0.05)
    assert max(bound.per_stratum) <= max(bound.per_label.values()) <= bound.overall <= sum(bound.per_label.values())
    assert bound.overall < 1_666_666 / 2


def test_nothing_is_known_without_draws() -> None:
    """All that has no verdict may be wrong."""
    bound = bound_left([Evidence(Record("football", 100, 30, 4)), Evidence(Record("background", 50))], 0.05)
    assert (bound.overall, bound.per_label, bound.per_stratum) == (120, {"football": 70, "background": 50}, (70, 50))


def test_nothing_is_left_where_all_is_reviewed() -> None:
    """Nor in an empty stratum, nor without any."""
    assert bound_left([], 0.05).overall == 0
    strata = [Evidence(Record("football", 0)), Evidence(clean(5, 5, wrong=2)), Evidence(Record("football", 9, 9, 9))]
    assert bound_left(strata, 0.05).per_stratum == (0, 0, 0)


def test_where_every_draw_is_wrong_all_the_rest_may_be() -> None:
    """However strongly the prior expected otherwise."""
    assert bound_left([Evidence(clean(400, 60, wrong=60))], 0.05).overall == 340
    assert bound_left([Evidence(clean(1, 1, wrong=1))], 0.05).overall == 0


@pytest.mark.parametrize("risk", [0.0, 1.0, -1.0, float("nan")])
def test_a_risk_lies_between_zero_and_one(risk: float) -> None:
    """Anything else is refused."""
    with pytest.raises(InvalidInputError):
        bound_left([], risk)


@pytest.mark.parametrize("wrong", range(1, 6))
@pytest.mark.parametrize("risk", [0.2, 0.5])
def test_the_bound_is_rarely_below_the_truth_at_any_look(wrong: int, risk: float) -> None:
    """Over every order of draws of six images, each with its chance, with hunting in between: exactly counted."""
    truth = [image < wrong for image in range(6)]
    missed, total, looks = Fraction(0), Fraction(0), 0
    for seen, chance in paths(truth, 1, Prior(), 6):
        total += chance
        low = False
        for record, _ in seen:
            looks += 1
            low = low or bound_left([Evidence(record)], risk).overall < wrong - record.found
        missed += chance * low
    assert looks > 0
    assert total == 1
    assert missed <= risk


def test_audits_share_one_risk() -> None:
    """Each later audit gets less; all together, however many, the whole."""
    assert risk_of_audit(0.05, 1) == pytest.approx(6 * 0.05 / pi**2)
    shares = (risk_of_audit(0.05, number) for number in count(1))
    assert 0.0499 < sum(next(shares) for _ in range(10_000)) < 0.05
    with pytest.raises(InvalidInputError):
        risk_of_audit(0.05, 0)
