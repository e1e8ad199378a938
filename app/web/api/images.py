"""``/api/images`` and ``/api/next``."""

from typing import Annotated
from uuid import UUID, uuid4

from fastapi import APIRouter, Query, Request, Response

from app.domain.reviewing import Verdict
from app.services.handing_out import QueueName, next_items
from app.services.images import ImageQuery, get_full_image, list_items
from app.services.reviews import NewReview, give_review, undo_review
from app.web.api.cursors import Cursor, Limit
from app.web.api.models import FullImageOut, ImageOut, ImagesOut, NextOut, ReviewIn, ReviewOut, UndoIn
from app.web.context import GivenParts, GivenReviewer, find_reviewer
from app.web.problems import responses

router = APIRouter(prefix="/api", tags=["images"])
Text = Annotated[str | None, Query(max_length=200)]
Folder = Annotated[str | None, Query(max_length=1000)]
Score = Annotated[float | None, Query(ge=0, le=1)]
Number = Annotated[int | None, Query(ge=1, le=1 << 31)]


@router.get("/images", responses=responses(404, 422))
def list_images(
    parts: GivenParts,
    dataset: str | None = None,
    flag: str | None = None,
    reviewed: bool | None = None,
    given: str | None = None,
    verdict: Verdict | None = None,
    order: str = "suspicion",
    cursor: Cursor = None,
    limit: Limit = 50,
    reviewer: Text = None,
    folder: Folder = None,
    text: Text = None,
    min_score: Score = None,
    max_score: Score = None,
    number: Number = None,
    at_score: Score = None,
) -> ImagesOut:
    """Images under filters, in an order, a page at a time.

    A page may hold fewer than ``limit``, even none, and still have a ``next``: few images match, and it goes on there.
    """
    query = ImageQuery(
        dataset, flag, reviewed, given, verdict, order, cursor, limit, reviewer, folder, text, min_score, max_score,
        number, at_score,
    )  # fmt: skip
    found = list_items(parts.database, query)
    return ImagesOut(items=[ImageOut.of(item) for item in found.items], next=found.next)


@router.get("/images/{image_id}", responses=responses(404, 422))
def get_image(parts: GivenParts, image_id: int) -> FullImageOut:
    """One image with its history."""
    return FullImageOut.of_full(get_full_image(parts.database, image_id))


@router.post(
    "/images/{image_id}/reviews",
    status_code=201,
    responses={200: {"model": ReviewOut, "description": "The same request came before"}, **responses(404, 409, 422)},
)
def add_review(
    parts: GivenParts, reviewer: GivenReviewer, image_id: int, body: ReviewIn, response: Response
) -> ReviewOut:
    """Give a verdict."""
    new = NewReview(
        verdict=body.verdict,
        seen_review_id=body.seen_review_id,
        reviewer=reviewer,
        source="api",
        boxes=body.boxes,
        spent_ms=body.spent_ms,
        request_id=body.request_id,
        note=body.note,
    )
    given = give_review(parts.database, parts.clock, image_id, new)
    if given.repeated:
        response.status_code = 200
    return ReviewOut.of(given)


@router.post(
    "/reviews/{review_id}/undo",
    status_code=201,
    responses={200: {"model": ReviewOut, "description": "The same request came before"}, **responses(404, 409, 422)},
)
def undo(
    parts: GivenParts, reviewer: GivenReviewer, review_id: int, response: Response, body: UndoIn | None = None
) -> ReviewOut:
    """Take a verdict back."""
    request_id = body.request_id if body is not None else None
    given = undo_review(parts.database, parts.clock, review_id, reviewer, request_id)
    if given.repeated:
        response.status_code = 200
    return ReviewOut.of(given)


@router.get(
    "/next",
    response_model=NextOut,
    responses={204: {"description": "Nothing is left"}, **responses(404, 422)},
)
def next_images(
    request: Request,
    parts: GivenParts,
    dataset: str,
    queue: QueueName = "all",
    n: Annotated[int, Query(ge=1, le=10)] = 1,
    client: UUID | None = None,
) -> NextOut | Response:
    """The next images for one tab, leased to it."""
    tab = str(client or uuid4())
    reviewer = find_reviewer(request)
    found = next_items(parts.database, parts.settings.review, parts.clock, dataset, queue, n, tab, reviewer)
    if not found:
        return Response(status_code=204)
    return NextOut(items=[ImageOut.of(item) for item in found])
