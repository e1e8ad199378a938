"""Queries on datasets and on the files that a walk passed over."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import delete, func, insert, select, update
from sqlalchemy.orm import Session

from app.domain.consensus import Consensus
from app.domain.flagging import Labels
from app.domain.second_looks import Reviewing
from app.storage.tables import DatasetRow, IgnoredFileRow

MAX_ID = (1 << 31) - 1  #: what an id may be at most on every database we support


@dataclass(frozen=True, slots=True)
class Dataset:
    """A registered dataset."""

    id: int
    name: str
    root: str
    positive: str
    negative: str
    positive_pattern: str
    negative_pattern: str
    question: str
    threshold: float
    target_classes: tuple[str, ...] | None
    detector_id: int | None
    demo: bool
    created_at: datetime
    reviewing: Reviewing
    sweep: dict[str, Any] | None  #: see app.services.sweeping; None where no change of ``reviewing`` is under way
    positive_means: str = ""
    negative_means: str = ""
    archived_at: datetime | None = None

    @property
    def labels(self) -> Labels:
        """The two labels' names."""
        return Labels(self.positive, self.negative)


def _dataset(row: DatasetRow) -> Dataset:
    return Dataset(
        id=row.id,
        name=row.name,
        root=row.root,
        positive=row.positive,
        negative=row.negative,
        positive_pattern=row.positive_pattern,
        negative_pattern=row.negative_pattern,
        question=row.question,
        threshold=row.threshold,
        target_classes=None if row.target_classes is None else tuple(row.target_classes),
        detector_id=row.detector_id,
        demo=row.demo,
        created_at=row.created_at,
        positive_means=row.positive_means,
        negative_means=row.negative_means,
        archived_at=row.archived_at,
        reviewing=Reviewing(
            share=row.second_share,
            reasons=tuple(row.second_reasons or ()),
            seed=row.second_seed or "",
            consensus=Consensus(row.consensus),
        ),
        sweep=row.sweep,
    )


def list_datasets(session: Session, after: int = 0, limit: int = 500, archived: bool | None = None) -> list[Dataset]:
    """Datasets by id, after ``after``; only those that are ``archived`` or not, unless that is None."""
    query = select(DatasetRow).where(DatasetRow.id > after, DatasetRow.removed_at.is_(None))
    if archived is not None:
        query = query.where(DatasetRow.archived_at.is_not(None) if archived else DatasetRow.archived_at.is_(None))
    return [_dataset(row) for row in session.scalars(query.order_by(DatasetRow.id).limit(limit))]


def find_dataset(session: Session, dataset_id: int) -> Dataset | None:
    """A dataset by id."""
    if not 0 < dataset_id <= MAX_ID:
        return None
    row = session.get(DatasetRow, dataset_id)
    return None if row is None or row.removed_at is not None else _dataset(row)


def find_dataset_by_name(session: Session, name: str) -> Dataset | None:
    """A dataset by its unique name."""
    row = session.scalar(select(DatasetRow).where(DatasetRow.name == name, DatasetRow.removed_at.is_(None)))
    return None if row is None else _dataset(row)


def find_dataset_by_root(session: Session, root: str, positive: str, negative: str) -> Dataset | None:
    """A dataset with just this root and these folder patterns."""
    row = session.scalar(
        select(DatasetRow).where(
            DatasetRow.root == root,
            DatasetRow.positive_pattern == positive,
            DatasetRow.negative_pattern == negative,
            DatasetRow.removed_at.is_(None),
        )
    )
    return None if row is None else _dataset(row)


def insert_dataset(session: Session, **values: Any) -> int:
    """Add a dataset; its id."""
    return session.execute(insert(DatasetRow).values(**values).returning(DatasetRow.id)).scalar_one()


def set_threshold(session: Session, dataset_id: int, threshold: float) -> None:
    """Move a dataset's threshold. Nothing else changes: flags are derived."""
    session.execute(update(DatasetRow).where(DatasetRow.id == dataset_id).values(threshold=threshold))


