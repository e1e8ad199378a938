"""Whether the dataset's settings ask a second person to look at an image that is being called."""

from app.domain.reviewing import SECOND_SOURCES, Source, Verdict
from app.domain.second_looks import Reviewing, wants_second
from app.services.images import get_item
from app.storage.database import Session
from app.storage.datasets import find_dataset
from app.storage.images import ImageRecord


def is_second_wanted(session: Session, record: ImageRecord, verdict: Verdict, source: str) -> bool:
    """Whether a verdict given now is to be followed by another person's; a second or settling one never is."""
    dataset = find_dataset(session, record.dataset_id)
    if dataset is None or not dataset.reviewing.is_on or source in (*SECOND_SOURCES, Source.SETTLE):
        return False
    reviewing = dataset.reviewing
    return wants_second(reviewing, record.id, verdict, find_reasons(session, record.id, reviewing))


def find_reasons(session: Session, image_id: int, reviewing: Reviewing) -> list[str]:
    """An image's flags, if any setting asks for them."""
    return [flag.reason for flag in get_item(session, image_id).flags] if reviewing.reasons else []
