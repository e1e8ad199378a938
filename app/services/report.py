"""The report on a dataset: what was scanned with what, what people found, what is proved, who did it.

One value, :class:`Report`, is both the JSON document and what the HTML is made of, so the two cannot differ. It is made
from kept tallies and bounded reads of indexes, so it costs about the same at a thousand images and at a million.
"""

import platform
from dataclasses import dataclass
from datetime import datetime
from functools import cache
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any

from app import __version__
from app.config import Settings
from app.domain.agreement import Agreement
from app.domain.images import Side
from app.domain.threshold_curve import ThresholdCurve
from app.services.agreement import Team, view_team
from app.services.certificates import certificate_document, certify
from app.services.clock import Clock
from app.services.datasets import DatasetView, get_dataset, view_dataset
from app.services.overview import (
    GivenCounts,
    Histogram,
    ReviewerRow,
    Stats,
    list_reviewer_rows,
    view_histogram,
    view_stats,
)
from app.services.report_examples import ExampleGroup, list_examples
from app.services.scans import ScanView, view_scan
from app.services.sign_offs import SignOffView, find_sign_off
from app.services.threshold_curve import view_curve
from app.services.workers import liveness
from app.storage.database import Database, Session
from app.storage.datasets import Dataset
from app.storage.relocations import STANDING, Relocation, list_relocations
from app.storage.scans import list_latest_by_detector, list_scans
from app.storage.tallies import count_dataset_released, read_tallies
from app.storage.unreadable import list_unreadable

FORMAT = 1  #: of the document; a field that changes its meaning gets a new number
SCANS = 5
UNREADABLE = 50
PEOPLE = 100
RELOCATIONS = 10
PACKAGES = ("numpy", "pillow", "torch", "transformers", "openvino", "onnxruntime", "scikit-learn")


@dataclass(frozen=True, slots=True)
class ReportDataset:
    """What was looked at; ``root`` is the folder's name alone unless its path was asked for."""

    name: str
    root: str
    positive: str
    negative: str
    question: str
    positive_means: str
    negative_means: str
    images: int
    filed_positive: int
    filed_negative: int
    unreadable: int
    ignored: int


@dataclass(frozen=True, slots=True)
class ReportDetector:
    """The detector whose scores count, and what computed them in its latest scan."""

    model: str
    revision: str | None
    weights_sha256: str
    target_classes: tuple[str, ...]
    engine: str
    device: str
    precision: str
    input_size: int
    tested: bool


@dataclass(frozen=True, slots=True)
class ReportScan:
    """One pass of a detector over the dataset."""

    id: int
    model: str | None
    status: str
    total: int
    scored: int
    reused: int
    unreadable: int
    images_per_s: float | None
    queued_at: datetime
    started_at: datetime | None
    finished_at: datetime | None


@dataclass(frozen=True, slots=True)
class UnreadableFile:
    """A file that could not be decoded."""

    path: str
    reason: str


@dataclass(frozen=True, slots=True)
class Released:
    """The labels of what would be released now, in the terms of the original work, and what stays out.

    Called images go out under their verdict, so none of them is false by the verdicts; ``unknown`` are those that a
    sign-off covers, which nobody has called.
    """

    images: int
    tp: int
    fp: int
    fn: int
    tn: int
    unknown: int
    unsure: int
    discarded: int
    unreadable: int
    waiting: int  #: neither called nor covered by a sign-off


@dataclass(frozen=True, slots=True)
class ReportPerson:
    """Who reviewed how much, and how it fared."""

    name: str
    verdicts: int
    flags_upheld: int
    flags_overruled: int
    unsure: int
    discarded: int
    pace_s: float | None  #: median seconds a verdict
    compared: int  #: images that somebody else judged independently as well
    agreed: int


@dataclass(frozen=True, slots=True)
class ReportRelocation:
    """A cleaned folder that stands; ``to`` is its name alone unless its path was asked for."""

    id: int
    to: str
    mode: str
    status: str
    bytes: int
    renamed: int
    finished_at: datetime | None
    published: dict[str, Any]  #: file -> SHA-256 of what was written


