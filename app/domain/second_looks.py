"""Which images a second person looks at, blind, and where such a look stands.

Whether an image is drawn follows from its id and the dataset's seed alone: nothing is rolled when somebody asks for
work, the share holds over any large set, and a larger share keeps what a smaller one had drawn.
"""

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from enum import StrEnum
from hashlib import sha256

from app.domain.consensus import Consensus, find_common, find_settling, list_effective, list_voices
from app.domain.flagging import FlagReason
from app.domain.reviewing import SECOND_SOURCES, ReviewFact, Source, Verdict

UNSURE = "unsure"  #: beside the reasons of flags: a verdict that leaves the question open
REASONS = (FlagReason.DISAGREEMENT, FlagReason.SECOND_OPINION, FlagReason.DUPLICATE_CONFLICT, UNSURE)


class Stage(StrEnum):
    """What an image with a second look waits for."""

    SECOND = "second"  #: another person, who is told nothing
    THIRD = "third"  #: somebody who settles what two people disagree on
    DONE = "done"  #: nobody: they agree, or it is settled


@dataclass(frozen=True, slots=True)
class Reviewing:
    """How a dataset is reviewed by several people."""

    share: float = 0.0  #: of the images called, 0..1, that a second person sees
    reasons: tuple[str, ...] = ()  #: of REASONS: images that a second person always sees
    seed: str = ""
    consensus: Consensus = Consensus.LATEST

    @property
    def is_on(self) -> bool:
        """Whether any verdict can await a second look."""
        return self.share > 0 or bool(self.reasons)


@dataclass(frozen=True, slots=True)
class Look:
    """Where the second look at an image stands, as its reviews have it."""

    stage: Stage
    first: ReviewFact  #: what the second person was to confirm; while none has come, the latest voice
    second: ReviewFact | None  #: the blind one
    settling: ReviewFact | None


def is_drawn(image_id: int, seed: str, share: float) -> bool:
    """Whether an image belongs to the share, 0..1, that a second person sees."""
    number = int.from_bytes(sha256(f"{seed}:{image_id}".encode()).digest()[:8])
    return number < share * 2**64


def wants_second(reviewing: Reviewing, image_id: int, verdict: Verdict, flags: Collection[str]) -> bool:
    """Whether a second person is to look at an image that was just called."""
    if is_drawn(image_id, reviewing.seed, reviewing.share):
        return True
    reasons = set(flags) | ({UNSURE} if verdict is Verdict.UNSURE else set())
    return not reasons.isdisjoint(reviewing.reasons)


def find_look(rule: Consensus, reviews: Sequence[ReviewFact], *, wanted: bool) -> Look | None:
    """Where the second look at an image stands; None if there is none.

    ``wanted`` says that a second look was asked for when it was called. Without that an image has one only where
    the rule needs it: two people disagree, and so no verdict stands.
    """
    voices = list_voices(reviews)
    if not voices:
        return None
    effective = list_effective(reviews)
    second = next((review for review in reversed(effective) if review.source in SECOND_SOURCES), None)
    settling = find_settling(reviews)
    stage = _stage(rule, voices, second, settling, wanted=wanted)
    return None if stage is None else Look(stage, _first(effective, voices, second), second, settling)


def _stage(
    rule: Consensus,
    voices: Sequence[ReviewFact],
    second: ReviewFact | None,
    settling: ReviewFact | None,
    *,
    wanted: bool,
) -> Stage | None:
    if settling is not None:
        return Stage.DONE
    if _is_conflict(rule, voices, second):
        return Stage.THIRD
    if second is not None:
        return Stage.DONE
    return Stage.SECOND if wanted else None


def _is_conflict(rule: Consensus, voices: Sequence[ReviewFact], second: ReviewFact | None) -> bool:
    """Under *latest* a later call replaces an earlier one, and only a blind look can contradict it."""
    if rule is Consensus.LATEST:
        return second is not None and len({voice.verdict for voice in voices}) > 1
    return find_common(rule, voices) is None


def _first(effective: Sequence[ReviewFact], voices: Sequence[ReviewFact], second: ReviewFact | None) -> ReviewFact:
    """What stood before the second look, by somebody else: later changes of mind are no independent verdicts."""
    if second is None:
        return voices[-1]
    before = [
        review
        for review in effective
        if review.review_id < second.review_id
        and review.reviewer != second.reviewer
        and review.source not in (*SECOND_SOURCES, Source.SETTLE)
    ]
    return before[-1] if before else voices[0]
