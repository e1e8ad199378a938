"""What changes where one detector's scores take the place of another's."""

from dataclasses import dataclass

from app.domain.flagging import disagrees
from app.domain.images import Side


@dataclass(frozen=True, slots=True)
class Change:
    """One image that both detectors scored."""

    image_id: int
    path: str
    given: Side
    sha256: str | None
    width: int | None
    height: int | None
    score_a: float
    score_b: float

    @property
    def change(self) -> float:
        """How far the second score lies above the first."""
        return self.score_b - self.score_a

    def flagged(self, threshold: float) -> tuple[bool, bool]:
        """Whether the first and the second detector speak against the folder."""
        return disagrees(self.given, self.score_a, threshold), disagrees(self.given, self.score_b, threshold)


@dataclass(frozen=True, slots=True)
class ChangeCounts:
    """Images of one or both folders that both detectors scored, by who flags them."""

    both: int = 0
    only_a: int = 0
    only_b: int = 0
    neither: int = 0
    moved: float = 0.0  #: the sum of all absolute changes of score

    @property
    def images(self) -> int:
        """All of them."""
        return self.both + self.only_a + self.only_b + self.neither

    @property
    def mean_change(self) -> float | None:
        """How far a score moves on average, up or down; None without an image."""
        return self.moved / self.images if self.images else None

    def __add__(self, other: "ChangeCounts") -> "ChangeCounts":
        return ChangeCounts(
            self.both + other.both,
            self.only_a + other.only_a,
            self.only_b + other.only_b,
            self.neither + other.neither,
            self.moved + other.moved,
        )
