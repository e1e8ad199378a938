"""What is dear to make and follows from its name: made once, whole or not at all, and found again."""

from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from shutil import rmtree
from uuid import uuid4

from app.files.writing import make_folder


class FolderCache:
    """Files and folders of Touchline's own below one folder; deleting them costs only time."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder

    def find_or_make(self, name: str, make: Callable[[Path], None]) -> Path:
        """The file or folder of that name; if there is none, ``make`` writes it to the path it is given.

        Two processes may make it at once: the first to end wins, and both get the same.
        """
        path = self._folder / name
        if path.exists():
            return path
        make_folder(path.parent)
        partial = path.with_name(f".{uuid4().hex}{path.suffix}")
        try:
            make(partial)
            with suppress(OSError):  # a folder that another process was faster to make
                partial.rename(path)
        finally:
            _remove(partial)
        return path.resolve(strict=True)


def _remove(path: Path) -> None:
    if path.is_dir():
        rmtree(path, ignore_errors=True)
    else:
        path.unlink(missing_ok=True)
