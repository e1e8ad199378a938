"""Queries on engines: what computed the scores."""

from collections.abc import Mapping
from datetime import datetime
from typing import Any

from sqlalchemy import insert, select
from sqlalchemy.orm import Session

from app.storage.tables import EngineRow


def find_or_insert_engine(
    session: Session,
    *,
    fingerprint: str,
    backend: str,
    device: str,
    precision: str,
    gate: Mapping[str, Any] | None,
    now: datetime,
) -> int:
    """The id of an engine by its fingerprint; ``gate`` are the figures with which it first passed."""
    found = session.scalar(select(EngineRow.id).where(EngineRow.fingerprint == fingerprint))
    if found is not None:
        return found
    return session.execute(
        insert(EngineRow)
        .values(
            fingerprint=fingerprint,
            backend=backend,
            device=device,
            precision=precision,
            gate=None if gate is None else dict(gate),
            created_at=now,
        )
        .returning(EngineRow.id)
    ).scalar_one()
