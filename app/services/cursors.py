"""Cursors of lists of images: opaque to their holder, checked when they come back."""

import base64
import binascii
import json
from math import isfinite

from app.domain.text import is_text
from app.errors import InvalidInputError
from app.storage.browsing import LAST_ID, LEARNED, REST, START, Cut, Position


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


def encode_cut(order: str, cut: Cut) -> str:
    """A place in a list of one dataset, as :mod:`app.storage.browsing` has it."""
    return base64.urlsafe_b64encode(json.dumps([order, *cut]).encode()).decode().rstrip("=")


def decode_cut(cursor: str, order: str) -> tuple[str, Cut]:
    """The place again, and the order that it is a place of: a list by suspicion goes on as it began.

    Raises:
        InvalidInputError: it is none, or one of another order.
    """
    wrong = InvalidInputError.on("cursor", "is not one that this list has given")
    try:
        padded = cursor + "=" * (-len(cursor) % 4)
        found_order, *found = json.loads(base64.b64decode(padded, altchars=b"-_", validate=True))
    except (ValueError, TypeError, RecursionError, binascii.Error) as error:
        raise wrong from error
    if found_order not in ((order, LEARNED) if order == "suspicion" else (order,)):
        raise InvalidInputError.on("cursor", "belongs to another order")
    if len(found) != len(START):
        raise wrong
    cut = [_position(each, is_path=order == "path" or number == REST) for number, each in enumerate(found)]
    if any(each is None and given is not None for each, given in zip(cut, found, strict=True)):
        raise wrong
    return found_order, tuple(cut)


def _position(given: object, *, is_path: bool) -> Position | None:
    if not isinstance(given, list) or len(given) != 2:
        return None
    value, image_id = given
    if isinstance(image_id, bool) or not isinstance(image_id, int) or abs(image_id) > LAST_ID:
        return None
    return (value, image_id) if _is_key("path" if is_path else "score", value) else None
