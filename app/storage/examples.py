"""Queries on images that people have called, for the examples of a report: each reads a bounded part of an index."""

from functools import cache
from typing import Any

from sqlalchemy import Integer, and_, bindparam, select
from sqlalchemy.orm import Session

from app.domain.examples import Called
from app.domain.images import Side
from app.domain.reviewing import Verdict
from app.storage.datasets import Dataset
from app.storage.tables import ImageRow, ScoreRow, StandingRow


def list_newest_called(session: Session, dataset: Dataset, limit: int) -> list[Called]:
    """Of the ``limit`` verdicts given last, those that stand on images that are there."""
    values = {"dataset": dataset.id, "detector": dataset.detector_id, "limit": limit}
    return [_called(row) for row in session.execute(_newest_called(), values)]


@cache
def _newest_called() -> Any:
    newest = (
        select(StandingRow.image_id, StandingRow.verdict, StandingRow.reviewed_at)
        .where(StandingRow.dataset_id == bindparam("dataset"), StandingRow.reviewed_at.is_not(None))
        .order_by(StandingRow.reviewed_at.desc(), StandingRow.image_id.desc())
        .limit(bindparam("limit", type_=Integer))
        .subquery()
    )
    scored = and_(ScoreRow.image_id == ImageRow.id, ScoreRow.detector_id == bindparam("detector"))
    return (
        select(ImageRow.id, ImageRow.given, newest.c.verdict, ScoreRow.score)
        .join(newest, newest.c.image_id == ImageRow.id)
        .outerjoin(ScoreRow, scored)
        .where(newest.c.verdict.is_not(None), ImageRow.missing_since.is_(None), ImageRow.unreadable.is_(None))
        .order_by(newest.c.reviewed_at.desc(), ImageRow.id.desc())
    )


def list_suspicious_called(session: Session, dataset: Dataset, given: Side, limit: int) -> list[Called]:
    """Of the ``limit`` most suspicious images with a given label those that were called, the most suspicious first."""
    values = {"dataset": dataset.id, "detector": dataset.detector_id, "given": given, "limit": limit}
    return [_called(row) for row in session.execute(_suspicious_called(), values)]


@cache
def _suspicious_called() -> Any:
    suspicious = (
        select(ScoreRow.image_id, ScoreRow.given, ScoreRow.score, ScoreRow.against)
        .where(
            ScoreRow.dataset_id == bindparam("dataset"),
            ScoreRow.detector_id == bindparam("detector"),
            ScoreRow.given == bindparam("given"),
        )
        .order_by(ScoreRow.against, ScoreRow.image_id)
        .limit(bindparam("limit", type_=Integer))
        .subquery()
    )
    return (
        select(StandingRow.image_id.label("id"), suspicious.c.given, StandingRow.verdict, suspicious.c.score)
        .join(suspicious, suspicious.c.image_id == StandingRow.image_id)
        .where(StandingRow.verdict.is_not(None))
        .order_by(suspicious.c.against, StandingRow.image_id)
    )


def _called(row: Any) -> Called:
    return Called(row.id, Side(row.given), Verdict(row.verdict), row.score)
