"""``/grid``: many flagged images at a time."""

from uuid import uuid4

from fastapi import APIRouter, Request
from starlette.responses import Response

from app.domain.reviewing import Verdict
from app.errors import ConflictError, InvalidInputError
from app.services.datasets import get_dataset
from app.services.queue import view_grid
from app.services.reviews import give_batch, parse_entries, undo_batch
from app.storage.datasets import Dataset
from app.web.context import GivenParts, GivenReviewer, Parts, find_reviewer, get_client
from app.web.forms import GivenForm, form_body, see_other
from app.web.rendering import current_dataset, is_htmx, render

router = APIRouter(include_in_schema=False)


def _show(request: Request, parts: Parts, dataset: Dataset | None, message: str = "", status: int = 200) -> Response:
    page = view_grid(
        parts.database,
        parts.clock,
        dataset,
        find_reviewer(request),
        get_client(request),
        str(uuid4()),
        message,
    )
    return render(request, "grid/page.html", "tiles", "grid", page, dataset=dataset, status=status)


@router.get("/grid")
def grid(request: Request, parts: GivenParts) -> Response:
    """The most suspicious open flags."""
    return _show(request, parts, current_dataset(request, parts.database))


@router.post("/grid", openapi_extra=form_body("dataset", "batch_id", "verdict", "image"))
def call_batch(request: Request, parts: GivenParts, reviewer: GivenReviewer, form: GivenForm) -> Response:
    """One verdict on every chosen image, all or none."""
    with parts.database.read() as session:
        dataset = get_dataset(session, form.text("dataset"))
    try:
        verdict = Verdict(form.text("verdict"))
    except ValueError as error:
        raise InvalidInputError.on("verdict", f"must be one of {', '.join(Verdict)}") from error
    entries, batch_id = parse_entries(form.several("image")), form.uuid("batch_id")
    try:
        saved = give_batch(parts.database, parts.clock, entries, verdict, reviewer, batch_id, dataset.id)
    except ConflictError as error:
        return _show(request, parts, dataset, f"Nothing was saved: {error}", 409)
    return _after(request, parts, dataset, f"Saved for {saved} images")


@router.post("/grid/undo", openapi_extra=form_body("dataset", "batch_id"))
def undo(request: Request, parts: GivenParts, reviewer: GivenReviewer, form: GivenForm) -> Response:
    """Take a whole batch back."""
    with parts.database.read() as session:
        dataset = get_dataset(session, form.text("dataset"))
    undone = undo_batch(parts.database, parts.clock, form.text("batch_id"), reviewer, dataset.id)
    return _after(request, parts, dataset, f"Taken back for {undone} images")


def _after(request: Request, parts: Parts, dataset: Dataset, message: str) -> Response:
    if is_htmx(request):
        return _show(request, parts, dataset, message)
    return see_other(f"/grid?dataset={dataset.id}")
