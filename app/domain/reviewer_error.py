"""How often people err, from blind repeats, and what that adds to the bound.

The bound of ``bounds`` counts verdicts: it holds for the images that *would be called* wrong. This page turns it into
one on images that *are* wrong, at a further risk of its own, split in five equal shares. It rests on two chances,
P(says no | object) and P(says yes | none), each the same for every image and independent from answer to answer;
``docs/certificate.md`` has the proof and says what repeats cannot see.
"""

from dataclasses import dataclass
from math import exp, floor, log, log1p

import numpy as np
from numpy.typing import NDArray
from scipy.special import bdtr, betaln

from app.domain.curves import last_true

SHARES = 5  #: of the risk: two chances, two kinds of settled verdicts, the images without a verdict
PRIOR_WRONG, PRIOR_RIGHT = 0.5, 10.0  #: Beta prior of a chance to err, fixed for all datasets
TILTS = tuple(2.0**power for power in range(-5, 4))  #: slopes of the bounds on settled verdicts, fixed for all datasets
SHARED_MISSES = (
    "repeats see only what another look corrects: what everybody misses, or takes for the object, is in neither bound",
    "every image is as easily called wrong as any other of its kind, and answers err independently of each other",
    "people err as often in their other verdicts as in blind repeats",
)


@dataclass(frozen=True, slots=True)
class Repeats:
    """Blind repeats by the first answer: how often the second was asked, and how often it was the opposite."""

    of_yes: int = 0
    then_no: int = 0
    of_no: int = 0
    then_yes: int = 0


@dataclass(frozen=True, slots=True)
class ErrorRate:
    """A chance to err: seen in ``wrong`` of ``repeats``. The estimate is None without repeats."""

    repeats: int
    wrong: int
    estimate: float | None
    upper: float  #: holds at every moment with probability 1 - risk / SHARES; 1 without repeats


@dataclass(frozen=True, slots=True)
class ReviewerError:
    """What repeats say of people, and the bound that takes it into account at a further risk of its own."""

    risk: float
    says_no_given_object: ErrorRate
    says_yes_given_none: ErrorRate
    errors_upper_with_reviewer_error: int
    assumptions: tuple[str, ...] = SHARED_MISSES


def measure_reviewer_error(
    repeats: Repeats, *, settled_yes: int, settled_no: int, unreviewed: int, left_upper: int, risk: float = 0.05
) -> ReviewerError:
    """The bound on mislabels in a released set when verdicts may be wrong, at ``risk`` beside that of ``left_upper``.

    ``settled_yes`` and ``settled_no`` count released images by the verdict that stands, ``unreviewed`` the released
    images without one, ``left_upper`` bounds how many of those would be called wrong.
    """
    share = risk / SHARES
    miss = rate(repeats.then_no, repeats.of_yes, share)
    false = rate(repeats.then_yes, repeats.of_no, share)
    missed = wrong_verdicts(right=settled_yes, called=settled_no, chance=miss.upper, risk=share)
    invented = wrong_verdicts(right=settled_no, called=settled_yes, chance=false.upper, risk=share)
    left = truly_wrong(left_upper, unreviewed, max(miss.upper, false.upper), share)
    return ReviewerError(risk, miss, false, missed + invented + left)


def rate(wrong: int, repeats: int, risk: float) -> ErrorRate:
    """The chance behind ``wrong`` of ``repeats``, with an upper bound that holds at all times together."""
    return ErrorRate(repeats, wrong, wrong / repeats if repeats else None, chance_upper(wrong, repeats, risk))


def chance_upper(wrong: int, trials: int, risk: float) -> float:
    """The largest chance not refuted by ``wrong`` of ``trials``, at any moment, at ``risk``; 1 where none is.

    The prior / posterior ratio of a Beta prior: for the true chance p, B(wrong + a, right + b) / B(a, b) divided by
    p^wrong (1 - p)^right is a nonnegative martingale that starts at 1 (H. Robbins, Annals of Mathematical Statistics
    41, 1970, 1397-1409). It is wider than Clopper-Pearson, which holds for a number of trials fixed beforehand.
    """
    right = trials - wrong
    evidence = betaln(wrong + PRIOR_WRONG, right + PRIOR_RIGHT) - betaln(PRIOR_WRONG, PRIOR_RIGHT)
    if right == 0:
        return 1.0
    low, high = wrong / trials, 1.0
    while low < (middle := (low + high) / 2) < high:
        kept = (wrong * log(middle) if wrong else 0.0) + right * log1p(-middle) > evidence + log(risk)
        low, high = (middle, high) if kept else (low, middle)
    return high


def wrong_verdicts(*, right: int, called: int, chance: float, risk: float) -> int:
    """The most of ``called`` verdicts that may be wrong, when their error has at most this chance; at all times.

    ``right`` is the number of verdicts the other way: of the ``right + W`` images that are truly of that kind, at
    most, W were called otherwise. For each slope t, ``exp(t W - k log(1 + p (e^t - 1)))`` after k such images is a
    nonnegative supermartingale; with k <= right + W that bounds W, and the least over the slopes is taken.
    """
    if chance > 1 - 1e-9:  # where the slopes below meet, to rounding
        return called
    best = float(called)
    for tilt in TILTS:
        growth = log1p(chance * (exp(tilt) - 1))
        best = min(best, (log(len(TILTS) / risk) + right * growth) / (tilt - growth))
    return floor(best + 1e-9)


def truly_wrong(called_wrong: int, images: int, chance: float, risk: float) -> int:
    """The most of ``images`` that may be wrong if at most ``called_wrong`` would be called so, at one moment.

    Of T wrong images Binomial(T, chance) at most would escape: T is possible while T less the upper quantile of those
    is no more than ``called_wrong``, or while it is not this sure that fewer than ``T - called_wrong`` would.
    """
    if chance >= 1:
        return images

    def is_possible(wrong: NDArray[np.int64]) -> NDArray[np.bool_]:
        fewer = wrong - called_wrong - 1
        # Not binom.cdf: to import scipy.stats takes a fifth of the time that a command takes to start.
        possible: NDArray[np.bool_] = (fewer < 0) | (bdtr(np.maximum(fewer, 0), wrong, chance) < 1 - risk)
        return possible

    return last_true(is_possible, 0, images)
