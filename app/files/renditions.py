"""Smaller upright pictures for the browser, made once and kept by the hash of their source."""

import io
from pathlib import Path
from typing import Literal

from PIL import Image

from app.files.decoding import decode_file
from app.files.writing import write_cache

RenditionSize = Literal["tile", "screen"]
QUALITY: dict[RenditionSize, int] = {"tile": 82, "screen": 92}
MEDIA_TYPE = "image/jpeg"


def find_rendition(folder: Path, sha256: str, size: RenditionSize, side_px: int) -> Path | None:
    """The kept rendition, or None."""
    path = _path(folder, sha256, size, side_px)
    return path if path.is_file() else None


def make_rendition(folder: Path, root: Path, relative: str, size: RenditionSize, side_px: int, max_pixels: int) -> Path:
    """Decode the source, shrink it to at most ``side_px`` on its longer side, keep and return it.

    Raises:
        ImageUnreadableError: the source cannot be decoded.
    """
    decoded = decode_file(root, relative, max_pixels)
    path = _path(folder, decoded.sha256, size, side_px)
    if not path.is_file():
        write_cache(path, _encode(decoded.pixels, size, side_px))
    return path


def _encode(pixels: Image.Image, size: RenditionSize, side_px: int) -> bytes:
    pixels.thumbnail((side_px, side_px), Image.Resampling.LANCZOS)
    buffer = io.BytesIO()
    pixels.save(buffer, "JPEG", quality=QUALITY[size], subsampling=0)
    return buffer.getvalue()


def _path(folder: Path, sha256: str, size: RenditionSize, side_px: int) -> Path:
    return folder / sha256[:2] / f"{sha256}-{size}-{side_px}.jpg"
