"""Queries on exact copies, which share a SHA-256, and on near duplicates, which look alike.

``images.duplicated`` and ``images.duplicate_conflict`` follow from hash, folder and presence of the images. Whoever
changes one of these does it inside :func:`keeping_conflicts`, so the two columns are right in every transaction.
"""

from collections.abc import Collection, Iterator, Sequence
from contextlib import contextmanager
from functools import cache
from typing import Any

from sqlalchemy import (
    ColumnElement,
    Integer,
    Select,
    and_,
    bindparam,
    case,
    delete,
    func,
    insert,
    or_,
    select,
    tuple_,
    update,
)
from sqlalchemy.orm import InstrumentedAttribute, Session, aliased

from app.domain.flagging import MOST_COUNTED, Copies
from app.domain.images import Side
from app.domain.reviewing import Verdict
from app.storage.datasets import Dataset
from app.storage.tables import DatasetRow, ImageRow, NearDuplicateRow, StandingRow

NEAR_READ = 256  #: near duplicates of one image that are looked at; most have fewer than twenty


def is_present(image: Any = ImageRow) -> ColumnElement[bool]:
    """Whether an image lies there and can be read."""
    return and_(image.missing_since.is_(None), image.unreadable.is_(None))


def _total(condition: ColumnElement[bool]) -> ColumnElement[int]:
    return func.sum(case((condition, 1), else_=0))


def _wrong_groups(dataset_id: int) -> Any:
    """Hashes of which an image is marked otherwise than it is: ``(sha256, present, positive)``."""
    here = is_present()
    present, positive = _total(here), _total(and_(here, ImageRow.given == Side.POSITIVE))
    both = and_(positive > 0, positive < present)
    return (
        select(ImageRow.sha256, present.label("present"), positive.label("positive"))
        .where(ImageRow.dataset_id == dataset_id, ImageRow.sha256.is_not(None))
        .group_by(ImageRow.sha256)
        .having(
            or_(
                _total(and_(~here, or_(ImageRow.duplicated, ImageRow.duplicate_conflict))) > 0,
                _total(and_(here, ImageRow.duplicated)) != case((present > 1, present), else_=0),
                _total(and_(here, ImageRow.duplicate_conflict)) != case((both, present), else_=0),
            )
        )
    )


def find_wrong_hashes(session: Session, dataset_id: int) -> list[str]:
    """Hashes of which an image is marked otherwise than it is. Reads the whole dataset."""
    return [row.sha256 for row in session.execute(_wrong_groups(dataset_id))]


def update_conflicts(session: Session, dataset_id: int, hashes: Collection[str] | None = None) -> list[int]:
    """Mark the images that have copies, all or those with some hashes; the ids whose ``duplicate_conflict`` changed."""
    query = _wrong_groups(dataset_id)
    if hashes is not None:
        query = query.where(ImageRow.sha256.in_(hashes))
    wrong = session.execute(query).all()
    if not wrong:
        return []
    among = [row.sha256 for row in wrong]
    copied = [row.sha256 for row in wrong if row.present > 1]
    conflicting = [row.sha256 for row in wrong if 0 < row.positive < row.present]
    _mark(session, dataset_id, ImageRow.duplicated, among, copied)
    return _mark(session, dataset_id, ImageRow.duplicate_conflict, among, conflicting)


def _mark(
    session: Session, dataset_id: int, column: InstrumentedAttribute[bool], among: Sequence[str], marked: Sequence[str]
) -> list[int]:
    changed: list[int] = []
    of_dataset = ImageRow.dataset_id == dataset_id
    on = and_(ImageRow.sha256.in_(marked), is_present(), ~column)
    off = and_(ImageRow.sha256.in_(among), column, or_(ImageRow.sha256.not_in(marked), ~is_present()))
    for value, chosen in ((True, on), (False, off)):
        changed += _set(session, column, and_(of_dataset, chosen), value=value)
    return changed


def _set(
    session: Session, column: InstrumentedAttribute[bool], chosen: ColumnElement[bool], *, value: bool
) -> list[int]:
    found = session.scalars(
        update(ImageRow).where(chosen).values({column: value}).returning(ImageRow.id),
        execution_options={"synchronize_session": False},
    )
    return list(found)


