"""``/stats``: what is known of the dataset in numbers."""

from fastapi import APIRouter, Request
from starlette.responses import Response

from app.services.overview import view_stats_page
from app.web.context import GivenParts
from app.web.rendering import current_dataset, render

router = APIRouter(include_in_schema=False)


@router.get("/stats")
def stats(request: Request, parts: GivenParts) -> Response:
    """Counts, scores by folder, reviewers."""
    dataset = current_dataset(request, parts.database)
    page = view_stats_page(parts.database, dataset)
    return render(request, "stats/page.html", "content", "stats", page, dataset=dataset)
