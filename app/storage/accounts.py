"""Queries on accounts, sessions, API tokens and the activity log."""

from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import Select, delete, func, insert, or_, select, update
from sqlalchemy.exc import IntegrityError
from sqlalchemy.orm import Session

from app.domain.accounts import SEEN_EVERY, Activity, Identity, Role
from app.storage.account_tables import ActivityRow, ApiTokenRow, SessionRow, SetupTokenRow, UserRow


@dataclass(frozen=True, slots=True)
class User:
    """An account."""

    id: int
    name: str
    password_hash: str
    role: Role
    created_at: datetime
    disabled_at: datetime | None

    @property
    def enabled(self) -> bool:
        """Whether it may be signed in to."""
        return self.disabled_at is None


@dataclass(frozen=True, slots=True)
class OpenSession:
    """A browser that is signed in."""

    id: int
    user_id: int
    user: str
    created_at: datetime
    seen_at: datetime
    address: str
    user_agent: str


@dataclass(frozen=True, slots=True)
class ApiToken:
    """A token that was not revoked."""

    id: int
    user_id: int
    user: str
    name: str
    created_at: datetime
    used_at: datetime | None


@dataclass(frozen=True, slots=True)
class ActivityEntry:
    """One line of the activity log."""

    id: int
    at: datetime
    actor: str | None
    action: str
    about: str
    address: str | None


@dataclass(frozen=True, slots=True)
class Known:
    """Whom a session or token belongs to, and when its use was last noted."""

    identity: Identity
    created_at: datetime
    seen_at: datetime | None


# -- accounts ----------------------------------------------------------------------------------------------------


def has_account(session: Session, *, admin: bool = False, enabled: bool = True) -> bool:
    """Whether there is an account, by default an enabled one, of an admin if so asked."""
    wanted = select(UserRow.id)
    if enabled:
        wanted = wanted.where(UserRow.disabled_at.is_(None))
    if admin:
        wanted = wanted.where(UserRow.role == Role.ADMIN)
    return session.scalar(wanted.limit(1)) is not None


def find_user(session: Session, user_id: int) -> User | None:
    """An account by id."""
    row = session.get(UserRow, user_id)
    return None if row is None else _user(row)


def find_user_by_key(session: Session, key: str) -> User | None:
    """An account by the key of its name."""
    row = session.scalar(select(UserRow).where(UserRow.name_key == key))
    return None if row is None else _user(row)


def list_users(session: Session) -> tuple[User, ...]:
    """Every account, by name."""
    return tuple(_user(row) for row in session.scalars(select(UserRow).order_by(UserRow.name_key)))


def lock_admins(session: Session) -> tuple[User, ...]:
    """The enabled admins; nobody else changes one of them before this transaction ends."""
    wanted = (
        select(UserRow)
        .where(UserRow.disabled_at.is_(None), UserRow.role == Role.ADMIN)
        .order_by(UserRow.id)
        .with_for_update()
    )
    return tuple(_user(row) for row in session.scalars(wanted))


def insert_user(session: Session, name: str, key: str, password_hash: str, role: Role, now: datetime) -> int | None:
    """Make an account; its id, or None where the name is taken."""
    values = {"name": name, "name_key": key, "password_hash": password_hash, "role": role, "created_at": now}
    try:
        with session.begin_nested():
            return session.execute(insert(UserRow).values(**values).returning(UserRow.id)).scalar_one()
    except IntegrityError:
        return None


def set_password_hash(session: Session, user_id: int, password_hash: str) -> None:
    """Store another hash."""
    session.execute(update(UserRow).where(UserRow.id == user_id).values(password_hash=password_hash))


def set_role(session: Session, user_id: int, role: Role) -> None:
    """Give a role."""
    session.execute(update(UserRow).where(UserRow.id == user_id).values(role=role))


def set_disabled(session: Session, user_id: int, at: datetime | None) -> None:
    """Disable an account, or enable it with None."""
    session.execute(update(UserRow).where(UserRow.id == user_id).values(disabled_at=at))


def _user(row: UserRow) -> User:
    return User(row.id, row.name, row.password_hash, Role(row.role), row.created_at, row.disabled_at)


# -- sessions ----------------------------------------------------------------------------------------------------


def insert_session(
    session: Session, user_id: int, token_sha256: str, now: datetime, expires_at: datetime, address: str, agent: str
) -> int:
    """Sign a browser in; the session's id."""
    values = {"token_sha256": token_sha256, "created_at": now, "seen_at": now, "expires_at": expires_at}
    made = insert(SessionRow).values(user_id=user_id, address=address, user_agent=agent, **values)
    return session.execute(made.returning(SessionRow.id)).scalar_one()


