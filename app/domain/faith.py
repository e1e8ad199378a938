"""Whether an engine sees what the reference sees.

There are public reports of D-FINE engines in half precision that detect almost nothing. Every engine and precision is
therefore compared with the float32 reference on canary images before it may write a score, by these rules.
"""

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from statistics import median
from typing import Any

import numpy as np
from scipy.optimize import linear_sum_assignment

from app.domain.detections import Box, Detection
from app.domain.scoring import image_score

MIN_CANARIES = 64
MIN_SEEN = 16  #: canaries on which the reference must see something: where it sees nothing, nothing is compared
MIN_TARGETS = 8  #: canaries on which it must see a target class, where only scores are compared
MIN_IOU = 0.95
MAX_CONFIDENCE_GAP = 0.01
MAX_SCORE_GAP = 0.02
MIN_SHARE_WITHIN = 0.99
STRONGEST = 20  #: detections of each canary that are compared

Seen = Sequence[Sequence[Detection]]


@dataclass(frozen=True, slots=True)
class FaithRules:
    """What a comparison needs to know of the detector's use."""

    targets: tuple[str, ...]
    floor: float
    threshold: float
    reduced: bool  #: in precision: image scores are compared, not every box


@dataclass(frozen=True, slots=True)
class FaithReport:
    """The figures of one comparison. ``reason`` says why it failed, in a sentence; None: it passed."""

    canaries: int
    seen: int
    targets_seen: int
    floor: float
    detections: int
    unmatched: int
    min_iou: float
    max_confidence_gap: float
    max_score_gap: float
    scores_within: float
    flags_turned: int
    reason: str | None

    @property
    def passed(self) -> bool:
        """Whether the engine may be used."""
        return self.reason is None

    def as_json(self) -> dict[str, Any]:
        """The figures, to be kept."""
        return asdict(self)


def compare_engines(reference: Seen, candidate: Seen, rules: FaithRules) -> FaithReport:
    """Compare two engines on the same canaries; both give *all* their detections, down to a confidence of 0."""
    tops = [max((each.confidence for each in image), default=0.0) for image in reference]
    clear = max(0.1, 2 * rules.floor)
    seen = sum(top >= clear for top in tops)
    floor = rules.floor if seen >= MIN_SEEN else min(rules.floor, median(tops) / 10 if tops else 0.0)
    matches = _match_all(reference, candidate, floor)
    gaps = _score_gaps(reference, candidate, rules)
    turned = sum(_turns(one, other, rules) for one, other in zip(reference, candidate, strict=True))
    figures: dict[str, Any] = {
        "canaries": len(reference),
        "seen": seen,
        "targets_seen": sum(image_score(image, rules.targets) >= clear for image in reference),
        "floor": round(floor, 6),
        "detections": len(matches),
        "unmatched": sum(iou is None for iou, _ in matches),
        "min_iou": round(min((iou for iou, _ in matches if iou is not None), default=0.0), 6),
        "max_confidence_gap": round(max((gap for iou, gap in matches if iou is not None), default=0.0), 6),
        "max_score_gap": round(max(gaps, default=0.0), 6),
        "scores_within": round(sum(gap <= MAX_SCORE_GAP for gap in gaps) / max(1, len(gaps)), 4),
        "flags_turned": turned,
    }
    return FaithReport(**figures, reason=_reason(figures, rules))


def _reason(figures: dict[str, Any], rules: FaithRules) -> str | None:
    if figures["canaries"] < MIN_CANARIES:
        return f"only {figures['canaries']} canary images; {MIN_CANARIES} are needed"
    if not figures["detections"]:
        return "the reference sees nothing on any canary image, so nothing can be compared"
    if figures["flags_turned"]:
        return f"it turns the flag of {figures['flags_turned']} of {figures['canaries']} canary images"
    if not rules.reduced:
        return _reason_of_boxes(figures)
    if figures["seen"] < MIN_SEEN:
        return f"the reference sees something on only {figures['seen']} canary images; {MIN_SEEN} are needed to judge"
    if figures["targets_seen"] < MIN_TARGETS:
        return f"the reference sees a target class on only {figures['targets_seen']} canaries; {MIN_TARGETS} are needed"
    if figures["scores_within"] < MIN_SHARE_WITHIN:
        within = f"{figures['scores_within']:.1%}"
        return f"{within} of the scores are within {MAX_SCORE_GAP} of the reference; {MIN_SHARE_WITHIN:.0%} are needed"
    return None


