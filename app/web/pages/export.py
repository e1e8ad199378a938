"""``/export``: write the released set in a format that other tools read."""

from fastapi import APIRouter, Request
from starlette.responses import Response

from app.services.datasets import get_dataset
from app.services.exports import request_export, view_export_page
from app.storage.datasets import Dataset
from app.web.context import GivenParts, Parts
from app.web.forms import GivenForm, form_body, see_other
from app.web.rendering import current_dataset, is_htmx, render

router = APIRouter(include_in_schema=False)


def _show(request: Request, parts: Parts, dataset: Dataset | None) -> Response:
    page = view_export_page(parts.database, dataset)
    return render(request, "export/page.html", "export_list", "export", page, dataset=dataset)


@router.get("/export")
def exports(request: Request, parts: GivenParts) -> Response:
    """The exports so far, and the form for another."""
    return _show(request, parts, current_dataset(request, parts.database))


@router.post("/export", openapi_extra=form_body("dataset", "format"))
def export(request: Request, parts: GivenParts, form: GivenForm) -> Response:
    """Queue an export."""
    with parts.database.read() as session:
        dataset = get_dataset(session, form.text("dataset"))
    request_export(parts.database, parts.settings, parts.clock, dataset.id, form.text("format"))
    return _show(request, parts, dataset) if is_htmx(request) else see_other(f"/export?dataset={dataset.id}")