def find_session(session: Session, token_sha256: str, now: datetime) -> Known | None:
    """Who is signed in under a token: not where the session has ended or run out, or the account is disabled."""
    row = session.execute(
        select(SessionRow, UserRow)
        .join(UserRow, UserRow.id == SessionRow.user_id)
        .where(
            SessionRow.token_sha256 == token_sha256,
            SessionRow.ended_at.is_(None),
            SessionRow.expires_at > now,
            UserRow.disabled_at.is_(None),
        )
    ).one_or_none()
    if row is None:
        return None
    found, user = row
    identity = Identity(user.id, user.name, Role(user.role), session_id=found.id)
    return Known(identity, found.created_at, found.seen_at)


def note_seen(session: Session, session_id: int, now: datetime, expires_at: datetime) -> None:
    """Note that a session is in use; of many requests at once the first has noted it."""
    session.execute(
        update(SessionRow)
        .where(SessionRow.id == session_id, SessionRow.seen_at <= now - SEEN_EVERY)
        .values(seen_at=now, expires_at=expires_at)
    )


def end_session(session: Session, session_id: int, now: datetime) -> int:
    """End a session that is open; how many that were."""
    ended = update(SessionRow).where(SessionRow.id == session_id, SessionRow.ended_at.is_(None)).values(ended_at=now)
    return len(session.scalars(ended.returning(SessionRow.id)).all())


def end_sessions(session: Session, user_id: int, now: datetime) -> int:
    """End every session of an account; how many there were."""
    ended = update(SessionRow).where(SessionRow.user_id == user_id, SessionRow.ended_at.is_(None)).values(ended_at=now)
    return len(session.scalars(ended.returning(SessionRow.id)).all())


def forget_sessions(session: Session, before: datetime) -> None:
    """Remove sessions that ran out before a moment."""
    session.execute(delete(SessionRow).where(SessionRow.expires_at < before))


def list_sessions(session: Session, now: datetime, user_id: int | None, limit: int) -> tuple[OpenSession, ...]:
    """Open sessions, newest first, of one account or of all."""
    wanted = (
        select(SessionRow, UserRow.name)
        .join(UserRow, UserRow.id == SessionRow.user_id)
        .where(SessionRow.ended_at.is_(None), SessionRow.expires_at > now)
        .order_by(SessionRow.id.desc())
        .limit(limit)
    )
    if user_id is not None:
        wanted = wanted.where(SessionRow.user_id == user_id)
    return tuple(
        OpenSession(row.id, row.user_id, name, row.created_at, row.seen_at, row.address, row.user_agent)
        for row, name in session.execute(wanted)
    )


def find_open_session(session: Session, session_id: int) -> tuple[int, str] | None:
    """The account of an open session: its id and name."""
    wanted = (
        select(UserRow.id, UserRow.name)
        .join(SessionRow, SessionRow.user_id == UserRow.id)
        .where(SessionRow.id == session_id, SessionRow.ended_at.is_(None))
    )
    return _pair(session, wanted)


def was_signed_in_from(session: Session, key: str, address: str) -> bool:
    """Whether an account, by the key of its name, was signed in to from an address of late."""
    wanted = (
        select(SessionRow.id)
        .join(UserRow, UserRow.id == SessionRow.user_id)
        .where(UserRow.name_key == key, SessionRow.address == address)
        .limit(1)
    )
    return session.scalar(wanted) is not None


# -- API tokens --------------------------------------------------------------------------------------------------


def insert_api_token(session: Session, user_id: int, name: str, token_sha256: str, now: datetime) -> int:
    """Make a token; its id."""
    made = insert(ApiTokenRow).values(user_id=user_id, name=name, token_sha256=token_sha256, created_at=now)
    return session.execute(made.returning(ApiTokenRow.id)).scalar_one()


def find_api_token(session: Session, token_sha256: str) -> Known | None:
    """Whose token it is: not where it is revoked or the account disabled."""
    row = session.execute(
        select(ApiTokenRow, UserRow)
        .join(UserRow, UserRow.id == ApiTokenRow.user_id)
        .where(
            ApiTokenRow.token_sha256 == token_sha256,
            ApiTokenRow.revoked_at.is_(None),
            UserRow.disabled_at.is_(None),
        )
    ).one_or_none()
    if row is None:
        return None
    found, user = row
    identity = Identity(user.id, user.name, Role(user.role), token_id=found.id)
    return Known(identity, found.created_at, found.used_at)


