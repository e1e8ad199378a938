"""Why an image wants a person."""

from dataclasses import dataclass
from enum import StrEnum

from app.domain.images import Side


class FlagReason(StrEnum):
    """The reasons a flag can have."""

    DISAGREEMENT = "disagreement"  #: the detector's score stands on the other side of the threshold
    SECOND_OPINION = "second_opinion"  #: a classifier doubts an image on which detector and folder agree
    DUPLICATE_CONFLICT = "duplicate_conflict"  #: the same picture lies in both folders
    UNREADABLE = "unreadable"  #: the file cannot be decoded


@dataclass(frozen=True, slots=True)
class Flag:
    """A reason and a sentence that a person can read."""

    reason: FlagReason
    detail: str


@dataclass(frozen=True, slots=True)
class Labels:
    """The names of a dataset's two labels."""

    positive: str
    negative: str

    def name(self, side: Side) -> str:
        """The label's name, which is also its folder's."""
        return self.positive if side is Side.POSITIVE else self.negative


MOST_COUNTED = 100  #: copies that are counted; of one more it is said that they are more


@dataclass(frozen=True, slots=True)
class Copies:
    """Exact copies of a picture under one given label: how many, up to :data:`MOST_COUNTED` and one, and one path."""

    count: int
    path: str


def disagrees(given: Side, score: float, threshold: float) -> bool:
    """Whether the detector speaks against the folder: it sees the object from ``threshold`` upwards."""
    sees = score >= threshold
    return sees if given is Side.NEGATIVE else not sees


def find_flags(
    given: Side,
    score: float | None,
    threshold: float,
    labels: Labels,
    unreadable: str | None,
    elsewhere: Copies | None = None,
    doubt: float | None = None,
) -> tuple[Flag, ...]:
    """Every flag of one image: from its given label, score and threshold, or from its being unreadable.

    ``elsewhere`` are exact copies of it that lie in the other folder; that flag comes first. ``doubt`` is how likely
    the folder is wrong by what verdicts have taught, where that is enough for a flag; it raises one only where the
    detector agrees.
    """
    if unreadable is not None:
        return (Flag(FlagReason.UNREADABLE, unreadable),)
    flags = []
    if elsewhere is not None:
        flags.append(Flag(FlagReason.DUPLICATE_CONFLICT, describe_conflict(given, elsewhere, labels)))
    if score is not None and disagrees(given, score, threshold):
        flags.append(Flag(FlagReason.DISAGREEMENT, describe_disagreement(given, score, labels)))
    elif score is not None and doubt is not None:
        flags.append(Flag(FlagReason.SECOND_OPINION, describe_second_opinion(given, doubt, labels)))
    return tuple(flags)


def describe_conflict(given: Side, elsewhere: Copies, labels: Labels) -> str:
    """The sentence a reviewer reads: ``filed as football; the same picture lies in background too: background/x.jpg``.

    For more than one copy: ``... 3 copies of it lie in background, one is background/x.jpg``.
    """
    filed = f"filed as {labels.name(given)}"
    other = labels.name(given.other)
    if elsewhere.count == 1:
        return f"{filed}; the same picture lies in {other} too: {elsewhere.path}"
    many = f"more than {MOST_COUNTED}" if elsewhere.count > MOST_COUNTED else str(elsewhere.count)
    return f"{filed}; {many} copies of it lie in {other}, one is {elsewhere.path}"


def describe_disagreement(given: Side, score: float, labels: Labels) -> str:
    """The sentence a reviewer reads: ``filed as background; D-FINE sees a football, 0.83``."""
    filed = f"filed as {labels.name(given)}"
    if given is Side.NEGATIVE:
        return f"{filed}; D-FINE sees {_with_article(labels.positive)}, {score:.2f}"
    if score <= 0:
        return f"{filed}; D-FINE sees no {labels.positive} at all"
    return f"{filed}; D-FINE sees no {labels.positive} it is sure of, best {score:.2f}"


def describe_second_opinion(given: Side, doubt: float, labels: Labels) -> str:
    """The sentence a reviewer reads: ``filed as background, and D-FINE agrees; ... 72 % likely to be football``."""
    filed = f"filed as {labels.name(given)}, and D-FINE agrees"
    return f"{filed}; by what people have called so far, {round(100 * doubt)} % likely to be {labels.name(given.other)}"


def _with_article(noun: str) -> str:
    return f"{'an' if noun[:1].lower() in 'aeiou' else 'a'} {noun}"
