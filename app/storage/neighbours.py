"""The files before and after one, by path: keyset reads along the unique index of dataset and path."""

from dataclasses import dataclass

from sqlalchemy import and_, select
from sqlalchemy.orm import Session

from app.domain.reviewing import Verdict
from app.storage.tables import DatasetRow, ImageRow, ScoreRow, StandingRow

LOOKED_AT = 8  #: rows read for each one wanted: files of sub-folders lie between those of their folder


@dataclass(frozen=True, slots=True)
class Neighbour:
    """A file near another one."""

    id: int
    path: str
    sha256: str | None
    score: float | None
    verdict: Verdict | None


def find_neighbours(session: Session, dataset_id: int, path: str, limit: int, *, backwards: bool) -> list[Neighbour]:
    """The ``limit`` nearest readable files of the same folder before or after a path, in the order of paths."""
    order = ImageRow.path.desc() if backwards else ImageRow.path
    rows = session.execute(
        select(ImageRow.id, ImageRow.path, ImageRow.sha256, ScoreRow.score, StandingRow.verdict)
        .join(DatasetRow, DatasetRow.id == ImageRow.dataset_id)
        .outerjoin(ScoreRow, and_(ScoreRow.image_id == ImageRow.id, ScoreRow.detector_id == DatasetRow.detector_id))
        .outerjoin(StandingRow, StandingRow.image_id == ImageRow.id)
        .where(
            ImageRow.dataset_id == dataset_id,
            ImageRow.path < path if backwards else ImageRow.path > path,
            ImageRow.missing_since.is_(None),
            ImageRow.unreadable.is_(None),
        )
        .order_by(order)
        .limit(limit * LOOKED_AT)
    ).all()
    folder = path.rpartition("/")[0]
    near = [row for row in rows if row.path.rpartition("/")[0] == folder][:limit]
    found = [
        Neighbour(row.id, row.path, row.sha256, row.score, None if row.verdict is None else Verdict(row.verdict))
        for row in near
    ]
    return found[::-1] if backwards else found
