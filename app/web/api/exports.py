"""``/api/exports``: queue, look, download."""

from fastapi import APIRouter
from starlette.responses import FileResponse

from app.services.exports import find_download, request_export, show_export
from app.web.api.models import ExportIn, ExportOut
from app.web.context import GivenParts
from app.web.problems import responses

router = APIRouter(prefix="/api/exports", tags=["exports"])


@router.post("", status_code=202, responses=responses(404, 422))
def add_export(parts: GivenParts, body: ExportIn) -> ExportOut:
    """Queue an export."""
    return ExportOut.of(request_export(parts.database, parts.settings, parts.clock, body.dataset, body.format))


@router.get("/{export_id}", responses=responses(404, 422))
def get_export(parts: GivenParts, export_id: int) -> ExportOut:
    """One export."""
    return ExportOut.of(show_export(parts.database, export_id))


@router.get("/{export_id}/download", response_class=FileResponse, responses=responses(404, 409, 422))
def download(parts: GivenParts, export_id: int) -> FileResponse:
    """The finished file."""
    path = find_download(parts.database, export_id)
    return FileResponse(path, filename=path.name)
