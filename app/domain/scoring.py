"""From detections to one number per image."""

from collections.abc import Sequence

from app.domain.detections import Detection, strongest
from app.domain.images import Side


def image_score(detections: Sequence[Detection], targets: Sequence[str]) -> float:
    """The highest confidence among the target classes, in 0..1; 0 when no box passed the detector's floor.

    High means that the object is present.
    """
    best = strongest(detections, targets)
    return 0.0 if best is None else best.confidence


def suspicion(given: Side, score: float) -> float:
    """How strongly the detector speaks against the folder, in 0..1.

    The score itself for an image filed negative, its complement for one filed positive.
    """
    return score if given is Side.NEGATIVE else 1.0 - score
