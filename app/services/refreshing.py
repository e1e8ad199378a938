"""Keeping a dataset's rows in step with its files: what is new, changed, moved, gone.

What differs is found by reading; then only that is written, in short transactions, so that nobody's verdict waits for
a large dataset. A walk that is broken off leaves what the next one puts right.
"""

import random
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from datetime import datetime
from itertools import islice
from pathlib import Path
from typing import Any, TypeVar
from uuid import uuid4

from app.domain.images import Side
from app.errors import ImageUnreadableError, UsageError
from app.files.opening import open_inside
from app.files.scanning import NAME_NOT_UTF8, FoundFile, IgnoredFile, find_label_folders, walk_images
from app.files.writing import hash_stream
from app.storage import arrivals
from app.storage import datasets as stored
from app.storage.database import Database, Session
from app.storage.datasets import Dataset

WALK_CHUNK = 2000
WRITE_CHUNK = 500  #: images changed in one transaction
DROP_CHUNK = 5_000
T = TypeVar("T")


class WalkLostError(Exception):
    """A later walk of the dataset has begun: it sees all that this one saw."""


def refresh_images(
    database: Database,
    dataset: Dataset,
    now: datetime,
    folders: dict[Side, list[Path]] | None = None,
) -> None:
    """Walk the folders and bring the rows in step: new, changed, moved and missing files.

    The walk streams into the database in parts, so memory does not grow with the dataset. If another walk of the
    dataset begins meanwhile, this one changes nothing more: the later one sees all that it saw.

    Raises:
        UsageError: the root is gone (nothing is changed then).
    """
    root = Path(dataset.root)
    walk = uuid4().hex
    if folders is None:
        folders = _folders_of(dataset)
    with database.write() as session:
        stored.begin_walk(session, dataset.id, walk)
        stored.replace_ignored(session, dataset.id)
    _drop_arrivals(database, dataset.id, walk, others=True)
    unlisted: list[str] = []
    for side, side_folders in folders.items():
        for folder in side_folders:
            for part in _in_parts(walk_images(root, folder), WALK_CHUNK):
                unlisted += [item.path for item in part if isinstance(item, IgnoredFile) and item.folder]
                _store_part(database, dataset.id, walk, side, part)
    _reconcile(database, dataset, root, walk, unlisted, now)


def _in_parts(items: Iterable[T], size: int) -> Iterator[list[T]]:
    iterator = iter(items)
    while part := list(islice(iterator, size)):
        yield part


def _folders_of(dataset: Dataset) -> dict[Side, list[Path]]:
    root = Path(dataset.root)
    folders = {
        Side.POSITIVE: find_label_folders(root, dataset.positive_pattern),
        Side.NEGATIVE: find_label_folders(root, dataset.negative_pattern),
    }
    if not root.is_dir() or not all(folders.values()):
        # An unplugged disk must not turn every image into a missing one.
        msg = f"{root} is not there, or lacks a label folder: is the disk mounted?"
        raise UsageError(msg)
    return folders


def _store_part(
    database: Database, dataset_id: int, walk: str, side: Side, part: Sequence[FoundFile | IgnoredFile]
) -> None:
    shuffle = random.SystemRandom()
    rows: list[dict[str, Any]] = [
        {
            "walk": walk,
            "dataset_id": dataset_id,
            "path": item.path,
            "given": side,
            "size_bytes": item.size_bytes,
            "mtime_ns": item.mtime_ns,
            "unreadable": item.unreadable,
            "shuffle": shuffle.randrange(arrivals.SHUFFLE_RANGE),
        }
        for item in part
        if isinstance(item, FoundFile)
    ]
    ignored = [(item.path, item.reason) for item in part if isinstance(item, IgnoredFile)]
    with database.write() as session:
        arrivals.insert_arrivals(session, rows)
        stored.insert_ignored(session, dataset_id, ignored)


def _reconcile(database: Database, dataset: Dataset, root: Path, walk: str, unlisted: list[str], now: datetime) -> None:
    moved = _find_moved(database, dataset, root, walk)
    try:
        for pairs in _in_parts(moved, WRITE_CHUNK):
            with _write(database, dataset, walk) as session:
                arrivals.move_images(session, dataset.id, pairs)
        _mark(database, dataset, walk, unlisted, now)
        with database.read() as session:
            ranges = list(arrivals.iter_new(session, dataset.id, walk, WALK_CHUNK))
        for low, high in ranges:
            with _write(database, dataset, walk) as session:
                arrivals.adopt_new(session, dataset.id, walk, low, high, now)
    except WalkLostError:
        return
    _drop_arrivals(database, dataset.id, walk, others=False)  # its own alone: another walk may have begun by now


def _drop_arrivals(database: Database, dataset_id: int, walk: str, *, others: bool) -> None:
    more = True
    while more:
        with database.write() as session:
            more = arrivals.drop_arrivals(session, dataset_id, walk, DROP_CHUNK, others=others)


def _mark(database: Database, dataset: Dataset, walk: str, unlisted: list[str], now: datetime) -> None:
    with database.read() as session:
        gone = arrivals.find_gone(session, dataset.id, walk, unlisted)
        changed = arrivals.find_changed(session, dataset.id, walk, NAME_NOT_UTF8)
    for ids in _in_parts(gone, WRITE_CHUNK):
        with _write(database, dataset, walk) as session:
            arrivals.mark_missing(session, dataset.id, walk, ids, now)
    for ids in _in_parts(changed, WRITE_CHUNK):
        with _write(database, dataset, walk) as session:
            arrivals.mark_changed(session, dataset.id, walk, ids)


@contextmanager
def _write(database: Database, dataset: Dataset, walk: str) -> Iterator[Session]:
    with database.write() as session:
        if not stored.is_current_walk(session, dataset.id, walk):
            raise WalkLostError
        yield session


def _find_moved(database: Database, dataset: Dataset, root: Path, walk: str) -> list[tuple[int, int]]:
    """Vanished images and new paths with the same bytes, matched one to one, in the order of their paths."""
    with database.read() as session:
        vanished = arrivals.find_vanished(session, dataset.id, walk)
        if not vanished:
            return []
        candidates: list[tuple[int, str]] = []
        for sizes in _in_parts(sorted({size for _, _, size in vanished}), 500):
            candidates += arrivals.find_new_of_sizes(session, dataset.id, walk, sizes)
    waiting: dict[str, list[int]] = {}
    for image_id, sha256, _ in reversed(vanished):
        waiting.setdefault(sha256, []).append(image_id)
    moved = []
    for arrival_id, path in sorted(candidates, key=lambda pair: pair[1]):
        same = waiting.get(_hash_or_empty(root, path))
        if same:
            moved.append((same.pop(), arrival_id))
    return moved


def _hash_or_empty(root: Path, path: str) -> str:
    try:
        with open_inside(root, path) as file:
            return hash_stream(file)
    except (ImageUnreadableError, OSError):
        return ""  # the scan will say what is wrong with it
