"""What a scan tells of its course: speeds from samples, the stage that holds it up, records with gaps."""

from typing import Any

import pytest

from app.domain.telemetry import BOTTLENECKS, STAGES, Shares, mean_rate, rates, read_telemetry

FULL: dict[str, Any] = {
    "samples": [[1.0, 10], [2.0, 30]],
    "shares": {"decode": 1.0, "model": 4.0, "write": 0.5, "waiting_for": "model"},
    "rss_bytes": 5,
    "device_bytes": None,
    "batch_size": 8,
    "refused": ["no"],
}


def test_what_was_stored_is_read() -> None:
    """Every part of it."""
    found = read_telemetry(FULL)
    assert found is not None
    assert (found.samples, found.rss_bytes, found.device_bytes) == (((1.0, 10), (2.0, 30)), 5, None)
    assert (found.batch_size, found.refused) == (8, ("no",))
    assert found.shares == Shares(1.0, 4.0, 0.5, "model")


@pytest.mark.parametrize("key", FULL)
def test_any_part_may_be_missing(key: str) -> None:
    """A scan of an earlier release, or one that has just begun."""
    assert read_telemetry({name: value for name, value in FULL.items() if name != key}) is not None
    assert read_telemetry({**FULL, key: None}) is not None
    assert read_telemetry({**FULL, "shares": {"model": 1.0}}) is not None
    assert (read_telemetry(None), read_telemetry({}) is None) == (None, False)


def test_speed_is_the_difference_of_two_samples() -> None:
    """Over the time between them."""
    found = rates([(0.0, 0), (2.0, 20), (3.0, 50)])
    assert [(rate.begin_s, rate.end_s, rate.images_per_s) for rate in found] == [(0.0, 2.0, 10.0), (2.0, 3.0, 30.0)]
    assert mean_rate([(0.0, 0), (2.0, 20), (3.0, 50)]) == pytest.approx(50 / 3)


def test_many_samples_become_few_stretches() -> None:
    """No image is lost on the way, and the last sample counts."""
    samples = [(float(second), 7 * second) for second in range(240)]
    found = rates(samples, 60)
    assert 50 <= len(found) <= 60
    assert sum(rate.images_per_s * (rate.end_s - rate.begin_s) for rate in found) == pytest.approx(7 * 239)
    assert (found[0].begin_s, found[-1].end_s) == (0, 239)


def test_a_short_stretch_is_no_peak() -> None:
    """The last sample often comes right behind the one before it, with a whole batch in between."""
    found = rates([(0.0, 0), (10.0, 100), (20.0, 200), (20.01, 208)])
    assert [rate.end_s for rate in found] == [10.0, 20.01]
    assert max(rate.images_per_s for rate in found) < 11


@pytest.mark.parametrize(
    "samples", [[], [(1.0, 5)], [(1.0, 5), (1.0, 9)], [(5.0, 50), (1.0, 60)], [(1.0, 9), (2.0, 5)]]
)
def test_where_clock_or_count_stand_still_or_go_back_no_speed_is_known(samples: list[tuple[float, int]]) -> None:
    """As where a scan was taken up again."""
    assert (rates(samples), mean_rate(samples)) == ((), None)


@pytest.mark.parametrize(
    ("shares", "stage"),
    [
        (Shares(5.0, 1.0, 1.0, "write"), "write"),
        (Shares(5.0, 1.0, 1.0, None), "decode"),
        (Shares(1.0, 5.0, 1.0, "the moon"), "model"),
        (Shares(), None),
    ],
)
def test_the_bottleneck_is_the_stage_that_is_waited_for(shares: Shares, stage: str | None) -> None:
    """Else the one with the most work; a sentence says each."""
    assert shares.bottleneck == stage
    assert set(BOTTLENECKS) == set(STAGES)
