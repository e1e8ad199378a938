"""Exact copies and near duplicates

Revision ID: 0004
Revises: 0003
"""

import sqlalchemy as sa
from alembic import op

revision = "0004"
down_revision = "0003"
branch_labels = None
depends_on = None

COPY = """
    EXISTS (
        SELECT 1 FROM images AS other
        WHERE other.dataset_id = images.dataset_id AND other.sha256 = images.sha256 AND other.id <> images.id
        AND other.missing_since IS NULL AND other.unreadable IS NULL {also}
    )
"""


def upgrade() -> None:
    op.add_column("datasets", sa.Column("near_searched", sa.String(), nullable=True))
    for column in ("duplicated", "duplicate_conflict"):
        op.add_column("images", sa.Column(column, sa.Boolean(), nullable=False, server_default=sa.false()))
    for column, also in (("duplicated", ""), ("duplicate_conflict", "AND other.given <> images.given")):
        op.execute(
            f"UPDATE images SET {column} = {sa.true().compile(dialect=op.get_bind().dialect)}"  # noqa: S608
            f" WHERE missing_since IS NULL AND unreadable IS NULL AND {COPY.format(also=also)}"
        )
        op.create_index(
            f"ix_images_{column}",
            "images",
            ["dataset_id", "sha256"],
            sqlite_where=sa.text(f"{column} = 1"),
            postgresql_where=sa.text(column),
        )
    op.create_table(
        "near_duplicates",
        sa.Column("image_id", sa.Integer(), nullable=False),
        sa.Column("other_id", sa.Integer(), nullable=False),
        sa.Column("dataset_id", sa.Integer(), nullable=False),
        sa.Column("distance", sa.Integer(), nullable=False),
        sa.Column("across", sa.Boolean(), nullable=False),
        sa.ForeignKeyConstraint(["dataset_id"], ["datasets.id"], name=op.f("fk_near_duplicates_dataset_id_datasets")),
        sa.ForeignKeyConstraint(["image_id"], ["images.id"], name=op.f("fk_near_duplicates_image_id_images")),
        sa.PrimaryKeyConstraint("image_id", "other_id", name=op.f("pk_near_duplicates")),
    )
    op.create_index(op.f("ix_near_duplicates_dataset_id"), "near_duplicates", ["dataset_id"])
    op.create_index(
        "ix_near_duplicates_across",
        "near_duplicates",
        ["dataset_id", "distance", "image_id", "other_id"],
        sqlite_where=sa.text("across = 1 AND image_id < other_id"),
        postgresql_where=sa.text("across AND image_id < other_id"),
    )


def downgrade() -> None:
    op.drop_table("near_duplicates")
    for column in ("duplicate_conflict", "duplicated"):
        op.drop_index(f"ix_images_{column}", table_name="images")
        op.drop_column("images", column)
    op.drop_column("datasets", "near_searched")
