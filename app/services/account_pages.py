"""What the pages on accounts show."""

from dataclasses import dataclass

from app.domain.accounts import Identity
from app.services.accounts import UserView, view_user
from app.services.clock import Clock
from app.storage import accounts as stored
from app.storage.accounts import ActivityEntry, ApiToken, OpenSession
from app.storage.database import Database
from app.storage.datasets import MAX_ID

LISTED = 200  #: sessions and tokens that a page lists, newest first
ENTRIES = 50  #: of the activity log on a page


@dataclass(frozen=True, slots=True)
class AccountPage:
    """One's own account. ``made`` is a new token, shown this once."""

    identity: Identity
    tokens: tuple[ApiToken, ...]
    sessions: tuple[OpenSession, ...]
    message: str
    made: str | None
    errors: dict[str, str]


@dataclass(frozen=True, slots=True)
class UsersPage:
    """Every account, and the forms; ``first`` where there is none yet."""

    users: tuple[UserView, ...]
    first: bool
    message: str
    errors: dict[str, str]
    form: dict[str, str]


@dataclass(frozen=True, slots=True)
class AccessPage:
    """The tokens and sessions of everybody."""

    tokens: tuple[ApiToken, ...]
    sessions: tuple[OpenSession, ...]
    session_id: int | None
    message: str


@dataclass(frozen=True, slots=True)
class ActivityPage:
    """A page of the activity log."""

    entries: tuple[ActivityEntry, ...]
    next_url: str | None
    first_url: str | None


def view_account(
    database: Database,
    clock: Clock,
    identity: Identity,
    *,
    message: str = "",
    made: str | None = None,
    errors: dict[str, str] | None = None,
) -> AccountPage:
    """One's own account."""
    with database.read() as session:
        tokens = stored.list_api_tokens(session, identity.user_id, LISTED)
        sessions = stored.list_sessions(session, clock(), identity.user_id, LISTED)
    return AccountPage(identity, tokens, sessions, message, made, errors or {})


def view_users(
    database: Database,
    *,
    first: bool,
    message: str = "",
    errors: dict[str, str] | None = None,
    form: dict[str, str] | None = None,
) -> UsersPage:
    """Every account."""
    with database.read() as session:
        users = tuple(view_user(user) for user in stored.list_users(session))
    return UsersPage(users, first, message, errors or {}, form or {"name": "", "role": "reviewer"})


def view_access(database: Database, clock: Clock, session_id: int | None, message: str = "") -> AccessPage:
    """The tokens and sessions of everybody; ``session_id`` is the one that asks."""
    with database.read() as session:
        tokens = stored.list_api_tokens(session, None, LISTED)
        sessions = stored.list_sessions(session, clock(), None, LISTED)
    return AccessPage(tokens, sessions, session_id, message)


def view_activity(database: Database, before: int | None) -> ActivityPage:
    """The log before an entry, newest first."""
    bounded = None if before is None else min(max(before, 0), MAX_ID)
    with database.read() as session:
        found = stored.list_activity(session, bounded, ENTRIES + 1)
    shown = found[:ENTRIES]
    following = f"/admin/activity?before={shown[-1].id}" if len(found) > ENTRIES else None
    return ActivityPage(shown, following, None if before is None else "/admin/activity")
