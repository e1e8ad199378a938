"""The JSON of scans: what is asked for, how it goes, and two of them side by side."""

from datetime import datetime
from typing import Annotated, Any

from pydantic import Field

from app.services.comparing import ComparisonView
from app.services.scans import MAX_PRIORITY, ScanView
from app.web.api.models import In, Out, Reference

Priority = Annotated[int, Field(ge=-MAX_PRIORITY, le=MAX_PRIORITY, description="The highest is taken first.")]


class ScanIn(In):
    """A scan to queue."""

    dataset: Reference
    threshold: float | None = Field(None, ge=0, le=1)
    priority: Priority | None = None


class PriorityIn(In):
    """How soon a scan is to be taken."""

    priority: Priority


class RetryIn(In):
    """Unreadable images to look at again; none named: all of the dataset."""

    images: list[int] | None = Field(None, min_length=1, max_length=500)


class DetectorOut(Out):
    """The detector of a scan."""

    model: str
    revision: str | None
    weights_sha256: str
    backend: str
    device: str
    precision: str
    input_size: int
    target_classes: list[str]
    tested: bool = Field(description="Whether Touchline is tested on detectors of this kind.")


class EngineOut(Out):
    """What computed the scores; ``gate``: the figures of its faith gate, null for the reference itself."""

    fingerprint: str
    backend: str
    device: str
    precision: str
    gate: dict[str, Any] | None


class SharesOut(Out):
    """Seconds of work by stage, and the stage that the others wait for."""

    decode: float
    model: float
    write: float
    waiting_for: str | None


class TelemetryOut(Out):
    """The course of a scan: ``samples`` are pairs of seconds since its start and images finished."""

    samples: list[tuple[float, int]]
    shares: SharesOut
    rss_bytes: int | None
    device_bytes: int | None
    batch_size: int | None
    refused: list[str]
    failed: list[str]


class ScanOut(Out):
    """A scan. ``paused``: a person holds it, whatever its status."""

    id: int
    dataset: int = Field(validation_alias="dataset_id")
    status: str
    total: int
    scored: int
    reused: int
    unreadable: int
    images_per_s: float | None
    eta_s: float | None
    detector: DetectorOut | None
    queued_at: datetime
    started_at: datetime | None
    finished_at: datetime | None
    error: str | None
    paused: bool
    priority: int
    engine: EngineOut | None
    telemetry: TelemetryOut | None

    @classmethod
    def of(cls, view: ScanView) -> "ScanOut":
        """From the service's view."""
        return cls.model_validate(view, from_attributes=True)


class ScansOut(Out):
    """A page of scans, newest first."""

    items: list[ScanOut]
    next: str | None


class ChangeCountsOut(Out):
    """Images that both detectors scored, by who flags them."""

    images: int
    both: int
    only_a: int
    only_b: int
    neither: int
    mean_change: float | None


class ChangeOut(Out):
    """One image that both detectors scored; ``change`` is the second score less the first."""

    image_id: int
    path: str
    given_label: str
    score_a: float
    score_b: float
    change: float
    flagged_a: bool
    flagged_b: bool
    url: str
    thumbnail: str


class ComparisonOut(Out):
    """Two scans with different detectors, and a page of what changes, largest change first."""

    a: ScanOut
    b: ScanOut
    dataset: int
    threshold: float
    counts: ChangeCountsOut
    per_label: dict[str, ChangeCountsOut]
    only_scored_by_a: int
    only_scored_by_b: int
    items: list[ChangeOut]
    next: str | None

    @classmethod
    def of(cls, view: ComparisonView) -> "ComparisonOut":
        """From the service's view."""
        return cls(
            a=ScanOut.of(view.a),
            b=ScanOut.of(view.b),
            dataset=view.dataset.id,
            threshold=view.dataset.threshold,
            counts=ChangeCountsOut.model_validate(view.counts, from_attributes=True),
            per_label={
                label: ChangeCountsOut.model_validate(counts, from_attributes=True)
                for label, counts in view.per_label.items()
            },
            only_scored_by_a=view.only_scored_by_a,
            only_scored_by_b=view.only_scored_by_b,
            items=[ChangeOut.model_validate(item, from_attributes=True) for item in view.items],
            next=view.next,
        )
