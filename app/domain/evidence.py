"""What the verdicts on one frozen stratum say about how many mislabels it held.

A stratum is ``images`` images, frozen at one moment, ``total`` of them mislabelled: an unknown number that never
changes. People find mislabels in any order; now and then a draw is made, uniformly from the images that have no
verdict at that moment. If just before it ``reviewed`` of the images had a verdict and ``found`` of those were wrong,
the draw is wrong with probability ``(total - found) / (images - reviewed)``, whatever made people look where they
looked. With a prior on the total fixed at the freeze, prior / posterior at the true total is then a nonnegative
supermartingale that starts at 1 at most (after I. Waudby-Smith and A. Ramdas, "Confidence sequences for sampling
without replacement", arXiv 2006.04347). ``docs/certificate.md`` has the argument.

A verdict also refutes: at every moment ``found <= total <= images - reviewed + found``. Totals outside have no
likelihood, for ever.
"""

from collections.abc import Sequence
from dataclasses import dataclass, field
from math import exp, inf, lgamma, log

import numpy as np

from app.domain.curves import CHUNK, Curve, Numbers, Reals, last_true
from app.errors import InvalidInputError

GROUP = 16  #: factors multiplied before a logarithm is taken: each is at least 1e-15 or so, so nothing underflows
CELLS = 1 << 20  #: factors held in memory at a time
DROPPED = 45.0  #: terms of the evidence are left out where together they are less than exp(-45) of it
_RAMP = np.arange(CHUNK, dtype=np.float64)


@dataclass(frozen=True, slots=True)
class Prior:
    """BetaBinomial(images, a, b) on the mislabels of a stratum; its mean is ``images * a / (a + b)``."""

    a: float = 0.5
    b: float = 20.0


@dataclass(frozen=True, slots=True)
class Draw:
    """One audit draw: what was known of its stratum just before it, and whether the image was mislabelled."""

    reviewed: int
    found: int
    wrong: bool


@dataclass(frozen=True, slots=True)
class Record:
    """A frozen stratum: its draws in drawn order, and how many images have a verdict now, and were found wrong."""

    label: str
    images: int
    reviewed: int = 0
    found: int = 0
    draws: Sequence[Draw] = ()
    prior: Prior = field(default_factory=Prior)

    @property
    def unreviewed(self) -> int:
        """Images that have no verdict."""
        return self.images - self.reviewed


class Evidence:
    """A record, weighed: for each total that is not refuted, how strongly the draws speak for it.

    ``support`` is the logarithm of posterior / prior, a concave function of the total on ``first..last``: each draw
    adds the logarithm of a linear function. ``best`` is the largest of the totals that have most of it (up to
    rounding). ``expected_left`` is the posterior mean of the mislabels nobody has found.

    Costs O(draws * log(images)) and, for the normalising sum, 16 multiplications for each total that matters, in
    bounded memory; see ``curves``.

    Raises:
        InvalidInputError: counts that cannot be, or verdicts that refute every total.
    """

    def __init__(self, record: Record) -> None:
        self.label = record.label
        self.found = record.found
        self.unreviewed = record.unreviewed
        self.first, self.last = unrefuted_totals(record)
        self._likelihood = Curve(_Likelihood(record, self.first, self.last), self.first, self.last)
        self.best = self._find_best()
        self._log_evidence, mean = self._weigh(record)
        self.expected_left = max(0.0, mean - record.found)

    def support(self, totals: Numbers) -> Reals:
        """Logarithms of posterior / prior at totals of ``first..last``, shape (k,)."""
        return self._likelihood(totals) - self._log_evidence

    def support_at(self, total: int) -> float:
        """The same at one total; minus infinity where it is refuted."""
        return self._likelihood.at(total) - self._log_evidence if self.first <= total <= self.last else -inf

    def _find_best(self) -> int:
        """The largest total that no larger one beats: the support is concave, so it rises before and falls after."""
        return last_true(lambda at: self._likelihood(at) >= self._likelihood(at - 1), self.first, self.last)

    def _weigh(self, record: Record) -> tuple[float, float]:
        """The logarithm of the sum of prior * likelihood, and the posterior mean of the total.

        Only totals are summed whose likelihood is within exp(-c) of the highest; the others, as the prior sums to 1,
        are less than exp(-45) of the sum. A sum too small makes every bound larger, never smaller.
        """
        likelihood, prior = _Likelihood(record, self.first, self.last), _LogPrior(record, self.first, self.last)
        weight = Curve(lambda up, down: likelihood(up, down) + prior(up, down), self.first, self.last)
        highest = self._likelihood.at(self.best)
        scale = weight.at(self.best)
        lowest = min(highest, scale) - DROPPED
        start = -last_true(lambda at: self._likelihood(-at) >= lowest, -self.best, -self.first)
        stop = last_true(lambda at: self._likelihood(at) >= lowest, self.best, self.last)
        mass, moment = 0.0, 0.0  # of the totals, counted from ``start``; in units of exp(scale), the largest so far
        for totals, weights in weight.walk(start, stop):
            peak = max(scale, float(weights.max()))
            mass, moment, scale = mass * exp(scale - peak), moment * exp(scale - peak), peak
            chances = np.exp(weights - scale)
            here = float(chances.sum())
            mass += here
            moment += here * (int(totals[0]) - start) + float((chances * _RAMP[: len(chances)]).sum())
        return scale + log(mass), start + moment / mass


