"""Small pictures that go into a document: of a bounded size, whatever the image."""

import io
from pathlib import Path

from PIL import Image

from app.errors import ImageUnreadableError
from app.files.budget import PixelBudget
from app.files.decoding import decode_bytes, decode_file

QUALITIES = (78, 60, 42)
SMALLEST_PX = 64


def shrink_kept(path: Path, side_px: int) -> Image.Image:
    """A kept rendition, at most ``side_px`` on its longer side.

    Raises:
        ImageUnreadableError: it is gone or broken.
    """
    try:
        content = path.read_bytes()
    except OSError as error:
        msg = f"the kept picture cannot be read: {error.strerror}"
        raise ImageUnreadableError(msg) from error
    return _fit(decode_bytes(content, path.suffix, 1 << 30), side_px)


def shrink_source(
    root: Path, relative: str, sha256: str, side_px: int, max_pixels: int, budget: PixelBudget
) -> Image.Image | None:
    """An image of a dataset, upright, at most ``side_px`` on its longer side; None if its bytes have changed.

    Raises:
        ImageUnreadableError: it is gone or cannot be decoded.
    """
    decoded = decode_file(root, relative, max_pixels, side_px, budget)
    return _fit(decoded.pixels, side_px) if decoded.sha256 == sha256 else None


def encode_small(picture: Image.Image, side_px: int, most_bytes: int) -> bytes:
    """A picture as JPEG of at most ``most_bytes``: at a lower quality, and then smaller, until it fits."""
    content = b""
    while side_px >= SMALLEST_PX:
        shrunk = _fit(picture, side_px)
        for quality in QUALITIES:
            buffer = io.BytesIO()
            shrunk.save(buffer, "JPEG", quality=quality, optimize=True)
            content = buffer.getvalue()
            if len(content) <= most_bytes:
                return content
        side_px = side_px * 3 // 4
    return content


def _fit(picture: Image.Image, side_px: int) -> Image.Image:
    longer = max(picture.size)
    if longer <= side_px:
        return picture
    width, height = (max(1, round(side * side_px / longer)) for side in picture.size)
    return picture.resize((width, height), Image.Resampling.LANCZOS, reducing_gap=3.0)
