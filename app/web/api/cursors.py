"""``?cursor=`` and ``?limit=`` of lists."""

from typing import Annotated

from fastapi import Query

from app.errors import InvalidInputError

Cursor = Annotated[str | None, Query(max_length=8192, description="`next` of the page before.")]
Limit = Annotated[int, Query(ge=1, le=500, description="Items a page, at most 500.")]


def number_cursor(cursor: str | None) -> int:
    """A cursor that is an id; 0 at the start.

    Raises:
        InvalidInputError: it is none.
    """
    if cursor is None:
        return 0
    if not (cursor.isascii() and cursor.isdigit()) or len(cursor) > 15:
        raise InvalidInputError.on("cursor", "is not one that this list has given")
    return int(cursor)
