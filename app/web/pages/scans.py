"""``/scans`` and ``POST /scan``, which takes JSON from programs and a form from the page."""

from typing import Any

from fastapi import APIRouter, Request
from fastapi.exceptions import RequestValidationError
from pydantic import ValidationError
from starlette.concurrency import run_in_threadpool
from starlette.responses import JSONResponse, Response

from app.services.datasets import get_dataset
from app.services.scans import ScanRequest, cancel_scan, request_scan, show_scan, view_scans_page
from app.web.api.models import ScanIn, ScanOut
from app.web.context import GivenParts, Parts
from app.web.forms import read_form, see_other
from app.web.pages.overview import show_overview
from app.web.problems import responses
from app.web.rendering import current_dataset, is_htmx, render

router = APIRouter()
DOCUMENTED: dict[str, Any] = {
    "requestBody": {
        "required": True,
        "content": {
            "application/json": {"schema": ScanIn.model_json_schema()},
            "application/x-www-form-urlencoded": {
                "schema": {
                    "type": "object",
                    "required": ["dataset"],
                    "properties": {"dataset": {"type": "string"}},
                }
            },
        },
    }
}


@router.get("/scans", include_in_schema=False)
def scans(request: Request, parts: GivenParts) -> Response:
    """The scans of a dataset."""
    dataset = current_dataset(request, parts.database)
    page = view_scans_page(parts.database, parts.settings.worker, parts.clock, dataset)
    return render(request, "scans/page.html", "scan_list", "scans", page, dataset=dataset)


@router.post(
    "/scan",
    status_code=202,
    response_model=ScanOut,
    openapi_extra=DOCUMENTED,
    tags=["scans"],
    responses={200: {"model": ScanOut, "description": "One is queued or running already"}, **responses(404, 422)},
)
async def scan(request: Request, parts: GivenParts) -> Response:
    """Queue a scan of a dataset."""
    if request.headers.get("content-type", "").startswith("application/json"):
        body = await _read_json(request)
        asked = await run_in_threadpool(_request, parts, body.dataset, body.threshold)
        return _answer_json(asked)
    form = await read_form(request)
    asked = await run_in_threadpool(_request, parts, form.text("dataset"), None)
    if is_htmx(request):
        return await run_in_threadpool(_show_progress, request, parts, asked)
    return see_other(f"/?dataset={asked.scan.dataset_id}")


async def _read_json(request: Request) -> ScanIn:
    try:
        # pydantic's own parser: it refuses deep nesting, long numbers and half surrogate pairs as invalid JSON.
        return ScanIn.model_validate_json(await request.body())
    except ValidationError as error:
        raise RequestValidationError(error.errors()) from error


def _request(parts: Parts, dataset: int | str, threshold: float | None) -> ScanRequest:
    return request_scan(parts.database, parts.settings.worker, parts.clock, dataset, threshold)


def _answer_json(asked: ScanRequest) -> Response:
    content = ScanOut.of(asked.scan).model_dump(mode="json")
    if not asked.queued:
        return JSONResponse(content)
    return JSONResponse(content, status_code=202, headers={"Location": f"/api/scans/{asked.scan.id}"})


def _show_progress(request: Request, parts: Parts, asked: ScanRequest) -> Response:
    with parts.database.read() as session:
        dataset = get_dataset(session, asked.scan.dataset_id)
    return show_overview(request, parts, dataset, "scan_progress")


@router.post("/scans/{scan_id}/cancel", include_in_schema=False)
def cancel(request: Request, parts: GivenParts, scan_id: int) -> Response:
    """Cancel a scan."""
    view = show_scan(parts.database, parts.settings.worker, parts.clock, scan_id)
    if view.active:
        view = cancel_scan(parts.database, parts.settings.worker, parts.clock, scan_id)
    if is_htmx(request):
        return _show_progress(request, parts, ScanRequest(view, queued=False))
    return see_other(f"/?dataset={view.dataset_id}")
