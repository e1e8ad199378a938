"""Features of images, and the order and flags that are learned from verdicts

Revision ID: 0012
Revises: 0010
"""

import sqlalchemy as sa
from alembic import op

revision = "0012"
down_revision = "0011"
branch_labels = None
depends_on = None

RANKED = ["dataset_id", "detector_id", "flagged", "rank", "image_id"]
INDEXES = (
    ("ix_scores_ranked_open", RANKED, "called = 0", "NOT called"),
    ("ix_scores_ranked_called", RANKED, "called = 1", "called"),
    ("ix_scores_doubted", ["dataset_id", "detector_id", "image_id"], "doubted = 1", "doubted"),
)


def upgrade() -> None:
    op.create_table(
        "features",
        sa.Column("image_id", sa.Integer(), nullable=False),
        sa.Column("detector_id", sa.Integer(), nullable=False),
        sa.Column("vector", sa.LargeBinary(), nullable=False),
        sa.Column("brightness", sa.Double(), nullable=False),
        sa.Column("sharpness", sa.Double(), nullable=False),
        sa.ForeignKeyConstraint(["detector_id"], ["detectors.id"], name=op.f("fk_features_detector_id_detectors")),
        sa.ForeignKeyConstraint(["image_id"], ["images.id"], name=op.f("fk_features_image_id_images")),
        sa.PrimaryKeyConstraint("image_id", "detector_id", name=op.f("pk_features")),
    )
    op.create_table(
        "fits",
        sa.Column("dataset_id", sa.Integer(), nullable=False),
        sa.Column("detector_id", sa.Integer(), nullable=False),
        sa.Column("target", sa.Double(), nullable=False),
        sa.Column("threshold", sa.Double(), nullable=True),
        sa.Column("verdicts", sa.Integer(), nullable=False),
        sa.Column("report", sa.JSON(), nullable=False),
        sa.Column("fitted_at", sa.DateTime(), nullable=False),
        sa.ForeignKeyConstraint(["dataset_id"], ["datasets.id"], name=op.f("fk_fits_dataset_id_datasets")),
        sa.ForeignKeyConstraint(["detector_id"], ["detectors.id"], name=op.f("fk_fits_detector_id_detectors")),
        sa.PrimaryKeyConstraint("dataset_id", name=op.f("pk_fits")),
    )
    # Added one by one: a batch would copy the table with all its scores.
    op.add_column("scores", sa.Column("rank", sa.Double(), server_default="0", nullable=False))
    op.add_column("scores", sa.Column("doubted", sa.Boolean(), server_default=sa.false(), nullable=False))
    op.add_column("scores", sa.Column("flagged", sa.Boolean(), server_default=sa.false(), nullable=False))
    op.execute("UPDATE scores SET rank = against")
    for name, columns, sqlite, postgresql in INDEXES:
        op.create_index(name, "scores", columns, sqlite_where=sa.text(sqlite), postgresql_where=sa.text(postgresql))


def downgrade() -> None:
    for name, _, _, _ in reversed(INDEXES):
        op.drop_index(name, table_name="scores")
    for column in ("flagged", "doubted", "rank"):
        op.drop_column("scores", column)
    op.drop_table("fits")
    op.drop_table("features")
