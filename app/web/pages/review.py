"""``/review``: one flagged image at a time."""

import json
from dataclasses import replace
from typing import Annotated

from fastapi import APIRouter, Query, Request
from starlette.responses import Response

from app.domain.reviewing import Source, Verdict
from app.errors import ConflictError, InvalidInputError
from app.services.carrying import find_carried, find_offer
from app.services.datasets import get_dataset
from app.services.images import describe_verdict
from app.services.queue import DeskQueue, ReviewPage, no_desk, view_desk
from app.services.reviews import GivenReview, NewReview, Xyxy, give_review, undo_latest, undo_review
from app.storage.datasets import Dataset
from app.web.context import GivenParts, GivenReviewer, Parts, find_reviewer, find_tab, get_client
from app.web.forms import Form, GivenForm, form_body, safe_next, see_other
from app.web.rendering import current_dataset, is_htmx, render
from app.web.resending import acknowledge, is_sent_again, message_of

router = APIRouter(include_in_schema=False)
MAX_SPENT_MS = 86_400_000
MAX_BOXES = 1000
WITH_BOXES = (Verdict.POSITIVE, Verdict.UNSURE)  #: where the object is not, or does not matter, there is nothing to box


def _show(
    request: Request,
    parts: Parts,
    dataset: Dataset | None,
    *,
    image_id: int | None = None,
    after_id: int | None = None,
    message: str = "",
    status: int = 200,
    called: int | None = None,
    carried: str | None = None,
    again_id: int | None = None,
    queue: DeskQueue = "flagged",
) -> Response:
    reviewer, tab, browser = find_reviewer(request), find_tab(request), get_client(request)
    if dataset is None:
        page = no_desk("no_dataset", message)
    else:
        page = view_desk(
            parts.database,
            parts.settings.review,
            parts.clock,
            dataset,
            reviewer,
            tab or browser,
            image_id=image_id,
            after_id=after_id,
            again_id=again_id,
            queue=queue,
            message=message,
            browser=browser,
            arriving=tab is None,
        )
        page = _with_copies(parts, page, dataset, called, carried)
    return render(request, "review/page.html", "card", "review", page, dataset=dataset, status=status)


def _with_copies(
    parts: Parts, page: ReviewPage, dataset: Dataset, called: int | None, carried: str | None
) -> ReviewPage:
    """The desk with the offer to carry the verdict just given to exact copies, or with what was carried."""
    if called is None and carried is None:
        return page
    with parts.database.read() as session:
        offer = None if called is None else find_offer(session, called, dataset.id)
        done = None if carried is None else find_carried(session, carried, dataset.id, called)
    message = page.message if done is None or page.message else done.message
    return replace(page, carry=offer, carried=done, message=message)


@router.get("/review")
def review(
    request: Request,
    parts: GivenParts,
    image: int | None = None,
    after: int | None = None,
    called: int | None = None,
    carried: Annotated[str, Query(max_length=100)] = "",
    said: str = "",
    again: int | None = None,
    queue: DeskQueue = "flagged",
) -> Response:
    """The desk: the image that is named, the open flag after another, or the most suspicious one.

    ``queue`` chooses between flags, draws woven in, and draws alone. ``again`` is an image of which a blind *no* was
    given: what the detector sees in it is shown. ``called`` is the image that was called before, ``carried`` the batch
    in which its verdict went to its copies.
    """
    dataset = current_dataset(request, parts.database)
    return _show(
        request,
        parts,
        dataset,
        image_id=image,
        after_id=after,
        called=called,
        carried=carried or None,
        message=message_of(said),
        again_id=again,
        queue=queue,
    )


def _queue_of(form: Form) -> DeskQueue:
    return "audit" if form.text("queue", "") == "audit" else "flagged"


def dataset_of(form: Form, parts: Parts) -> Dataset:
    """The dataset that a card's form names.

    Raises:
        NotFoundError: there is none.
    """
    with parts.database.read() as session:
        return get_dataset(session, form.text("dataset"))


def parse_verdict(form: Form) -> Verdict:
    """The verdict that a card's form holds.

    Raises:
        InvalidInputError: it is missing, or none.
    """
    try:
        return Verdict(form.text("verdict"))
    except ValueError as error:
        raise InvalidInputError.on("verdict", f"must be one of {', '.join(Verdict)}") from error


def _parse_boxes(form: Form) -> list[Xyxy] | None:
    """The field ``boxes``: a JSON list of boxes; empty where nobody touched them."""
    text = form.text("boxes", "").strip()
    if not text:
        return None
    try:
        boxes = json.loads(text)
        found = [(float(x0), float(y0), float(x1), float(y1)) for x0, y0, x1, y1 in boxes]
    except (ValueError, TypeError, OverflowError, RecursionError) as error:
        raise InvalidInputError.on("boxes", "is no JSON list of [x0, y0, x1, y1]") from error
    if len(found) > MAX_BOXES:
        raise InvalidInputError.on("boxes", f"holds {len(found)} boxes; at most {MAX_BOXES} are kept")
    return found


