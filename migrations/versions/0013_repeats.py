"""Blind repeats of what was called

Revision ID: 0013
Revises: 0012
"""

from collections.abc import Sequence

import sqlalchemy as sa
from alembic import op

revision = "0013"
down_revision = "0012"
branch_labels = None
depends_on = None

NAME = "ck_audit_looks_kind"
OPEN = (
    ("ix_audit_looks_open", ["image_id"], "answered = 0", "NOT answered"),
    ("ix_audit_looks_waiting", ["audit_id", "id"], "answered = 0", "NOT answered"),
)
REPEATS = ("ix_audit_looks_repeats", ["audit_id", "image_id"], "of_review_id IS NOT NULL", "of_review_id IS NOT NULL")


def upgrade() -> None:
    op.add_column("audit_looks", sa.Column("of_review_id", sa.Integer(), nullable=True))
    _allow(("draw", "shown", "repeat"))
    _index(*REPEATS)


def downgrade() -> None:
    op.drop_index(REPEATS[0], table_name="audit_looks")
    op.execute("DELETE FROM audit_looks WHERE kind = 'repeat'")
    _allow(("draw", "shown"))
    op.drop_column("audit_looks", "of_review_id")


def _allow(kinds: Sequence[str]) -> None:
    """Kinds of looks. SQLite copies the table for that; no foreign key leads to it."""
    check = f"kind IN ({', '.join(repr(kind) for kind in kinds)})"
    for name, _, _, _ in OPEN:  # a copy might forget which rows they hold
        op.drop_index(name, table_name="audit_looks")
    with op.batch_alter_table("audit_looks") as batch_op:
        batch_op.drop_constraint(op.f(NAME), type_="check")
        batch_op.create_check_constraint(op.f(NAME), check)
    for index in OPEN:
        _index(*index)


def _index(name: str, columns: list[str], sqlite: str, postgresql: str) -> None:
    op.create_index(name, "audit_looks", columns, sqlite_where=sa.text(sqlite), postgresql_where=sa.text(postgresql))
