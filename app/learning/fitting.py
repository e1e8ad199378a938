"""A whole fit: second opinion, calibration, how good they are, and what follows for each image."""

from collections.abc import Callable
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from app.learning.calibration import fit_calibration
from app.learning.images import Images, Reals
from app.learning.opinion import Features, Opinion, choose_sample, fit_opinion
from app.learning.quality import calibration_error, judge_unseen, precision_by_band, reliability

AT_ONCE = 20_000  #: images whose features are in memory
GOOD_AUC = 0.75  #: below it the second opinion raises no flags
GOOD_ERROR = 0.15  #: calibration error of verdicts that were not seen, above which it raises none
MOST_DOUBTED = 2_000  #: open images that a fit may flag by doubt alone: the most suspicious of them
Read = Callable[[NDArray[np.int64]], Features]  #: features ``(n, k)`` of images by their places; NaN where unknown


@dataclass(frozen=True, slots=True)
class Fitted:
    """What a fit says of each image, and of itself."""

    suspicion: Reals  #: P(the given label is wrong), three digits
    trusted: bool  #: good enough by cross-validation to raise flags
    report: dict[str, Any]


def fit(images: Images, read: Read, threshold: float, seed: int) -> Fitted:
    """Fit to what people have called, and judge all images. The same arguments give the same answer.

    Features are read in parts, so memory does not grow with them.
    """
    opinion = _fit_opinion(images, read, seed)
    if opinion is not None:
        images = images.with_opinion(_judge_in_parts(opinion, images, read))
    has_opinion = opinion is not None
    calibration = fit_calibration(images, threshold, has_opinion=has_opinion)
    suspicion = np.round(calibration.judge(images), 3)
    bins = reliability(judge_unseen(images, threshold, has_opinion=has_opinion), images.wrong[images.called])
    error = calibration_error(bins)
    trusted = opinion is not None and opinion.auc >= GOOD_AUC and error is not None and error <= GOOD_ERROR
    report = {
        "images": len(images),
        "verdicts": int(images.called.sum()),
        "auc": None if opinion is None else round(opinion.auc, 4),
        "calibration_error": None if error is None else round(error, 4),
        "reliability": [asdict(each) for each in bins],
        "bands": precision_by_band(images),
        "trusted": trusted,
    }
    return Fitted(suspicion, trusted, report)


def _fit_opinion(images: Images, read: Read, seed: int) -> Opinion | None:
    sample = choose_sample(images.called, seed)
    features = read(sample)
    if features.shape[1] == 0:
        return None
    return fit_opinion(features, images.labels[sample], images.called[sample], images.fold[sample])


def _judge_in_parts(opinion: Opinion, images: Images, read: Read) -> Reals:
    places = np.arange(len(images))
    parts = [places[start : start + AT_ONCE] for start in range(0, len(places), AT_ONCE)]
    return np.concatenate([opinion.judge(read(part), images.fold[part]) for part in parts])


def choose_doubted(suspicion: Reals, agrees: NDArray[np.bool_], called: NDArray[np.bool_], bar: float) -> Any:
    """Which agreeing images nobody has called doubt alone flags ``(n,)``: the most suspicious from ``bar`` upwards."""
    chosen = np.flatnonzero(agrees & ~called & (suspicion >= bar))
    worst = chosen[np.argsort(-suspicion[chosen], kind="stable")[:MOST_DOUBTED]]
    doubted = np.zeros(len(suspicion), np.bool_)
    doubted[worst] = True
    return doubted
