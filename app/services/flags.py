"""The flags of a stored image."""

from app.domain.flagging import Copies, Flag, find_flags
from app.storage.datasets import Dataset
from app.storage.images import ImageRecord


def flags_of(record: ImageRecord, dataset: Dataset, elsewhere: Copies | None) -> tuple[Flag, ...]:
    """Its flags under the dataset's threshold; ``elsewhere`` are its exact copies in the other folder."""
    return find_flags(
        record.given, record.score, dataset.threshold, dataset.labels, record.unreadable, elsewhere, record.doubt
    )
