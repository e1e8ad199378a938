"""Queries on relocations: the plan, the journal of its moves, what stays out."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import and_, case, func, insert, or_, select, update
from sqlalchemy.orm import Session

from app.domain.images import Side
from app.domain.relocation import Mode
from app.storage.datasets import MAX_ID
from app.storage.tables import MoveRow, OmissionRow, RelocationRow, StandingRow

UNFINISHED = ("running", "undoing")
STANDING = ("done", "partly_failed", "running", "undoing")


@dataclass(frozen=True, slots=True)
class Relocation:
    """A planned batch of file operations."""

    id: int
    dataset_id: int
    target: str
    mode: Mode
    status: str
    apply_requested: bool
    worker_id: int | None
    bytes: int
    collisions: int
    earlier_id: int | None
    made_folders: tuple[str, ...]
    published: dict[str, Any]
    error: str | None
    created_at: datetime
    finished_at: datetime | None


@dataclass(frozen=True, slots=True)
class Move:
    """One file operation of a relocation, and what became of it."""

    id: int
    relocation_id: int
    image_id: int
    action: str
    source: str
    destination: str
    sha256: str
    size_bytes: int
    final: Side
    collision: bool
    state: str
    error: str | None
    error_code: str | None
    manifest: dict[str, Any]


def _relocation(row: RelocationRow) -> Relocation:
    return Relocation(
        id=row.id,
        dataset_id=row.dataset_id,
        target=row.target,
        mode=Mode(row.mode),
        status=row.status,
        apply_requested=row.apply_requested,
        worker_id=row.worker_id,
        bytes=row.bytes,
        collisions=row.collisions,
        earlier_id=row.earlier_id,
        made_folders=tuple(row.made_folders or ()),
        published=dict(row.published or {}),
        error=row.error,
        created_at=row.created_at,
        finished_at=row.finished_at,
    )


def _move(row: MoveRow) -> Move:
    return Move(
        id=row.id,
        relocation_id=row.relocation_id,
        image_id=row.image_id,
        action=row.action,
        source=row.source,
        destination=row.destination,
        sha256=row.sha256,
        size_bytes=row.size_bytes,
        final=Side(row.final),
        collision=row.collision,
        state=row.state,
        error=row.error,
        error_code=row.error_code,
        manifest=row.manifest,
    )


def insert_relocation(session: Session, **values: Any) -> int:
    """Add a relocation; its id."""
    return session.execute(insert(RelocationRow).values(**values).returning(RelocationRow.id)).scalar_one()


def update_relocation(session: Session, relocation_id: int, **values: Any) -> None:
    """Change columns of a relocation."""
    session.execute(update(RelocationRow).where(RelocationRow.id == relocation_id).values(**values))


def find_relocation(session: Session, relocation_id: int) -> Relocation | None:
    """One relocation."""
    if not 0 < relocation_id <= MAX_ID:
        return None
    row = session.get(RelocationRow, relocation_id)
    return None if row is None else _relocation(row)


def list_relocations(session: Session, dataset_id: int | None, limit: int = 50) -> list[Relocation]:
    """Relocations that were more than planned, newest first."""
    query = select(RelocationRow).where(RelocationRow.status.not_in(("planning", "planned")))
    if dataset_id is not None:
        query = query.where(RelocationRow.dataset_id == dataset_id)
    return [_relocation(row) for row in session.scalars(query.order_by(RelocationRow.id.desc()).limit(limit))]


def list_to_work_on(session: Session) -> list[Relocation]:
    """Relocations that somebody asked to apply or undo and that are not finished, oldest first."""
    rows = session.scalars(
        select(RelocationRow)
        .where(
            or_(
                RelocationRow.status.in_(UNFINISHED),
                and_(RelocationRow.status == "planned", RelocationRow.apply_requested.is_(True)),
            )
        )
        .order_by(RelocationRow.id)
    )
    return [_relocation(row) for row in rows]


def find_standing_relocation(session: Session, target: str) -> Relocation | None:
    """The latest relocation into a folder that was begun and not undone."""
    row = session.scalar(
        select(RelocationRow)
        .where(RelocationRow.target == target, RelocationRow.status.in_(STANDING))
        .order_by(RelocationRow.id.desc())
        .limit(1)
    )
    return None if row is None else _relocation(row)


def find_asked_for(session: Session, relocation: Relocation) -> Relocation | None:
    """Another relocation into the same folder that somebody has asked to apply and nobody has begun."""
    row = session.scalar(
        select(RelocationRow)
        .where(
            RelocationRow.target == relocation.target,
            RelocationRow.id != relocation.id,
            RelocationRow.status == "planned",
            RelocationRow.apply_requested.is_(True),
        )
        .limit(1)
    )
    return None if row is None else _relocation(row)


def find_later_relocation(session: Session, relocation: Relocation) -> Relocation | None:
    """A standing relocation into the same folder that builds on this one."""
    row = session.scalar(
        select(RelocationRow)
        .where(
            RelocationRow.target == relocation.target,
            RelocationRow.id > relocation.id,
            RelocationRow.status.in_(STANDING),
        )
        .order_by(RelocationRow.id.desc())
        .limit(1)
    )
    return None if row is None else _relocation(row)


def standing_placements(session: Session, relocation_id: int) -> dict[int, Move]:
    """What lies in the target after a relocation, by image."""
    rows = session.scalars(
        select(MoveRow).where(
            MoveRow.relocation_id == relocation_id,
            or_(
                and_(MoveRow.action == "place", MoveRow.state.in_(("done", "skipped"))),
                and_(MoveRow.action == "withdraw", MoveRow.state == "failed"),
            ),
        )
    )
    return {row.image_id: _move(row) for row in rows}


def insert_moves(session: Session, rows: Sequence[dict[str, Any]]) -> None:
    """Add planned moves."""
    if rows:
        session.execute(insert(MoveRow), rows)


def insert_omissions(session: Session, rows: Sequence[dict[str, Any]]) -> None:
    """Add images that stay out."""
    if rows:
        session.execute(insert(OmissionRow), rows)


def next_moves(
    session: Session, relocation_id: int, states: Sequence[str], limit: int, first: str = "withdraw"
) -> list[Move]:
    """The next moves in some state, all of one action: what frees names comes before what takes them."""
    rows = session.scalars(
        select(MoveRow)
        .where(MoveRow.relocation_id == relocation_id, MoveRow.state.in_(states))
        .order_by(case((MoveRow.action == first, 0), else_=1), MoveRow.id)
        .limit(limit)
    )
    moves = [_move(row) for row in rows]
    return [move for move in moves if move.action == moves[0].action]


def list_moves(session: Session, relocation_id: int, after: int, limit: int) -> list[Move]:
    """Moves by id, after an id."""
    rows = session.scalars(
        select(MoveRow)
        .where(MoveRow.relocation_id == relocation_id, MoveRow.id > after)
        .order_by(MoveRow.id)
        .limit(limit)
    )
    return [_move(row) for row in rows]


def sample_moves(session: Session, relocation_id: int, limit: int) -> list[Move]:
    """A few moves to look at: failures first, then collisions, then by id."""
    rows = session.scalars(
        select(MoveRow)
        .where(MoveRow.relocation_id == relocation_id)
        .order_by(
            case(
                (MoveRow.state == "failed", 0),
                (MoveRow.collision.is_(True), 1),
                (MoveRow.action == "withdraw", 2),
                else_=3,
            ),
            MoveRow.id,
        )
        .limit(limit)
    )
    return [_move(row) for row in rows]


def moves_of_image(session: Session, image_id: int) -> list[Move]:
    """Every move of an image, oldest first."""
    return [
        _move(row) for row in session.scalars(select(MoveRow).where(MoveRow.image_id == image_id).order_by(MoveRow.id))
    ]


def set_move_states(session: Session, move_ids: Sequence[int], state: str) -> None:
    """Change the state of several moves."""
    session.execute(update(MoveRow).where(MoveRow.id.in_(move_ids)).values(state=state))


def fail_move(session: Session, move_id: int, error: str, code: str, state: str = "failed") -> None:
    """Record why a move was refused or failed."""
    session.execute(update(MoveRow).where(MoveRow.id == move_id).values(state=state, error=error, error_code=code))


@dataclass(frozen=True, slots=True)
class MoveCounts:
    """Moves of a relocation by state."""

    planned: int
    done: int
    failed: int
    skipped: int
    undone: int


def count_moves(session: Session, relocation_id: int) -> MoveCounts:
    """Count a relocation's moves; ``planned`` is all of them, whatever became of each."""
    rows = session.execute(
        select(MoveRow.state, func.count().label("total"))
        .where(MoveRow.relocation_id == relocation_id)
        .group_by(MoveRow.state)
    )
    by_state = {row.state: row.total for row in rows}
    return MoveCounts(
        planned=sum(by_state.values()),
        done=by_state.get("done", 0),
        failed=by_state.get("failed", 0),
        skipped=by_state.get("skipped", 0),
        undone=by_state.get("undone", 0),
    )


