"""What ``/second`` and ``/conflicts`` share: a card that follows the answer to the one before, and its undo."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Protocol

from fastapi import Request
from starlette.responses import Response

from app.config import ReviewSettings
from app.domain.reviewing import Source
from app.errors import ConflictError
from app.services.clock import Clock
from app.services.images import describe_verdict
from app.services.reviews import GivenReview, NewReview
from app.services.second_looks import undo_own
from app.storage.database import Database
from app.storage.datasets import Dataset
from app.web.context import Parts, find_reviewer, find_tab, get_client
from app.web.forms import Form, see_other
from app.web.pages.review import MAX_SPENT_MS, dataset_of, parse_verdict
from app.web.rendering import is_htmx, render
from app.web.resending import acknowledge, is_sent_again


class ViewCard(Protocol):
    """The service that chooses what a person and tab see, an image that is named first where it may be."""

    def __call__(
        self,
        database: Database,
        settings: ReviewSettings,
        clock: Clock,
        dataset: Dataset,
        reviewer: str,
        client: str,
        *,
        image_id: int | None,
        message: str,
    ) -> object:
        """The page."""


@dataclass(frozen=True, slots=True)
class LookPage:
    """One of the two pages."""

    name: str  #: of its address and its folder of templates
    source: Source  #: of the verdicts given here
    view: ViewCard
    nobody: Callable[[str], object]  #: the page, with a message, of somebody without a dataset or a name
    saved: str  #: what is said of an answer, before its verdict
    taken_back: str  #: what is said of an undo
    names_image: bool  #: whether its address may name an image

    def show(
        self,
        request: Request,
        parts: Parts,
        dataset: Dataset | None,
        *,
        image_id: int | None = None,
        message: str = "",
        status: int = 200,
    ) -> Response:
        """The card of the image that is named, or of the next."""
        reviewer = find_reviewer(request)
        if dataset is None or reviewer is None:
            page = self.nobody(message)
        else:
            page = self.view(
                parts.database,
                parts.settings.review,
                parts.clock,
                dataset,
                reviewer,
                find_tab(request) or get_client(request),
                image_id=image_id,
                message=message,
            )
        return render(request, f"{self.name}/page.html", "card", self.name, page, dataset=dataset, status=status)

    def answer(
        self, request: Request, parts: Parts, dataset: Dataset, image_id: int, give: Callable[[], GivenReview]
    ) -> Response:
        """Store an answer and show the next card; one that came too late gets the card as it is now (409)."""
        try:
            given = give()
        except ConflictError as error:
            if is_sent_again(request):
                raise
            return self.show(request, parts, dataset, image_id=image_id, message=str(error), status=409)
        if is_sent_again(request):
            return acknowledge(given)
        if not is_htmx(request):
            return see_other(f"/{self.name}?dataset={dataset.id}")
        word = describe_verdict(dataset, given.review.verdict)
        return self.show(request, parts, dataset, message=f"{self.saved}: {word}")

    def undo(self, request: Request, parts: Parts, reviewer: str, form: Form) -> Response:
        """Take back the verdict that the form names, where it is the person's latest here, and show its image again."""
        dataset = dataset_of(form, parts)
        review_id = form.number("review_id")
        image_id, message = None, "Nothing of yours is left to undo"
        if review_id is not None:
            try:
                undone = undo_own(parts.database, parts.clock, review_id, reviewer, dataset.id, self.source)
                image_id, message = undone.review.image_id, self.taken_back
            except ConflictError:
                message = "That verdict was taken back already, or followed by another"
        if is_htmx(request):
            return self.show(request, parts, dataset, image_id=image_id, message=message)
        image = f"&image={image_id}" if self.names_image and image_id is not None else ""
        return see_other(f"/{self.name}?dataset={dataset.id}{image}")

    def read(self, form: Form, reviewer: str) -> NewReview:
        """The answer that a card's form holds.

        Raises:
            InvalidInputError: a field is missing or wrong.
        """
        spent_ms = form.number("spent_ms")
        return NewReview(
            verdict=parse_verdict(form),
            seen_review_id=form.number("seen_review_id"),
            reviewer=reviewer,
            source=self.source,
            spent_ms=None if spent_ms is None else min(spent_ms, MAX_SPENT_MS),
            request_id=form.uuid("request_id") if form.text("request_id", "") else None,
        )
