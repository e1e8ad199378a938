"""``/clean``: sign-off, plan, apply, undo."""

from pathlib import Path

from fastapi import APIRouter, Request
from starlette.responses import Response

from app.errors import TouchlineError
from app.services.datasets import get_dataset, refuse_outside
from app.services.relocating import request_apply, request_undo
from app.services.relocations import get_relocation, plan_relocation, view_clean_page
from app.services.sign_offs import sign_off, withdraw_sign_off
from app.storage.datasets import Dataset
from app.web.api.relocations import parse_mode
from app.web.context import GivenParts, Parts, name_of_signer
from app.web.forms import GivenForm, form_body, see_other
from app.web.problems import status_of
from app.web.rendering import current_dataset, is_htmx, render

router = APIRouter(include_in_schema=False)


def _show(
    request: Request,
    parts: Parts,
    dataset: Dataset | None,
    relocation_id: int | None,
    *,
    error: TouchlineError | None = None,
    to: str = "",
    mode: str = "copy",
) -> Response:
    text = None if error is None else str(error)
    page = view_clean_page(parts.database, dataset, relocation_id, error=text, form_to=to, form_mode=mode)
    status = 200 if error is None else status_of(error)
    return render(request, "clean/page.html", "plan", "clean", page, dataset=dataset, status=status)


@router.get("/clean")
def clean(request: Request, parts: GivenParts, relocation: int | None = None) -> Response:
    """What is ready, the plan that is looked at, and the relocations so far."""
    return _show(request, parts, current_dataset(request, parts.database), relocation)


@router.post("/clean/plan", openapi_extra=form_body("dataset", "to", "mode"))
def plan(request: Request, parts: GivenParts, form: GivenForm) -> Response:
    """Plan a relocation; touches no file."""
    with parts.database.read() as session:
        dataset = get_dataset(session, form.text("dataset"))
    to, mode = form.text("to", "").strip(), form.text("mode", "copy")
    try:
        refuse_outside(Path(to), parts.settings.datasets, "to")
        found = plan_relocation(parts.database, parts.clock, dataset.id, Path(to), parse_mode(mode))
    except TouchlineError as error:
        return _show(request, parts, dataset, None, error=error, to=to, mode=mode)
    return _after(request, parts, dataset, found.id)


@router.post("/clean/{relocation_id}/apply")
def apply(request: Request, parts: GivenParts, relocation_id: int) -> Response:
    """Have a worker apply the plan."""
    request_apply(parts.database, relocation_id)
    return _after(request, parts, _dataset_of(parts, relocation_id), relocation_id)


@router.post("/clean/{relocation_id}/undo")
def undo(request: Request, parts: GivenParts, relocation_id: int) -> Response:
    """Have a worker take it back."""
    request_undo(parts.database, relocation_id)
    return _after(request, parts, _dataset_of(parts, relocation_id), relocation_id)


def _dataset_of(parts: Parts, relocation_id: int) -> Dataset:
    with parts.database.read() as session:
        return get_dataset(session, get_relocation(session, relocation_id).dataset_id)


def _after(request: Request, parts: Parts, dataset: Dataset, relocation_id: int | None) -> Response:
    if is_htmx(request):
        return _show(request, parts, dataset, relocation_id)
    shown = "" if relocation_id is None else f"&relocation={relocation_id}"
    return see_other(f"/clean?dataset={dataset.id}{shown}")


@router.post("/datasets/{dataset_id}/sign-off", openapi_extra=form_body("by"))
def accept(request: Request, parts: GivenParts, dataset_id: int, form: GivenForm) -> Response:
    """Sign off the agreeing rest."""
    by = name_of_signer(request, form.text("by", ""))
    sign_off(parts.database, parts.clock, dataset_id, by)
    return see_other(f"/clean?dataset={dataset_id}")


@router.post("/datasets/{dataset_id}/sign-off/withdraw")
def withdraw(parts: GivenParts, dataset_id: int) -> Response:
    """Take the sign-off back."""
    withdraw_sign_off(parts.database, parts.clock, dataset_id)
    return see_other(f"/clean?dataset={dataset_id}")
