"""``/scans``, one scan, two side by side; and ``POST /scan``, which takes JSON from programs and a form from a page."""

from collections.abc import Callable
from functools import partial
from typing import Annotated, Any

from fastapi import APIRouter, Query, Request
from fastapi.exceptions import RequestValidationError
from pydantic import ValidationError
from starlette.concurrency import run_in_threadpool
from starlette.responses import JSONResponse, Response

from app.config import WorkerSettings
from app.errors import InvalidInputError
from app.services.clock import Clock
from app.services.datasets import get_dataset
from app.services.retrying import retry_unreadable
from app.services.scan_pages import view_compare_page, view_scan_page, view_scans_page
from app.services.scans import (
    ScanRequest,
    ScanView,
    cancel_scan,
    pause_scan,
    prioritise_scan,
    request_scan,
    resume_scan,
    show_scan,
)
from app.storage.database import Database
from app.storage.datasets import MAX_ID, Dataset
from app.web.api.scan_models import ScanIn, ScanOut
from app.web.context import GivenParts, Parts
from app.web.forms import Form, GivenForm, form_body, read_form, safe_next, see_other
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
    """The queue, and the scans of a dataset."""
    return _show_list(request, parts, current_dataset(request, parts.database))


def _show_list(request: Request, parts: Parts, dataset: Dataset | None) -> Response:
    # Not for a block that asks again and again: it is said in the page's head, and a folder is read for it.
    estimate = not is_htmx(request)
    page = view_scans_page(parts.database, parts.settings, parts.clock, dataset, estimate=estimate)
    return render(request, "scans/page.html", "scan_list", "scans", page, dataset=dataset)


@router.get("/scans/compare", include_in_schema=False)
def compare(
    request: Request,
    parts: GivenParts,
    a: int | None = None,
    b: int | None = None,
    cursor: Annotated[str, Query(max_length=8192)] = "",
) -> Response:
    """Two scans with different detectors side by side, or the choice of two."""
    dataset = current_dataset(request, parts.database)
    if a is not None:
        dataset = _dataset_of(parts, a)
    given = (parts.database, parts.settings.worker, parts.clock, dataset, a, b)
    try:
        page = view_compare_page(*given, cursor=cursor or None)
    except InvalidInputError as error:
        page = view_compare_page(*given, refused=error.errors[0].msg)
    status = 422 if page.refused else 200
    return render(request, "scans/compare.html", "content", "scans", page, dataset=dataset, status=status)


def _dataset_of(parts: Parts, scan_id: int) -> Dataset:
    view = show_scan(parts.database, parts.settings.worker, parts.clock, scan_id)
    with parts.database.read() as session:
        return get_dataset(session, view.dataset_id)


@router.get("/scans/{scan_id}", include_in_schema=False)
def scan_page(request: Request, parts: GivenParts, scan_id: int, after: int = 0) -> Response:
    """One scan in full."""
    return _show_one(request, parts, scan_id, after=min(max(after, 0), MAX_ID))


def _show_one(request: Request, parts: Parts, scan_id: int, *, after: int = 0, message: str = "") -> Response:
    page = view_scan_page(parts.database, parts.settings, parts.clock, scan_id, after=after, message=message)
    dataset = _dataset_of(parts, scan_id)
    return render(request, "scans/detail.html", "scan_detail", "scans", page, dataset=dataset)


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
        asked = await run_in_threadpool(_request, parts, body.dataset, body.threshold, body.priority)
        return _answer_json(asked)
    form = await read_form(request)
    asked = await run_in_threadpool(_request, parts, form.text("dataset"))
    return await run_in_threadpool(_answer_form, request, parts, form, asked.scan)


async def _read_json(request: Request) -> ScanIn:
    try:
        # pydantic's own parser: it refuses deep nesting, long numbers and half surrogate pairs as invalid JSON.
        return ScanIn.model_validate_json(await request.body())
    except ValidationError as error:
        raise RequestValidationError(error.errors()) from error


