"""The page of images: every filter is in its address, so that an address can be kept, sent and saved under a name."""

from dataclasses import dataclass, fields, replace
from urllib.parse import parse_qsl, urlencode

from app.errors import ConflictError, InvalidInputError, NotFoundError
from app.services.clock import Clock
from app.services.datasets import DatasetView, get_dataset, view_dataset
from app.services.images import ImageList, ImageQuery, Tile, list_items, view_tile
from app.storage import saved_filters as stored
from app.storage.database import Database
from app.storage.datasets import Dataset
from app.storage.saved_filters import SavedFilter

TILES = 60
MOST_SAVED = 100  #: filters of one dataset


@dataclass(frozen=True, slots=True)
class ImageFilters:
    """The filters of the page of images, as in its query string; None where there is none."""

    flag: str | None = None
    reviewed: str | None = None
    given: str | None = None
    verdict: str | None = None
    reviewer: str | None = None
    folder: str | None = None
    text: str | None = None
    min_score: str | None = None
    max_score: str | None = None
    order: str = "suspicion"

    def narrows(self) -> int:
        """How many filters are set."""
        return sum(getattr(self, each.name) is not None for each in fields(self) if each.name != "order")

    def encode(self) -> str:
        """As a query string, without the dataset."""
        chosen = {each.name: getattr(self, each.name) for each in fields(self)}
        return urlencode({name: value for name, value in chosen.items() if value is not None})


@dataclass(frozen=True, slots=True)
class Jump:
    """Where in the list the page begins, as in its query string."""

    cursor: str | None = None
    backwards: bool = False
    number: str | None = None
    at_score: str | None = None
    searched: int = 0  #: images that the pages before this one looked at in vain


@dataclass(frozen=True, slots=True)
class ImagesPage:
    """The page of images."""

    dataset: DatasetView | None
    filters: ImageFilters
    jump: Jump
    tiles: tuple[Tile, ...]
    next_url: str | None
    previous_url: str | None
    first_url: str | None
    here: str  #: the list's query string, for links to its images
    searched: int | None  #: images looked at so far, where the search has not come to its end
    saved: tuple[SavedFilter, ...]
    error: tuple[str, str] | None
    save_error: str | None
    unreadable_count: int


def view_images_page(
    database: Database, dataset: Dataset | None, filters: ImageFilters, jump: Jump, save_error: str | None = None
) -> ImagesPage:
    """A page of tiles under some filters; a filter that makes no sense is told beside the form, and finds nothing."""
    if dataset is None:
        return ImagesPage(None, filters, jump, (), None, None, None, "", None, (), None, None, 0)
    error: tuple[str, str] | None = None
    found = ImageList((), None)
    try:
        found = list_items(database, read_query(dataset, filters, jump))
    except InvalidInputError as refused:
        if not refused.errors or refused.errors[0].loc == "cursor":
            raise
        error = (refused.errors[0].loc, refused.errors[0].msg)
    with database.read() as session:
        view = view_dataset(session, dataset)
        saved = tuple(stored.list_filters(session, dataset.id, MOST_SAVED))
    first = f"/images?dataset={dataset.id}&{filters.encode()}"
    searching = found.next is not None and len(found.items) < TILES and not jump.backwards
    searched = jump.searched + found.passed
    more = {"cursor": found.next} | ({"searched": searched} if searching else {})
    return ImagesPage(
        dataset=view,
        filters=filters,
        jump=jump,
        tiles=tuple(view_tile(item) for item in found.items),
        next_url=None if found.next is None else f"{first}&{urlencode(more)}",
        previous_url=None
        if found.previous is None
        else f"{first}&{urlencode({'cursor': found.previous, 'back': '1'})}",
        first_url=first if jump != Jump() else None,
        here=f"dataset={dataset.id}&{filters.encode()}",
        searched=searched if searching else None,
        saved=saved,
        error=error,
        save_error=save_error,
        unreadable_count=view.unreadable,
    )


