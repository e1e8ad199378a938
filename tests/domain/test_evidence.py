"""Evidence equals prior / posterior in fractions, and that ratio is a supermartingale at the true total."""

from collections.abc import Iterator
from fractions import Fraction
from math import exp, inf, log

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.stats import betabinom

from app.domain.evidence import Draw, Evidence, Prior, Record, log_rising, unrefuted_totals
from app.errors import InvalidInputError
from tests.domain import exact

TRUTHS = st.lists(st.booleans(), min_size=0, max_size=9)  #: which images of a stratum are mislabelled
EVENTS = st.lists(st.tuples(st.booleans(), st.integers(0, 99)), max_size=12)  #: (a draw?, which unreviewed image)
PRIORS = st.sampled_from([Prior(), Prior(1, 1), Prior(2, 3), Prior(0.25, 0.5)])


def play(truth: list[bool], events: list[tuple[bool, int]], prior: Prior, label: str = "football") -> Record:
    """The record that a history leaves: each event is a draw, or a verdict that somebody hunted for."""
    open_images, found, draws = list(range(len(truth))), 0, []
    for drawn, choice in events[: len(truth)]:
        wrong = truth[open_images.pop(choice % len(open_images))]
        if drawn:
            draws.append(Draw(len(truth) - len(open_images) - 1, found, wrong))
        found += wrong
    return Record(label, len(truth), len(truth) - len(open_images), found, tuple(draws), prior)


@given(TRUTHS, EVENTS, PRIORS)
@settings(max_examples=300, deadline=None)
def test_support_is_the_logarithm_of_posterior_over_prior(
    truth: list[bool], events: list[tuple[bool, int]], prior: Prior
) -> None:
    """At every total, as the definition in fractions has it; refuted totals have none; the mean is the posterior's."""
    record = play(truth, events, prior)
    evidence = Evidence(record)
    ratios = exact.ratios(record)
    for total in range(-1, record.images + 2):
        expected = -log(ratios[total]) if total in ratios else -inf
        assert evidence.support_at(total) == pytest.approx(expected, abs=1e-12)
    posterior = {total: exact.prior(record, total) / ratio for total, ratio in ratios.items()}
    assert sum(posterior.values()) == 1
    left = sum((total - record.found) * share for total, share in posterior.items())
    assert evidence.expected_left == pytest.approx(float(left), abs=1e-12)
    assert (evidence.first, evidence.last) == (min(ratios), max(ratios))


@given(TRUTHS, EVENTS, PRIORS)
@settings(deadline=None)
def test_support_is_concave_and_highest_at_best(
    truth: list[bool], events: list[tuple[bool, int]], prior: Prior
) -> None:
    """Which is what lets a sort find the largest sum; no total has so little support that nothing is kept."""
    evidence = Evidence(play(truth, events, prior))
    support = evidence.support(np.arange(evidence.first, evidence.last + 1))
    assert (np.diff(support, 2) <= 1e-12).all()
    assert support.max() == pytest.approx(evidence.support_at(evidence.best), abs=1e-12)
    assert support.max() > -1e-12


def paths(
    truth: list[bool], hunted: int, prior: Prior, draws: int
) -> Iterator[tuple[list[tuple[Record, Fraction]], Fraction]]:
    """Every order of draws with its chance: the records after each draw, and the chance of the path.

    Before each draw somebody looks at ``hunted`` images, mislabelled ones first as long as the last draw was wrong:
    hunting that depends on everything seen so far.
    """

    def go(
        left: list[int], record: Record, seen: list[tuple[Record, Fraction]], chance: Fraction
    ) -> Iterator[tuple[list[tuple[Record, Fraction]], Fraction]]:
        eager = not record.draws or record.draws[-1].wrong
        order = sorted(left, key=lambda image: (truth[image] != eager, image))
        rest = order[hunted:]
        reviewed = len(truth) - len(rest)
        found = record.found + sum(truth[image] for image in order[:hunted])
        if not rest or len(record.draws) == draws:
            yield seen, chance
            return
        for image in rest:
            drawn = (*record.draws, Draw(reviewed, found, truth[image]))
            after = Record("football", len(truth), reviewed + 1, found + truth[image], drawn, prior)
            ratio = exact.ratios(after)[sum(truth)]
            still = [other for other in rest if other != image]
            yield from go(still, after, [*seen, (after, ratio)], chance / len(rest))

    yield from go(list(range(len(truth))), Record("football", len(truth), prior=prior), [], Fraction(1))


