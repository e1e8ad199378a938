"""Verdicts in and out as CSV."""

import csv
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

from app.domain.exporting import REVIEW_COLUMNS
from app.domain.reviewing import Verdict
from app.errors import UsageError
from app.files.manifests import write_csv
from app.files.writing import new_file
from app.services.clock import Clock
from app.services.datasets import get_dataset
from app.services.images import get_record
from app.services.reviews import NewReview, append, format_time
from app.storage import reviews as stored
from app.storage.database import Database, Session


def export_reviews(database: Database, reference: str | int, path: Path) -> int:
    """Write every effective verdict of a dataset as ``path,verdict,reviewer,reviewed_at``; how many there are.

    Raises:
        NotFoundError: no such dataset.
        TargetExistsError: the file exists.
    """
    with database.read() as session:
        dataset = get_dataset(session, reference)
        rows = [
            (image_path, review.verdict, review.reviewer, format_time(review.reviewed_at))
            for image_path, review in stored.iter_effective(session, dataset.id)
        ]
    with new_file(path) as file:
        write_csv(file, REVIEW_COLUMNS, rows)
    return len(rows)


@dataclass(frozen=True, slots=True)
class ImportResult:
    """What became of an imported file of verdicts."""

    imported: int
    unchanged: int
    unknown: tuple[str, ...]  #: paths that the dataset does not have


def import_reviews(database: Database, clock: Clock, reference: str | int, path: Path) -> ImportResult:
    """Take verdicts from ``path,verdict,reviewer,reviewed_at``, all in one transaction.

    A row that repeats the verdict that counts already changes nothing. The time in the file is kept.

    Raises:
        NotFoundError: no such dataset.
        UsageError: the file is missing or lacks a column; or a row is wrong, which is named, and nothing is taken.
    """
    with database.read() as session:
        dataset = get_dataset(session, reference)
    rows = _read_rows(path, clock())
    imported, unchanged, unknown = 0, 0, []
    with database.write() as session:
        for row in rows:
            image_id = stored.find_image_id(session, dataset.id, row.path)
            if image_id is None:
                unknown.append(row.path)
            elif _import_row(session, image_id, row):
                imported += 1
            else:
                unchanged += 1
    return ImportResult(imported, unchanged, tuple(unknown))


@dataclass(frozen=True, slots=True)
class _Row:
    path: str
    verdict: Verdict
    reviewer: str
    reviewed_at: datetime


def _read_rows(path: Path, now: datetime) -> list[_Row]:
    try:
        with path.open(encoding="utf-8-sig", newline="") as file:
            reader = csv.DictReader(file)
            missing = [name for name in REVIEW_COLUMNS[:2] if name not in (reader.fieldnames or ())]
            if missing:
                msg = f"{path}: the header lacks {', '.join(missing)}; wanted {','.join(REVIEW_COLUMNS)}"
                raise UsageError(msg)
            return [_parse_row(path, reader.line_num, values, now) for values in reader]
    except (OSError, UnicodeDecodeError, csv.Error) as error:
        msg = f"{path}: cannot be read: {error}"
        raise UsageError(msg) from error


def _parse_row(path: Path, line: int, values: dict[str, str | None], now: datetime) -> _Row:
    try:
        verdict = Verdict(values["verdict"] or "")
        moment = datetime.fromisoformat(values["reviewed_at"] or "") if values.get("reviewed_at") else now
    except ValueError as error:
        msg = f"{path}, line {line}: {error}; verdicts are {', '.join(Verdict)}, times ISO 8601"
        raise UsageError(msg) from error
    if moment.tzinfo is None:
        moment = moment.replace(tzinfo=now.tzinfo)
    return _Row(values["path"] or "", verdict, " ".join((values.get("reviewer") or "import").split()), moment)


def _import_row(session: Session, image_id: int, row: _Row) -> bool:
    record = get_record(session, image_id)
    if record.verdict is row.verdict:
        return False
    new = NewReview(row.verdict, record.latest_review_id, row.reviewer, "import")
    append(session, lambda: row.reviewed_at, image_id, new)
    return True
