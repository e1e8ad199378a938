"""The worker: takes scans in one lane, relocations and exports in another, until it is asked to stop."""

import signal
from collections.abc import Callable
from os import getppid
from threading import Event, Thread, current_thread, main_thread

import structlog

from app.config import Settings
from app.services.audit_page import refresh_forecasts
from app.services.audits import begin_any
from app.services.clock import Clock, utc_now
from app.services.exports import claim_export, run_export
from app.services.learning import learn_any
from app.services.relocating import claim_relocation, run_relocation
from app.services.removing import forget_removed
from app.services.scanning import claim_scan, run_scan
from app.services.sweeping import continue_any_sweep
from app.services.workers import announced
from app.storage.database import Database

log = structlog.get_logger()
Lane = Callable[[], bool]


class Worker:
    """A background process over a migrated database."""

    def __init__(self, database: Database, settings: Settings, clock: Clock = utc_now) -> None:
        self._database = database
        self._settings = settings
        self._clock = clock
        self._stopping = Event()
        self._parent: int | None = None

    def run(self, *, once: bool = False, with_parent: bool = False) -> None:
        """Work until asked to stop; with ``once`` until nothing is queued; with ``with_parent`` while that lives."""
        self._parent = getppid() if with_parent else None
        self._listen()
        with announced(self._database, self._settings.worker, self._clock, serves=True) as worker_id:
            log.info("worker ready", worker=worker_id)
            scans = self._scan_lane(worker_id)
            files = self._file_lane(worker_id)
            lane = Thread(target=self._work, args=(files,), kwargs={"once": once}, name="files")
            lane.start()
            try:
                self._work(scans, once=once)
            finally:
                if not once:
                    self.stop()  # whatever ended this lane ends the other: a worker is there as a whole or not at all
                lane.join()
        log.info("worker stopped", worker=worker_id)

    def stop(self) -> None:
        """Stop after the batch at hand."""
        self._stopping.set()

    def _stopped(self) -> bool:
        if self._parent is not None and getppid() != self._parent:
            self._stopping.set()  # the server that started this worker is gone
        return self._stopping.is_set()

    def _listen(self) -> None:
        if current_thread() is main_thread():
            for name in (signal.SIGTERM, signal.SIGINT):
                signal.signal(name, lambda *_: self.stop())

    def _work(self, lane: Lane, *, once: bool) -> None:
        while not self._stopped():
            if self._try(lane):
                continue
            if once:
                return
            self._stopping.wait(self._settings.worker.poll_s)

    def _try(self, lane: Lane) -> bool:
        """One turn of a lane. What it cannot record itself (a database that is gone, say) ends the worker.

        Whatever it had claimed then shows as stalled, and the next worker goes on with it.
        """
        try:
            return lane()
        except Exception:  # half a worker, one lane dead and the other announcing it alive, is worse than none
            log.exception("the worker cannot go on", lane=current_thread().name)
            self.stop()
            return False

    def _scan_lane(self, worker_id: int) -> Lane:
        from app.services.detectors import DetectorLoader  # torch takes seconds: not before there is a worker

        loader = DetectorLoader(self._database, self._settings)

        def lane() -> bool:
            scan = claim_scan(self._database, self._settings, self._clock, worker_id)
            if scan is None:
                return False
            log.info("scan started", scan=scan.id, dataset=scan.dataset_name)
            run_scan(self._database, self._settings, self._clock, scan, loader.load_for(scan.dataset_id), self._stopped)
            return True

        return lane

    def _file_lane(self, worker_id: int) -> Lane:
        failed: dict[int, int] = {}

        def lane() -> bool:
            if continue_any_sweep(self._database):
                return True
            relocation = claim_relocation(self._database, self._settings.worker, self._clock, worker_id)
            if relocation is not None:
                run_relocation(self._database, self._clock, relocation, self._stopped)
                return True
            export = claim_export(self._database, self._settings.worker, self._clock, worker_id)
            if export is not None:
                run_export(self._database, self._clock, export)
                return True
            if learn_any(self._database, self._settings, self._clock, self._stopped, failed):
                return True
            if forget_removed(self._database, self._stopped):
                return True
            if begin_any(self._database, self._settings.review, self._clock):
                return True
            return refresh_forecasts(self._database, self._settings.review, self._clock)

        return lane