@router.post("/review/undo", openapi_extra=form_body("dataset"))
def undo_mine(request: Request, parts: GivenParts, reviewer: GivenReviewer, form: GivenForm) -> Response:
    """Take my latest verdict back and show its image again.

    The page says which one it showed as the latest, so that a form sent twice does not take two back.
    """
    dataset = dataset_of(form, parts)
    shown = form.number("review_id")
    try:
        if shown is None:
            undone = undo_latest(parts.database, parts.clock, dataset.id, reviewer)
        else:
            undone = undo_review(parts.database, parts.clock, shown, reviewer, dataset_id=dataset.id)
    except ConflictError:
        return _after(request, parts, dataset, None, "That verdict was taken back already, or followed by another")
    if undone is None:
        return _after(request, parts, dataset, None, "Nothing of yours is left to undo")
    return _after(request, parts, dataset, undone.review.image_id, _undone(undone), _queue_of(form))


@router.post("/reviews/{review_id}/undo", openapi_extra=form_body("dataset"))
def undo_one(request: Request, parts: GivenParts, reviewer: GivenReviewer, review_id: int, form: GivenForm) -> Response:
    """Take one verdict back."""
    undone = undo_review(parts.database, parts.clock, review_id, reviewer)
    target = safe_next(form.text("next", "/review"), "/review")
    if not target.startswith("/review"):
        return see_other(target)
    return _after(request, parts, undone.item.dataset, undone.review.image_id, _undone(undone))


def _undone(given: GivenReview) -> str:
    return "Taken back" if given.waits_blind else f"Taken back: {_name(given)}"


def _name(given: GivenReview) -> str:
    return given.item.record.path.rpartition("/")[2]


def _after(
    request: Request,
    parts: Parts,
    dataset: Dataset,
    image_id: int | None,
    message: str,
    queue: DeskQueue = "flagged",
) -> Response:
    if is_htmx(request):
        return _show(request, parts, dataset, image_id=image_id, message=message, queue=queue)
    image = "" if image_id is None else f"&image={image_id}"
    return see_other(f"{_home(dataset, queue)}{image}")


def _home(dataset: Dataset, queue: DeskQueue) -> str:
    return f"/review?dataset={dataset.id}" + ("&queue=audit" if queue == "audit" else "")


@router.post("/review/{image_id}", openapi_extra=form_body("dataset", "verdict", "seen_review_id", "request_id"))
def call(request: Request, parts: GivenParts, reviewer: GivenReviewer, image_id: int, form: GivenForm) -> Response:
    """Give a verdict and show the next image; a card that is out of date gets the present one (409)."""
    dataset = dataset_of(form, parts)
    spent_ms = form.number("spent_ms")
    verdict = parse_verdict(form)
    blind = form.text("blind", "") == "1"
    new = NewReview(
        verdict=verdict,
        boxes=_parse_boxes(form) if verdict in WITH_BOXES else None,
        note=form.text("note", ""),
        seen_review_id=form.number("seen_review_id"),
        reviewer=reviewer,
        source=Source.BLIND if blind else Source.REVIEW,
        spent_ms=None if spent_ms is None else min(spent_ms, MAX_SPENT_MS),
        request_id=form.uuid("request_id") if form.text("request_id", "") else None,
        blind=blind,
    )
    queue = _queue_of(form)
    try:
        given = give_review(parts.database, parts.clock, image_id, new, dataset.id)
    except ConflictError as error:
        if is_sent_again(request):
            raise
        return _show(request, parts, dataset, image_id=image_id, message=str(error), status=409, queue=queue)
    if is_sent_again(request):
        return acknowledge(given)
    return _after_call(request, parts, dataset, given, queue)


def _after_call(request: Request, parts: Parts, dataset: Dataset, given: GivenReview, queue: DeskQueue) -> Response:
    """The next card; or the same image once more, with the boxes that speak against a blind *no*."""
    image_id, blind = given.review.image_id, given.review.source in (Source.BLIND, Source.REPEAT)
    if not is_htmx(request):
        offered = f"&called={image_id}" if given.item.record.duplicated and not blind else ""
        again = f"&again={image_id}" if given.ask_again else ""
        return see_other(f"{_home(dataset, queue)}{offered}{again}")
    word = describe_verdict(dataset, given.review.verdict)
    if given.ask_again:
        return _show(request, parts, dataset, again_id=image_id, message=f"Saved: {word}", queue=queue)
    if blind:
        return _show(request, parts, dataset, message=f"Saved: {word}", queue=queue)
    return _show(request, parts, dataset, after_id=image_id, message=f"{word}: {_name(given)}", called=image_id)
