"""Walking a dataset's folders without holding them in memory."""

import os
import stat
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path, PurePosixPath

from app.errors import InvalidInputError
from app.files.opening import is_inside

#: file extension -> the formats (Pillow's names) that it may hold
EXTENSIONS: dict[str, frozenset[str]] = {
    ".jpg": frozenset({"JPEG", "MPO"}),
    ".jpeg": frozenset({"JPEG", "MPO"}),
    ".jpe": frozenset({"JPEG", "MPO"}),
    ".jfif": frozenset({"JPEG", "MPO"}),
    ".png": frozenset({"PNG"}),
    ".webp": frozenset({"WEBP"}),
    ".bmp": frozenset({"BMP", "DIB"}),
    ".gif": frozenset({"GIF"}),
    ".tif": frozenset({"TIFF"}),
    ".tiff": frozenset({"TIFF"}),
    ".avif": frozenset({"AVIF"}),
}


NAME_NOT_UTF8 = "the file name is not valid UTF-8: rename the file"


@dataclass(frozen=True, slots=True)
class FoundFile:
    """A file that claims to be an image. ``path`` is POSIX, below the root."""

    path: str
    size_bytes: int
    mtime_ns: int
    unreadable: str | None = None


@dataclass(frozen=True, slots=True)
class IgnoredFile:
    """A file that is passed over, and why."""

    path: str
    reason: str
    folder: bool = False  #: a folder that could not be listed: nothing is known of what lies in it


def find_label_folders(root: Path, pattern: str) -> list[Path]:
    """The folders below ``root`` that hold a label: ``football``, or ``*/football`` for split layouts.

    Raises:
        InvalidInputError: the pattern leaves the root, or is of no fixed depth.
    """
    parts = PurePosixPath(pattern).parts
    if not parts or pattern.startswith("/") or ".." in parts:
        msg = f"the label {pattern!r} must be a folder or a glob below the root"
        raise InvalidInputError(msg)
    if any("**" in part for part in parts):
        # Its depth would differ from folder to folder, so a path could not be told apart into split, label and rest.
        msg = f"the label {pattern!r} must be a glob below the root of a fixed depth: write one * for each level"
        raise InvalidInputError(msg)
    try:
        folders = sorted(path for path in root.glob(pattern) if path.is_dir())
    except (OSError, ValueError) as error:
        msg = f"the label {pattern!r} is no folder that could be: {error}"
        raise InvalidInputError(msg) from error
    return [folder for folder in folders if is_inside(folder, root)]


def walk_images(root: Path, folder: Path) -> Iterator[FoundFile | IgnoredFile]:
    """Every file below ``folder``, which lies below ``root``; one directory's entries in memory at a time.

    A symlink to a file inside the root is followed; one that leads out of it, and every symlink to a folder
    (which could lead in a circle), is passed over and says so.
    """
    below = len(str(root).rstrip("/")) + 1
    pending = [str(folder)]
    while pending:
        current = pending.pop()
        try:
            with os.scandir(current) as entries:
                for entry in entries:
                    found = _look_at(entry, root, below)
                    if found is None:
                        pending.append(entry.path)
                    else:
                        yield found
        except OSError as error:
            reason = f"folder cannot be listed: {error.strerror}"
            yield IgnoredFile(_printable(current[below:], root), reason, folder=True)


def _look_at(entry: os.DirEntry[str], root: Path, below: int) -> FoundFile | IgnoredFile | None:
    """What an entry is, its path cut off at ``below``; None for a folder to descend into."""
    relative = entry.path[below:]
    if entry.name.startswith("."):
        return IgnoredFile(_printable(relative, root), "hidden")
    if entry.is_dir(follow_symlinks=False):
        return None
    if entry.is_symlink():
        reason = _refuse_symlink(entry, root)
        if reason is not None:
            return IgnoredFile(_printable(relative, root), reason)
    if os.path.splitext(entry.name)[1].lower() not in EXTENSIONS:  # noqa: PTH122 - pathlib takes ten times as long
        reason = "not an image: the extension is not one of an image format"
        return IgnoredFile(_printable(relative, root), reason)
    return _found(entry, _printable(relative, root), relative)


def _found(entry: os.DirEntry[str], printable: str, relative: str) -> FoundFile | IgnoredFile:
    try:
        status = entry.stat()
    except OSError as error:
        return FoundFile(printable, 0, 0, f"cannot be opened: {error.strerror}")
    if not stat.S_ISREG(status.st_mode):
        return IgnoredFile(printable, "not a regular file")
    reason = None if printable == relative else NAME_NOT_UTF8
    return FoundFile(printable, status.st_size, status.st_mtime_ns, reason)


def _refuse_symlink(entry: os.DirEntry[str], root: Path) -> str | None:
    if not Path(entry.path).exists():
        return "a symlink that leads nowhere"
    if not is_inside(Path(entry.path), root):
        return "a symlink that leads out of the root"
    return "a symlink to a folder" if entry.is_dir() else None


def _printable(path: str, root: Path) -> str:
    """``path`` below ``root`` with bytes that are not UTF-8 written as ``\\xNN``: they cannot be stored.

    No other file has that path: backslashes of such a name are doubled, and where a file is really called so, ``~``
    is added.
    """
    try:
        path.encode("utf-8")
    except UnicodeEncodeError:
        doubled = path.replace("\\", "\\\\")
        escaped = doubled.encode("utf-8", "surrogateescape").decode("utf-8", "backslashreplace")
        while os.path.lexists(root / escaped):
            escaped += "~"
        return escaped
    return path
