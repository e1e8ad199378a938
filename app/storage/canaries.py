"""A few images of a dataset to compare engines on."""

from sqlalchemy import select
from sqlalchemy.orm import Session

from app.domain.images import Side
from app.storage.tables import ImageRow


def first_readable(session: Session, dataset_id: int, given: Side, limit: int) -> list[str]:
    """Paths of the first images of a given label by id, none of which is missing or known to be unreadable."""
    return list(
        session.scalars(
            select(ImageRow.path)
            .where(
                ImageRow.dataset_id == dataset_id,
                ImageRow.given == given,
                ImageRow.missing_since.is_(None),
                ImageRow.unreadable.is_(None),
            )
            .order_by(ImageRow.id)
            .limit(limit)
        )
    )
