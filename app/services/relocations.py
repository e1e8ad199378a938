"""Planning a relocation and looking at it. Applying and undoing are in :mod:`app.services.relocating`."""

import os
from dataclasses import asdict, dataclass
from datetime import datetime
from pathlib import Path
from typing import Any

from app.domain.images import Side, label_of_pattern
from app.domain.relocation import (
    Candidate,
    LeftOut,
    Mode,
    Omission,
    Placement,
    safe_for_file_name,
)
from app.errors import ConflictError, InvalidInputError, NotFoundError, TargetExistsError, UsageError
from app.files.opening import resolve_given
from app.files.scanning import find_label_folders
from app.files.writing import free_bytes
from app.services.clock import Clock
from app.services.datasets import DatasetView, get_dataset, view_dataset
from app.services.releasing import Release
from app.services.reviews import format_time
from app.services.sign_offs import SignOffView, find_bound, find_sign_off, rate_of
from app.storage import relocations as stored
from app.storage.database import Database, Session
from app.storage.datasets import Dataset, list_datasets
from app.storage.relocations import Move, Relocation
from app.storage.tallies import count_dataset, count_dataset_released

CHUNK = 1000
SAMPLE = 50
AVAILABLE_MODES = (Mode.COPY, Mode.HARDLINK, Mode.REFLINK)


@dataclass(frozen=True, slots=True)
class PlannedMoveView:
    """One move of a plan."""

    source: str
    destination: str
    final_label: str
    collision: bool
    state: str
    error: str | None


@dataclass(frozen=True, slots=True)
class RelocationView:
    """A relocation as pages and the API show it."""

    id: int
    to: str
    mode: str
    status: str
    planned: int
    done: int
    failed: int
    skipped: int
    collisions: int
    bytes: int
    created_at: datetime
    finished_at: datetime | None
    by_label: tuple[tuple[str, int], ...]
    left_out: tuple[tuple[str, int], ...]
    sample: tuple[PlannedMoveView, ...]
    outdated: int
    error: str | None


def get_relocation(session: Session, relocation_id: int) -> Relocation:
    """A relocation by id.

    Raises:
        NotFoundError: there is none.
    """
    relocation = stored.find_relocation(session, relocation_id)
    if relocation is None:
        msg = f"no relocation {relocation_id}"
        raise NotFoundError(msg)
    return relocation


def view_relocation(session: Session, relocation: Relocation) -> RelocationView:
    """A relocation with its counts and a few of its moves."""
    labels = get_dataset(session, relocation.dataset_id).labels
    counts = stored.count_moves(session, relocation.id)
    placed = stored.count_by_final(session, relocation.id)
    return RelocationView(
        id=relocation.id,
        to=relocation.target,
        mode=relocation.mode,
        status=_status(relocation),
        planned=counts.planned,
        done=counts.done,
        failed=counts.failed,
        skipped=counts.skipped,
        collisions=relocation.collisions,
        bytes=relocation.bytes,
        created_at=relocation.created_at,
        finished_at=relocation.finished_at,
        by_label=tuple((labels.name(side), placed.get(side, 0)) for side in Side),
        left_out=tuple(sorted(stored.count_omissions(session, relocation.id).items())),
        sample=tuple(
            PlannedMoveView(
                move.source, move.destination, labels.name(move.final), move.collision, move.state, move.error
            )
            for move in stored.sample_moves(session, relocation.id, SAMPLE)
        ),
        outdated=stored.count_outdated(session, relocation.id),
        error=relocation.error,
    )


def _status(relocation: Relocation) -> str:
    """What was asked for is under way, also while no worker has taken it yet."""
    asked = relocation.status == "undoing" or (relocation.status == "planned" and relocation.apply_requested)
    return "running" if asked else relocation.status


def show_relocation(database: Database, relocation_id: int) -> RelocationView:
    """One relocation.

    Raises:
        NotFoundError: there is none.
    """
    with database.read() as session:
        return view_relocation(session, get_relocation(session, relocation_id))


@dataclass(frozen=True, slots=True)
class MovePage:
    """Moves of a relocation by id, and the cursor of the next page."""

    items: tuple[Move, ...]
    next: int | None


def list_move_page(database: Database, relocation_id: int, after: int, limit: int) -> MovePage:
    """A page of a relocation's moves.

    Raises:
        NotFoundError: no such relocation.
    """
    with database.read() as session:
        get_relocation(session, relocation_id)
        moves = stored.list_moves(session, relocation_id, after, limit + 1)
    page = tuple(moves[:limit])
    return MovePage(page, page[-1].id if len(moves) > limit else None)


