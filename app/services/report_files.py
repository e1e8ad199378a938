"""A report as files: its JSON, their names, and writing them over nothing."""

import json
from dataclasses import asdict
from datetime import datetime
from pathlib import Path
from typing import Any

from app.domain.relocation import safe_for_file_name
from app.errors import TargetExistsError
from app.files.opening import expand_given
from app.files.writing import write_new
from app.services.report import Report
from app.services.reviews import format_time


def report_document(report: Report) -> dict[str, Any]:
    """The report as JSON has it: its fields, times as text."""
    document: dict[str, Any] = _plain(asdict(report))
    return document


def _plain(value: Any) -> Any:
    if isinstance(value, dict):
        return {str(key): _plain(each) for key, each in value.items()}
    if isinstance(value, list | tuple):
        return [_plain(each) for each in value]
    return format_time(value) if isinstance(value, datetime) else value


def report_json(report: Report) -> bytes:
    """The report as a JSON file."""
    return (json.dumps(report_document(report), ensure_ascii=False, indent=1) + "\n").encode()


def report_file_name(report: Report, ending: str) -> str:
    """A name for the downloaded file that any system takes."""
    return f"{safe_for_file_name(report.dataset.name)}-report-{report.as_of:%Y-%m-%d}.{ending}"


def check_report_path(path: Path) -> Path:
    """The path that a report may be written to.

    Raises:
        TargetExistsError: something is there already.
    """
    target = expand_given(path, "--to")
    if target.exists() or target.is_symlink():
        msg = f"{target} exists already and is not overwritten: name another path"
        raise TargetExistsError(msg)
    return target


def write_report(path: Path, content: bytes) -> None:
    """Write a report, whole and on disk or not at all, never over something that is there.

    Raises:
        TargetExistsError: something is at ``path`` already.
        UsageError: it cannot be written there.
    """
    write_new(path, content)
