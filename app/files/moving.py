"""The file operations of a relocation: each refuses to clobber and can be found out about after a crash.

A placed file is written under a temporary name first (which carries the move's id), then linked to its destination,
which refuses to clobber; the temporary name goes only after the move is recorded as done. So after a crash the
temporary name says whether the file at the destination is ours (same inode) or was there before.

Named crash points, for tests: ``TOUCHLINE_CRASH_POINT=<name>`` ends the process there like ``kill -9``.
"""

import fcntl
import os
import stat
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from app.domain.relocation import LeftOut, Mode
from app.errors import ImageUnreadableError, MoveError
from app.files.opening import open_inside
from app.files.writing import copy_exclusively, hash_file, hash_stream, make_folder, sync_folder

CRASH_POINTS = (
    "before_temporary",
    "after_temporary",
    "after_link",
    "before_settle",
    "after_settle",
    "before_remove",
    "after_remove",
    "before_manifest",
    "after_manifest_kept",
    "after_manifest",
)
FICLONE = 0x40049409  #: ioctl of Linux that shares a file's extents, see ioctl_ficlonerange(2)


def crash_point(name: str) -> None:
    """End the process at once if a test asked for it here."""
    if os.environ.get("TOUCHLINE_CRASH_POINT") == name:
        os._exit(137)


@dataclass(frozen=True, slots=True)
class FileMove:
    """One operation, with everything that is needed to do it, find out about it or take it back."""

    move_id: int
    root: Path  #: of the dataset, resolved
    source: str  #: below ``root``
    target: Path  #: the cleaned folder, resolved
    destination: str  #: below ``target``
    sha256: str
    mode: Mode

    @property
    def path(self) -> Path:
        """The destination, absolute."""
        return self.target / self.destination

    @property
    def temporary(self) -> Path:
        """The temporary name beside the destination."""
        return self.path.with_name(f".touchline-{self.move_id}.part")


def place_file(move: FileMove) -> list[Path]:
    """Put the source's bytes at the destination; the folders that had to be made, outermost first.

    Raises:
        MoveError: ``source_changed``: the source is gone or has other bytes than those that were scanned.
            ``conflict``: something is at the destination. ``failed``: anything else, with its reason.
    """
    crash_point("before_temporary")
    try:
        refuse_redirected(move)
        made = make_folder(move.path.parent)
        refuse_redirected(move)
        _write_temporary(move)
        crash_point("after_temporary")
        _link(move)
        sync_folder(move.path.parent)
    except FileExistsError as error:
        _forget_temporary(move)
        msg = f"{move.destination}: something is there already and is not overwritten"
        raise MoveError(msg, LeftOut.CONFLICT) from error
    except OSError as error:
        _forget_temporary(move)
        msg = f"{move.source}: {error.strerror or error}"
        raise MoveError(msg) from error
    crash_point("after_link")
    return made


def refuse_redirected(move: FileMove) -> None:
    """Refuse a destination that is no longer where the plan put it.

    Raises:
        MoveError: the target, or a folder in it, has become a symlink: what lies there may be the source itself.
    """
    if os.path.realpath(move.path.parent) != str(move.path.parent):
        msg = f"{move.destination}: a folder on its way has become a symlink; nothing is done there"
        raise MoveError(msg, LeftOut.CONFLICT)


def settle(move: FileMove) -> None:
    """The move is recorded as done: drop its temporary name. What cannot be dropped is left, it harms nothing."""
    crash_point("before_settle")
    with suppress(OSError, MoveError):
        refuse_redirected(move)
        move.temporary.unlink(missing_ok=True)
    crash_point("after_settle")


def was_placed(move: FileMove) -> bool:
    """After a crash: whether the file at the destination is this move's. If not, its leavings are removed.

    Raises:
        MoveError: the destination holds something that cannot be told to be ours.
    """
    refuse_redirected(move)
    try:
        if not move.temporary.exists():
            return False
        if not os.path.lexists(move.path):
            move.temporary.unlink()
            return False
        if holds_placed(move):
            return True
        move.temporary.unlink()
    except OSError as error:
        msg = f"{move.destination}: {error.strerror}"
        raise MoveError(msg) from error
    msg = f"{move.destination}: holds something else since the crash; look at it and remove it by hand"
    raise MoveError(msg, LeftOut.CONFLICT)


