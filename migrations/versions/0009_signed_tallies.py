"""Tallies that know which images a sign-off covers

Revision ID: 0009
Revises: 0008
"""

import sqlalchemy as sa
from alembic import op

revision = "0009"
down_revision = "0008"
branch_labels = None
depends_on = None

VERDICTS = "('positive', 'negative', 'unsure', 'discard', 'none', 'unsettled')"
COUNT = """
    INSERT INTO tallies (dataset_id, given, bin, verdict{column}, images)
    SELECT images.dataset_id, images.given,
        CASE WHEN images.unreadable IS NOT NULL THEN -2 WHEN scores.score IS NULL THEN -1
             WHEN scores.score >= 1.0 THEN 99 ELSE CAST(floor(scores.score * 100 + 1e-9) AS INTEGER) END AS bin,
        CASE WHEN standings.unsettled IS NOT NULL THEN 'unsettled' ELSE coalesce(standings.verdict, 'none') END AS verdict
        {signed}, count(*)
    FROM images
    JOIN datasets ON datasets.id = images.dataset_id
    LEFT JOIN scores ON scores.image_id = images.id AND scores.detector_id = datasets.detector_id
    LEFT JOIN standings ON standings.image_id = images.id
    {covering}
    WHERE images.missing_since IS NULL
    GROUP BY 1, 2, 3, 4{place}
"""
COVERING = """LEFT JOIN (SELECT dataset_id, max(id) AS id FROM sign_offs WHERE withdrawn_at IS NULL GROUP BY dataset_id)
        AS standing ON standing.dataset_id = images.dataset_id
    LEFT JOIN signed_images ON signed_images.image_id = images.id AND signed_images.sign_off_id = standing.id
        AND signed_images.sha256 = images.sha256"""
SIGNED = ", signed_images.image_id IS NOT NULL AS signed"


def _create(*, signed: bool) -> None:
    added: list[sa.Column[bool]] = [sa.Column("signed", sa.Boolean(), nullable=False)] if signed else []
    key = ["dataset_id", "given", "bin", "verdict", *(["signed"] if signed else [])]
    op.create_table(
        "tallies",
        sa.Column("dataset_id", sa.Integer(), nullable=False),
        sa.Column("given", sa.String(), nullable=False),
        sa.Column("bin", sa.Integer(), nullable=False),
        sa.Column("verdict", sa.String(), nullable=False),
        *added,
        sa.Column("images", sa.Integer(), nullable=False),
        sa.CheckConstraint("given IN ('positive', 'negative')", name=op.f("ck_tallies_given")),
        sa.CheckConstraint(f"verdict IN {VERDICTS}", name=op.f("ck_tallies_verdict")),
        sa.ForeignKeyConstraint(["dataset_id"], ["datasets.id"], name=op.f("fk_tallies_dataset_id_datasets")),
        sa.PrimaryKeyConstraint(*key, name=op.f("pk_tallies")),
    )


def upgrade() -> None:
    op.drop_table("tallies")
    _create(signed=True)
    op.execute(COUNT.format(column=", signed", signed=SIGNED, covering=COVERING, place=", 5"))


def downgrade() -> None:
    op.drop_table("tallies")
    _create(signed=False)
    op.execute(COUNT.format(column="", signed="", covering="", place=""))
