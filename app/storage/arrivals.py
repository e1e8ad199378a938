"""Turning a walk of the folders into rows of ``images``: what is new, changed, moved, gone."""

from collections.abc import Iterator, Sequence
from datetime import datetime
from typing import Any

from sqlalchemy import and_, case, delete, exists, false, func, insert, literal, or_, select, update
from sqlalchemy.orm import Session

from app.storage.duplicates import keeping_conflicts
from app.storage.fits import begin_sweep
from app.storage.learning_tables import FeatureRow
from app.storage.tables import SIDES, ArrivalRow, DetectionRow, ImageRow, ScoreRow
from app.storage.tallies import keeping, keeping_new


def insert_arrivals(session: Session, rows: Sequence[dict[str, Any]]) -> None:
    """Note the paths of one part of a walk."""
    if rows:
        session.execute(insert(ArrivalRow), rows)


def drop_arrivals(session: Session, dataset_id: int, walk: str, at_most: int, *, others: bool) -> bool:
    """Forget paths of a walk, or of the dataset's other ones, which were broken off; whether there may be more."""
    chosen = ArrivalRow.walk != walk if others else ArrivalRow.walk == walk
    some = select(ArrivalRow.id).where(ArrivalRow.dataset_id == dataset_id, chosen).limit(at_most)
    dropped = session.execute(
        delete(ArrivalRow).where(ArrivalRow.id.in_(some)).returning(ArrivalRow.id),
        execution_options={"synchronize_session": False},
    )
    return len(dropped.all()) == at_most


def _arrived(walk: str) -> Any:
    return exists().where(ArrivalRow.walk == walk, ArrivalRow.path == ImageRow.path)


def _known(dataset_id: int) -> Any:
    return exists().where(ImageRow.dataset_id == dataset_id, ImageRow.path == ArrivalRow.path)


def find_gone(session: Session, dataset_id: int, walk: str, unlisted: Sequence[str]) -> list[int]:
    """Images whose path the walk did not meet, and that were not missing before.

    Of what lies in the ``unlisted`` folders nothing is known, so it stays as it is.
    """
    gone = (
        ImageRow.dataset_id == dataset_id,
        ImageRow.missing_since.is_(None),
        ~_arrived(walk),
        *(~ImageRow.path.startswith(f"{folder}/", autoescape=True) for folder in unlisted),
    )
    return list(session.scalars(select(ImageRow.id).where(*gone).order_by(ImageRow.id)))


def mark_missing(session: Session, dataset_id: int, walk: str, image_ids: Sequence[int], now: datetime) -> None:
    """Images are missing, if the walk really did not meet them; what a detector said of them goes, reviews stay."""
    gone = and_(ImageRow.id.in_(image_ids), ~_arrived(walk))
    with keeping(session, dataset_id, image_ids), keeping_conflicts(session, image_ids):
        for table in (ScoreRow, DetectionRow, FeatureRow):
            session.execute(
                delete(table).where(table.image_id.in_(select(ImageRow.id).where(gone))),
                execution_options={"synchronize_session": False},
            )
        session.execute(
            update(ImageRow).where(gone).values(missing_since=now), execution_options={"synchronize_session": False}
        )


def find_changed(session: Session, dataset_id: int, walk: str, bad_name: str) -> list[int]:
    """Images that must be inspected again: their size or time differs, or they are back.

    So must a file that stands where one was, or is, whose name cannot be stored (``bad_name`` is the reason that such
    a file carries): renaming keeps size and time.
    """
    had, has = (func.coalesce(row.unreadable, "") == bad_name for row in (ImageRow, ArrivalRow))
    differs = or_(
        ArrivalRow.size_bytes != ImageRow.size_bytes,
        ArrivalRow.mtime_ns != ImageRow.mtime_ns,
        ImageRow.missing_since.is_not(None),
        had != has,
    )
    # By the walk's own index: this reads every image, so each look-up counts.
    rows = session.scalars(
        select(ImageRow.id)
        .join(ArrivalRow, and_(ArrivalRow.walk == walk, ArrivalRow.path == ImageRow.path))
        .where(ImageRow.dataset_id == dataset_id, differs)
        .order_by(ImageRow.id)
    )
    return list(rows)


def mark_changed(session: Session, dataset_id: int, walk: str, image_ids: Sequence[int]) -> None:
    """Images have what the walk saw of them, and must be inspected again."""
    same_path = and_(ArrivalRow.walk == walk, ArrivalRow.path == ImageRow.path)
    values = {
        "size_bytes": select(ArrivalRow.size_bytes).where(same_path).scalar_subquery(),
        "mtime_ns": select(ArrivalRow.mtime_ns).where(same_path).scalar_subquery(),
        "unreadable": select(ArrivalRow.unreadable).where(same_path).scalar_subquery(),
        "missing_since": None,
        "inspected_at": None,
    }
    with keeping(session, dataset_id, image_ids), keeping_conflicts(session, image_ids):
        session.execute(
            update(ImageRow).where(ImageRow.id.in_(image_ids), _arrived(walk)).values(**values),
            execution_options={"synchronize_session": False},
        )


