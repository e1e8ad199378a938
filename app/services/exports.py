"""Exports: a folder or an archive of the released images, or the manifest alone. Never over an existing path."""

from collections.abc import Iterator
from contextlib import AbstractContextManager
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any

import structlog

from app.config import Settings, WorkerSettings
from app.domain.exporting import AUDIT_COLUMNS, AVAILABLE_FORMATS, LEFT_OUT_COLUMNS, MANIFEST_COLUMNS, ExportFormat
from app.domain.relocation import LeftOut, Omission, safe_for_file_name
from app.errors import ConflictError, InvalidInputError, MoveError, NotFoundError, TouchlineError, UsageError
from app.files.archives import Sink, measure, new_folder_sink, new_zip_sink
from app.files.manifests import AUDIT, CERTIFICATE, LEFT_OUT, MANIFEST, write_csv
from app.files.opening import expand_given
from app.files.writing import hash_file, new_file
from app.services.audit_files import iter_audit_rows, write_certificate
from app.services.clock import Clock
from app.services.datasets import DatasetView, get_dataset, view_dataset
from app.services.releasing import Release
from app.services.workers import liveness
from app.storage import exports as stored
from app.storage.database import Database, Session
from app.storage.datasets import Dataset
from app.storage.exports import Export
from app.storage.sign_offs import find_sign_off
from app.storage.tallies import count_covered, count_dataset
from app.storage.workers import is_alive

log = structlog.get_logger()
FORMAT_LINES = {
    ExportFormat.IMAGEFOLDER: "one folder per final label, with manifest, left-out.csv, audit.csv and certificate.json",
    ExportFormat.CSV: "the manifest alone: one row per released image",
}


@dataclass(frozen=True, slots=True)
class ExportView:
    """An export as pages and the API show it."""

    id: int
    status: str
    format: str
    sha256: str | None
    bytes: int | None
    path: str | None
    created_at: datetime
    error: str | None
    active: bool


def view_export(export: Export) -> ExportView:
    """An export as pages and the API show it."""
    return ExportView(
        id=export.id,
        status=export.status,
        format=export.format,
        sha256=export.sha256,
        bytes=export.bytes,
        path=export.path,
        created_at=export.created_at,
        error=export.error,
        active=export.status in ("queued", "running"),
    )


def parse_format(text: str) -> ExportFormat:
    """A format by name.

    Raises:
        InvalidInputError: unknown, or not available in this release.
    """
    available = ", ".join(AVAILABLE_FORMATS)
    if text not in list(ExportFormat):
        raise InvalidInputError.on("format", f"{text!r} is unknown; there are: {available}")
    if text not in AVAILABLE_FORMATS:
        raise InvalidInputError.on("format", f"{text} comes in a later release; now: {available}")
    return ExportFormat(text)


def get_export(session: Session, export_id: int) -> Export:
    """An export by id.

    Raises:
        NotFoundError: there is none.
    """
    export = stored.find_export(session, export_id)
    if export is None:
        msg = f"no export {export_id}"
        raise NotFoundError(msg)
    return export


def show_export(database: Database, export_id: int) -> ExportView:
    """One export.

    Raises:
        NotFoundError: there is none.
    """
    with database.read() as session:
        return view_export(get_export(session, export_id))


def request_export(database: Database, settings: Settings, clock: Clock, reference: str | int, form: str) -> ExportView:
    """Queue an export into the data folder, to be downloaded.

    Raises:
        NotFoundError: no such dataset.
        InvalidInputError: an unknown format.
    """
    kind = parse_format(form)
    with database.write() as session:
        dataset = get_dataset(session, reference)
        export_id = stored.insert_export(
            session, dataset_id=dataset.id, format=kind, status="queued", created_at=clock()
        )
        path = _download_path(settings, dataset, kind, export_id)
        stored.update_export(session, export_id, path=str(path))
        return view_export(get_export(session, export_id))


def _download_path(settings: Settings, dataset: Dataset, kind: ExportFormat, export_id: int) -> Path:
    ending = ".csv" if kind is ExportFormat.CSV else ".zip"
    name = f"{safe_for_file_name(dataset.name)}-{export_id}-{kind}{ending}"
    return settings.data_dir.resolve() / "exports" / name


def export_now(
    database: Database, clock: Clock, worker_id: int, reference: str | int, form: str, to: Path
) -> ExportView:
    """Export to ``to`` in this process: a folder for ``imagefolder``, a file for ``csv``.

    Raises:
        NotFoundError: no such dataset.
        InvalidInputError: an unknown format.
        TargetExistsError: ``to`` exists.
        UsageError: it cannot be written.
    """
    kind = parse_format(form)
    with database.write() as session:
        dataset = get_dataset(session, reference)
        export_id = stored.insert_export(
            session,
            dataset_id=dataset.id,
            format=kind,
            status="running",
            path=str(expand_given(to, "to")),
            worker_id=worker_id,
            created_at=clock(),
        )
        export = get_export(session, export_id)
    error = run_export(database, clock, export)
    if error is not None:
        raise error
    return show_export(database, export_id)


