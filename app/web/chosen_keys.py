"""The keys of whoever is asking: a reviewer's are in the database, those of a nameless browser in a cookie."""

import json
from collections.abc import Mapping
from urllib.parse import unquote

from fastapi import Request
from starlette.responses import Response

from app.domain.keys import DEFAULTS, merge_keys
from app.services.preferences import find_keys, keep_keys
from app.web.context import KEYS_COOKIE, find_reviewer, get_parts, quote_cookie


def keys_of(request: Request) -> dict[str, str]:
    """Every action with its key, for this request."""
    return merge_keys(chosen_of(request))


def chosen_of(request: Request) -> dict[str, str]:
    """What was chosen, action -> key; empty if nothing was."""
    reviewer = find_reviewer(request)
    if reviewer is not None:
        return find_keys(get_parts(request).database, reviewer) or {}
    return _read_cookie(request.cookies.get(KEYS_COOKIE, ""))


def _read_cookie(value: str) -> dict[str, str]:
    try:
        found = json.loads(unquote(value) or "{}")
    except (ValueError, RecursionError):
        return {}  # not ours: the defaults serve
    return {str(name): str(key) for name, key in found.items()} if isinstance(found, dict) else {}


def remember_keys(request: Request, response: Response, chosen: Mapping[str, str] | None) -> None:
    """Keep a choice; None: back to the defaults."""
    reviewer = find_reviewer(request)
    if reviewer is not None:
        keep_keys(get_parts(request).database, reviewer, chosen)
        return
    changed = {name: key for name, key in (chosen or {}).items() if DEFAULTS.get(name) != key}
    if changed:
        value = quote_cookie(json.dumps(changed, separators=(",", ":")))
        response.set_cookie(KEYS_COOKIE, value, max_age=365 * 24 * 3600, httponly=True, samesite="lax")
    else:
        response.delete_cookie(KEYS_COOKIE)
