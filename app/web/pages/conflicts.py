"""``/conflicts``: what two people disagree on, for a third who settles it."""

from fastapi import APIRouter, Request
from starlette.responses import Response

from app.domain.reviewing import Source
from app.errors import ConflictError
from app.services.conflicts import no_conflicts, settle, view_conflicts
from app.services.images import describe_verdict
from app.services.second_looks import undo_own
from app.storage.datasets import Dataset
from app.web.context import GivenParts, GivenReviewer, Parts, find_reviewer, get_client
from app.web.forms import GivenForm, form_body, see_other
from app.web.pages.review import dataset_of
from app.web.pages.second import new_review
from app.web.rendering import current_dataset, is_htmx, render

router = APIRouter(include_in_schema=False)


def _show(
    request: Request,
    parts: Parts,
    dataset: Dataset | None,
    *,
    image_id: int | None = None,
    message: str = "",
    status: int = 200,
) -> Response:
    reviewer = find_reviewer(request)
    if dataset is None or reviewer is None:
        page = no_conflicts(message)
    else:
        page = view_conflicts(
            parts.database,
            parts.settings.review,
            parts.clock,
            dataset,
            reviewer,
            get_client(request),
            image_id=image_id,
            message=message,
        )
    return render(request, "conflicts/page.html", "card", "conflicts", page, dataset=dataset, status=status)


@router.get("/conflicts")
def conflicts(request: Request, parts: GivenParts, image: int | None = None) -> Response:
    """The disagreement that is named, or the next."""
    return _show(request, parts, current_dataset(request, parts.database), image_id=image)


@router.post("/conflicts/undo", openapi_extra=form_body("dataset", "review_id"))
def undo(request: Request, parts: GivenParts, reviewer: GivenReviewer, form: GivenForm) -> Response:
    """Take back what I settled last and show it again."""
    dataset = dataset_of(form, parts)
    review_id = form.number("review_id")
    image_id, message = None, "Nothing of yours is left to undo"
    if review_id is not None:
        try:
            undone = undo_own(parts.database, parts.clock, review_id, reviewer, dataset.id, Source.SETTLE)
            image_id, message = undone.review.image_id, "Taken back: the disagreement is open again"
        except ConflictError:
            message = "That verdict was taken back already, or followed by another"
    if is_htmx(request):
        return _show(request, parts, dataset, image_id=image_id, message=message)
    image = "" if image_id is None else f"&image={image_id}"
    return see_other(f"/conflicts?dataset={dataset.id}{image}")


@router.post("/conflicts/{image_id}", openapi_extra=form_body("dataset", "verdict", "seen_review_id", "request_id"))
def decide(request: Request, parts: GivenParts, reviewer: GivenReviewer, image_id: int, form: GivenForm) -> Response:
    """Settle a disagreement and show the next; one that changed meanwhile comes back as it is now (409)."""
    dataset = dataset_of(form, parts)
    new = new_review(form, reviewer, Source.SETTLE)
    alone = form.text("alone", "") == "on"
    try:
        given = settle(parts.database, parts.clock, image_id, new, dataset.id, alone=alone)
    except ConflictError as error:
        return _show(request, parts, dataset, image_id=image_id, message=str(error), status=409)
    if not is_htmx(request):
        return see_other(f"/conflicts?dataset={dataset.id}")
    word = describe_verdict(dataset, given.review.verdict)
    return _show(request, parts, dataset, message=f"Settled: {word}")
