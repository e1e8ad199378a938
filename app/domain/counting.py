"""The counts of a dataset, from images tallied by given label, score bin and verdict, and a threshold.

A tally does not know the threshold, so moving it counts nothing anew: whole bins lie on one side of it, and only what
lies below it in its own bin has to be looked up.
"""

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from math import floor

from app.domain.images import Side
from app.domain.reviewing import Verdict, side_of, upholds_flag

BINS = 100  #: of scores, each 0.01 wide; the last one is closed above
UNSCORED, UNREADABLE = -1, -2  #: in place of a bin
HAIR = 1e-9  #: added before rounding down, so that 0.29 lies in the bin that begins at 0.29


@dataclass(frozen=True, slots=True)
class Tally:
    """Images with one given label, in one bin, under one verdict (None: nobody has called them, or ``unsettled``)."""

    given: Side
    bin: int
    verdict: Verdict | None
    images: int
    unsettled: bool = False  #: people have spoken, and no verdict stands
    signed: bool = False  #: the sign-off that stands covers them, with the bytes that they have

    @property
    def key(self) -> "TallyKey":
        """What sets it apart within a bin."""
        return self.given, self.verdict, self.unsettled, self.signed

    @property
    def uncalled(self) -> bool:
        """Whether nobody has called them."""
        return self.verdict is None and not self.unsettled


@dataclass(frozen=True, slots=True)
class PersonTally:
    """Images with one given label, in one bin, on which one person's verdict stands."""

    reviewer: str
    given: Side
    bin: int
    verdict: Verdict
    images: int


@dataclass(frozen=True, slots=True)
class ReviewerCounts:
    """One reviewer's standing verdicts; ``upheld`` and ``overruled`` are those on flags of the detector."""

    reviewer: str
    verdicts: int
    upheld: int
    overruled: int
    unsure: int
    discarded: int


@dataclass(frozen=True, slots=True)
class DatasetCounts:
    """The counts of a dataset, as the contract names them."""

    images: int
    unreadable: int
    scored: int
    flagged: int
    open_flags: int
    reviewed: int
    upheld: int
    overruled: int
    unsure: int
    discarded: int
    tp: int
    fp: int
    fn: int
    tn: int


@dataclass(frozen=True, slots=True)
class CrossedCounts:
    """Images of one given label of which the detector says the same, by the verdict that stands on them."""

    given: Side
    sees: bool | None  #: whether the score reaches the threshold; None: they have none
    positive: int
    negative: int
    unsure: int
    discarded: int
    open: int  #: no verdict stands

    @property
    def images(self) -> int:
        """All of them."""
        return self.positive + self.negative + self.unsure + self.discarded + self.open


@dataclass(frozen=True, slots=True)
class SignedCounts:
    """Images that a sign-off covered: for how many it still holds, and for how many it ceased to."""

    holding: int  #: without a verdict or a flag; those called as they are filed are in neither
    lost: int  #: changed, gone, flagged, or called against their folder


@dataclass(frozen=True, slots=True)
class ReleaseCounts:
    """Images of one given label that a sign-off now would release."""

    settled: int  #: with a positive or negative verdict
    agreeing: int  #: unreviewed, scored, without a flag
    errors_found: int  #: settled against their folder


def bin_of(score: float) -> int:
    """The bin of a score in 0..1. A higher score is never in a lower bin."""
    return BINS - 1 if score >= 1.0 else floor(score * BINS + HAIR)


TallyKey = tuple[Side, Verdict | None, bool, bool]  #: given label, verdict, unsettled, signed
Below = Mapping[TallyKey, int]


def split_by_flag(tally: Tally, threshold: float, below: Below) -> int:
    """How many images of a tally carry a flag.

    ``below`` are the images in the threshold's own bin whose score is under it, by :attr:`Tally.key`.
    """
    if tally.bin < 0:
        return 0
    seen = _seen(tally, threshold, below)
    return seen if tally.given is Side.NEGATIVE else tally.images - seen


def _seen(tally: Tally, threshold: float, below: Below) -> int:
    """How many images of a tally that has scores reach the threshold."""
    edge = bin_of(threshold)
    return (tally.images if tally.bin >= edge else 0) - (below.get(tally.key, 0) if tally.bin == edge else 0)


def cross_tallies(tallies: Sequence[Tally], threshold: float, below: Below) -> tuple[CrossedCounts, ...]:
    """Given label x detector x verdict, every one of the six rows; ``below`` as in :func:`split_by_flag`."""
    found: Counter[tuple[Side, bool | None, Verdict | None]] = Counter()
    for tally in tallies:
        if tally.bin < 0:
            found[tally.given, None, tally.verdict] += tally.images
            continue
        seen = _seen(tally, threshold, below)
        found[tally.given, True, tally.verdict] += seen
        found[tally.given, False, tally.verdict] += tally.images - seen
    return tuple(_crossed(found, given, sees) for given in Side for sees in (True, False, None))


def _crossed(
    found: Mapping[tuple[Side, bool | None, Verdict | None], int], given: Side, sees: bool | None
) -> CrossedCounts:
    return CrossedCounts(
        given=given,
        sees=sees,
        positive=found[given, sees, Verdict.POSITIVE],
        negative=found[given, sees, Verdict.NEGATIVE],
        unsure=found[given, sees, Verdict.UNSURE],
        discarded=found[given, sees, Verdict.DISCARD],
        open=found[given, sees, None],
    )


