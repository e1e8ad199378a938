"""Counts that are kept rather than counted: rows of images by some key, added to and taken from."""

from collections.abc import Iterable
from typing import Any

from sqlalchemy.dialects import postgresql, sqlite
from sqlalchemy.orm import Session

from app.storage.tables import PersonTallyRow, TallyRow


def add_counts(
    session: Session,
    table: type[TallyRow | PersonTallyRow],
    dataset_id: int,
    names: tuple[str, ...],
    changes: Iterable[tuple[tuple[Any, ...], int]],
) -> None:
    """Add to a dataset's counts, or take from them: ``changes`` are keys, in the order of ``names``, and numbers."""
    rows = [
        {"dataset_id": dataset_id, **dict(zip(names, key, strict=True)), "images": change}
        for key, change in changes
        if change
    ]
    if not rows:
        return
    dialect: Any = {"sqlite": sqlite, "postgresql": postgresql}[session.get_bind().dialect.name]
    statement = dialect.insert(table)
    statement = statement.on_conflict_do_update(
        index_elements=["dataset_id", *names],
        set_={"images": table.images + statement.excluded.images},
    )
    session.execute(statement, rows)
