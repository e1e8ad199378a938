"""Rows by the thousand, for benchmarks that need a full database and not the files behind it."""

from collections.abc import Sequence
from typing import Any

from sqlalchemy import insert, select
from sqlalchemy.orm import Session

from app.storage.tables import DetectionRow, ImageRow, NearDuplicateRow, ReviewRow, ScanRow, ScoreRow, StandingRow

TABLES = {
    "images": ImageRow,
    "near_duplicates": NearDuplicateRow,
    "scores": ScoreRow,
    "detections": DetectionRow,
    "reviews": ReviewRow,
    "standings": StandingRow,
    "scans": ScanRow,
}


def insert_rows(session: Session, table: str, rows: Sequence[dict[str, Any]]) -> None:
    """Add rows to one of :data:`TABLES`, as they are."""
    if rows:
        session.execute(insert(TABLES[table]), rows)


def images_of(session: Session, dataset_id: int) -> list[tuple[int, str, str]]:
    """``(id, given, sha256)`` of a small dataset's images."""
    rows = session.execute(
        select(ImageRow.id, ImageRow.given, ImageRow.sha256).where(ImageRow.dataset_id == dataset_id)
    )
    return [(row.id, row.given, row.sha256 or "") for row in rows]
