"""Sums over the widths and heights of a dataset's images."""

from sqlalchemy import and_, case, func, or_, select
from sqlalchemy.orm import Session

from app.storage.tables import ImageRow, ScoreRow


def sum_shrunk_pixels(
    session: Session, dataset_id: int, detector_id: int | None, side_px: int, larger_than: int
) -> float:
    """Pixels of all images that a scan will look at, each shrunk to at most ``side_px`` on its longer side.

    Only those whose longer side is larger than ``larger_than``. Images whose size is not known yet count as the mean
    of those whose size is; with none known, as square tiles.
    """
    longer = case((ImageRow.width >= ImageRow.height, ImageRow.width), else_=ImageRow.height)
    ratio = case((longer > side_px, side_px * 1.0 / longer), else_=1.0)
    pixels = case((longer > larger_than, ImageRow.width * ImageRow.height * ratio * ratio), else_=0.0)
    images, known, total = session.execute(
        select(func.count(), func.count(ImageRow.width), func.coalesce(func.sum(pixels), 0.0))
        .select_from(ImageRow)
        .outerjoin(ScoreRow, and_(ScoreRow.image_id == ImageRow.id, ScoreRow.detector_id == detector_id))
        .where(
            ImageRow.dataset_id == dataset_id,
            ImageRow.missing_since.is_(None),
            or_(ScoreRow.image_id.is_(None), ImageRow.inspected_at.is_(None)),
        )
    ).one()
    if known:
        return float(total * images / known)
    return 0.0 if larger_than else float(images * side_px * side_px)
