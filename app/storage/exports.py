"""Queries on exports."""

from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import insert, select, update
from sqlalchemy.orm import Session

from app.domain.exporting import ExportFormat
from app.storage.datasets import MAX_ID
from app.storage.tables import ExportRow


@dataclass(frozen=True, slots=True)
class Export:
    """An export and what became of it."""

    id: int
    dataset_id: int
    format: ExportFormat
    status: str
    path: str | None
    sha256: str | None
    bytes: int | None
    worker_id: int | None
    error: str | None
    created_at: datetime
    finished_at: datetime | None


def _export(row: ExportRow) -> Export:
    return Export(
        id=row.id,
        dataset_id=row.dataset_id,
        format=ExportFormat(row.format),
        status=row.status,
        path=row.path,
        sha256=row.sha256,
        bytes=row.bytes,
        worker_id=row.worker_id,
        error=row.error,
        created_at=row.created_at,
        finished_at=row.finished_at,
    )


def insert_export(session: Session, **values: Any) -> int:
    """Add an export; its id."""
    return session.execute(insert(ExportRow).values(**values).returning(ExportRow.id)).scalar_one()


def update_export(session: Session, export_id: int, **values: Any) -> None:
    """Change columns of an export."""
    session.execute(update(ExportRow).where(ExportRow.id == export_id).values(**values))


def find_export(session: Session, export_id: int) -> Export | None:
    """One export."""
    if not 0 < export_id <= MAX_ID:
        return None
    row = session.get(ExportRow, export_id)
    return None if row is None else _export(row)


def list_exports(session: Session, dataset_id: int, limit: int = 50) -> list[Export]:
    """Exports of a dataset, newest first."""
    rows = session.scalars(
        select(ExportRow).where(ExportRow.dataset_id == dataset_id).order_by(ExportRow.id.desc()).limit(limit)
    )
    return [_export(row) for row in rows]


def list_open_exports(session: Session) -> list[Export]:
    """Queued and running exports, oldest first."""
    rows = session.scalars(select(ExportRow).where(ExportRow.status.in_(("queued", "running"))).order_by(ExportRow.id))
    return [_export(row) for row in rows]
