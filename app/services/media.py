"""The pictures that the browser shows: the original bytes, and renditions made on demand."""

from dataclasses import dataclass
from io import BufferedReader
from pathlib import Path, PurePosixPath

from app.config import Settings
from app.errors import ImageUnreadableError, NotFoundError
from app.files.budget import PixelBudget, held
from app.files.decoding import decode_file, hash_bytes, open_bytes, read_inside, sniff_media_type
from app.files.opening import open_inside
from app.files.renditions import MEDIA_TYPE, RenditionSize, cut_square, find_rendition, make_rendition
from app.files.writing import hash_stream
from app.services.datasets import get_dataset
from app.services.images import get_record
from app.services.renditions import rendition_sides, renditions_folder
from app.storage.database import Database
from app.storage.images import ImageRecord

SHOWN_BY_BROWSERS = frozenset({".jpg", ".jpeg", ".jpe", ".jfif", ".webp"})


@dataclass(frozen=True, slots=True)
class OriginalFile:
    """An image's own bytes, open for reading; the caller closes it."""

    file: BufferedReader
    sha256: str
    size_bytes: int
    media_type: str


@dataclass(frozen=True, slots=True)
class Rendition:
    """An upright picture of at most the wanted size: kept on disk, or the image's own bytes where they are that."""

    kept: Path | bytes
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


def get_rendition(
    database: Database, settings: Settings, budget: PixelBudget, image_id: int, size: RenditionSize
) -> Rendition:
    """A rendition, made if it has not been yet. An image that fits the screen as it is, is its own screen picture.

    It waits until ``budget`` has room for the image.

    Raises:
        NotFoundError: no such image, or its file is gone or cannot be decoded.
    """
    record, root = _locate(database, image_id)
    folder, side_px = renditions_folder(settings), rendition_sides(settings)[size]
    if record.sha256 is not None:
        kept = find_rendition(folder, record.sha256, size, side_px)
        if kept is not None:
            return Rendition(kept, record.sha256, MEDIA_TYPE)
    try:
        with held(budget, _weigh(record, root, settings.datasets.max_pixels)):
            original = _show_original(record, root, side_px) if size == "screen" else None
            if original is not None:
                return original
            path = make_rendition(folder, root, record.path, size, side_px, settings.datasets.max_pixels)
    except ImageUnreadableError as error:
        msg = f"image {image_id} cannot be shown: {error}"
        raise NotFoundError(msg) from error
    return Rendition(path, path.name.partition("-")[0], MEDIA_TYPE)


def _weigh(record: ImageRecord, root: Path, max_pixels: int) -> int:
    """Pixels' worth of memory that an image takes: its pixels, or its file's bytes where those are more.

    Raises:
        ImageUnreadableError: nobody has looked at it yet, and it cannot be read.
    """
    if record.width is None or record.height is None:
        pixels = open_bytes(read_inside(root, record.path), PurePosixPath(record.path).suffix, max_pixels).pixels
    else:
        pixels = record.width * record.height
    return max(pixels, record.size_bytes // 3)


def _show_original(record: ImageRecord, root: Path, side_px: int) -> Rendition | None:
    """The image's own bytes, if they are those that were decoded and any browser shows them as we would."""
    if record.sha256 is None or record.width is None or record.height is None:
        return None
    if max(record.width, record.height) > side_px:
        return None
    if PurePosixPath(record.path).suffix.lower() not in SHOWN_BY_BROWSERS:
        return None
    content = read_inside(root, record.path)
    if hash_bytes(content) != record.sha256:
        return None  # changed since: it may be anything now
    media_type = open_bytes(content, PurePosixPath(record.path).suffix, record.width * record.height).media_type
    return None if media_type is None else Rendition(content, record.sha256, media_type)


def _locate(database: Database, image_id: int) -> tuple[ImageRecord, Path]:
    with database.read() as session:
        record = get_record(session, image_id)
        return record, Path(get_dataset(session, record.dataset_id).root)


def cut_original(
    database: Database, settings: Settings, budget: PixelBudget, image_id: int, window: tuple[int, int, int]
) -> tuple[bytes, str]:
    """A square of the original's own pixels, upright, as PNG, and the SHA-256 of the original.

    ``window`` is ``(x, y, side)`` in pixels; the square is cut off where the image ends. It waits until ``budget`` has
    room for the image.

    Raises:
        NotFoundError: no such image, its file is gone or cannot be decoded, or the square lies outside.
    """
    record, root = _locate(database, image_id)
    try:
        with held(budget, _weigh(record, root, settings.datasets.max_pixels)):
            return _cut(root, record, settings.datasets.max_pixels, window)
    except ImageUnreadableError as error:
        msg = f"image {image_id} cannot be shown: {error}"
        raise NotFoundError(msg) from error


def _cut(root: Path, record: ImageRecord, max_pixels: int, window: tuple[int, int, int]) -> tuple[bytes, str]:
    decoded = decode_file(root, record.path, max_pixels)
    x, y, side = window
    if x >= decoded.width or y >= decoded.height:
        msg = f"image {record.id} has no pixels at {x}, {y}"
        raise NotFoundError(msg)
    return cut_square(decoded.pixels, x, y, side), decoded.sha256
