"""Asking for scans, looking at them, holding and cancelling them. :mod:`app.services.scanning` runs them."""

from dataclasses import dataclass, fields, replace
from datetime import datetime
from typing import Any

from app.config import BUILTIN_MODEL, DetectorSettings, WorkerSettings
from app.domain.telemetry import Telemetry, read_telemetry
from app.errors import ConflictError, InvalidInputError, NotFoundError
from app.services.clock import Clock
from app.services.datasets import get_dataset, set_threshold
from app.services.workers import liveness
from app.storage import scans as stored
from app.storage.database import Database, Session
from app.storage.datasets import Dataset
from app.storage.scans import Engine, Scan
from app.storage.workers import Liveness, is_alive

MAX_PRIORITY = 1000


@dataclass(frozen=True, slots=True)
class DetectorView:
    """The detector of a scan."""

    model: str
    revision: str | None
    weights_sha256: str
    backend: str
    device: str
    precision: str
    input_size: int
    target_classes: tuple[str, ...]
    tested: bool = True  #: whether Touchline is tested on detectors of its kind; scans of earlier releases do not say


@dataclass(frozen=True, slots=True)
class ScanView:
    """A scan as pages and the API show it; *stalled* is a running scan whose worker is gone."""

    id: int
    dataset_id: int
    dataset_name: str
    status: str
    total: int
    scored: int
    reused: int
    unreadable: int
    finished: int
    images_per_s: float | None
    eta_s: float | None
    detector: DetectorView | None
    queued_at: datetime
    started_at: datetime | None
    finished_at: datetime | None
    error: str | None
    active: bool
    paused: bool
    priority: int
    engine: Engine | None
    telemetry: Telemetry | None

    @property
    def held(self) -> bool:
        """Whether nobody works on it because a person holds it; until then a running scan finishes its batch."""
        return self.paused and self.status == "queued"


def view_detector(detector: dict[str, Any] | None) -> DetectorView | None:
    """A detector from what its scan has stored."""
    if detector is None:
        return None
    known = {each.name: detector[each.name] for each in fields(DetectorView) if each.name in detector}
    return DetectorView(**known | {"target_classes": tuple(detector["target_classes"])})


def view_scan(session: Session, scan: Scan, alive: Liveness) -> ScanView:
    """A scan with its derived state."""
    status = scan.status
    if status == "running" and not is_alive(session, scan.worker_id, alive):
        status = "stalled"
    left = scan.total - scan.finished
    running = status == "running" and bool(scan.images_per_s)
    return ScanView(
        id=scan.id,
        dataset_id=scan.dataset_id,
        dataset_name=scan.dataset_name,
        status=status,
        total=scan.total,
        scored=scan.scored,
        reused=scan.reused,
        unreadable=scan.unreadable,
        finished=scan.finished,
        images_per_s=scan.images_per_s,
        eta_s=left / scan.images_per_s if running and scan.images_per_s else None,
        detector=view_detector(scan.detector),
        queued_at=scan.queued_at,
        started_at=scan.started_at,
        finished_at=scan.finished_at,
        error=scan.error,
        active=status in ("queued", "running", "stalled"),
        paused=scan.paused and scan.status in stored.OPEN,
        priority=scan.priority,
        engine=_find_engine(session, scan),
        telemetry=read_telemetry(scan.telemetry),
    )


def _find_engine(session: Session, scan: Scan) -> Engine | None:
    """The engine with the gate of this scan: an engine passes one for each detector, and only its first is kept."""
    engine = stored.find_engine(session, scan.id)
    if engine is None or "gate" not in (scan.telemetry or {}):
        return engine
    return replace(engine, gate=(scan.telemetry or {})["gate"])


@dataclass(frozen=True, slots=True)
class ScanRequest:
    """A scan that was asked for, and whether it was queued just now."""

    scan: ScanView
    queued: bool


def request_scan(
    database: Database,
    settings: WorkerSettings,
    clock: Clock,
    reference: str | int,
    threshold: float | None = None,
    priority: int | None = None,
) -> ScanRequest:
    """Queue a scan of a dataset; one that is queued or running already is given instead, with its new priority.

    Raises:
        NotFoundError: no such dataset.
        InvalidInputError: the threshold is not within 0..1, or the priority out of range.
    """
    _check_priority(priority or 0)
    with database.read() as session:
        dataset = get_dataset(session, reference)
    if threshold is not None:
        set_threshold(database, dataset.id, threshold)
    alive = liveness(settings, clock)
    with database.write() as session:
        get_dataset(session, dataset.id)  # it may have been removed in between
        open_scan = stored.find_open_scan(session, dataset.id)
        scan_id = open_scan.id if open_scan else stored.insert_scan(session, dataset.id, clock())
        if scan_id is not None:
            if priority is not None:
                stored.update_scan(session, scan_id, priority=priority)
            return ScanRequest(view_scan(session, get_scan(session, scan_id), alive), queued=open_scan is None)
    return request_scan(database, settings, clock, dataset.id, None, priority)  # another process was faster


def _check_priority(priority: int) -> None:
    if abs(priority) > MAX_PRIORITY:
        raise InvalidInputError.on("priority", f"must be between -{MAX_PRIORITY} and {MAX_PRIORITY}")