@dataclass(frozen=True, slots=True)
class Report:
    """Everything, as it stood at ``as_of``."""

    format: int
    as_of: datetime
    versions: dict[str, str]
    dataset: ReportDataset
    detector: ReportDetector | None
    scans: tuple[ReportScan, ...]
    unreadable: tuple[UnreadableFile, ...]
    counts: Stats
    before: GivenCounts
    after: Released
    histogram: Histogram | None
    curve: ThresholdCurve | None
    certificate: dict[str, Any]
    examples: tuple[ExampleGroup, ...]
    people: tuple[ReportPerson, ...]
    agreement: Agreement
    sign_off: SignOffView | None
    relocations: tuple[ReportRelocation, ...]


def make_report(
    database: Database, settings: Settings, clock: Clock, reference: str | int, *, with_paths: bool = False
) -> Report:
    """The report on a dataset as it stands; ``with_paths``: with the absolute paths of this machine.

    Raises:
        NotFoundError: no such dataset.
    """
    certificate = certificate_document(certify(database, clock, reference))
    with database.read() as session:
        dataset = get_dataset(session, reference)
        view = view_dataset(session, dataset)
        stats = view_stats(session, dataset)
        sign_off = find_sign_off(session, dataset)
        team = view_team(session, dataset)
        return Report(
            format=FORMAT,
            as_of=clock(),
            versions=describe_versions(),
            dataset=_view_dataset(session, dataset, view, with_paths=with_paths),
            detector=_find_detector(session, settings, clock, dataset),
            scans=_list_scans(session, settings, clock, dataset),
            unreadable=_list_unreadable(session, dataset, with_paths=with_paths),
            counts=stats,
            before=stats.given,
            after=_count_released(session, dataset, stats, sign_off),
            histogram=view_histogram(session, dataset),
            curve=view_curve(session, dataset),
            certificate=certificate,
            examples=list_examples(session, dataset),
            people=_list_people(team, list_reviewer_rows(session, dataset)),
            agreement=team.overall,
            sign_off=sign_off,
            relocations=_list_relocations(session, dataset, with_paths=with_paths),
        )


def describe_versions() -> dict[str, str]:
    """Touchline, Python and the packages that scores depend on, where they are installed; none is imported."""
    return {"touchline": __version__, "python": platform.python_version(), **dict(_find_packages())}


@cache
def _find_packages() -> tuple[tuple[str, str], ...]:
    found = []
    for package in PACKAGES:
        try:
            found.append((package, version(package)))
        except PackageNotFoundError:
            continue
    return tuple(found)


def _view_dataset(session: Session, dataset: Dataset, view: DatasetView, *, with_paths: bool) -> ReportDataset:
    tallies = read_tallies(session, dataset.id)
    filed = {side: sum(tally.images for tally in tallies if tally.given is side) for side in Side}
    return ReportDataset(
        name=view.name,
        root=view.root if with_paths else Path(view.root).name,
        positive=view.positive,
        negative=view.negative,
        question=view.question,
        positive_means=view.positive_means,
        negative_means=view.negative_means,
        images=view.images,
        filed_positive=filed[Side.POSITIVE],
        filed_negative=filed[Side.NEGATIVE],
        unreadable=view.unreadable,
        ignored=view.ignored,
    )


def _find_detector(session: Session, settings: Settings, clock: Clock, dataset: Dataset) -> ReportDetector | None:
    alive = liveness(settings.worker, clock)
    scans = [scan for scan in list_latest_by_detector(session, dataset.id) if scan.detector_id == dataset.detector_id]
    found = view_scan(session, scans[0], alive) if scans else None
    if found is None or found.detector is None:
        return None
    detector = found.detector
    return ReportDetector(
        model=Path(detector.model).name if Path(detector.model).is_absolute() else detector.model,
        revision=detector.revision,
        weights_sha256=detector.weights_sha256,
        target_classes=detector.target_classes,
        engine=found.engine.fingerprint if found.engine else detector.backend,
        device=detector.device,
        precision=detector.precision,
        input_size=detector.input_size,
        tested=detector.tested,
    )


