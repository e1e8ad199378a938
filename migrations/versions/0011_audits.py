"""Audits: frozen strata, the order in which images left the pool, blind looks, and the bound over time

Revision ID: 0011
Revises: 0010
"""

import sqlalchemy as sa
from alembic import op

revision = "0011"
down_revision = "0010"
branch_labels = None
depends_on = None

TABLES = (*("audit_points", "audit_turns", "audit_looks", "audit_outside", "audit_members", "audit_strata", "audits"),)


def upgrade() -> None:
    op.create_table(
        "audits",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("dataset_id", sa.Integer(), nullable=False),
        sa.Column("number", sa.Integer(), nullable=False),
        sa.Column("seed", sa.BigInteger(), nullable=False),
        sa.Column("risk", sa.Double(), nullable=False),
        sa.Column("prior_a", sa.Double(), nullable=False),
        sa.Column("prior_b", sa.Double(), nullable=False),
        sa.Column("detector_id", sa.Integer(), nullable=False),
        sa.Column("threshold", sa.Double(), nullable=False),
        sa.Column("goal", sa.Double(), nullable=False),
        sa.Column("scan_id", sa.Integer(), nullable=False),
        sa.Column("frozen_at", sa.DateTime(), nullable=False),
        sa.Column("exits", sa.Integer(), nullable=False),
        sa.Column("draws", sa.Integer(), nullable=False),
        sa.Column("slots", sa.Integer(), nullable=False),
        sa.Column("version", sa.Integer(), nullable=False),
        sa.Column("kept", sa.JSON(), nullable=True),
        sa.CheckConstraint("number >= 1", name=op.f("ck_audits_number")),
        sa.ForeignKeyConstraint(["dataset_id"], ["datasets.id"], name=op.f("fk_audits_dataset_id_datasets")),
        sa.ForeignKeyConstraint(["detector_id"], ["detectors.id"], name=op.f("fk_audits_detector_id_detectors")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_audits")),
        sa.UniqueConstraint("dataset_id", "number", name=op.f("uq_audits_dataset_id_number")),
    )
    op.create_table(
        "audit_strata",
        sa.Column("audit_id", sa.Integer(), nullable=False),
        sa.Column("number", sa.Integer(), nullable=False),
        sa.Column("given", sa.String(), nullable=False),
        sa.Column("band", sa.String(), nullable=False),
        sa.Column("images", sa.Integer(), nullable=False),
        sa.Column("counter", sa.Integer(), nullable=False),
        sa.Column("left_pool", sa.Integer(), nullable=False),
        sa.Column("reviewed", sa.Integer(), nullable=False),
        sa.Column("found", sa.Integer(), nullable=False),
        sa.Column("reviewed_at_freeze", sa.Integer(), nullable=False),
        sa.Column("found_at_freeze", sa.Integer(), nullable=False),
        sa.CheckConstraint("given IN ('positive', 'negative')", name=op.f("ck_audit_strata_given")),
        sa.ForeignKeyConstraint(["audit_id"], ["audits.id"], name=op.f("fk_audit_strata_audit_id_audits")),
        sa.PrimaryKeyConstraint("audit_id", "number", name=op.f("pk_audit_strata")),
    )
    op.create_table(
        "audit_members",
        sa.Column("audit_id", sa.Integer(), nullable=False),
        sa.Column("stratum", sa.Integer(), nullable=False),
        sa.Column("ordinal", sa.Integer(), nullable=False),
        sa.Column("image_id", sa.Integer(), nullable=False),
        sa.Column("sha256", sa.String(), nullable=False),
        sa.Column("place", sa.Integer(), nullable=True),
        sa.Column("drawn", sa.Boolean(), server_default=sa.false(), nullable=False),
        sa.Column("out_before", sa.Integer(), nullable=True),
        sa.Column("state", sa.String(), nullable=True),
        sa.Column("telling", sa.Boolean(), server_default=sa.false(), nullable=False),
        sa.CheckConstraint("state IS NULL OR state IN ('right', 'wrong')", name=op.f("ck_audit_members_state")),
        sa.ForeignKeyConstraint(
            ["audit_id", "stratum"],
            ["audit_strata.audit_id", "audit_strata.number"],
            name=op.f("fk_audit_members_audit_id_stratum_audit_strata"),
        ),
        sa.ForeignKeyConstraint(["image_id"], ["images.id"], name=op.f("fk_audit_members_image_id_images")),
        sa.PrimaryKeyConstraint("audit_id", "stratum", "ordinal", name=op.f("pk_audit_members")),
        sa.UniqueConstraint("image_id", "audit_id", name=op.f("uq_audit_members_image_id_audit_id")),
    )
    _index("ix_audit_members_telling", "audit_members", ["audit_id", "place"], "telling = 1", "telling")
    op.create_table(
        "audit_outside",
        sa.Column("audit_id", sa.Integer(), nullable=False),
        sa.Column("image_id", sa.Integer(), nullable=False),
        sa.ForeignKeyConstraint(["audit_id"], ["audits.id"], name=op.f("fk_audit_outside_audit_id_audits")),
        sa.ForeignKeyConstraint(["image_id"], ["images.id"], name=op.f("fk_audit_outside_image_id_images")),
        sa.PrimaryKeyConstraint("audit_id", "image_id", name=op.f("pk_audit_outside")),
    )
    op.create_index(op.f("ix_audit_outside_image_id"), "audit_outside", ["image_id"])
    op.create_table(
        "audit_looks",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("audit_id", sa.Integer(), nullable=False),
        sa.Column("image_id", sa.Integer(), nullable=False),
        sa.Column("kind", sa.String(), nullable=False),
        sa.Column("client", sa.String(), nullable=False),
        sa.Column("turn", sa.Integer(), nullable=False),
        sa.Column("leased_until", sa.DateTime(), nullable=False),
        sa.Column("made_at", sa.DateTime(), nullable=False),
        sa.Column("answered", sa.Boolean(), server_default=sa.false(), nullable=False),
        sa.Column("first_review_id", sa.Integer(), nullable=True),
        sa.Column("second_review_id", sa.Integer(), nullable=True),
        sa.CheckConstraint("kind IN ('draw', 'shown')", name=op.f("ck_audit_looks_kind")),
        sa.ForeignKeyConstraint(["audit_id"], ["audits.id"], name=op.f("fk_audit_looks_audit_id_audits")),
        sa.ForeignKeyConstraint(["image_id"], ["images.id"], name=op.f("fk_audit_looks_image_id_images")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_audit_looks")),
    )
    op.create_index(op.f("ix_audit_looks_audit_id"), "audit_looks", ["audit_id"])
    op.create_index(op.f("ix_audit_looks_image_id"), "audit_looks", ["image_id"])
    _index("ix_audit_looks_open", "audit_looks", ["image_id"], "answered = 0", "NOT answered")
    _index("ix_audit_looks_waiting", "audit_looks", ["audit_id", "id"], "answered = 0", "NOT answered")
    op.create_table(
        "audit_turns",
        sa.Column("audit_id", sa.Integer(), nullable=False),
        sa.Column("client", sa.String(), nullable=False),
        sa.Column("turn", sa.Integer(), nullable=False),
        sa.Column("latest_review_id", sa.Integer(), nullable=False),
        sa.ForeignKeyConstraint(["audit_id"], ["audits.id"], name=op.f("fk_audit_turns_audit_id_audits")),
        sa.PrimaryKeyConstraint("audit_id", "client", name=op.f("pk_audit_turns")),
    )
    op.create_table(
        "audit_points",
        sa.Column("audit_id", sa.Integer(), nullable=False),
        sa.Column("draws", sa.Integer(), nullable=False),
        sa.Column("images", sa.Integer(), nullable=False),
        sa.Column("errors_upper", sa.Integer(), nullable=False),
        sa.Column("rate_upper", sa.Double(), nullable=False),
        sa.Column("at", sa.DateTime(), nullable=False),
        sa.ForeignKeyConstraint(["audit_id"], ["audits.id"], name=op.f("fk_audit_points_audit_id_audits")),
        sa.PrimaryKeyConstraint("audit_id", "draws", name=op.f("pk_audit_points")),
    )


def _index(name: str, table: str, columns: list[str], sqlite: str, postgresql: str) -> None:
    op.create_index(name, table, columns, sqlite_where=sa.text(sqlite), postgresql_where=sa.text(postgresql))


def downgrade() -> None:
    for table in TABLES:
        op.drop_table(table)
