"""The stages of a scan side by side: list, decode, score, store, with a bounded buffer before each.

Listing and decoding and the model have threads of their own; storing is done by the thread that runs the pipeline,
so only that one ever waits for the database. What goes wrong in any stage comes out of :meth:`Pipeline.run`, after
everything that was scored before is stored.
"""

import os
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass, replace
from functools import partial
from threading import Lock
from time import perf_counter

from app.detector.base import Detector
from app.domain.detections import Sight
from app.files.budget import BudgetClosedError, PixelBudget
from app.services.scan_buffers import Channel, Shelf
from app.services.scan_looking import Looked
from app.storage.scans import PendingImage

PIXELS_AHEAD = 200_000_000  #: decoded pixels (4 bytes each) that may be in memory
BATCHES_AHEAD = 2  #: decoded batches that may wait for the model, beside those that it has
LISTED_AHEAD = 1024
#: Batches that are through the model and not stored yet: while one is being stored the model is at the next, and goes
#: no further ahead. So a crash costs that one, and what is in the model.
UNSTORED = 1


@dataclass(frozen=True, slots=True)
class Scored:
    """A batch that is through the model, with what its thread spent on it."""

    images: Sequence[Looked]
    found: dict[int, Sight]  #: by image id, of those that the model looked at
    busy_s: float
    starved_s: float  #: waiting for pictures
    blocked_s: float  #: waiting to hand over the batch before


Look = Callable[[PendingImage], Looked]


def usable_cores() -> int:
    """Cores that this process may run on, which in a container can be few of the machine's."""
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1


class Pipeline:
    """One run over pending images. Build it anew for each."""

    def __init__(self, detector: Detector, batch_size: int, decoders: int | None = None) -> None:
        self._detector = detector
        self._decoders = decoders or usable_cores()
        # Each thread of the model has one share in work, and as many again may wait or be on their way to the disk:
        # together one batch, which is all that is scored again if the process dies.
        share = max(1, batch_size // (2 * detector.parallel))
        room = max(batch_size, share * (detector.parallel + BATCHES_AHEAD))
        self._listed: Channel[PendingImage] = Channel(LISTED_AHEAD)
        self._shelf: Shelf[Looked] = Shelf(share, room, PIXELS_AHEAD, self._decoders)
        self._scored: Channel[Scored] = Channel(UNSTORED, detector.parallel)
        self._error: BaseException | None = None
        self._lock = Lock()
        self._count = 0
        self._all_listed = False

    @property
    def budget(self) -> PixelBudget:
        """The budget that whoever looks at images must hold to."""
        return self._shelf.budget

    def run(self, pages: Iterator[list[PendingImage]], look: Look, store: Callable[[list[Scored]], bool]) -> bool:
        """Take every image through; False if ``store`` asked for an early end and images are left.

        ``store`` gets finished batches and says whether to go on. What the model has begun is still stored after that.
        """
        with ThreadPoolExecutor(1 + self._decoders + self._detector.parallel, thread_name_prefix="scan") as pool:
            self._start(pool, partial(self._list, pages), self._listed.end)
            for _ in range(self._decoders):
                self._start(pool, partial(self._decode, look), self._shelf.end)
            for _ in range(self._detector.parallel):
                self._start(pool, self._score, self._scored.end)
            try:
                stored = self._store_all(store)
            finally:
                self._halt()
                self._scored.close()
        if self._error is not None:
            raise self._error
        return self._all_listed and stored == self._count

    def _start(self, pool: ThreadPoolExecutor, work: Callable[[], None], at_end: Callable[[], None]) -> None:
        pool.submit(work).add_done_callback(partial(self._note_end, at_end))

    def _note_end(self, at_end: Callable[[], None], future: "Future[None]") -> None:
        error = future.exception()
        if error is not None and not isinstance(error, BudgetClosedError):
            with self._lock:
                self._error = self._error or error
            self._halt()
        at_end()  # last: whoever waits for this end must find the error

    def _halt(self) -> None:
        """Let nothing more into the model. What it has is stored."""
        self._listed.close()
        self._shelf.close()

    def _list(self, pages: Iterator[list[PendingImage]]) -> None:
        for page in pages:
            for image in page:
                self._count += 1
                if not self._listed.put(image):
                    return
        self._all_listed = True

    def _decode(self, look: Look) -> None:
        while (image := self._listed.get()) is not None:
            looked = look(image)
            self._shelf.put(looked, for_model=looked.prepared is not None)

    def _score(self) -> None:
        began, blocked_s = perf_counter(), 0.0
        while (taken := self._shelf.take()) is not None:
            batch, aside = taken
            got = perf_counter()
            found = self._detect(batch)
            done = perf_counter()
            # Without their pictures: those would lie in memory, uncounted, until the batch is stored.
            images = [*(replace(looked, prepared=None) for looked in batch), *aside]
            del taken, batch
            self._scored.put(Scored(images, found, done - got, got - began, blocked_s))
            began = perf_counter()
            blocked_s = began - done

    def _detect(self, batch: Sequence[Looked]) -> dict[int, Sight]:
        if not batch:
            return {}
        found = self._detector.look([looked.prepared for looked in batch if looked.prepared is not None])
        self._shelf.budget.change(-sum(looked.held for looked in batch))
        return dict(zip((looked.image.id for looked in batch), found, strict=True))

    def _store_all(self, store: Callable[[list[Scored]], bool]) -> int:
        stored = 0
        while group := self._scored.get_all():
            if not store(group):
                self._halt()
            stored += sum(len(scored.images) for scored in group)
        return stored
