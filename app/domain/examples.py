"""Which called images stand for the rest: some of each kind, the newest first."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from enum import StrEnum

from app.domain.flagging import disagrees
from app.domain.images import Side
from app.domain.reviewing import Verdict, side_of


class ExampleKind(StrEnum):
    """What an image is an example of."""

    FALSE_POSITIVE = "false_positive"  #: filed positive, and people see none
    FALSE_NEGATIVE = "false_negative"  #: filed negative, and people see one
    OVERRULED = "overruled"  #: the detector raised a flag, and the folder was right
    UNSURE = "unsure"
    DISCARDED = "discarded"


#: kind -> how many of it are shown at most: 24 in all
SHOWN = {
    ExampleKind.FALSE_POSITIVE: 6,
    ExampleKind.FALSE_NEGATIVE: 6,
    ExampleKind.OVERRULED: 4,
    ExampleKind.UNSURE: 4,
    ExampleKind.DISCARDED: 4,
}


@dataclass(frozen=True, slots=True)
class Called:
    """An image with the verdict that stands."""

    image_id: int
    given: Side
    verdict: Verdict
    score: float | None


def kind_of(called: Called, threshold: float) -> ExampleKind | None:
    """What an image is an example of; None: detector, folder and people agree."""
    if called.verdict is Verdict.UNSURE:
        return ExampleKind.UNSURE
    if called.verdict is Verdict.DISCARD:
        return ExampleKind.DISCARDED
    if side_of(called.verdict) is not called.given:
        return ExampleKind.FALSE_POSITIVE if called.given is Side.POSITIVE else ExampleKind.FALSE_NEGATIVE
    flagged = called.score is not None and disagrees(called.given, called.score, threshold)
    return ExampleKind.OVERRULED if flagged else None


def choose_examples(sources: Iterable[Sequence[Called]], threshold: float) -> dict[ExampleKind, list[int]]:
    """Ids of images by kind, at most :data:`SHOWN` of each; a later source fills what the earlier ones lack."""
    chosen: dict[ExampleKind, list[int]] = {kind: [] for kind in ExampleKind}
    for source in sources:
        for called in source:
            kind = kind_of(called, threshold)
            if kind is not None and len(chosen[kind]) < SHOWN[kind] and called.image_id not in chosen[kind]:
                chosen[kind].append(called.image_id)
    return chosen
