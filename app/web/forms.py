"""Reading forms, and answering them: a block for htmx, a redirect for a plain browser."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Annotated, Any
from urllib.parse import urlsplit
from uuid import UUID

from fastapi import Depends, Request
from starlette.datastructures import UploadFile
from starlette.responses import RedirectResponse, Response

from app.errors import InvalidInputError

MAX_FIELDS = 1000  #: what the parser takes


@dataclass(frozen=True, slots=True)
class Form:
    """A posted form; every value is text."""

    values: Mapping[str, list[str]]

    def text(self, name: str, default: str | None = None) -> str:
        """A field.

        Raises:
            InvalidInputError: it is missing and has no default.
        """
        found = self.values.get(name)
        if found:
            return found[0]
        if default is None:
            raise InvalidInputError.on(name, "is missing")
        return default

    def number(self, name: str) -> int | None:
        """A whole number; None where the field is empty or missing.

        Raises:
            InvalidInputError: it is something else.
        """
        text = self.text(name, "").strip()
        if not text:
            return None
        if not (text.isascii() and text.isdigit() and len(text) < 16):
            raise InvalidInputError.on(name, f"{text!r} is no whole number")
        return int(text)

    def uuid(self, name: str) -> str:
        """A UUID, in its usual form.

        Raises:
            InvalidInputError: it is missing, or something else.
        """
        text = self.text(name)
        try:
            return str(UUID(text[:100]))
        except ValueError as error:
            raise InvalidInputError.on(name, "is no UUID") from error

    def several(self, name: str) -> list[str]:
        """Every value of a field that may come more than once."""
        return list(self.values.get(name, []))


async def read_form(request: Request) -> Form:
    """The posted form.

    Raises:
        InvalidInputError: a field is a file, or no text that can be stored and shown; or there are too many.
    """
    await _refuse_flood(request)
    values: dict[str, list[str]] = {}
    try:
        async with request.form() as data:
            for name, value in data.multi_items():
                name.encode()
                values.setdefault(name, []).append(_text(name, value))
    except UnicodeError as error:
        # The sender chooses a multipart form's charset; some fail to decode, some make half a surrogate pair.
        raise InvalidInputError.on("body", "is not valid text: send the form as UTF-8") from error
    return Form(values)


async def _refuse_flood(request: Request) -> None:
    """The parser counts the fields that hold something; empty ones are as much work, and keep everybody waiting."""
    encoded = request.headers.get("content-type", "").startswith("application/x-www-form-urlencoded")
    body = await request.body() if encoded else b""
    if body.count(b"&") + body.count(b";") >= MAX_FIELDS:
        raise InvalidInputError.on("body", f"a form has at most {MAX_FIELDS} fields")


def _text(name: str, value: UploadFile | str) -> str:
    if isinstance(value, UploadFile):
        raise InvalidInputError.on(name, "is a file where text is wanted")
    value.encode()
    return value


GivenForm = Annotated[Form, Depends(read_form)]


def form_body(*required: str) -> dict[str, Any]:
    """The documentation of a form, for OpenAPI."""
    schema = {
        "type": "object",
        "required": list(required),
        "properties": {name: {"type": "string"} for name in required},
    }
    return {"requestBody": {"required": True, "content": {"application/x-www-form-urlencoded": {"schema": schema}}}}


def see_other(url: str) -> Response:
    """Go and look there (303): a form that was posted once is not posted again by a reload."""
    return RedirectResponse(url, status_code=303)


def safe_next(url: str, default: str = "/") -> str:
    """``url`` if it is a path of this site, else ``default``: a form must not lead people elsewhere."""
    try:
        parts = urlsplit(url)
    except ValueError:
        return default
    # Browsers drop control characters and read a backslash as a slash: "/\t/host" and "/\\host" lead elsewhere.
    if parts.scheme or parts.netloc or not url.startswith("/") or url.startswith("//"):
        return default
    if "\\" in url or any(ord(sign) < 32 or ord(sign) == 127 for sign in url):
        return default
    return url
