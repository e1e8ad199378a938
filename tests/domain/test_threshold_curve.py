"""The threshold curve and the precision of flags, and the interval that both are told with."""

import pytest

from app.domain.counting import BINS, Tally, TallyKey, count_tallies
from app.domain.images import Side
from app.domain.proportions import measure_proportion
from app.domain.reviewing import Verdict
from app.domain.threshold_curve import FEW, trace_curve

P, N = Side.POSITIVE, Side.NEGATIVE
YES, NO = Verdict.POSITIVE, Verdict.NEGATIVE


def test_the_interval_is_wilsons() -> None:
    """Against the figures of Newcombe (Statistics in Medicine 17, 1998, 857-872, table I, method 3)."""
    found = [measure_proportion(*case) for case in ((81, 263), (15, 148), (0, 20), (1, 29))]
    rounded = [(round(each.low, 4), round(each.high, 4)) for each in found]
    assert rounded == [(0.2553, 0.3662), (0.0624, 0.1605), (0.0, 0.1611), (0.0061, 0.1718)]


def test_of_nothing_nothing_is_known() -> None:
    """No estimate, and every share is possible; all of some leaves the lower end open."""
    none, every = measure_proportion(0, 0), measure_proportion(4, 4)
    assert (none.estimate, none.low, none.high) == (None, 0.0, 1.0)
    assert (every.estimate, every.high) == (1.0, 1.0)
    assert 0.5 < every.low < 0.52


TALLIES = (
    Tally(N, 5, None, 1000),
    Tally(N, 5, NO, 98),
    Tally(N, 5, YES, 2),
    Tally(N, 72, None, 10),
    Tally(N, 72, YES, 30),
    Tally(N, 78, NO, 10),
    Tally(N, 78, Verdict.UNSURE, 3),
    Tally(N, 78, None, 4, unsettled=True),
    Tally(P, 95, None, 500),
    Tally(P, 12, None, 6),
    Tally(P, 12, NO, 3),
    Tally(P, -1, None, 7),
)


def test_work_and_errors_left_at_the_threshold_that_is_set() -> None:
    """Open flags, the images without one, and what verdicts in their bands say of those."""
    here = trace_curve(TALLIES, 0.5, {}).here
    assert (here.open_flags, here.unflagged, here.in_few) == (16, 1500, 500)
    assert here.errors == pytest.approx(1000 * 0.02)  # nothing is said of the 500 without a verdict in their band
    assert here.low < here.errors < here.high
    assert here.high >= 500 + 20


def test_moving_the_threshold_trades_work_for_errors() -> None:
    """Above 0.72 the ten images there need no look, and three of four of them are expected to be wrong."""
    points = {round(point.threshold, 2): point for point in trace_curve(TALLIES, 0.5, {}).points}
    assert len(points) == BINS
    assert points[0.0].open_flags == 1010  # every image filed negative, no image filed positive
    assert (points[0.72].open_flags, points[0.73].open_flags) == (16, 6)
    assert points[0.73].errors - points[0.72].errors == pytest.approx(10 * 0.75)
    for point in points.values():
        assert point.open_flags + point.unflagged == 1516
        assert 0 <= point.low <= point.errors <= point.high <= point.unflagged


def test_a_threshold_within_a_bin_is_taken_exactly() -> None:
    """What lies under it in its own bin is flagged on one side and not on the other."""
    tallies = [Tally(N, 55, None, 10), Tally(P, 55, None, 10), Tally(N, 55, YES, 5)]
    below: dict[TallyKey, int] = {(N, None, False, False): 4, (P, None, False, False): 3, (N, YES, False, False): 2}
    curve = trace_curve(tallies, 0.555, below)
    counts = count_tallies(tallies, 0.555, below)
    assert (curve.here.open_flags, curve.here.unflagged) == (6 + 3, 4 + 7)
    assert curve.here.open_flags == counts.open_flags
    assert sum(band.flags for band in curve.flags) == counts.flagged
    assert sum(band.upheld.hits for band in curve.flags) == counts.upheld == 3


def test_precision_is_upheld_over_settled() -> None:
    """By band; unsure and unsettled count neither way, and a band with few verdicts says so."""
    flags = {(band.given, round(band.lower, 1)): band for band in trace_curve(TALLIES, 0.5, {}).flags}
    assert set(flags) == {(N, 0.7), (P, 0.1)}
    high, low = flags[N, 0.7], flags[P, 0.1]
    assert (high.flags, high.open, high.upheld.hits, high.upheld.of, high.few) == (57, 10, 30, 40, False)
    assert (low.flags, low.open, low.upheld.hits, low.upheld.of, low.few) == (9, 6, 3, 3, True)
    assert low.upheld.of < FEW


def test_the_table_has_each_tenth_and_the_threshold_once() -> None:
    """In order, also where the threshold is one of the tenths."""
    assert [round(row.threshold, 2) for row in trace_curve(TALLIES, 0.5, {}).rows] == [n / 10 for n in range(10)]
    odd = [round(row.threshold, 3) for row in trace_curve(TALLIES, 0.555, {}).rows]
    assert odd == [0.0, 0.1, 0.2, 0.3, 0.4, 0.5, 0.555, 0.6, 0.7, 0.8, 0.9]


def test_with_no_verdict_anything_may_be_left() -> None:
    """No estimate is made up: from none to all."""
    here = trace_curve([Tally(N, 3, None, 40)], 0.5, {}).here
    assert (here.errors, here.low, here.high, here.in_few) == (0.0, 0.0, 40, 40)
