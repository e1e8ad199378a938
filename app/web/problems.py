"""Errors for programs: ``application/problem+json`` (RFC 9457)."""

from collections.abc import Mapping, Sequence
from http import HTTPStatus
from typing import Any

from pydantic import BaseModel, Field
from starlette.responses import JSONResponse

from app.errors import (
    ConflictError,
    FieldError,
    InvalidInputError,
    NotFoundError,
    SignInError,
    StaleReviewError,
    TooManyAttemptsError,
    TouchlineError,
    UsageError,
)


class ProblemField(BaseModel):
    """One wrong field."""

    loc: str = Field(description="Where: a field's name, nested names joined by a dot.")
    msg: str = Field(description="What is wrong with it.")


class Problem(BaseModel):
    """What went wrong (RFC 9457)."""

    type: str = "about:blank"
    title: str
    status: int
    detail: str
    errors: list[ProblemField] | None = None
    latest_review_id: int | None = Field(None, description="With 409 on a review: the latest row of the image.")


def problem_response(
    status: int, detail: str, errors: Sequence[FieldError] = (), extra: Mapping[str, Any] | None = None
) -> JSONResponse:
    """A problem as a response."""
    body: dict[str, Any] = {
        "type": "about:blank",
        "title": HTTPStatus(status).phrase,
        "status": status,
        "detail": detail,
        **(extra or {}),
    }
    if errors:
        body["errors"] = [{"loc": error.loc, "msg": error.msg} for error in errors]
    return JSONResponse(body, status_code=status, media_type="application/problem+json")


def status_of(error: TouchlineError) -> int:
    """The HTTP status of an error of ours."""
    if isinstance(error, NotFoundError):
        return 404
    if isinstance(error, ConflictError):
        return 409
    if isinstance(error, SignInError):
        return 401
    if isinstance(error, TooManyAttemptsError):
        return 429
    return 422 if isinstance(error, UsageError) else 500


def problem_of(error: TouchlineError) -> JSONResponse:
    """An error of ours as a response."""
    extra = {"latest_review_id": error.latest_review_id} if isinstance(error, StaleReviewError) else None
    fields = error.errors if isinstance(error, InvalidInputError) else ()
    response = problem_response(status_of(error), str(error), fields, extra)
    if isinstance(error, TooManyAttemptsError):
        response.headers["Retry-After"] = str(error.retry_after_s)
    return response


def responses(*statuses: int) -> dict[int | str, dict[str, Any]]:
    """The documentation of a route's problems, for OpenAPI."""
    return {
        status: {
            "model": Problem,
            "description": HTTPStatus(status).phrase,
            "content": {"application/problem+json": {}},
        }
        for status in statuses
    }
