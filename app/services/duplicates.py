"""Exact copies and pictures that look alike: finding them after a scan, and showing them side by side."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from hashlib import blake2b

import numpy as np
import structlog
from numpy.typing import NDArray

from app.domain.duplicates import DISTANCE, NEIGHBOURS, as_hashes, find_neighbours
from app.services.apart import work_apart
from app.storage import duplicates as stored
from app.storage.database import Database
from app.storage.datasets import MAX_ID
from app.storage.duplicates import Near
from app.storage.tallies import count_images

log = structlog.get_logger()
READ = 10_000  #: hashes read at a time
WRITE = 200  #: images whose near duplicates are written in one transaction
APART_FROM = 2_000  #: images; a search among more than so many has a process of its own
MARK = 200  #: hashes whose images are marked in one transaction
ACROSS = 4  #: neighbours kept from the other folder, however many nearer ones lie in an image's own
RULES = f"{DISTANCE} {NEIGHBOURS} {ACROSS}"  #: part of the digest: other rules, another search


@dataclass(frozen=True, slots=True)
class Found:
    """What a search for duplicates came to."""

    images: int  #: whose hashes were compared
    pairs: int  #: near duplicates, each counted once for each of its two images
    searched: bool  #: False: nothing had changed since the last time


@dataclass(frozen=True, slots=True)
class _Pictures:
    """The images of a dataset by id: hashes, folders, and which of them are the first with their bytes."""

    ids: NDArray[np.int64]
    hashes: NDArray[np.uint64]
    positive: NDArray[np.bool_]
    first: NDArray[np.int64]  #: position of the first image with the same bytes

    @property
    def digest(self) -> str:
        """Changes with any of it, and with the rules of the search."""
        said = blake2b(RULES.encode(), digest_size=16)
        for part in (self.ids, self.hashes, self.positive, self.first):
            said.update(np.ascontiguousarray(part).tobytes())
        return said.hexdigest()


def find_duplicates(database: Database, dataset_id: int, stopping: Callable[[], bool] = lambda: False) -> Found | None:
    """Mark a dataset's exact copies and search its near duplicates, unless no hash has changed since the last search.

    Many images are searched in a process of its own: it can be ended at any moment, and its memory goes with it, so
    that of a worker stays flat however many images it has scanned. None if ``stopping`` ended it; the next scan begins
    it anew.

    Raises:
        WorkLostError: the process that searched ended without an answer.
    """
    with database.read() as session:
        images, _ = count_images(session, dataset_id)
    if stopping():
        return None
    if images <= APART_FROM:
        found: Found | None = search_duplicates(database, dataset_id)
    else:
        found = work_apart(database.url, search_duplicates, (dataset_id,), stopping)
    if found is not None and found.searched:
        log.info("duplicates searched", dataset=dataset_id, images=found.images, pairs=found.pairs)
    return found


def search_duplicates(database: Database, dataset_id: int) -> Found:
    """The same in this process, to its end. Hashes are read in parts, and results written in short transactions."""
    mark_copies(database, dataset_id)
    pictures = _read(database, dataset_id)
    digest = pictures.digest
    with database.read() as session:
        known = stored.find_searched(session, dataset_id)
    if known == digest:
        return Found(len(pictures.ids), 0, searched=False)
    with database.write() as session:
        stored.set_searched(session, dataset_id, None)  # until all is written, nothing is known
    pairs = 0
    for first, last, rows in _in_parts(pictures, _search(pictures)):
        pairs += len(rows)
        _write(database, dataset_id, first, last, rows)
    with database.write() as session:
        stored.set_searched(session, dataset_id, digest)
    return Found(len(pictures.ids), pairs, searched=True)


def mark_copies(database: Database, dataset_id: int) -> int:
    """Mark what is not marked as it is; how many hashes that were. Each change marks its own: there should be none."""
    with database.read() as session:
        wrong = stored.find_wrong_hashes(session, dataset_id)
    for begin in range(0, len(wrong), MARK):
        with database.write() as session:
            stored.update_conflicts(session, dataset_id, wrong[begin : begin + MARK])
    return len(wrong)


def _read(database: Database, dataset_id: int) -> _Pictures:
    parts: list[tuple[NDArray[np.int64], ...]] = []
    after = 0
    while True:
        with database.read() as session:
            rows = stored.list_hashes(session, dataset_id, after, READ)
        if not rows:
            break
        after = rows[-1][0]
        # Of the SHA-256 eight bytes are enough: a chance likeness would cost one image its near duplicates.
        bytes_ = np.array([int(sha256[:15], 16) for _, _, sha256, _ in rows], np.int64)
        ids, hashes, positive = (np.array([row[place] for row in rows], np.int64) for place in (0, 1, 3))
        parts.append((ids, hashes, bytes_, positive))
    ids, hashes, bytes_, positive = (
        np.concatenate([np.empty(0, np.int64), *(part[place] for part in parts)]) for place in range(4)
    )
    _, first, which = np.unique(bytes_, return_index=True, return_inverse=True)
    return _Pictures(ids, as_hashes(hashes), positive.astype(np.bool_), first[which])


@dataclass(frozen=True, slots=True)
class _Pairs:
    """Near duplicates as positions of pictures, sorted by the first: both directions, none twice. Of equal length."""

    one: NDArray[np.int32]
    other: NDArray[np.int32]
    distance: NDArray[np.uint8]  #: bits


def _search(pictures: _Pictures) -> _Pairs:
    """The nearest of each picture, and the nearest in the other folder; of exact copies only the first is searched."""
    kept = np.flatnonzero(pictures.first == np.arange(len(pictures.ids)))
    positive, negative = kept[pictures.positive[kept]], kept[~pictures.positive[kept]]
    found: list[tuple[NDArray[np.int64], NDArray[np.int64], NDArray[np.uint8]]] = []
    for queries, data, keep in ((kept, None, NEIGHBOURS), (positive, negative, ACROSS), (negative, positive, ACROSS)):
        near = find_neighbours(pictures.hashes[queries], None if data is None else pictures.hashes[data], keep=keep)
        places, positions, apart = near.pairs()
        found.append((queries[places], (queries if data is None else data)[positions], apart))
    one, other, apart = (np.concatenate([part[place] for part in found]) for place in range(3))
    total = max(1, len(pictures.ids))
    both = np.concatenate([one * total + other, other * total + one])
    keys, first = np.unique(both, return_index=True)
    distance = np.concatenate([apart, apart])[first]
    return _Pairs((keys // total).astype(np.int32), (keys % total).astype(np.int32), distance)


def _in_parts(pictures: _Pictures, pairs: _Pairs) -> Iterator[tuple[int, int, set[Near]]]:
    """Ranges of ids that follow each other without a gap, each with the near duplicates of the images in it.

    A copy has those of the first image with its bytes.
    """
    starts = np.searchsorted(pairs.one, np.arange(len(pictures.ids) + 1))
    last = 0
    for begin in range(0, len(pictures.ids), WRITE):
        rows: set[Near] = set()
        places = range(begin, min(begin + WRITE, len(pictures.ids)))
        for place in places:
            of = int(pictures.first[place])
            for index in range(int(starts[of]), int(starts[of + 1])):
                other = int(pairs.other[index])
                across = bool(pictures.positive[place] != pictures.positive[other])
                rows.add((int(pictures.ids[place]), int(pictures.ids[other]), int(pairs.distance[index]), across))
        first, last = last + 1, int(pictures.ids[places[-1]])
        yield first, last, rows
    yield last + 1, MAX_ID, set()


def _write(database: Database, dataset_id: int, first: int, last: int, rows: set[Near]) -> None:
    with database.write() as session:
        stored.replace_near_duplicates(session, dataset_id, first, last, rows)
