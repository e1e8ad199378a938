"""Sums over the widths and heights of a dataset's images."""

from dataclasses import dataclass
from typing import Any

from sqlalchemy import ColumnElement, and_, case, func, or_, select
from sqlalchemy.orm import Session

from app.storage.images import of_dataset_by_id
from app.storage.tables import ImageRow, ScoreRow

SAMPLED = 10_000


@dataclass(frozen=True, slots=True)
class ShrunkPixels:
    """Pixels of some images that a scan will look at, each shrunk to a size of rendition, of how many images."""

    tile: float
    screen: float  #: only of images that are larger than the screen
    sampled: int  #: images that were looked at, whether a scan will look at them or not


def sum_shrunk_pixels(
    session: Session, dataset_id: int, detector_id: int | None, tile_px: int, screen_px: int
) -> ShrunkPixels:
    """Add up the pending ones of the first images of a dataset, shrunk to at most so many pixels on their longer side.

    Ids say nothing of folder or name, so the first :data:`SAMPLED` images by id speak for all.
    Images whose size is not known yet count as the mean of those whose size is; with none known, as square tiles.
    """
    some = (
        select(ImageRow.id, ImageRow.width, ImageRow.height, ImageRow.inspected_at, ScoreRow.image_id.label("scored"))
        .outerjoin(ScoreRow, and_(ScoreRow.image_id == ImageRow.id, ScoreRow.detector_id == detector_id))
        .where(of_dataset_by_id(dataset_id), ImageRow.missing_since.is_(None))
        .order_by(ImageRow.id)
        .limit(SAMPLED)
        .subquery()
    )
    longer = case((some.c.width >= some.c.height, some.c.width), else_=some.c.height)
    pending = or_(some.c.scored.is_(None), some.c.inspected_at.is_(None))

    def total(value: ColumnElement[Any]) -> ColumnElement[Any]:
        return func.coalesce(func.sum(case((pending, value), else_=0.0)), 0.0)

    tiles = _shrunk(some, longer, tile_px)
    screens = case((longer > screen_px, _shrunk(some, longer, screen_px)), else_=0.0)
    sampled, images, known, tile, screen = session.execute(
        select(
            func.count(),
            func.count(case((pending, some.c.id))),
            func.count(case((pending, some.c.width))),
            total(tiles),
            total(screens),
        )
    ).one()
    if not known:
        return ShrunkPixels(float(images * tile_px * tile_px), 0.0, sampled)
    return ShrunkPixels(float(tile * images / known), float(screen * images / known), sampled)


def _shrunk(some: Any, longer: ColumnElement[Any], side_px: int) -> ColumnElement[Any]:
    ratio = case((longer > side_px, side_px * 1.0 / longer), else_=1.0)
    shrunk: ColumnElement[Any] = some.c.width * some.c.height * ratio * ratio
    return shrunk
