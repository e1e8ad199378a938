"""The place of the image with a number in a list, counted along indexes from where kept counts lead."""

from bisect import bisect_right
from collections.abc import Mapping, Sequence

from sqlalchemy.orm import Session

from app.domain.counting import BINS, HAIR
from app.domain.images import Side
from app.storage.browsing import START, Cut, Position, Stream, make_streams
from app.storage.datasets import Dataset
from app.storage.narrowing import Wanted
from app.storage.tallies import histogram


def find_number(session: Session, dataset: Dataset, wanted: Wanted, order: str, number: int) -> Cut:
    """The cut before the image with a number, 1 for the first, among those that the indexes' filters leave.

    In each step the stream whose row lies first gives up as many rows as are surely before the goal, so at most
    twice as many entries of the indexes are counted as lie between the goal and the bin of scores to which kept counts
    lead, and none is fetched.
    """
    streams = make_streams(session, dataset, wanted, order)
    first = min(stream.group for stream in streams)  # what comes after is in no order that could be counted
    members = [stream for stream in streams if stream.group == first]
    here: list[Position | None] = list(START)
    left = number - 1
    if all(stream.whole for stream in members):
        left -= _leap(histogram(session, dataset.id), members, left, here)
    step = max(1, left // len(members))
    while left > 0 and step > 0:
        step = min(step, max(1, left // len(members)))
        ahead = [(stream, stream.find_nth(session, here[stream.number], step)) for stream in members]
        reached = [(stream.rank(*spot), stream.number, spot) for stream, spot in ahead if spot is not None]
        if reached:
            _, chosen, spot = min(reached)
            here[chosen] = spot
            left -= step
        else:
            step //= 2
    return tuple(here)


def _leap(
    counts: Mapping[tuple[Side, int], int], members: Sequence[Stream], left: int, here: list[Position | None]
) -> int:
    """Set out behind whole bins of scores that surely lie among the first ``left`` rows; how many rows those are.

    A bin less than would do: on its edge two labels' equal strengths are told apart by more than the score.
    """
    passed = [0]  # by how many bins were passed, the strongest first
    for strength in reversed(range(BINS)):
        bins = [(_side_of(stream), BINS - 1 - strength if stream.mirrored else strength) for stream in members]
        passed.append(passed[-1] + sum(counts.get(each, 0) for each in bins))
    bins_passed = bisect_right(passed, left) - 2
    if bins_passed < 1:
        return 0
    for stream in members:
        edge = bins_passed if stream.mirrored else BINS - bins_passed
        here[stream.number] = ((edge - HAIR) / BINS, 0)
    return passed[bins_passed]


def _side_of(scores: Stream) -> Side:
    return Side.POSITIVE if scores.number == 0 else Side.NEGATIVE
