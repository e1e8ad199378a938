"""Making, changing and disabling accounts. Each change is logged in its own transaction."""

from dataclasses import dataclass
from datetime import datetime

from app.domain.accounts import Activity, Role, check_password, clean_name, name_key
from app.errors import ConflictError, InvalidInputError, NotFoundError
from app.services.clock import Clock
from app.services.passwords import digest, hash_password
from app.storage import accounts as stored
from app.storage.accounts import User
from app.storage.database import Database, Session
from app.storage.datasets import MAX_ID


@dataclass(frozen=True, slots=True)
class By:
    """Who does something, for the activity log."""

    name: str | None
    address: str | None


COMMAND_LINE = By(None, None)


@dataclass(frozen=True, slots=True)
class UserView:
    """An account as pages and the command line show it."""

    id: int
    name: str
    role: Role
    created_at: datetime
    disabled_at: datetime | None


def view_user(user: User) -> UserView:
    """An account without its hash."""
    return UserView(user.id, user.name, user.role, user.created_at, user.disabled_at)


def add_user(database: Database, clock: Clock, by: By, name: str, password: str, role: Role) -> UserView:
    """Make an account.

    Raises:
        InvalidInputError: name or password is refused, or the name is taken.
    """
    cleaned, password_hash = _prepare(name, password)
    with database.write() as session:
        return insert_account(session, clock(), by, cleaned, password_hash, role)


def add_first_admin(database: Database, clock: Clock, by: By, name: str, password: str) -> UserView:
    """Make the first account, an admin's, on a server that only this machine reaches.

    Raises:
        ConflictError: there is an account already.
        InvalidInputError: name or password is refused.
    """
    cleaned, password_hash = _prepare(name, password)
    with database.write() as session:
        if stored.has_account(session):
            msg = "there is an account already: sign in"
            raise ConflictError(msg)
        return insert_account(session, clock(), by, cleaned, password_hash, Role.ADMIN)


def use_setup_link(database: Database, clock: Clock, by: By, token: str, name: str, password: str) -> UserView:
    """Make the first admin with the one-time link. The link ends with it.

    Raises:
        ConflictError: the link was used, has run out, or there is an admin.
        InvalidInputError: name or password is refused; the link stays good.
    """
    cleaned, password_hash = _prepare(name, password)
    with database.write() as session:
        if stored.has_account(session, admin=True) or not stored.use_setup_token(session, digest(token), clock()):
            msg = "this set-up link was used or has run out: start Touchline again for another"
            raise ConflictError(msg)
        return insert_account(session, clock(), by, cleaned, password_hash, Role.ADMIN)


def _prepare(name: str, password: str) -> tuple[str, str]:
    cleaned = clean_name(name)
    check_password(password, cleaned)
    return cleaned, hash_password(password)


def insert_account(session: Session, now: datetime, by: By, name: str, password_hash: str, role: Role) -> UserView:
    """Insert an account and log it, inside the caller's transaction.

    Raises:
        InvalidInputError: the name is taken.
    """
    user_id = stored.insert_user(session, name, name_key(name), password_hash, role, now)
    if user_id is None:
        raise InvalidInputError.on("name", f"there is an account {name!r} already, enabled or disabled")
    log(session, now, by, Activity.USER_ADDED, f"{name} ({role})")
    return UserView(user_id, name, role, now, None)


def list_users(database: Database) -> tuple[UserView, ...]:
    """Every account, by name."""
    with database.read() as session:
        return tuple(view_user(user) for user in stored.list_users(session))


def find_user_id(database: Database, name: str) -> int:
    """The id of an account by its name.

    Raises:
        NotFoundError: there is none.
    """
    with database.read() as session:
        found = stored.find_user_by_key(session, name_key(name))
    if found is None:
        msg = f"no account {name!r}; `touchline user list` lists them"
        raise NotFoundError(msg)
    return found.id


