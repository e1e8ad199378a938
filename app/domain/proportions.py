"""A share that was seen in some of many, and what it may truly be."""

from dataclasses import dataclass
from math import sqrt

Z = 1.959963984540054  #: the normal quantile of a two-sided 95 % interval


@dataclass(frozen=True, slots=True)
class Proportion:
    """``hits`` of ``of``, with its 95 % interval; ``estimate`` is None and the interval 0..1 where ``of`` is 0."""

    hits: int
    of: int
    estimate: float | None
    low: float
    high: float


def measure_proportion(hits: int, of: int) -> Proportion:
    """The share behind ``hits`` of ``of``, with Wilson's interval.

    The score interval of E. B. Wilson, "Probable inference, the law of succession, and statistical inference", Journal
    of the American Statistical Association 22 (1927), 209-212: unlike the estimate plus and minus a standard error it
    stays within 0..1 and does not shrink to a point at 0 or at all. It takes the ``of`` as drawn at random.
    """
    if of == 0:
        return Proportion(0, 0, None, 0.0, 1.0)
    share, spread = hits / of, Z * Z / of
    middle = (share + spread / 2) / (1 + spread)
    half = Z * sqrt((share * (1 - share) + spread / 4) / of) / (1 + spread)
    low = 0.0 if hits == 0 else max(0.0, middle - half)
    high = 1.0 if hits == of else min(1.0, middle + half)
    return Proportion(hits, of, share, low, high)
