"""Many open flags at a time: by suspicion or by likeness, and the preview of a batch before it is saved."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

from app.domain.perceptual import group_similar
from app.domain.reviewing import Verdict
from app.services.clock import Clock
from app.services.datasets import DatasetView, view_dataset
from app.services.images import Tile, load_items, view_tile
from app.services.queue import NO_PROGRESS, Progress, view_progress, why_empty
from app.services.reviews import BatchEntry
from app.storage.database import Database, Session
from app.storage.datasets import Dataset
from app.storage.images import find_images, hashes_of
from app.storage.queue import find_places
from app.storage.reviews import latest_batch

GridOrder = Literal["suspicion", "similar"]
ORDERS: tuple[GridOrder, ...] = ("suspicion", "similar")
COUNTS = (60, 120, 200)
WINDOW = 1000  #: of the most suspicious open flags, among which likeness is looked for
OPPOSITE = {Verdict.POSITIVE: Verdict.NEGATIVE, Verdict.NEGATIVE: Verdict.POSITIVE}


@dataclass(frozen=True, slots=True)
class GridChoice:
    """How many tiles, and in which order."""

    count: int = COUNTS[0]
    order: GridOrder = ORDERS[0]


@dataclass(frozen=True, slots=True)
class TileGroup:
    """Tiles that look alike; ``alike`` is 0 where they are only listed together."""

    tiles: tuple[Tile, ...]
    alike: int


@dataclass(frozen=True, slots=True)
class BatchPreview:
    """What one press will save: a verdict on all tiles that are not marked."""

    verdict: Verdict
    opposite: Verdict  #: what the marked ones may be called in the same batch
    entries: tuple[str, ...]  #: as the form posts them
    marked: tuple[Tile, ...]
    sample: tuple[Tile, ...]  #: some of those that get the verdict
    batch_id: str


@dataclass(frozen=True, slots=True)
class GridPage:
    """Many open flags at a time."""

    dataset: DatasetView | None
    choice: GridChoice
    groups: tuple[TileGroup, ...]
    empty: str | None
    progress: Progress
    batch_id: str
    last_batch: str | None
    last_batch_size: int
    marked: frozenset[int]
    preview: BatchPreview | None
    message: str

    @property
    def tiles(self) -> tuple[Tile, ...]:
        """Every tile, in the order shown."""
        return tuple(tile for group in self.groups for tile in group.tiles)


def view_grid(
    database: Database,
    clock: Clock,
    dataset: Dataset | None,
    reviewer: str | None,
    client: str,
    batch_id: str,
    message: str = "",
    choice: GridChoice | None = None,
    marked: frozenset[int] = frozenset(),
) -> GridPage:
    """The most suspicious open flags as tiles, ``marked`` ones selected; nothing is leased."""
    chosen = choice or GridChoice()
    if dataset is None:
        return GridPage(None, chosen, (), "no_dataset", NO_PROGRESS, batch_id, None, 0, marked, None, message)
    now = clock()
    with database.read() as session:
        wide = chosen.order == "similar"
        limit = WINDOW if wide else chosen.count
        places = find_places(session, dataset, flagged=True, after=None, client=client, now=now, limit=limit)
        ids = [place.image_id for place in places]
        groups = _groups(session, ids, chosen.count) if wide else [(ids, 0)]
        last = latest_batch(session, dataset.id, reviewer) if reviewer else None
        return GridPage(
            dataset=view_dataset(session, dataset),
            choice=chosen,
            groups=_load(session, groups) if ids else (),
            empty=None if ids else why_empty(session, dataset),
            progress=view_progress(session, dataset, reviewer, now),
            batch_id=batch_id,
            last_batch=None if last is None else last[0],
            last_batch_size=0 if last is None else last[1],
            marked=marked,
            preview=None,
            message=message,
        )


def _groups(session: Session, ids: Sequence[int], count: int) -> list[tuple[list[int], int]]:
    """Ids by likeness, largest group first, cut off at ``count`` images; those that are like no other come last."""
    hashes = hashes_of(session, ids)
    found = [[ids[place] for place in group] for group in group_similar([hashes.get(image_id) for image_id in ids])]
    groups, room = [], count
    for group in found:
        if len(group) > 1 and room:
            groups.append((group[:room], len(group)))
            room -= len(group[:room])
    alone = [group[0] for group in found if len(group) == 1][:room]
    return [*groups, (alone, 0)] if alone else groups


def _load(session: Session, groups: Sequence[tuple[list[int], int]]) -> tuple[TileGroup, ...]:
    tiles = _tiles(session, [image_id for ids, _ in groups for image_id in ids])
    return tuple(TileGroup(tuple(tiles[image_id] for image_id in ids), alike) for ids, alike in groups)


def _tiles(session: Session, ids: Sequence[int]) -> dict[int, Tile]:
    items = load_items(session, list(find_images(session, ids).values()))
    return {item.record.id: view_tile(item) for item in items}


def preview_batch(
    database: Database, page: GridPage, shown: Sequence[BatchEntry], marked: frozenset[int], verdict: Verdict
) -> BatchPreview:
    """What calling all shown images but the marked ones would save. Nothing is saved, nothing checked yet."""
    rest = [entry for entry in shown if entry.image_id not in marked]
    some = [entry.image_id for entry in rest[:SAMPLED]]
    exceptions = [entry for entry in shown if entry.image_id in marked]
    with database.read() as session:
        tiles = _tiles(session, some + [entry.image_id for entry in exceptions])
    return BatchPreview(
        verdict=verdict,
        opposite=OPPOSITE[verdict],
        entries=tuple(_posted(entry) for entry in rest),
        marked=tuple(tiles[entry.image_id] for entry in exceptions if entry.image_id in tiles),
        sample=tuple(tiles[image_id] for image_id in some if image_id in tiles),
        batch_id=page.batch_id,
    )


SAMPLED = 12  #: tiles of a preview that stand for those that get the verdict


def _posted(entry: BatchEntry) -> str:
    return f"{entry.image_id}:{'' if entry.seen_review_id is None else entry.seen_review_id}"
