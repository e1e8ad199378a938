"""What a threshold costs and what it leaves: work left against errors left as it moves, and how often flags are right.

From tallies alone, so it costs the same at any number of images. Scores are cut into bands of 0.1 for each given label;
in a band the share of verdicts that went against the folder stands for the images there that nobody has called. Those
who were called are no random sample of their band, as the most suspicious come first: these are estimates, and bound
nothing. Only the certificate bounds.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import accumulate
from math import sqrt

from app.domain.counting import BINS, Below, Tally, bin_of, split_by_flag
from app.domain.images import Side
from app.domain.proportions import Proportion, measure_proportion
from app.domain.reviewing import Verdict, side_of, upholds_flag

BANDS = 10  #: of scores, for each given label
WIDTH = BINS // BANDS  #: bins in a band
FEW = 10  #: with fewer verdicts a band says hardly anything
SETTLING = (Verdict.POSITIVE, Verdict.NEGATIVE)


@dataclass(frozen=True, slots=True)
class Band:
    """Images with one given label and ``lower <= score < upper`` (the last band is closed)."""

    given: Side
    lower: float
    upper: float
    images: int
    uncalled: int  #: nobody has called them
    wrong: Proportion  #: of the verdicts that settle a label, those against the folder

    @property
    def few(self) -> bool:
        """Whether too few verdicts were given here to say much."""
        return self.wrong.of < FEW


@dataclass(frozen=True, slots=True)
class FlagBand:
    """The detector's flags in a band, under the threshold as it stands."""

    given: Side
    lower: float
    upper: float
    flags: int
    open: int  #: nobody has called them
    upheld: Proportion  #: of the flags that were settled with yes or no

    @property
    def few(self) -> bool:
        """Whether too few verdicts were given here to say much."""
        return self.upheld.of < FEW


@dataclass(frozen=True, slots=True)
class Point:
    """One threshold: the work it asks for, and what would be left when that is done."""

    threshold: float
    open_flags: int  #: flags of the detector that nobody has called
    unflagged: int  #: images that nobody has called and nobody would be asked about
    errors: float  #: estimated mislabels among those; bands without a verdict add none
    low: float
    high: float
    in_few: int  #: of the unflagged, those in bands with fewer than FEW verdicts


@dataclass(frozen=True, slots=True)
class ThresholdCurve:
    """Every threshold from 0 to 0.99 by hundredths, and the one that is set."""

    here: Point
    points: tuple[Point, ...]
    bands: tuple[Band, ...]
    flags: tuple[FlagBand, ...]

    @property
    def peak_open(self) -> int:
        """The most flags that any threshold leaves open."""
        return max(point.open_flags for point in self.points)

    @property
    def peak_errors(self) -> float:
        """The highest end of any interval."""
        return max(point.high for point in self.points)

    @property
    def rows(self) -> tuple[Point, ...]:
        """A dozen points for a table: each tenth, and the one that is set."""
        tenths = {round(point.threshold, 6): point for point in self.points[::WIDTH]}
        return tuple(found for _, found in sorted((tenths | {round(self.here.threshold, 6): self.here}).items()))


def trace_curve(tallies: Sequence[Tally], threshold: float, below: Below) -> ThresholdCurve:
    """The curve of a dataset; ``below`` as in :func:`app.domain.counting.split_by_flag`."""
    bands = measure_bands(tallies)
    uncalled = _uncalled(tallies)
    edge = {side: sum(_of(below, side)) for side in Side}
    return ThresholdCurve(
        here=_point(bands, uncalled, threshold, edge),
        points=tuple(_point(bands, uncalled, number / BINS, {}) for number in range(BINS)),
        bands=bands,
        flags=measure_flags(tallies, threshold, below),
    )


def _uncalled(tallies: Sequence[Tally]) -> dict[Side, list[int]]:
    """Images that nobody has called, by given label: how many lie below each bin, and at the end all of them."""
    found = {side: [0] * BINS for side in Side}
    for tally in tallies:
        if tally.bin >= 0 and tally.uncalled:
            found[tally.given][tally.bin] += tally.images
    return {side: list(accumulate(counts, initial=0)) for side, counts in found.items()}