def count_by_final(session: Session, relocation_id: int) -> dict[Side, int]:
    """Images placed (or to be placed) by final label."""
    rows = session.execute(
        select(MoveRow.final, func.count())
        .where(MoveRow.relocation_id == relocation_id, MoveRow.action == "place", MoveRow.state != "failed")
        .group_by(MoveRow.final)
    )
    return {Side(final): total for final, total in rows}


def count_omissions(session: Session, relocation_id: int) -> dict[str, int]:
    """Images that stay out, by reason; failed moves count under their code."""
    rows = session.execute(
        select(OmissionRow.reason, func.count())
        .where(OmissionRow.relocation_id == relocation_id)
        .group_by(OmissionRow.reason)
    ).all()
    failed = session.execute(
        select(MoveRow.error_code, func.count())
        .where(MoveRow.relocation_id == relocation_id, MoveRow.action == "place", MoveRow.state == "failed")
        .group_by(MoveRow.error_code)
    ).all()
    counts: dict[str, int] = {}
    for reason, total in [*rows, *failed]:
        counts[reason or "failed"] = counts.get(reason or "failed", 0) + total
    return counts


def count_outdated(session: Session, relocation_id: int) -> int:
    """Images placed under a label that a later verdict contradicts."""
    return (
        session.scalar(
            select(func.count())
            .select_from(MoveRow)
            .join(StandingRow, StandingRow.image_id == MoveRow.image_id)
            .where(
                MoveRow.relocation_id == relocation_id,
                MoveRow.action == "place",
                MoveRow.state.in_(("done", "skipped")),
                StandingRow.verdict.is_not(None),
                StandingRow.verdict != MoveRow.final,
            )
        )
        or 0
    )


