"""Second looks, conflicts, and the rule by which several people's verdicts make one

Revision ID: 0008
Revises: 0007
"""

import sqlalchemy as sa
from alembic import op

revision = "0008"
down_revision = "0007"
branch_labels = None
depends_on = None

VERDICTS = "'positive', 'negative', 'unsure', 'discard'"
STAGES = "'second', 'third', 'done'"


def upgrade() -> None:
    # Columns with a constraint of their own, in words that SQLite and PostgreSQL both take: rebuilding the table
    # instead would break the foreign keys of every other on the way.
    double = sa.Double().compile(dialect=op.get_bind().dialect)
    op.execute(
        f"ALTER TABLE datasets ADD COLUMN second_share {double} DEFAULT '0' NOT NULL "
        "CONSTRAINT ck_datasets_second_share CHECK (second_share >= 0 AND second_share <= 1)"
    )
    op.execute(
        "ALTER TABLE datasets ADD COLUMN consensus VARCHAR DEFAULT 'latest' NOT NULL "
        "CONSTRAINT ck_datasets_consensus CHECK (consensus IN ('latest', 'majority', 'unanimous'))"
    )
    op.add_column("datasets", sa.Column("second_reasons", sa.JSON(), nullable=True))
    op.add_column("datasets", sa.Column("second_seed", sa.String(), nullable=True))
    op.add_column("datasets", sa.Column("sweep", sa.JSON(), nullable=True))
    op.execute(
        "ALTER TABLE standings ADD COLUMN unsettled VARCHAR "
        "CONSTRAINT ck_standings_unsettled CHECK (unsettled IS NULL OR unsettled IN ('second', 'conflict'))"
    )
    op.create_table(
        "second_looks",
        sa.Column("image_id", sa.Integer(), nullable=False),
        sa.Column("dataset_id", sa.Integer(), nullable=False),
        sa.Column("stage", sa.String(), nullable=False),
        sa.Column("wanted", sa.Boolean(), nullable=False),
        sa.Column("first_reviewer", sa.String(), nullable=False),
        sa.Column("first_verdict", sa.String(), nullable=False),
        sa.Column("second_reviewer", sa.String(), nullable=True),
        sa.Column("second_verdict", sa.String(), nullable=True),
        sa.Column("settled_by", sa.String(), nullable=True),
        sa.Column("settled_verdict", sa.String(), nullable=True),
        sa.Column("client", sa.String(), nullable=True),
        sa.Column("leased_until", sa.DateTime(), nullable=True),
        sa.CheckConstraint(f"stage IN ({STAGES})", name=op.f("ck_second_looks_stage")),
        sa.CheckConstraint(f"first_verdict IN ({VERDICTS})", name=op.f("ck_second_looks_first_verdict")),
        sa.CheckConstraint(
            f"second_verdict IS NULL OR second_verdict IN ({VERDICTS})", name=op.f("ck_second_looks_second_verdict")
        ),
        sa.CheckConstraint(
            f"settled_verdict IS NULL OR settled_verdict IN ({VERDICTS})", name=op.f("ck_second_looks_settled_verdict")
        ),
        sa.ForeignKeyConstraint(["image_id"], ["images.id"], name=op.f("fk_second_looks_image_id_images")),
        sa.ForeignKeyConstraint(["dataset_id"], ["datasets.id"], name=op.f("fk_second_looks_dataset_id_datasets")),
        sa.PrimaryKeyConstraint("image_id", name=op.f("pk_second_looks")),
    )
    op.create_index(
        op.f("ix_second_looks_dataset_id_stage_first_reviewer_image_id"),
        "second_looks",
        ["dataset_id", "stage", "first_reviewer", "image_id"],
    )
    op.create_table(
        "second_counts",
        sa.Column("dataset_id", sa.Integer(), nullable=False),
        sa.Column("stage", sa.String(), nullable=False),
        sa.Column("person", sa.String(), nullable=False),
        sa.Column("images", sa.Integer(), nullable=False),
        sa.CheckConstraint(f"stage IN ({STAGES})", name=op.f("ck_second_counts_stage")),
        sa.ForeignKeyConstraint(["dataset_id"], ["datasets.id"], name=op.f("fk_second_counts_dataset_id_datasets")),
        sa.PrimaryKeyConstraint("dataset_id", "stage", "person", name=op.f("pk_second_counts")),
    )


def downgrade() -> None:
    op.drop_table("second_counts")
    op.drop_index(op.f("ix_second_looks_dataset_id_stage_first_reviewer_image_id"), table_name="second_looks")
    op.drop_table("second_looks")
    op.execute("ALTER TABLE standings DROP COLUMN unsettled")
    for column in ("sweep", "second_seed", "second_reasons"):
        op.drop_column("datasets", column)
    op.execute("ALTER TABLE datasets DROP COLUMN consensus")
    op.execute("ALTER TABLE datasets DROP COLUMN second_share")
