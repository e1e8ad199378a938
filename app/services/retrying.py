"""Looking again at images that could not be read, one, some or all."""

from collections.abc import Sequence
from dataclasses import dataclass

from app.config import WorkerSettings
from app.errors import ConflictError, InvalidInputError
from app.services.clock import Clock
from app.services.datasets import get_dataset
from app.services.scans import ScanRequest, request_scan
from app.storage.database import Database
from app.storage.datasets import MAX_ID
from app.storage.unreadable import forget_inspections

MAX_IMAGES = 500


@dataclass(frozen=True, slots=True)
class Retry:
    """How many images are to be looked at again, and the scan that will."""

    images: int
    request: ScanRequest


def retry_unreadable(
    database: Database,
    settings: WorkerSettings,
    clock: Clock,
    reference: str | int,
    image_ids: Sequence[int] | None = None,
) -> Retry:
    """Have the unreadable images of a dataset, all or those of ``image_ids``, looked at by a scan that is queued.

    A scan that runs already is given instead; images that it has passed wait for the next.

    Raises:
        NotFoundError: no such dataset.
        ConflictError: none of them is an unreadable image of the dataset.
        InvalidInputError: more than 500 ids.
    """
    if image_ids is not None and len(image_ids) > MAX_IMAGES:
        raise InvalidInputError.on("images", f"name at most {MAX_IMAGES}, or none for all")
    with database.write() as session:
        dataset = get_dataset(session, reference)
        possible = None if image_ids is None else [each for each in image_ids if 0 < each <= MAX_ID]
        images = forget_inspections(session, dataset.id, possible)
    if not images:
        msg = f"{dataset.name}: {'none of these images is' if image_ids else 'no image is'} unreadable"
        raise ConflictError(msg)
    return Retry(images, request_scan(database, settings, clock, dataset.id))