def iter_manifest(session: Session, relocation_id: int, chunk: int = 1000) -> Iterator[Move]:
    """Placed images, by destination."""
    last = ""
    while True:
        rows = session.scalars(
            select(MoveRow)
            .where(
                MoveRow.relocation_id == relocation_id,
                MoveRow.action == "place",
                MoveRow.state.in_(("done", "skipped")),
                MoveRow.destination > last,
            )
            .order_by(MoveRow.destination)
            .limit(chunk)
        ).all()
        if not rows:
            return
        yield from (_move(row) for row in rows)
        last = rows[-1].destination


def iter_left_out(session: Session, relocation_id: int) -> Iterator[tuple[str, str]]:
    """Images that stayed out as ``(source, reason)``: by decision, then by failure, each by path."""
    omitted = session.execute(
        select(OmissionRow.source, OmissionRow.reason)
        .where(OmissionRow.relocation_id == relocation_id)
        .order_by(OmissionRow.source)
        .execution_options(yield_per=1000)
    )
    yield from ((source, reason) for source, reason in omitted)
    failed = session.execute(
        select(MoveRow.source, MoveRow.error_code)
        .where(MoveRow.relocation_id == relocation_id, MoveRow.action == "place", MoveRow.state == "failed")
        .order_by(MoveRow.source)
        .execution_options(yield_per=1000)
    )
    yield from ((source, code or "failed") for source, code in failed)
