"""Queries on sign-offs: which unreviewed images a named person accepted, by id and hash."""

from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import func, insert, literal, select, update
from sqlalchemy.orm import Session

from app.storage.datasets import Dataset
from app.storage.images import disagreement, in_conflict, uncalled
from app.storage.tables import DatasetRow, ScoreRow, SignedImageRow, SignOffRow, StandingRow
from app.storage.tallies import recount_images


@dataclass(frozen=True, slots=True)
class SignOff:
    """A sign-off that was not withdrawn."""

    id: int
    by: str
    at: datetime
    images: int
    bound: str


def find_sign_off(session: Session, dataset_id: int) -> SignOff | None:
    """The sign-off that stands: the latest, unless it was withdrawn."""
    row = session.scalar(
        select(SignOffRow)
        .where(SignOffRow.dataset_id == dataset_id, SignOffRow.withdrawn_at.is_(None))
        .order_by(SignOffRow.id.desc())
        .limit(1)
    )
    return None if row is None else SignOff(row.id, row.by, row.at, row.images, row.bound)


def insert_sign_off(session: Session, dataset: Dataset, by: str, bound: str, now: datetime) -> int:
    """Record a sign-off of exactly the unreviewed images that are scored and carry no flag; its id."""
    sign_off_id = session.execute(
        insert(SignOffRow).values(dataset_id=dataset.id, by=by, at=now, images=0, bound=bound).returning(SignOffRow.id)
    ).scalar_one()
    covered = (
        select(literal(sign_off_id), ScoreRow.image_id, ScoreRow.sha256)
        .join(DatasetRow, DatasetRow.id == ScoreRow.dataset_id)
        .outerjoin(StandingRow, StandingRow.image_id == ScoreRow.image_id)
        .where(
            ScoreRow.dataset_id == dataset.id,
            ScoreRow.detector_id == dataset.detector_id,
            uncalled(),
            ~disagreement(),
            ~ScoreRow.doubted,
            ScoreRow.image_id.not_in(in_conflict(dataset.id)),
        )
    )
    session.execute(insert(SignedImageRow).from_select(["sign_off_id", "image_id", "sha256"], covered))
    total = session.scalar(select(func.count()).where(SignedImageRow.sign_off_id == sign_off_id))
    session.execute(update(SignOffRow).where(SignOffRow.id == sign_off_id).values(images=total))
    recount_images(session, dataset.id)
    return sign_off_id


def withdraw_sign_offs(session: Session, dataset_id: int, now: datetime) -> int:
    """Withdraw every standing sign-off of a dataset; how many there were."""
    result = session.execute(
        update(SignOffRow)
        .where(SignOffRow.dataset_id == dataset_id, SignOffRow.withdrawn_at.is_(None))
        .values(withdrawn_at=now)
        .returning(SignOffRow.id)
    )
    withdrawn = len(result.all())
    if withdrawn:
        recount_images(session, dataset_id)
    return withdrawn
