"""Carrying out a relocation: intent first, then the file, then the record. Recovery runs the same code again.

    planned -> started (committed) -> file placed under its name -> done (committed) -> temporary name dropped

A crash leaves a move *started*. :func:`app.files.moving.was_placed` then says whether its file is there.
"""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import structlog

from app.config import WorkerSettings
from app.domain.exporting import AUDIT_COLUMNS, LEFT_OUT_COLUMNS, MANIFEST_COLUMNS
from app.domain.relocation import LeftOut, Mode, decide
from app.errors import ConflictError, MoveError, TouchlineError
from app.files.manifests import AUDIT, CERTIFICATE, LEFT_OUT, MANIFEST, PUBLISHED, Published
from app.files.moving import (
    FileMove,
    holds_placed,
    place_file,
    remove_empty,
    remove_placed,
    settle,
    was_placed,
)
from app.files.writing import make_folder
from app.services.audit_files import iter_audit_rows, write_certificate
from app.services.clock import Clock
from app.services.datasets import get_dataset
from app.services.releasing import candidate_of
from app.services.relocations import RelocationView, get_relocation, view_relocation
from app.services.workers import liveness
from app.storage import relocations as stored
from app.storage.database import Database, Session
from app.storage.duplicates import find_contradicted
from app.storage.images import find_images
from app.storage.relocations import Move, Relocation
from app.storage.workers import is_alive

log = structlog.get_logger()
CHUNK = 64
Stopping = Callable[[], bool]


def request_apply(database: Database, relocation_id: int) -> RelocationView:
    """Ask a worker to apply a plan.

    Raises:
        NotFoundError: no such relocation.
        ConflictError: it is under way or over already.
    """
    with database.write() as session:
        relocation = get_relocation(session, relocation_id)
        _refuse_unless_planned(session, relocation)
        stored.update_relocation(session, relocation_id, apply_requested=True)
        return view_relocation(session, get_relocation(session, relocation_id))


def _refuse_unless_planned(session: Session, relocation: Relocation) -> None:
    if relocation.status != "planned":
        msg = f"relocation {relocation.id} is {relocation.status}; plan a new one"
        raise ConflictError(msg)
    other = stored.find_asked_for(session, relocation)
    if other is not None:
        msg = f"relocation {other.id} into {relocation.target} has been asked for; wait for it, then plan anew"
        raise ConflictError(msg)
    standing = stored.find_standing_relocation(session, relocation.target)
    if standing is not None and standing.status in stored.UNFINISHED:
        msg = f"relocation {standing.id} into {relocation.target} is not finished; wait for it, then plan anew"
        raise ConflictError(msg)
    if standing is not None and standing.id != relocation.earlier_id:
        msg = f"relocation {standing.id} went into {relocation.target} since this plan was made; plan anew"
        raise ConflictError(msg)


def request_undo(database: Database, relocation_id: int) -> RelocationView:
    """Ask a worker to take a relocation back.

    Raises:
        NotFoundError: no such relocation.
        ConflictError: it was not applied, or a later one builds on it.
    """
    with database.write() as session:
        relocation = get_relocation(session, relocation_id)
        _refuse_undo(session, relocation)
        if relocation.status != "undoing":  # asked twice: whoever is at it stays at it
            stored.update_relocation(session, relocation_id, status="undoing", worker_id=None)
        return view_relocation(session, get_relocation(session, relocation_id))


def _refuse_undo(session: Session, relocation: Relocation) -> None:
    if relocation.status not in ("done", "partly_failed", "undoing"):
        msg = f"relocation {relocation.id} is {relocation.status}: there is nothing to undo"
        raise ConflictError(msg)
    waiting = stored.find_asked_for(session, relocation)
    if waiting is not None:
        msg = f"relocation {waiting.id} into {relocation.target} has been asked for; wait for it, then undo it first"
        raise ConflictError(msg)
    later = stored.find_later_relocation(session, relocation)
    if later is not None:
        msg = f"relocation {later.id} builds on {relocation.id}: undo {later.id} first"
        raise ConflictError(msg)


def claim_relocation(
    database: Database, settings: WorkerSettings, clock: Clock, worker_id: int, relocation_id: int | None = None
) -> Relocation | None:
    """Take a relocation that was asked for, or whose process is gone; None if there is nothing to do."""
    alive = liveness(settings, clock)
    with database.write() as session:
        for relocation in stored.list_to_work_on(session):
            if relocation_id not in (None, relocation.id):
                continue
            if relocation.worker_id is not None and is_alive(session, relocation.worker_id, alive):
                continue
            status = "undoing" if relocation.status == "undoing" else "running"
            stored.update_relocation(session, relocation.id, status=status, worker_id=worker_id)
            return get_relocation(session, relocation.id)
    return None