def get_scan(session: Session, scan_id: int) -> Scan:
    """A scan by id.

    Raises:
        NotFoundError: there is none.
    """
    scan = stored.find_scan(session, scan_id)
    if scan is None:
        msg = f"no scan {scan_id}"
        raise NotFoundError(msg)
    return scan


def show_scan(database: Database, settings: WorkerSettings, clock: Clock, scan_id: int) -> ScanView:
    """One scan.

    Raises:
        NotFoundError: there is none.
    """
    with database.read() as session:
        return view_scan(session, get_scan(session, scan_id), liveness(settings, clock))


def list_scan_views(
    database: Database,
    settings: WorkerSettings,
    clock: Clock,
    *,
    dataset_id: int | None = None,
    before: int | None = None,
    limit: int = 50,
) -> tuple[ScanView, ...]:
    """Scans, newest first."""
    with database.read() as session:
        alive = liveness(settings, clock)
        return tuple(view_scan(session, scan, alive) for scan in stored.list_scans(session, dataset_id, before, limit))


def find_latest_scan(session: Session, dataset_id: int, alive: Liveness) -> ScanView | None:
    """The newest scan of a dataset."""
    scans = stored.list_scans(session, dataset_id, limit=1)
    return view_scan(session, scans[0], alive) if scans else None


def cancel_scan(database: Database, settings: WorkerSettings, clock: Clock, scan_id: int) -> ScanView:
    """Cancel a scan; what is scored stays. A scan without a worker ends at once, a running one after its batch.

    Raises:
        NotFoundError: no such scan.
        ConflictError: it has ended already.
    """
    alive = liveness(settings, clock)
    with database.write() as session:
        scan = _get_open(session, scan_id)
        if is_alive(session, scan.worker_id, alive):
            # No longer paused: a scan that was put back in this moment must be taken once more to end as cancelled.
            stored.update_scan(session, scan_id, cancel_requested=True, paused=False)
        else:
            stored.update_scan(session, scan_id, status="cancelled", finished_at=clock(), cancel_requested=True)
        return view_scan(session, get_scan(session, scan_id), alive)


def _get_open(session: Session, scan_id: int) -> Scan:
    """A scan that has not ended."""
    scan = get_scan(session, scan_id)
    if scan.status not in stored.OPEN:
        msg = f"scan {scan_id} has ended already ({scan.status})"
        raise ConflictError(msg)
    return scan


def pause_scan(database: Database, settings: WorkerSettings, clock: Clock, scan_id: int) -> ScanView:
    """Hold a scan: nobody takes it, and a worker that has it puts it back after its batch. What is scored stays.

    Raises:
        NotFoundError: no such scan.
        ConflictError: it has ended already.
    """
    alive = liveness(settings, clock)
    with database.write() as session:
        scan = _get_open(session, scan_id)
        if is_alive(session, scan.worker_id, alive):
            stored.update_scan(session, scan_id, paused=True)
        else:
            stored.update_scan(session, scan_id, paused=True, status="queued", worker_id=None)
        return view_scan(session, get_scan(session, scan_id), alive)


def resume_scan(database: Database, settings: WorkerSettings, clock: Clock, scan_id: int) -> ScanView:
    """Let a paused scan go on, where it stopped.

    Raises:
        NotFoundError: no such scan.
        ConflictError: it has ended already.
    """
    return _change(database, settings, clock, scan_id, paused=False)


def prioritise_scan(
    database: Database, settings: WorkerSettings, clock: Clock, scan_id: int, priority: int
) -> ScanView:
    """Say how soon a scan is taken: the highest number first. One that runs is not interrupted.

    Raises:
        NotFoundError: no such scan.
        ConflictError: it has ended already.
        InvalidInputError: the number is out of range.
    """
    _check_priority(priority)
    return _change(database, settings, clock, scan_id, priority=priority)


def _change(database: Database, settings: WorkerSettings, clock: Clock, scan_id: int, **values: Any) -> ScanView:
    with database.write() as session:
        _get_open(session, scan_id)
        stored.update_scan(session, scan_id, **values)
        return view_scan(session, get_scan(session, scan_id), liveness(settings, clock))


def model_notice(model: str, chosen: str, *, demo: bool) -> str | None:
    """The warning that the built-in model has seen only drawn images; None on the demo or of another ``model``.

    ``chosen`` is what ``detector.model`` names now: that may be a real one already, and another scan is all it takes.
    """
    if model != BUILTIN_MODEL or demo:
        return None
    seen = f"{BUILTIN_MODEL} has seen only drawn images, so expect little of it on photographs"
    if chosen != BUILTIN_MODEL:
        return f"{seen}: scan again with {chosen}, which detector.model names now."
    return (
        f"{seen}: set detector.model to a real D-FINE such as ustc-community/dfine-small-obj2coco, "
        'and detector.target_classes to ["sports ball"].'
    )


def dataset_notice(session: Session, settings: DetectorSettings, dataset: Dataset) -> str | None:
    """The same of the detector whose scores count for a dataset, or of the one that will be its first."""
    scored_by = stored.find_detector_model(session, dataset.detector_id)
    return model_notice(scored_by or settings.model, settings.model, demo=dataset.demo)


def scan_notice(settings: DetectorSettings, scan: ScanView, *, demo: bool) -> str | None:
    """The same of the detector of a scan, or of the one that it will get."""
    return model_notice(scan.detector.model if scan.detector else settings.model, settings.model, demo=demo)
