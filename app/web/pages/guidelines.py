"""``/datasets/{id}/guidelines``: what counts as the object; read by everybody, written here."""

from dataclasses import replace

from fastapi import APIRouter, Request
from starlette.responses import Response

from app.errors import InvalidInputError
from app.services.guidelines import GuidelinesPage, clean_guidelines, keep_guidelines, view_guidelines
from app.web.context import GivenParts
from app.web.forms import GivenForm, form_body, see_other
from app.web.rendering import render

router = APIRouter(include_in_schema=False)


def _show(request: Request, page: GuidelinesPage, status: int = 200) -> Response:
    template = "datasets/guidelines.html"
    return render(request, template, "content", "datasets", page, dataset=page.dataset, status=status)


@router.get("/datasets/{dataset_id}/guidelines")
def guidelines(request: Request, parts: GivenParts, dataset_id: int, said: str = "") -> Response:
    """The guidelines as they are, and the field to change them in."""
    message = "The guidelines are saved." if said == "saved" else ""
    return _show(request, view_guidelines(parts.database, dataset_id, message))


@router.post("/datasets/{dataset_id}/guidelines", openapi_extra=form_body("guidelines"))
def save(request: Request, parts: GivenParts, dataset_id: int, form: GivenForm) -> Response:
    """Keep the guidelines, or show what they will look like."""
    text = form.text("guidelines", "")
    page = view_guidelines(parts.database, dataset_id)
    try:
        cleaned = clean_guidelines(text)
    except InvalidInputError as error:
        problem = error.errors[0].msg if error.errors else str(error)
        return _show(request, replace(page, text=text, problem=problem), status=422)
    if form.text("do", "save") == "preview":
        return _show(request, replace(page, text=cleaned, preview=True))
    keep_guidelines(parts.database, dataset_id, cleaned)
    return see_other(f"/datasets/{dataset_id}/guidelines?said=saved")
