"""The first schema

Revision ID: 0001
Revises:
"""

import sqlalchemy as sa
from alembic import op

revision = "0001"
down_revision = None
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "detectors",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("identity", sa.String(), nullable=False),
        sa.Column("model", sa.String(), nullable=False),
        sa.Column("revision", sa.String(), nullable=True),
        sa.Column("weights_sha256", sa.String(), nullable=False),
        sa.Column("preprocessing", sa.String(), nullable=False),
        sa.Column("input_size", sa.Integer(), nullable=False),
        sa.Column("class_names", sa.JSON(), nullable=False),
        sa.Column("created_at", sa.DateTime(), nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_detectors")),
        sa.UniqueConstraint("identity", name=op.f("uq_detectors_identity")),
    )
    op.create_table(
        "workers",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("host", sa.String(), nullable=False),
        sa.Column("pid", sa.Integer(), nullable=False),
        sa.Column("process_started", sa.String(), nullable=False),
        sa.Column("started_at", sa.DateTime(), nullable=False),
        sa.Column("heartbeat_at", sa.DateTime(), nullable=False),
        sa.Column("stopped_at", sa.DateTime(), nullable=True),
        sa.Column("serves", sa.Boolean(), nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_workers")),
    )
    op.create_table(
        "datasets",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("name", sa.String(), nullable=False),
        sa.Column("root", sa.String(), nullable=False),
        sa.Column("positive", sa.String(), nullable=False),
        sa.Column("negative", sa.String(), nullable=False),
        sa.Column("positive_pattern", sa.String(), nullable=False),
        sa.Column("negative_pattern", sa.String(), nullable=False),
        sa.Column("question", sa.String(), nullable=False),
        sa.Column("threshold", sa.Double(), nullable=False),
        sa.Column("target_classes", sa.JSON(), nullable=True),
        sa.Column("detector_id", sa.Integer(), nullable=True),
        sa.Column("demo", sa.Boolean(), nullable=False),
        sa.Column("walk", sa.String(), nullable=True),
        sa.Column("created_at", sa.DateTime(), nullable=False),
        sa.CheckConstraint("threshold >= 0 AND threshold <= 1", name=op.f("ck_datasets_threshold")),
        sa.ForeignKeyConstraint(["detector_id"], ["detectors.id"], name=op.f("fk_datasets_detector_id_detectors")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_datasets")),
        sa.UniqueConstraint("name", name=op.f("uq_datasets_name")),
    )
    op.create_table(
        "arrivals",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("walk", sa.String(), nullable=False),
        sa.Column("dataset_id", sa.Integer(), nullable=False),
        sa.Column("path", sa.String(), nullable=False),
        sa.Column("given", sa.String(), nullable=False),
        sa.Column("size_bytes", sa.BigInteger(), nullable=False),
        sa.Column("mtime_ns", sa.BigInteger(), nullable=False),
        sa.Column("unreadable", sa.String(), nullable=True),
        sa.Column("shuffle", sa.BigInteger(), nullable=False),
        sa.CheckConstraint("given IN ('positive', 'negative')", name=op.f("ck_arrivals_given")),
        sa.ForeignKeyConstraint(["dataset_id"], ["datasets.id"], name=op.f("fk_arrivals_dataset_id_datasets")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_arrivals")),
        sa.UniqueConstraint("walk", "path", name=op.f("uq_arrivals_walk_path")),
    )
    with op.batch_alter_table("arrivals", schema=None) as batch_op:
        batch_op.create_index(batch_op.f("ix_arrivals_walk_shuffle"), ["walk", "shuffle"], unique=False)

    op.create_table(
        "exports",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("dataset_id", sa.Integer(), nullable=False),
        sa.Column("format", sa.String(), nullable=False),
        sa.Column("status", sa.String(), nullable=False),
        sa.Column("path", sa.String(), nullable=True),
        sa.Column("sha256", sa.String(), nullable=True),
        sa.Column("bytes", sa.BigInteger(), nullable=True),
        sa.Column("worker_id", sa.Integer(), nullable=True),
        sa.Column("error", sa.String(), nullable=True),
        sa.Column("created_at", sa.DateTime(), nullable=False),
        sa.Column("finished_at", sa.DateTime(), nullable=True),
        sa.CheckConstraint("status IN ('queued', 'running', 'done', 'failed')", name=op.f("ck_exports_status")),
        sa.ForeignKeyConstraint(["dataset_id"], ["datasets.id"], name=op.f("fk_exports_dataset_id_datasets")),
        sa.ForeignKeyConstraint(["worker_id"], ["workers.id"], name=op.f("fk_exports_worker_id_workers")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_exports")),
    )
    with op.batch_alter_table("exports", schema=None) as batch_op:
        batch_op.create_index(batch_op.f("ix_exports_dataset_id"), ["dataset_id"], unique=False)

    op.create_table(
        "ignored_files",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("dataset_id", sa.Integer(), nullable=False),
        sa.Column("path", sa.String(), nullable=False),
        sa.Column("reason", sa.String(), nullable=False),
        sa.ForeignKeyConstraint(["dataset_id"], ["datasets.id"], name=op.f("fk_ignored_files_dataset_id_datasets")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_ignored_files")),
    )
    with op.batch_alter_table("ignored_files", schema=None) as batch_op:
        batch_op.create_index(batch_op.f("ix_ignored_files_dataset_id_id"), ["dataset_id", "id"], unique=False)

    op.create_table(
        "images",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("dataset_id", sa.Integer(), nullable=False),
        sa.Column("path", sa.String(), nullable=False),
        sa.Column("given", sa.String(), nullable=False),
        sa.Column("size_bytes", sa.BigInteger(), nullable=False),
        sa.Column("mtime_ns", sa.BigInteger(), nullable=False),
        sa.Column("sha256", sa.String(), nullable=True),
        sa.Column("width", sa.Integer(), nullable=True),
        sa.Column("height", sa.Integer(), nullable=True),
        sa.Column("unreadable", sa.String(), nullable=True),
        sa.Column("inspected_at", sa.DateTime(), nullable=True),
        sa.Column("registered_at", sa.DateTime(), nullable=False),
        sa.Column("missing_since", sa.DateTime(), nullable=True),
        sa.CheckConstraint("given IN ('positive', 'negative')", name=op.f("ck_images_given")),
        sa.ForeignKeyConstraint(["dataset_id"], ["datasets.id"], name=op.f("fk_images_dataset_id_datasets")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_images")),
        sa.UniqueConstraint("dataset_id", "path", name=op.f("uq_images_dataset_id_path")),
    )
    with op.batch_alter_table("images", schema=None) as batch_op:
        batch_op.create_index(
            batch_op.f("ix_images_dataset_id_given_missing_since_unreadable"),
            ["dataset_id", "given", "missing_since", "unreadable"],
            unique=False,
        )
        batch_op.create_index(batch_op.f("ix_images_dataset_id_sha256"), ["dataset_id", "sha256"], unique=False)

    op.create_table(
        "relocations",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("dataset_id", sa.Integer(), nullable=False),
        sa.Column("target", sa.String(), nullable=False),
        sa.Column("mode", sa.String(), nullable=False),
        sa.Column("status", sa.String(), nullable=False),
        sa.Column("apply_requested", sa.Boolean(), nullable=False),
        sa.Column("worker_id", sa.Integer(), nullable=True),
        sa.Column("bytes", sa.BigInteger(), nullable=False),
        sa.Column("collisions", sa.Integer(), nullable=False),
        sa.Column("sign_off", sa.JSON(), nullable=True),
        sa.Column("earlier_id", sa.Integer(), nullable=True),
        sa.Column("made_folders", sa.JSON(), nullable=False),
        sa.Column("published", sa.JSON(), nullable=False),
        sa.Column("error", sa.String(), nullable=True),
        sa.Column("created_at", sa.DateTime(), nullable=False),
        sa.Column("finished_at", sa.DateTime(), nullable=True),
        sa.CheckConstraint("mode IN ('copy', 'hardlink', 'reflink', 'move')", name=op.f("ck_relocations_mode")),
        sa.CheckConstraint(
            "status IN ('planning', 'planned', 'running', 'done', 'partly_failed', 'undoing', 'undone')",
            name=op.f("ck_relocations_status"),
        ),
        sa.ForeignKeyConstraint(["dataset_id"], ["datasets.id"], name=op.f("fk_relocations_dataset_id_datasets")),
        sa.ForeignKeyConstraint(["earlier_id"], ["relocations.id"], name=op.f("fk_relocations_earlier_id_relocations")),
        sa.ForeignKeyConstraint(["worker_id"], ["workers.id"], name=op.f("fk_relocations_worker_id_workers")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_relocations")),
    )
    with op.batch_alter_table("relocations", schema=None) as batch_op:
        batch_op.create_index(batch_op.f("ix_relocations_dataset_id"), ["dataset_id"], unique=False)
        batch_op.create_index(batch_op.f("ix_relocations_target"), ["target"], unique=False)

    op.create_table(
        "scans",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("dataset_id", sa.Integer(), nullable=False),
        sa.Column("status", sa.String(), nullable=False),
        sa.Column("worker_id", sa.Integer(), nullable=True),
        sa.Column("total", sa.Integer(), nullable=False),
        sa.Column("scored", sa.Integer(), nullable=False),
        sa.Column("reused", sa.Integer(), nullable=False),
        sa.Column("unreadable", sa.Integer(), nullable=False),
        sa.Column("images_per_s", sa.Double(), nullable=True),
        sa.Column("detector_id", sa.Integer(), nullable=True),
        sa.Column("detector", sa.JSON(), nullable=True),
        sa.Column("cancel_requested", sa.Boolean(), nullable=False),
        sa.Column("error", sa.String(), nullable=True),
        sa.Column("queued_at", sa.DateTime(), nullable=False),
        sa.Column("started_at", sa.DateTime(), nullable=True),
        sa.Column("finished_at", sa.DateTime(), nullable=True),
        sa.CheckConstraint(
            "status IN ('queued', 'running', 'done', 'failed', 'cancelled')", name=op.f("ck_scans_status")
        ),
        sa.ForeignKeyConstraint(["dataset_id"], ["datasets.id"], name=op.f("fk_scans_dataset_id_datasets")),
        sa.ForeignKeyConstraint(["detector_id"], ["detectors.id"], name=op.f("fk_scans_detector_id_detectors")),
        sa.ForeignKeyConstraint(["worker_id"], ["workers.id"], name=op.f("fk_scans_worker_id_workers")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_scans")),
    )
    with op.batch_alter_table("scans", schema=None) as batch_op:
        batch_op.create_index(batch_op.f("ix_scans_dataset_id"), ["dataset_id"], unique=False)
        batch_op.create_index(
            "uq_scans_open",
            ["dataset_id"],
            unique=True,
            sqlite_where=sa.text("status IN ('queued', 'running')"),
            postgresql_where=sa.text("status IN ('queued', 'running')"),
        )

    op.create_table(
        "sign_offs",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("dataset_id", sa.Integer(), nullable=False),
        sa.Column("by", sa.String(), nullable=False),
        sa.Column("at", sa.DateTime(), nullable=False),
        sa.Column("images", sa.Integer(), nullable=False),
        sa.Column("bound", sa.String(), nullable=False),
        sa.Column("withdrawn_at", sa.DateTime(), nullable=True),
        sa.ForeignKeyConstraint(["dataset_id"], ["datasets.id"], name=op.f("fk_sign_offs_dataset_id_datasets")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_sign_offs")),
    )
    with op.batch_alter_table("sign_offs", schema=None) as batch_op:
        batch_op.create_index(batch_op.f("ix_sign_offs_dataset_id"), ["dataset_id"], unique=False)

    op.create_table(
        "detections",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("image_id", sa.Integer(), nullable=False),
        sa.Column("detector_id", sa.Integer(), nullable=False),
        sa.Column("x0", sa.Double(), nullable=False),
        sa.Column("y0", sa.Double(), nullable=False),
        sa.Column("x1", sa.Double(), nullable=False),
        sa.Column("y1", sa.Double(), nullable=False),
        sa.Column("confidence", sa.Double(), nullable=False),
        sa.Column("class_name", sa.String(), nullable=False),
        sa.ForeignKeyConstraint(["detector_id"], ["detectors.id"], name=op.f("fk_detections_detector_id_detectors")),
        sa.ForeignKeyConstraint(["image_id"], ["images.id"], name=op.f("fk_detections_image_id_images")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_detections")),
    )
    with op.batch_alter_table("detections", schema=None) as batch_op:
        batch_op.create_index(
            batch_op.f("ix_detections_image_id_detector_id"), ["image_id", "detector_id"], unique=False
        )

    op.create_table(
        "leases",
        sa.Column("image_id", sa.Integer(), nullable=False),
        sa.Column("dataset_id", sa.Integer(), nullable=False),
        sa.Column("client", sa.String(), nullable=False),
        sa.Column("position", sa.Integer(), nullable=False),
        sa.Column("expires_at", sa.DateTime(), nullable=False),
        sa.ForeignKeyConstraint(["dataset_id"], ["datasets.id"], name=op.f("fk_leases_dataset_id_datasets")),
        sa.ForeignKeyConstraint(["image_id"], ["images.id"], name=op.f("fk_leases_image_id_images")),
        sa.PrimaryKeyConstraint("image_id", name=op.f("pk_leases")),
    )
    with op.batch_alter_table("leases", schema=None) as batch_op:
        batch_op.create_index(batch_op.f("ix_leases_dataset_id_client"), ["dataset_id", "client"], unique=False)

    op.create_table(
        "moves",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("relocation_id", sa.Integer(), nullable=False),
        sa.Column("image_id", sa.Integer(), nullable=False),
        sa.Column("action", sa.String(), nullable=False),
        sa.Column("source", sa.String(), nullable=False),
        sa.Column("destination", sa.String(), nullable=False),
        sa.Column("sha256", sa.String(), nullable=False),
        sa.Column("size_bytes", sa.BigInteger(), nullable=False),
        sa.Column("final", sa.String(), nullable=False),
        sa.Column("collision", sa.Boolean(), nullable=False),
        sa.Column("state", sa.String(), nullable=False),
        sa.Column("error", sa.String(), nullable=True),
        sa.Column("error_code", sa.String(), nullable=True),
        sa.Column("manifest", sa.JSON(), nullable=False),
        sa.CheckConstraint("action IN ('place', 'withdraw')", name=op.f("ck_moves_action")),
        sa.CheckConstraint("final IN ('positive', 'negative')", name=op.f("ck_moves_final")),
        sa.CheckConstraint(
            "state IN ('planned', 'started', 'done', 'failed', 'skipped', 'undone')", name=op.f("ck_moves_state")
        ),
        sa.ForeignKeyConstraint(["image_id"], ["images.id"], name=op.f("fk_moves_image_id_images")),
        sa.ForeignKeyConstraint(["relocation_id"], ["relocations.id"], name=op.f("fk_moves_relocation_id_relocations")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_moves")),
    )
    with op.batch_alter_table("moves", schema=None) as batch_op:
        batch_op.create_index(batch_op.f("ix_moves_image_id"), ["image_id"], unique=False)
        batch_op.create_index(
            batch_op.f("ix_moves_relocation_id_destination"), ["relocation_id", "destination"], unique=False
        )
        batch_op.create_index(batch_op.f("ix_moves_relocation_id_state"), ["relocation_id", "state"], unique=False)

    op.create_table(
        "omissions",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("relocation_id", sa.Integer(), nullable=False),
        sa.Column("image_id", sa.Integer(), nullable=False),
        sa.Column("source", sa.String(), nullable=False),
        sa.Column("reason", sa.String(), nullable=False),
        sa.ForeignKeyConstraint(["image_id"], ["images.id"], name=op.f("fk_omissions_image_id_images")),
        sa.ForeignKeyConstraint(
            ["relocation_id"], ["relocations.id"], name=op.f("fk_omissions_relocation_id_relocations")
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_omissions")),
    )
    with op.batch_alter_table("omissions", schema=None) as batch_op:
        batch_op.create_index(
            batch_op.f("ix_omissions_relocation_id_reason"), ["relocation_id", "reason"], unique=False
        )

    op.create_table(
        "reviews",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("image_id", sa.Integer(), nullable=False),
        sa.Column("dataset_id", sa.Integer(), nullable=False),
        sa.Column("ordinal", sa.Integer(), nullable=False),
        sa.Column("verdict", sa.String(), nullable=True),
        sa.Column("undoes", sa.Integer(), nullable=True),
        sa.Column("reviewer", sa.String(), nullable=False),
        sa.Column("reviewed_at", sa.DateTime(), nullable=False),
        sa.Column("spent_ms", sa.Integer(), nullable=True),
        sa.Column("boxes", sa.JSON(), nullable=True),
        sa.Column("image_sha256", sa.String(), nullable=True),
        sa.Column("request_id", sa.String(), nullable=True),
        sa.Column("batch_id", sa.String(), nullable=True),
        sa.Column("source", sa.String(), nullable=False),
        sa.CheckConstraint(
            "verdict IS NULL OR verdict IN ('positive', 'negative', 'unsure', 'discard')",
            name=op.f("ck_reviews_verdict"),
        ),
        sa.CheckConstraint("(verdict IS NULL) <> (undoes IS NULL)", name=op.f("ck_reviews_verdict_or_undo")),
        sa.ForeignKeyConstraint(["dataset_id"], ["datasets.id"], name=op.f("fk_reviews_dataset_id_datasets")),
        sa.ForeignKeyConstraint(["image_id"], ["images.id"], name=op.f("fk_reviews_image_id_images")),
        sa.ForeignKeyConstraint(["undoes"], ["reviews.id"], name=op.f("fk_reviews_undoes_reviews")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_reviews")),
        sa.UniqueConstraint("image_id", "ordinal", name=op.f("uq_reviews_image_id_ordinal")),
        sa.UniqueConstraint("request_id", name=op.f("uq_reviews_request_id")),
        sa.UniqueConstraint("undoes", name=op.f("uq_reviews_undoes")),
    )
    with op.batch_alter_table("reviews", schema=None) as batch_op:
        batch_op.create_index(batch_op.f("ix_reviews_batch_id"), ["batch_id"], unique=False)
        batch_op.create_index(
            batch_op.f("ix_reviews_dataset_id_reviewer_id"), ["dataset_id", "reviewer", "id"], unique=False
        )

    op.create_table(
        "scores",
        sa.Column("image_id", sa.Integer(), nullable=False),
        sa.Column("detector_id", sa.Integer(), nullable=False),
        sa.Column("dataset_id", sa.Integer(), nullable=False),
        sa.Column("given", sa.String(), nullable=False),
        sa.Column("scan_id", sa.Integer(), nullable=False),
        sa.Column("sha256", sa.String(), nullable=False),
        sa.Column("score", sa.Double(), nullable=False),
        sa.Column("scored_at", sa.DateTime(), nullable=False),
        sa.CheckConstraint("given IN ('positive', 'negative')", name=op.f("ck_scores_given")),
        sa.CheckConstraint("score >= 0 AND score <= 1", name=op.f("ck_scores_score")),
        sa.ForeignKeyConstraint(["dataset_id"], ["datasets.id"], name=op.f("fk_scores_dataset_id_datasets")),
        sa.ForeignKeyConstraint(["detector_id"], ["detectors.id"], name=op.f("fk_scores_detector_id_detectors")),
        sa.ForeignKeyConstraint(["image_id"], ["images.id"], name=op.f("fk_scores_image_id_images")),
        sa.ForeignKeyConstraint(["scan_id"], ["scans.id"], name=op.f("fk_scores_scan_id_scans")),
        sa.PrimaryKeyConstraint("image_id", "detector_id", name=op.f("pk_scores")),
    )
    with op.batch_alter_table("scores", schema=None) as batch_op:
        batch_op.create_index(
            "ix_scores_queue", ["dataset_id", "detector_id", "given", "score", "image_id"], unique=False
        )
        batch_op.create_index(batch_op.f("ix_scores_scan_id"), ["scan_id"], unique=False)

    op.create_table(
        "signed_images",
        sa.Column("sign_off_id", sa.Integer(), nullable=False),
        sa.Column("image_id", sa.Integer(), nullable=False),
        sa.Column("sha256", sa.String(), nullable=False),
        sa.ForeignKeyConstraint(["image_id"], ["images.id"], name=op.f("fk_signed_images_image_id_images")),
        sa.ForeignKeyConstraint(["sign_off_id"], ["sign_offs.id"], name=op.f("fk_signed_images_sign_off_id_sign_offs")),
        sa.PrimaryKeyConstraint("sign_off_id", "image_id", name=op.f("pk_signed_images")),
    )
    with op.batch_alter_table("signed_images", schema=None) as batch_op:
        batch_op.create_index(batch_op.f("ix_signed_images_image_id"), ["image_id"], unique=False)

    op.create_table(
        "standings",
        sa.Column("image_id", sa.Integer(), nullable=False),
        sa.Column("dataset_id", sa.Integer(), nullable=False),
        sa.Column("latest_review_id", sa.Integer(), nullable=False),
        sa.Column("effective_review_id", sa.Integer(), nullable=True),
        sa.Column("verdict", sa.String(), nullable=True),
        sa.Column("reviewed_at", sa.DateTime(), nullable=True),
        sa.Column("image_sha256", sa.String(), nullable=True),
        sa.CheckConstraint(
            "verdict IS NULL OR verdict IN ('positive', 'negative', 'unsure', 'discard')",
            name=op.f("ck_standings_verdict"),
        ),
        sa.ForeignKeyConstraint(["dataset_id"], ["datasets.id"], name=op.f("fk_standings_dataset_id_datasets")),
        sa.ForeignKeyConstraint(
            ["effective_review_id"], ["reviews.id"], name=op.f("fk_standings_effective_review_id_reviews")
        ),
        sa.ForeignKeyConstraint(["image_id"], ["images.id"], name=op.f("fk_standings_image_id_images")),
        sa.ForeignKeyConstraint(
            ["latest_review_id"], ["reviews.id"], name=op.f("fk_standings_latest_review_id_reviews")
        ),
        sa.PrimaryKeyConstraint("image_id", name=op.f("pk_standings")),
    )
    with op.batch_alter_table("standings", schema=None) as batch_op:
        batch_op.create_index(
            batch_op.f("ix_standings_dataset_id_reviewed_at_image_id"),
            ["dataset_id", "reviewed_at", "image_id"],
            unique=False,
        )
        batch_op.create_index(batch_op.f("ix_standings_dataset_id_verdict"), ["dataset_id", "verdict"], unique=False)


def downgrade() -> None:
    with op.batch_alter_table("standings", schema=None) as batch_op:
        batch_op.drop_index(batch_op.f("ix_standings_dataset_id_verdict"))
        batch_op.drop_index(batch_op.f("ix_standings_dataset_id_reviewed_at_image_id"))

    op.drop_table("standings")
    with op.batch_alter_table("signed_images", schema=None) as batch_op:
        batch_op.drop_index(batch_op.f("ix_signed_images_image_id"))

    op.drop_table("signed_images")
    with op.batch_alter_table("scores", schema=None) as batch_op:
        batch_op.drop_index(batch_op.f("ix_scores_scan_id"))
        batch_op.drop_index("ix_scores_queue")

    op.drop_table("scores")
    with op.batch_alter_table("reviews", schema=None) as batch_op:
        batch_op.drop_index(batch_op.f("ix_reviews_dataset_id_reviewer_id"))
        batch_op.drop_index(batch_op.f("ix_reviews_batch_id"))

    op.drop_table("reviews")
    with op.batch_alter_table("omissions", schema=None) as batch_op:
        batch_op.drop_index(batch_op.f("ix_omissions_relocation_id_reason"))

    op.drop_table("omissions")
    with op.batch_alter_table("moves", schema=None) as batch_op:
        batch_op.drop_index(batch_op.f("ix_moves_relocation_id_state"))
        batch_op.drop_index(batch_op.f("ix_moves_relocation_id_destination"))
        batch_op.drop_index(batch_op.f("ix_moves_image_id"))

    op.drop_table("moves")
    with op.batch_alter_table("leases", schema=None) as batch_op:
        batch_op.drop_index(batch_op.f("ix_leases_dataset_id_client"))

    op.drop_table("leases")
    with op.batch_alter_table("detections", schema=None) as batch_op:
        batch_op.drop_index(batch_op.f("ix_detections_image_id_detector_id"))

    op.drop_table("detections")
    with op.batch_alter_table("sign_offs", schema=None) as batch_op:
        batch_op.drop_index(batch_op.f("ix_sign_offs_dataset_id"))

    op.drop_table("sign_offs")
    with op.batch_alter_table("scans", schema=None) as batch_op:
        batch_op.drop_index(
            "uq_scans_open",
            sqlite_where=sa.text("status IN ('queued', 'running')"),
            postgresql_where=sa.text("status IN ('queued', 'running')"),
        )
        batch_op.drop_index(batch_op.f("ix_scans_dataset_id"))

    op.drop_table("scans")
    with op.batch_alter_table("relocations", schema=None) as batch_op:
        batch_op.drop_index(batch_op.f("ix_relocations_target"))
        batch_op.drop_index(batch_op.f("ix_relocations_dataset_id"))

    op.drop_table("relocations")
    with op.batch_alter_table("images", schema=None) as batch_op:
        batch_op.drop_index(batch_op.f("ix_images_dataset_id_sha256"))
        batch_op.drop_index(batch_op.f("ix_images_dataset_id_given_missing_since_unreadable"))

    op.drop_table("images")
    with op.batch_alter_table("ignored_files", schema=None) as batch_op:
        batch_op.drop_index(batch_op.f("ix_ignored_files_dataset_id_id"))

    op.drop_table("ignored_files")
    with op.batch_alter_table("exports", schema=None) as batch_op:
        batch_op.drop_index(batch_op.f("ix_exports_dataset_id"))

    op.drop_table("exports")
    with op.batch_alter_table("arrivals", schema=None) as batch_op:
        batch_op.drop_index(batch_op.f("ix_arrivals_walk_shuffle"))

    op.drop_table("arrivals")
    op.drop_table("datasets")
    op.drop_table("workers")
    op.drop_table("detectors")
