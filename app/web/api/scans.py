"""``/api/scans``: looking and cancelling. ``POST /scan`` itself takes a form too and is a page's route."""

from fastapi import APIRouter

from app.services.datasets import get_dataset
from app.services.scans import cancel_scan, list_scan_views, show_scan
from app.web.api.cursors import Cursor, Limit, number_cursor
from app.web.api.models import ScanOut, ScansOut
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


@router.get("/{scan_id}", responses=responses(404, 422))
def get_scan(parts: GivenParts, scan_id: int) -> ScanOut:
    """One scan."""
    return ScanOut.of(show_scan(parts.database, parts.settings.worker, parts.clock, scan_id))


@router.post("/{scan_id}/cancel", responses=responses(404, 409, 422))
def cancel(parts: GivenParts, scan_id: int) -> ScanOut:
    """Cancel a scan; what is scored stays."""
    return ScanOut.of(cancel_scan(parts.database, parts.settings.worker, parts.clock, scan_id))
