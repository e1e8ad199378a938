"""``/second``: images that somebody else has called, one at a time, with nothing said of them."""

from functools import partial

from fastapi import APIRouter, Request
from starlette.responses import Response

from app.domain.reviewing import Source
from app.services.second_looks import give_second, no_second, view_second
from app.web.context import GivenParts, GivenReviewer
from app.web.forms import GivenForm, form_body
from app.web.pages.looks import LookPage
from app.web.pages.review import dataset_of
from app.web.rendering import current_dataset
from app.web.resending import message_of

router = APIRouter(include_in_schema=False)
PAGE = LookPage(
    "second", Source.SECOND, view_second, no_second, "Saved", "Taken back: look again", names_image=False
)  # fmt: skip


@router.get("/second")
def second(request: Request, parts: GivenParts, said: str = "") -> Response:
    """The next image that waits for this person."""
    return PAGE.show(request, parts, current_dataset(request, parts.database), message=message_of(said))


@router.post("/second/undo", openapi_extra=form_body("dataset", "review_id"))
def undo(request: Request, parts: GivenParts, reviewer: GivenReviewer, form: GivenForm) -> Response:
    """Take my latest second look back and show its image again, as blind as before."""
    return PAGE.undo(request, parts, reviewer, form)


@router.post("/second/{image_id}", openapi_extra=form_body("dataset", "verdict", "seen_review_id", "request_id"))
def look(request: Request, parts: GivenParts, reviewer: GivenReviewer, image_id: int, form: GivenForm) -> Response:
    """Give a second verdict and show the next image; one that waits no more gets the next as well (409)."""
    dataset = dataset_of(form, parts)
    give = partial(give_second, parts.database, parts.clock, image_id, PAGE.read(form, reviewer), dataset.id)
    return PAGE.answer(request, parts, dataset, image_id, give)