def _list_scans(session: Session, settings: Settings, clock: Clock, dataset: Dataset) -> tuple[ReportScan, ...]:
    alive = liveness(settings.worker, clock)
    return tuple(_scan(view_scan(session, scan, alive)) for scan in list_scans(session, dataset.id, limit=SCANS))


def _scan(scan: ScanView) -> ReportScan:
    model = scan.detector.model if scan.detector else None
    return ReportScan(
        id=scan.id,
        model=Path(model).name if model and Path(model).is_absolute() else model,
        status=scan.status,
        total=scan.total,
        scored=scan.scored,
        reused=scan.reused,
        unreadable=scan.unreadable,
        images_per_s=scan.images_per_s,
        queued_at=scan.queued_at,
        started_at=scan.started_at,
        finished_at=scan.finished_at,
    )


def _list_unreadable(session: Session, dataset: Dataset, *, with_paths: bool) -> tuple[UnreadableFile, ...]:
    root = str(Path(dataset.root))
    found = list_unreadable(session, dataset.id, 0, UNREADABLE)
    return tuple(
        UnreadableFile(each.path, each.reason if with_paths else each.reason.replace(root, Path(root).name))
        for each in found
    )


def _count_released(session: Session, dataset: Dataset, stats: Stats, sign_off: SignOffView | None) -> Released:
    counts = count_dataset_released(session, dataset)
    positive, negative = counts[Side.POSITIVE], counts[Side.NEGATIVE]
    tp = positive.settled - positive.errors_found + negative.errors_found
    tn = negative.settled - negative.errors_found + positive.errors_found
    signed = sign_off.still_holding if sign_off else 0
    out = stats.unsure + stats.discarded + stats.unreadable
    return Released(
        images=tp + tn + signed,
        tp=tp,
        fp=0,
        fn=0,
        tn=tn,
        unknown=signed,
        unsure=stats.unsure,
        discarded=stats.discarded,
        unreadable=stats.unreadable,
        waiting=max(0, stats.images - tp - tn - signed - out),
    )


def _list_people(team: Team, rows: tuple[ReviewerRow, ...]) -> tuple[ReportPerson, ...]:
    known = {row.reviewer: row for row in rows}
    people = [_person(known.get(each.name), each.name, each.pace_s, each.fared) for each in team.people]
    return tuple(sorted(people, key=lambda person: (-person.verdicts, person.name))[:PEOPLE])


def _person(row: ReviewerRow | None, name: str, pace_s: float | None, fared: Any) -> ReportPerson:
    return ReportPerson(
        name=name,
        verdicts=row.verdicts if row else 0,
        flags_upheld=row.upheld if row else 0,
        flags_overruled=row.overruled if row else 0,
        unsure=row.unsure if row else 0,
        discarded=row.discarded if row else 0,
        pace_s=pace_s,
        compared=fared.compared,
        agreed=fared.agreed,
    )


def _list_relocations(session: Session, dataset: Dataset, *, with_paths: bool) -> tuple[ReportRelocation, ...]:
    """The latest into each folder, if it was not undone."""
    latest: dict[str, Relocation] = {}
    for relocation in list_relocations(session, dataset.id, RELOCATIONS):
        latest.setdefault(relocation.target, relocation)
    return tuple(
        ReportRelocation(
            id=found.id,
            to=found.target if with_paths else Path(found.target).name,
            mode=found.mode,
            status=found.status,
            bytes=found.bytes,
            renamed=found.collisions,
            finished_at=found.finished_at,
            published={Path(name).name: digest for name, digest in found.published.items()},
        )
        for found in latest.values()
        if found.status in STANDING
    )