def holds_placed(move: FileMove) -> bool:
    """Whether the destination holds just the bytes that were placed there."""
    try:
        status = os.lstat(move.path)
        return stat.S_ISREG(status.st_mode) and hash_file(move.path) == move.sha256
    except OSError:
        return False


def remove_placed(move: FileMove) -> None:
    """Remove what was placed at the destination, if it is unchanged and its source still is. Gone already is fine.

    Raises:
        MoveError: a person changed the file since, it has become the only copy, or it cannot be removed.
    """
    crash_point("before_remove")
    refuse_redirected(move)
    if not os.path.lexists(move.path):
        return
    if not holds_placed(move):
        msg = f"{move.destination}: changed since it was placed, so it is left where it is"
        raise MoveError(msg, LeftOut.CONFLICT)
    if not _source_is_kept(move):
        msg = f"{move.destination}: its source {move.source} is gone or changed, so this copy stays"
        raise MoveError(msg, LeftOut.SOURCE_CHANGED)
    try:
        move.path.unlink()
        sync_folder(move.path.parent)
    except OSError as error:
        msg = f"{move.destination}: {error.strerror}"
        raise MoveError(msg) from error
    crash_point("after_remove")


def _source_is_kept(move: FileMove) -> bool:
    """Whether the bytes live on under the source's own name: a copy must never be the last one that is removed."""
    try:
        with open_inside(move.root, move.source) as reader:
            same = hash_stream(reader) == move.sha256
    except (ImageUnreadableError, OSError):
        return False
    return same and os.path.realpath(move.root / move.source) != os.path.realpath(move.path)


def remove_empty(folders: list[Path]) -> None:
    """Remove those of ``folders`` that are empty, innermost first."""
    for folder in sorted(folders, key=lambda path: len(path.parts), reverse=True):
        with suppress(OSError):
            folder.rmdir()


def _write_temporary(move: FileMove) -> None:
    _forget_temporary(move)  # left by a crash of this very move
    try:
        with open_inside(move.root, move.source) as reader:
            source = Path(f"/proc/self/fd/{reader.fileno()}") if Path("/proc/self/fd").is_dir() else None
            digest = _copy(move, source or move.root / move.source)
    except ImageUnreadableError as error:
        msg = f"{move.source}: {error}"
        raise MoveError(msg, LeftOut.SOURCE_CHANGED) from error
    if digest != move.sha256:
        _forget_temporary(move)
        msg = f"{move.source}: its bytes changed since it was scanned; scan again"
        raise MoveError(msg, LeftOut.SOURCE_CHANGED)


def _copy(move: FileMove, source: Path) -> str:
    if move.mode is Mode.HARDLINK:
        # Resolved: a link to a symlink would be another symlink, which leads nowhere from its new place.
        os.link((move.root / move.source).resolve(), move.temporary)
        return hash_file(move.temporary)
    if move.mode is Mode.REFLINK:
        _clone(source, move.temporary)
        digest = hash_file(move.temporary)
    else:
        digest = copy_exclusively(source, move.temporary)
    status = source.stat()
    os.utime(move.temporary, ns=(status.st_atime_ns, status.st_mtime_ns))
    move.temporary.chmod(stat.S_IMODE(status.st_mode))
    return digest


def _clone(source: Path, target: Path) -> None:
    with source.open("rb") as reader, target.open("xb") as writer:
        fcntl.ioctl(writer.fileno(), FICLONE, reader.fileno())
        os.fsync(writer.fileno())


def _link(move: FileMove) -> None:
    try:
        os.link(move.temporary, move.path)
    except PermissionError:
        # A file system without hard links: an exclusive copy; the temporary name still says that it is ours.
        if copy_exclusively(move.temporary, move.path) != move.sha256:
            msg = f"{move.destination}: came out with other bytes than it went in"
            raise MoveError(msg) from None


def _forget_temporary(move: FileMove) -> None:
    with suppress(OSError):
        move.temporary.unlink(missing_ok=True)
