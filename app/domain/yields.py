"""What the next verdicts are expected to find, from how suspicious the images are."""

from collections.abc import Sequence
from dataclasses import dataclass
from math import ceil, floor, sqrt

SURE = 1.96  #: standard deviations: nineteen times in twenty


@dataclass(frozen=True, slots=True)
class Yield:
    """Errors expected among some images, and between which numbers they lie nineteen times in twenty.

    The numbers take the probabilities for right: they tell chance, not how good the probabilities are.
    """

    images: int
    errors: int
    low: int
    high: int


@dataclass(frozen=True, slots=True)
class Remaining:
    """What it takes to find most of the errors that are left: the most suspicious images first."""

    errors: int  #: expected among all that nobody has called
    wanted: int  #: of those
    images: int  #: to call for them


def expect_errors(suspicions: Sequence[float]) -> Yield:
    """What images whose given labels are wrong with these probabilities hold."""
    mean = sum(suspicions)
    spread = SURE * sqrt(sum(each * (1 - each) for each in suspicions))
    low, high = max(0, ceil(mean - spread)), min(len(suspicions), floor(mean + spread))
    return Yield(len(suspicions), round(mean), min(low, round(mean)), max(high, round(mean)))


def plan_finding(counts: Sequence[int], share: float) -> Remaining:
    """How many images to call to find a share of the errors; ``counts`` are open images by suspicion, from 0 to 1."""
    steps = max(1, len(counts) - 1)
    total = sum(count * place / steps for place, count in enumerate(counts))
    wanted, found, images = share * total, 0.0, 0
    for place in range(len(counts) - 1, 0, -1):
        chance = place / steps
        if found + counts[place] * chance >= wanted:
            images += ceil((wanted - found) / chance - 1e-9)
            found = wanted
            break
        found += counts[place] * chance
        images += counts[place]
    return Remaining(round(total), round(wanted), images)
