"""Two scans of a dataset with different detectors: what changed, image by image."""

from collections.abc import Sequence
from dataclasses import dataclass

from app.config import WorkerSettings
from app.domain.comparing import Change, ChangeCounts
from app.domain.images import Side
from app.errors import InvalidInputError
from app.services.clock import Clock
from app.services.cursors import decode_cursor, encode_cursor
from app.services.datasets import get_dataset
from app.services.images import picture_url
from app.services.scans import ScanView, get_scan, view_scan
from app.services.workers import liveness
from app.storage import comparing as stored
from app.storage.comparing import Pair
from app.storage.database import Database, Session
from app.storage.datasets import Dataset
from app.storage.images import DetectionRecord, detections_of
from app.storage.scans import Scan, list_latest_by_detector

ORDER = "change"


@dataclass(frozen=True, slots=True)
class ChangeView:
    """One image that both detectors scored."""

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
    width: int
    height: int
    box_a: DetectionRecord | None  #: the strongest box of a target class, by the first detector
    box_b: DetectionRecord | None

    @property
    def name(self) -> str:
        """The file's name."""
        return self.path.rpartition("/")[2]


@dataclass(frozen=True, slots=True)
class ComparisonView:
    """Two scans side by side: scores as they are stored now, by the detectors of the two."""

    a: ScanView
    b: ScanView
    dataset: Dataset
    counts: ChangeCounts
    per_label: dict[str, ChangeCounts]
    only_scored_by_a: int
    only_scored_by_b: int
    items: tuple[ChangeView, ...]
    next: str | None


def compare_scans(
    database: Database,
    settings: WorkerSettings,
    clock: Clock,
    a: int,
    b: int,
    *,
    cursor: str | None = None,
    limit: int = 50,
) -> ComparisonView:
    """Compare two scans; a page of the images that both detectors scored, largest change of score first.

    Raises:
        NotFoundError: no such scan.
        InvalidInputError: scans of two datasets, or of one and the same detector; a cursor of another list.
    """
    after = None if cursor is None else _read_cursor(cursor)
    with database.read() as session:
        one, other = get_scan(session, a), get_scan(session, b)
        dataset = get_dataset(session, one.dataset_id)
        pair = _pair(one, other, dataset)
        counts = stored.count_changes(session, pair)
        total = counts[Side.POSITIVE] + counts[Side.NEGATIVE]
        found = stored.list_changes(session, pair, after, limit + 1)
        page = found[:limit]
        alive = liveness(settings, clock)
        return ComparisonView(
            a=view_scan(session, one, alive),
            b=view_scan(session, other, alive),
            dataset=dataset,
            counts=total,
            per_label={dataset.labels.name(side): counts[side] for side in Side},
            only_scored_by_a=stored.count_scores(session, dataset.id, pair.a) - total.images,
            only_scored_by_b=stored.count_scores(session, dataset.id, pair.b) - total.images,
            items=_view_all(session, page, dataset, pair, (one, other)),
            next=encode_cursor(ORDER, abs(page[-1].change), page[-1].image_id) if len(found) > limit else None,
        )


def _read_cursor(cursor: str) -> tuple[float, int]:
    key, image_id = decode_cursor(cursor, ORDER)
    if not isinstance(key, int | float):  # a path is a key only in the order of paths
        raise InvalidInputError.on("cursor", "is not one that this list has given")
    return float(key), image_id


def _pair(one: Scan, other: Scan, dataset: Dataset) -> Pair:
    if other.dataset_id != one.dataset_id:
        msg = f"scan {one.id} is of {one.dataset_name} and scan {other.id} of {other.dataset_name}: choose one dataset"
        raise InvalidInputError.on("b", msg)
    for name, scan in (("a", one), ("b", other)):
        if scan.detector_id is None:
            raise InvalidInputError.on(name, f"scan {scan.id} has not begun: nothing is known of its detector yet")
    if one.detector_id == other.detector_id:
        msg = f"scans {one.id} and {other.id} had the same detector, so there is nothing to compare"
        raise InvalidInputError.on("b", msg)
    return Pair(dataset.id, dataset.threshold, one.detector_id or 0, other.detector_id or 0)


def _view_all(
    session: Session, page: Sequence[Change], dataset: Dataset, pair: Pair, scans: tuple[Scan, Scan]
) -> tuple[ChangeView, ...]:
    ids = [change.image_id for change in page]
    by_a = _strongest(session, ids, pair.a, scans[0])
    by_b = _strongest(session, ids, pair.b, scans[1])
    return tuple(_view(change, dataset, by_a.get(change.image_id), by_b.get(change.image_id)) for change in page)


def _strongest(session: Session, ids: Sequence[int], detector_id: int, scan: Scan) -> dict[int, DetectionRecord]:
    """The strongest box of each image among the classes that the scan looked for."""
    targets = (scan.detector or {}).get("target_classes", ())
    found = detections_of(session, ids, dict.fromkeys(ids, detector_id))
    wanted = {key: [box for box in boxes if box.class_name in targets] for key, boxes in found.items()}
    return {key: boxes[0] for key, boxes in wanted.items() if boxes}


def _view(change: Change, dataset: Dataset, box_a: DetectionRecord | None, box_b: DetectionRecord | None) -> ChangeView:
    flagged_a, flagged_b = change.flagged(dataset.threshold)
    return ChangeView(
        image_id=change.image_id,
        path=change.path,
        given_label=dataset.labels.name(change.given),
        score_a=change.score_a,
        score_b=change.score_b,
        change=change.change,
        flagged_a=flagged_a,
        flagged_b=flagged_b,
        url=f"/images/{change.image_id}",
        thumbnail=picture_url(change.image_id, change.sha256, "rendition/tile"),
        width=change.width or 1,
        height=change.height or 1,
        box_a=box_a,
        box_b=box_b,
    )


def list_comparable(session: Session, settings: WorkerSettings, clock: Clock, dataset_id: int) -> tuple[ScanView, ...]:
    """The newest scan of each detector that a dataset was scanned with."""
    alive = liveness(settings, clock)
    return tuple(view_scan(session, scan, alive) for scan in list_latest_by_detector(session, dataset_id))
