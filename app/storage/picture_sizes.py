"""Sums over the widths and heights of a dataset's images."""

from dataclasses import dataclass
from typing import Any

from sqlalchemy import ColumnElement, and_, case, func, or_, select
from sqlalchemy.orm import Session

from app.storage.tables import ImageRow, ScoreRow


@dataclass(frozen=True, slots=True)
class ShrunkPixels:
    """Pixels of all images that a scan will look at, each shrunk to a size of rendition."""

    tile: float
    screen: float  #: only of images that are larger than the screen


def sum_shrunk_pixels(
    session: Session, dataset_id: int, detector_id: int | None, tile_px: int, screen_px: int
) -> ShrunkPixels:
    """Add up a dataset's pending images, shrunk to at most so many pixels on their longer side.

    Images whose size is not known yet count as the mean of those whose size is; with none known, as square tiles.
    """
    longer = case((ImageRow.width >= ImageRow.height, ImageRow.width), else_=ImageRow.height)
    images, known, tiles, screens = session.execute(
        select(
            func.count(),
            func.count(ImageRow.width),
            func.coalesce(func.sum(_shrunk(longer, tile_px)), 0.0),
            func.coalesce(func.sum(case((longer > screen_px, _shrunk(longer, screen_px)), else_=0.0)), 0.0),
        )
        .select_from(ImageRow)
        .outerjoin(ScoreRow, and_(ScoreRow.image_id == ImageRow.id, ScoreRow.detector_id == detector_id))
        .where(
            ImageRow.dataset_id == dataset_id,
            ImageRow.missing_since.is_(None),
            or_(ScoreRow.image_id.is_(None), ImageRow.inspected_at.is_(None)),
        )
    ).one()
    if not known:
        return ShrunkPixels(float(images * tile_px * tile_px), 0.0)
    return ShrunkPixels(float(tiles * images / known), float(screens * images / known))


def _shrunk(longer: ColumnElement[Any], side_px: int) -> ColumnElement[Any]:
    ratio = case((longer > side_px, side_px * 1.0 / longer), else_=1.0)
    return ImageRow.width * ImageRow.height * ratio * ratio
