"""A card's form that a script sends once more: it is answered in JSON, with what the script does then, and no page."""

from fastapi import Request
from starlette.responses import JSONResponse, Response

from app.services.reviews import GivenReview
from app.web.rendering import is_htmx

SAVED_LATE = "Saved after all: the server answers again"


def is_sent_again(request: Request) -> bool:
    """Whether a kept form comes, rather than one that a person has just sent; what is refused is a problem then."""
    return "application/json" in request.headers.get("accept", "") and not is_htmx(request)


def acknowledge(given: GivenReview) -> Response:
    """That a verdict is saved, and whether there are boxes to be shown before it is asked for once more."""
    return JSONResponse({"review_id": given.review.id, "ask_again": bool(given.ask_again)})


def message_of(said: str) -> str:
    """What a page that a script asks for afterwards says of it."""
    return SAVED_LATE if said == "later" else ""
