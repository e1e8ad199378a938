"""Tallies of whose verdicts stand, and indexes of what is rare: unreadable images and batches

Revision ID: 0010
Revises: 0009
"""

import sqlalchemy as sa
from alembic import op

revision = "0010"
down_revision = "0009"
branch_labels = None
depends_on = None

COUNT = """
    INSERT INTO person_tallies (dataset_id, reviewer, given, bin, verdict, images)
    SELECT standings.dataset_id, reviews.reviewer, images.given,
        CASE WHEN images.unreadable IS NOT NULL THEN -2 WHEN scores.score IS NULL THEN -1
             WHEN scores.score >= 1.0 THEN 99 ELSE CAST(floor(scores.score * 100 + 1e-9) AS INTEGER) END AS bin,
        standings.verdict, count(*)
    FROM standings
    JOIN reviews ON reviews.id = standings.effective_review_id
    JOIN images ON images.id = standings.image_id
    JOIN datasets ON datasets.id = standings.dataset_id
    LEFT JOIN scores ON scores.image_id = images.id AND scores.detector_id = datasets.detector_id
    GROUP BY 1, 2, 3, 4, 5
"""
INDEXES = (
    ("ix_images_unreadable", "images", ["dataset_id", "path"], "unreadable IS NOT NULL"),
    ("ix_reviews_batches", "reviews", ["dataset_id", "reviewer", "id"], "batch_id IS NOT NULL"),
)


def upgrade() -> None:
    op.create_table(
        "person_tallies",
        sa.Column("dataset_id", sa.Integer(), nullable=False),
        sa.Column("reviewer", sa.String(), nullable=False),
        sa.Column("given", sa.String(), nullable=False),
        sa.Column("bin", sa.Integer(), nullable=False),
        sa.Column("verdict", sa.String(), nullable=False),
        sa.Column("images", sa.Integer(), nullable=False),
        sa.CheckConstraint("given IN ('positive', 'negative')", name=op.f("ck_person_tallies_given")),
        sa.CheckConstraint(
            "verdict IN ('positive', 'negative', 'unsure', 'discard')", name=op.f("ck_person_tallies_verdict")
        ),
        sa.ForeignKeyConstraint(["dataset_id"], ["datasets.id"], name=op.f("fk_person_tallies_dataset_id_datasets")),
        sa.PrimaryKeyConstraint("dataset_id", "reviewer", "given", "bin", "verdict", name=op.f("pk_person_tallies")),
    )
    op.execute(COUNT)
    for name, table, columns, chosen in INDEXES:
        op.create_index(name, table, columns, sqlite_where=sa.text(chosen), postgresql_where=sa.text(chosen))


def downgrade() -> None:
    for name, table, _, _ in reversed(INDEXES):
        op.drop_index(name, table_name=table)
    op.drop_table("person_tallies")
