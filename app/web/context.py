"""What every request handler needs: the parts made at start, and who is asking."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Annotated
from urllib.parse import quote, unquote
from uuid import UUID, uuid4

from fastapi import Depends, Request

from app.config import Settings
from app.services.clock import Clock
from app.services.reviews import clean_reviewer
from app.storage.database import Database

REVIEWER_COOKIE = "touchline_reviewer"
CLIENT_COOKIE = "touchline_client"
DATASET_COOKIE = "touchline_dataset"
THEME_COOKIE = "touchline_theme"
HOTKEYS_COOKIE = "touchline_hotkeys"
GRID_COOKIE = "touchline_grid"  #: how many tiles, and their order
KEYS_COOKIE = "touchline_keys"
THEMES = ("dark", "light", "system")  #: the first is the default


@dataclass(frozen=True, slots=True)
class Parts:
    """The parts that the web process is made of."""

    database: Database
    settings: Settings
    clock: Clock
    preparing_demo: Callable[[], bool]


def get_parts(request: Request) -> Parts:
    """The parts, as the factory put them into the application's state."""
    parts: Parts = request.app.state.parts
    return parts


GivenParts = Annotated[Parts, Depends(get_parts)]


def find_reviewer(request: Request) -> str | None:
    """The name in the cookie, else the one in the settings, else None."""
    cookie = unquote(request.cookies.get(REVIEWER_COOKIE, ""))
    return " ".join(cookie.split())[:200] or get_parts(request).settings.reviewer


def get_reviewer(request: Request) -> str:
    """The reviewer's name.

    Raises:
        InvalidInputError: nobody has said who is reviewing.
    """
    return clean_reviewer(find_reviewer(request))


GivenReviewer = Annotated[str, Depends(get_reviewer)]


def quote_cookie(text: str) -> str:
    """A value as a cookie can carry it; names may hold any character."""
    return quote(text, safe="")


def get_client(request: Request) -> str:
    """The browser's own id, for leases; a new one, the same for the whole request, if it has none yet."""
    known = getattr(request.state, "client", None)
    if known is None:
        try:
            known = str(UUID(request.cookies.get(CLIENT_COOKIE, "")))
        except ValueError:
            known = str(uuid4())
        request.state.client = known
    return str(known)
