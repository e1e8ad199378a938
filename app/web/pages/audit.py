"""``/audit``: the bound on what is still wrong, its course, and what a goal takes."""

from fastapi import APIRouter, Request
from starlette.responses import Response

from app.services.audit_page import view_audit_page
from app.web.context import GivenParts
from app.web.rendering import current_dataset, render

router = APIRouter(include_in_schema=False)


@router.get("/audit")
def audit(request: Request, parts: GivenParts) -> Response:
    """The certificate of a dataset."""
    dataset = current_dataset(request, parts.database)
    page = view_audit_page(parts.database, parts.settings.review, parts.clock, dataset)
    return render(request, "audit/page.html", "content", "audit", page, dataset=dataset)