def read_query(dataset: Dataset, filters: ImageFilters, jump: Jump) -> ImageQuery:
    """The query of a page of images.

    Raises:
        InvalidInputError: a score that is none, a number that is none, or ``reviewed`` neither true nor false.
    """
    at_score = _score("at_score", jump.at_score)
    return ImageQuery(
        dataset=str(dataset.id),
        flag=filters.flag,
        reviewed=_is_reviewed(filters.reviewed),
        given=filters.given,
        verdict=filters.verdict,
        order=filters.order,
        cursor=jump.cursor,
        limit=TILES,
        reviewer=_short("reviewer", filters.reviewer, 200),
        folder=_short("folder", filters.folder, 1000),
        text=_short("text", filters.text, 200),
        min_score=_score("min_score", filters.min_score),
        max_score=_score("max_score", filters.max_score),
        number=_number(jump.number),
        at_score=at_score,
        backwards=jump.backwards,
    )


def _is_reviewed(text: str | None) -> bool | None:
    if text not in (None, "true", "false"):
        raise InvalidInputError.on("reviewed", "must be true or false")
    return None if text is None else text == "true"


def _short(loc: str, text: str | None, longest: int) -> str | None:
    if text is not None and len(text) > longest:
        raise InvalidInputError.on(loc, f"has at most {longest} characters")
    return text


def _score(loc: str, text: str | None) -> float | None:
    if text is None:
        return None
    try:
        score = float(text.replace(",", "."))
    except ValueError:
        score = -1.0
    if not 0 <= score <= 1:
        raise InvalidInputError.on(loc, "must be a number between 0 and 1")
    return score


def _number(text: str | None) -> int | None:
    if text is None:
        return None
    digits = text.replace(",", "").replace(" ", "").replace(".", "")
    if not (digits.isascii() and digits.isdigit() and len(digits) < 10 and int(digits) > 0):
        raise InvalidInputError.on("number", "must be a whole number from 1 on")
    return int(digits)


def read_filters(query: str) -> ImageFilters:
    """Filters from a query string, whatever else it holds; empty fields mean all."""
    known = {each.name for each in fields(ImageFilters)}
    given = {name: value for name, value in parse_qsl(query) if name in known and value}
    return replace(ImageFilters(), **given)


def save_filter(database: Database, clock: Clock, dataset_id: int, name: str, query: str, made_by: str) -> SavedFilter:
    """Save the filters of a query string under a name.

    Raises:
        NotFoundError: no such dataset.
        InvalidInputError: no name, or one that is too long; or the dataset has too many.
        ConflictError: it has one of that name.
    """
    cleaned = " ".join(name.split())
    if not 1 <= len(cleaned) <= 80:
        raise InvalidInputError.on("name", "give a name of at most 80 characters")
    filters = read_filters(query[:8192])
    with database.write() as session:
        dataset = get_dataset(session, dataset_id)
        if len(stored.list_filters(session, dataset.id, MOST_SAVED)) >= MOST_SAVED:
            raise InvalidInputError.on("name", f"a dataset has at most {MOST_SAVED} saved filters: delete one first")
        saved = stored.insert_filter(
            session,
            dataset_id=dataset.id,
            name=cleaned,
            query=filters.encode(),
            made_by=made_by,
            created_at=clock(),
        )
        found = None if saved is None else stored.find_filter(session, saved)
    if found is None:
        msg = f"there is a filter {cleaned!r} already: delete it, or take another name"
        raise ConflictError(msg)
    return found


def delete_filter(database: Database, filter_id: int) -> SavedFilter:
    """Forget a saved filter; what it was.

    Raises:
        NotFoundError: there is none.
    """
    with database.write() as session:
        found = stored.find_filter(session, filter_id)
        if found is None:
            msg = f"no saved filter {filter_id}"
            raise NotFoundError(msg)
        stored.delete_filter(session, filter_id)
        return found
