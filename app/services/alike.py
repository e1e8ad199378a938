"""Pictures that are the same or look alike, side by side: on an image's page, on the page of duplicates, in a strip."""

import re
from collections.abc import Sequence
from dataclasses import dataclass, fields

from app.domain.flagging import MOST_COUNTED
from app.domain.images import Side
from app.domain.reviewing import Verdict
from app.errors import InvalidInputError
from app.services.carrying import Carried, CarryOffer, find_carried, find_offer
from app.services.datasets import DatasetView, view_dataset
from app.services.images import (
    ImageDetail,
    ImageItem,
    Tile,
    get_record,
    load_items,
    view_image_detail,
    view_tile,
)
from app.storage import duplicates as stored
from app.storage.database import Database, Session
from app.storage.datasets import Dataset
from app.storage.images import find_images

SHOWN = 12  #: on the page of an image, of either kind
SIDE_BY_SIDE = 4  #: of a group, from either folder
FIRST = 8  #: groups of each kind on the first page
GROUPS = 24  #: on a page of one kind
KINDS = ("conflict", "exact", "near")
_AFTER = {"conflict": r"[0-9a-f]{64}", "exact": r"[0-9a-f]{64}", "near": r"\d{1,2}-\d{1,10}-\d{1,10}"}


@dataclass(frozen=True, slots=True)
class Alike:
    """A picture beside another: the same bytes, or so many bits of its perceptual hash away."""

    tile: Tile
    exact: bool
    distance: int


@dataclass(frozen=True, slots=True)
class Duplicates:
    """Everything that is the same as an image or looks like it."""

    exact: tuple[ImageItem, ...]
    near: tuple[tuple[ImageItem, int], ...]


def list_duplicates(database: Database, image_id: int, limit: int) -> Duplicates:
    """Exact copies of an image by id, and near duplicates, nearest first; at most ``limit`` of either.

    Raises:
        NotFoundError: no such image.
    """
    with database.read() as session:
        get_record(session, image_id)
        exact = stored.find_copies(session, image_id, limit)
        near = stored.find_near(session, image_id, limit)
        items = _load(session, [*exact, *(other for other, _ in near)])
        return Duplicates(
            tuple(items[other] for other in exact), tuple((items[other], distance) for other, distance in near)
        )


def find_alike(session: Session, image_id: int, limit: int, *, copied: bool = True) -> list[tuple[int, bool, int]]:
    """Up to ``limit`` pictures as ``(id, exact, distance)``: exact copies first, then the nearest.

    ``copied``: whether there are copies, as far as that is known.
    """
    found = [(other, True, 0) for other in stored.find_copies(session, image_id, limit)] if copied else []
    if len(found) < limit:
        found += [(other, False, distance) for other, distance in stored.find_near(session, image_id, limit)]
    return found[:limit]


def similar_images(session: Session, image_id: int, limit: int) -> tuple[Alike, ...]:
    """The same as tiles."""
    found = find_alike(session, image_id, limit)
    items = _load(session, [other for other, _, _ in found])
    return tuple(Alike(view_tile(items[other]), exact, distance) for other, exact, distance in found)


def _load(session: Session, image_ids: Sequence[int]) -> dict[int, ImageItem]:
    records = find_images(session, image_ids)
    return {item.record.id: item for item in load_items(session, list(records.values()))}


@dataclass(frozen=True, slots=True)
class ImagePage(ImageDetail):
    """The page of one image, with what is the same or looks alike."""

    alike: tuple[Alike, ...] = ()
    carry: CarryOffer | None = None
    carried: Carried | None = None


def view_image_page(database: Database, image_id: int, carried: str | None = None) -> ImagePage:
    """The page of one image; ``carried`` names the batch that was just carried from it.

    Raises:
        NotFoundError: there is none.
    """
    detail = view_image_detail(database, image_id)
    with database.read() as session:
        exact = stored.find_copies(session, image_id, SHOWN)
        alike = similar_images(session, image_id, len(exact) + SHOWN)
        return ImagePage(
            **{field.name: getattr(detail, field.name) for field in fields(ImageDetail)},
            alike=alike,
            carry=find_offer(session, image_id),
            carried=None if carried is None else find_carried(session, carried, detail.dataset.id, image_id),
        )


