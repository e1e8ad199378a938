"""The overview and the statistics of a dataset."""

from dataclasses import dataclass

from app.config import Settings
from app.domain.auditing import Certificate
from app.domain.counting import BINS, CrossedCounts, DatasetCounts
from app.domain.images import Side
from app.domain.threshold_curve import ThresholdCurve
from app.services.agreement import Team, view_team
from app.services.certifying import certify_dataset
from app.services.clock import Clock
from app.services.datasets import DatasetView, get_dataset, view_dataset
from app.services.learned import LearnedView, view_learned
from app.services.queue import measure_pace
from app.services.renditions import estimate_renditions
from app.services.scans import ScanView, dataset_notice, find_latest_scan
from app.services.threshold_curve import view_curve
from app.services.workers import liveness
from app.storage.database import Database, Session
from app.storage.datasets import Dataset, list_datasets
from app.storage.person_tallies import count_by_reviewer
from app.storage.reviews import recent_times
from app.storage.tallies import count_dataset, cross_dataset, histogram

LINES = 50  #: datasets on the overview


@dataclass(frozen=True, slots=True)
class GivenCounts:
    """The given labels as far as verdicts tell; TP, TN, FP, FN as in the original work."""

    tp: int
    fp: int
    fn: int
    tn: int
    unknown: int


@dataclass(frozen=True, slots=True)
class Stats:
    """The counts of a dataset, as the contract names them."""

    images: int
    unreadable: int
    scored: int
    flagged: int
    reviewed: int
    upheld: int
    overruled: int
    unsure: int
    discarded: int
    given: GivenCounts
    threshold: float
    open_flags: int


@dataclass(frozen=True, slots=True)
class Bin:
    """Images by folder with ``lower <= score < upper``; the last bin is closed."""

    lower: float
    upper: float
    positive: int
    negative: int


@dataclass(frozen=True, slots=True)
class Histogram:
    """Scores by folder."""

    bins: tuple[Bin, ...]

    @property
    def peak(self) -> int:
        """The largest count of either folder in any bin."""
        return max(max(found.positive, found.negative) for found in self.bins)


@dataclass(frozen=True, slots=True)
class CrossedFolder:
    """The images of one given label, by what the detector says and by verdict."""

    given: Side
    sees: CrossedCounts  #: the score reaches the threshold
    misses: CrossedCounts  #: it lies below
    unscored: CrossedCounts

    @property
    def parts(self) -> tuple[CrossedCounts, ...]:
        """What the detector says, in the order of columns."""
        return (self.sees, self.misses, self.unscored)


@dataclass(frozen=True, slots=True)
class DatasetCard:
    """Everything the overview says of one dataset."""

    dataset: DatasetView
    stats: Stats
    scan: ScanView | None
    histogram: Histogram | None
    crossed: tuple[CrossedFolder, ...]
    model_notice: str | None
    demo: bool
    renditions_bytes: int | None  #: about what a first scan adds to the disk; None after it


@dataclass(frozen=True, slots=True)
class DatasetLine:
    """What the overview says of each dataset, where there are several."""

    dataset: DatasetView
    stats: Stats
    scan: ScanView | None


@dataclass(frozen=True, slots=True)
class OverviewPage:
    """The overview."""

    lines: tuple[DatasetLine, ...]
    current: DatasetCard | None
    preparing_demo: bool


def view_stats(session: Session, dataset: Dataset) -> Stats:
    """The counts of a dataset."""
    view = view_dataset(session, dataset)
    counts = count_dataset(session, dataset)
    return Stats(
        images=view.images,
        unreadable=view.unreadable,
        scored=counts.scored,
        flagged=counts.flagged,
        reviewed=counts.reviewed,
        upheld=counts.upheld,
        overruled=counts.overruled,
        unsure=counts.unsure,
        discarded=counts.discarded,
        given=_given(view.images, counts),
        threshold=dataset.threshold,
        open_flags=counts.open_flags,
    )


def _given(images: int, counts: DatasetCounts) -> GivenCounts:
    known = counts.tp + counts.fp + counts.fn + counts.tn
    return GivenCounts(counts.tp, counts.fp, counts.fn, counts.tn, images - known)


def get_stats(database: Database, reference: str | int) -> Stats:
    """The counts of a dataset.

    Raises:
        NotFoundError: no such dataset.
    """
    with database.read() as session:
        return view_stats(session, get_dataset(session, reference))


