"""Changing how a dataset is reviewed by several people, for the verdicts given from now on or so far.

A new rule, or new reasons for a second look applied to the past, touch every image that has been called. That is
done in batches, each a short transaction of its own: in one transaction a million images would keep every reviewer
waiting for a minute. The new rule is stored first, so each verdict given meanwhile follows it, and each batch
notes how far it has come, so that a crash half-way costs nothing: whoever comes next goes on there. The request that
began works for a second; the page and the worker do the rest.
"""

from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass
from secrets import token_hex
from time import monotonic
from typing import Any

from app.domain.consensus import Consensus, list_voices
from app.domain.reviewing import Verdict
from app.domain.second_looks import REASONS, Reviewing, wants_second
from app.errors import InvalidInputError
from app.services.datasets import DatasetView, get_dataset, view_dataset
from app.services.images import load_items
from app.storage import datasets as stored
from app.storage.database import Database, Session
from app.storage.datasets import Dataset
from app.storage.images import find_images
from app.storage.reviews import Review, list_called, restate, reviews_of_images

BATCH = 200  #: images a transaction
BUDGET_S = 1.0


@dataclass(frozen=True, slots=True)
class ReviewingPage:
    """The page on which a dataset's ways with several people are set."""

    dataset: DatasetView
    reviewing: Reviewing
    looked_through: int | None  #: images, while a change is on its way through what has been called
    message: str
    errors: tuple[tuple[str, str], ...]


def view_reviewing(
    database: Database, reference: str | int, message: str = "", errors: tuple[tuple[str, str], ...] = ()
) -> ReviewingPage:
    """The settings as they are.

    Raises:
        NotFoundError: no such dataset.
    """
    with database.read() as session:
        dataset = get_dataset(session, reference)
        looked = None if dataset.sweep is None else int(dataset.sweep["looked"])
        return ReviewingPage(view_dataset(session, dataset), dataset.reviewing, looked, message, errors)


def set_reviewing(
    database: Database, reference: str | int, share: float, reasons: Collection[str], consensus: Consensus
) -> bool:
    """Say how a dataset is reviewed; whether a change of the rule is still on its way through its images.

    Share and reasons hold for verdicts given from now on; a new rule for all.

    Raises:
        NotFoundError: no such dataset.
        InvalidInputError: the share lies outside 0..1, or a reason is unknown.
    """
    if not 0 <= share <= 1:
        raise InvalidInputError.on("second_share", "must lie between 0 and 100 %")
    unknown = sorted(set(reasons) - set(REASONS))
    if unknown:
        raise InvalidInputError.on("second_reasons", f"must be of {', '.join(REASONS)}, not {', '.join(unknown)}")
    with database.write() as session:
        dataset = get_dataset(session, reference)
        chosen = tuple(str(reason) for reason in REASONS if reason in reasons)
        new = Reviewing(share, chosen, dataset.reviewing.seed or token_hex(8), consensus)
        sweep = dataset.sweep
        if consensus is not dataset.reviewing.consensus:
            sweep = _begin(apply=sweep is not None and bool(sweep["apply"]))
        stored.set_reviewing(session, dataset.id, new, sweep)
    return continue_sweep(database, dataset.id)


def apply_to_past(database: Database, reference: str | int) -> bool:
    """Ask for second looks at what has been called so far just as at what will be; whether that goes on.

    Looks that nobody has given and that would not be asked for now are dropped.

    Raises:
        NotFoundError: no such dataset.
    """
    with database.write() as session:
        dataset = get_dataset(session, reference)
        stored.set_sweep(session, dataset.id, _begin(apply=True))
    return continue_sweep(database, dataset.id)


def _begin(*, apply: bool) -> dict[str, Any]:
    return {"apply": apply, "after": 0, "looked": 0}


def continue_sweep(
    database: Database, dataset_id: int, budget_s: float = BUDGET_S, clock: Callable[[], float] = monotonic
) -> bool:
    """Go on with a change for a while, batch by batch; whether any of it is left."""
    until = clock() + budget_s
    while _sweep_batch(database, dataset_id):
        if clock() >= until:
            return True
    return False


def continue_any_sweep(database: Database) -> bool:
    """Go on with a change in any dataset, as the worker does between other work; whether there was one."""
    with database.read() as session:
        dataset_id = stored.find_sweep(session)
    if dataset_id is None:
        return False
    continue_sweep(database, dataset_id)
    return True


def _sweep_batch(database: Database, dataset_id: int) -> bool:
    """One batch in one transaction; False when none is left."""
    with database.write() as session:
        dataset = get_dataset(session, dataset_id)
        sweep = dataset.sweep
        if sweep is None:
            return False
        image_ids = list_called(session, dataset.id, int(sweep["after"]), BATCH)
        histories = reviews_of_images(session, image_ids)
        wanted = _find_wanted(session, dataset, histories) if sweep["apply"] else set()
        for image_id in image_ids:
            restate(
                session,
                image_id,
                dataset.id,
                histories[image_id],
                wanted=image_id in wanted,
                forget=bool(sweep["apply"]),
            )
        if len(image_ids) < BATCH:
            stored.set_sweep(session, dataset.id, None)
            return False
        stored.set_sweep(
            session, dataset.id, sweep | {"after": image_ids[-1], "looked": int(sweep["looked"]) + len(image_ids)}
        )
        return True


def _find_wanted(session: Session, dataset: Dataset, histories: dict[int, list[Review]]) -> set[int]:
    """Images whose voice, as the latest stands, would be followed by a second look if it were given now."""
    flags = _flags_of(session, dataset, list(histories))
    wanted = set()
    for image_id, history in histories.items():
        voices = list_voices([review.fact for review in history])
        if voices and wants_second(
            dataset.reviewing, image_id, Verdict(voices[-1].verdict or ""), flags.get(image_id, [])
        ):
            wanted.add(image_id)
    return wanted


def _flags_of(session: Session, dataset: Dataset, image_ids: Sequence[int]) -> dict[int, list[str]]:
    if not dataset.reviewing.reasons:
        return {}
    items = load_items(session, list(find_images(session, image_ids).values()))
    return {item.record.id: [flag.reason for flag in item.flags] for item in items}