def unrefuted_totals(record: Record) -> tuple[int, int]:
    """The smallest and the largest total that no verdict refutes, at the draws or now.

    Raises:
        InvalidInputError: a draw or the record has counts that cannot be, or nothing is left.
    """
    states = [(draw.reviewed, draw.found) for draw in record.draws]
    after = [(draw.reviewed + 1, draw.found + draw.wrong) for draw in record.draws]
    first, last = 0, record.images
    for reviewed, found in (*states, *after, (record.reviewed, record.found)):
        if not 0 <= found <= reviewed <= record.images:
            raise InvalidInputError.on("record", f"{found} wrong of {reviewed} reviewed of {record.images} cannot be")
        first = max(first, found)
        last = min(last, record.images - reviewed + found)
    if first > last:
        raise InvalidInputError.on("record", "the verdicts contradict each other: they refute every total")
    return first, last


class _Likelihood:
    """The logarithm of the draws' likelihood as a function of a total's distances from both ends.

    A draw has the factor ``|total - s| / (images - reviewed)``, where s is ``found`` if it was wrong and
    ``found + images - reviewed`` if it was right. Right draws are measured from above, wrong ones from below.
    """

    def __init__(self, record: Record, first: int, last: int) -> None:
        left = np.array([record.images - draw.reviewed for draw in record.draws], dtype=np.float64)
        found = np.array([draw.found for draw in record.draws], dtype=np.float64)
        wrong = np.array([draw.wrong for draw in record.draws], dtype=np.bool_)
        self._below = (first - found[wrong], left[wrong])
        self._above = ((found + left)[~wrong] - last, left[~wrong])

    def __call__(self, up: Reals, down: Reals) -> Reals:
        """Log-likelihoods, shape (k,)."""
        return _sum_logs(up, *self._below) + _sum_logs(down, *self._above)


def _sum_logs(places: Reals, shifts: Reals, divisors: Reals) -> Reals:
    """For each place the sum of ``log((place + shift) / divisor)``, in steps of bounded memory."""
    total = np.zeros_like(places)
    step = max(GROUP, CELLS // max(1, len(places)))
    for begin in range(0, len(shifts), step):
        factors = (places[:, None] + shifts[begin : begin + step]) / divisors[begin : begin + step]
        starts = np.arange(0, factors.shape[1], GROUP)
        total += np.log(np.multiply.reduceat(factors, starts, axis=1)).sum(axis=1)
    return total


class _LogPrior:
    """The logarithm of the BetaBinomial probability as a function of a total's distances from both ends."""

    def __init__(self, record: Record, first: int, last: int) -> None:
        self._prior = record.prior
        self._first = first
        self._above = record.images - last
        a, b = self._prior.a, self._prior.b
        count = np.array([record.images + 1.0])
        self._constant = lgamma(a + b) - lgamma(a) - lgamma(b) - float(log_rising(count, a + b - 1)[0])

    def __call__(self, up: Reals, down: Reals) -> Reals:
        """Log-probabilities, shape (k,)."""
        below = log_rising(up + (self._first + 1), self._prior.a - 1)
        above = log_rising(down + (self._above + 1), self._prior.b - 1)
        return below + above + self._constant


def log_rising(x: Reals, s: float) -> Reals:
    """``log(gamma(x + s) / gamma(x))`` for x >= 1 and x + s > 0, without the cancellation of two large log-gammas.

    Stirling's series where both arguments are at least 32 (NIST DLMF 5.11.1; the next term is below 1e-16), and
    below that the recurrence ``gamma(x + 1) = x * gamma(x)`` up to there, which telescopes to a sum of logarithms.
    """
    lift = np.zeros_like(x)
    at = x.copy()
    while (low := np.minimum(at, at + s) < 32).any():
        lift[low] += np.log1p(s / at[low])
        at[low] += 1
    stirling = s * np.log(at) + (at + s - 0.5) * np.log1p(s / at) - s + _remainder(at + s) - _remainder(at)
    result: Reals = stirling - lift
    return result


def _remainder(x: Reals) -> Reals:
    """The tail of Stirling's series for the logarithm of gamma."""
    square = x * x
    result: Reals = (1 / 12 - (1 / 360 - (1 / 1260 - 1 / (1680 * square)) / square) / square) / x
    return result
