"""The first start: an admin from a password file, or a one-time link."""

from pathlib import Path

from app.domain.accounts import SETUP_LIFE, Role, is_beyond_loopback
from app.errors import ConfigError, InvalidInputError
from app.services.accounts import COMMAND_LINE, add_user
from app.services.clock import Clock
from app.services.passwords import digest, new_secret
from app.storage import accounts as stored
from app.storage.database import Database

FIRST_ADMIN = "admin"
VARIABLE = "TOUCHLINE_ADMIN_PASSWORD_FILE"


def prepare_accounts(database: Database, clock: Clock, host: str, password_file: str | None) -> str | None:
    """Make sure that somebody can sign in to a server that others reach; the token of the set-up link, if it needs one.

    Without any account a password file makes the admin ``admin``, wherever the server listens. With one it is not
    read. A link of an earlier start ends.

    Raises:
        ConfigError: the password file is missing, empty, or its password is refused.
    """
    with database.write() as session:
        stored.forget_setup_tokens(session)
        any_account = stored.has_account(session, enabled=False)
        admin = stored.has_account(session, admin=True)
    if password_file is not None and not any_account:
        _make_admin(database, clock, Path(password_file))
        return None
    if admin or not is_beyond_loopback(host):
        return None
    token = new_secret()
    with database.write() as session:
        stored.replace_setup_token(session, digest(token), clock(), clock() + SETUP_LIFE)
    return token


def is_setup_token(database: Database, clock: Clock, token: str) -> bool:
    """Whether a set-up link is good."""
    with database.read() as session:
        return stored.is_setup_token(session, digest(token), clock())


def _make_admin(database: Database, clock: Clock, file: Path) -> None:
    try:
        password = file.expanduser().read_text(encoding="utf-8").rstrip("\r\n")
    except (OSError, RuntimeError, UnicodeDecodeError) as error:
        reason = error.strerror if isinstance(error, OSError) else str(error)
        msg = f"{VARIABLE}: cannot read {file}: {reason}"
        raise ConfigError(msg) from error
    if not password:
        msg = f"{VARIABLE}: {file} is empty: write the password of the first admin into it"
        raise ConfigError(msg)
    try:
        add_user(database, clock, COMMAND_LINE, FIRST_ADMIN, password, Role.ADMIN)
    except InvalidInputError as error:
        msg = f"{VARIABLE}: {file}: {error}"
        raise ConfigError(msg) from error
