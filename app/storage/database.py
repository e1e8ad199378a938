"""The engine: how connections are set up, and the two kinds of transaction.

SQLite: WAL; ``BEGIN IMMEDIATE`` for writers, so that two of them wait for each other instead of failing half-way;
readers never wait. The driver's own transaction handling is switched off: it would commit before DDL, and a
migration that crashes half-way would leave half a schema.
"""

import sqlite3
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from threading import Lock
from time import monotonic, sleep

from sqlalchemy import Connection, Engine, create_engine, event, text
from sqlalchemy.engine import make_url
from sqlalchemy.engine.interfaces import DBAPIConnection
from sqlalchemy.exc import ArgumentError, NoSuchModuleError, OperationalError
from sqlalchemy.orm import Session
from sqlalchemy.pool import ConnectionPoolEntry

from app.errors import ConfigError

BUSY_TIMEOUT_MS = 30_000
ASK_AGAIN_S = 0.002
WRITES = "touchline_writes"

__all__ = ["Database", "Session"]


class Database:
    """One database and its transactions. Build it once per process."""

    def __init__(self, url: str) -> None:
        self.url = url  #: with its password, if it has one: for another process, not to be shown
        self._turn = Lock()
        try:
            parsed = make_url(url)
            if parsed.get_backend_name() == "sqlite":
                if parsed.database:
                    _make_room(Path(parsed.database))
                self.engine = _sqlite_engine(url)
            else:
                self.engine = create_engine(url, pool_pre_ping=True)
        except (ArgumentError, NoSuchModuleError, ModuleNotFoundError) as error:
            msg = f"database_url: {error}"
            raise ConfigError(msg) from error
        except OSError as error:
            msg = f"data_dir: cannot make the database's folder: {error}"
            raise ConfigError(msg) from error

    @contextmanager
    def read(self) -> Iterator[Session]:
        """A session that sees one state of the database and never waits for a writer."""
        with Session(self.engine) as session:
            yield session

    @contextmanager
    def write(self) -> Iterator[Session]:
        """A session that commits at the end of the block, or rolls back if it raises. Keep it short."""
        with (
            self._in_turn(),
            self.engine.connect().execution_options(**{WRITES: True}) as connection,
            Session(connection, expire_on_commit=False) as session,
            session.begin(),
        ):
            yield session

    @contextmanager
    def _in_turn(self) -> Iterator[None]:
        """Let one thread of this process write, or ask to, at a time, where there is one writer in any case.

        Twenty threads that ask SQLite every two milliseconds leave the one that may write no processor to do it with,
        and hold a connection each meanwhile. Whoever waits too long asks all the same, and is told why it cannot be.
        """
        if self.engine.dialect.name != "sqlite":
            yield
            return
        mine = self._turn.acquire(timeout=BUSY_TIMEOUT_MS / 1000)
        try:
            yield
        finally:
            if mine:
                self._turn.release()

    def reachable(self) -> str | None:
        """None if the database answers, else why not."""
        try:
            with self.engine.connect() as connection:
                connection.execute(text("SELECT 1"))
        except OperationalError as error:
            return str(error.orig)
        return None

    def dispose(self) -> None:
        """Close every connection."""
        self.engine.dispose()


def _make_room(path: Path) -> None:
    """The folder of a database and, where there is none yet, its empty file, which only its owner may read."""
    path.parent.mkdir(parents=True, exist_ok=True)
    if path.name != ":memory:" and not str(path).startswith("file:") and not path.exists():
        path.touch(0o600)  # the log and index beside it take its mode


def _sqlite_engine(url: str) -> Engine:
    engine = create_engine(url, connect_args={"timeout": BUSY_TIMEOUT_MS / 1000})
    event.listen(engine, "connect", _set_up_sqlite)
    event.listen(engine, "begin", _begin)
    return engine


def _set_up_sqlite(connection: DBAPIConnection, _record: ConnectionPoolEntry) -> None:
    connection.isolation_level = None  # no implicit BEGIN or COMMIT: see the module
    cursor = connection.cursor()
    for pragma in (
        f"busy_timeout={BUSY_TIMEOUT_MS}",
        "journal_mode=WAL",
        "foreign_keys=ON",
        "synchronous=FULL",
        "temp_store=MEMORY",
        "cache_size=-65536",
    ):
        cursor.execute(f"PRAGMA {pragma}")
    cursor.close()


def _begin(connection: Connection) -> None:
    if not connection.get_execution_options().get(WRITES, False):
        connection.exec_driver_sql("BEGIN")
    elif not _begins_to_write(connection):
        connection.exec_driver_sql("BEGIN IMMEDIATE")


def _begins_to_write(connection: Connection) -> bool:
    """Wait for other writers, and begin; False if that took too long or cannot be, for the caller to find out why.

    SQLite's own waiting asks ever more seldom, up to ten times a second: whoever writes batch after batch is then there
    again before a person who has waited longer. Asked every two milliseconds, the next gap between two batches will do.
    """
    cursor = connection.connection.cursor()
    until = monotonic() + BUSY_TIMEOUT_MS / 1000
    cursor.execute("PRAGMA busy_timeout=0")
    try:
        while monotonic() < until:
            try:
                cursor.execute("BEGIN IMMEDIATE")
            except sqlite3.OperationalError as error:
                if error.sqlite_errorcode & 0xFF != sqlite3.SQLITE_BUSY:
                    return False
                sleep(ASK_AGAIN_S)
            else:
                return True
        return False
    finally:
        cursor.execute(f"PRAGMA busy_timeout={BUSY_TIMEOUT_MS}")
        cursor.close()
