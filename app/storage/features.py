"""Queries on the features of images, and on all else that is learned from: by id, in parts, as columns."""

from collections.abc import Sequence
from typing import Any

from sqlalchemy import Row, and_, bindparam, func, insert, select, update
from sqlalchemy.orm import Session

from app.storage.learning_tables import FeatureRow
from app.storage.tables import DetectionRow, ImageRow, ScoreRow, StandingRow

CONFIDENCES = 3


def insert_features(session: Session, rows: Sequence[dict[str, Any]]) -> None:
    """Store features beside the scores of the same detector."""
    if rows:
        session.execute(insert(FeatureRow), rows)


def list_scored(session: Session, dataset_id: int, detector_id: int, after: int, limit: int) -> Sequence[Row[Any]]:
    """What is known of scored images but for boxes and features, by id, after an id.

    Rows: ``image_id``, ``given``, ``score``, ``sha256``, ``rank``, ``doubted``, ``flagged``, ``width``, ``height``,
    ``verdict``, ``brightness`` and ``sharpness`` (None without features).
    """
    return session.execute(
        select(
            ScoreRow.image_id,
            ScoreRow.given,
            ScoreRow.score,
            ScoreRow.sha256,
            ScoreRow.rank,
            ScoreRow.doubted,
            ScoreRow.flagged,
            ImageRow.width,
            ImageRow.height,
            StandingRow.verdict,
            FeatureRow.brightness,
            FeatureRow.sharpness,
        )
        .join(ImageRow, ImageRow.id == ScoreRow.image_id)
        .outerjoin(StandingRow, StandingRow.image_id == ScoreRow.image_id)
        .outerjoin(
            FeatureRow,
            and_(FeatureRow.image_id == ScoreRow.image_id, FeatureRow.detector_id == ScoreRow.detector_id),
        )
        .where(
            ScoreRow.dataset_id + 0 == dataset_id,  # by id: an index on the dataset would have to be sorted
            ScoreRow.detector_id == detector_id,
            ScoreRow.image_id > after,
        )
        .order_by(ScoreRow.image_id)
        .limit(limit)
    ).all()  # type: ignore[return-value]


def list_strongest(
    session: Session, detector_id: int, targets: Sequence[str], first: int, last: int
) -> Sequence[Row[Any]]:
    """The strongest boxes of target classes of images ``first..last``: ``image_id``, ``place`` from 1, ``confidence``
    and ``area`` in pixels; at most CONFIDENCES of each image."""
    place = func.row_number().over(partition_by=DetectionRow.image_id, order_by=DetectionRow.confidence.desc())
    ranked = (
        select(
            DetectionRow.image_id,
            DetectionRow.confidence,
            ((DetectionRow.x1 - DetectionRow.x0) * (DetectionRow.y1 - DetectionRow.y0)).label("area"),
            place.label("place"),
        )
        .where(
            DetectionRow.image_id >= first,
            DetectionRow.image_id <= last,
            DetectionRow.detector_id == detector_id,
            DetectionRow.class_name.in_(targets),
        )
        .subquery()
    )
    return session.execute(select(ranked).where(ranked.c.place <= CONFIDENCES)).all()


def read_vectors(session: Session, detector_id: int, image_ids: Sequence[int]) -> dict[int, bytes]:
    """Features by image, of those that have any."""
    rows = session.execute(
        select(FeatureRow.image_id, FeatureRow.vector).where(
            FeatureRow.image_id.in_(image_ids), FeatureRow.detector_id == detector_id
        )
    )
    return {row.image_id: row.vector for row in rows}


def write_ranks(session: Session, detector_id: int, rows: Sequence[dict[str, Any]]) -> None:
    """Store ``rank``, ``doubted`` and ``flagged`` by ``of`` (an image's id)."""
    if rows:
        session.connection().execute(
            update(ScoreRow.__table__)  # type: ignore[arg-type]  # the table itself: many rows by one statement
            .where(ScoreRow.image_id == bindparam("of"), ScoreRow.detector_id == detector_id)
            .values(rank=bindparam("rank_"), doubted=bindparam("doubted_"), flagged=bindparam("flagged_")),
            rows,
        )


def list_open_ranks(session: Session, dataset_id: int, detector_id: int, limit: int) -> list[float]:
    """Ranks of the next flagged images that nobody has called, by the index that the queue reads."""
    return list(
        session.scalars(
            select(ScoreRow.rank)
            .where(
                ScoreRow.dataset_id == dataset_id,
                ScoreRow.detector_id == detector_id,
                ScoreRow.flagged,
                ~ScoreRow.called,
            )
            .order_by(ScoreRow.rank)
            .limit(limit)
        )
    )