@contextmanager
def keeping_conflicts(session: Session, image_ids: Collection[int]) -> Iterator[list[int]]:
    """Within it hash, folder or presence of some images change; afterwards every copy is marked as it is then.

    Gives a list that holds at the end the ids of all images whose ``duplicate_conflict`` changed.
    """
    changed: list[int] = []
    before = _hashes(session, image_ids)
    yield changed
    after = _hashes(session, image_ids)
    for dataset_id in {dataset_id for dataset_id, _ in before | after}:
        hashes = {sha256 for of, sha256 in before | after if of == dataset_id and sha256 is not None}
        if hashes:
            changed += update_conflicts(session, dataset_id, hashes)
    if any(sha256 is None for _, sha256 in after):
        unknown = and_(ImageRow.id.in_(image_ids), ImageRow.sha256.is_(None))
        _set(session, ImageRow.duplicated, and_(unknown, ImageRow.duplicated), value=False)
        changed += _set(session, ImageRow.duplicate_conflict, and_(unknown, ImageRow.duplicate_conflict), value=False)


def _hashes(session: Session, image_ids: Collection[int]) -> set[tuple[int, str | None]]:
    rows = session.execute(select(ImageRow.dataset_id, ImageRow.sha256).where(ImageRow.id.in_(image_ids)).distinct())
    return {(row.dataset_id, row.sha256) for row in rows}


def find_copies(session: Session, image_id: int, limit: int) -> list[int]:
    """Other present images of the dataset with the same bytes, by id."""
    return list(session.scalars(_copies_query(), {"image": image_id, "limit": limit}))


@cache
def _copies_query() -> Select[int]:
    """Built once, as :func:`_near_query` is: making an alias takes longer than running the statement."""
    one = aliased(ImageRow)
    image: Any = bindparam("image")
    return (
        select(ImageRow.id)
        .join(one, and_(one.dataset_id == ImageRow.dataset_id, one.sha256 == ImageRow.sha256))
        .where(one.id == image, ImageRow.id != image, is_present())
        .order_by(ImageRow.id)
        .limit(bindparam("limit", type_=Integer))
    )


def count_copies(session: Session, dataset_id: int, sha256: str, given: Side) -> Copies | None:
    """Copies under a given label; None if there is none."""
    paths = session.scalars(
        select(ImageRow.path)
        .where(ImageRow.dataset_id == dataset_id, ImageRow.sha256 == sha256, ImageRow.given == given, is_present())
        .order_by(ImageRow.id)
        .limit(MOST_COUNTED + 1)
    ).all()
    return Copies(len(paths), paths[0]) if paths else None


def list_copied_hashes(session: Session, dataset_id: int, *, conflict: bool, after: str, limit: int) -> list[str]:
    """Hashes of which there are copies: across the folders, or in one folder alone; in their own order."""
    chosen = [ImageRow.duplicate_conflict] if conflict else [ImageRow.duplicated, ~ImageRow.duplicate_conflict]
    rows = session.scalars(
        select(ImageRow.sha256)
        .where(ImageRow.dataset_id == dataset_id, ImageRow.sha256 > after, *chosen)
        .distinct()
        .order_by(ImageRow.sha256)
        .limit(limit)
    )
    return [sha256 for sha256 in rows if sha256 is not None]


def list_members(session: Session, dataset_id: int, sha256: str, given: Side, limit: int) -> list[int]:
    """Present images with some bytes under one given label, by id."""
    rows = session.scalars(
        select(ImageRow.id)
        .where(ImageRow.dataset_id == dataset_id, ImageRow.sha256 == sha256, ImageRow.given == given, is_present())
        .order_by(ImageRow.id)
        .limit(limit)
    )
    return list(rows)


def find_contradicted(session: Session, dataset_id: int, sha256: str | None = None) -> set[int]:
    """Images whose exact copies people called the other label, by their verdicts on these very bytes; all, or of one.

    Images with a verdict of their own whose copies' verdicts differ among each other, and unreviewed ones a copy of
    which was called against their folder.
    """
    verdicts = (Verdict.POSITIVE, Verdict.NEGATIVE)
    duplicated = [ImageRow.dataset_id == dataset_id, ImageRow.duplicated]
    if sha256 is not None:
        duplicated.append(ImageRow.sha256 == sha256)
    called = (
        select(
            ImageRow.sha256,
            func.min(StandingRow.verdict).label("low"),
            func.max(StandingRow.verdict).label("high"),
        )
        .join(StandingRow, StandingRow.image_id == ImageRow.id)
        .where(
            *duplicated,
            StandingRow.verdict.in_(verdicts),
            or_(StandingRow.image_sha256.is_(None), StandingRow.image_sha256 == ImageRow.sha256),
        )
        .group_by(ImageRow.sha256)
        .cte("called")
    )
    unreviewed = StandingRow.verdict.is_(None)
    rows = session.scalars(
        select(ImageRow.id)
        .join(called, called.c.sha256 == ImageRow.sha256)
        .outerjoin(StandingRow, StandingRow.image_id == ImageRow.id)
        .where(
            *duplicated,
            or_(unreviewed, StandingRow.verdict.in_(verdicts)),
            or_(called.c.low != called.c.high, and_(unreviewed, called.c.low != ImageRow.given)),
        )
    )
    return set(rows)


