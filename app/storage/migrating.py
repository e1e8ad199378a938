"""Bringing a database to the present schema."""

import fcntl
from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager, nullcontext
from pathlib import Path

from alembic import command
from alembic.config import Config
from alembic.runtime.migration import MigrationContext
from alembic.script import ScriptDirectory

from app.storage.database import WRITES, Database

MIGRATIONS = Path(__file__).resolve().parents[2] / "migrations"


def alembic_config() -> Config:
    """Alembic's configuration, without a file: the scripts lie in ``migrations/``."""
    config = Config()
    config.set_main_option("script_location", str(MIGRATIONS))
    return config


def migrate(database: Database) -> None:
    """Apply every migration that is missing, in one transaction. Safe to call from two processes at once."""
    with (
        _one_at_a_time(database),
        database.engine.connect().execution_options(**{WRITES: True}) as connection,
    ):
        config = alembic_config()
        with connection.begin():
            config.attributes["connection"] = connection
            command.upgrade(config, "head")


def find_pending(database: Database) -> str | None:
    """What keeps the schema from being the present one, or None."""
    with database.engine.connect() as connection:
        current = MigrationContext.configure(connection).get_current_revision()
    head = ScriptDirectory.from_config(alembic_config()).get_current_head()
    return None if current == head else f"the schema is at {current or 'nothing'}, wanted {head}"


@contextmanager
def _locked(path: Path) -> Iterator[None]:
    with path.open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield


def _one_at_a_time(database: Database) -> AbstractContextManager[None]:
    name = database.engine.url.database
    if database.engine.dialect.name != "sqlite" or not name:
        return nullcontext()
    return _locked(Path(name).with_suffix(".migrating"))
