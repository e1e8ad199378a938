"""Lists of images that people want to find again."""

from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import delete, insert, select
from sqlalchemy.exc import IntegrityError
from sqlalchemy.orm import Session

from app.storage.datasets import MAX_ID
from app.storage.tables import SavedFilterRow


@dataclass(frozen=True, slots=True)
class SavedFilter:
    """A name for a query string of the page of images; ``query`` is without the dataset."""

    id: int
    dataset_id: int
    name: str
    query: str
    made_by: str
    created_at: datetime


def list_filters(session: Session, dataset_id: int, limit: int) -> list[SavedFilter]:
    """A dataset's saved filters by name."""
    rows = session.scalars(
        select(SavedFilterRow).where(SavedFilterRow.dataset_id == dataset_id).order_by(SavedFilterRow.name).limit(limit)
    )
    return [_filter(row) for row in rows]


def find_filter(session: Session, filter_id: int) -> SavedFilter | None:
    """One saved filter."""
    row = session.get(SavedFilterRow, filter_id) if 0 < filter_id <= MAX_ID else None
    return None if row is None else _filter(row)


def insert_filter(session: Session, **values: Any) -> int | None:
    """Save one; None if its dataset has one of that name already."""
    try:
        with session.begin_nested():
            return session.execute(insert(SavedFilterRow).values(**values).returning(SavedFilterRow.id)).scalar_one()
    except IntegrityError:
        return None


def delete_filter(session: Session, filter_id: int) -> None:
    """Forget one."""
    session.execute(delete(SavedFilterRow).where(SavedFilterRow.id == filter_id))


def _filter(row: SavedFilterRow) -> SavedFilter:
    return SavedFilter(row.id, row.dataset_id, row.name, row.query, row.made_by, row.created_at)
