"""Whether a folder holds the files that it should: a few of them, looked at one by one."""

import os
from dataclasses import dataclass
from pathlib import Path

from app.errors import ImageUnreadableError
from app.files.opening import open_inside
from app.files.writing import hash_stream


@dataclass(frozen=True, slots=True)
class Expected:
    """A file as it was last seen. ``path`` is POSIX, below the root; without ``sha256`` its bytes are not read."""

    path: str
    size_bytes: int
    sha256: str | None


def find_difference(root: Path, expected: Expected) -> str | None:
    """How the file below ``root`` differs from what it was, in words; None if it does not."""
    try:
        file = open_inside(root, expected.path)
    except ImageUnreadableError as error:
        return str(error)
    with file:
        size = os.fstat(file.fileno()).st_size
        if size != expected.size_bytes:
            return f"has {size:,} bytes, not {expected.size_bytes:,}"
        if expected.sha256 is not None and hash_stream(file) != expected.sha256:
            return "has other bytes (SHA-256)"
    return None