def _of(below: Below, side: Side) -> list[int]:
    """Of the images just under the threshold those of one label that nobody has called."""
    return [
        images
        for (given, verdict, unsettled, _), images in below.items()
        if given is side and verdict is None and not unsettled
    ]


def measure_bands(tallies: Sequence[Tally]) -> tuple[Band, ...]:
    """The score bands of both labels, the positive one's first, each by rising score."""
    return tuple(_band(tallies, side, number) for side in Side for number in range(BANDS))


def _band(tallies: Sequence[Tally], side: Side, number: int) -> Band:
    here = [tally for tally in tallies if tally.given is side and tally.bin >= 0 and tally.bin // WIDTH == number]
    settled = [tally for tally in here if tally.verdict in SETTLING]
    against = sum(tally.images for tally in settled if side_of(tally.verdict) is not side)
    return Band(
        given=side,
        lower=number / BANDS,
        upper=(number + 1) / BANDS,
        images=sum(tally.images for tally in here),
        uncalled=sum(tally.images for tally in here if tally.uncalled),
        wrong=measure_proportion(against, sum(tally.images for tally in settled)),
    )


def measure_flags(tallies: Sequence[Tally], threshold: float, below: Below) -> tuple[FlagBand, ...]:
    """The precision of the detector's flags by given label and score band, where there are any.

    A flag counts as right where the verdict upholds it; ``unsure`` and ``discard`` count neither way. The interval is
    Wilson's, see :func:`app.domain.proportions.measure_proportion`.
    """
    found = [_flag_band(tallies, side, number, threshold, below) for side in Side for number in range(BANDS)]
    return tuple(band for band in found if band.flags)


def _flag_band(tallies: Sequence[Tally], side: Side, number: int, threshold: float, below: Below) -> FlagBand:
    flags = opened = upheld = settled = 0
    for tally in tallies:
        if tally.given is not side or tally.bin < 0 or tally.bin // WIDTH != number:
            continue
        flagged = split_by_flag(tally, threshold, below)
        upholds = None if tally.verdict is None else upholds_flag(side, tally.verdict)
        flags += flagged
        opened += flagged if tally.uncalled else 0
        settled += flagged if upholds is not None else 0
        upheld += flagged if upholds else 0
    return FlagBand(side, number / BANDS, (number + 1) / BANDS, flags, opened, measure_proportion(upheld, settled))


def _point(
    bands: Sequence[Band], uncalled: Mapping[Side, Sequence[int]], threshold: float, under: Mapping[Side, int]
) -> Point:
    """One threshold; ``under`` are the uncalled images of its own bin with a score below it.

    The interval of the sum is found from those of the bands, which are independent, by MOVER (G. Y. Zou and A. Donner,
    "Construction of confidence limits about effect measures", Statistics in Medicine 27, 2008, 1693-1702): distances
    from the estimate are added in squares. A band without a verdict may hold no mislabel or nothing else.
    """
    edge = bin_of(threshold)
    unflagged = in_few = unknown = 0
    errors = down = up = 0.0
    for band in bands:
        left = _left(uncalled[band.given], band, edge, under.get(band.given, 0))
        unflagged += left
        in_few += left if band.few else 0
        if band.wrong.estimate is None:
            unknown += left
            continue
        errors += left * band.wrong.estimate
        down += (left * (band.wrong.estimate - band.wrong.low)) ** 2
        up += (left * (band.wrong.high - band.wrong.estimate)) ** 2
    total = sum(below[-1] for below in uncalled.values())
    high = min(errors + sqrt(up) + unknown, unflagged)
    return Point(threshold, total - unflagged, unflagged, errors, max(0.0, errors - sqrt(down)), high, in_few)


def _left(below: Sequence[int], band: Band, edge: int, under: int) -> int:
    """Images of a band that a threshold in bin ``edge`` does not flag."""
    first = round(band.lower * BINS)
    last = first + WIDTH
    cut = below[min(max(edge, first), last)]
    inside = under if first <= edge < last else 0
    return cut - below[first] + inside if band.given is Side.NEGATIVE else below[last] - cut - inside
