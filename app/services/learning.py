"""Learning from verdicts: a fit in the background, and what follows from it for the queue.

Verdicts are read, never written. A fit is made when there are enough verdicts, after a scan, and again when there are
a tenth more. It leaves a suspicion for each image, which is the order of the queue, and flags agreeing images that it
doubts. How the queue stays index-driven although a threshold may move at any moment is told in app/storage/fits.py.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from time import perf_counter
from typing import Any

import numpy as np
import structlog
from numpy.typing import NDArray

from app.config import Settings
from app.domain.flagging import disagrees
from app.domain.images import Side
from app.learning.images import TOP, Images, fold_of
from app.services.apart import work_apart
from app.services.certifying import find_probabilities
from app.services.clock import Clock
from app.services.datasets import get_dataset
from app.storage import features as stored
from app.storage import fits
from app.storage.database import Database
from app.storage.datasets import Dataset
from app.storage.tallies import count_images

log = structlog.get_logger()
FIRST = 25  #: verdicts from which on there is something to learn
MORE = 0.1  #: of the verdicts of the last fit, so many new ones make another worth its while
READ = 5_000  #: images read at a time
VECTORS = 900  #: whose features are asked for in one statement
WRITE = 1_000  #: images written, or looked through, in one transaction
APART_FROM = 2_000  #: images; a fit to more than so many has a process of its own
SEED = 2_026


@dataclass(frozen=True, slots=True)
class Learned:
    """What a fit came to."""

    images: int
    verdicts: int
    doubted: int
    written: int  #: images whose place in the queue changed
    seconds: float


def learn_any(
    database: Database,
    settings: Settings,
    clock: Clock,
    stopping: Callable[[], bool] = lambda: False,
    failed: dict[int, int] | None = None,
) -> bool:
    """Bring flags after a threshold, or fit a dataset that has new verdicts; whether there was one.

    A fit that fails is logged, and noted in ``failed`` (dataset -> verdicts): it is tried again when there are more.
    """
    if sweep_any(database, stopping):
        return True
    failed = {} if failed is None else failed
    with database.read() as session:
        verdicts, known = fits.count_sided_verdicts(session), fits.list_fitted_verdicts(session) | failed
    due = next((number for number, count in verdicts.items() if is_due(count, known.get(number))), None)
    if due is None:
        return False
    if _try_to_learn(database, settings, clock, due, stopping):
        failed.pop(due, None)
    else:
        failed[due] = verdicts[due]
    return True


def is_due(verdicts: int, known: int | None) -> bool:
    """Whether enough has been said, or taken back, since a fit that knew so many verdicts (None: there was none)."""
    if known is None:
        return verdicts >= FIRST
    return abs(verdicts - known) >= max(FIRST, MORE * known)


def learn_after_scan(
    database: Database, settings: Settings, clock: Clock, dataset_id: int, stopping: Callable[[], bool]
) -> None:
    """Fit anew where something had been learned or can be: the scan has brought scores that the last fit did not see.

    Scores are worth having without it; after a failure the next verdicts bring another try.
    """
    with database.read() as session:
        enough = fits.count_sided_verdicts(session).get(dataset_id, 0) >= FIRST
    if enough:
        _try_to_learn(database, settings, clock, dataset_id, stopping)


def _try_to_learn(
    database: Database, settings: Settings, clock: Clock, dataset_id: int, stopping: Callable[[], bool]
) -> bool:
    """Fit a dataset; False if that failed, with the reason in the log."""
    try:
        learn(database, settings, clock, dataset_id, stopping)
    except Exception:  # any error would end the worker, and with it scans and moves that need no fit
        log.exception("learning from verdicts failed; the queue keeps the order it has", dataset=dataset_id)
        return False
    return True


def learn(
    database: Database,
    settings: Settings,
    clock: Clock,
    dataset_id: int,
    stopping: Callable[[], bool] = lambda: False,
) -> Learned | None:
    """Fit a dataset; None if it was stopped, or there is nothing to learn from.

    Raises:
        WorkLostError: the process that fitted ended without an answer.
    """
    with database.read() as session:
        images, _ = count_images(session, dataset_id)
    bar = settings.review.second_opinion
    if images <= APART_FROM:
        found: Learned | None = fit_dataset(database, dataset_id, bar, clock)
    else:
        found = work_apart(database.url, fit_dataset, (dataset_id, bar, clock), stopping)
    if found is not None:
        log.info("learned from verdicts", dataset=dataset_id, images=found.images, verdicts=found.verdicts)
        sweep_dataset(database, dataset_id, stopping)
    return found


@dataclass(frozen=True, slots=True)
class Rows:
    """The scored images of a dataset, by id, with what stands in the queue's columns now."""

    ids: NDArray[np.int64]
    rank: NDArray[np.float64]
    doubted: NDArray[np.bool_]
    flagged: NDArray[np.bool_]
    images: Images


