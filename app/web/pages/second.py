"""``/second``: images that somebody else has called, one at a time, with nothing said of them."""

from fastapi import APIRouter, Request
from starlette.responses import Response

from app.domain.reviewing import Source
from app.errors import ConflictError
from app.services.images import describe_verdict
from app.services.reviews import NewReview
from app.services.second_looks import give_second, no_second, undo_own, view_second
from app.storage.datasets import Dataset
from app.web.context import GivenParts, GivenReviewer, Parts, find_reviewer, get_client
from app.web.forms import Form, GivenForm, form_body, see_other
from app.web.pages.review import MAX_SPENT_MS, dataset_of, parse_verdict
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
        page = no_second(message)
    else:
        page = view_second(
            parts.database,
            parts.settings.review,
            parts.clock,
            dataset,
            reviewer,
            get_client(request),
            image_id=image_id,
            message=message,
        )
    return render(request, "second/page.html", "card", "second", page, dataset=dataset, status=status)


@router.get("/second")
def second(request: Request, parts: GivenParts) -> Response:
    """The next image that waits for this person."""
    return _show(request, parts, current_dataset(request, parts.database))


@router.post("/second/undo", openapi_extra=form_body("dataset", "review_id"))
def undo(request: Request, parts: GivenParts, reviewer: GivenReviewer, form: GivenForm) -> Response:
    """Take my latest second look back and show its image again, as blind as before."""
    dataset = dataset_of(form, parts)
    review_id = form.number("review_id")
    image_id, message = None, "Nothing of yours is left to undo"
    if review_id is not None:
        try:
            undone = undo_own(parts.database, parts.clock, review_id, reviewer, dataset.id, Source.SECOND)
            image_id, message = undone.review.image_id, "Taken back: look again"
        except ConflictError:
            message = "That verdict was taken back already, or followed by another"
    if is_htmx(request):
        return _show(request, parts, dataset, image_id=image_id, message=message)
    return see_other(f"/second?dataset={dataset.id}")


@router.post("/second/{image_id}", openapi_extra=form_body("dataset", "verdict", "seen_review_id", "request_id"))
def look(request: Request, parts: GivenParts, reviewer: GivenReviewer, image_id: int, form: GivenForm) -> Response:
    """Give a second verdict and show the next image; one that waits no more gets the next as well (409)."""
    dataset = dataset_of(form, parts)
    new = new_review(form, reviewer, Source.SECOND)
    try:
        given = give_second(parts.database, parts.clock, image_id, new, dataset.id)
    except ConflictError as error:
        return _show(request, parts, dataset, image_id=image_id, message=str(error), status=409)
    if not is_htmx(request):
        return see_other(f"/second?dataset={dataset.id}")
    word = describe_verdict(dataset, given.review.verdict)
    return _show(request, parts, dataset, message=f"Saved: {word}")


def new_review(form: Form, reviewer: str, source: Source) -> NewReview:
    """A card's answer.

    Raises:
        InvalidInputError: a field is missing or wrong.
    """
    spent_ms = form.number("spent_ms")
    return NewReview(
        verdict=parse_verdict(form),
        seen_review_id=form.number("seen_review_id"),
        reviewer=reviewer,
        source=source,
        spent_ms=None if spent_ms is None else min(spent_ms, MAX_SPENT_MS),
        request_id=form.uuid("request_id") if form.text("request_id", "") else None,
    )
