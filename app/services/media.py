"""The pictures that the browser shows: the original bytes, and renditions made on demand."""

from dataclasses import dataclass
from io import BufferedReader
from pathlib import Path

from app.config import Settings
from app.errors import ImageUnreadableError, NotFoundError
from app.files.decoding import sniff_media_type
from app.files.opening import open_inside
from app.files.renditions import MEDIA_TYPE, RenditionSize, find_rendition, make_rendition
from app.files.writing import hash_stream
from app.services.datasets import get_dataset
from app.services.images import get_record
from app.storage.database import Database
from app.storage.images import ImageRecord


@dataclass(frozen=True, slots=True)
class OriginalFile:
    """An image's own bytes, open for reading; the caller closes it."""

    file: BufferedReader
    sha256: str
    size_bytes: int
    media_type: str


@dataclass(frozen=True, slots=True)
class Rendition:
    """A smaller upright picture on disk."""

    path: Path
    sha256: str  #: of the source
    media_type: str


def open_original(database: Database, image_id: int) -> OriginalFile:
    """An image's original bytes.

    Raises:
        NotFoundError: no such image, or its file is gone.
    """
    record, root = _locate(database, image_id)
    try:
        file = open_inside(root, record.path)
    except ImageUnreadableError as error:
        msg = f"the file of image {image_id} cannot be read: {error}"
        raise NotFoundError(msg) from error
    head = file.read(32)
    file.seek(0)
    sha256 = hash_stream(file)
    size = file.tell()
    file.seek(0)
    return OriginalFile(file, sha256, size, sniff_media_type(head))


def get_rendition(database: Database, settings: Settings, image_id: int, size: RenditionSize) -> Rendition:
    """A rendition, made if it has not been yet.

    Raises:
        NotFoundError: no such image, or its file is gone or cannot be decoded.
    """
    record, root = _locate(database, image_id)
    folder = settings.data_dir.resolve() / "renditions"
    side_px = settings.review.tile_px if size == "tile" else settings.review.screen_px
    if record.sha256 is not None:
        kept = find_rendition(folder, record.sha256, size, side_px)
        if kept is not None:
            return Rendition(kept, record.sha256, MEDIA_TYPE)
    try:
        path = make_rendition(folder, root, record.path, size, side_px, settings.datasets.max_pixels)
    except ImageUnreadableError as error:
        msg = f"image {image_id} cannot be shown: {error}"
        raise NotFoundError(msg) from error
    return Rendition(path, path.name.partition("-")[0], MEDIA_TYPE)


def _locate(database: Database, image_id: int) -> tuple[ImageRecord, Path]:
    with database.read() as session:
        record = get_record(session, image_id)
        return record, Path(get_dataset(session, record.dataset_id).root)
