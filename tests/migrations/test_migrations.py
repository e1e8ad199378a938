"""The migrations on real SQLite files: they make the models' schema, in one transaction, up and down."""

import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest
from alembic import command
from alembic.autogenerate import compare_metadata
from alembic.config import Config
from alembic.runtime.migration import MigrationContext
from alembic.script import ScriptDirectory
from sqlalchemy import inspect, text
from sqlalchemy.exc import OperationalError

from app.storage.database import WRITES, Database
from app.storage.migrating import MIGRATIONS, alembic_config, find_pending, migrate
from app.storage.tables import Base

BROKEN = """
import sqlalchemy as sa
from alembic import op

revision, down_revision, branch_labels, depends_on = "9999", "HEAD", None, None


def upgrade():
    op.create_table("half_made", sa.Column("id", sa.Integer(), primary_key=True))
    op.execute("INSERT INTO half_made VALUES (1)")
    op.execute("SELECT * FROM no_such_table")
"""


@pytest.fixture
def empty(tmp_path: Path) -> Iterator[Database]:
    """A database without any table."""
    database = Database(f"sqlite:///{tmp_path / 'touchline.db'}")
    yield database
    database.dispose()


def tables_of(database: Database) -> set[str]:
    """The names of its tables."""
    return set(inspect(database.engine).get_table_names())


def run(database: Database, config: Config, what: str, revision: str) -> None:
    """Run an Alembic command over the database, in one transaction."""
    with database.engine.connect().execution_options(**{WRITES: True}) as connection, connection.begin():
        config.attributes["connection"] = connection
        getattr(command, what)(config, revision)


def test_the_migrations_make_the_models_schema(empty: Database) -> None:
    """Alembic finds no difference between a migrated database and the tables in code."""
    migrate(empty)
    with empty.engine.connect() as connection:
        context = MigrationContext.configure(connection, opts={"compare_type": True, "compare_server_default": True})
        assert compare_metadata(context, Base.metadata) == []


def test_check_constraints_are_those_of_the_models(empty: Database) -> None:
    """Alembic does not compare these, so they are compared here: name and text of each."""
    migrate(empty)
    found = {
        name: {check["name"]: check["sqltext"] for check in inspect(empty.engine).get_check_constraints(name)}
        for name in Base.metadata.tables
    }
    other = Database("sqlite://")
    Base.metadata.create_all(other.engine)
    wanted = {
        name: {check["name"]: check["sqltext"] for check in inspect(other.engine).get_check_constraints(name)}
        for name in Base.metadata.tables
    }
    other.dispose()
    assert found == wanted
    assert sum(len(checks) for checks in found.values()) >= 10


def test_there_is_one_head() -> None:
    """Two branches could not be applied at start."""
    assert len(ScriptDirectory.from_config(alembic_config()).get_heads()) == 1


def test_migrating_twice_changes_nothing(empty: Database) -> None:
    """Every start migrates."""
    migrate(empty)
    with empty.engine.connect() as connection:
        before = connection.execute(text("SELECT sql FROM sqlite_master ORDER BY name")).all()
    migrate(empty)
    with empty.engine.connect() as connection:
        assert connection.execute(text("SELECT sql FROM sqlite_master ORDER BY name")).all() == before


def test_what_is_pending_is_said(empty: Database) -> None:
    """The readiness probe can tell an old schema from the present one."""
    assert (find_pending(empty) or "").startswith("the schema is at nothing, wanted ")
    migrate(empty)
    assert find_pending(empty) is None


def test_down_to_nothing_and_up_again(empty: Database) -> None:
    """Every migration can be taken back."""
    migrate(empty)
    whole = tables_of(empty)
    run(empty, alembic_config(), "downgrade", "base")
    assert tables_of(empty) == {"alembic_version"}
    migrate(empty)
    assert tables_of(empty) == whole


def test_a_migration_that_fails_half_way_leaves_nothing(empty: Database, tmp_path: Path) -> None:
    """DDL is part of the transaction: neither the new table nor the revision stay behind, and a mended one runs."""
    migrate(empty)
    before = tables_of(empty)
    shutil.copytree(MIGRATIONS, tmp_path / "migrations")
    head = ScriptDirectory.from_config(alembic_config()).get_current_head()
    broken = tmp_path / "migrations" / "versions" / "9999_broken.py"
    broken.write_text(BROKEN.replace("HEAD", str(head)))
    config = alembic_config()
    config.set_main_option("script_location", str(tmp_path / "migrations"))
    with pytest.raises(OperationalError, match="no such table"):
        run(empty, config, "upgrade", "head")
    assert tables_of(empty) == before
    assert find_pending(empty) is None


def test_data_outlives_a_start(empty: Database) -> None:
    """Migrating an up-to-date database touches no row."""
    migrate(empty)
    with empty.write() as session:
        session.execute(
            text(
                "INSERT INTO workers (host, pid, process_started, started_at, heartbeat_at, serves)"
                " VALUES ('h', 1, 's', '2026-01-01', '2026-01-01', 1)"
            )
        )
    migrate(empty)
    with empty.read() as session:
        assert session.execute(text("SELECT host, pid FROM workers")).one() == ("h", 1)