@pytest.mark.parametrize(("images", "wrong", "draws"), [(5, 2, 2), (6, 3, 3), (6, 2, 2)])
@pytest.mark.parametrize("prior", [Prior(), Prior(1, 1)])
def test_the_expected_ratio_is_exactly_one_at_the_true_total(images: int, wrong: int, draws: int, prior: Prior) -> None:
    """After every number of draws, as long as both answers are possible: a martingale, in fractions."""
    truth = [image < wrong for image in range(images)]
    expected = [Fraction(0)] * draws
    for seen, chance in paths(truth, 0, prior, draws):
        for count, (_, ratio) in enumerate(seen):
            expected[count] += chance * ratio
    assert expected == [Fraction(1)] * draws


@pytest.mark.parametrize("wrong", range(6))
@pytest.mark.parametrize("hunted", [0, 1])
def test_hunting_never_raises_the_expected_ratio(wrong: int, hunted: int) -> None:
    """Given any past, with verdicts that refute totals in between and to the last image: a supermartingale."""
    truth = [image < wrong for image in range(5)]
    sums: dict[tuple[Draw, ...], list[Fraction]] = {}
    before: dict[tuple[Draw, ...], Fraction] = {(): Fraction(1)}
    for seen, chance in paths(truth, hunted, Prior(1, 1), 5):
        for record, ratio in seen:
            before[tuple(record.draws)] = ratio
            weighed = sums.setdefault(tuple(record.draws[:-1]), [Fraction(0), Fraction(0)])
            weighed[0] += chance * ratio
            weighed[1] += chance
    assert sums
    assert all(weighed / chance <= before[past] for past, (weighed, chance) in sums.items())


def test_a_total_once_refuted_stays_refuted() -> None:
    """Also when the verdict that refuted it is gone, and also without another draw."""
    draws = (Draw(4, 3, wrong=False), Draw(5, 2, wrong=True))
    assert unrefuted_totals(Record("football", 10, 6, 3, draws)) == (3, 7)
    assert unrefuted_totals(Record("football", 10, 8, 5, draws)) == (5, 7)
    assert Evidence(Record("football", 10, 8, 5, draws)).support_at(4) == -inf


@pytest.mark.parametrize(
    "record",
    [
        Record("football", 10, 11, 0),
        Record("football", 10, 3, 4),
        Record("football", 10, 3, -1),
        Record("football", 10, 10, 5, (Draw(10, 5, wrong=False),)),
        Record("football", 10, 10, 2, (Draw(5, 4, wrong=False),)),
    ],
)
def test_counts_that_cannot_be_are_refused(record: Record) -> None:
    """More found than reviewed, a draw from nothing, verdicts that contradict each other."""
    with pytest.raises(InvalidInputError):
        Evidence(record)


@pytest.mark.parametrize("images", [1, 50, 5_000, 200_000])
@pytest.mark.parametrize("prior", [Prior(), Prior(1, 1), Prior(3.5, 0.2)])
def test_the_evidence_equals_a_plain_sum(images: int, prior: Prior) -> None:
    """Over all totals, with scipy's prior: the pieces, the cut and the rounding change nothing."""
    draws = tuple(Draw(2 * number, number // 9, wrong=number % 9 == 8) for number in range(min(images // 3, 120)))
    record = Record("football", images, 2 * len(draws), len(draws) // 9, draws, prior)
    totals = np.arange(record.found, images - record.reviewed + record.found + 1)
    weights = betabinom.logpmf(totals, images, prior.a, prior.b)
    for draw in draws:
        chance = (totals - draw.found) / (images - draw.reviewed)
        weights += np.log(chance if draw.wrong else 1 - chance)
    peak = weights.max()
    plain = np.log(np.exp(weights - peak).sum()) + peak
    evidence = Evidence(record)
    likelihood = evidence.support_at(int(totals[-1])) + plain
    chances = [(totals[-1] - draw.found) / (images - draw.reviewed) for draw in draws]
    expected = sum(log(chance if draw.wrong else 1 - chance) for draw, chance in zip(draws, chances, strict=True))
    assert likelihood == pytest.approx(expected, abs=2e-8)  # scipy's log-gammas cancel to about 1e-9 of 200,000
    mean = float((np.exp(weights - plain) * totals).sum()) - record.found
    assert evidence.expected_left == pytest.approx(mean, rel=1e-6)


@given(st.floats(1, 60), st.sampled_from([-0.75, -0.5, 0.0, 1.0, 7.0, 19.0]))
@settings(deadline=None)
def test_rising_gammas(x: float, s: float) -> None:
    """Against whole steps of the recurrence, where the value is a plain product."""
    one, next_one = log_rising(np.array([x]), s)[0], log_rising(np.array([x + 1]), s)[0]
    assert exp(next_one - one) == pytest.approx((x + s) / x, rel=1e-12)
    whole = log_rising(np.array([x]), 3.0)[0]
    assert whole == pytest.approx(log(x * (x + 1) * (x + 2)), abs=1e-12)