def fit_dataset(database: Database, dataset_id: int, bar: float, clock: Clock) -> Learned | None:
    """The same in this process, to its end. Rows are read in parts, and written in short transactions."""
    from app.learning.fitting import choose_doubted, fit

    began = perf_counter()
    with database.read() as session:
        dataset = get_dataset(session, dataset_id)
    if dataset.detector_id is None:
        return None
    rows = read_rows(database, dataset, dataset.detector_id)
    if not len(rows.ids):
        return None
    fitted = fit(rows.images, read_features(database, dataset.detector_id, rows.ids), dataset.threshold, SEED)
    score, positive = rows.images.confidences[:, 0], rows.images.positive
    agrees = (score >= dataset.threshold) == positive
    doubted = choose_doubted(fitted.suspicion, agrees, rows.images.called, bar if fitted.trusted else 2.0)
    doubted |= rows.doubted & rows.images.called  # a flag that somebody has answered stays, or progress would go back
    verdicts, seconds = int(rows.images.called.sum()), perf_counter() - began
    report = fitted.report | {"doubted": int(doubted.sum()), "seconds": round(seconds, 2)}
    report |= {"open": _histogram(fitted.suspicion[~rows.images.called])}
    with database.write() as session:
        fits.store_fit(session, dataset_id, dataset.detector_id, verdicts=verdicts, report=report, now=clock())
    written = _write(database, dataset, rows, -fitted.suspicion, doubted)
    return Learned(len(rows.ids), verdicts, int(doubted.sum()), written, perf_counter() - began)


def _histogram(suspicion: NDArray[np.float64]) -> list[int]:
    """Open images by suspicion, in hundredths."""
    counts: list[int] = np.bincount(np.round(suspicion * 100).astype(np.int64), minlength=101).tolist()
    return counts


def read_rows(database: Database, dataset: Dataset, detector_id: int) -> Rows:
    """All scored images of a dataset, read in parts; their features are not among it."""
    parts: list[dict[str, NDArray[Any]]] = []
    with database.read() as session:
        drawn = find_probabilities(session, dataset)
    after = 0
    while True:
        with database.read() as session:
            rows = stored.list_scored(session, dataset.id, detector_id, after, READ)
            if not rows:
                break
            after = rows[-1].image_id
            targets = dataset.target_classes or ()
            boxes = stored.list_strongest(session, detector_id, targets, rows[0].image_id, after)
        parts.append(_columns(rows, boxes, drawn))
    return _join(parts)


def _columns(rows: Sequence[Any], boxes: Sequence[Any], drawn: Mapping[int, float]) -> dict[str, NDArray[Any]]:
    ids = np.array([row.image_id for row in rows], np.int64)
    pixels = np.array([float((row.width or 0) * (row.height or 0)) for row in rows])
    confidences, areas = np.zeros((len(rows), TOP)), np.zeros(len(rows))
    confidences[:, 0] = [row.score for row in rows]
    places = np.searchsorted(ids, [box.image_id for box in boxes])
    for place, box in zip(places.tolist(), boxes, strict=True):
        if place < len(ids) and ids[place] == box.image_id:
            confidences[place, box.place - 1] = box.confidence
            if box.place == 1:
                areas[place] = min(1.0, box.area / max(1.0, float(pixels[place])))
    verdicts = np.array([row.verdict or "" for row in rows])
    return {
        "ids": ids,
        "rank": np.array([row.rank for row in rows]),
        "doubted": np.array([row.doubted for row in rows], np.bool_),
        "flagged": np.array([row.flagged for row in rows], np.bool_),
        "positive": np.array([row.given == Side.POSITIVE for row in rows], np.bool_),
        "confidences": confidences,
        "areas": areas,
        "brightness": np.array([row.brightness if row.brightness is not None else 0.5 for row in rows]),
        "sharpness": np.array([row.sharpness if row.sharpness is not None else 0.05 for row in rows]),
        "pixels": pixels,
        "fold": np.array([fold_of(row.sha256) for row in rows], np.int8),
        "called": np.isin(verdicts, ("positive", "negative")),
        "called_positive": verdicts == "positive",
        "drawn": np.array([drawn.get(row.image_id, np.nan) for row in rows], np.float64),
        "opinion": np.zeros(len(rows)),
    }