def plan_relocation(database: Database, clock: Clock, reference: str | int, to: Path, mode: Mode) -> RelocationView:
    """Decide where each image goes and store that as a plan. Touches no file.

    Raises:
        NotFoundError: no such dataset.
        InvalidInputError: the mode is not available.
        TargetExistsError: ``to`` holds something that is no relocation of this dataset.
        UsageError: ``to`` lies inside a source folder or above the root, or there is not enough room.
    """
    if mode not in AVAILABLE_MODES:
        raise InvalidInputError.on("mode", f"{mode} comes in a later release; now: {', '.join(AVAILABLE_MODES)}")
    with database.read() as session:
        dataset = get_dataset(session, reference)
        target = check_target(session, dataset, to)
        earlier = stored.find_standing_relocation(session, str(target))
        release = Release.of(session, dataset)
    with database.write() as session:
        relocation_id = stored.insert_relocation(
            session,
            dataset_id=dataset.id,
            target=str(target),
            mode=mode,
            status="planning",
            earlier_id=None if earlier is None else earlier.id,
            sign_off=_describe_sign_off(release.sign_off),
            created_at=clock(),
        )
    planner = _Planner(database, target, relocation_id, earlier, release)
    planner.run()
    _refuse_full_disk(target, planner.bytes)
    with database.write() as session:
        stored.update_relocation(
            session, relocation_id, status="planned", bytes=planner.bytes, collisions=planner.collisions
        )
        return view_relocation(session, get_relocation(session, relocation_id))


def _describe_sign_off(sign_off: SignOffView | None) -> dict[str, Any] | None:
    return None if sign_off is None else {**asdict(sign_off), "at": format_time(sign_off.at)}


def _refuse_full_disk(target: Path, needed: int) -> None:
    free = free_bytes(target)
    if needed > free:
        msg = f"{target}: the copies need {needed:,} bytes, the disk has {free:,} free"
        raise UsageError(msg)


def check_target(session: Session, dataset: Dataset, to: Path) -> Path:
    """The resolved target folder, if a relocation of ``dataset`` may go there.

    Raises:
        TargetExistsError: it holds something that is no relocation of this dataset.
        UsageError: it lies inside a source folder, is the root, lies above it, or is a file.
    """
    target = resolve_given(to, "to")
    root = Path(dataset.root)
    if target == root or target in root.parents:
        msg = f"--to {target}: is or holds the dataset's root {root}; name another folder"
        raise UsageError(msg)
    for registered in list_datasets(session):
        _refuse_source_folder(registered, Path(registered.root), target)
    _refuse_unusable(target)
    earlier = stored.find_standing_relocation(session, str(target))
    if target.is_dir() and any(target.iterdir()) and (earlier is None or earlier.dataset_id != dataset.id):
        msg = f"--to {target}: holds files that are no relocation of {dataset.name}; name an empty or a new folder"
        raise TargetExistsError(msg)
    if earlier is not None and earlier.status in stored.UNFINISHED:
        msg = f"relocation {earlier.id} into {target} is not finished; wait, or run `touchline recover`"
        raise ConflictError(msg)
    return target


def _refuse_source_folder(dataset: Dataset, root: Path, target: Path) -> None:
    patterns = (dataset.positive_pattern, dataset.negative_pattern)
    folders = [folder.resolve() for pattern in patterns for folder in find_label_folders(root, pattern)]
    inside = any(target == folder or folder in target.parents for folder in folders)
    if inside or _would_match(target, root, patterns):
        msg = f"--to {target}: lies inside a source folder of {dataset.name}, or would become one; name another"
        raise UsageError(msg)


def _would_match(target: Path, root: Path, patterns: tuple[str, ...]) -> bool:
    """Whether a label folder made in ``target`` would be one of the dataset's own at its next walk."""
    if root not in target.parents:
        return False
    below = target.relative_to(root)
    return any(
        made.match(pattern) and len(made.parts) == len(Path(pattern).parts)
        for pattern in patterns
        for made in (below / label_of_pattern(pattern), below, *below.parents)
    )


def _refuse_unusable(target: Path) -> None:
    """Refuse a target that is a file, lies below one, or may not be written to."""
    there = target
    while not there.exists():
        there = there.parent
    if not there.is_dir():
        msg = f"--to {target}: {there} is a file; name a folder"
        raise TargetExistsError(msg)
    if not os.access(there, os.W_OK | os.X_OK):
        msg = f"--to {target}: {there} may not be written to; name another folder"
        raise UsageError(msg)


