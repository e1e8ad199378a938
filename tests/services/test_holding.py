"""Holding scans, letting them go on, and who comes first."""

from time import sleep

import pytest

from app.errors import ConflictError, InvalidInputError, NotFoundError
from app.services.scanning import claim_scan
from app.services.scans import (
    ScanView,
    cancel_scan,
    pause_scan,
    prioritise_scan,
    request_scan,
    resume_scan,
    show_scan,
)
from app.storage.scans import Scan
from app.storage.workers import Process
from tests.parts import Workshop

FILES = {f"football/{number}.png": 200 + number for number in range(6)} | {
    f"background/{number}.png": 10 * number for number in range(6)
}
GONE = Process("another-host", 1, "long ago")


@pytest.fixture
def three(workshop: Workshop) -> Workshop:
    """Three datasets, each with a queued scan of the same number."""
    for name in ("one", "two", "three"):
        workshop.add(workshop.fill(FILES, name))
        request_scan(workshop.database, workshop.settings.worker, workshop.clock, name)
    return workshop


def hold(workshop: Workshop, scan_id: int = 1) -> ScanView:
    """Pause a scan."""
    return pause_scan(workshop.database, workshop.settings.worker, workshop.clock, scan_id)


def let_go(workshop: Workshop, scan_id: int = 1) -> ScanView:
    """Resume a scan."""
    return resume_scan(workshop.database, workshop.settings.worker, workshop.clock, scan_id)


def rank(workshop: Workshop, scan_id: int, priority: int) -> ScanView:
    """Set a scan's priority."""
    return prioritise_scan(workshop.database, workshop.settings.worker, workshop.clock, scan_id, priority)


def claim(workshop: Workshop) -> Scan | None:
    """Take the next scan."""
    return claim_scan(workshop.database, workshop.settings, workshop.clock, workshop.worker())


def show(workshop: Workshop, scan_id: int = 1) -> ScanView:
    """A scan as it stands."""
    return show_scan(workshop.database, workshop.settings.worker, workshop.clock, scan_id)


def order(workshop: Workshop) -> list[int]:
    """The scans in the order in which they are claimed."""
    found = []
    while (scan := claim(workshop)) is not None:
        found.append(scan.id)
    return found


def test_the_oldest_scan_comes_first(three: Workshop) -> None:
    """As long as nobody says otherwise."""
    assert order(three) == [1, 2, 3]


def test_the_highest_priority_comes_first(three: Workshop) -> None:
    """Then the oldest; less than nothing comes last."""
    rank(three, 3, 5)
    assert rank(three, 1, -1).priority == -1
    assert order(three) == [3, 2, 1]


def test_a_scan_may_be_asked_for_with_a_priority(three: Workshop) -> None:
    """One that is queued already gets the new one; asking without one leaves it."""
    given = (three.database, three.settings.worker, three.clock)
    asked = request_scan(*given, "two", priority=7)
    assert (asked.queued, asked.scan.id, asked.scan.priority) == (False, 2, 7)
    assert request_scan(*given, "two").scan.priority == 7
    assert order(three) == [2, 1, 3]


@pytest.mark.parametrize("priority", [1001, -1001, 1 << 40])
def test_a_priority_out_of_range_is_refused(three: Workshop, priority: int) -> None:
    """By whichever way it comes; nothing is changed or queued."""
    with pytest.raises(InvalidInputError, match="between -1000 and 1000"):
        rank(three, 1, priority)
    with pytest.raises(InvalidInputError, match="between -1000 and 1000"):
        request_scan(three.database, three.settings.worker, three.clock, "one", priority=priority)
    assert show(three).priority == 0


def test_nobody_takes_a_paused_scan(three: Workshop) -> None:
    """Its status stays; the others have their turn, and so has it once it is resumed."""
    view = hold(three)
    assert (view.status, view.paused, view.held, view.active, view.eta_s) == ("queued", True, True, True, None)
    assert order(three) == [2, 3]
    assert let_go(three).held is False
    assert order(three) == [1]


def test_a_running_scan_stops_after_its_batch_and_goes_on_where_it_was(workshop: Workshop) -> None:
    """No image is scored twice, and what was scored stays. Batches that are under way are still stored."""
    workshop.add(workshop.fill({f"{folder}/{n}.png": n for folder in ("football", "background") for n in range(30)}))

    def hold_and_dawdle() -> None:
        hold(workshop)
        sleep(0.1)  # the writer is to see it before the model has come to the end

    workshop.detector.before_batch = hold_and_dawdle
    held = workshop.scan(1)
    assert (held.status, held.paused, held.finished_at, 0 < held.scored < 60) == ("queued", True, None, True)
    workshop.detector.before_batch = lambda: None
    assert claim(workshop) is None
    let_go(workshop)
    done = workshop.scan(1)
    assert (done.id, done.status, done.scored) == (held.id, "done", 60)


def test_a_stalled_scan_is_put_back_at_once(workshop: Workshop) -> None:
    """There is no worker that could finish a batch."""
    workshop.add(workshop.fill(FILES))
    request_scan(workshop.database, workshop.settings.worker, workshop.clock, 1)
    assert claim_scan(workshop.database, workshop.settings, workshop.clock, workshop.worker(GONE)) is not None
    workshop.clock.advance(60)
    assert show(workshop).status == "stalled"
    assert (hold(workshop).status, claim(workshop)) == ("queued", None)


def test_a_paused_scan_can_be_cancelled(three: Workshop) -> None:
    """It ends at once, and holds nobody up."""
    hold(three)
    view = cancel_scan(three.database, three.settings.worker, three.clock, 1)
    assert (view.status, view.active, view.paused) == ("cancelled", False, False)
    assert order(three) == [2, 3]


def test_a_scan_that_is_cancelled_while_it_pauses_ends(workshop: Workshop) -> None:
    """Whichever the worker meets first."""
    workshop.add(workshop.fill(FILES))

    def meddle() -> None:
        hold(workshop)
        cancel_scan(workshop.database, workshop.settings.worker, workshop.clock, 1)

    workshop.detector.before_batch = meddle
    assert workshop.scan(1).status == "cancelled"


def test_what_has_ended_is_neither_held_nor_moved(workshop: Workshop) -> None:
    """Nor is what does not exist."""
    workshop.ready(FILES)
    given = (workshop.database, workshop.settings.worker, workshop.clock)
    for change in (pause_scan, resume_scan, cancel_scan):
        with pytest.raises(ConflictError, match="has ended already"):
            change(*given, 1)
        with pytest.raises(NotFoundError):
            change(*given, 99)
    with pytest.raises(ConflictError, match="has ended already"):
        prioritise_scan(*given, 1, 3)