def _join(parts: Sequence[dict[str, NDArray[Any]]]) -> Rows:
    whole = (
        {name: np.concatenate([part[name] for part in parts]) for name in parts[0]} if parts else _columns([], [], {})
    )
    own = {name: whole.pop(name) for name in ("ids", "rank", "doubted", "flagged")}
    return Rows(**own, images=Images(**whole))


def read_features(
    database: Database, detector_id: int, ids: NDArray[np.int64]
) -> Callable[[NDArray[np.int64]], NDArray[np.float32]]:
    """Features of images by their places, ``(n, k)``; k is 0 where there are none at all."""

    def read(places: NDArray[np.int64]) -> NDArray[np.float32]:
        wanted = ids[places].tolist()
        found: dict[int, bytes] = {}
        for start in range(0, len(wanted), VECTORS):
            with database.read() as session:
                found |= stored.read_vectors(session, detector_id, wanted[start : start + VECTORS])
        width = max((len(vector) for vector in found.values()), default=0) // 2
        values = np.full((len(wanted), width), np.nan, np.float32)
        for place, image_id in enumerate(wanted):
            vector = found.get(image_id)
            if vector is not None and len(vector) == 2 * width:
                values[place] = np.frombuffer(vector, "<f2")
        return values

    return read


def _write(
    database: Database,
    dataset: Dataset,
    rows: Rows,
    rank: NDArray[np.float64],
    doubted: NDArray[np.bool_],
) -> int:
    """Write what has changed; flags follow ``fits.target``, as those of the rows that a scan adds meanwhile do."""
    changed = np.flatnonzero((np.abs(rank - rows.rank) > 1e-9) | (doubted != rows.doubted)).tolist()
    score = rows.images.confidences[:, 0]
    detector_id = dataset.detector_id or 0
    for start in range(0, len(changed), WRITE):
        with database.write() as session:
            target = fits.find_target(session, dataset.id, detector_id)
            if target is None:
                return start  # another detector's scores count by now
            stored.write_ranks(
                session,
                detector_id,
                [
                    {
                        "of": int(rows.ids[place]),
                        "rank_": float(rank[place]),
                        "doubted_": bool(doubted[place]),
                        "flagged_": bool(
                            doubted[place]
                            or disagrees(
                                Side.POSITIVE if rows.images.positive[place] else Side.NEGATIVE, score[place], target
                            )
                        ),
                    }
                    for place in changed[start : start + WRITE]
                ],
            )
    return len(changed)


def sweep_any(database: Database, stopping: Callable[[], bool] = lambda: False) -> bool:
    """Bring the flags of a dataset after its threshold; whether there was one to bring."""
    with database.read() as session:
        dataset_id = fits.find_to_sweep(session)
    if dataset_id is None:
        return False
    sweep_dataset(database, dataset_id, stopping)
    return True


def sweep_dataset(database: Database, dataset_id: int, stopping: Callable[[], bool] = lambda: False) -> None:
    """Flag its images under its threshold as it is now. A crash costs nothing: whoever comes next begins anew."""
    with database.write() as session:
        fit = fits.find_fit(session, dataset_id)
        dataset = get_dataset(session, dataset_id)
        if fit is None or fit.threshold == dataset.threshold:
            return
        fits.begin_sweep(session, dataset_id)
        fit = fits.find_fit(session, dataset_id)
    after: int | None = 0
    while after is not None and fit is not None and not stopping():
        with database.write() as session:
            after = fits.sweep_batch(session, fit, after, WRITE)
            if after is None:
                fits.end_sweep(session, dataset_id, fit.target)