def find_vanished(session: Session, dataset_id: int, walk: str) -> list[tuple[int, str, int]]:
    """Images whose path the walk did not meet and whose hash is known: ``(id, sha256, size)`` by path."""
    rows = session.execute(
        select(ImageRow.id, ImageRow.sha256, ImageRow.size_bytes)
        .where(ImageRow.dataset_id == dataset_id, ImageRow.sha256.is_not(None), ~_arrived(walk))
        .order_by(ImageRow.path)
    )
    return [(row.id, row.sha256 or "", row.size_bytes) for row in rows]


def find_new_of_sizes(session: Session, dataset_id: int, walk: str, sizes: Sequence[int]) -> list[tuple[int, str]]:
    """New paths of a walk whose size is one of ``sizes``: ``(arrival id, path)`` by path."""
    rows = session.execute(
        select(ArrivalRow.id, ArrivalRow.path)
        .where(ArrivalRow.walk == walk, ArrivalRow.size_bytes.in_(sizes), ~_known(dataset_id))
        .order_by(ArrivalRow.path)
    )
    return [(row.id, row.path) for row in rows]


def move_images(session: Session, dataset_id: int, moved: Sequence[tuple[int, int]]) -> None:
    """Images have new paths, and so perhaps new given labels; their reviews and scores stay with them.

    ``moved`` are pairs of an image's id and its arrival's.
    """
    found = session.execute(
        select(ArrivalRow.id, ArrivalRow.path, ArrivalRow.given, ArrivalRow.size_bytes, ArrivalRow.mtime_ns).where(
            ArrivalRow.id.in_([arrival_id for _, arrival_id in moved])
        )
    )
    arrivals = {row.id: row for row in found}
    rows = [(image_id, arrivals[arrival_id]) for image_id, arrival_id in moved]
    ids = [image_id for image_id, _ in moved]
    with keeping(session, dataset_id, ids), keeping_conflicts(session, ids):
        _give_paths(session, rows)
    begin_sweep(session, dataset_id)  # what is a flag in one folder is none in the other


def _give_paths(session: Session, rows: Sequence[tuple[int, Any]]) -> None:
    session.execute(
        update(ImageRow),
        [
            {
                "id": image_id,
                "path": row.path,
                "given": row.given,
                "size_bytes": row.size_bytes,
                "mtime_ns": row.mtime_ns,
                "missing_since": None,
            }
            for image_id, row in rows
        ],
    )
    for given in SIDES:
        ids = [image_id for image_id, row in rows if row.given == given]
        session.execute(
            update(ScoreRow)
            .where(ScoreRow.image_id.in_(ids), ScoreRow.given != given)
            .values(given=given, against=-1.0 - ScoreRow.against, rank=-1.0 - ScoreRow.rank, doubted=false()),
            execution_options={"synchronize_session": False},
        )


def iter_new(session: Session, dataset_id: int, walk: str, chunk: int) -> Iterator[tuple[int, int]]:
    """Ranges ``(low, high)`` of the shuffled number, each with about ``chunk`` new paths in it; none without any."""
    total = session.scalar(
        select(func.count()).select_from(ArrivalRow).where(ArrivalRow.walk == walk, ~_known(dataset_id))
    )
    parts = -(-(total or 0) // chunk)
    step = SHUFFLE_RANGE // max(1, parts) + 1
    for low in range(0, SHUFFLE_RANGE if parts else 0, step):
        yield low, min(low + step, SHUFFLE_RANGE)


SHUFFLE_RANGE = 1 << 62


def adopt_new(session: Session, dataset_id: int, walk: str, low: int, high: int, now: datetime) -> None:
    """Make images of the new arrivals whose shuffled number lies in ``[low, high)``, in its order.

    Ids are given in that order, so an id says nothing of folder or name.
    """
    stamp: Any = literal(now, ImageRow.registered_at.type)
    inspected: Any = case((ArrivalRow.unreadable.is_not(None), literal(now, ImageRow.inspected_at.type)))
    columns = ["dataset_id", "path", "given", "size_bytes", "mtime_ns", "unreadable", "registered_at", "inspected_at"]
    new = (
        select(
            ArrivalRow.dataset_id,
            ArrivalRow.path,
            ArrivalRow.given,
            ArrivalRow.size_bytes,
            ArrivalRow.mtime_ns,
            ArrivalRow.unreadable,
            stamp,
            inspected,
        )
        .where(ArrivalRow.walk == walk, ArrivalRow.shuffle >= low, ArrivalRow.shuffle < high, ~_known(dataset_id))
        .order_by(ArrivalRow.shuffle)
    )
    with keeping_new(session, dataset_id):
        session.execute(insert(ImageRow).from_select(columns, new))
