"""What the pages of scans show: the queue, the scans of a dataset, one scan in full, two side by side."""

from dataclasses import dataclass
from typing import Any

from app.config import Settings, WorkerSettings
from app.domain.telemetry import BOTTLENECKS, Rate, Telemetry, mean_rate, rates
from app.services.clock import Clock
from app.services.comparing import ComparisonView, compare_scans, list_comparable
from app.services.datasets import DatasetView, get_dataset, view_dataset
from app.services.renditions import estimate_renditions
from app.services.scans import ScanView, dataset_notice, get_scan, scan_notice, view_scan
from app.services.workers import liveness
from app.storage import scans as stored
from app.storage.database import Database, Session
from app.storage.datasets import Dataset
from app.storage.unreadable import Unreadable, list_unreadable

ROWS = 100
#: what the faith gate measured -> how the page calls it
GATE_FIGURES = {
    "canaries": "images compared",
    "seen": "on which the reference sees something",
    "detections": "detections matched",
    "unmatched": "seen by one engine alone",
    "min_iou": "smallest overlap of a box (IoU)",
    "max_confidence_gap": "largest gap of a confidence",
    "max_score_gap": "largest gap of an image's score",
    "scores_within": "share of scores within 0.02",
    "flags_turned": "flags turned",
}


@dataclass(frozen=True, slots=True)
class ScansPage:
    """The queue of all datasets in the order of its turns, and the ended scans of one dataset."""

    dataset: DatasetView | None
    queue: tuple[ScanView, ...]
    ended: tuple[ScanView, ...]
    comparable: tuple[ScanView, ...]
    renditions_bytes: int | None  #: about what the next scan adds to the disk; None where it was not asked for
    model_notice: str | None = None

    @property
    def idle(self) -> bool:
        """Whether the dataset may be scanned now."""
        return self.dataset is not None and all(scan.dataset_id != self.dataset.id for scan in self.queue)


def view_scans_page(
    database: Database, settings: Settings, clock: Clock, dataset: Dataset | None, *, estimate: bool
) -> ScansPage:
    """The queue, and the scans of a dataset; with ``estimate``, which reads a folder, what the next one takes."""
    alive = liveness(settings.worker, clock)
    added = estimate_renditions(database, settings, dataset) if estimate and dataset is not None else None
    with database.read() as session:
        queue = [view_scan(session, scan, alive) for scan in stored.list_open_scans(session)]
        queue.sort(key=lambda scan: (scan.status != "running", scan.held))
        if dataset is None:
            return ScansPage(None, tuple(queue), (), (), None)
        scans = [view_scan(session, scan, alive) for scan in stored.list_scans(session, dataset.id)]
        return ScansPage(
            dataset=view_dataset(session, dataset),
            queue=tuple(queue),
            ended=tuple(scan for scan in scans if not scan.active),
            comparable=list_comparable(session, settings.worker, clock, dataset.id),
            renditions_bytes=added,
            model_notice=dataset_notice(session, settings.detector, dataset),
        )


@dataclass(frozen=True, slots=True)
class SpeedView:
    """Images a second over time, for a chart and in words."""

    rates: tuple[Rate, ...]
    peak: float
    lowest: float
    mean: float | None

    @classmethod
    def of(cls, telemetry: Telemetry | None) -> "SpeedView | None":
        """The speed of a scan; None before two points in time are known."""
        found = rates(telemetry.samples) if telemetry else ()
        if telemetry is None or not found:
            return None
        speeds = [rate.images_per_s for rate in found]
        return cls(found, max(speeds), min(speeds), mean_rate(telemetry.samples))


@dataclass(frozen=True, slots=True)
class ShareView:
    """One stage's part of a scan's work."""

    stage: str
    seconds: float
    share: float