def count_tallies(
    tallies: Sequence[Tally], threshold: float, below: Below, conflicts: Sequence[Tally] = ()
) -> DatasetCounts:
    """Every count of a dataset under a threshold; ``below`` as in :func:`split_by_flag`.

    ``conflicts`` are images that carry a flag though detector and folder agree, or that have no score.
    """
    total: Counter[tuple[Side, Verdict | None]] = Counter()
    flagged: Counter[tuple[Side, Verdict | None]] = Counter()
    unsettled = 0
    for tally in tallies:
        total[tally.given, tally.verdict] += tally.images
        on_flag = split_by_flag(tally, threshold, below)
        flagged[tally.given, tally.verdict] += on_flag
        unsettled += on_flag if tally.unsettled else 0
    for tally in conflicts:
        flagged[tally.given, tally.verdict] += tally.images
        unsettled += tally.images if tally.unsettled else 0
    return DatasetCounts(
        images=total.total(),
        unreadable=sum(tally.images for tally in tallies if tally.bin == UNREADABLE),
        scored=sum(tally.images for tally in tallies if tally.bin >= 0),
        flagged=flagged.total(),
        open_flags=sum(flagged[side, None] for side in Side) - unsettled,
        reviewed=sum(number for (_, verdict), number in total.items() if verdict is not None),
        upheld=_flagged_with(flagged, upheld=True),
        overruled=_flagged_with(flagged, upheld=False),
        unsure=sum(total[side, Verdict.UNSURE] for side in Side),
        discarded=sum(total[side, Verdict.DISCARD] for side in Side),
        tp=total[Side.POSITIVE, Verdict.POSITIVE],
        fp=total[Side.POSITIVE, Verdict.NEGATIVE],
        fn=total[Side.NEGATIVE, Verdict.POSITIVE],
        tn=total[Side.NEGATIVE, Verdict.NEGATIVE],
    )


def _flagged_with(flagged: Mapping[tuple[Side, Verdict | None], int], *, upheld: bool) -> int:
    return sum(
        number
        for (given, verdict), number in flagged.items()
        if verdict is not None and upholds_flag(given, verdict) is upheld
    )


def count_released(
    tallies: Sequence[Tally], threshold: float, below: Below, conflicts: Sequence[Tally] = ()
) -> dict[Side, ReleaseCounts]:
    """What a sign-off now would release, by given label; ``below`` and ``conflicts`` as in :func:`count_tallies`."""
    settled: Counter[Side] = Counter()
    errors: Counter[Side] = Counter()
    agreeing: Counter[Side] = Counter()
    for tally in tallies:
        if tally.bin == UNREADABLE:
            continue
        side = side_of(tally.verdict)
        if side is not None:
            settled[tally.given] += tally.images
            errors[tally.given] += tally.images if side is not tally.given else 0
        elif tally.uncalled and tally.bin >= 0:
            agreeing[tally.given] += tally.images - split_by_flag(tally, threshold, below)
    for tally in conflicts:
        agreeing[tally.given] -= tally.images if tally.bin >= 0 and tally.uncalled else 0
    return {side: ReleaseCounts(settled[side], agreeing[side], errors[side]) for side in Side}


def count_signed(
    tallies: Sequence[Tally], threshold: float, below: Below, conflicts: Sequence[Tally], covered: int
) -> SignedCounts:
    """What became of the ``covered`` images of a sign-off; the rest as in :func:`count_tallies`."""
    holding = kept = 0
    agreeing = [(tally, tally.images - split_by_flag(tally, threshold, below)) for tally in tallies]
    for tally, images in [*agreeing, *((tally, -tally.images) for tally in conflicts)]:
        if tally.signed and tally.bin >= 0:
            holding += images if tally.uncalled else 0
            kept += images if tally.uncalled or side_of(tally.verdict) is tally.given else 0
    return SignedCounts(holding, covered - kept)


def count_people(
    tallies: Sequence[PersonTally], threshold: float, below: Sequence[PersonTally]
) -> list[ReviewerCounts]:
    """Each reviewer's standing verdicts, the busiest first; ``below`` as in :func:`split_by_flag`, as tallies."""
    under = {(tally.reviewer, tally.given, tally.verdict): tally.images for tally in below}
    total: Counter[tuple[str, Verdict]] = Counter()
    flagged: Counter[tuple[str, bool | None]] = Counter()
    for tally in tallies:
        total[tally.reviewer, tally.verdict] += tally.images
        plain = Tally(tally.given, tally.bin, tally.verdict, tally.images)
        own = {plain.key: under.get((tally.reviewer, tally.given, tally.verdict), 0)}
        flagged[tally.reviewer, upholds_flag(tally.given, tally.verdict)] += split_by_flag(plain, threshold, own)
    people = [
        ReviewerCounts(
            reviewer=name,
            verdicts=sum(total[name, verdict] for verdict in Verdict),
            upheld=flagged[name, True],
            overruled=flagged[name, False],
            unsure=total[name, Verdict.UNSURE],
            discarded=total[name, Verdict.DISCARD],
        )
        for name in sorted({tally.reviewer for tally in tallies})
    ]
    return sorted(people, key=lambda person: -person.verdicts)
