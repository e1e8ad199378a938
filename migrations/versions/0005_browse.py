"""Definitions of the labels, archived and removed datasets, saved filters

Revision ID: 0005
Revises: 0004
"""

import sqlalchemy as sa
from alembic import op

revision = "0005"
down_revision = "0004"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.add_column("datasets", sa.Column("positive_means", sa.String(), nullable=False, server_default=sa.text("''")))
    op.add_column("datasets", sa.Column("negative_means", sa.String(), nullable=False, server_default=sa.text("''")))
    op.add_column("datasets", sa.Column("archived_at", sa.DateTime(), nullable=True))
    op.add_column("datasets", sa.Column("removed_at", sa.DateTime(), nullable=True))
    op.create_table(
        "saved_filters",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("dataset_id", sa.Integer(), nullable=False),
        sa.Column("name", sa.String(), nullable=False),
        sa.Column("query", sa.String(), nullable=False),
        sa.Column("made_by", sa.String(), nullable=False),
        sa.Column("created_at", sa.DateTime(), nullable=False),
        sa.ForeignKeyConstraint(["dataset_id"], ["datasets.id"], name=op.f("fk_saved_filters_dataset_id_datasets")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_saved_filters")),
        sa.UniqueConstraint("dataset_id", "name", name=op.f("uq_saved_filters_dataset_id_name")),
    )
    op.create_index(op.f("ix_standings_latest_review_id"), "standings", ["latest_review_id"])
    op.create_index(op.f("ix_standings_effective_review_id"), "standings", ["effective_review_id"])
    op.create_index(op.f("ix_omissions_image_id"), "omissions", ["image_id"])


def downgrade() -> None:
    op.drop_index(op.f("ix_omissions_image_id"), table_name="omissions")
    op.drop_index(op.f("ix_standings_effective_review_id"), table_name="standings")
    op.drop_index(op.f("ix_standings_latest_review_id"), table_name="standings")
    op.drop_table("saved_filters")
    for column in ("removed_at", "archived_at", "negative_means", "positive_means"):
        op.drop_column("datasets", column)
