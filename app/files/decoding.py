"""From a file's bytes to an upright RGB picture, or to the reason why there is none."""

import hashlib
import io
import os
import struct
import zlib
from dataclasses import dataclass
from io import BufferedReader
from pathlib import Path, PurePosixPath

import numpy as np
from PIL import Image, UnidentifiedImageError

from app.errors import ImageUnreadableError
from app.files.opening import open_inside
from app.files.scanning import EXTENSIONS

FORMATS = ("JPEG", "PNG", "WEBP", "BMP", "DIB", "GIF", "TIFF", "AVIF")
MAX_BYTES = 1 << 30
ORIENTATION = 0x0112  #: EXIF tag, see CIPA DC-008 (Exif 2.32), 4.6.4 A
#: orientation -> what turns the stored picture upright
UPRIGHT = {
    2: Image.Transpose.FLIP_LEFT_RIGHT,
    3: Image.Transpose.ROTATE_180,
    4: Image.Transpose.FLIP_TOP_BOTTOM,
    5: Image.Transpose.TRANSPOSE,
    6: Image.Transpose.ROTATE_270,
    7: Image.Transpose.TRANSVERSE,
    8: Image.Transpose.ROTATE_90,
}
# Our own limit is checked before any pixel is decoded, and names itself; Pillow's warning would only be noise.
Image.MAX_IMAGE_PIXELS = None
# What Pillow raises on broken files, beside OSError; found by feeding it damaged ones.
BROKEN = (
    OSError,
    SyntaxError,
    ValueError,
    EOFError,
    struct.error,
    IndexError,
    TypeError,
    OverflowError,
    KeyError,
    RuntimeError,  # the AVIF decoder's own
    ZeroDivisionError,
    AttributeError,
    zlib.error,
)


@dataclass(frozen=True, slots=True)
class Decoded:
    """A picture: upright, RGB, 8 bits a channel; the first frame of an animation; alpha laid on white."""

    sha256: str  #: of the file's bytes
    size_bytes: int
    pixels: Image.Image

    @property
    def width(self) -> int:
        """Upright width in pixels."""
        return self.pixels.width

    @property
    def height(self) -> int:
        """Upright height in pixels."""
        return self.pixels.height


def decode_file(root: Path, relative: str, max_pixels: int) -> Decoded:
    """Read, hash and decode one image of a dataset.

    Raises:
        ImageUnreadableError: with the reason that is recorded.
    """
    with open_inside(root, relative) as source:
        content = _read(source)
    pixels = decode_bytes(content, PurePosixPath(relative).suffix, max_pixels)
    return Decoded(hashlib.sha256(content).hexdigest(), len(content), pixels)


def _read(source: BufferedReader) -> bytes:
    size = os.fstat(source.fileno()).st_size
    if size > MAX_BYTES:
        msg = f"{size:,} bytes are more than any picture has (at most {MAX_BYTES:,} are read)"
        raise ImageUnreadableError(msg)
    try:
        return source.read()
    except OSError as error:
        msg = f"cannot be read: {error.strerror}"
        raise ImageUnreadableError(msg) from error
    except MemoryError as error:
        msg = "too large to read into memory"
        raise ImageUnreadableError(msg) from error


def decode_bytes(content: bytes, extension: str, max_pixels: int) -> Image.Image:
    """Decode an image file's bytes into an upright RGB picture.

    Raises:
        ImageUnreadableError: empty, truncated, not what its extension says, or of more than ``max_pixels``.
    """
    if not content:
        msg = "the file is empty"
        raise ImageUnreadableError(msg)
    try:
        with Image.open(io.BytesIO(content), formats=FORMATS) as image:
            _refuse_unfit(image, extension, max_pixels)
            image.load()
            return _to_rgb(_upright(image))
    except UnidentifiedImageError as error:
        msg = f"the content is no image that Touchline reads (first bytes {content[:8].hex(' ')})"
        raise ImageUnreadableError(msg) from error
    except ImageUnreadableError:
        raise
    except MemoryError as error:
        msg = "too large to decode in memory"
        raise ImageUnreadableError(msg) from error
    except Exception as error:  # whatever a decoder raises on a stranger's file, the file is unreadable
        raise ImageUnreadableError(_reason(error)) from error


def _refuse_unfit(image: Image.Image, extension: str, max_pixels: int) -> None:
    width, height = image.size
    if width < 1 or height < 1:
        msg = f"the picture has no pixels ({width} x {height})"
        raise ImageUnreadableError(msg)
    if width * height > max_pixels:
        msg = f"{width} x {height} pixels are more than datasets.max_pixels ({max_pixels}) allows"
        raise ImageUnreadableError(msg)
    allowed = EXTENSIONS.get(extension.lower())
    if allowed is not None and image.format not in allowed:
        msg = f"the name says {extension}, the content is {image.format}: rename the file"
        raise ImageUnreadableError(msg)


def _reason(error: BaseException) -> str:
    text = " ".join(str(error).split()) or type(error).__name__
    return text if "truncated" in text else f"cannot be decoded: {text}"


def _upright(image: Image.Image) -> Image.Image:
    try:
        orientation = image.getexif().get(ORIENTATION, 1)
    except BROKEN:
        return image  # broken metadata takes nothing from the picture itself
    # Not ImageOps.exif_transpose: it writes the whole block anew, and fails where another tag is broken.
    method = UPRIGHT.get(orientation)
    return image if method is None else image.transpose(method)


def _to_rgb(image: Image.Image) -> Image.Image:
    if image.mode == "RGB":
        return image.copy()
    if image.mode.startswith(("I", "F")):
        return Image.fromarray(_to_eight_bits(np.asarray(image))).convert("RGB")
    if image.has_transparency_data:
        layered = image.convert("RGBA")
        white = Image.new("RGBA", layered.size, "white")
        return Image.alpha_composite(white, layered).convert("RGB")
    return image.convert("RGB")


def _to_eight_bits(samples: np.ndarray) -> np.ndarray:
    """Greyscale samples ``(height, width)`` of 16 or 32 bits, or floats, as 8 bits.

    16-bit samples keep their upper byte; floats within 0..1 are scaled; anything wider is stretched to its range.
    """
    if samples.dtype in (np.uint16, np.dtype(">u2")) or (
        samples.dtype.kind == "i" and 0 <= samples.min() <= samples.max() < 1 << 16
    ):
        return (samples.astype(np.uint32) >> 8).astype(np.uint8)
    floats = np.nan_to_num(samples.astype(np.float64))
    low, high = min(float(floats.min()), 0.0), max(float(floats.max()), 1.0)
    return ((floats - low) / (high - low) * 255).round().astype(np.uint8)


#: first bytes -> media type; what is none of these is served as bytes that no browser interprets
SIGNATURES = (
    (b"\xff\xd8\xff", "image/jpeg"),
    (b"\x89PNG\r\n\x1a\n", "image/png"),
    (b"GIF8", "image/gif"),
    (b"BM", "image/bmp"),
    (b"II*\x00", "image/tiff"),
    (b"MM\x00*", "image/tiff"),
)


def sniff_media_type(head: bytes) -> str:
    """The media type of a file from its first 32 bytes; ``application/octet-stream`` if it is no image we read."""
    if head[:4] == b"RIFF" and head[8:12] == b"WEBP":
        return "image/webp"
    if head[4:8] == b"ftyp" and b"avif" in head[8:32]:
        return "image/avif"
    return next((kind for start, kind in SIGNATURES if head.startswith(start)), "application/octet-stream")
