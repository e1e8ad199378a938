"""Registering a dataset and keeping its rows in step with its files."""

from collections.abc import Callable, Iterable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from datetime import datetime
from os import cpu_count
from pathlib import Path
from time import monotonic
from typing import Any

from app.config import DatasetSettings, Settings
from app.domain.images import Side, label_of_pattern
from app.domain.text import is_id, is_text
from app.errors import ImageUnreadableError, InvalidInputError, NotFoundError
from app.files.budget import PixelBudget
from app.files.decoding import decode_file
from app.files.opening import resolve_given
from app.files.scanning import find_label_folders
from app.services.refreshing import refresh_images
from app.storage import datasets as stored
from app.storage.database import Database, Session
from app.storage.datasets import Dataset
from app.storage.images import ImageFilter, find_uninspected, list_images, record_inspections
from app.storage.tallies import count_images, keeping

PIXELS_AT_ONCE = 200_000_000  #: decoded pixels that one process holds while registering, or making pictures on demand
LEGIBLE_PX = 256  #: decoding so many shows whether a file is whole: every byte is read all the same
DEMO_MARKER = ".touchline-demo"  #: hidden, so no image; `touchline demo` writes it


@dataclass(frozen=True, slots=True)
class DatasetView:
    """A dataset with its counts of files."""

    id: int
    name: str
    root: str
    positive: str
    negative: str
    question: str
    images: int
    unreadable: int
    ignored: int
    threshold: float
    positive_means: str
    negative_means: str
    archived_at: datetime | None


@dataclass(frozen=True, slots=True)
class NewDataset:
    """What a person says of a dataset to register; empty text takes the default."""

    root: Path
    name: str = ""
    positive: str = "football"
    negative: str = "background"
    question: str = ""


def get_dataset(session: Session, reference: str | int) -> Dataset:
    """A dataset by id or name.

    Raises:
        NotFoundError: there is none.
    """
    found = None
    text = str(reference)
    if is_id(text):
        found = stored.find_dataset(session, int(text))
    if found is None and is_text(text):
        found = stored.find_dataset_by_name(session, text)
    if found is None:
        msg = f"no dataset {text!r}; `touchline status` lists them, `touchline add` registers one"
        raise NotFoundError(msg)
    return found


def view_dataset(session: Session, dataset: Dataset) -> DatasetView:
    """A dataset as pages and the API show it."""
    images, unreadable = count_images(session, dataset.id)
    return DatasetView(
        id=dataset.id,
        name=dataset.name,
        root=dataset.root,
        positive=dataset.positive,
        negative=dataset.negative,
        question=dataset.question,
        images=images,
        unreadable=unreadable,
        ignored=stored.count_ignored(session, dataset.id),
        threshold=dataset.threshold,
        positive_means=dataset.positive_means,
        negative_means=dataset.negative_means,
        archived_at=dataset.archived_at,
    )


def list_dataset_views(
    database: Database, after: int = 0, limit: int = 500, archived: bool | None = False
) -> tuple[DatasetView, ...]:
    """Datasets by id, after an id: without the archived ones, only those, or (None) all."""
    with database.read() as session:
        found = stored.list_datasets(session, after, limit, archived)
        return tuple(view_dataset(session, dataset) for dataset in found)


def set_threshold(database: Database, reference: str | int, threshold: float) -> Dataset:
    """Move a dataset's threshold. Flags follow, reviews do not change.

    Raises:
        NotFoundError: no such dataset.
        InvalidInputError: not within 0..1.
    """
    if not 0 <= threshold <= 1:
        raise InvalidInputError.on("threshold", "must lie between 0 and 1")
    with database.write() as session:
        dataset = get_dataset(session, reference)
        stored.set_threshold(session, dataset.id, threshold)
        return get_dataset(session, dataset.id)


def refuse_outside(path: Path, settings: DatasetSettings, loc: str) -> None:
    """Refuse a folder that a browser may not name.

    Raises:
        InvalidInputError: it lies outside ``datasets.allowed_roots``, or is no path.
    """
    resolved = resolve_given(path, loc)
    if not any(resolved == root or root in resolved.parents for root in settings.allowed_roots):
        allowed = ", ".join(str(root) for root in settings.allowed_roots)
        raise InvalidInputError.on(loc, f"must lie below one of datasets.allowed_roots ({allowed})")


def register_dataset(database: Database, settings: Settings, new: NewDataset, now: datetime) -> DatasetView:
    """Register a root with its two labels, and look at its files.

    Decoding stops after ``datasets.inspect_on_add_s``; the first scan does the rest.

    Raises:
        InvalidInputError: the root or a label's folder is missing, or the dataset is registered already.
    """
    root, folders = _check_folders(new)
    with database.write() as session:
        _refuse_known(session, new, root)
        dataset_id = stored.insert_dataset(
            session,
            name=new.name or root.name,
            root=str(root),
            positive=label_of_pattern(new.positive),
            negative=label_of_pattern(new.negative),
            positive_pattern=new.positive,
            negative_pattern=new.negative,
            question=new.question or default_question(label_of_pattern(new.positive)),
            threshold=settings.detector.threshold,
            demo=(root / DEMO_MARKER).is_file(),
            created_at=now,
        )
        dataset = get_dataset(session, dataset_id)
    refresh_images(database, dataset, now, folders)
    inspect_images(database, dataset, settings, now)
    with database.read() as session:
        return view_dataset(session, dataset)


