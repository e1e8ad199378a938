"""Forgetting a removed dataset, a little at a time, so that no writer waits for long.

Which rows belong to a dataset follows from the foreign keys: a table that is added later is emptied like the others.
"""

from collections.abc import Sequence

from sqlalchemy import Column, ColumnElement, Table, delete, or_, select
from sqlalchemy.orm import Session

from app.storage.tables import Base, DatasetRow, ImageRow

IMAGES_AT_ONCE = 100  #: a transaction of some 10 ms: each has some tens of boxes
ROWS_AT_ONCE = 2000


def find_removed(session: Session) -> int | None:
    """The id of a dataset that was removed and still has rows."""
    return session.scalar(select(DatasetRow.id).where(DatasetRow.removed_at.is_not(None)).limit(1))


def forget_some(session: Session, dataset_id: int) -> bool:
    """Delete some rows of a removed dataset; whether there may be more. The dataset's own row goes last."""
    ids = session.scalars(select(ImageRow.id).where(ImageRow.dataset_id == dataset_id).limit(IMAGES_AT_ONCE)).all()
    if ids:
        _forget_images(session, ids)
        return True
    for table in _children_first():
        belongs = _belongs(table, _table(DatasetRow), DatasetRow.id == dataset_id)
        if belongs is not None and _delete_some(session, table, belongs):
            return True
    session.execute(delete(DatasetRow).where(DatasetRow.id == dataset_id))
    return False


def _forget_images(session: Session, ids: Sequence[int]) -> None:
    chosen = ImageRow.id.in_(ids)
    for table in _children_first():
        belongs = _belongs(table, _table(ImageRow), chosen, ids)
        if belongs is not None:
            session.execute(delete(table).where(belongs))
    session.execute(delete(ImageRow).where(chosen))


def _delete_some(session: Session, table: Table, belongs: ColumnElement[bool]) -> bool:
    keys = list(table.primary_key.columns)
    if len(keys) > 1:  # belongs to images as well, so it is empty by now
        session.execute(delete(table).where(belongs))
        return False
    some = session.scalars(select(keys[0]).where(belongs).order_by(keys[0].desc()).limit(ROWS_AT_ONCE)).all()
    session.execute(delete(table).where(keys[0].in_(some)))
    return len(some) == ROWS_AT_ONCE


def _children_first() -> list[Table]:
    return list(reversed(Base.metadata.sorted_tables))


def _table(row: type[Base]) -> Table:
    return Base.metadata.tables[row.__tablename__]


def _belongs(
    table: Table, goal: Table, chosen: ColumnElement[bool], ids: Sequence[int] | None = None
) -> ColumnElement[bool] | None:
    """Which rows of a table lead to the chosen rows of ``goal``; None if none can. The shortest way is taken."""
    if table is goal:
        return None
    direct = [key.parent for key in table.foreign_keys if key.column.table is goal]
    if direct:
        return or_(*(_is_chosen(column, goal, chosen, ids) for column in direct))
    ways = []
    for key in table.foreign_keys:
        parent = key.column.table
        beyond = None if parent is table else _belongs(parent, goal, chosen, ids)
        if beyond is not None:
            ways.append(key.parent.in_(select(key.column).where(beyond)))
    return or_(*ways) if ways else None


def _is_chosen(
    column: "Column[int]", goal: Table, chosen: ColumnElement[bool], ids: Sequence[int] | None
) -> ColumnElement[bool]:
    return column.in_(ids) if ids is not None else column.in_(select(goal.c.id).where(chosen))
