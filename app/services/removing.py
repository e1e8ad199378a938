"""Putting a dataset away: archived, and brought back; or removed, which forgets its rows and never its files."""

from collections.abc import Callable
from dataclasses import dataclass

from app.errors import ConflictError, InvalidInputError
from app.services.clock import Clock
from app.services.datasets import get_dataset
from app.storage import forgetting
from app.storage.database import Database, Session
from app.storage.datasets import Dataset, update_dataset
from app.storage.exports import list_open_exports
from app.storage.relocations import list_to_work_on
from app.storage.reviews import count_verdicts
from app.storage.scans import find_open_scan
from app.storage.tallies import count_dataset


def archive_dataset(database: Database, clock: Clock, reference: str | int, *, archived: bool) -> Dataset:
    """Take a dataset out of menus and lists, or bring it back. Nothing else changes; it is found by name as before.

    Raises:
        NotFoundError: no such dataset.
    """
    with database.write() as session:
        dataset = get_dataset(session, reference)
        if archived != (dataset.archived_at is not None):
            update_dataset(session, dataset.id, archived_at=clock() if archived else None)
        return get_dataset(session, dataset.id)


@dataclass(frozen=True, slots=True)
class Removal:
    """What removing a dataset forgets. Files are not among it."""

    dataset_id: int
    name: str
    images: int
    verdicts: int


def view_removal(session: Session, dataset: Dataset) -> Removal:
    """What would be lost."""
    counts = count_dataset(session, dataset)
    return Removal(dataset.id, dataset.name, counts.images, count_verdicts(session, dataset.id))


def find_work(session: Session, dataset_id: int) -> str | None:
    """What is under way on a dataset, in words; None if nothing is."""
    scan = find_open_scan(session, dataset_id)
    if scan is not None:
        return f"scan {scan.id}"
    relocation = next((each for each in list_to_work_on(session) if each.dataset_id == dataset_id), None)
    if relocation is not None:
        return f"relocation {relocation.id}"
    export = next((each for each in list_open_exports(session) if each.dataset_id == dataset_id), None)
    return None if export is None else f"export {export.id}"


def refuse_under_way(session: Session, dataset: Dataset) -> None:
    """Refuse while anything works on the dataset.

    Raises:
        ConflictError: a scan, a relocation or an export is queued or running.
    """
    work = find_work(session, dataset.id)
    if work is not None:
        msg = f"{work} of {dataset.name} is under way: wait for its end, or cancel it"
        raise ConflictError(msg)


def remove_dataset(database: Database, clock: Clock, reference: str | int, confirm: str) -> Removal:
    """Remove a dataset: from now on nothing finds it. :func:`forget_removed` deletes its rows, bit by bit.

    Raises:
        NotFoundError: no such dataset.
        InvalidInputError: ``confirm`` is not its name.
        ConflictError: a scan, a relocation or an export of it is queued or running.
    """
    with database.write() as session:
        dataset = get_dataset(session, reference)
        if confirm.strip() != dataset.name.strip():
            raise InvalidInputError.on("confirm", f"type the dataset's name, {dataset.name}, to remove it")
        refuse_under_way(session, dataset)
        removal = view_removal(session, dataset)
        # The name is free again at once; the walk that may be going on has lost.
        update_dataset(
            session, dataset.id, removed_at=clock(), name=f"removed {dataset.id} {clock().isoformat()}", walk=None
        )
        return removal


def forget_removed(database: Database, stopping: Callable[[], bool] = lambda: False) -> bool:
    """Delete the rows of a removed dataset; whether there was one. Each transaction takes some milliseconds.

    A crash loses nothing: whoever comes next goes on.
    """
    with database.read() as session:
        dataset_id = forgetting.find_removed(session)
    if dataset_id is None:
        return False
    more = True
    while more and not stopping():
        with database.write() as session:
            more = forgetting.forget_some(session, dataset_id)
    return True
