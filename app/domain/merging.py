"""Many looks at one image, one list of detections."""

from collections.abc import Iterable, Sequence

from app.domain.detections import Box, Detection
from app.domain.faith import iou

SAME_OBJECT = 0.5


def merge_slices(whole: Sequence[Detection], slices: Iterable[Sequence[Detection]]) -> list[Detection]:
    """Detections of the whole image and of its slices, strongest first, each object once.

    Greedy suppression within a class by intersection over the *smaller* box, as slicing wants it: the half of a ball
    that a slice's edge cuts off lies inside the whole ball and has a small IoU with it (SAHI: Akyon et al., 2022,
    arXiv 2202.06934).
    """
    found = sorted([*whole, *(each for part in slices for each in part)], key=lambda each: -each.confidence)
    kept: list[Detection] = []
    for each in found:
        if not any(
            other.class_name == each.class_name and _shared(other.box, each.box) > SAME_OBJECT for other in kept
        ):
            kept.append(each)
    return kept


def _shared(one: Box, other: Box) -> float:
    """Intersection over the smaller of two boxes."""
    width = min(one.x1, other.x1) - max(one.x0, other.x0)
    height = min(one.y1, other.y1) - max(one.y0, other.y0)
    smaller = min(one.area, other.area)
    return max(width, 0.0) * max(height, 0.0) / smaller if smaller > 0 else 0.0


def average_mirrored(straight: Sequence[Detection], mirrored: Sequence[Detection]) -> list[Detection]:
    """Each object with the mean of what the image and its mirror image say of it, strongest first.

    One that only a single look has seen keeps half of its confidence.
    """
    left = list(mirrored)
    averaged = []
    for each in straight:
        partner = max(left, key=lambda other: _overlap(each, other), default=None)
        if partner is None or _overlap(each, partner) < SAME_OBJECT:
            averaged.append(Detection(each.box, each.confidence / 2, each.class_name))
            continue
        left.remove(partner)
        averaged.append(Detection(each.box, (each.confidence + partner.confidence) / 2, each.class_name))
    averaged += [Detection(each.box, each.confidence / 2, each.class_name) for each in left]
    return sorted(averaged, key=lambda each: -each.confidence)


def _overlap(one: Detection, other: Detection) -> float:
    return iou(one.box, other.box) if one.class_name == other.class_name else 0.0
