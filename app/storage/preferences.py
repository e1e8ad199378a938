"""Queries on what reviewers prefer."""

from typing import Any

from sqlalchemy import delete, insert, select
from sqlalchemy.orm import Session

from app.storage.tables import PreferenceRow


def find_preference(session: Session, reviewer: str, key: str) -> dict[str, Any] | None:
    """What a reviewer prefers under a name."""
    value: dict[str, Any] | None = session.scalar(
        select(PreferenceRow.value).where(PreferenceRow.reviewer == reviewer, PreferenceRow.key == key)
    )
    return value


def set_preference(session: Session, reviewer: str, key: str, value: dict[str, Any] | None) -> None:
    """Keep a preference in place of the one before; None: forget it. In the caller's write transaction."""
    session.execute(delete(PreferenceRow).where(PreferenceRow.reviewer == reviewer, PreferenceRow.key == key))
    if value is not None:
        session.execute(insert(PreferenceRow).values(reviewer=reviewer, key=key, value=value))
