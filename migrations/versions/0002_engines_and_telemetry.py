"""Engines, perceptual hashes, and what a scan tells of its course

Revision ID: 0002
Revises: 0001
"""

import sqlalchemy as sa
from alembic import op

revision = "0002"
down_revision = "0001"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "engines",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("fingerprint", sa.String(), nullable=False),
        sa.Column("backend", sa.String(), nullable=False),
        sa.Column("device", sa.String(), nullable=False),
        sa.Column("precision", sa.String(), nullable=False),
        sa.Column("gate", sa.JSON(), nullable=True),
        sa.Column("created_at", sa.DateTime(), nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_engines")),
        sa.UniqueConstraint("fingerprint", name=op.f("uq_engines_fingerprint")),
    )
    op.add_column("images", sa.Column("phash", sa.BigInteger(), nullable=True))
    op.add_column("scans", sa.Column("paused", sa.Boolean(), nullable=False, server_default=sa.false()))
    op.add_column("scans", sa.Column("priority", sa.Integer(), nullable=False, server_default="0"))
    op.add_column("scans", sa.Column("telemetry", sa.JSON(), nullable=True))
    with op.batch_alter_table("scores") as scores:
        scores.add_column(sa.Column("engine_id", sa.Integer(), nullable=True))
        scores.create_foreign_key(op.f("fk_scores_engine_id_engines"), "engines", ["engine_id"], ["id"])


def downgrade() -> None:
    with op.batch_alter_table("scores") as scores:
        scores.drop_constraint(op.f("fk_scores_engine_id_engines"), type_="foreignkey")
        scores.drop_column("engine_id")
    op.drop_column("scans", "telemetry")
    op.drop_column("scans", "priority")
    op.drop_column("scans", "paused")
    op.drop_column("images", "phash")
    op.drop_table("engines")
