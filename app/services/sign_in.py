"""Who is asking: signing in and out, sessions, API tokens, and whether any of it is needed."""

from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum

from app.domain.accounts import (
    SEEN_EVERY,
    SESSION_IDLE,
    SESSION_LIFE,
    TOKEN_PREFIX,
    Activity,
    Identity,
    address_key,
    check_password,
    clean_token_name,
    is_beyond_loopback,
    name_key,
)
from app.errors import ConflictError, InvalidInputError, NotFoundError, SignInError
from app.services.accounts import By, get_user, log, store_password
from app.services.clock import Clock
from app.services.passwords import Door, digest, hash_password, needs_rehash, new_secret
from app.storage import accounts as stored
from app.storage.accounts import Known
from app.storage.database import Database, Session
from app.storage.datasets import MAX_ID

WRONG = "name or password is wrong"
MOST_TOKENS = 50  #: in force, of one account
MOST_AGENT = 200


class Standing(StrEnum):
    """What the server asks of those who come."""

    OPEN = "open"  #: nothing: no account, and only this machine can come
    SETTING_UP = "setting up"  #: others can come, and there is no admin yet: only the set-up page is served
    SIGN_IN = "sign in"  #: an account


@dataclass(frozen=True, slots=True)
class Gate:
    """How one request stands before the door."""

    standing: Standing
    identity: Identity | None

    @property
    def needed(self) -> bool:
        """Whether accounts are in force."""
        return self.standing is not Standing.OPEN

    @property
    def administers(self) -> bool:
        """Whether it may do what an admin may."""
        return self.identity.is_admin if self.identity else not self.needed


@dataclass(frozen=True, slots=True)
class Visitor:
    """From where somebody signs in."""

    address: str
    user_agent: str = ""

    @property
    def key(self) -> str:
        """What limits are counted by."""
        return address_key(self.address)


@dataclass(frozen=True, slots=True)
class SignedIn:
    """A new session; the token is for the browser's cookie and is stored nowhere."""

    token: str
    name: str


def look(database: Database, clock: Clock, host: str, session_token: str | None, api_token: str | None) -> Gate:
    """Whether sign-in is needed on a server that listens on ``host``, and who is asking.

    An API token wins over a session; one that is not good counts for nobody, whatever the session says.
    """
    now = clock()
    with database.read() as session:
        standing = _find_standing(session, host)
        if standing is not Standing.SIGN_IN:
            return Gate(standing, None)
        if api_token is not None:
            known = stored.find_api_token(session, digest(api_token))
        else:
            known = stored.find_session(session, digest(session_token), now) if session_token else None
    if known is None:
        return Gate(standing, None)
    _note_use(database, known, now)
    return Gate(standing, known.identity)


def _find_standing(session: Session, host: str) -> Standing:
    if stored.has_account(session, admin=True):
        return Standing.SIGN_IN
    if is_beyond_loopback(host):
        return Standing.SETTING_UP
    return Standing.SIGN_IN if stored.has_account(session) else Standing.OPEN


def _note_use(database: Database, known: Known, now: datetime) -> None:
    if known.seen_at is not None and now - known.seen_at < SEEN_EVERY:
        return
    identity = known.identity
    with database.write() as session:
        if identity.session_id is not None:
            until = min(now + SESSION_IDLE, known.created_at + SESSION_LIFE)
            stored.note_seen(session, identity.session_id, now, until)
        elif identity.token_id is not None:
            stored.note_used(session, identity.token_id, now)


def sign_in(
    database: Database, clock: Clock, door: Door, name: str, password: str, visitor: Visitor, old_token: str | None
) -> SignedIn:
    """Open a session under a new token; the one that the browser had before ends.

    Raises:
        SignInError: name or password is wrong, or the account is disabled.
        TooManyAttemptsError: too many were wrong.
    """
    key, now = name_key(name[:MOST_AGENT].replace("\0", " ")), clock()
    with database.read() as session:
        user = stored.find_user_by_key(session, key)
        known = stored.was_signed_in_from(session, key, visitor.key)
    door.enter(key, visitor.key, now, known=known)
    right = door.is_right(user.password_hash if user else None, password)
    if user is None or not user.enabled or not right:
        with database.write() as session:
            # Not the name as typed: people type passwords into that field.
            about = user.name if user else "a name that no account has"
            log(session, now, By(None, visitor.address), Activity.SIGN_IN_FAILED, about)
        raise SignInError(WRONG)
    door.welcome(key, visitor.key, now, known=known)
    rehashed = hash_password(password) if needs_rehash(user.password_hash) else None
    with database.write() as session:
        _refuse_changed(session, user.id, user.password_hash)
        if rehashed:
            stored.set_password_hash(session, user.id, rehashed)
        _end_by_token(session, old_token, now)
        stored.forget_sessions(session, now - SESSION_LIFE)
        log(session, now, By(user.name, visitor.address), Activity.SIGNED_IN, user.name)
        return SignedIn(_open_session(session, user.id, now, visitor), user.name)


