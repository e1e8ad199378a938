"""A dataset whose folder lies elsewhere now: on another disk, or under another name."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from app.domain.images import Side
from app.errors import InvalidInputError
from app.files.opening import resolve_given
from app.files.sampling import Expected, find_difference
from app.files.scanning import find_label_folders
from app.services.datasets import get_dataset
from app.services.removing import refuse_under_way
from app.storage.database import Database, Session
from app.storage.datasets import Dataset, find_dataset_by_root, update_dataset
from app.storage.sampling import sample_files

SAMPLE = 200  #: files of which name and size are compared
HASHED = 20  #: of these also the bytes
SHOWN = 5


@dataclass(frozen=True, slots=True)
class Relink:
    """A new root, and what a sample of its files says."""

    dataset_id: int
    name: str
    old_root: str
    root: str
    sampled: int
    hashed: int
    differing: tuple[tuple[str, str], ...]  #: path, and how it differs


def relink_dataset(database: Database, reference: str | int, root: Path, *, accept_missing: bool = False) -> Relink:
    """Say that a dataset's folder is ``root`` now. Nothing else changes: verdicts, scores and paths stay.

    The label folders must be there, and a random sample of the files: the same names and sizes, of a few the same
    bytes. With ``accept_missing`` some may differ (the next scan says what became of them), but not most.

    Raises:
        NotFoundError: no such dataset.
        InvalidInputError: what is missing, or another dataset has that root.
        ConflictError: a scan, a relocation or an export is queued or running.
    """
    with database.read() as session:
        dataset = get_dataset(session, reference)
        refuse_under_way(session, dataset)
        sample = sample_files(session, dataset.id, SAMPLE)
    resolved = resolve_given(root, "root")
    _check_folders(dataset, resolved)
    expected = [
        Expected(path, size, sha256 if index < HASHED else None) for index, (path, size, sha256) in enumerate(sample)
    ]
    differing = compare_sample(resolved, expected)
    _refuse_differing(resolved, len(expected), differing, accept_missing=accept_missing)
    with database.write() as session:
        current = get_dataset(session, dataset.id)
        refuse_under_way(session, current)
        _refuse_taken(session, current, resolved)
        update_dataset(session, dataset.id, root=str(resolved), walk=None)
    hashed = sum(each.sha256 is not None for each in expected)
    return Relink(dataset.id, dataset.name, dataset.root, str(resolved), len(expected), hashed, differing)


def _check_folders(dataset: Dataset, root: Path) -> None:
    if not root.is_dir():
        raise InvalidInputError.on("root", f"{root} is no folder")
    for side, pattern in ((Side.POSITIVE, dataset.positive_pattern), (Side.NEGATIVE, dataset.negative_pattern)):
        if not find_label_folders(root, pattern):
            raise InvalidInputError.on("root", f"there is no folder {root / pattern}, which holds the {side} label")


def compare_sample(root: Path, expected: Sequence[Expected]) -> tuple[tuple[str, str], ...]:
    """The files that differ, each as path and reason."""
    compared = ((each.path, find_difference(root, each)) for each in expected)
    return tuple((path, why) for path, why in compared if why is not None)


def _refuse_differing(
    root: Path, sampled: int, differing: tuple[tuple[str, str], ...], *, accept_missing: bool
) -> None:
    if not differing or (accept_missing and 2 * len(differing) <= sampled):
        return
    listed = "; ".join(f"{path} {why}" for path, why in differing[:SHOWN])
    more = f"; and {len(differing) - SHOWN} more" if len(differing) > SHOWN else ""
    raise InvalidInputError.on(
        "root", f"{root} does not hold this dataset: {len(differing)} of {sampled} sampled files differ: {listed}{more}"
    )


def _refuse_taken(session: Session, dataset: Dataset, root: Path) -> None:
    other = find_dataset_by_root(session, str(root), dataset.positive_pattern, dataset.negative_pattern)
    if other is not None and other.id != dataset.id:
        raise InvalidInputError.on("root", f"{root} is registered already as {other.name!r}")
