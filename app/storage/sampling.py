"""A few files of a dataset, to be compared with what lies in a folder."""

from sqlalchemy import select
from sqlalchemy.orm import Session

from app.storage.images import of_dataset_by_id
from app.storage.tables import ImageRow


def sample_files(session: Session, dataset_id: int, limit: int) -> list[tuple[str, int, str | None]]:
    """``(path, size, SHA-256)`` of some files that were there at the last walk: a random sample, for ids are shuffled.

    Files that have no readable name, or could not be opened then, are left out.
    """
    rows = session.execute(
        select(ImageRow.path, ImageRow.size_bytes, ImageRow.sha256)
        .where(
            of_dataset_by_id(dataset_id),
            ImageRow.missing_since.is_(None),
            ImageRow.unreadable.is_(None),
        )
        .order_by(ImageRow.id)
        .limit(limit)
    )
    return [(row.path, row.size_bytes, row.sha256) for row in rows]
