"""How connections are set up, and that two writers wait for each other."""

from itertools import count
from pathlib import Path
from threading import Event, Thread
from time import sleep

import pytest
from sqlalchemy import text

from app.errors import ConfigError
from app.storage.database import BUSY_TIMEOUT_MS, Database
from app.storage.datasets import insert_dataset, list_datasets
from tests.parts import SetClock

TURNS = 12


class BrokenOffError(Exception):
    """Whatever ends a transaction half-way."""


def add_dataset(database: Database, clock: SetClock, name: str) -> None:
    """A row of some table."""
    with database.write() as session:
        insert_dataset(
            session,
            name=name,
            root="/",
            positive="a",
            negative="b",
            positive_pattern="a",
            negative_pattern="b",
            question="?",
            threshold=0.5,
            created_at=clock(),
        )


def names_in(database: Database) -> list[str]:
    """What a reader sees."""
    with database.read() as session:
        return [dataset.name for dataset in list_datasets(session)]


def test_a_new_database_is_its_owners_alone(tmp_path: Path) -> None:
    """It holds hashes of passwords, and other people may have an account on the machine."""
    path = tmp_path / "new" / "touchline.db"
    database = Database(f"sqlite:///{path}")
    with database.engine.begin() as connection:
        connection.execute(text("CREATE TABLE some_table (id INTEGER)"))
        modes = {each.name: each.stat().st_mode & 0o777 for each in path.parent.iterdir()}
    database.dispose()
    assert modes == {"touchline.db": 0o600, "touchline.db-wal": 0o600, "touchline.db-shm": 0o600}


def test_a_database_that_is_there_keeps_its_mode(tmp_path: Path) -> None:
    """Somebody may have chosen it."""
    path = tmp_path / "touchline.db"
    path.touch(0o640)
    path.chmod(0o640)
    Database(f"sqlite:///{path}").dispose()
    assert path.stat().st_mode & 0o777 == 0o640


@pytest.mark.parametrize(
    ("pragma", "value"),
    [("journal_mode", "wal"), ("foreign_keys", 1), ("synchronous", 2), ("busy_timeout", BUSY_TIMEOUT_MS)],
)
def test_pragmas_are_in_force_on_every_connection(database: Database, pragma: str, value: object) -> None:
    """Not on the first one alone: three are open at once."""
    connections = [database.engine.connect() for _ in range(3)]
    try:
        found = [connection.execute(text(f"PRAGMA {pragma}")).scalar_one() for connection in connections]
    finally:
        for connection in connections:
            connection.close()
    assert found == [value] * 3


def rename_and_fail(database: Database) -> None:
    """Write, and then something goes wrong."""
    with database.write() as session:
        session.execute(text("UPDATE datasets SET name = 'after'"))
        raise BrokenOffError


def test_a_block_that_raises_writes_nothing(database: Database, clock: SetClock) -> None:
    """All of a transaction or none of it."""
    add_dataset(database, clock, "before")
    with pytest.raises(BrokenOffError):
        rename_and_fail(database)
    assert names_in(database) == ["before"]


def test_two_writers_wait_for_each_other(database: Database, clock: SetClock) -> None:
    """The second begins only when the first has committed, and neither fails with a locked database."""
    holds, order = Event(), []

    def second() -> None:
        holds.wait(10)
        add_dataset(database, clock, "second")
        order.append("second")

    thread = Thread(target=second)
    thread.start()
    with database.write() as session:
        session.execute(text("SELECT 1"))
        holds.set()
        thread.join(0.2)
        waited = thread.is_alive()
        order.append("first")
    thread.join(10)
    assert (waited, order) == (True, ["first", "second"])
    assert names_in(database) == ["second"]


def test_readers_never_wait_for_a_writer(database: Database, clock: SetClock) -> None:
    """While a writer is at work a reader sees the state before it."""
    add_dataset(database, clock, "before")
    with database.write() as session:
        session.execute(text("UPDATE datasets SET name = 'after'"))
        assert names_in(database) == ["before"]
    assert names_in(database) == ["after"]


def test_a_reader_sees_one_state(database: Database, clock: SetClock) -> None:
    """What is committed meanwhile does not appear between two of its queries."""
    with database.read() as session:
        first = len(list_datasets(session))
        add_dataset(database, clock, "new")
        assert len(list_datasets(session)) == first == 0
    assert names_in(database) == ["new"]


def test_many_threads_write_without_losing_a_row(database: Database, clock: SetClock) -> None:
    """Every acknowledged row is there."""
    threads = [Thread(target=add_dataset, args=(database, clock, str(number))) for number in range(16)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(names_in(database), key=int) == [str(number) for number in range(16)]


def test_threads_that_wait_to_write_hold_no_connection_and_ask_for_nothing(database: Database, clock: SetClock) -> None:
    """One of them asks SQLite; the others would take the processor from the one that writes."""
    began = Event()
    threads = [Thread(target=add_dataset, args=(database, clock, str(number))) for number in range(8)]

    def write() -> None:
        with database.write() as session:
            session.execute(text("SELECT 1"))
            began.set()
            for thread in threads:
                thread.start()
            sleep(0.2)
            held.append(database.engine.pool.checkedout())  # type: ignore[attr-defined]

    held: list[int] = []
    writer = Thread(target=write)
    writer.start()
    assert began.wait(10)
    for thread in [writer, *threads]:
        thread.join(20)
    assert held == [1]
    assert len(names_in(database)) == 8


@pytest.mark.parametrize("url", ["nonsense", "nosuchdb://x/y"])
def test_a_wrong_url_names_its_key(url: str) -> None:
    """The error is a setting's."""
    with pytest.raises(ConfigError, match="database_url"):
        Database(url)


def test_a_folder_that_cannot_be_made_names_its_key(tmp_path: Path) -> None:
    """A file in the place of the data folder is said in one line."""
    (tmp_path / "file").write_text("")
    with pytest.raises(ConfigError, match="data_dir"):
        Database(f"sqlite:///{tmp_path}/file/touchline.db")


def test_an_unreachable_database_says_so(tmp_path: Path) -> None:
    """The readiness probe gets a reason, not an exception."""
    (tmp_path / "touchline.db").mkdir()
    database = Database(f"sqlite:///{tmp_path}/touchline.db")
    assert "unable to open" in (database.reachable() or "")


def test_who_waits_gets_in_between_two_batches(tmp_path: Path) -> None:
    """A writer that begins again as soon as it has ended keeps nobody out for long."""
    url = f"sqlite:///{tmp_path}/busy.db"
    database, busy = Database(url), Database(url)
    with database.write() as session:
        session.execute(text("CREATE TABLE rows (number INTEGER)"))
    stopping, holding = Event(), Event()
    batches = count()

    def write_on() -> None:
        while not stopping.is_set():
            with busy.write() as session:
                session.execute(text("INSERT INTO rows VALUES (1)"))
                next(batches)
                holding.set()
                sleep(0.05)
                holding.clear()
            sleep(0.005)  # as long a gap as the worker leaves

    writer = Thread(target=write_on)
    writer.start()
    missed = 0
    for _ in range(TURNS):
        holding.wait(30)
        before = next(batches)
        with database.write() as session:
            session.execute(text("INSERT INTO rows VALUES (2)"))
            missed += next(batches) - before - 1
        sleep(0.03)
    stopping.set()
    writer.join()
    database.dispose()
    busy.dispose()
    assert missed <= TURNS