def claim_export(database: Database, settings: WorkerSettings, clock: Clock, worker_id: int) -> Export | None:
    """Take the oldest export that is queued, or whose worker is gone."""
    alive = liveness(settings, clock)
    with database.write() as session:
        for export in stored.list_open_exports(session):
            if export.status == "running" and is_alive(session, export.worker_id, alive):
                continue
            stored.update_export(session, export.id, status="running", worker_id=worker_id)
            return get_export(session, export.id)
    return None


def run_export(database: Database, clock: Clock, export: Export) -> TouchlineError | None:
    """Write a claimed export; a failure is recorded with its reason and returned."""
    path = Path(export.path or "")
    try:
        with database.read() as session:
            dataset = get_dataset(session, export.dataset_id)
            sha256 = _write(session, dataset, export.format, path)
    except TouchlineError as error:
        _finish(database, clock, export, status="failed", error=str(error))
        return error
    except OSError as error:
        failure = UsageError(f"{path}: {error.strerror}")
        _finish(database, clock, export, status="failed", error=str(failure))
        return failure
    _finish(database, clock, export, status="done", sha256=sha256, bytes=measure(path))
    log.info("export written", export=export.id, path=str(path))
    return None


def _finish(database: Database, clock: Clock, export: Export, **values: Any) -> None:
    with database.write() as session:
        stored.update_export(session, export.id, finished_at=clock(), **values)


def _write(session: Session, dataset: Dataset, kind: ExportFormat, path: Path) -> str:
    release = Release.of(session, dataset)
    if kind is ExportFormat.CSV:
        with new_file(path) as file:
            write_csv(file, MANIFEST_COLUMNS, _manifest_rows(session, release))
        return hash_file(path)
    sink: AbstractContextManager[Sink] = new_zip_sink(path) if path.suffix == ".zip" else new_folder_sink(path)
    with sink as opened:
        _write_images(session, release, opened)
        opened.add_table(AUDIT, AUDIT_COLUMNS, iter_audit_rows(session, dataset))
        opened.add_file(CERTIFICATE, write_certificate(session, dataset))
    return hash_file(path if path.is_file() else path / MANIFEST)


def _manifest_rows(session: Session, release: Release) -> Iterator[list[object]]:
    for planned in release.plan(session):
        if not isinstance(planned, Omission):
            row = release.manifest_row(session, planned)
            yield [row[column] for column in MANIFEST_COLUMNS]


def _write_images(session: Session, release: Release, sink: Sink) -> None:
    left_out: list[tuple[str, LeftOut | str]] = []
    manifest: list[list[object]] = []
    root = Path(release.dataset.root)
    for planned in release.plan(session):
        candidate = planned.candidate
        if isinstance(planned, Omission):
            left_out.append((candidate.path, planned.reason))
            continue
        try:
            path = sink.add_image(root, candidate.path, planned.destination, candidate.sha256 or "")
        except MoveError as error:
            left_out.append((candidate.path, error.code))
            continue
        row = release.manifest_row(session, planned) | {"path": path}
        manifest.append([row[column] for column in MANIFEST_COLUMNS])
    sink.add_table(MANIFEST, MANIFEST_COLUMNS, sorted(manifest, key=str))
    sink.add_table(LEFT_OUT, LEFT_OUT_COLUMNS, sorted(left_out))


def find_download(database: Database, export_id: int) -> Path:
    """The finished file of an export.

    Raises:
        NotFoundError: no such export, or its file is gone.
        ConflictError: it is not finished.
    """
    with database.read() as session:
        export = get_export(session, export_id)
    if export.status != "done":
        msg = f"export {export_id} is {export.status}" + (f": {export.error}" if export.error else "")
        raise ConflictError(msg)
    path = Path(export.path or "")
    if not path.is_file():
        msg = f"export {export_id} lies in {path} and cannot be downloaded"
        raise NotFoundError(msg)
    return path


@dataclass(frozen=True, slots=True)
class ExportPage:
    """The page of exports."""

    dataset: DatasetView | None
    ready: int
    exports: tuple[ExportView, ...]
    formats: tuple[tuple[str, str], ...]


def view_export_page(database: Database, dataset: Dataset | None) -> ExportPage:
    """What an export would hold, and the exports so far."""
    formats = tuple((str(kind), FORMAT_LINES[kind]) for kind in AVAILABLE_FORMATS)
    if dataset is None:
        return ExportPage(None, 0, (), formats)
    with database.read() as session:
        counts = count_dataset(session, dataset)
        sign_off = find_sign_off(session, dataset.id)
        signed = count_covered(session, dataset, sign_off.images).holding if sign_off else 0
        return ExportPage(
            dataset=view_dataset(session, dataset),
            ready=counts.tp + counts.fp + counts.fn + counts.tn + signed,
            exports=tuple(view_export(export) for export in stored.list_exports(session, dataset.id)),
            formats=formats,
        )
