"""Queries on background processes and on who has claimed what."""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime, timedelta

from sqlalchemy import insert, select, update
from sqlalchemy.orm import Session

from app.storage.tables import WorkerRow


@dataclass(frozen=True, slots=True)
class Process:
    """A process of some host, told apart from a later one with the same pid by its start time."""

    host: str
    pid: int
    started: str


@dataclass(frozen=True, slots=True)
class Liveness:
    """How to tell whether a worker is alive."""

    now: datetime
    stalled_after_s: float
    here: str  #: this host's name
    is_running: Callable[[int, str], bool]  #: whether a pid of this host still is the process with that start time

    def alive(self, worker: WorkerRow) -> bool:
        """Not stopped, heard of lately and, if it ran on this host, still a process of it."""
        if worker.stopped_at is not None:
            return False
        if worker.host == self.here and not self.is_running(worker.pid, worker.process_started):
            return False
        return worker.heartbeat_at > self.now - timedelta(seconds=self.stalled_after_s)


def insert_worker(session: Session, process: Process, now: datetime, *, serves: bool) -> int:
    """Announce a process; its id. ``serves``: it takes whatever is queued."""
    return session.execute(
        insert(WorkerRow)
        .values(
            host=process.host,
            pid=process.pid,
            process_started=process.started,
            started_at=now,
            heartbeat_at=now,
            serves=serves,
        )
        .returning(WorkerRow.id)
    ).scalar_one()


def beat(session: Session, worker_id: int, now: datetime) -> None:
    """A sign of life."""
    session.execute(update(WorkerRow).where(WorkerRow.id == worker_id).values(heartbeat_at=now))


def stop_worker(session: Session, worker_id: int, now: datetime) -> None:
    """The process has ended in good order."""
    session.execute(update(WorkerRow).where(WorkerRow.id == worker_id).values(stopped_at=now))


def is_alive(session: Session, worker_id: int | None, liveness: Liveness) -> bool:
    """Whether the worker that claimed something is still at it."""
    if worker_id is None:
        return False
    worker = session.get(WorkerRow, worker_id)
    return worker is not None and liveness.alive(worker)


def any_serving(session: Session, liveness: Liveness) -> bool:
    """Whether some worker takes what is queued."""
    oldest = liveness.now - timedelta(seconds=liveness.stalled_after_s)
    rows = session.scalars(
        select(WorkerRow).where(
            WorkerRow.serves.is_(True), WorkerRow.stopped_at.is_(None), WorkerRow.heartbeat_at > oldest
        )
    )
    return any(liveness.alive(row) for row in rows)