def change_role(database: Database, clock: Clock, by: By, user_id: int, role: Role) -> None:
    """Give an account another role; it counts from its next request on.

    Raises:
        NotFoundError: no such account.
        ConflictError: it is the last enabled admin.
    """
    with database.write() as session:
        user = get_user(session, user_id)
        if user.role is role:
            return
        if role is not Role.ADMIN:
            _refuse_last_admin(session, user, may_be_last=False)
        stored.set_role(session, user_id, role)
        log(session, clock(), by, Activity.ROLE_CHANGED, f"{user.name} ({user.role} to {role})")


def disable_user(database: Database, clock: Clock, by: By, user_id: int, *, may_be_last: bool = False) -> None:
    """Disable an account; its sessions and tokens end.

    With ``may_be_last`` it may be the only one: sign-in is no longer asked then on a server for this machine alone.

    Raises:
        NotFoundError: no such account.
        ConflictError: it is the last enabled admin.
    """
    with database.write() as session:
        user = get_user(session, user_id)
        if not user.enabled:
            return
        _refuse_last_admin(session, user, may_be_last=may_be_last)
        stored.set_disabled(session, user_id, clock())
        _end_access(session, clock(), user_id)
        log(session, clock(), by, Activity.USER_DISABLED, user.name)


def enable_user(database: Database, clock: Clock, by: By, user_id: int) -> None:
    """Enable an account again, with its password and without its old sessions and tokens.

    Raises:
        NotFoundError: no such account.
    """
    with database.write() as session:
        user = get_user(session, user_id)
        if user.enabled:
            return
        stored.set_disabled(session, user_id, None)
        log(session, clock(), by, Activity.USER_ENABLED, user.name)


def reset_password(database: Database, clock: Clock, by: By, user_id: int, password: str) -> None:
    """Give an account another password; its sessions and tokens end.

    Raises:
        NotFoundError: no such account.
        InvalidInputError: the password is refused.
    """
    with database.read() as session:
        user = get_user(session, user_id)
    check_password(password, user.name)
    password_hash = hash_password(password)
    with database.write() as session:
        store_password(session, clock(), by, user, password_hash, Activity.PASSWORD_RESET)


def store_password(session: Session, now: datetime, by: By, user: User, password_hash: str, activity: Activity) -> None:
    """Store a password's hash and end every session and token of its account, inside the caller's transaction."""
    stored.set_password_hash(session, user.id, password_hash)
    _end_access(session, now, user.id)
    log(session, now, by, activity, user.name)


def get_user(session: Session, user_id: int) -> User:
    """An account by id.

    Raises:
        NotFoundError: there is none.
    """
    found = stored.find_user(session, user_id) if 0 < user_id <= MAX_ID else None
    if found is None:
        msg = f"no account {user_id}"
        raise NotFoundError(msg)
    return found


def log(session: Session, now: datetime, by: By, activity: Activity, about: str) -> None:
    """Add a line to the activity log, inside the caller's transaction. A path in it is the sender's own text."""
    seen = "".join(sign if sign.isprintable() else "\N{REPLACEMENT CHARACTER}" for sign in about[:500])
    stored.insert_activity(session, now, by.name, activity, seen, by.address)


def log_activity(database: Database, clock: Clock, by: By, activity: Activity, about: str) -> None:
    """Add a line to the activity log."""
    with database.write() as session:
        log(session, clock(), by, activity, about)


def _end_access(session: Session, now: datetime, user_id: int) -> None:
    stored.end_sessions(session, user_id, now)
    stored.revoke_api_tokens(session, user_id, now)


def _refuse_last_admin(session: Session, user: User, *, may_be_last: bool) -> None:
    admins = stored.lock_admins(session)
    if [admin.id for admin in admins] != [user.id]:
        return
    alone = all(each.id == user.id or not each.enabled for each in stored.list_users(session))
    if not (may_be_last and alone):
        msg = f"{user.name} is the last enabled admin: make another one first"
        raise ConflictError(msg)