def view_histogram(session: Session, dataset: Dataset) -> Histogram | None:
    """Scores by folder in bins of 0.01; None before anything is scored."""
    counts = histogram(session, dataset.id)
    if not counts:
        return None
    return Histogram(
        tuple(
            Bin(
                lower=number / BINS,
                upper=(number + 1) / BINS,
                positive=counts.get((Side.POSITIVE, number), 0),
                negative=counts.get((Side.NEGATIVE, number), 0),
            )
            for number in range(BINS)
        )
    )


def view_crossed(session: Session, dataset: Dataset) -> tuple[CrossedFolder, ...]:
    """Given label x detector x verdict under the threshold, folder by folder."""
    found = {(counts.given, counts.sees): counts for counts in cross_dataset(session, dataset)}
    return tuple(CrossedFolder(side, found[side, True], found[side, False], found[side, None]) for side in Side)


def view_card(database: Database, settings: Settings, clock: Clock, dataset: Dataset) -> DatasetCard:
    """Everything the overview says of a dataset."""
    with database.read() as session:
        scan = find_latest_scan(session, dataset.id, liveness(settings.worker, clock))
    added = estimate_renditions(database, settings, dataset) if scan is None else None
    with database.read() as session:
        return DatasetCard(
            dataset=view_dataset(session, dataset),
            stats=view_stats(session, dataset),
            scan=scan,
            renditions_bytes=added,
            histogram=view_histogram(session, dataset),
            crossed=view_crossed(session, dataset),
            model_notice=dataset_notice(session, settings.detector, dataset),
            demo=dataset.demo,
        )


def view_overview(
    database: Database, settings: Settings, clock: Clock, dataset: Dataset | None, *, preparing_demo: bool
) -> OverviewPage:
    """The overview, with one dataset in full."""
    current = None if dataset is None else view_card(database, settings, clock, dataset)
    with database.read() as session:
        lines = tuple(
            DatasetLine(
                view_dataset(session, each),
                view_stats(session, each),
                find_latest_scan(session, each.id, liveness(settings.worker, clock)),
            )
            for each in list_datasets(session, limit=LINES)
        )
    return OverviewPage(lines, current, preparing_demo and dataset is None)


@dataclass(frozen=True, slots=True)
class ReviewerRow:
    """One reviewer's verdicts."""

    reviewer: str
    verdicts: int
    upheld: int
    overruled: int
    unsure: int
    discarded: int
    pace_per_h: int | None


@dataclass(frozen=True, slots=True)
class StatsPage:
    """The page of statistics."""

    dataset: DatasetView | None
    stats: Stats | None
    histogram: Histogram | None
    crossed: tuple[CrossedFolder, ...]
    curve: ThresholdCurve | None
    reviewers: tuple[ReviewerRow, ...]
    certificate: Certificate | None
    team: Team | None
    learned: LearnedView | None = None

    @property
    def pace_s(self) -> float | None:
        """Seconds a verdict at the pace of the busiest reviewer whose pace is known."""
        return next((3600 / row.pace_per_h for row in self.reviewers if row.pace_per_h), None)


def view_stats_page(database: Database, dataset: Dataset | None) -> StatsPage:
    """The statistics of a dataset."""
    if dataset is None:
        return StatsPage(None, None, None, (), None, (), None, None)
    with database.read() as session:
        return StatsPage(
            dataset=view_dataset(session, dataset),
            stats=view_stats(session, dataset),
            histogram=view_histogram(session, dataset),
            crossed=view_crossed(session, dataset),
            curve=view_curve(session, dataset),
            reviewers=list_reviewer_rows(session, dataset),
            certificate=certify_dataset(session, dataset),
            team=view_team(session, dataset),
            learned=view_learned(session, dataset),
        )


def list_reviewer_rows(session: Session, dataset: Dataset) -> tuple[ReviewerRow, ...]:
    """Each reviewer of a dataset, the busiest first."""
    rows = []
    for found in count_by_reviewer(session, dataset):
        pace = measure_pace(recent_times(session, dataset.id, found.reviewer, 500))
        rows.append(
            ReviewerRow(
                reviewer=found.reviewer,
                verdicts=found.verdicts,
                upheld=found.upheld,
                overruled=found.overruled,
                unsure=found.unsure,
                discarded=found.discarded,
                pace_per_h=None if pace is None else round(3600 / pace),
            )
        )
    return tuple(rows)
