"""Opening a file below a dataset's root, and nothing outside it."""

import os
import stat
from io import BufferedReader
from pathlib import Path

from app.errors import ImageUnreadableError, InvalidInputError

MAX_NAME = 255  #: bytes of one name, on every file system in use
MAX_PATH = 4096  #: bytes of a path that the system takes, its end included


def expand_given(path: Path, loc: str) -> Path:
    """A path as a person wrote it, ``~`` expanded and absolute. It need not exist.

    Raises:
        InvalidInputError: there is no such home folder, or no file system can hold the path; names ``loc``.
    """
    if "\0" in str(path):
        raise InvalidInputError.on(loc, "a path cannot hold a null byte")
    try:
        expanded = path.expanduser().absolute()
    except RuntimeError as error:
        raise InvalidInputError.on(loc, f"{path}: {error}") from error
    # Asked for here, because a folder that is yet to be made fails only when a worker makes it.
    if any(len(os.fsencode(part)) > MAX_NAME for part in expanded.parts) or len(os.fsencode(expanded)) >= MAX_PATH:
        raise InvalidInputError.on(loc, f"a path has at most {MAX_PATH - 1} bytes, and each name in it {MAX_NAME}")
    return expanded


def resolve_given(path: Path, loc: str) -> Path:
    """The same with every symlink resolved.

    Raises:
        InvalidInputError: as :func:`expand_given`, or its symlinks lead in a circle.
    """
    try:
        return expand_given(path, loc).resolve()
    except (RuntimeError, OSError) as error:
        raise InvalidInputError.on(loc, f"{path}: {error}") from error


def is_inside(path: Path, root: Path) -> bool:
    """Whether ``path``, its symlinks resolved, is ``root`` or lies below it. ``root`` is resolved already."""
    resolved = Path(os.path.realpath(path))
    return resolved == root or root in resolved.parents


def open_inside(root: Path, relative: str) -> BufferedReader:
    """Open ``root/relative`` for reading.

    Raises:
        ImageUnreadableError: it is gone, may not be read, is no regular file, or a symlink leads out of the root.
    """
    path = root / relative
    if not is_inside(path, root):
        msg = "a symlink leads out of the dataset's root"
        raise ImageUnreadableError(msg)
    try:
        # O_NONBLOCK: a FIFO that took the file's place must not hang us before we can look at what it is.
        descriptor = os.open(path, os.O_RDONLY | os.O_CLOEXEC | os.O_NONBLOCK)
    except OSError as error:
        msg = f"cannot be opened: {error.strerror}"
        raise ImageUnreadableError(msg) from error
    if not stat.S_ISREG(os.fstat(descriptor).st_mode):
        os.close(descriptor)
        msg = "not a regular file"
        raise ImageUnreadableError(msg)
    return os.fdopen(descriptor, "rb")