def update_dataset(session: Session, dataset_id: int, **values: Any) -> None:
    """Change columns of a dataset."""
    session.execute(update(DatasetRow).where(DatasetRow.id == dataset_id).values(**values))


def find_guidelines(session: Session, dataset_id: int) -> str:
    """A dataset's guidelines, in Markdown; empty if there are none. Not part of :class:`Dataset`: seldom wanted."""
    return session.scalar(select(DatasetRow.guidelines).where(DatasetRow.id == dataset_id)) or ""


def set_guidelines(session: Session, dataset_id: int, text: str) -> None:
    """Keep a dataset's guidelines."""
    session.execute(update(DatasetRow).where(DatasetRow.id == dataset_id).values(guidelines=text))


def set_reviewing(session: Session, dataset_id: int, reviewing: Reviewing, sweep: dict[str, Any] | None) -> None:
    """Say how a dataset is reviewed by several people, and which change of that is under way."""
    session.execute(
        update(DatasetRow)
        .where(DatasetRow.id == dataset_id)
        .values(
            second_share=reviewing.share,
            second_reasons=list(reviewing.reasons),
            second_seed=reviewing.seed,
            consensus=reviewing.consensus,
            sweep=sweep,
        )
    )


def find_sweep(session: Session) -> int | None:
    """A dataset in which a change of how it is reviewed is under way."""
    return session.scalar(select(DatasetRow.id).where(DatasetRow.sweep.is_not(None)).order_by(DatasetRow.id).limit(1))


def set_sweep(session: Session, dataset_id: int, sweep: dict[str, Any] | None) -> None:
    """Note how far it has got; None: to its end."""
    session.execute(update(DatasetRow).where(DatasetRow.id == dataset_id).values(sweep=sweep))


def set_detector(session: Session, dataset_id: int, detector_id: int, target_classes: Sequence[str]) -> None:
    """Say whose scores count for a dataset."""
    session.execute(
        update(DatasetRow)
        .where(DatasetRow.id == dataset_id)
        .values(detector_id=detector_id, target_classes=list(target_classes))
    )


def begin_walk(session: Session, dataset_id: int, walk: str) -> None:
    """A walk of the dataset's folders begins: any other that is still going on has lost."""
    session.execute(update(DatasetRow).where(DatasetRow.id == dataset_id).values(walk=walk))


def is_current_walk(session: Session, dataset_id: int, walk: str) -> bool:
    """Whether no later walk has begun."""
    return session.scalar(select(DatasetRow.walk).where(DatasetRow.id == dataset_id)) == walk


def replace_ignored(session: Session, dataset_id: int) -> None:
    """Forget the ignored files of the last walk."""
    session.execute(delete(IgnoredFileRow).where(IgnoredFileRow.dataset_id == dataset_id))


def insert_ignored(session: Session, dataset_id: int, files: Sequence[tuple[str, str]]) -> None:
    """Record ignored files as ``(path, reason)``."""
    if files:
        session.execute(
            insert(IgnoredFileRow),
            [{"dataset_id": dataset_id, "path": path, "reason": reason} for path, reason in files],
        )


def list_ignored(session: Session, dataset_id: int, after: int = 0, limit: int = 200) -> list[tuple[int, str, str]]:
    """Ignored files as ``(id, path, reason)``, after an id."""
    rows = session.execute(
        select(IgnoredFileRow.id, IgnoredFileRow.path, IgnoredFileRow.reason)
        .where(IgnoredFileRow.dataset_id == dataset_id, IgnoredFileRow.id > after)
        .order_by(IgnoredFileRow.id)
        .limit(limit)
    )
    return [(row.id, row.path, row.reason) for row in rows]


def count_ignored(session: Session, dataset_id: int) -> int:
    """Files that the last walk passed over."""
    return session.scalar(select(func.count()).where(IgnoredFileRow.dataset_id == dataset_id)) or 0
