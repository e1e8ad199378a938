"""How good probabilities are, once people have said what is true."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from app.learning.calibration import find_bands, fit_calibration
from app.learning.images import FOLDS, Images, Reals

BINS = 10


@dataclass(frozen=True, slots=True)
class Bin:
    """Images whose probability was alike: what was promised of them, and what was found."""

    low: float
    high: float
    images: int
    promised: float  #: mean probability
    found: float  #: share that was wrong


def reliability(promised: Reals, wrong: NDArray[np.bool_], weight: Reals | None = None) -> list[Bin]:
    """The bins of a reliability diagram, those without images left out."""
    weight = np.ones(len(promised)) if weight is None else weight
    of = np.minimum((promised * BINS).astype(np.int64), BINS - 1)
    bins = []
    for number in range(BINS):
        here = of == number
        if here.any():
            means = (float(np.average(each[here], weights=weight[here])) for each in (promised, wrong))
            bins.append(Bin(number / BINS, (number + 1) / BINS, int(here.sum()), *means))
    return bins


def calibration_error(bins: list[Bin]) -> float | None:
    """The expected calibration error: the mean gap between promised and found; None without images."""
    total = sum(each.images for each in bins)
    return sum(each.images * abs(each.promised - each.found) for each in bins) / total if total else None


def judge_unseen(images: Images, threshold: float, *, has_opinion: bool) -> Reals:
    """Probabilities of the called images, each by a calibration that has not seen its verdict nor its copies'."""
    called = images.take(images.called)
    judged = np.empty(len(called))
    for number in range(FOLDS):
        here = called.fold == number
        judged[here] = fit_calibration(called.take(~here), threshold, has_opinion=has_opinion).judge(called.take(here))
    return judged


def precision_by_band(images: Images) -> list[tuple[int, int, int]]:
    """Of the called images ``(band, called, wrong)``, see :func:`app.learning.calibration.find_bands`."""
    called = images.take(images.called)
    of = find_bands(called)
    return [(int(band), int((of == band).sum()), int(called.wrong[of == band].sum())) for band in np.unique(of)]