def list_hashes(session: Session, dataset_id: int, after: int, limit: int) -> list[tuple[int, int, str, bool]]:
    """Present images that show something: ``(id, perceptual hash, sha256, filed positive)`` by id, after an id.

    The hash 0 is that of a picture of one colour, which looks like none other for being so.
    """
    rows = session.execute(
        select(ImageRow.id, ImageRow.phash, ImageRow.sha256, ImageRow.given)
        .where(
            ImageRow.dataset_id + 0 == dataset_id,  # by the id alone: see storage.images.of_dataset_by_id
            ImageRow.id > after,
            ImageRow.phash != 0,
            ImageRow.sha256.is_not(None),
            is_present(),
        )
        .order_by(ImageRow.id)
        .limit(limit)
    )
    return [(row.id, row.phash, row.sha256, row.given == Side.POSITIVE) for row in rows]


Near = tuple[int, int, int, bool]  #: image, other image, distance in bits, whether they lie in different folders


def replace_near_duplicates(session: Session, dataset_id: int, first: int, last: int, wanted: Collection[Near]) -> int:
    """Let the near duplicates of a dataset's images ``first .. last`` be these; how many rows were written."""
    one = NearDuplicateRow
    in_range = (one.dataset_id == dataset_id, one.image_id >= first, one.image_id <= last)
    rows = session.execute(select(one.image_id, one.other_id, one.distance, one.across).where(*in_range))
    before = {(row.image_id, row.other_id, row.distance, row.across) for row in rows}
    gone, new = before - set(wanted), set(wanted) - before
    for image_id in {image_id for image_id, *_ in gone}:
        others = [other_id for of, other_id, *_ in gone if of == image_id]
        session.execute(
            delete(one).where(one.image_id == image_id, one.other_id.in_(others)),
            execution_options={"synchronize_session": False},
        )
    if new:
        names = ("image_id", "other_id", "distance", "across")
        values = [{"dataset_id": dataset_id, **dict(zip(names, row, strict=True))} for row in sorted(new)]
        session.execute(insert(one), values)
    return len(gone) + len(new)


def find_searched(session: Session, dataset_id: int) -> str | None:
    """The digest of the hashes in which near duplicates were last searched."""
    return session.scalar(select(DatasetRow.near_searched).where(DatasetRow.id == dataset_id))


def set_searched(session: Session, dataset_id: int, digest: str | None) -> None:
    """Remember in which hashes near duplicates were searched."""
    session.execute(update(DatasetRow).where(DatasetRow.id == dataset_id).values(near_searched=digest))


def find_near(session: Session, image_id: int, limit: int) -> list[tuple[int, int]]:
    """Present images that look like one, and are not the same bytes: ``(id, distance)``, nearest first.

    Of an image that more than ``NEAR_READ`` others resemble, as one black frame does all the others, the nearest of
    so many are given.
    """
    rows = session.execute(_near_query(), {"image": image_id, "limit": limit})
    return [(row.other_id, row.distance) for row in rows]


@cache
def _near_query() -> Any:
    one = aliased(ImageRow)
    near = (
        select(NearDuplicateRow.image_id, NearDuplicateRow.other_id, NearDuplicateRow.distance)
        .where(NearDuplicateRow.image_id == bindparam("image"))
        .order_by(NearDuplicateRow.other_id)
        .limit(NEAR_READ)
        .subquery()
    )
    return (
        select(near.c.other_id, near.c.distance)
        .join(ImageRow, ImageRow.id == near.c.other_id)
        .join(one, one.id == near.c.image_id)
        .where(is_present(), ImageRow.sha256 != one.sha256)
        .order_by(near.c.distance, near.c.other_id)
        .limit(bindparam("limit", type_=Integer))
    )


def list_near_across(
    session: Session, dataset: Dataset, after: tuple[int, int, int], limit: int
) -> list[tuple[int, int, int]]:
    """Pairs that look alike and lie in different folders: ``(distance, image, other)`` in that order, after one."""
    near, one, other = NearDuplicateRow, aliased(ImageRow), aliased(ImageRow)
    place = tuple_(near.distance, near.image_id, near.other_id)
    rows = session.execute(
        select(near.distance, near.image_id, near.other_id)
        .join(one, one.id == near.image_id)
        .join(other, other.id == near.other_id)
        .where(
            near.dataset_id == dataset.id,
            near.across,
            near.image_id < near.other_id,
            place > after,
            is_present(one),
            is_present(other),
            one.given != other.given,
            one.sha256 != other.sha256,
        )
        .order_by(near.distance, near.image_id, near.other_id)
        .limit(limit)
    )
    return [(row.distance, row.image_id, row.other_id) for row in rows]
