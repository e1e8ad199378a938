"""Cursors of lists of images: opaque to their holder, checked when they come back."""

import base64
import binascii
import json
from math import isfinite

from app.domain.text import is_text
from app.errors import InvalidInputError


def encode_cursor(order: str, key: object, image_id: int) -> str:
    """Where a page in some order ends: the sort key and the id of its last image."""
    return base64.urlsafe_b64encode(json.dumps([order, key, image_id]).encode()).decode().rstrip("=")


def decode_cursor(cursor: str, order: str) -> tuple[object, int]:
    """The sort key and the id again.

    Raises:
        InvalidInputError: it is none, or one of another order.
    """
    try:
        padded = cursor + "=" * (-len(cursor) % 4)
        found_order, key, image_id = json.loads(base64.b64decode(padded, altchars=b"-_", validate=True))
    except (ValueError, TypeError, RecursionError, binascii.Error) as error:
        raise InvalidInputError.on("cursor", "is not one that this list has given") from error
    if found_order != order:
        raise InvalidInputError.on("cursor", "belongs to another order")
    if not _is_key(order, key) or isinstance(image_id, bool) or not isinstance(image_id, int):
        raise InvalidInputError.on("cursor", "is not one that this list has given")
    return key, min(max(image_id, 0), 1 << 40)


def _is_key(order: str, key: object) -> bool:
    """Whether a database could have given the key: text of whole characters, or a number of 64 bits."""
    if order == "path":
        return isinstance(key, str) and is_text(key)
    return isinstance(key, int | float) and not isinstance(key, bool) and isfinite(key) and abs(key) < 1 << 53
