"""How many pixels the decoding threads may hold in memory at once."""

from collections import deque
from collections.abc import Iterator
from contextlib import contextmanager
from threading import Condition


class BudgetClosedError(Exception):
    """The work is being stopped: nothing more is let in."""


class PixelBudget:
    """Room for pixels, shared by threads. First come, first served, so that a large picture is not passed for ever.

    A picture of more pixels than the whole budget is let in once nothing else is held: alone, but it is.
    """

    def __init__(self, pixels: int, changed: Condition | None = None) -> None:
        self._pixels = pixels
        self._held = 0
        self._waiting: deque[object] = deque()
        self._closed = False
        self._changed = changed or Condition()

    @property
    def held(self) -> int:
        """Pixels that are taken now."""
        return self._held

    @property
    def waiting(self) -> int:
        """How many threads wait for room."""
        return len(self._waiting)

    def take(self, pixels: int) -> None:
        """Wait until there is room for ``pixels``, and take it.

        Raises:
            BudgetClosedError: it was closed meanwhile.
        """
        with self._changed:
            if self._waiting or not self._fits(pixels):
                self._wait(pixels)
            if self._closed:
                raise BudgetClosedError
            self._held += pixels

    def change(self, pixels: int) -> None:
        """Give pixels back (less than 0), or hold more without waiting: a picture already let in has grown."""
        with self._changed:
            self._held += pixels
            self._tell()

    def _wait(self, pixels: int) -> None:
        ticket = object()
        self._waiting.append(ticket)
        self._changed.notify_all()
        self._changed.wait_for(lambda: self._closed or (self._waiting[0] is ticket and self._fits(pixels)))
        self._waiting.remove(ticket)
        self._tell()

    def _tell(self) -> None:
        if self._waiting:  # waking threads for nothing costs more than a small picture's decoding
            self._changed.notify_all()

    def close(self) -> None:
        """Let nothing more in, and wake whoever waits."""
        with self._changed:
            self._closed = True
            self._changed.notify_all()

    def _fits(self, pixels: int) -> bool:
        return self._held == 0 or self._held + pixels <= self._pixels


@contextmanager
def held(budget: PixelBudget | None, pixels: int) -> Iterator[None]:
    """Hold room for ``pixels`` within the block; without a budget nobody counts."""
    if budget is None:
        yield
        return
    budget.take(pixels)
    try:
        yield
    finally:
        budget.change(-pixels)