def note_used(session: Session, token_id: int, now: datetime) -> None:
    """Note that a token is in use; of many requests at once the first has noted it."""
    unnoted = or_(ApiTokenRow.used_at.is_(None), ApiTokenRow.used_at <= now - SEEN_EVERY)
    session.execute(update(ApiTokenRow).where(ApiTokenRow.id == token_id, unnoted).values(used_at=now))


def revoke_api_token(session: Session, token_id: int, now: datetime) -> None:
    """Revoke a token."""
    session.execute(update(ApiTokenRow).where(ApiTokenRow.id == token_id).values(revoked_at=now))


def revoke_api_tokens(session: Session, user_id: int, now: datetime) -> int:
    """Revoke every token of an account; how many there were."""
    revoked = update(ApiTokenRow).where(ApiTokenRow.user_id == user_id, ApiTokenRow.revoked_at.is_(None))
    return len(session.scalars(revoked.values(revoked_at=now).returning(ApiTokenRow.id)).all())


def count_api_tokens(session: Session, user_id: int) -> int:
    """How many tokens of an account are in force."""
    wanted = select(func.count()).where(ApiTokenRow.user_id == user_id, ApiTokenRow.revoked_at.is_(None))
    return session.scalar(wanted) or 0


def list_api_tokens(session: Session, user_id: int | None, limit: int) -> tuple[ApiToken, ...]:
    """Tokens in force, newest first, of one account or of all that are enabled."""
    wanted = (
        select(ApiTokenRow, UserRow.name)
        .join(UserRow, UserRow.id == ApiTokenRow.user_id)
        .where(ApiTokenRow.revoked_at.is_(None))
        .order_by(ApiTokenRow.id.desc())
        .limit(limit)
    )
    if user_id is not None:
        wanted = wanted.where(ApiTokenRow.user_id == user_id)
    return tuple(
        ApiToken(row.id, row.user_id, user, row.name, row.created_at, row.used_at)
        for row, user in session.execute(wanted)
    )


def find_live_token(session: Session, token_id: int) -> tuple[int, str] | None:
    """The account and the name of a token in force."""
    return _pair(
        session,
        select(ApiTokenRow.user_id, ApiTokenRow.name).where(
            ApiTokenRow.id == token_id, ApiTokenRow.revoked_at.is_(None)
        ),
    )


def _pair(session: Session, wanted: Select[int, str]) -> tuple[int, str] | None:
    row = session.execute(wanted).one_or_none()
    return None if row is None else (row[0], row[1])


# -- the set-up link ---------------------------------------------------------------------------------------------


def replace_setup_token(session: Session, token_sha256: str, now: datetime, expires_at: datetime) -> None:
    """Make a link; every earlier one ends."""
    session.execute(delete(SetupTokenRow))
    session.execute(insert(SetupTokenRow).values(token_sha256=token_sha256, created_at=now, expires_at=expires_at))


def is_setup_token(session: Session, token_sha256: str, now: datetime) -> bool:
    """Whether a link is good."""
    return session.scalar(_good_setup_token(token_sha256, now)) is not None


def use_setup_token(session: Session, token_sha256: str, now: datetime) -> bool:
    """Use a link up; whether it was good. Of two at once one finds it gone."""
    used = delete(SetupTokenRow).where(SetupTokenRow.id.in_(_good_setup_token(token_sha256, now)))
    return bool(session.scalars(used.returning(SetupTokenRow.id)).all())


def forget_setup_tokens(session: Session) -> None:
    """End every link."""
    session.execute(delete(SetupTokenRow))


def _good_setup_token(token_sha256: str, now: datetime) -> Select[int]:
    return select(SetupTokenRow.id).where(SetupTokenRow.token_sha256 == token_sha256, SetupTokenRow.expires_at > now)


# -- the activity log --------------------------------------------------------------------------------------------


def insert_activity(
    session: Session, now: datetime, actor: str | None, action: Activity, about: str, address: str | None
) -> None:
    """Add a line."""
    values = {"at": now, "actor": actor, "action": action, "about": about, "address": address}
    session.execute(insert(ActivityRow).values(**values))


def list_activity(session: Session, before: int | None, limit: int) -> tuple[ActivityEntry, ...]:
    """Lines before an id, newest first."""
    wanted = select(ActivityRow).order_by(ActivityRow.id.desc()).limit(limit)
    if before is not None:
        wanted = wanted.where(ActivityRow.id < before)
    return tuple(
        ActivityEntry(row.id, row.at, row.actor, row.action, row.about, row.address) for row in session.scalars(wanted)
    )
