"""What every request handler needs: the parts made at start, and who is asking."""

from collections.abc import Callable
from dataclasses import dataclass, field
from functools import partial
from typing import Annotated
from urllib.parse import quote, unquote
from uuid import UUID, uuid4

from fastapi import Depends, Request

from app.config import Settings
from app.domain.accounts import Identity
from app.errors import ConflictError
from app.files.budget import PixelBudget
from app.services.accounts import By
from app.services.clock import Clock
from app.services.datasets import PIXELS_AT_ONCE
from app.services.passwords import Door
from app.services.reviews import clean_reviewer
from app.services.sign_in import Gate, Standing, Visitor
from app.storage.database import Database

SESSION_COOKIE = "touchline_session"
REVIEWER_COOKIE = "touchline_reviewer"
CLIENT_COOKIE = "touchline_client"
TAB_HEADER = "touchline-tab"  #: a script's requests name their tab; a page that is opened cannot
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
    door: Door = field(default_factory=Door)
    decoding: PixelBudget = field(default_factory=partial(PixelBudget, PIXELS_AT_ONCE))  #: for pictures made on demand


def get_parts(request: Request) -> Parts:
    """The parts, as the factory put them into the application's state."""
    parts: Parts = request.app.state.parts
    return parts


GivenParts = Annotated[Parts, Depends(get_parts)]


def get_gate(request: Request) -> Gate:
    """How the request stands before the door; the middleware of :mod:`app.web.auth` has looked."""
    gate: Gate = getattr(request.state, "gate", Gate(Standing.SIGN_IN, None))
    return gate


def get_identity(request: Request) -> Identity:
    """Who is signed in.

    Raises:
        ConflictError: nobody, because there are no accounts.
    """
    identity = get_gate(request).identity
    if identity is None:
        msg = "there are no accounts here: /admin makes the first"
        raise ConflictError(msg)
    return identity


GivenIdentity = Annotated[Identity, Depends(get_identity)]


def address_of(request: Request) -> str:
    """Whence a request comes; behind a proxy on this machine what the proxy says."""
    return request.client.host[:80] if request.client else ""


def get_visitor(request: Request) -> Visitor:
    """From where somebody signs in."""
    return Visitor(address_of(request), request.headers.get("user-agent", ""))


GivenVisitor = Annotated[Visitor, Depends(get_visitor)]


def get_by(request: Request) -> By:
    """Who does something, for the activity log.

    Raises:
        ConflictError: nobody is signed in, because there are no accounts.
    """
    return By(get_identity(request).name, address_of(request))


GivenBy = Annotated[By, Depends(get_by)]


def find_reviewer(request: Request) -> str | None:
    """The account that is signed in; without accounts the name in the cookie, else in the settings, else None."""
    gate = get_gate(request)
    if gate.needed:
        return gate.identity.name if gate.identity else None
    cookie = unquote(request.cookies.get(REVIEWER_COOKIE, ""))
    return " ".join(cookie.split())[:200] or get_parts(request).settings.reviewer


def get_reviewer(request: Request) -> str:
    """The reviewer's name.

    Raises:
        InvalidInputError: nobody has said who is reviewing.
    """
    return clean_reviewer(find_reviewer(request))


GivenReviewer = Annotated[str, Depends(get_reviewer)]


def name_of_signer(request: Request, typed: str) -> str:
    """Under which name something is signed off: the account's, whatever was typed; without accounts what was typed."""
    identity = get_gate(request).identity
    return identity.name if identity else typed


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


def find_tab(request: Request) -> str | None:
    """The tab that asks, for leases; None where only its browser is known, as when a page is opened."""
    try:
        return str(UUID(request.headers.get(TAB_HEADER, "")))
    except ValueError:
        return None
