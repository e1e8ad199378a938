"""From a file's bytes to an upright RGB picture, or to the reason why there is none."""

import hashlib
import io
import os
import struct
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from io import BufferedReader
from pathlib import Path, PurePosixPath

import numpy as np
from PIL import Image, UnidentifiedImageError

from app.errors import ImageUnreadableError
from app.files.budget import PixelBudget, held
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
ON_ITS_SIDE = {UPRIGHT[orientation] for orientation in (5, 6, 7, 8)}
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


REDUCTIONS = (8, 4, 2)  #: what JPEG's inverse DCT can shrink a picture by on the way, for less work
SHOWN_AS_IT_IS = ("JPEG", "MPO", "WEBP")


@dataclass(frozen=True, slots=True)
class Decoded:
    """A picture: upright, RGB, 8 bits a channel; the first frame of an animation; alpha laid on white."""

    sha256: str  #: of the file's bytes
    size_bytes: int
    pixels: Image.Image
    width: int  #: upright, in pixels, of the whole image, though ``pixels`` be reduced
    height: int


class Undecoded:
    """An image of which only the header has been read: its size is known, and its pixels cost nothing yet."""

    def __init__(self, image: Image.Image) -> None:
        self._image = image
        self._size = image.size  #: as stored, perhaps on its side

    @property
    def longer_px(self) -> int:
        """The longer side of the whole image."""
        return max(self._size)

    @property
    def pixels(self) -> int:
        """How many pixels decoding will make."""
        return self._image.width * self._image.height

    @property
    def media_type(self) -> str | None:
        """The media type under which any browser shows the file itself as we do; None if it has to be re-encoded."""
        if self._image.format not in SHOWN_AS_IT_IS or self._image.mode not in ("RGB", "L"):
            return None
        if getattr(self._image, "is_animated", False) or _turn(self._image) is not None:
            return None
        return "image/webp" if self._image.format == "WEBP" else "image/jpeg"

    def reduce(self, shorter_px: int, longer_px: int) -> None:
        """Decode fewer pixels where the format can, though at least so many on the shorter and the longer side."""
        width, height = self._size
        for factor in REDUCTIONS:
            if min(self._size) // factor >= shorter_px and max(self._size) // factor >= longer_px:
                self._image.draft(None, (width // factor, height // factor))
                return

    def decode(self) -> tuple[Image.Image, int, int]:
        """The upright RGB picture, and width and height of the whole image, upright.

        Raises:
            ImageUnreadableError: truncated or broken.
        """
        with _as_unreadable():
            self._image.load()
            method = _turn(self._image)
            picture = _to_rgb(self._image if method is None else self._image.transpose(method))
        picture.info = {}  # comments and profiles of the source have no place in what is made of it
        width, height = self._size
        return (picture, height, width) if method in ON_ITS_SIDE else (picture, width, height)


def decode_file(
    root: Path, relative: str, max_pixels: int, enough_px: int | None = None, budget: PixelBudget | None = None
) -> Decoded:
    """Read, hash and decode one image of a dataset.

    With ``enough_px`` the picture may be reduced as long as its longer side has so many pixels. A ``budget`` is held
    while decoding.

    Raises:
        ImageUnreadableError: with the reason that is recorded.
    """
    content = read_inside(root, relative)
    undecoded = open_bytes(content, PurePosixPath(relative).suffix, max_pixels)
    if enough_px is not None:
        undecoded.reduce(0, enough_px)
    with held(budget, undecoded.pixels):
        pixels, width, height = undecoded.decode()
    return Decoded(hash_bytes(content), len(content), pixels, width, height)


def hash_bytes(content: bytes) -> str:
    """SHA-256 of a file's bytes, as hex."""
    return hashlib.sha256(content).hexdigest()


def read_inside(root: Path, relative: str) -> bytes:
    """All bytes of a file below the root.

    Raises:
        ImageUnreadableError: it is gone, may not be read, leads out of the root, or is larger than any picture.
    """
    with open_inside(root, relative) as source:
        return _read(source)


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


def open_bytes(content: bytes, extension: str, max_pixels: int) -> Undecoded:
    """Read the header of an image file's bytes.

    Raises:
        ImageUnreadableError: empty, not what its extension says, or of more than ``max_pixels``.
    """
    if not content:
        msg = "the file is empty"
        raise ImageUnreadableError(msg)
    try:
        with _as_unreadable():
            image = Image.open(io.BytesIO(content), formats=FORMATS)
            _refuse_unfit(image, extension, max_pixels)
            return Undecoded(image)
    except UnidentifiedImageError as error:
        msg = f"the content is no image that Touchline reads (first bytes {content[:8].hex(' ')})"
        raise ImageUnreadableError(msg) from error


def decode_bytes(content: bytes, extension: str, max_pixels: int) -> Image.Image:
    """Decode an image file's bytes into an upright RGB picture.

    Raises:
        ImageUnreadableError: empty, truncated, not what its extension says, or of more than ``max_pixels``.
    """
    return open_bytes(content, extension, max_pixels).decode()[0]


@contextmanager
def _as_unreadable() -> Iterator[None]:
    """Whatever a decoder raises on a stranger's file, the file is unreadable."""
    try:
        yield
    except (ImageUnreadableError, UnidentifiedImageError):
        raise
    except MemoryError as error:
        msg = "too large to decode in memory"
        raise ImageUnreadableError(msg) from error
    except Exception as error:
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


def _turn(image: Image.Image) -> Image.Transpose | None:
    """What turns a picture upright; None where it stands so already."""
    try:
        orientation = image.getexif().get(ORIENTATION, 1)
    except BROKEN:
        return None  # broken metadata takes nothing from the picture itself
    # Not ImageOps.exif_transpose: it writes the whole block anew, and fails where another tag is broken.
    return UPRIGHT.get(orientation)


def _to_rgb(image: Image.Image) -> Image.Image:
    if image.mode == "RGB":
        return image
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
