"""The tables of what is learned from verdicts, and of what it is learned from."""

from datetime import datetime
from typing import Any

from sqlalchemy import JSON, ForeignKey, LargeBinary
from sqlalchemy.orm import Mapped, mapped_column

from app.storage.tables import Base


class FeatureRow(Base):
    """What a detector's encoder makes of an image, pooled, and how good the picture is.

    A row is there only while the score is. Detectors that give no features have none.
    """

    __tablename__ = "features"

    image_id: Mapped[int] = mapped_column(ForeignKey("images.id"), primary_key=True)
    detector_id: Mapped[int] = mapped_column(ForeignKey("detectors.id"), primary_key=True)
    vector: Mapped[bytes] = mapped_column(LargeBinary)  #: float16, little-endian
    brightness: Mapped[float]  #: mean, 0..1
    sharpness: Mapped[float]  #: mean step between neighbouring pixels, 0..1


class FitRow(Base):
    """The latest fit of a dataset: what of ``scores`` follows from it, and how good it is."""

    __tablename__ = "fits"

    dataset_id: Mapped[int] = mapped_column(ForeignKey("datasets.id"), primary_key=True)
    detector_id: Mapped[int] = mapped_column(ForeignKey("detectors.id"))  #: whose scores it ranks
    target: Mapped[float]  #: the threshold by which ``scores.flagged`` is written, in new rows and in old ones
    threshold: Mapped[float | None]  #: the same once all rows follow it; None on the way there
    verdicts: Mapped[int]  #: that stood when it was made
    report: Mapped[dict[str, Any]] = mapped_column(JSON)
    fitted_at: Mapped[datetime]
