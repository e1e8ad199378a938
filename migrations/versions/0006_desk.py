"""Notes on verdicts, guidelines of datasets, and what each reviewer prefers

Revision ID: 0006
Revises: 0005
"""

import sqlalchemy as sa
from alembic import op

revision = "0006"
down_revision = "0005"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.add_column("datasets", sa.Column("guidelines", sa.Text(), nullable=False, server_default=sa.text("''")))
    op.add_column("reviews", sa.Column("note", sa.Text(), nullable=True))
    op.create_table(
        "preferences",
        sa.Column("reviewer", sa.String(), nullable=False),
        sa.Column("key", sa.String(), nullable=False),
        sa.Column("value", sa.JSON(), nullable=False),
        sa.PrimaryKeyConstraint("reviewer", "key", name=op.f("pk_preferences")),
    )


def downgrade() -> None:
    op.drop_table("preferences")
    op.drop_column("reviews", "note")
    op.drop_column("datasets", "guidelines")
