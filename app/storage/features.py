"""Queries on the features of images."""

from collections.abc import Sequence
from typing import Any

from sqlalchemy import insert
from sqlalchemy.orm import Session

from app.storage.learning_tables import FeatureRow


def insert_features(session: Session, rows: Sequence[dict[str, Any]]) -> None:
    """Store features beside the scores of the same detector."""
    if rows:
        session.execute(insert(FeatureRow), rows)
