"""What tests share. Databases are real SQLite files that the migrations built; files are real files."""

import os
import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest

from app.config import Settings
from app.services import passwords
from app.storage.database import Database
from app.storage.migrating import migrate
from tests.parts import CACHE_DIR, Browser, SetClock, Workshop

KEPT = ("TOUCHLINE_TEST_BROWSER", "TOUCHLINE_LONG", CACHE_DIR)
MEMORY = Path("/dev/shm")
ROOM = 2_000_000_000


def pytest_configure(config: pytest.Config) -> None:
    """Keep the tests' files in memory where there is room: hundreds of small databases wait for no disk there."""
    if config.option.basetemp is None and MEMORY.is_dir() and shutil.disk_usage(MEMORY).free > ROOM:
        os.environ.setdefault("PYTEST_DEBUG_TEMPROOT", str(MEMORY))


@pytest.fixture(scope="session", autouse=True)
def _one_cache(tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    """The processes that tests start export the built-in network once, not each anew."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv(CACHE_DIR, str(tmp_path_factory.mktemp("cache")))
        yield


@pytest.fixture(autouse=True)
def _bare_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    """No setting of the person who runs the tests reaches them."""
    for name in list(os.environ):
        if name.startswith("TOUCHLINE_") and name not in KEPT:
            monkeypatch.delenv(name)


@pytest.fixture(autouse=True)
def _cheap_passwords(monkeypatch: pytest.MonkeyPatch) -> None:
    """Hundreds of sign-ins do not wait for what slows a thief down; processes that tests start pay the full price."""
    monkeypatch.setattr(passwords, "COSTS", {"time_cost": 1, "memory_cost": 64, "parallelism": 1})


@pytest.fixture(scope="session")
def migrated(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A database file as the migrations leave it; tests work on copies."""
    path = tmp_path_factory.mktemp("migrated") / "touchline.db"
    database = Database(f"sqlite:///{path}")
    migrate(database)
    database.dispose()
    return path


@pytest.fixture(scope="session")
def engine_over_copies(tmp_path_factory: pytest.TempPathFactory) -> Database:
    """One engine for all tests, each of which finds a fresh copy in its file: SQL is compiled once, not per test."""
    return Database(f"sqlite:///{tmp_path_factory.mktemp('database') / 'touchline.db'}")


@pytest.fixture
def clock() -> SetClock:
    """A clock that stands still until it is moved."""
    return SetClock()


@pytest.fixture
def settings(tmp_path: Path, engine_over_copies: Database) -> Settings:
    """Settings of a data folder of the test's own."""
    return Settings(
        data_dir=tmp_path / "var",
        database_url=str(engine_over_copies.engine.url),
        datasets={"allowed_roots": (tmp_path,)},
        detector={"batch_size": 8},  # of which the one thread of a ColourDetector takes half at a time,
        review={"audit_share": 0.0},  # chance stays out of what is not about it
    )


@pytest.fixture
def database(settings: Settings, migrated: Path, engine_over_copies: Database) -> Iterator[Database]:
    """A migrated database that no other test has touched."""
    settings.data_dir.mkdir()
    path = Path(engine_over_copies.engine.url.database or "")
    for ending in ("-wal", "-shm", ""):
        path.with_name(path.name + ending).unlink(missing_ok=True)
    shutil.copyfile(migrated, path)
    yield engine_over_copies
    engine_over_copies.dispose()


@pytest.fixture
def workshop(tmp_path: Path, database: Database, settings: Settings, clock: SetClock) -> Workshop:
    """A data folder with everything a service needs."""
    return Workshop(tmp_path, database, settings, clock)


@pytest.fixture
def browser(workshop: Workshop) -> Iterator[Browser]:
    """A client of the real application over the workshop's database."""
    browser = Browser(workshop)
    yield browser
    browser.close()