def _reason_of_boxes(figures: dict[str, Any]) -> str | None:
    if figures["unmatched"]:
        return f"{figures['unmatched']} of {figures['detections']} detections are seen by one engine alone"
    if figures["min_iou"] < MIN_IOU:
        return f"a box overlaps the reference's by IoU {figures['min_iou']:.3f} only; {MIN_IOU} is needed"
    if figures["max_confidence_gap"] > MAX_CONFIDENCE_GAP:
        return f"a confidence is {figures['max_confidence_gap']:.3f} off; {MAX_CONFIDENCE_GAP} is allowed"
    return None


def _score_gaps(reference: Seen, candidate: Seen, rules: FaithRules) -> list[float]:
    """How far the image-level scores lie apart: of the target classes, and of the strongest class of all."""
    gaps = []
    for one, other in zip(reference, candidate, strict=True):
        every = tuple({each.class_name for each in (*one, *other)})
        gaps.append(max(abs(image_score(one, names) - image_score(other, names)) for names in (rules.targets, every)))
    return gaps


def _turns(one: Sequence[Detection], other: Sequence[Detection], rules: FaithRules) -> bool:
    """Whether the engines stand on two sides of the threshold although the reference is clear of it."""
    known, found = image_score(one, rules.targets), image_score(other, rules.targets)
    return abs(known - rules.threshold) > MAX_SCORE_GAP and (known >= rules.threshold) != (found >= rules.threshold)


Match = tuple[float | None, float]  #: IoU, None without a partner; gap of the confidences


def _match_all(reference: Seen, candidate: Seen, floor: float) -> list[Match]:
    """Each side's detections above the floor, matched one to one with the other's, which may lie below it."""
    matches: list[Match] = []
    for one, other in zip(reference, candidate, strict=True):
        for wanted, offered in ((one, other), (other, one)):
            strong = [each for each in _strongest(wanted, STRONGEST) if each.confidence >= floor]
            matches += _match(strong, _strongest(offered, 3 * STRONGEST))
    return matches


def _strongest(detections: Sequence[Detection], count: int) -> list[Detection]:
    return sorted(detections, key=lambda each: -each.confidence)[:count]


def _match(wanted: Sequence[Detection], offered: Sequence[Detection]) -> list[Match]:
    """Partners of ``wanted`` among ``offered``, of the same class, by the best total overlap.

    Two near-tied queries may have swapped places: so pairs are found by the assignment of Kuhn (1955), not by order.
    """
    if not wanted or not offered:
        return [(None, 1.0) for _ in wanted]
    overlaps = np.array([[_likeness(one, other) for other in offered] for one in wanted])
    rows, columns = linear_sum_assignment(-overlaps)
    partners = dict(zip(rows.tolist(), columns.tolist(), strict=True))
    return [_pair(one, None if k not in partners else offered[partners[k]]) for k, one in enumerate(wanted)]


def _likeness(one: Detection, other: Detection) -> float:
    if one.class_name != other.class_name:
        return -1.0
    return iou(one.box, other.box) - abs(one.confidence - other.confidence)


def _pair(one: Detection, other: Detection | None) -> Match:
    if other is None or one.class_name != other.class_name:
        return None, 1.0
    overlap = iou(one.box, other.box)
    return (None, 1.0) if overlap < 0.5 else (overlap, abs(one.confidence - other.confidence))


def iou(one: Box, other: Box) -> float:
    """Intersection over union of two boxes, in 0..1."""
    width = min(one.x1, other.x1) - max(one.x0, other.x0)
    height = min(one.y1, other.y1) - max(one.y0, other.y0)
    common = max(width, 0.0) * max(height, 0.0)
    union = one.area + other.area - common
    return common / union if union > 0 else 0.0