@dataclass(frozen=True, slots=True)
class WorkView:
    """Where a scan's time goes."""

    shares: tuple[ShareView, ...]
    bottleneck: str | None

    @classmethod
    def of(cls, telemetry: Telemetry | None) -> "WorkView | None":
        """The shares of a scan; None where no work was measured."""
        shares = telemetry.shares if telemetry else None
        if shares is None or shares.total <= 0:
            return None
        parts = tuple(ShareView(stage, spent, spent / shares.total) for stage, spent in shares.seconds.items())
        return cls(parts, BOTTLENECKS.get(shares.bottleneck or ""))


@dataclass(frozen=True, slots=True)
class ScanPage:
    """One scan in full, with the unreadable images of its dataset as they stand now."""

    scan: ScanView
    dataset: DatasetView
    speed: SpeedView | None
    work: WorkView | None
    gate: tuple[tuple[str, str], ...]
    unreadable: tuple[Unreadable, ...]
    next_url: str | None
    first_url: str | None
    message: str
    model_notice: str | None


def view_scan_page(
    database: Database, settings: Settings, clock: Clock, scan_id: int, *, after: int = 0, message: str = ""
) -> ScanPage:
    """One scan in full; the log of unreadable images goes on after an id.

    Raises:
        NotFoundError: there is none.
    """
    with database.read() as session:
        scan = view_scan(session, get_scan(session, scan_id), liveness(settings.worker, clock))
        dataset = get_dataset(session, scan.dataset_id)
        broken = list_unreadable(session, scan.dataset_id, after, ROWS + 1)
        return ScanPage(
            scan=scan,
            dataset=view_dataset(session, dataset),
            speed=SpeedView.of(scan.telemetry),
            work=WorkView.of(scan.telemetry),
            gate=() if scan.engine is None or scan.engine.gate is None else describe_gate(scan.engine.gate),
            unreadable=tuple(broken[:ROWS]),
            next_url=f"/scans/{scan_id}?after={broken[ROWS - 1].image_id}" if len(broken) > ROWS else None,
            first_url=f"/scans/{scan_id}" if after else None,
            message=message,
            model_notice=scan_notice(settings.detector, scan, demo=dataset.demo),
        )


def describe_gate(gate: dict[str, Any]) -> tuple[tuple[str, str], ...]:
    """The figures of a faith gate in words, as far as they are known to this release."""
    return tuple((word, _figure(gate[key])) for key, word in GATE_FIGURES.items() if gate.get(key) is not None)


def _figure(value: float) -> str:
    return f"{value:,}" if isinstance(value, int) else f"{value:.6f}".rstrip("0").rstrip(".")


@dataclass(frozen=True, slots=True)
class ComparePage:
    """Two scans side by side, or the choice of two, and why they cannot be compared."""

    dataset: DatasetView | None
    choices: tuple[ScanView, ...]
    a: int | None
    b: int | None
    found: ComparisonView | None
    next_url: str | None
    first_url: str | None
    refused: str


def view_compare_page(
    database: Database,
    settings: WorkerSettings,
    clock: Clock,
    dataset: Dataset | None,
    a: int | None,
    b: int | None,
    *,
    cursor: str | None = None,
    refused: str = "",
) -> ComparePage:
    """The comparison of two scans, where two are named and nothing was ``refused``.

    Raises as :func:`app.services.comparing.compare_scans`.
    """
    found = None
    if a is not None and b is not None and not refused:
        found = compare_scans(database, settings, clock, a, b, cursor=cursor)
    with database.read() as session:
        first = f"/scans/compare?a={a}&b={b}"
        return ComparePage(
            dataset=None if dataset is None else view_dataset(session, dataset),
            choices=_choices(session, settings, clock, dataset),
            a=a,
            b=b,
            found=found,
            next_url=f"{first}&cursor={found.next}" if found and found.next else None,
            first_url=first if cursor else None,
            refused=refused,
        )


def _choices(session: Session, settings: WorkerSettings, clock: Clock, dataset: Dataset | None) -> tuple[ScanView, ...]:
    return () if dataset is None else list_comparable(session, settings, clock, dataset.id)
