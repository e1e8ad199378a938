"""The CSV files beside a cleaned set: written whole, the earlier ones kept under a name of their own."""

import csv
import io
import os
from collections.abc import Callable, Iterable, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import IO

from app.domain.relocation import LeftOut
from app.errors import MoveError
from app.files.moving import crash_point
from app.files.writing import hash_file, sync_folder

MANIFEST = "manifest.csv"
LEFT_OUT = "left-out.csv"
AUDIT = "audit.csv"
CERTIFICATE = "certificate.json"
PUBLISHED = (MANIFEST, LEFT_OUT, AUDIT, CERTIFICATE)


def write_csv(file: IO[bytes], columns: Sequence[str], rows: Iterable[Sequence[object]]) -> None:
    """Write rows as UTF-8 CSV with a header, ``\\n`` line ends, quoted where needed. Leaves ``file`` open."""
    text = io.TextIOWrapper(file, encoding="utf-8", newline="", write_through=True)
    try:
        writer = csv.writer(text, lineterminator="\n")
        writer.writerow(columns)
        writer.writerows(rows)
    finally:
        text.detach()


def csv_line(values: Sequence[object]) -> str:
    """One line as :func:`write_csv` writes it, for what is sent line by line."""
    text = io.StringIO()
    csv.writer(text, lineterminator="\n").writerow(values)
    return text.getvalue()


@dataclass(frozen=True, slots=True)
class Published:
    """A CSV or JSON file beside a cleaned set, as one relocation writes it.

    ``kept_as`` is the name under which whatever lay there before is kept: ``manifest.3.csv`` for relocation 3,
    ``manifest.before-4.csv`` for a file that was not Touchline's when relocation 4 came.
    """

    target: Path
    name: str
    relocation_id: int
    earlier_id: int | None

    @property
    def path(self) -> Path:
        """Where it is published."""
        return self.target / self.name

    @property
    def kept_as(self) -> Path:
        """Where what lay there before is kept."""
        before = f"before-{self.relocation_id}" if self.earlier_id is None else str(self.earlier_id)
        return self._beside(before)

    def _beside(self, mark: str) -> Path:
        return self.path.with_name(f"{self.path.stem}.{mark}{self.path.suffix}")

    def write(self, columns: Sequence[str], rows: Iterable[Sequence[object]]) -> str:
        """Write rows, keeping what lay there; the file's SHA-256. Safe to repeat after a crash."""
        return self._write(lambda file: write_csv(file, columns, rows))

    def write_bytes(self, content: bytes) -> str:
        """The same with the content as it is."""
        return self._write(lambda file: file.write(content))

    def _write(self, fill: Callable[[IO[bytes]], object]) -> str:
        crash_point("before_manifest")
        self._refuse_redirected()
        temporary = self.target / f".touchline-{self.relocation_id}-{self.name}.part"
        temporary.unlink(missing_ok=True)
        with temporary.open("xb") as file:
            fill(file)
            file.flush()
            os.fsync(file.fileno())
        sha256 = hash_file(temporary)
        if os.path.lexists(self.path) and not self._is_mine(sha256):
            with suppress(FileExistsError):
                os.link(self.path, self.kept_as, follow_symlinks=False)
        crash_point("after_manifest_kept")
        temporary.replace(self.path)
        sync_folder(self.target)
        crash_point("after_manifest")
        return sha256

    def _is_mine(self, sha256: str) -> bool:
        """Written by this very relocation before a crash: there is nothing to keep."""
        return self.earlier_id is None and self.path.is_file() and hash_file(self.path) == sha256

    def withdraw(self, sha256: str | None) -> None:
        """Remove it and put back what lay there before. One that a person changed since stays. Safe to repeat."""
        self._refuse_redirected()
        if sha256 is not None and self.path.is_file() and hash_file(self.path) == sha256:
            self.path.unlink()
        if self.kept_as.exists() and not os.path.lexists(self.path):
            self.kept_as.rename(self.path)
        if self.target.is_dir():
            sync_folder(self.target)

    def _refuse_redirected(self) -> None:
        if os.path.realpath(self.target) != str(self.target):
            msg = f"{self.target}: has become a symlink; nothing is written there"
            raise MoveError(msg, LeftOut.CONFLICT)
