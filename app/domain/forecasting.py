"""What a goal takes: how many more draws until the bound is low enough, if they go well."""

from collections.abc import Sequence
from dataclasses import replace
from itertools import accumulate, pairwise

from app.domain.bounds import bound_left
from app.domain.evidence import Draw, Evidence, Record

MOST = 20_000  #: draws; a goal that takes more is not within reach of an audit


def draws_needed(records: Sequence[Record], goal: int, risk: float) -> int | None:
    """The fewest further draws after which at most ``goal`` mislabels may be left, if none of them is wrong.

    They are spread over the strata by how many images have no verdict, and no other verdict comes in between: an
    error among them makes it more, errors found elsewhere make it fewer. None where it takes more than MOST.

    Raises:
        InvalidInputError: ``risk`` is not within 0..1, or a record has counts that cannot be.
    """

    def reached(count: int) -> bool:
        later = [Evidence(record) for record in with_right_draws(records, count)]
        return bound_left(later, risk).overall <= goal

    most = min(MOST, sum(record.unreviewed for record in records))
    if reached(0):
        return 0
    few, many = 0, min(64, most)
    while not reached(many):
        if many == most:
            return None
        few, many = many, min(2 * many, most)
    while many - few > 1:
        middle = (few + many) // 2
        few, many = (few, middle) if reached(middle) else (middle, many)
    return many


def with_right_draws(records: Sequence[Record], count: int) -> list[Record]:
    """The records after ``count`` more draws, none of them wrong, spread by what has no verdict."""
    left = [record.unreviewed for record in records]
    total = max(1, sum(left))
    ends = [count * end // total for end in accumulate(left, initial=0)]
    return [_add_right(record, end - start) for record, (start, end) in zip(records, pairwise(ends), strict=True)]


def _add_right(record: Record, count: int) -> Record:
    more = (Draw(record.reviewed + number, record.found, wrong=False) for number in range(count))
    return replace(record, reviewed=record.reviewed + count, draws=(*record.draws, *more))
