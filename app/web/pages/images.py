"""``/images`` and ``/images/{id}``."""

from typing import Annotated

from fastapi import APIRouter, Query, Request
from starlette.responses import Response

from app.services.alike import view_image_page
from app.services.datasets import get_dataset
from app.services.images import ImageFilters, view_images_page
from app.web.context import GivenParts
from app.web.rendering import current_dataset, render

router = APIRouter(include_in_schema=False)


@router.get("/images")
def images(
    request: Request,
    parts: GivenParts,
    flag: str = "",
    reviewed: str = "",
    given: str = "",
    verdict: str = "",
    order: str = "",
    cursor: Annotated[str, Query(max_length=8192)] = "",
) -> Response:
    """Tiles under filters; an empty field of the form means all."""
    dataset = current_dataset(request, parts.database)
    filters = ImageFilters(flag or None, reviewed or None, given or None, verdict or None, order or "suspicion")
    page = view_images_page(parts.database, dataset, filters, cursor or None)
    return render(request, "images/page.html", "content", "images", page, dataset=dataset)


@router.get("/images/{image_id}")
def image(
    request: Request, parts: GivenParts, image_id: int, carried: Annotated[str, Query(max_length=100)] = ""
) -> Response:
    """One image with its whole history."""
    page = view_image_page(parts.database, image_id, carried or None)
    with parts.database.read() as session:
        dataset = get_dataset(session, page.dataset.id)
    return render(request, "images/detail.html", "content", "images", page, dataset=dataset)