def run_relocation(
    database: Database, clock: Clock, relocation: Relocation, stopping: Stopping = lambda: False
) -> RelocationView:
    """Carry a claimed relocation to its end: apply it, or take it back. Safe to run again after a crash.

    What keeps all of it from going on (a target that cannot be written, say) is recorded as its error.
    """
    mover = _Mover.of(database, clock, relocation)
    try:
        if relocation.status == "undoing":
            mover.undo(stopping)
        else:
            mover.apply(stopping)
    except (OSError, TouchlineError) as error:
        mover.give_up(error)
    except Exception as error:  # left running under a live worker, nobody would ever take it over
        log.exception("relocation ended by a bug", relocation=relocation.id)
        mover.give_up(error)
    with database.read() as session:
        return view_relocation(session, get_relocation(session, relocation.id))


@dataclass(frozen=True, slots=True)
class Outcome:
    """What became of one move: None, or why it failed."""

    move: Move
    error: MoveError | None


class _Mover:
    """Works through the moves of one relocation, a chunk at a time."""

    def __init__(self, database: Database, clock: Clock, relocation: Relocation, root: Path) -> None:
        self._database = database
        self._clock = clock
        self._relocation = relocation
        self._root = root
        self._target = Path(relocation.target)
        self._folders = {Path(folder) for folder in relocation.made_folders}

    @classmethod
    def of(cls, database: Database, clock: Clock, relocation: Relocation) -> "_Mover":
        """A mover for a relocation of its dataset."""
        with database.read() as session:
            dataset = get_dataset(session, relocation.dataset_id)
        return cls(database, clock, relocation, Path(dataset.root))

    def apply(self, stopping: Stopping) -> None:
        """Do every planned move, then write manifest.csv and left-out.csv."""
        self._folders |= set(make_folder(self._target))
        self._resume()
        for chunk in self._chunks(("planned",), "started"):
            self._record([self._attempt(move) for move in chunk], "done")
            if stopping():
                return
        self._check_skipped()
        self._publish()
        with self._database.write() as session:
            failed = stored.count_moves(session, self._relocation.id).failed
            status = "partly_failed" if failed else "done"
            self._finish(session, status)
        log.info("relocation ended", relocation=self._relocation.id, status=status, failed=failed)

    def _resume(self) -> None:
        """Finish what a crash left started, and drop the temporary names that it left."""
        for move in self._all_moves():
            if move.state in ("done", "undone"):
                settle(self._file(move))
        while True:
            with self._database.read() as session:
                started = stored.next_moves(session, self._relocation.id, ("started",), CHUNK)
            if not started:
                return
            self._record([self._attempt(move, again=True) for move in started], "done")

    def _chunks(self, states: Sequence[str], next_state: str | None, first: str = "withdraw") -> Iterator[list[Move]]:
        """Parts of the moves in some state; with ``next_state`` their intent is recorded before they are given."""
        while True:
            with self._database.write() as session:
                chunk = stored.next_moves(session, self._relocation.id, states, CHUNK, first)
                if next_state is not None:
                    stored.set_move_states(session, [move.id for move in chunk], next_state)
            if not chunk:
                return
            yield chunk

    def _attempt(self, move: Move, *, again: bool = False) -> Outcome:
        try:
            if move.action == "withdraw":
                remove_placed(self._file(move))
            elif not (again and was_placed(self._file(move))):
                self._refuse_outdated(move)
                self._folders |= set(place_file(self._file(move)))
        except MoveError as error:
            return Outcome(move, error)
        return Outcome(move, None)

    def _refuse_outdated(self, move: Move) -> None:
        """Only what was shown in the plan is done: an image that was called anew since is refused by name."""
        with self._database.read() as session:
            dataset = get_dataset(session, self._relocation.dataset_id)
            record = find_images(session, [move.image_id])[move.image_id]
            among = find_contradicted(session, dataset.id, record.sha256) if record.duplicated else set()
        decision = decide(candidate_of(record, dataset, contradicted=record.id in among))
        if isinstance(decision, LeftOut):
            msg = f"{move.source}: is no longer to be placed since the plan was made ({decision}); plan anew"
            raise MoveError(msg, decision)
        if decision is not move.final or record.sha256 != move.sha256:
            msg = f"{move.source}: its label or its bytes changed since the plan was made; plan anew"
            raise MoveError(msg, LeftOut.CONFLICT if decision is not move.final else LeftOut.SOURCE_CHANGED)

    def _record(self, outcomes: Sequence[Outcome], done: str) -> None:
        with self._database.write() as session:
            stored.set_move_states(session, [each.move.id for each in outcomes if each.error is None], done)
            for each in outcomes:
                if each.error is not None:
                    stored.fail_move(session, each.move.id, str(each.error), each.error.code)
            self._keep_folders(session)
        for each in outcomes:
            settle(self._file(each.move))

    def _keep_folders(self, session: Session) -> None:
        stored.update_relocation(
            session, self._relocation.id, made_folders=sorted(str(folder) for folder in self._folders)
        )

    def _all_moves(self) -> Iterator[Move]:
        after = 0
        while True:
            with self._database.read() as session:
                moves = stored.list_moves(session, self._relocation.id, after, 500)
            if not moves:
                return
            yield from moves
            after = moves[-1].id

    def _check_skipped(self) -> None:
        """What lay there already is in the manifest too, so it must still be what the manifest says."""
        for move in self._all_moves():
            if move.state == "skipped" and not holds_placed(self._file(move)):
                msg = f"{move.destination}: changed since it was placed; look at it and plan anew"
                with self._database.write() as session:
                    stored.fail_move(session, move.id, msg, LeftOut.CONFLICT)

    def _publish(self) -> None:
        relocation = self._relocation
        with self._database.read() as session:
            rows = (_manifest_row(move) for move in stored.iter_manifest(session, relocation.id))
            hashes = {
                MANIFEST: self._published(MANIFEST).write(MANIFEST_COLUMNS, rows),
                LEFT_OUT: self._published(LEFT_OUT).write(
                    LEFT_OUT_COLUMNS, stored.iter_left_out(session, relocation.id)
                ),
            }
            dataset = get_dataset(session, relocation.dataset_id)
            hashes[AUDIT] = self._published(AUDIT).write(AUDIT_COLUMNS, iter_audit_rows(session, dataset))
            hashes[CERTIFICATE] = self._published(CERTIFICATE).write_bytes(write_certificate(session, dataset))
        with self._database.write() as session:
            stored.update_relocation(session, relocation.id, published=hashes)

    def _published(self, name: str) -> Published:
        return Published(self._target, name, self._relocation.id, self._relocation.earlier_id)

    def give_up(self, error: Exception) -> None:
        """Record what keeps the relocation from going on; it can be undone."""
        text = f"{error.filename}: {error.strerror}" if isinstance(error, OSError) else str(error) or repr(error)
        log.warning("relocation given up", relocation=self._relocation.id, reason=text)
        with self._database.write() as session:
            stored.update_relocation(session, self._relocation.id, error=text)
            self._finish(session, "partly_failed")

    def undo(self, stopping: Stopping) -> None:
        """Remove what was placed, if unchanged; place again what was withdrawn; take the manifests back."""
        self._resume()
        failed = False
        for chunk in self._chunks(("done",), None, first="place"):
            outcomes = [self._take_back(move) for move in reversed(chunk)]
            failed |= any(outcome.error is not None for outcome in outcomes)
            self._record(outcomes, "undone")
            if stopping():
                return
        for name in PUBLISHED:
            self._published(name).withdraw(self._relocation.published.get(name))
        remove_empty(list(self._folders))
        with self._database.write() as session:
            self._finish(session, "undone")
        log.info("relocation undone", relocation=self._relocation.id, left_in_place=failed)

    def _take_back(self, move: Move) -> Outcome:
        try:
            if move.action == "place":
                remove_placed(self._file(move))
            elif not holds_placed(self._file(move)):
                place_file(self._file(move))
        except MoveError as error:
            return Outcome(move, error)
        return Outcome(move, None)

    def _finish(self, session: Session, status: str) -> None:
        stored.update_relocation(session, self._relocation.id, status=status, finished_at=self._clock())

    def _file(self, move: Move) -> FileMove:
        return FileMove(
            move_id=move.id,
            root=self._root,
            source=move.source,
            target=self._target,
            destination=move.destination,
            sha256=move.sha256,
            mode=self._relocation.mode if move.action == "place" else Mode.COPY,
        )


