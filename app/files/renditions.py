"""Smaller upright pictures for the browser, made once and kept by the hash of their source."""

import io
import math
import os
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from shutil import rmtree
from typing import Literal
from uuid import uuid4

from PIL import Image

from app.files.decoding import decode_file
from app.files.writing import write_cache

RenditionSize = Literal["tile", "screen"]
QUALITY: dict[RenditionSize, int] = {"tile": 82, "screen": 92}
#: A tile is first averaged over whole pixels down to about its size: a tenth of the work, and nobody sees it at 320 px.
REDUCING_GAP: dict[RenditionSize, float] = {"tile": 1.0, "screen": 3.0}
MEDIA_TYPE = "image/jpeg"
SHARD = 2  #: hex digits of a sub-folder's name
ASIDE = ".cleared-"
NEARLY = 0.9  #: of the screen's side will do where the decoder reduces on the way: 2,000 px for 2,048


def find_rendition(folder: Path, sha256: str, size: RenditionSize, side_px: int) -> Path | None:
    """The kept rendition, or None. An empty file is what a power cut left of one."""
    path = _path(folder, sha256, size, side_px)
    try:
        return path if path.stat().st_size else None
    except OSError:
        return None


def make_rendition(folder: Path, root: Path, relative: str, size: RenditionSize, side_px: int, max_pixels: int) -> Path:
    """Decode the source, shrink it to at most ``side_px`` on its longer side, keep and return it.

    Raises:
        ImageUnreadableError: the source cannot be decoded.
    """
    decoded = decode_file(root, relative, max_pixels, least_px(size, side_px))
    path = _path(folder, decoded.sha256, size, side_px)
    if find_rendition(folder, decoded.sha256, size, side_px) is None:
        keep_rendition(folder, decoded.sha256, decoded.pixels, size, side_px)
    return path


def keep_rendition(folder: Path, sha256: str, picture: Image.Image, size: RenditionSize, side_px: int) -> int:
    """Shrink an upright picture that is decoded already, and keep it; how many bytes it takes."""
    content = _encode(picture, size, side_px)
    write_cache(_path(folder, sha256, size, side_px), content)
    return len(content)


def least_px(size: RenditionSize, side_px: int) -> int:
    """What the longer side of a picture must have for a rendition to be made of it."""
    return math.ceil(side_px * NEARLY) if size == "screen" else side_px


def measure_renditions(folder: Path, one_in: int = 1) -> int:
    """Bytes that the kept renditions take; with ``one_in`` an estimate from one sub-folder in so many."""
    try:
        with os.scandir(folder) as entries:
            shards = sorted(entry.path for entry in entries)
    except OSError:
        return 0  # none was made yet
    chosen = shards[::one_in]
    return sum(_bytes_in(shard) for shard in chosen) * len(shards) // max(1, len(chosen))


@dataclass(frozen=True, slots=True)
class RenditionsUsed:
    """Bytes that the kept renditions take; not ``exact`` where only some of them were looked at."""

    bytes: int
    exact: bool


def estimate_used(folder: Path, at_most: int = 5000) -> RenditionsUsed:
    """What the kept renditions take, from about ``at_most`` files: sub-folders are filled by hash, so evenly."""
    try:
        with os.scandir(folder) as entries:
            shards = sorted(entry.path for entry in entries if len(entry.name) == SHARD)
    except OSError:
        return RenditionsUsed(0, exact=True)
    looked_at, files, total = 0, 0, 0
    for shard in shards:
        sizes = _sizes_in(shard)
        looked_at, files, total = looked_at + 1, files + len(sizes), total + sum(sizes)
        if files >= at_most:
            break
    return RenditionsUsed(total * len(shards) // max(1, looked_at), exact=looked_at == len(shards))


def set_aside_renditions(folder: Path) -> None:
    """Let go of every kept rendition at once; :func:`delete_set_aside` frees the disk. New ones are made on demand."""
    with suppress(OSError):  # none was made yet
        folder.rename(folder.with_name(f"{folder.name}{ASIDE}{uuid4().hex}"))


def delete_set_aside(folder: Path) -> None:
    """Delete what was set aside, also by a process that did not come to it."""
    for path in folder.parent.glob(f"{folder.name}{ASIDE}*"):
        rmtree(path, ignore_errors=True)


def _bytes_in(shard: str) -> int:
    return sum(_sizes_in(shard))


def _sizes_in(shard: str) -> list[int]:
    try:
        with os.scandir(shard) as entries:
            return [entry.stat(follow_symlinks=False).st_size for entry in entries]
    except OSError:
        return []  # cleared away meanwhile: it takes nothing


def cut_square(picture: Image.Image, x: int, y: int, side: int) -> bytes:
    """A square of a picture, pixel by pixel, as PNG; smaller where the picture ends."""
    buffer = io.BytesIO()
    window = (x, y, min(x + side, picture.width), min(y + side, picture.height))
    picture.crop(window).save(buffer, "PNG", compress_level=1)
    return buffer.getvalue()


def _encode(picture: Image.Image, size: RenditionSize, side_px: int) -> bytes:
    buffer = io.BytesIO()
    _shrink(picture, size, side_px).save(buffer, "JPEG", quality=QUALITY[size], subsampling=0)
    return buffer.getvalue()


def _shrink(picture: Image.Image, size: RenditionSize, side_px: int) -> Image.Image:
    longer = max(picture.size)
    if longer <= side_px:
        return picture
    width, height = (max(1, round(side * side_px / longer)) for side in picture.size)
    return picture.resize((width, height), Image.Resampling.LANCZOS, reducing_gap=REDUCING_GAP[size])


def _path(folder: Path, sha256: str, size: RenditionSize, side_px: int) -> Path:
    return folder / sha256[:SHARD] / f"{sha256}-{size}-{side_px}.jpg"
