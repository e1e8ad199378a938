"""``/``: datasets, scan progress, counts, histogram with the threshold."""

from fastapi import APIRouter, Request
from starlette.responses import Response

from app.errors import InvalidInputError
from app.services.datasets import set_threshold
from app.services.overview import view_overview
from app.storage.datasets import Dataset
from app.web.context import GivenParts, Parts
from app.web.forms import GivenForm, form_body, see_other
from app.web.rendering import current_dataset, is_htmx, render

router = APIRouter(include_in_schema=False)
BLOCKS = ("scan_progress", "overview_stats")


def show_overview(request: Request, parts: Parts, dataset: Dataset | None, block: str) -> Response:
    """The page, or one of its blocks."""
    page = view_overview(parts.database, parts.settings, parts.clock, dataset, preparing_demo=parts.preparing_demo())
    return render(request, "overview/page.html", block, "overview", page, dataset=dataset)


@router.get("/")
def overview(request: Request, parts: GivenParts) -> Response:
    """The overview, or the block that htmx names as its target."""
    target = request.headers.get("hx-target", "")
    block = next((name for name in BLOCKS if name in target), BLOCKS[0])
    return show_overview(request, parts, current_dataset(request, parts.database), block)


@router.post("/datasets/{dataset_id}/threshold", openapi_extra=form_body("threshold"))
def move_threshold(request: Request, parts: GivenParts, dataset_id: int, form: GivenForm) -> Response:
    """Move the threshold."""
    try:
        threshold = float(form.text("threshold"))
    except ValueError as error:
        raise InvalidInputError.on("threshold", "must be a number between 0 and 1") from error
    dataset = set_threshold(parts.database, dataset_id, threshold)
    if is_htmx(request):
        return show_overview(request, parts, dataset, "overview_stats")
    return see_other(f"/?dataset={dataset.id}")
