"""Turning errors into responses, once: problem+json for programs, a page for people."""

import structlog
from fastapi import FastAPI, Request
from fastapi.exceptions import RequestValidationError
from starlette.exceptions import HTTPException
from starlette.responses import Response

from app.errors import FieldError, TouchlineError
from app.web.problems import problem_of, problem_response, status_of
from app.web.rendering import render_error
from app.web.security import HEADERS

log = structlog.get_logger()
MOST_FIELDS = 20  #: wrong fields that an answer names: a body of ours has fewer, and any other is told enough
LONGEST_PLACE = 100


def install_failures(app: FastAPI) -> None:
    """Register the handlers."""
    app.add_exception_handler(TouchlineError, on_touchline_error)
    app.add_exception_handler(HTTPException, on_http_error)
    app.add_exception_handler(RequestValidationError, on_invalid)
    app.add_exception_handler(Exception, on_bug)


def wants_page(request: Request) -> bool:
    """Whether a person with a browser is asking."""
    if request.url.path.startswith("/api/"):
        return False
    accepted = request.headers.get("accept", "")
    return "text/html" in accepted or "hx-request" in request.headers


def on_touchline_error(request: Request, error: Exception) -> Response:
    """An error that Touchline raised on purpose."""
    if not isinstance(error, TouchlineError):
        raise error
    if wants_page(request):
        return render_error(request, status_of(error), str(error))
    return problem_of(error)


def on_http_error(request: Request, error: Exception) -> Response:
    """An unknown path or method."""
    if not isinstance(error, HTTPException):
        raise error
    if wants_page(request):
        return render_error(request, error.status_code, str(error.detail))
    response = problem_response(error.status_code, str(error.detail))
    response.headers.update(error.headers or {})
    return response


def on_invalid(request: Request, error: Exception) -> Response:
    """Fields that do not fit their types."""
    if not isinstance(error, RequestValidationError):
        raise error
    errors = error.errors()
    fields = [FieldError(_place(found["loc"]), found["msg"]) for found in errors[:MOST_FIELDS]]
    more = f"; and {len(errors) - MOST_FIELDS} more" if len(errors) > MOST_FIELDS else ""
    detail = "; ".join(f"{field.loc}: {field.msg}" for field in fields) + more
    if wants_page(request):
        return render_error(request, 422, detail)
    return problem_response(422, detail, fields)


def on_bug(request: Request, error: Exception) -> Response:
    """Anything else is a bug of ours: logged, and answered without its inner workings."""
    log.error("a request failed", path=request.url.path, exc_info=error)
    detail = "Touchline has a bug here; the server's log has the details. Nothing that was acknowledged is lost."
    response = render_error(request, 500, detail) if wants_page(request) else problem_response(500, detail)
    response.headers.update(HEADERS)  # this handler runs outside the middleware that sets them
    return response


def _place(loc: tuple[int | str, ...]) -> str:
    parts = [str(part) for part in loc if part not in ("body", "query", "path", "form")]
    place = ".".join(parts) or (str(loc[0]) if loc else "body")
    # A field's name is the sender's, and may be half of a surrogate pair, which no answer can repeat.
    return place.encode(errors="backslashreplace").decode()[:LONGEST_PLACE]