@dataclass(frozen=True, slots=True)
class Group:
    """Pictures side by side: copies of one, or two that look alike."""

    members: tuple[Alike, ...]
    total: int
    more: bool  #: there are even more than ``total``, which were not counted
    contradicted: bool  #: people called some of the copies the one label and some the other
    carry: CarryOffer | None


@dataclass(frozen=True, slots=True)
class Section:
    """Groups of one kind."""

    kind: str
    groups: tuple[Group, ...]
    next_url: str | None
    first_url: str | None


@dataclass(frozen=True, slots=True)
class DuplicatesPage:
    """The page of duplicates: the kinds one after the other, or one of them."""

    dataset: DatasetView | None
    kind: str | None
    sections: tuple[Section, ...]
    carried: Carried | None


def view_duplicates(
    database: Database, dataset: Dataset | None, kind: str | None, after: str | None, carried: str | None = None
) -> DuplicatesPage:
    """The first groups of each kind; or of one kind a page after a place.

    Raises:
        InvalidInputError: an unknown kind, or a place that no page has given.
    """
    if kind is not None and kind not in KINDS:
        raise InvalidInputError.on("kind", f"must be one of {', '.join(KINDS)}")
    if after is not None and (kind is None or not re.fullmatch(_AFTER[kind], after, re.ASCII)):
        raise InvalidInputError.on("after", "is not one that this list has given")
    if dataset is None:
        return DuplicatesPage(None, kind, (), None)
    with database.read() as session:
        size = FIRST if kind is None else GROUPS
        return DuplicatesPage(
            view_dataset(session, dataset),
            kind,
            tuple(_section(session, dataset, each, after, size) for each in KINDS if kind in (None, each)),
            None if carried is None else find_carried(session, carried, dataset.id),
        )


def _section(session: Session, dataset: Dataset, kind: str, after: str | None, size: int) -> Section:
    places = _places(session, dataset, kind, after, size + 1)
    url = f"/duplicates?dataset={dataset.id}&kind={kind}"
    groups = tuple(
        _near_group(session, place) if kind == "near" else _exact_group(session, dataset, place)
        for place in places[:size]
    )
    following = f"{url}&after={places[size - 1]}" if len(places) > size else None
    return Section(kind, groups, following, None if after is None else url)


def _places(session: Session, dataset: Dataset, kind: str, after: str | None, limit: int) -> list[str]:
    """Where each group stands in its list, as it is written in a URL."""
    if kind != "near":
        return stored.list_copied_hashes(
            session, dataset.id, conflict=kind == "conflict", after=after or "", limit=limit
        )
    numbers = (-1, 0, 0) if after is None else _numbers(after)
    found = stored.list_near_across(session, dataset, numbers, limit)
    return [f"{distance}-{one}-{other}" for distance, one, other in found]


def _numbers(place: str) -> tuple[int, int, int]:
    distance, one, other = (int(part) for part in place.split("-"))
    return distance, one, other


def _exact_group(session: Session, dataset: Dataset, sha256: str) -> Group:
    counts = [stored.count_copies(session, dataset.id, sha256, side) for side in Side]
    ids = [
        image_id for side in Side for image_id in stored.list_members(session, dataset.id, sha256, side, SIDE_BY_SIDE)
    ]
    items = _load(session, ids)
    called = [
        image_id
        for image_id in ids
        if items[image_id].record.verdict is not None and not items[image_id].record.verdict_outdated
    ]
    verdicts = {items[image_id].record.verdict for image_id in called}
    return Group(
        members=tuple(Alike(view_tile(items[image_id]), exact=True, distance=0) for image_id in ids),
        total=sum(min(count.count, MOST_COUNTED) for count in counts if count is not None),
        more=any(count is not None and count.count > MOST_COUNTED for count in counts),
        contradicted=verdicts >= {Verdict.POSITIVE, Verdict.NEGATIVE},
        carry=find_offer(session, called[0]) if len(verdicts) == 1 else None,
    )


def _near_group(session: Session, place: str) -> Group:
    distance, *ids = _numbers(place)
    items = _load(session, ids)
    ids.sort(key=lambda image_id: items[image_id].record.given is not Side.POSITIVE)
    members = tuple(Alike(view_tile(items[image_id]), exact=False, distance=distance) for image_id in ids)
    return Group(members, len(members), more=False, contradicted=False, carry=None)
