"""The images before and after one in the list that it was opened from."""

from app.errors import InvalidInputError
from app.services.browsing import ImageFilters, Jump, read_query
from app.services.images import Around, get_record, narrow_query
from app.storage.browsing import cut_around, name_order, walk
from app.storage.database import Database
from app.storage.datasets import Dataset


def find_neighbours(database: Database, dataset: Dataset, image_id: int, filters: ImageFilters) -> Around:
    """Links to the image before and after, and back to the list; without a link where there is none, or none near.

    Raises:
        NotFoundError: no such image.
    """
    listed = f"dataset={dataset.id}&{filters.encode()}"
    try:
        query = read_query(dataset, filters, Jump())
        with database.read() as session:
            wanted = narrow_query(session, query)
            record = get_record(session, image_id)
            order = name_order(session, dataset, wanted, query.order)
            found: list[int | None] = []
            for after in (False, True):
                cut = cut_around(session, dataset, wanted, order, record, after=after)
                # One chunk is asked: what lies further than that is found by the list.
                near = walk(session, dataset, wanted, order, cut, 1, _at_once, backwards=not after)
                found.append(near.ids[0] if near.ids else None)
    except InvalidInputError:
        return Around(None, None, f"/images?dataset={dataset.id}")
    urls = [None if each is None else f"/images/{each}?{listed}" for each in found]
    return Around(urls[0], urls[1], f"/images?{listed}")


def _at_once() -> bool:
    return True
