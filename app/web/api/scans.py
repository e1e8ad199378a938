"""``/api/scans``: looking, holding, comparing. ``POST /scan`` itself takes a form too and is a page's route."""

from typing import Annotated

from fastapi import APIRouter, Query, Response

from app.services.comparing import compare_scans
from app.services.datasets import get_dataset
from app.services.retrying import retry_unreadable
from app.services.scans import cancel_scan, list_scan_views, pause_scan, prioritise_scan, resume_scan, show_scan
from app.web.api.cursors import Cursor, Limit, number_cursor
from app.web.api.scan_models import ComparisonOut, PriorityIn, RetryIn, ScanOut, ScansOut
from app.web.context import GivenParts
from app.web.problems import responses

router = APIRouter(prefix="/api/scans", tags=["scans"])


@router.get("", responses=responses(404, 422))
def list_scans(parts: GivenParts, dataset: str | None = None, cursor: Cursor = None, limit: Limit = 50) -> ScansOut:
    """Scans, newest first."""
    dataset_id = None
    if dataset is not None:
        with parts.database.read() as session:
            dataset_id = get_dataset(session, dataset).id
    views = list_scan_views(
        parts.database,
        parts.settings.worker,
        parts.clock,
        dataset_id=dataset_id,
        before=number_cursor(cursor) or None,
        limit=limit + 1,
    )
    following = str(views[limit - 1].id) if len(views) > limit else None
    return ScansOut(items=[ScanOut.of(view) for view in views[:limit]], next=following)


@router.get("/compare", responses=responses(404, 422))
def compare(
    parts: GivenParts,
    a: Annotated[int, Query(description="A scan.")],
    b: Annotated[int, Query(description="Another of the same dataset, with another detector.")],
    cursor: Cursor = None,
    limit: Limit = 50,
) -> ComparisonOut:
    """Two scans with different detectors: who flags what, and what changes, largest change of score first."""
    known = (parts.database, parts.settings.worker, parts.clock)
    return ComparisonOut.of(compare_scans(*known, a, b, cursor=cursor, limit=limit))


@router.get("/{scan_id}", responses=responses(404, 422))
def get_scan(parts: GivenParts, scan_id: int) -> ScanOut:
    """One scan."""
    return ScanOut.of(show_scan(parts.database, parts.settings.worker, parts.clock, scan_id))


@router.post("/{scan_id}/cancel", responses=responses(404, 409, 422))
def cancel(parts: GivenParts, scan_id: int) -> ScanOut:
    """Cancel a scan; what is scored stays."""
    return ScanOut.of(cancel_scan(parts.database, parts.settings.worker, parts.clock, scan_id))


@router.post("/{scan_id}/pause", responses=responses(404, 409, 422))
def pause(parts: GivenParts, scan_id: int) -> ScanOut:
    """Hold a scan: nobody takes it, and a worker that has it puts it back after its batch."""
    return ScanOut.of(pause_scan(parts.database, parts.settings.worker, parts.clock, scan_id))


@router.post("/{scan_id}/resume", responses=responses(404, 409, 422))
def resume(parts: GivenParts, scan_id: int) -> ScanOut:
    """Let a paused scan go on where it stopped."""
    return ScanOut.of(resume_scan(parts.database, parts.settings.worker, parts.clock, scan_id))


@router.post("/{scan_id}/priority", responses=responses(404, 409, 422))
def set_priority(parts: GivenParts, scan_id: int, body: PriorityIn) -> ScanOut:
    """Say how soon a scan is taken: the highest number first, then the oldest."""
    known = (parts.database, parts.settings.worker, parts.clock)
    return ScanOut.of(prioritise_scan(*known, scan_id, body.priority))


@router.post(
    "/{scan_id}/retry",
    status_code=202,
    responses={200: {"model": ScanOut, "description": "One is queued or running already"}, **responses(404, 409, 422)},
)
def retry(parts: GivenParts, scan_id: int, response: Response, body: RetryIn | None = None) -> ScanOut:
    """Look again at unreadable images of the scan's dataset, all or some: the scan that will."""
    known = (parts.database, parts.settings.worker, parts.clock)
    dataset_id = show_scan(*known, scan_id).dataset_id
    asked = retry_unreadable(*known, dataset_id, None if body is None else body.images).request
    response.status_code = 202 if asked.queued else 200
    if asked.queued:
        response.headers["Location"] = f"/api/scans/{asked.scan.id}"
    return ScanOut.of(asked.scan)
