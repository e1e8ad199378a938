"""Verdicts: what a person says is in the image, what counts, and what may be undone.

Reviews are append-only. An undo is a row of its own that names the row it takes back.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum

from app.domain.images import Side


class Verdict(StrEnum):
    """What a person says is in the image."""

    POSITIVE = "positive"  #: the object is there
    NEGATIVE = "negative"  #: it is not
    UNSURE = "unsure"  #: looked, could not tell; the image is released nowhere
    DISCARD = "discard"  #: the image does not belong in the dataset


class Source(StrEnum):
    """Where a verdict was given."""

    REVIEW = "review"
    BLIND = "blind"  #: at the desk, of an image that was shown blind
    GRID = "grid"
    CARRY = "carry"  #: of an exact copy, taken over on request
    API = "api"
    IMPORT = "import"
    UNDO = "undo"
    SECOND = "second"  #: a blind second look
    REPEAT = "repeat"  #: another person's answer to a blind repeat, which is a second look among other work
    SETTLE = "settle"  #: by somebody who saw what two others disagreed on


SECOND_SOURCES = (Source.SECOND, Source.REPEAT)  #: another person's, who was told nothing of the first


@dataclass(frozen=True, slots=True)
class ReviewFact:
    """One row of the history of an image, oldest first by ``review_id``."""

    review_id: int
    verdict: Verdict | None
    undoes: int | None
    reviewer: str
    reviewed_at: datetime
    source: str = Source.REVIEW


def find_effective(reviews: Sequence[ReviewFact]) -> ReviewFact | None:
    """The review that counts: the latest that is neither an undo nor undone."""
    undone = {review.undoes for review in reviews if review.undoes is not None}
    standing = [review for review in reviews if review.verdict is not None and review.review_id not in undone]
    return max(standing, key=lambda review: review.review_id, default=None)


def side_of(verdict: Verdict | None) -> Side | None:
    """The label a verdict stands for; None for unsure, discard and no verdict."""
    if verdict is Verdict.POSITIVE:
        return Side.POSITIVE
    if verdict is Verdict.NEGATIVE:
        return Side.NEGATIVE
    return None


def final_side(given: Side, verdict: Verdict | None, *, signed_off: bool) -> Side | None:
    """The label that follows from the verdict or, without one, from a sign-off of the agreeing rest."""
    if verdict is None:
        return given if signed_off else None
    return side_of(verdict)


def upholds_flag(given: Side, verdict: Verdict) -> bool | None:
    """True: the verdict agrees with the flag (upheld). False: with the folder (overruled). None: neither."""
    side = side_of(verdict)
    return None if side is None else side is not given
