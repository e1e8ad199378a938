"""The bound's definition written out in fractions, for small cases: every total and every vector of totals."""

from collections.abc import Sequence
from fractions import Fraction
from itertools import product
from math import comb

from app.domain.evidence import Record


def rising(x: Fraction, count: int) -> Fraction:
    """``x (x + 1) ... (x + count - 1)``."""
    result = Fraction(1)
    for step in range(count):
        result *= x + step
    return result


def prior(record: Record, total: int) -> Fraction:
    """BetaBinomial(images, a, b) at a total."""
    a, b = Fraction(record.prior.a), Fraction(record.prior.b)
    ways = comb(record.images, total)
    return ways * rising(a, total) * rising(b, record.images - total) / rising(a + b, record.images)


def likelihood(record: Record, total: int) -> Fraction:
    """What the draws make of a total; 0 where a verdict refutes it, at a draw or now."""
    result = Fraction(1)
    for draw in record.draws:
        wrong = Fraction(total - draw.found, record.images - draw.reviewed)
        if not 0 <= wrong <= 1:
            return Fraction(0)
        result *= wrong if draw.wrong else 1 - wrong
    return result if 0 <= total - record.found <= record.unreviewed else Fraction(0)


def ratios(record: Record) -> dict[int, Fraction]:
    """Prior / posterior of each total that has any likelihood."""
    likelihoods = {total: likelihood(record, total) for total in range(record.images + 1)}
    evidence = sum(prior(record, total) * value for total, value in likelihoods.items())
    return {total: evidence / value for total, value in likelihoods.items() if value}


def largest_left(records: Sequence[Record], risk: Fraction, counted: Sequence[bool]) -> int:
    """The largest sum of ``total - found`` over the counted strata, over all vectors whose product is kept.

    ``1 / risk`` is taken a billionth larger, as the app does, so that no rounding can drop a vector.
    """
    limit = (1 + Fraction(1, 10**9)) / risk
    best = -1
    for vector in product(*(ratios(record).items() for record in records)):
        value = Fraction(1)
        for _, ratio in vector:
            value *= ratio
        if value <= limit:
            left = (total - record.found for (total, _), record in zip(vector, records, strict=True))
            best = max(best, sum(count for count, wanted in zip(left, counted, strict=True) if wanted))
    return best