def _request(
    parts: Parts, dataset: int | str, threshold: float | None = None, priority: int | None = None
) -> ScanRequest:
    return request_scan(parts.database, parts.settings.worker, parts.clock, dataset, threshold, priority)


def _answer_json(asked: ScanRequest) -> Response:
    content = ScanOut.of(asked.scan).model_dump(mode="json")
    if not asked.queued:
        return JSONResponse(content)
    return JSONResponse(content, status_code=202, headers={"Location": f"/api/scans/{asked.scan.id}"})


def _answer_form(request: Request, parts: Parts, form: Form, view: ScanView, message: str = "") -> Response:
    """The block that the form stands in, for htmx; for a plain browser the page that it came from."""
    if not is_htmx(request):
        return see_other(safe_next(form.text("next", ""), f"/?dataset={view.dataset_id}"))
    target = request.headers.get("hx-target", "")
    if "scan_detail" in target:
        return _show_one(request, parts, view.id, message=message)
    if "scan_list" in target:
        return _show_list(request, parts, current_dataset(request, parts.database))
    with parts.database.read() as session:
        dataset = get_dataset(session, view.dataset_id)
    return show_overview(request, parts, dataset, "scan_progress")


@router.post("/scans/{scan_id}/cancel", include_in_schema=False)
def cancel(request: Request, parts: GivenParts, form: GivenForm, scan_id: int) -> Response:
    """Cancel a scan."""
    return _act(request, parts, form, scan_id, cancel_scan)


@router.post("/scans/{scan_id}/pause", include_in_schema=False)
def pause(request: Request, parts: GivenParts, form: GivenForm, scan_id: int) -> Response:
    """Hold a scan."""
    return _act(request, parts, form, scan_id, pause_scan)


@router.post("/scans/{scan_id}/resume", include_in_schema=False)
def resume(request: Request, parts: GivenParts, form: GivenForm, scan_id: int) -> Response:
    """Let a paused scan go on."""
    return _act(request, parts, form, scan_id, resume_scan)


Action = Callable[[Database, WorkerSettings, Clock, int], ScanView]


def _act(request: Request, parts: Parts, form: Form, scan_id: int, action: Action) -> Response:
    """Change a scan; one that has ended since the page was made is shown as it is, which says enough."""
    known = (parts.database, parts.settings.worker, parts.clock, scan_id)
    view = show_scan(*known)
    return _answer_form(request, parts, form, action(*known) if view.active else view)


@router.post("/scans/{scan_id}/priority", include_in_schema=False, openapi_extra=form_body("priority"))
def move_in_queue(request: Request, parts: GivenParts, form: GivenForm, scan_id: int) -> Response:
    """Let a scan be taken sooner or later than others."""
    return _act(request, parts, form, scan_id, partial(prioritise_scan, priority=_read_priority(form)))


def _read_priority(form: Form) -> int:
    try:
        return int(form.text("priority")[:10])
    except ValueError as error:
        raise InvalidInputError.on("priority", "is no whole number") from error


@router.post("/scans/{scan_id}/retry", include_in_schema=False)
def retry(request: Request, parts: GivenParts, form: GivenForm, scan_id: int) -> Response:
    """Look again at unreadable images: those that the form names, or all."""
    view = show_scan(parts.database, parts.settings.worker, parts.clock, scan_id)
    chosen = [_read_id(value) for value in form.several("image")]
    asked = retry_unreadable(parts.database, parts.settings.worker, parts.clock, view.dataset_id, chosen or None)
    message = f"{asked.images} to be looked at again by scan {asked.request.scan.id}"
    return _answer_form(request, parts, form, view, message)


def _read_id(value: str) -> int:
    if not (value.isascii() and value.isdigit() and len(value) < 16):
        raise InvalidInputError.on("image", f"{value[:40]!r} is no image's id")
    return int(value)
