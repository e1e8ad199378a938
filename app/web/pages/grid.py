"""``/grid``: many flagged images at a time."""

from dataclasses import replace
from uuid import uuid4

from fastapi import APIRouter, Request
from starlette.responses import Response

from app.domain.reviewing import Verdict
from app.errors import ConflictError, InvalidInputError
from app.services.datasets import get_dataset
from app.services.grid import COUNTS, OPPOSITE, ORDERS, GridChoice, preview_batch, view_grid
from app.services.reviews import BatchEntry, give_batch, parse_entries, undo_batch
from app.storage.datasets import Dataset
from app.web.context import GRID_COOKIE, GivenParts, GivenReviewer, Parts, find_reviewer, get_client
from app.web.forms import Form, GivenForm, form_body, see_other
from app.web.rendering import current_dataset, is_htmx, render, set_cookie

router = APIRouter(include_in_schema=False)


def _choice(request: Request) -> GridChoice:
    """What the address says, else what was chosen last; whatever is unknown takes the default."""
    count, _, order = request.cookies.get(GRID_COOKIE, "").partition("-")
    count = request.query_params.get("count", count)
    order = request.query_params.get("order", order)
    return GridChoice(
        next((known for known in COUNTS if str(known) == count), COUNTS[0]),
        next((known for known in ORDERS if known == order), ORDERS[0]),
    )


def _show(
    request: Request,
    parts: Parts,
    dataset: Dataset | None,
    message: str = "",
    status: int = 200,
    marked: frozenset[int] = frozenset(),
) -> Response:
    choice = _choice(request)
    page = view_grid(
        parts.database,
        parts.clock,
        dataset,
        find_reviewer(request),
        get_client(request),
        str(uuid4()),
        message,
        choice,
        marked,
    )
    response = render(request, "grid/page.html", "tiles", "grid", page, dataset=dataset, status=status)
    chosen = f"{choice.count}-{choice.order}"
    if request.cookies.get(GRID_COOKIE, f"{COUNTS[0]}-{ORDERS[0]}") != chosen:
        set_cookie(response, GRID_COOKIE, chosen)
    return response


@router.get("/grid")
def grid(request: Request, parts: GivenParts) -> Response:
    """The most suspicious open flags."""
    return _show(request, parts, current_dataset(request, parts.database))


def _dataset_of(form: Form, parts: Parts) -> Dataset:
    with parts.database.read() as session:
        return get_dataset(session, form.text("dataset"))


def _parse_verdict(form: Form, field: str) -> Verdict:
    try:
        return Verdict(form.text(field))
    except ValueError as error:
        raise InvalidInputError.on(field, f"must be one of {', '.join(Verdict)}") from error


def _ids(entries: list[BatchEntry]) -> frozenset[int]:
    return frozenset(entry.image_id for entry in entries)


@router.post("/grid/preview", openapi_extra=form_body("dataset", "rest", "shown"))
def preview(request: Request, parts: GivenParts, _reviewer: GivenReviewer, form: GivenForm) -> Response:
    """What one verdict on all images but the marked ones would save; ``rest`` of ``back`` shows the grid again."""
    dataset = _dataset_of(form, parts)
    marked = _ids(parse_entries(form.several("image")))
    if form.text("rest") == "back":
        return _show(request, parts, dataset, marked=marked)
    verdict = _parse_verdict(form, "rest")
    if verdict not in OPPOSITE:
        raise InvalidInputError.on("rest", f"must be one of {', '.join(OPPOSITE)}")
    shown = parse_entries(form.several("shown"))
    if not _ids(shown) - marked:
        return _show(request, parts, dataset, "Every image is marked, so none is left to call.", 422, marked)
    page = view_grid(
        parts.database, parts.clock, dataset, find_reviewer(request), get_client(request), str(uuid4()), "",
        _choice(request), marked,
    )  # fmt: skip
    page = replace(page, preview=preview_batch(parts.database, page, shown, marked, verdict))
    return render(request, "grid/page.html", "tiles", "grid", page, dataset=dataset)


@router.post("/grid", openapi_extra=form_body("dataset", "batch_id", "verdict", "image"))
def call_batch(request: Request, parts: GivenParts, reviewer: GivenReviewer, form: GivenForm) -> Response:
    """A verdict on every chosen image and, with ``exceptions`` of ``opposite``, the other one on the marked ones."""
    dataset = _dataset_of(form, parts)
    verdict = _parse_verdict(form, "verdict")
    entries, batch_id = parse_entries(form.several("image")), form.uuid("batch_id")
    marked, exceptions = parse_entries(form.several("marked")), form.text("exceptions", "")
    again = _ids(marked if exceptions else entries)  # what was ticked, and is again if nothing can be saved
    if exceptions == "opposite":
        entries += [BatchEntry(each.image_id, each.seen_review_id, OPPOSITE.get(verdict)) for each in marked]
    try:
        saved = give_batch(parts.database, parts.clock, entries, verdict, reviewer, batch_id, dataset.id)
    except ConflictError as error:
        return _show(request, parts, dataset, f"Nothing was saved: {error}", 409, again)
    return _after(request, parts, dataset, f"Saved for {saved} images")


@router.post("/grid/undo", openapi_extra=form_body("dataset", "batch_id"))
def undo(request: Request, parts: GivenParts, reviewer: GivenReviewer, form: GivenForm) -> Response:
    """Take a whole batch back."""
    dataset = _dataset_of(form, parts)
    undone = undo_batch(parts.database, parts.clock, form.text("batch_id"), reviewer, dataset.id)
    return _after(request, parts, dataset, f"Taken back for {undone} images")


def _after(request: Request, parts: Parts, dataset: Dataset, message: str) -> Response:
    if is_htmx(request):
        return _show(request, parts, dataset, message)
    return see_other(f"/grid?dataset={dataset.id}")
