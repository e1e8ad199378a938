"""How many mislabels may be left: a bound that holds at every moment, whenever one looks or stops.

The evidence of the strata is combined by product. At the true totals the product of prior / posterior over the strata
is a nonnegative supermartingale that starts at 1 at most, so with probability ``1 - risk`` it stays below ``1 / risk``
for ever (J. Ville, 1939). Every vector of totals with a smaller product is kept; a bound is the largest number of
mislabels left, over the kept vectors, in some of the strata. All such bounds hold together.

**Exactness.** The largest sum under a bound on a sum is a max-plus convolution. The cost of a total (how much support
it has less than the best) is convex, so the convolution is that of convex sequences: sort the steps of all strata by
their cost, cheapest first, and take as many as can be paid. No vector is left out. The steps are sorted outright only
where they could make a difference: searches by halves settle all but 131,072 of them, so ten million images take
about as long as a thousand. Rounding goes outward: SLACK more than the budget may be spent.
"""

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from math import log, pi

import numpy as np

from app.domain.curves import Numbers, Reals, last_true
from app.domain.evidence import Evidence
from app.errors import InvalidInputError

SLACK = 1e-9  #: added to the logarithm of the budget: vectors are kept up to 1 / risk * (1 + 1e-9), past all rounding
SORTED = 1 << 17  #: steps that are sorted outright


@dataclass(frozen=True, slots=True)
class LeftBounds:
    """The most mislabels that may be left among images without a verdict; all hold together."""

    overall: int
    per_label: dict[str, int]
    per_stratum: tuple[int, ...]  #: in the order of the evidence


def risk_of_audit(risk: float, number: int) -> float:
    """The share of a risk that audit ``number`` (1, 2, ...) spends, ``6 risk / (pi^2 number^2)``: together ``risk``."""
    if not 0 < risk < 1 or number < 1:
        raise InvalidInputError.on("risk", "must lie between 0 and 1, and audits count from 1")
    return 6 * risk / (pi * pi * number * number)


def bound_left(strata: Sequence[Evidence], risk: float) -> LeftBounds:
    """The bounds that hold together with probability ``1 - risk``: overall, per label and per stratum.

    Raises:
        InvalidInputError: ``risk`` is not within 0..1.
    """
    if not 0 < risk < 1:
        raise InvalidInputError.on("risk", "must lie between 0 and 1")
    budget = sum(each.support_at(each.best) for each in strata) - log(risk) + SLACK
    labels = sorted({each.label for each in strata})
    return LeftBounds(
        overall=_most_left(strata, budget),
        per_label={label: _most_left([each for each in strata if each.label == label], budget) for label in labels},
        per_stratum=tuple(_most_left([each], budget) for each in strata),
    )


def _most_left(strata: Iterable[Evidence], budget: float) -> int:
    """The largest sum of mislabels left in some strata, when they may together spend ``budget``; others spend none."""
    chosen = tuple(strata)
    return sum(each.best - each.found for each in chosen) + _most_steps([Steps(each) for each in chosen], budget)


class Steps:
    """The totals of one stratum above its best, counted in steps, and what they cost."""

    def __init__(self, evidence: Evidence) -> None:
        self.count = evidence.last - evidence.best
        self._evidence = evidence
        self._highest = evidence.support_at(evidence.best)

    def costs(self, steps: Numbers) -> Reals:
        """What going so many steps costs in all, shape (k,): convex, 0 at 0."""
        return self._highest - self._evidence.support(self._evidence.best + steps)

    def cost(self, steps: int) -> float:
        """The same for one number of steps."""
        return float(self.costs(np.array([steps], dtype=np.int64))[0])

    def each(self, steps: Numbers) -> Reals:
        """What the single steps of these numbers (from 1) cost: they grow."""
        return self.costs(steps) - self.costs(steps - 1)

    def affordable(self, budget: float) -> int:
        """How many steps can be paid if no other stratum takes any."""
        return last_true(lambda steps: self.costs(steps) <= budget, 0, self.count)


def _most_steps(strata: Sequence[Steps], budget: float) -> int:
    """The largest number of steps, over all the strata, that ``budget`` pays for."""
    near = [0 for _ in strata]  # the cheapest so many can be paid
    far = [each.affordable(budget) for each in strata]  # and more than so many in one stratum cannot
    while sum(far) - sum(near) > SORTED:
        trial = _split(strata, near, far)
        if trial == far:
            break  # steps of equal cost: sorting settles them
        if sum(each.cost(steps) for each, steps in zip(strata, trial, strict=True)) <= budget:
            near = trial
        else:
            far = trial
    spent = sum(each.cost(steps) for each, steps in zip(strata, near, strict=True))
    costs = [each.each(np.arange(low + 1, high + 1)) for each, low, high in zip(strata, near, far, strict=True)]
    paid = np.cumsum(np.sort(np.concatenate([np.empty(0), *costs])))
    return sum(near) + int(np.searchsorted(paid, budget - spent, side="right"))


def _split(strata: Sequence[Steps], near: Sequence[int], far: Sequence[int]) -> list[int]:
    """All steps between ``near`` and ``far`` that cost no more than the middle one of the longest row of them."""
    longest = max(range(len(strata)), key=lambda index: far[index] - near[index])
    middle = (near[longest] + far[longest] + 1) // 2
    price = float(strata[longest].each(np.array([middle]))[0])
    trial = [last_true(_cheap(each, price), low, high) for each, low, high in zip(strata, near, far, strict=True)]
    trial[longest] = max(trial[longest], middle)
    return trial


def _cheap(stratum: Steps, price: float) -> Callable[[Numbers], np.ndarray[tuple[int], np.dtype[np.bool_]]]:
    """Whether steps of a stratum cost at most ``price`` each."""
    return lambda steps: stratum.each(steps) <= price
