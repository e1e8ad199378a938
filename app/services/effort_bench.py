"""``touchline bench review-effort``: simulated reviewers on demo sets and on datasets whose truth is known."""

import csv
from collections.abc import Callable, Sequence
from dataclasses import asdict, replace
from pathlib import Path
from statistics import median
from typing import Any

import numpy as np

from app.config import Settings
from app.demo.dataset import Contamination
from app.detector.base import Detector
from app.errors import DetectorError, InvalidInputError, TouchlineError, UsageError
from app.services.benching import put_between
from app.services.clock import Clock
from app.services.datasets import NewDataset, get_dataset, register_dataset
from app.services.demo import write_demo
from app.services.effort import FOUND, GOALS, Strategy, Study, simulate
from app.services.learning import read_features, read_rows
from app.services.scanning import claim_scan, run_scan
from app.services.scans import request_scan
from app.services.workers import announced
from app.storage.database import Database
from app.storage.images import iter_images
from app.storage.migrating import migrate

BEGIN, END = "<!-- bench review-effort: begin -->", "<!-- bench review-effort: end -->"
COLUMNS = ("order", "95 % found", "at most 1 %", "at most 0.5 %", "found at its end")


def study_demo(settings: Settings, clock: Clock, load: Callable[[], Detector], images: int, seed: int) -> Study:
    """A demo set with the built-in model's scores and features, made once and kept in ``data_dir/bench``.

    Raises:
        DetectorError: the scan did not come to its end.
    """
    folder = settings.data_dir / "bench" / f"effort-{images}-{seed}"
    own = settings.model_copy(update={"data_dir": folder, "database_url": None, "cache_dir": settings.cache})
    root = folder / "demo"
    if not (root / "truth.csv").is_file():
        write_demo(root, images, seed, Contamination.SEED)
    database = Database(own.url)
    migrate(database)
    try:
        _scan(database, own, clock, root, load)
        return study_dataset(database, "demo", root / "truth.csv")
    finally:
        database.dispose()


def _scan(database: Database, settings: Settings, clock: Clock, root: Path, load: Callable[[], Detector]) -> None:
    """Scan what has not been scanned: nothing, the second time."""
    try:
        with database.read() as session:
            dataset_id = get_dataset(session, "demo").id
    except TouchlineError:
        dataset_id = register_dataset(database, settings, NewDataset(root, name="demo"), clock()).id
    scan_id = request_scan(database, settings.worker, clock, dataset_id).scan.id
    with announced(database, settings.worker, clock, serves=False) as worker_id:
        scan = claim_scan(database, settings, clock, worker_id, scan_id)
        status = "lost" if scan is None else run_scan(database, settings, clock, scan, load)
    if status != "done":
        msg = f"the scan of the demo ended as {status}, so there is nothing to simulate"
        raise DetectorError(msg)


def study_dataset(database: Database, reference: str, truth: Path) -> Study:
    """A scanned dataset with the truth of a file with the columns ``path`` and ``true_label``.

    Raises:
        NotFoundError: no such dataset.
        InvalidInputError: it has not been scanned, or the file lacks images or labels.
    """
    with database.read() as session:
        dataset = get_dataset(session, reference)
        paths = {record.id: record.path for record in iter_images(session, dataset.id)}
    if dataset.detector_id is None:
        raise InvalidInputError.on("dataset", f"{dataset.name} has not been scanned")
    labels = _read_truth(truth)
    rows = read_rows(database, dataset, dataset.detector_id)
    found = [labels.get(paths[image_id]) for image_id in rows.ids.tolist()]
    names = (dataset.positive, dataset.negative)
    if unknown := [image_id for image_id, label in zip(rows.ids.tolist(), found, strict=True) if label not in names]:
        raise InvalidInputError.on("truth", f"says neither {' nor '.join(names)} of {paths[unknown[0]]}")
    silent = np.zeros(len(rows.ids), np.bool_)
    images = replace(rows.images, called=silent, called_positive=silent)
    features = read_features(database, dataset.detector_id, rows.ids)(np.arange(len(rows.ids)))
    return Study(images, features, np.array([label == dataset.positive for label in found]), dataset.threshold)


def _read_truth(path: Path) -> dict[str, str]:
    try:
        with path.open(encoding="utf-8", newline="") as file:
            return {row["path"]: row["true_label"] for row in csv.DictReader(file)}
    except (OSError, KeyError, UnicodeDecodeError) as error:
        msg = f"--truth {path}: a CSV with the columns path and true_label is wanted"
        raise UsageError(msg) from error


def bench_effort(studies: Sequence[tuple[int, Study]], error: float) -> list[dict[str, Any]]:
    """Each strategy on each study, as ``(seed, study)``; medians over them."""
    rows = []
    for strategy in Strategy:
        efforts = [simulate(study, strategy, error, seed) for seed, study in studies]
        rows.append(
            {
                "strategy": str(strategy),
                "images": len(studies[0][1].images),
                "errors": median(study.errors for _, study in studies),
                "to_find_95": _median([each.to_find for each in efforts]),
                "to_certify": {f"{goal:g}": _median([each.to_certify[k] for each in efforts]) for k, goal in _goals()},
                "found_at_end": round(median(each.found_at_end for each in efforts), 4),
                "runs": [asdict(each) for each in efforts],
            }
        )
    return rows


def _goals() -> list[tuple[int, float]]:
    return list(enumerate(GOALS))


def _median(values: Sequence[int | None]) -> float | None:
    """The median; None where half of the runs or more did not get there."""
    never = float("inf")
    found = median(never if value is None else value for value in values)
    return None if found == never else found


def write_effort(path: Path, result: dict[str, Any], command: str) -> None:
    """Put the figures between the two marks of a document, or at its end."""
    first = result["rows"][0]
    about = (
        f"`{command}`: verdicts of a simulated reviewer, medians of {len(first['runs'])} runs on {first['images']} "
        f"images, {first['errors']:g} of them filed wrongly."
    )
    lines = [
        about,
        "",
        _row(COLUMNS),
        _row("---" for _ in COLUMNS),
        *(_row(_cells(row)) for row in result["rows"]),
    ]
    put_between(path, BEGIN, END, lines)


def _cells(row: dict[str, Any]) -> list[str]:
    numbers = [row["to_find_95"], *row["to_certify"].values()]
    return [
        row["strategy"],
        *("never" if each is None else f"{each:g}" for each in numbers),
        f"{row['found_at_end']:.1%}",
    ]


def describe_effort(row: dict[str, Any]) -> str:
    """A row for people."""
    find = "never" if row["to_find_95"] is None else f"{row['to_find_95']:g}"
    goals = ", ".join(
        f"at most {float(goal):.1%}: {'never' if count is None else f'{count:g}'}"
        for goal, count in row["to_certify"].items()
    )
    return f"{row['strategy']}: {FOUND:.0%} found after {find} verdicts; certified {goals}"


def _row(cells: Any) -> str:
    return f"| {' | '.join(map(str, cells))} |"
