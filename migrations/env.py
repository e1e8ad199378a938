"""Alembic's entry point: the connection comes from ``app.storage.migrating`` or from a test."""

from typing import Literal

from alembic import context

from app.storage.account_tables import UserRow
from app.storage.audit_tables import AuditRow
from app.storage.learning_tables import FeatureRow
from app.storage.tables import UtcDateTime

TABLES = (UserRow, AuditRow, FeatureRow)  #: their modules, with the tables that those import, hold the whole schema


def render_item(kind: str, item: object, _context: object) -> str | Literal[False]:
    """Write our own type as the plain one it is in the database: a migration must outlive our code."""
    return "sa.DateTime()" if kind == "type" and isinstance(item, UtcDateTime) else False


def run() -> None:
    connection = context.config.attributes["connection"]
    context.configure(
        connection=connection,
        target_metadata=TABLES[0].metadata,  # one for all
        render_as_batch=True,
        transaction_per_migration=False,
        compare_type=True,
        render_item=render_item,
    )
    with context.begin_transaction():
        context.run_migrations()


run()