class _Planner:
    """Streams a dataset's images into the moves and omissions of one relocation."""

    def __init__(
        self,
        database: Database,
        target: Path,
        relocation_id: int,
        earlier: Relocation | None,
        release: Release,
    ) -> None:
        self._database = database
        self._release = release
        self._target = target
        self._relocation_id = relocation_id
        self._earlier = earlier
        self._standing: dict[int, Move] = {}
        self._moves: list[dict[str, Any]] = []
        self._omissions: list[dict[str, Any]] = []
        self.bytes = 0
        self.collisions = 0

    def run(self) -> None:
        """Plan every image."""
        with self._database.read() as session:
            if self._earlier is not None:
                self._standing = stored.standing_placements(session, self._earlier.id)
            for planned in self._release.plan(session):
                self._add(session, planned)
                if len(self._moves) + len(self._omissions) >= CHUNK:
                    self._flush()
            for move in self._standing.values():
                self._keep(move)
        self._flush()

    def _add(self, session: Session, planned: Placement | Omission) -> None:
        standing = self._standing.pop(planned.candidate.image_id, None)
        if isinstance(planned, Omission):
            if standing is not None:
                self._withdraw(standing)
            self._omit(planned.candidate, planned.reason)
            return
        kept = standing is not None and self._is_in_place(standing, planned)
        if standing is not None and not kept:
            self._withdraw(standing)
        self._place(session, planned, skipped=kept)

    def _is_in_place(self, standing: Move, planned: Placement) -> bool:
        same = standing.destination == planned.destination and standing.sha256 == planned.candidate.sha256
        return same and (self._target / standing.destination).is_file()

    def _omit(self, candidate: Candidate, reason: LeftOut) -> None:
        self._omissions.append(
            {
                "relocation_id": self._relocation_id,
                "image_id": candidate.image_id,
                "source": candidate.path,
                "reason": reason,
            }
        )

    def _place(self, session: Session, planned: Placement, *, skipped: bool) -> None:
        candidate = planned.candidate
        self.collisions += planned.collision
        self.bytes += 0 if skipped else candidate.size_bytes
        self._moves.append(
            {
                "relocation_id": self._relocation_id,
                "image_id": candidate.image_id,
                "action": "place",
                "source": candidate.path,
                "destination": planned.destination,
                "sha256": candidate.sha256,
                "size_bytes": candidate.size_bytes,
                "final": planned.final,
                "collision": planned.collision,
                "state": "skipped" if skipped else "planned",
                "manifest": self._release.manifest_row(session, planned),
            }
        )

    def _keep(self, standing: Move) -> None:
        """An image that is gone from the dataset: what was placed of it may be the last copy, so it stays."""
        self._moves.append(
            {
                "relocation_id": self._relocation_id,
                "image_id": standing.image_id,
                "action": "place",
                "source": standing.source,
                "destination": standing.destination,
                "sha256": standing.sha256,
                "size_bytes": standing.size_bytes,
                "final": standing.final,
                "collision": standing.collision,
                "state": "skipped",
                "manifest": standing.manifest,
            }
        )

    def _withdraw(self, standing: Move) -> None:
        self._moves.append(
            {
                "relocation_id": self._relocation_id,
                "image_id": standing.image_id,
                "action": "withdraw",
                "source": standing.source,
                "destination": standing.destination,
                "sha256": standing.sha256,
                "size_bytes": standing.size_bytes,
                "final": standing.final,
                "collision": False,
                "state": "planned",
                "manifest": {},
            }
        )

    def _flush(self) -> None:
        with self._database.write() as session:
            stored.insert_moves(session, self._moves)
            stored.insert_omissions(session, self._omissions)
        self._moves, self._omissions = [], []


@dataclass(frozen=True, slots=True)
class CleanPage:
    """The page of relocations."""

    dataset: DatasetView | None
    ready: int
    open_flags: int
    agreeing_unreviewed: int
    sign_off: SignOffView | None
    plan: RelocationView | None
    relocations: tuple[RelocationView, ...]
    suggested_to: str
    error: str | None
    form_to: str
    form_mode: str
    bound: float | None = None  #: on the share of mislabels, that a sign-off now would record


def view_clean_page(
    database: Database,
    dataset: Dataset | None,
    relocation_id: int | None,
    *,
    error: str | None = None,
    form_to: str = "",
    form_mode: str = Mode.COPY,
) -> CleanPage:
    """What is ready to be placed, the plan that is looked at, and the relocations so far.

    Raises:
        NotFoundError: no such relocation.
    """
    if dataset is None:
        return CleanPage(None, 0, 0, 0, None, None, (), "", error, form_to, form_mode)
    with database.read() as session:
        counts = count_dataset(session, dataset)
        sign_off = find_sign_off(session, dataset)
        plan = None if relocation_id is None else view_relocation(session, get_relocation(session, relocation_id))
        earlier = tuple(view_relocation(session, found) for found in stored.list_relocations(session, dataset.id, 20))
        suggested = str(Path(dataset.root).with_name(f"{safe_for_file_name(dataset.name)}-clean"))
        return CleanPage(
            dataset=view_dataset(session, dataset),
            ready=counts.tp + counts.fp + counts.fn + counts.tn + (sign_off.still_holding if sign_off else 0),
            open_flags=counts.open_flags,
            agreeing_unreviewed=sum(each.agreeing for each in count_dataset_released(session, dataset).values()),
            sign_off=sign_off,
            plan=plan,
            relocations=earlier,
            suggested_to=suggested,
            error=error,
            form_to=form_to or (plan.to if plan else suggested),
            form_mode=form_mode,
            bound=rate_of(find_bound(session, dataset)),
        )
