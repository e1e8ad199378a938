"""Where an export is written to: a folder, a ZIP archive or one CSV file; whole or not at all."""

import hashlib
import os
import shutil
import zipfile
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from itertools import chain, count
from pathlib import Path
from typing import IO, Protocol
from uuid import uuid4

from app.domain.relocation import LeftOut
from app.errors import ImageUnreadableError, MoveError, TargetExistsError, UsageError
from app.files.manifests import write_csv
from app.files.opening import open_inside
from app.files.writing import CHUNK, make_folder, new_file, sync_folder, write_new

EPOCH = (1980, 1, 1, 0, 0, 0)  #: the earliest time a ZIP entry can have; fixed, so that equal content is equal bytes


class Sink(Protocol):
    """Takes the images and tables of an export."""

    def add_image(self, root: Path, source: str, path: str, sha256: str) -> str:
        """Add the bytes of ``root/source`` as ``path``, or as near to that name as the sink can; the name they got.

        Raises:
            MoveError: the source has other bytes than ``sha256`` says, or is gone.
        """

    def add_table(self, path: str, columns: Sequence[str], rows: Iterable[Sequence[object]]) -> None:
        """Add a CSV file."""

    def add_file(self, path: str, content: bytes) -> None:
        """Add a file as it is."""


class FolderSink:
    """An export as a folder of files."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder

    def add_image(self, root: Path, source: str, path: str, sha256: str) -> str:
        """See :class:`Sink`."""
        target = self._folder / path
        make_folder(target.parent)
        with target.open("xb") as file:
            try:
                _copy_verified(root, source, file, sha256)
            except MoveError:
                target.unlink()
                raise
            os.fsync(file.fileno())
        return path

    def add_table(self, path: str, columns: Sequence[str], rows: Iterable[Sequence[object]]) -> None:
        """See :class:`Sink`."""
        with (self._folder / path).open("xb") as file:
            write_csv(file, columns, rows)
            file.flush()
            os.fsync(file.fileno())

    def add_file(self, path: str, content: bytes) -> None:
        """See :class:`Sink`."""
        write_new(self._folder / path, content)


class ZipSink:
    """An export as a ZIP archive, uncompressed: photographs do not get smaller."""

    def __init__(self, archive: zipfile.ZipFile) -> None:
        self._archive = archive

    def add_image(self, root: Path, source: str, path: str, sha256: str) -> str:
        """See :class:`Sink`. A backslash in the name becomes ``%5C``: unpackers would take it for a separator."""
        name = self._free_name(path.replace("\\", "%5C"))
        # Checked before it is added: an archive cannot take an entry back.
        with Path(os.devnull).open("wb") as nowhere:
            _copy_verified(root, source, nowhere, sha256)
        with self._archive.open(_entry(name), "w", force_zip64=True) as file:
            _copy_verified(root, source, file, sha256)
        return name

    def _free_name(self, path: str) -> str:
        """``path``, numbered before its extension where a file that really has this name is there already."""
        stem, extension = os.path.splitext(path)  # noqa: PTH122 - a name of the archive, not a path of this machine
        names = chain([path], (f"{stem}__{number}{extension}" for number in count(2)))
        return next(name for name in names if name not in self._archive.NameToInfo)

    def add_table(self, path: str, columns: Sequence[str], rows: Iterable[Sequence[object]]) -> None:
        """See :class:`Sink`."""
        with self._archive.open(_entry(path), "w", force_zip64=True) as file:
            write_csv(file, columns, rows)

    def add_file(self, path: str, content: bytes) -> None:
        """See :class:`Sink`."""
        self._archive.writestr(_entry(path), content)


def _entry(path: str) -> zipfile.ZipInfo:
    entry = zipfile.ZipInfo(path, EPOCH)
    entry.external_attr = 0o644 << 16
    return entry


def _copy_verified(root: Path, source: str, target: IO[bytes], sha256: str) -> None:
    digest = hashlib.sha256()
    try:
        with open_inside(root, source) as reader:
            while chunk := reader.read(CHUNK):
                digest.update(chunk)
                target.write(chunk)
    except ImageUnreadableError as error:
        msg = f"{source}: {error}"
        raise MoveError(msg, LeftOut.SOURCE_CHANGED) from error
    if digest.hexdigest() != sha256:
        msg = f"{source}: its bytes changed since it was scanned"
        raise MoveError(msg, LeftOut.SOURCE_CHANGED)


@contextmanager
def new_folder_sink(path: Path) -> Iterator[FolderSink]:
    """A folder that appears at ``path`` when the block ends well, whole, or not at all.

    Raises:
        TargetExistsError: something is at ``path`` already, be it an empty folder.
        UsageError: it cannot be written there.
    """
    _refuse_existing(path)
    with new_or_empty_folder(path) as folder:
        yield FolderSink(folder)


@contextmanager
def new_or_empty_folder(path: Path) -> Iterator[Path]:
    """A temporary folder that becomes ``path`` when the block ends well; ``path`` is missing or an empty folder.

    Raises:
        TargetExistsError: something else is at ``path``.
        UsageError: it cannot be written there.
    """
    _refuse_filled(path)
    temporary = path.with_name(f".touchline-{uuid4().hex}.part")
    try:
        make_folder(path.parent)
        temporary.mkdir()
        yield temporary
        _refuse_filled(path)
        temporary.rename(path)  # onto an empty folder this is allowed, onto anything else it fails
        sync_folder(path.parent)
    except OSError as error:
        msg = f"{path} cannot be written: {error.strerror}"
        raise UsageError(msg) from error
    finally:
        shutil.rmtree(temporary, ignore_errors=True)


def _refuse_filled(path: Path) -> None:
    if os.path.lexists(path) and not (path.is_dir() and not path.is_symlink() and not any(path.iterdir())):
        _refuse_existing(path)


@contextmanager
def new_zip_sink(path: Path) -> Iterator[ZipSink]:
    """An archive that appears at ``path`` when the block ends well, whole, or not at all.

    Raises as :func:`app.files.writing.new_file`.
    """
    with new_file(path) as file, zipfile.ZipFile(file, "w", zipfile.ZIP_STORED) as archive:
        yield ZipSink(archive)


def _refuse_existing(path: Path) -> None:
    if os.path.lexists(path):
        msg = f"{path} exists already and is not overwritten: name another path"
        raise TargetExistsError(msg)


def measure(path: Path) -> int:
    """Bytes of a file, or of all files in a folder."""
    if path.is_file():
        return path.stat().st_size
    return sum(found.stat().st_size for found in path.rglob("*") if found.is_file())
