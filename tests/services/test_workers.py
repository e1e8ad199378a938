"""Processes that work: announced, alive while they beat, and what a worker does of itself."""

import os
import subprocess
import sys
from pathlib import Path
from threading import Thread
from time import monotonic, sleep

import pytest
from sqlalchemy import select

from app.domain.relocation import Mode
from app.services.exports import request_export, show_export
from app.services.relocating import request_apply
from app.services.relocations import plan_relocation, show_relocation
from app.services.scanning import claim_scan
from app.services.scans import request_scan, show_scan
from app.services.workers import announced, is_running, is_worker_alive, this_process
from app.storage.tables import WorkerRow
from app.storage.workers import Process, stop_worker
from app.worker.run import Worker
from tests.parts import Workshop

FILES = {"football/a.png": 250, "background/b.png": 240}


def alive(workshop: Workshop) -> bool:
    """Whether somebody takes what is queued."""
    return is_worker_alive(workshop.database, workshop.settings.worker, workshop.clock)


def last_beat(workshop: Workshop) -> object:
    """The last sign of life on record."""
    with workshop.database.read() as session:
        return session.scalar(select(WorkerRow.heartbeat_at))


def test_a_worker_is_alive_while_it_is_announced(workshop: Workshop) -> None:
    """And is told to have stopped at once when it ends in good order."""
    with announced(workshop.database, workshop.settings.worker, workshop.clock, serves=True):
        assert alive(workshop)
    assert not alive(workshop)


def test_a_command_that_works_for_itself_serves_nobody(workshop: Workshop) -> None:
    """`touchline relocate` does not make the page say that a worker runs."""
    with announced(workshop.database, workshop.settings.worker, workshop.clock, serves=False):
        assert not alive(workshop)


def test_a_heartbeat_comes_from_a_thread_of_its_own(workshop: Workshop) -> None:
    """Also while the main thread is busy."""
    settings = workshop.settings.worker.model_copy(update={"heartbeat_s": 0.01})
    with announced(workshop.database, settings, workshop.clock, serves=True):
        workshop.clock.advance(1000)
        until = monotonic() + 10
        while last_beat(workshop) != workshop.clock.now and monotonic() < until:
            sleep(0.01)
        assert last_beat(workshop) == workshop.clock.now
        assert alive(workshop)


@pytest.mark.parametrize(("seconds", "expected"), [(29, True), (31, False)])
def test_a_silent_worker_of_another_host_counts_as_gone_after_a_while(
    workshop: Workshop, seconds: float, expected: bool
) -> None:
    """Nobody can look at its process, so its silence decides."""
    workshop.worker(Process("another-host", 1, "whenever"))
    workshop.clock.advance(seconds)
    assert alive(workshop) is expected


def test_a_worker_that_ended_in_good_order_holds_nothing(workshop: Workshop) -> None:
    """Its scan is anybody's at once, though it was heard of a moment ago."""
    workshop.add(workshop.fill(FILES))
    scan = request_scan(workshop.database, workshop.settings.worker, workshop.clock, 1).scan
    worker_id = workshop.worker(Process("another-host", 1, "whenever"))
    claim_scan(workshop.database, workshop.settings, workshop.clock, worker_id)
    with workshop.database.write() as session:
        stop_worker(session, worker_id, workshop.clock())
    assert show_scan(workshop.database, workshop.settings.worker, workshop.clock, scan.id).status == "stalled"


def start_time(pid: int) -> str:
    """Field 22 of ``/proc/PID/stat``, see proc(5)."""
    return Path(f"/proc/{pid}/stat").read_text(encoding="ascii").rpartition(")")[2].split()[19]


def test_a_process_is_told_from_a_later_one_of_the_same_number() -> None:
    """By its start time; one that has ended does not run, be it not yet collected."""
    here = this_process()
    assert is_running(here.pid, here.started)
    assert not is_running(here.pid, "another time")
    child = subprocess.Popen([sys.executable, "-c", "input()"], stdin=subprocess.PIPE)
    started = start_time(child.pid)
    assert is_running(child.pid, started)
    child.kill()
    os.waitid(os.P_PID, child.pid, os.WEXITED | os.WNOWAIT)  # ended, and still in the process table
    assert not is_running(child.pid, started)
    child.communicate()
    assert not is_running(child.pid, "")


def run_once(workshop: Workshop) -> None:
    """A worker until nothing is queued; in a thread, because signal handlers are the main thread's."""
    settings = workshop.settings.model_copy(
        update={"detector": workshop.settings.detector.model_copy(update={"model": "builtin:nothing"})}
    )
    thread = Thread(target=Worker(workshop.database, settings, workshop.clock).run, kwargs={"once": True})
    thread.start()
    thread.join(60)
    assert not thread.is_alive()


def test_a_worker_does_what_is_queued_and_ends(workshop: Workshop) -> None:
    """A scan that cannot be run is failed with its reason and keeps nothing else from being done."""
    workshop.ready(FILES)
    workshop.call_paths(1, {"football/a.png": "positive", "background/b.png": "positive"})
    plan = plan_relocation(workshop.database, workshop.clock, 1, workshop.folder / "clean", Mode.COPY)
    request_apply(workshop.database, plan.id)
    export = request_export(workshop.database, workshop.settings, workshop.clock, 1, "csv")
    scan = request_scan(workshop.database, workshop.settings.worker, workshop.clock, 1).scan
    run_once(workshop)
    assert show_relocation(workshop.database, plan.id).status == "done"
    assert show_export(workshop.database, export.id).status == "done"
    view = show_scan(workshop.database, workshop.settings.worker, workshop.clock, scan.id)
    assert (view.status, "does not ship with Touchline" in (view.error or "")) == ("failed", True)
