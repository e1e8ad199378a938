"""What stands between the stages of a scan. Bounded: a fast stage waits for a slow one, and memory stays flat."""

from collections import deque
from collections.abc import Sequence
from threading import Condition, Lock
from typing import Generic, TypeVar

from app.files.budget import PixelBudget

ASIDE = 256  #: images that need no model and are handed on at once
T = TypeVar("T")


class Channel(Generic[T]):
    """Things handed from some threads to others, at most ``room`` on the way."""

    def __init__(self, room: int, producers: int = 1) -> None:
        self._room = room
        self._producers = producers
        self._items: deque[T] = deque()
        self._given = 0  #: by :meth:`get_all`, and still being worked on
        self._closed = False
        lock = Lock()
        self._has_room, self._has_items = Condition(lock), Condition(lock)

    def put(self, item: T) -> bool:
        """Hand something over, waiting for room; False if nobody wants it any more."""
        with self._has_room:
            self._has_room.wait_for(lambda: self._closed or len(self._items) + self._given < self._room)
            if self._closed:
                return False
            self._items.append(item)
            self._has_items.notify()
            return True

    def get(self) -> T | None:
        """The next one, waiting for it; None once no more will come."""
        with self._has_items:
            self._has_items.wait_for(lambda: self._items or self._is_over())
            if self._closed or not self._items:
                return None
            item = self._items.popleft()
            if len(self._items) <= self._room // 2:  # not for each one: then both sides would only wake each other
                self._has_room.notify_all()
            return item

    def get_all(self) -> list[T]:
        """All there are, waiting for one; none once no more will come. They take up room until the next call."""
        with self._has_items:
            self._given = 0
            self._has_room.notify_all()
            self._has_items.wait_for(lambda: self._items or self._is_over())
            items = [] if self._closed else list(self._items)
            self._items.clear()
            self._given = len(items)
            return items

    def end(self) -> None:
        """One of the producers has no more."""
        with self._has_items:
            self._producers -= 1
            self._has_items.notify_all()

    def close(self) -> None:
        """Take nothing more and give nothing more, whatever is still in it."""
        with self._has_items:
            self._closed = True
            self._has_items.notify_all()
            self._has_room.notify_all()

    def _is_over(self) -> bool:
        return self._closed or self._producers == 0


class Shelf(Generic[T]):
    """Decoded images between the decoding threads and the model: at most ``room``, within a budget of pixels.

    Batches are full wherever they can be. One that is not is handed out when every decoding thread waits for room
    that only the model can make, or has ended: so photographs of any size get through.
    """

    def __init__(self, batch_size: int, room: int, pixels: int, decoders: int) -> None:
        self._batch_size = batch_size
        self._room = room
        self._decoders = decoders
        self._ready: deque[T] = deque()
        self._aside: deque[T] = deque()
        self._waiting = 0
        self._closed = False
        self._changed = Condition()
        self.budget = PixelBudget(pixels, self._changed)

    def put(self, item: T, *, for_model: bool) -> None:
        """Lay an image on it, waiting for room; what needs no model goes with the next batch all the same."""
        with self._changed:
            place, room = (self._ready, self._room) if for_model else (self._aside, ASIDE)
            if len(place) >= room:
                self._waiting += 1
                self._changed.notify_all()
                self._changed.wait_for(lambda: self._closed or len(place) < room)
                self._waiting -= 1
            place.append(item)
            if self._may_take():
                self._changed.notify_all()

    def take(self) -> tuple[Sequence[T], Sequence[T]] | None:
        """The next batch for the model, and what needs none; None once no more will come."""
        with self._changed:
            self._changed.wait_for(self._may_take)
            if self._closed or not (self._ready or self._aside):
                return None
            batch = [self._ready.popleft() for _ in range(min(self._batch_size, len(self._ready)))]
            aside = list(self._aside)
            self._aside.clear()
            if self._waiting:
                self._changed.notify_all()
            return batch, aside

    def end(self) -> None:
        """One of the decoding threads has no more."""
        with self._changed:
            self._decoders -= 1
            self._changed.notify_all()

    def close(self) -> None:
        """Take nothing more and give nothing more, whatever still lies on it."""
        with self._changed:
            self._closed = True
            self.budget.close()

    def _may_take(self) -> bool:
        if self._closed or len(self._ready) >= self._batch_size or len(self._aside) >= ASIDE:
            return True
        if self._decoders == 0:
            return True
        all_wait = self._waiting + self.budget.waiting >= self._decoders
        return all_wait and bool(self._ready or self._aside)