def _refuse_changed(session: Session, user_id: int, password_hash: str) -> None:
    """While the password was compared, another may have been given, or the account been disabled."""
    user = get_user(session, user_id)
    if not user.enabled or user.password_hash != password_hash:
        raise SignInError(WRONG)


def open_session(database: Database, clock: Clock, user_id: int, visitor: Visitor, old_token: str | None) -> SignedIn:
    """Sign in the browser that has just made the first admin."""
    now = clock()
    with database.write() as session:
        user = get_user(session, user_id)
        _end_by_token(session, old_token, now)
        log(session, now, By(user.name, visitor.address), Activity.SIGNED_IN, user.name)
        return SignedIn(_open_session(session, user.id, now, visitor), user.name)


def _open_session(session: Session, user_id: int, now: datetime, visitor: Visitor) -> str:
    token = new_secret()
    agent = "".join(sign for sign in visitor.user_agent if sign.isprintable())[:MOST_AGENT]
    stored.insert_session(session, user_id, digest(token), now, now + SESSION_IDLE, visitor.key, agent)
    return token


def sign_out(database: Database, clock: Clock, token: str | None, address: str) -> None:
    """End the session of a browser, if it has one."""
    now = clock()
    with database.write() as session:
        known = stored.find_session(session, digest(token), now) if token else None
        if known is not None:
            _end_by_token(session, token, now)
            log(session, now, By(known.identity.name, address), Activity.SIGNED_OUT, known.identity.name)


def _end_by_token(session: Session, token: str | None, now: datetime) -> None:
    known = stored.find_session(session, digest(token), now) if token else None
    if known is not None and known.identity.session_id is not None:
        stored.end_session(session, known.identity.session_id, now)


def end_session(database: Database, clock: Clock, by: By, session_id: int, *, of_user: int | None = None) -> None:
    """End a session; with ``of_user`` only one of that account.

    Raises:
        NotFoundError: there is no such open session.
    """
    with database.write() as session:
        owner = stored.find_open_session(session, session_id) if 0 < session_id <= MAX_ID else None
        if owner is None or of_user not in (None, owner[0]):
            msg = f"no open session {session_id}"
            raise NotFoundError(msg)
        stored.end_session(session, session_id, clock())
        log(session, clock(), by, Activity.SESSION_ENDED, owner[1])


def change_password(
    database: Database, clock: Clock, door: Door, identity: Identity, current: str, new: str, visitor: Visitor
) -> SignedIn:
    """Give oneself another password. Every session and token ends, and this browser gets a new session.

    Raises:
        InvalidInputError: the present password is wrong, or the new one is refused.
        TooManyAttemptsError: too many were wrong.
    """
    key, now = name_key(identity.name), clock()
    with database.read() as session:
        user = get_user(session, identity.user_id)
    check_password(new, user.name, "new")
    door.enter(key, visitor.key, now, known=True)
    if not door.is_right(user.password_hash, current):
        raise InvalidInputError.on("current", "the present password is wrong")
    door.welcome(key, visitor.key, now, known=True)
    password_hash = hash_password(new)
    by = By(user.name, visitor.address)
    with database.write() as session:
        _refuse_changed(session, user.id, user.password_hash)
        store_password(session, now, by, user, password_hash, Activity.PASSWORD_CHANGED)
        return SignedIn(_open_session(session, user.id, now, visitor), user.name)


def make_api_token(database: Database, clock: Clock, identity: Identity, name: str, address: str) -> str:
    """A new token for programs; it is shown once and only its hash is kept.

    Raises:
        InvalidInputError: it has no proper name.
        ConflictError: the account has too many.
    """
    cleaned = clean_token_name(name)
    token = TOKEN_PREFIX + new_secret()
    with database.write() as session:
        if stored.count_api_tokens(session, identity.user_id) >= MOST_TOKENS:
            msg = f"an account has at most {MOST_TOKENS} tokens: revoke one first"
            raise ConflictError(msg)
        stored.insert_api_token(session, identity.user_id, cleaned, digest(token), clock())
        log(session, clock(), By(identity.name, address), Activity.TOKEN_MADE, cleaned)
    return token


def revoke_api_token(database: Database, clock: Clock, by: By, token_id: int, *, of_user: int | None = None) -> None:
    """Revoke a token; with ``of_user`` only one of that account.

    Raises:
        NotFoundError: there is no such token in force.
    """
    with database.write() as session:
        found = stored.find_live_token(session, token_id) if 0 < token_id <= MAX_ID else None
        if found is None or of_user not in (None, found[0]):
            msg = f"no token {token_id}"
            raise NotFoundError(msg)
        stored.revoke_api_token(session, token_id, clock())
        log(session, clock(), by, Activity.TOKEN_REVOKED, found[1])
