"""Whose word stands when several people have looked at an image.

A *voice* is a person's latest verdict that was neither an undo nor undone. The rule is the dataset's:

* latest: the latest of them all, whoever gave it;
* majority: what more than half of the voices say, else nothing yet;
* unanimous: what all of them say, else nothing yet.

Under the last two a settling verdict wins over the voices, and a voice that still awaits a second look does not
stand alone.
"""

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum

from app.domain.reviewing import ReviewFact, Source, find_effective


class Consensus(StrEnum):
    """How the verdicts of several people make one."""

    LATEST = "latest"  #: the last word counts
    MAJORITY = "majority"  #: more than half of the people must say it
    UNANIMOUS = "unanimous"  #: all of them must


class Unsettled(StrEnum):
    """Why no verdict stands although people have spoken."""

    SECOND = "second"  #: one person has, and a second must look first
    CONFLICT = "conflict"  #: they do not agree, and nobody has settled it


@dataclass(frozen=True, slots=True)
class Standing:
    """The review whose verdict stands, or why none does; neither where nobody has spoken."""

    review: ReviewFact | None = None
    unsettled: Unsettled | None = None


def list_effective(reviews: Sequence[ReviewFact]) -> list[ReviewFact]:
    """The reviews that are neither undos nor undone, oldest first."""
    undone = {review.undoes for review in reviews if review.undoes is not None}
    standing = [review for review in reviews if review.verdict is not None and review.review_id not in undone]
    return sorted(standing, key=lambda review: review.review_id)


def list_voices(reviews: Sequence[ReviewFact]) -> list[ReviewFact]:
    """Each person's latest effective review, settling ones left out, oldest first."""
    latest = {review.reviewer: review for review in list_effective(reviews) if review.source != Source.SETTLE}
    return sorted(latest.values(), key=lambda review: review.review_id)


def find_settling(reviews: Sequence[ReviewFact]) -> ReviewFact | None:
    """The latest effective verdict that settled a conflict."""
    settling = [review for review in list_effective(reviews) if review.source == Source.SETTLE]
    return settling[-1] if settling else None


def find_common(rule: Consensus, voices: Sequence[ReviewFact]) -> ReviewFact | None:
    """The latest of the voices that say what the rule lets stand; None if it lets nothing.

    ``voices`` are at most one a person, oldest first.
    """
    if not voices or rule is Consensus.LATEST:
        return voices[-1] if voices else None
    verdict, times = Counter(voice.verdict for voice in voices).most_common(1)[0]
    enough = times == len(voices) if rule is Consensus.UNANIMOUS else 2 * times > len(voices)
    return [voice for voice in voices if voice.verdict is verdict][-1] if enough else None


def find_standing(rule: Consensus, reviews: Sequence[ReviewFact], *, awaits_second: bool) -> Standing:
    """What stands of an image's whole history under a rule."""
    if rule is Consensus.LATEST:
        return Standing(find_effective(reviews))
    settling = find_settling(reviews)
    if settling is not None:
        return Standing(settling)
    voices = list_voices(reviews)
    if not voices:
        return Standing()
    if len(voices) == 1 and awaits_second:
        return Standing(unsettled=Unsettled.SECOND)
    common = find_common(rule, voices)
    return Standing(common) if common is not None else Standing(unsettled=Unsettled.CONFLICT)
