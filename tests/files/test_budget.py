"""Room for pixels: never more than there is, first come first served, and nobody waits for ever."""

from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from threading import Condition

import pytest
from PIL import Image

from app.errors import ImageUnreadableError
from app.files.budget import BudgetClosedError, PixelBudget
from app.files.decoding import decode_file


class Watched(Condition):
    """A condition that a test can wait on for what it wants to see."""

    def until(self, true: Callable[[], bool]) -> None:
        """Wait for a state; a minute at most."""
        with self:
            assert self.wait_for(true, timeout=60)


@pytest.fixture
def changed() -> Watched:
    """What the budget notifies."""
    return Watched()


@pytest.fixture
def threads() -> Iterator[ThreadPoolExecutor]:
    """A few threads."""
    with ThreadPoolExecutor(8) as pool:
        yield pool


def test_who_finds_no_room_waits_until_some_is_given_back(changed: Watched, threads: ThreadPoolExecutor) -> None:
    """60 of 100 are taken, so another 60 wait."""
    budget = PixelBudget(100, changed)
    budget.take(60)
    second = threads.submit(budget.take, 60)
    changed.until(lambda: budget.waiting == 1)
    assert (second.done(), budget.held) == (False, 60)
    budget.change(-60)
    second.result(60)
    assert (budget.waiting, budget.held) == (0, 60)


def test_a_picture_larger_than_the_budget_is_let_in_alone(changed: Watched, threads: ThreadPoolExecutor) -> None:
    """It waits for everything else, and then everything else waits for it."""
    budget = PixelBudget(100, changed)
    budget.take(1)
    huge = threads.submit(budget.take, 500)
    changed.until(lambda: budget.waiting == 1)
    small = threads.submit(budget.take, 1)
    changed.until(lambda: budget.waiting == 2)
    budget.change(-1)
    huge.result(60)
    assert (small.done(), budget.held) == (False, 500)
    budget.change(-500)
    small.result(60)


def test_small_pictures_do_not_pass_a_large_one(changed: Watched, threads: ThreadPoolExecutor) -> None:
    """There would be room for the small one, but the large one came first."""
    budget = PixelBudget(100, changed)
    budget.take(50)
    large = threads.submit(budget.take, 100)
    changed.until(lambda: budget.waiting == 1)
    small = threads.submit(budget.take, 10)
    changed.until(lambda: budget.waiting == 2)
    assert not small.done()
    budget.change(-50)
    large.result(60)
    budget.change(-100)
    small.result(60)


def test_closing_wakes_whoever_waits(changed: Watched, threads: ThreadPoolExecutor) -> None:
    """And nobody is let in any more."""
    budget = PixelBudget(100, changed)
    budget.take(100)
    waiting = threads.submit(budget.take, 1)
    changed.until(lambda: budget.waiting == 1)
    budget.close()
    with pytest.raises(BudgetClosedError):
        waiting.result(60)
    with pytest.raises(BudgetClosedError):
        budget.take(1)


def test_pictures_near_max_pixels_are_decoded_one_at_a_time(
    tmp_path: Path, threads: ThreadPoolExecutor, changed: Watched
) -> None:
    """Eight threads, eight pictures that each need most of the budget: never two at once in memory."""
    Image.new("RGB", (90, 100), "red").save(tmp_path / "a.png")
    most = []

    class Counted(PixelBudget):
        def take(self, pixels: int) -> None:
            super().take(pixels)
            most.append(self.held)

    budget = Counted(10_000, changed)
    found = list(threads.map(lambda _: decode_file(tmp_path, "a.png", 10_000, None, budget).width, range(8)))
    assert (found, most, budget.held) == ([90] * 8, [9_000] * 8, 0)


def test_a_picture_that_breaks_while_it_is_decoded_gives_its_room_back(tmp_path: Path) -> None:
    """Whatever happens to it."""
    Image.effect_noise((64, 64), 90).save(tmp_path / "a.png")
    content = (tmp_path / "a.png").read_bytes()
    (tmp_path / "a.png").write_bytes(content[: len(content) // 2])
    budget = PixelBudget(10_000)
    with pytest.raises(ImageUnreadableError):
        decode_file(tmp_path, "a.png", 10_000, None, budget)
    assert budget.held == 0


def test_the_header_costs_nothing(tmp_path: Path) -> None:
    """A file of too many pixels is refused without waiting for room."""
    Image.new("RGB", (90, 100)).save(tmp_path / "a.png")
    budget = PixelBudget(1)
    budget.take(1)
    with pytest.raises(ImageUnreadableError, match="max_pixels"):
        decode_file(tmp_path, "a.png", 100, None, budget)
