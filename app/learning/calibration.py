"""From detector and second opinion to P(given label is wrong), corrected by what people found.

The first guess is a mean of the two, as log odds. Verdicts then correct that, but not all verdicts
speak of all images: those that were hunted are the suspicious ones, and say nothing of the rest. So

1. audit draws, whose sampling probability is known, correct everything, each weighted by its inverse;
2. every verdict corrects what lies in its own band: the images of its given label whose detector scores are alike.

Both corrections are logistic regressions on top of what stood before, with a normal prior around "no correction": few
verdicts move little.
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from app.learning.images import HIGHEST_LOGIT, Bools, Images, Reals, log_odds, to_share

OPINION_SHARE = 0.25  #: of the second opinion in the first guess: it learns from the folders, wrong as they are
#: a detector's confidences say less than it knows: D-FINE's are trained towards the overlap of a box, so they seldom
#: come near 1 although the object is surely there
SHARPNESS = 2.0
EDGES = (0.05, 0.1, 0.2, 0.35, 0.5, 0.65, 0.8, 0.9)  #: of the detector's suspicion, between bands
DRAWS_FROM = 20  #: audit draws; fewer say too little of everything
SPREAD = 1.5  #: standard deviation of the prior on corrections, in log odds per standardised unit
STEPS = 30


@dataclass(frozen=True, slots=True)
class Calibration:
    """How detector and second opinion are weighed."""

    threshold: float  #: the detector's score that counts as undecided
    share: float  #: of the second opinion in the first guess, 0 where there is none
    overall: Reals  #: coefficients of the correction of everything
    bands: Reals  #: ``(2 * bands, columns)``: of the corrections by given label and band

    def judge(self, images: Images) -> Reals:
        """P(the given label is wrong) for each image, in 0..1."""
        odds = first_guess(images, self.threshold, self.share)
        columns = _columns(images, odds)
        odds = odds + columns @ self.overall
        return to_share(odds + np.einsum("nc,nc->n", columns, self.bands[find_bands(images)]))


def first_guess(images: Images, threshold: float, share: float) -> Reals:
    """Log odds that the given label is wrong, by detector and second opinion alone."""
    detector = log_odds(images.confidences[:, 0]) - log_odds(np.array([threshold]))
    present = (1 - share) * detector + share * images.opinion
    return SHARPNESS * np.where(images.positive, -present, present)


def find_bands(images: Images) -> NDArray[np.int64]:
    """The band of each image: its given label and where the detector's suspicion of it lies."""
    score = images.confidences[:, 0]
    suspicion = np.where(images.positive, 1 - score, score)
    found: NDArray[np.int64] = np.searchsorted(EDGES, suspicion, side="right") + images.positive * (len(EDGES) + 1)
    return found


def _columns(images: Images, odds: Reals) -> Reals:
    """What corrections are made of: a constant, and of roughly unit size, what is known of the image."""
    against = np.where(images.positive, -1.0, 1.0)
    shown = log_odds(images.confidences)
    return np.column_stack(
        [
            np.ones(len(images)),
            odds / 3,
            against * images.opinion / 3,
            against * shown[:, 0] / 3,
            (shown[:, 1:].sum(axis=1) + 8) / 4,
            (np.log10(images.areas + 1e-5) + 3) / 2,
            4 * (images.brightness - 0.5),
            20 * (images.sharpness - 0.05),
            (np.log10(np.maximum(images.pixels, 1)) - 6) / 2,
        ]
    )


def fit_calibration(images: Images, threshold: float, *, has_opinion: bool) -> Calibration:
    """Fit it on the images that were called; without any it is the first guess."""
    share = OPINION_SHARE if has_opinion else 0.0
    called = images.take(images.called)
    guess = first_guess(called, threshold, share)
    columns = _columns(called, guess)
    drawn = np.isfinite(called.drawn)
    overall = np.zeros(columns.shape[1])
    if drawn.sum() >= DRAWS_FROM:
        weight = 1 / called.drawn[drawn]
        overall = fit_correction(columns[drawn], called.wrong[drawn], guess[drawn], weight / weight.mean())
    bands = np.zeros((2 * (len(EDGES) + 1), columns.shape[1]))
    of, odds = find_bands(called), guess + columns @ overall
    for band in np.unique(of):
        here = of == band
        bands[band] = fit_correction(columns[here], called.wrong[here], odds[here], np.ones(here.sum()))
    return Calibration(threshold, share, overall, bands)


def fit_correction(columns: Reals, wrong: Bools, offset: Reals, weight: Reals) -> Reals:
    """Coefficients ``(c,)`` that, times the columns ``(n, c)``, correct log odds ``offset``: the posterior mode.

    Newton's method, damped; the objective is strictly concave.
    """
    found = np.zeros(columns.shape[1])
    for _ in range(STEPS):
        share = to_share(np.clip(offset + columns @ found, -3 * HIGHEST_LOGIT, 3 * HIGHEST_LOGIT))
        gradient = columns.T @ (weight * (wrong - share)) - found / SPREAD**2
        curvature = (columns * (weight * share * (1 - share))[:, None]).T @ columns
        step = np.linalg.solve(curvature + np.eye(len(found)) / SPREAD**2, gradient)
        found = found + step * min(1.0, 2.0 / max(float(np.abs(step).max()), 1e-12))
        if np.abs(step).max() < 1e-6:
            break
    return found
