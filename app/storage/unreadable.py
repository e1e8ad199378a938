"""Queries on images that cannot be decoded."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from sqlalchemy import ColumnElement, select, update
from sqlalchemy.orm import Session

from app.domain.images import Side
from app.storage.tables import ImageRow


@dataclass(frozen=True, slots=True)
class Unreadable:
    """An image that could not be decoded, with the reason of the last try."""

    image_id: int
    path: str
    reason: str
    waiting: bool  #: for the next scan to look at it again


def _is_unreadable(dataset_id: int) -> tuple[ColumnElement[bool], ...]:
    return (
        ImageRow.dataset_id == dataset_id,
        ImageRow.given.in_(list(Side)),  # every image; named so that an index leads to the few, not past all others
        ImageRow.missing_since.is_(None),
        ImageRow.unreadable.is_not(None),
    )


def list_unreadable(session: Session, dataset_id: int, after: int, limit: int) -> list[Unreadable]:
    """Unreadable images by id, after an id."""
    rows = session.execute(
        select(ImageRow.id, ImageRow.path, ImageRow.unreadable, ImageRow.inspected_at)
        .where(*_is_unreadable(dataset_id), ImageRow.id > after)
        .order_by(ImageRow.id)
        .limit(limit)
    )
    return [Unreadable(row.id, row.path, row.unreadable or "", row.inspected_at is None) for row in rows]


def forget_inspections(session: Session, dataset_id: int, image_ids: Sequence[int] | None) -> int:
    """Let the next scan look again at unreadable images, all or some; how many they are.

    The reason of the last try stays until then: nothing is known of the file that would make it readable.
    """
    conditions: list[Any] = [*_is_unreadable(dataset_id)]
    if image_ids is not None:
        conditions.append(ImageRow.id.in_(image_ids))
    found = session.scalars(
        update(ImageRow)
        .where(*conditions)
        .values(inspected_at=None)
        .returning(ImageRow.id)
        .execution_options(synchronize_session=False)
    )
    return len(found.all())