def _manifest_row(move: Move) -> list[object]:
    return [move.manifest[column] for column in MANIFEST_COLUMNS]


def recover_relocations(
    database: Database, settings: WorkerSettings, clock: Clock, worker_id: int
) -> list[RelocationView]:
    """Finish every relocation that a crash left unfinished; what became of each."""
    recovered: list[RelocationView] = []
    while True:
        relocation = claim_relocation(database, settings, clock, worker_id)
        if relocation is None:
            return recovered
        log.info("recovering", relocation=relocation.id, status=relocation.status)
        recovered.append(run_relocation(database, clock, relocation))


def apply_now(
    database: Database, settings: WorkerSettings, clock: Clock, worker_id: int, relocation_id: int
) -> RelocationView:
    """Apply a plan in this process.

    Raises:
        NotFoundError: no such relocation.
        ConflictError: it is under way or over already.
    """
    request_apply(database, relocation_id)
    return _run_claimed(database, settings, clock, worker_id, relocation_id)


def undo_now(
    database: Database, settings: WorkerSettings, clock: Clock, worker_id: int, relocation_id: int
) -> RelocationView:
    """Take a relocation back in this process.

    Raises:
        NotFoundError: no such relocation.
        ConflictError: it was not applied, or a later one builds on it.
    """
    request_undo(database, relocation_id)
    return _run_claimed(database, settings, clock, worker_id, relocation_id)


def _run_claimed(
    database: Database, settings: WorkerSettings, clock: Clock, worker_id: int, relocation_id: int
) -> RelocationView:
    relocation = claim_relocation(database, settings, clock, worker_id, relocation_id)
    if relocation is None:
        # A worker was faster: it carries it out, and `status` shows how far it is.
        with database.read() as session:
            return view_relocation(session, get_relocation(session, relocation_id))
    return run_relocation(database, clock, relocation)