def default_question(label: str) -> str:
    """``football`` -> ``Is there a football?``"""
    return f"Is there {'an' if label[:1].lower() in 'aeiou' else 'a'} {label}?"


def _check_folders(new: NewDataset) -> tuple[Path, dict[Side, list[Path]]]:
    root = resolve_given(new.root, "root")
    if not root.is_dir():
        raise InvalidInputError.on("root", f"{root} is no folder")
    folders: dict[Side, list[Path]] = {}
    for side, pattern in ((Side.POSITIVE, new.positive), (Side.NEGATIVE, new.negative)):
        try:
            folders[side] = find_label_folders(root, pattern)
        except InvalidInputError as error:
            raise InvalidInputError.on(side, str(error)) from error
        if not folders[side]:
            raise InvalidInputError.on(side, f"there is no folder {root / pattern}; name it with --{side}")
    _refuse_overlap(folders, new)
    return root, folders


def _refuse_overlap(folders: dict[Side, list[Path]], new: NewDataset) -> None:
    if label_of_pattern(new.positive) == label_of_pattern(new.negative):
        raise InvalidInputError.on("negative", "the two labels must differ")
    for one in folders[Side.POSITIVE]:
        for other in folders[Side.NEGATIVE]:
            if one == other or one in other.parents or other in one.parents:
                raise InvalidInputError.on("negative", f"the folders {one} and {other} overlap")


def _refuse_known(session: Session, new: NewDataset, root: Path) -> None:
    known = stored.find_dataset_by_root(session, str(root), new.positive, new.negative)
    if known is not None:
        raise InvalidInputError.on(
            "root", f"{root} is registered already as {known.name!r}; `touchline scan` picks up new files"
        )
    name = new.name or root.name
    if name.isascii() and name.isdigit():
        raise InvalidInputError.on("name", f"{name!r} would pass for an id; give one with a letter with --name")
    if stored.find_dataset_by_name(session, name) is not None:
        raise InvalidInputError.on("name", f"there is a dataset {name!r} already; give another with --name")


def inspect_images(
    database: Database,
    dataset: Dataset,
    settings: Settings,
    now: datetime,
    clock: Callable[[], float] = monotonic,
) -> None:
    """Decode and hash new and changed images until ``datasets.inspect_on_add_s`` have passed."""
    until = clock() + settings.datasets.inspect_on_add_s
    budget = PixelBudget(PIXELS_AT_ONCE)
    after = 0
    with ThreadPoolExecutor(cpu_count()) as pool:
        while clock() < until:
            with database.read() as session:
                part = find_uninspected(session, dataset.id, after, 64)
            if not part:
                return
            after = part[-1][0]
            found = pool.map(lambda item: inspect(dataset, item[0], item[1], settings, now, budget), part)
            _record(database, dataset.id, found)


def _record(database: Database, dataset_id: int, found: Iterable[dict[str, Any]]) -> None:
    rows = list(found)
    with database.write() as session, keeping(session, dataset_id, [row["id"] for row in rows]):
        record_inspections(session, rows)


def inspect(
    dataset: Dataset, image_id: int, path: str, settings: Settings, now: datetime, budget: PixelBudget
) -> dict[str, Any]:
    """What decoding says of one image, as columns of its row."""
    try:
        decoded = decode_file(Path(dataset.root), path, settings.datasets.max_pixels, LEGIBLE_PX, budget)
    except ImageUnreadableError as error:
        return unreadable_columns(image_id, str(error), now)
    return {
        "id": image_id,
        "sha256": decoded.sha256,
        "width": decoded.width,
        "height": decoded.height,
        "unreadable": None,
        "inspected_at": now,
    }


def unreadable_columns(image_id: int, reason: str, now: datetime) -> dict[str, Any]:
    """The columns of an image that cannot be decoded."""
    return {
        "id": image_id,
        "sha256": None,
        "width": None,
        "height": None,
        "unreadable": reason,
        "inspected_at": now,
    }


@dataclass(frozen=True, slots=True)
class FilesPage:
    """The unreadable and the ignored files of a dataset, a page of each."""

    dataset: DatasetView
    unreadable: tuple[tuple[str, str, int], ...]
    ignored: tuple[tuple[str, str], ...]
    next_url: str | None


def view_files(database: Database, reference: int, after: int = 0, limit: int = 200) -> FilesPage:
    """Unreadable files with their reasons, and ignored files by id after ``after``."""
    with database.read() as session:
        dataset = get_dataset(session, reference)
        wanted = ImageFilter(dataset_id=dataset.id, unreadable=True)
        broken = list_images(session, wanted, "path", None, 500) if after == 0 else []
        ignored = stored.list_ignored(session, dataset.id, after, limit)
        return FilesPage(
            dataset=view_dataset(session, dataset),
            unreadable=tuple((record.path, record.unreadable or "", record.id) for record, _ in broken),
            ignored=tuple((path, reason) for _, path, reason in ignored),
            next_url=f"/datasets/{dataset.id}/files?after={ignored[-1][0]}" if len(ignored) == limit else None,
        )


@dataclass(frozen=True, slots=True)
class DatasetsPage:
    """The page of datasets, with the form as typed and what was wrong with it."""

    datasets: tuple[DatasetView, ...]
    archived: tuple[DatasetView, ...]
    form: dict[str, str]
    errors: tuple[tuple[str, str], ...]
