"""``/images`` and ``/images/{id}``."""

from dataclasses import replace
from typing import Annotated

from fastapi import APIRouter, Query, Request
from starlette.responses import Response

from app.errors import ConflictError, InvalidInputError
from app.services.alike import view_image_page
from app.services.browsing import (
    ImageFilters,
    Jump,
    delete_filter,
    read_filters,
    save_filter,
    view_images_page,
)
from app.services.datasets import get_dataset
from app.services.neighbours import find_neighbours
from app.web.context import GivenParts, GivenReviewer
from app.web.forms import GivenForm, form_body, see_other
from app.web.rendering import current_dataset, render

router = APIRouter(include_in_schema=False)
MOST = 1 << 40


@router.get("/images")
def images(
    request: Request,
    parts: GivenParts,
    cursor: Annotated[str, Query(max_length=8192)] = "",
    back: str = "",
    number: str = "",
    at_score: str = "",
    searched: Annotated[int, Query(ge=0, le=MOST)] = 0,
) -> Response:
    """Tiles under filters; an empty field of the form means all. A jump to a score lists by score."""
    dataset = current_dataset(request, parts.database)
    filters = read_filters(request.url.query)
    if at_score and not cursor:
        filters = _by_score(filters)
    jump = Jump(cursor or None, back == "1", number or None, at_score or None, searched)
    page = view_images_page(parts.database, dataset, filters, jump)
    status = 200 if page.error is None else 422
    return render(request, "images/page.html", "content", "images", page, dataset=dataset, status=status)


def _by_score(filters: ImageFilters) -> ImageFilters:
    return read_filters(f"{filters.encode()}&order=score")


@router.post("/images/filters", openapi_extra=form_body("dataset", "name", "query"))
def save(request: Request, parts: GivenParts, reviewer: GivenReviewer, form: GivenForm) -> Response:
    """Save the filters of a list under a name."""
    with parts.database.read() as session:
        dataset = get_dataset(session, form.text("dataset"))
    query = form.text("query", "")
    try:
        saved = save_filter(parts.database, parts.clock, dataset.id, form.text("name", ""), query, reviewer)
    except (InvalidInputError, ConflictError) as error:
        said = error.errors[0].msg if isinstance(error, InvalidInputError) and error.errors else str(error)
        page = view_images_page(parts.database, dataset, read_filters(query[:8192]), Jump(), said)
        return render(request, "images/page.html", "content", "images", page, dataset=dataset, status=422)
    return see_other(f"/images?dataset={dataset.id}&{saved.query}")


@router.post("/images/filters/{filter_id}/delete", openapi_extra=form_body())
def delete(parts: GivenParts, _reviewer: GivenReviewer, filter_id: int, form: GivenForm) -> Response:
    """Forget a saved filter, and show the list of ``query`` as before."""
    gone = delete_filter(parts.database, filter_id)
    return see_other(f"/images?dataset={gone.dataset_id}&{read_filters(form.text('query', '')[:8192]).encode()}")


@router.get("/images/{image_id}")
def image(
    request: Request, parts: GivenParts, image_id: int, carried: Annotated[str, Query(max_length=100)] = ""
) -> Response:
    """One image with its whole history, and its neighbours in the list that it was opened from."""
    page = view_image_page(parts.database, image_id, carried or None)
    with parts.database.read() as session:
        dataset = get_dataset(session, page.dataset.id)
    around = find_neighbours(parts.database, dataset, image_id, read_filters(request.url.query))
    return render(request, "images/detail.html", "content", "images", replace(page, around=around), dataset=dataset)
