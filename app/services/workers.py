"""Which process does what: announcing, signs of life, and whether a claim still has somebody behind it."""

import os
import socket
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from threading import Event, Thread

from app.config import WorkerSettings
from app.services.clock import Clock
from app.storage import workers as stored
from app.storage.database import Database
from app.storage.workers import Liveness, Process


def this_process() -> Process:
    """The process that calls."""
    return Process(socket.gethostname(), os.getpid(), _start_time(os.getpid()) or "")


def is_running(pid: int, started: str) -> bool:
    """Whether ``pid`` of this host is still the process that began at ``started`` and no later one."""
    if started:
        return _start_time(pid) == started
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    except PermissionError:
        return True
    return True


def _start_time(pid: int) -> str | None:
    """Field 22 of ``/proc/PID/stat`` (proc(5)), or None where there is no such file; a zombie does not count."""
    try:
        text = Path(f"/proc/{pid}/stat").read_text(encoding="ascii", errors="replace")
    except OSError:
        return None
    fields = text.rpartition(")")[2].split()
    return None if fields[0] == "Z" else fields[19]


def liveness(settings: WorkerSettings, clock: Clock) -> Liveness:
    """How this process tells whether another is alive."""
    return Liveness(clock(), settings.stalled_after_s, socket.gethostname(), is_running)


def is_worker_alive(database: Database, settings: WorkerSettings, clock: Clock) -> bool:
    """Whether some worker takes what is queued."""
    with database.read() as session:
        return stored.any_serving(session, liveness(settings, clock))


@contextmanager
def announced(database: Database, settings: WorkerSettings, clock: Clock, *, serves: bool) -> Iterator[int]:
    """Announce this process for the length of the block, with a heartbeat from a thread of its own; gives its id."""
    with database.write() as session:
        worker_id = stored.insert_worker(session, this_process(), clock(), serves=serves)
    ended = Event()

    def beat() -> None:
        while not ended.wait(settings.heartbeat_s):
            with database.write() as session:
                stored.beat(session, worker_id, clock())

    thread = Thread(target=beat, name="heartbeat", daemon=True)
    thread.start()
    try:
        yield worker_id
    finally:
        ended.set()
        thread.join()
        with database.write() as session:
            stored.stop_worker(session, worker_id, clock())
