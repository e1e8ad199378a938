"""What a scan tells of its course: speed over time, where the time went, memory, engines that were refused."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise
from math import isfinite
from typing import Any

STAGES = ("decode", "model", "write")
STRETCHES = 60  #: points of a chart: as many as can be told apart
BOTTLENECKS = {
    "decode": "The scan waits for decoding: the model could take more pictures than are read and resized.",
    "model": "The scan waits for the model, as it should: reading and storing keep up with it.",
    "write": "The scan waits for the database: results come faster than they are stored.",
}


@dataclass(frozen=True, slots=True)
class Shares:
    """Seconds of work by stage, and the stage that the others wait for."""

    decode: float = 0.0
    model: float = 0.0
    write: float = 0.0
    waiting_for: str | None = None

    @property
    def seconds(self) -> dict[str, float]:
        """Seconds by stage, in the order of an image's way."""
        return {"decode": self.decode, "model": self.model, "write": self.write}

    @property
    def total(self) -> float:
        """Seconds of all stages."""
        return self.decode + self.model + self.write

    @property
    def bottleneck(self) -> str | None:
        """The stage that holds the scan up: the one that is waited for, else the one with the most work."""
        if self.waiting_for in STAGES:
            return self.waiting_for
        return max(STAGES, key=lambda stage: self.seconds[stage]) if self.total > 0 else None


@dataclass(frozen=True, slots=True)
class Telemetry:
    """The course of one scan."""

    samples: tuple[tuple[float, int], ...]  #: (seconds since its start, images finished)
    shares: Shares
    rss_bytes: int | None
    device_bytes: int | None
    batch_size: int | None
    refused: tuple[str, ...]
    failed: tuple[str, ...]  #: engines that did not run; a scan of an earlier release counts them among the refused


@dataclass(frozen=True, slots=True)
class Rate:
    """Images a second over a stretch of a scan."""

    begin_s: float
    end_s: float
    images_per_s: float


def read_telemetry(document: Mapping[str, Any] | None) -> Telemetry | None:
    """Telemetry from what was stored; any part of it may be missing. None where nothing was."""
    if document is None:
        return None
    stored = document.get("shares") or {}
    seconds = {stage: float(stored.get(stage) or 0.0) for stage in STAGES}
    return Telemetry(
        samples=tuple((float(elapsed), int(finished)) for elapsed, finished in document.get("samples") or ()),
        shares=Shares(**seconds, waiting_for=stored.get("waiting_for")),
        rss_bytes=document.get("rss_bytes"),
        device_bytes=document.get("device_bytes"),
        batch_size=document.get("batch_size"),
        refused=tuple(document.get("refused") or ()),
        failed=tuple(document.get("failed") or ()),
    )


def rates(samples: Sequence[tuple[float, int]], stretches: int = STRETCHES) -> tuple[Rate, ...]:
    """Speed over at most ``stretches`` stretches of a scan of about the same length: a short one says little.

    Where the clock or the count went back (a scan that was taken up again) no speed is known.
    """
    found = []
    for (began, before), (ended, after) in pairwise(_thin(samples, stretches)):
        if ended > began and after >= before and isfinite(ended - began):
            found.append(Rate(began, ended, (after - before) / (ended - began)))
    return tuple(found)


def _thin(samples: Sequence[tuple[float, int]], stretches: int) -> list[tuple[float, int]]:
    """Samples that lie far enough apart; the first and the last are among them."""
    if len(samples) < 2:
        return list(samples)
    least_s = (samples[-1][0] - samples[0][0]) / stretches
    kept = [samples[0]]
    for sample in samples[1:]:
        if not 0 <= sample[0] - kept[-1][0] < least_s:
            kept.append(sample)
    if kept[-1] is samples[-1]:
        return kept
    return [*(kept[:-1] if len(kept) > 1 else kept), samples[-1]]


def mean_rate(samples: Sequence[tuple[float, int]]) -> float | None:
    """Images a second over all stretches of which the speed is known."""
    known = rates(samples)
    seconds = sum(rate.end_s - rate.begin_s for rate in known)
    return sum(rate.images_per_s * (rate.end_s - rate.begin_s) for rate in known) / seconds if seconds else None
