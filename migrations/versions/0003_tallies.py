"""Tallies in place of counting, and a queue that does not read past what is called

Revision ID: 0003
Revises: 0002
"""

import sqlalchemy as sa
from alembic import op

revision = "0003"
down_revision = "0002"
branch_labels = None
depends_on = None

VERDICTS = "('positive', 'negative', 'unsure', 'discard', 'none', 'unsettled')"
COUNT = """
    INSERT INTO tallies (dataset_id, given, bin, verdict, images)
    SELECT images.dataset_id, images.given,
        CASE WHEN images.unreadable IS NOT NULL THEN -2 WHEN scores.score IS NULL THEN -1
             WHEN scores.score >= 1.0 THEN 99 ELSE CAST(floor(scores.score * 100 + 1e-9) AS INTEGER) END,
        coalesce(standings.verdict, 'none'), count(*)
    FROM images
    JOIN datasets ON datasets.id = images.dataset_id
    LEFT JOIN scores ON scores.image_id = images.id AND scores.detector_id = datasets.detector_id
    LEFT JOIN standings ON standings.image_id = images.id
    WHERE images.missing_since IS NULL
    GROUP BY 1, 2, 3, 4
"""
CALLED = """
    UPDATE scores SET called = {true} WHERE EXISTS (
        SELECT 1 FROM standings WHERE standings.image_id = scores.image_id AND standings.verdict IS NOT NULL)
"""


def upgrade() -> None:
    op.create_table(
        "tallies",
        sa.Column("dataset_id", sa.Integer(), nullable=False),
        sa.Column("given", sa.String(), nullable=False),
        sa.Column("bin", sa.Integer(), nullable=False),
        sa.Column("verdict", sa.String(), nullable=False),
        sa.Column("images", sa.Integer(), nullable=False),
        sa.CheckConstraint("given IN ('positive', 'negative')", name=op.f("ck_tallies_given")),
        sa.CheckConstraint(f"verdict IN {VERDICTS}", name=op.f("ck_tallies_verdict")),
        sa.ForeignKeyConstraint(["dataset_id"], ["datasets.id"], name=op.f("fk_tallies_dataset_id_datasets")),
        sa.PrimaryKeyConstraint("dataset_id", "given", "bin", "verdict", name=op.f("pk_tallies")),
    )
    op.add_column("scores", sa.Column("called", sa.Boolean(), nullable=False, server_default=sa.false()))
    op.add_column("scores", sa.Column("against", sa.Double(), nullable=False, server_default="0"))
    op.execute("UPDATE scores SET against = CASE WHEN given = 'negative' THEN -score ELSE score - 1.0 END")
    order = ["dataset_id", "detector_id", "given", "against", "image_id"]
    op.create_index("ix_scores_against", "scores", order)
    op.create_index(
        "ix_scores_open",
        "scores",
        order,
        sqlite_where=sa.text("called = 0"),
        postgresql_where=sa.text("NOT called"),
    )
    op.execute(CALLED.format(true="1" if op.get_bind().dialect.name == "sqlite" else "true"))
    op.execute(COUNT)


def downgrade() -> None:
    op.drop_index("ix_scores_open", table_name="scores")
    op.drop_index("ix_scores_against", table_name="scores")
    with op.batch_alter_table("scores") as scores:
        scores.drop_column("against")
        scores.drop_column("called")
    op.drop_table("tallies")
