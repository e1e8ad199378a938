"""Limits on attempts: buckets of tokens that fill again with time, so that nobody is shut out for ever."""

from collections import OrderedDict
from dataclasses import dataclass, field


@dataclass(slots=True)
class Buckets:
    """One bucket a key: ``size`` attempts at once, then one every ``refill_s`` seconds.

    At most ``most`` keys are remembered; the one that was used least lately is forgotten first.
    """

    size: int
    refill_s: float
    most: int = 10_000
    _spent: OrderedDict[str, tuple[float, float]] = field(default_factory=OrderedDict)  #: key -> (attempts, as of)

    def wait_s(self, key: str, now_s: float) -> float:
        """Seconds until an attempt is free; 0 where one is free now."""
        return max(0.0, round((self._level(key, now_s) + 1 - self.size) * self.refill_s, 3))

    def take(self, key: str, now_s: float) -> None:
        """Use an attempt up."""
        self._spent[key] = (self._level(key, now_s) + 1, now_s)
        self._spent.move_to_end(key)
        while len(self._spent) > self.most:
            self._spent.popitem(last=False)

    def give_back(self, key: str, now_s: float) -> None:
        """Return an attempt: it was right."""
        if key in self._spent:
            self._spent[key] = (max(0.0, self._level(key, now_s) - 1), now_s)

    def __len__(self) -> int:
        return len(self._spent)

    def _level(self, key: str, now_s: float) -> float:
        spent, as_of = self._spent.get(key, (0.0, now_s))
        return max(0.0, spent - max(0.0, now_s - as_of) / self.refill_s)
