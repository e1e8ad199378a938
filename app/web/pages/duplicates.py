"""``/duplicates``: the same picture more than once, and pictures that look alike; a verdict carried to copies."""

from typing import Annotated

from fastapi import APIRouter, Query, Request
from starlette.responses import Response

from app.services.alike import view_duplicates
from app.services.carrying import CarryRequest, carry_verdict
from app.services.datasets import get_dataset
from app.services.reviews import parse_entries, undo_batch
from app.storage.datasets import Dataset
from app.web.context import GivenParts, GivenReviewer, Parts
from app.web.forms import Form, GivenForm, form_body, see_other
from app.web.rendering import current_dataset, render

router = APIRouter(include_in_schema=False)


@router.get("/duplicates")
def duplicates(
    request: Request,
    parts: GivenParts,
    kind: str = "",
    after: Annotated[str, Query(max_length=100)] = "",
    carried: Annotated[str, Query(max_length=100)] = "",
) -> Response:
    """Copies in both folders first, then other copies, then pairs across the folders that look alike."""
    dataset = current_dataset(request, parts.database)
    page = view_duplicates(parts.database, dataset, kind or None, after or None, carried or None)
    return render(request, "duplicates/page.html", "content", "images", page, dataset=dataset)


@router.post("/duplicates/carry", openapi_extra=form_body("dataset", "image", "review_id", "batch_id", "copy"))
def carry(parts: GivenParts, reviewer: GivenReviewer, form: GivenForm) -> Response:
    """Give an image's verdict to the copies that were shown, all or none, and go back to where it was offered."""
    dataset = _dataset_of(form, parts)
    batch_id = form.uuid("batch_id")
    asked = CarryRequest(batch_id, reviewer, form.number("review_id"), parse_entries(form.several("copy")), dataset.id)
    carry_verdict(parts.database, parts.clock, form.number("image") or 0, asked)
    return see_other(_back(form, dataset, batch_id))


@router.post("/duplicates/carry/undo", openapi_extra=form_body("dataset", "batch_id"))
def undo(parts: GivenParts, reviewer: GivenReviewer, form: GivenForm) -> Response:
    """Take a carried verdict back from every copy."""
    dataset = _dataset_of(form, parts)
    batch_id = form.uuid("batch_id")
    undo_batch(parts.database, parts.clock, batch_id, reviewer, dataset.id)
    return see_other(_back(form, dataset, batch_id))


def _dataset_of(form: Form, parts: Parts) -> Dataset:
    with parts.database.read() as session:
        return get_dataset(session, form.text("dataset"))


def _back(form: Form, dataset: Dataset, batch_id: str) -> str:
    """The page that the form stood on: the desk with the image that lay there, an image's page, or the list."""
    image, shown = form.number("image"), form.number("shown")
    where = form.text("back", "duplicates")
    if where == "review":
        beside = "" if shown is None else f"&image={shown}"
        called = "" if image is None else f"&called={image}"
        return f"/review?dataset={dataset.id}{beside}{called}&carried={batch_id}"
    if where == "image" and image is not None:
        return f"/images/{image}?dataset={dataset.id}&carried={batch_id}"
    return f"/duplicates?dataset={dataset.id}&carried={batch_id}"
