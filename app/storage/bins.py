"""The bin of a score in SQL; see :func:`app.domain.counting.bin_of`."""

from sqlalchemy import ColumnElement, Integer, case, cast, func

from app.domain.counting import BINS, HAIR, UNREADABLE, UNSCORED
from app.storage.tables import ImageRow, ScoreRow


def score_bin() -> ColumnElement[int]:
    """The bin of a score."""
    return cast(case((ScoreRow.score >= 1.0, BINS - 1), else_=func.floor(ScoreRow.score * BINS + HAIR)), Integer)


def image_bin() -> ColumnElement[int]:
    """The bin of an image outer-joined with its score."""
    return case(
        (ImageRow.unreadable.is_not(None), UNREADABLE), (ScoreRow.score.is_(None), UNSCORED), else_=score_bin()
    ).label("bin")
