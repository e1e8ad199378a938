"""Writing files so that a crash leaves either nothing or all of it, and never over something else."""

import hashlib
import io
import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import IO
from uuid import uuid4

from app.errors import TargetExistsError, UsageError

CHUNK = 1 << 20


def sync_folder(folder: Path) -> None:
    """Make what was created or removed in ``folder`` survive a power cut."""
    descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def make_folder(folder: Path) -> list[Path]:
    """Create ``folder`` and its missing parents; the created ones, outermost first."""
    missing: list[Path] = []
    while not folder.exists():
        missing.append(folder)
        folder = folder.parent
    for path in reversed(missing):
        with suppress(FileExistsError):
            path.mkdir()
            sync_folder(path.parent)
    return list(reversed(missing))


@contextmanager
def new_file(path: Path) -> Iterator[IO[bytes]]:
    """A file to write that appears at ``path`` when the block ends well, whole and on disk, or not at all.

    Raises:
        TargetExistsError: something is at ``path`` already.
        UsageError: the file cannot be written there.
    """
    if os.path.lexists(path):
        msg = f"{path} exists already and is not overwritten: name another path"
        raise TargetExistsError(msg)
    try:
        make_folder(path.parent)
        with _temporary_beside(path) as (temporary, file):
            yield file
            file.flush()
            os.fsync(file.fileno())
            _appear(temporary, path)
        sync_folder(path.parent)
    except FileExistsError as error:
        msg = f"{path} exists already and is not overwritten: name another path"
        raise TargetExistsError(msg) from error
    except OSError as error:
        msg = f"{path} cannot be written: {error.strerror}"
        raise UsageError(msg) from error


@contextmanager
def _temporary_beside(path: Path) -> Iterator[tuple[Path, IO[bytes]]]:
    temporary = path.with_name(f".touchline-{uuid4().hex}.part")
    try:
        with temporary.open("xb") as file:
            yield temporary, file
    finally:
        temporary.unlink(missing_ok=True)


def _appear(temporary: Path, path: Path) -> None:
    try:
        os.link(temporary, path)  # refuses to clobber, unlike rename
    except PermissionError:
        # A file system without hard links (FAT, some network shares): exclusive create instead.
        copy_exclusively(temporary, path)


def copy_exclusively(source: Path, target: Path) -> str:
    """Copy bytes into a file that must not exist yet; the SHA-256 of what was written, which is on disk then."""
    with source.open("rb") as reader, target.open("xb") as writer:
        digest = hashlib.sha256()
        while chunk := reader.read(CHUNK):
            digest.update(chunk)
            writer.write(chunk)
        writer.flush()
        os.fsync(writer.fileno())
    return digest.hexdigest()


def write_new(path: Path, content: bytes) -> None:
    """Write a whole new file; see :func:`new_file`."""
    with new_file(path) as file:
        file.write(content)


def write_cache(path: Path, content: bytes) -> None:
    """Write a file of Touchline's own cache, replacing what is there: its content follows from its name."""
    make_folder(path.parent)
    temporary = path.with_name(f".{uuid4().hex}.part")
    temporary.write_bytes(content)
    temporary.replace(path)


def hash_file(path: Path) -> str:
    """SHA-256 of a file's bytes, as hex."""
    with path.open("rb") as file:
        return hash_stream(file)


def hash_stream(file: io.BufferedReader) -> str:
    """SHA-256 of what is left to read of an open file, as hex."""
    return hashlib.file_digest(file, "sha256").hexdigest()


def free_bytes(path: Path) -> int:
    """Bytes free on the file system that holds ``path`` or, if that is missing, its nearest parent."""
    while not path.exists():
        path = path.parent
    return shutil.disk_usage(path).free
