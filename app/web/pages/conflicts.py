"""``/conflicts``: what two people disagree on, for a third who settles it."""

from functools import partial

from fastapi import APIRouter, Request
from starlette.responses import Response

from app.domain.reviewing import Source
from app.services.conflicts import no_conflicts, settle, view_conflicts
from app.web.context import GivenParts, GivenReviewer
from app.web.forms import GivenForm, form_body
from app.web.pages.looks import LookPage
from app.web.pages.review import dataset_of
from app.web.rendering import current_dataset
from app.web.resending import message_of

router = APIRouter(include_in_schema=False)
REOPENED = "Taken back: the disagreement is open again"
PAGE = LookPage(
    "conflicts", Source.SETTLE, view_conflicts, no_conflicts, "Settled", REOPENED, names_image=True
)  # fmt: skip


@router.get("/conflicts")
def conflicts(request: Request, parts: GivenParts, image: int | None = None, said: str = "") -> Response:
    """The disagreement that is named, or the next."""
    dataset = current_dataset(request, parts.database)
    return PAGE.show(request, parts, dataset, image_id=image, message=message_of(said))


@router.post("/conflicts/undo", openapi_extra=form_body("dataset", "review_id"))
def undo(request: Request, parts: GivenParts, reviewer: GivenReviewer, form: GivenForm) -> Response:
    """Take back what I settled last and show it again."""
    return PAGE.undo(request, parts, reviewer, form)


@router.post("/conflicts/{image_id}", openapi_extra=form_body("dataset", "verdict", "seen_review_id", "request_id"))
def decide(request: Request, parts: GivenParts, reviewer: GivenReviewer, image_id: int, form: GivenForm) -> Response:
    """Settle a disagreement and show the next; one that changed meanwhile comes back as it is now (409)."""
    dataset = dataset_of(form, parts)
    alone = form.text("alone", "") == "on"
    new = PAGE.read(form, reviewer)
    give = partial(settle, parts.database, parts.clock, image_id, new, dataset.id, alone=alone)
    return PAGE.answer(request, parts, dataset, image_id, give)
