"""An image of a dataset, and the two labels a dataset has."""

from enum import StrEnum


class Side(StrEnum):
    """Which of a dataset's two labels: the object is there, or it is not."""

    POSITIVE = "positive"  #: the folder claims the object is in the picture (``football``)
    NEGATIVE = "negative"  #: the folder claims it is not (``background``)

    @property
    def other(self) -> "Side":
        """The opposite label."""
        return Side.NEGATIVE if self is Side.POSITIVE else Side.POSITIVE


def label_of_pattern(pattern: str) -> str:
    """The label that a folder pattern stands for: its last part.

    ``football`` and ``*/football`` (for ``train/football``, ``val/football``) are both ``football``.
    """
    return pattern.rstrip("/").rsplit("/", 1)[-1]
