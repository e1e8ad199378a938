"""Every error that Touchline raises on purpose.

    TouchlineError
    ├── UsageError                 wrong argument, key or folder        exit 2, HTTP 422
    │   ├── ConfigError            a setting
    │   ├── InvalidInputError      fields of a request, each named
    │   └── TargetExistsError      something is there already; nothing is overwritten
    ├── NotFoundError              no such dataset, image, scan ...     exit 2, HTTP 404
    ├── ConflictError              the world moved on                   exit 1, HTTP 409
    │   └── StaleReviewError       a verdict on a card that is not the latest
    ├── SignInError                wrong name or password              HTTP 401
    ├── TooManyAttemptsError       wait before the next                HTTP 429
    ├── ImageUnreadableError       one file cannot be decoded           recorded, never ends a run
    ├── DetectorError              the detector cannot be had or run    the scan fails and says why
    │   ├── CheckpointError        no such model, or a broken one
    │   └── UnknownClassError      a target class that the model does not know
    └── MoveError                  one planned file operation           recorded, the rest goes on

Each boundary (command line, HTTP, worker) translates this tree once.
"""

from collections.abc import Sequence
from dataclasses import dataclass


class TouchlineError(Exception):
    """Base of the tree. The message is a sentence for a person."""


class UsageError(TouchlineError):
    """The caller asked for something that cannot be: says which argument or key, and what to do."""


class ConfigError(UsageError):
    """A setting is unknown, of the wrong type, or names a folder that is missing."""


@dataclass(frozen=True, slots=True)
class FieldError:
    """One wrong field of a request: where it is and what is wrong with it."""

    loc: str
    msg: str


class InvalidInputError(UsageError):
    """Fields of a request are wrong; ``errors`` names each."""

    def __init__(self, message: str, errors: Sequence[FieldError] = ()) -> None:
        super().__init__(message)
        self.errors = tuple(errors)

    @classmethod
    def on(cls, loc: str, msg: str) -> "InvalidInputError":
        """One wrong field."""
        return cls(f"{loc}: {msg}", [FieldError(loc, msg)])


class TargetExistsError(UsageError):
    """The target holds something already. Touchline never overwrites."""


class NotFoundError(TouchlineError):
    """No such thing."""


class ConflictError(TouchlineError):
    """What was asked no longer fits the present state."""


class StaleReviewError(ConflictError):
    """The card was rendered before a later review; ``latest_review_id`` is the one to look at."""

    def __init__(self, message: str, latest_review_id: int | None) -> None:
        super().__init__(message)
        self.latest_review_id = latest_review_id


class SignInError(TouchlineError):
    """Name or password is wrong, or the account is disabled: which of them is not told."""


class TooManyAttemptsError(TouchlineError):
    """Too many wrong passwords; the next attempt is taken after ``retry_after_s`` seconds."""

    def __init__(self, retry_after_s: int) -> None:
        super().__init__(f"too many attempts to sign in: try again in {retry_after_s} s")
        self.retry_after_s = retry_after_s


class ImageUnreadableError(TouchlineError):
    """A file cannot be decoded; the message is the reason that is recorded."""


class DetectorError(TouchlineError):
    """The detector cannot be loaded or run."""


class CheckpointError(DetectorError):
    """The checkpoint is missing, incomplete or no detector."""


class UnknownClassError(DetectorError):
    """A target class that the model's own list lacks; names the nearest ones."""


class MoveError(TouchlineError):
    """One file operation was refused or failed; ``code`` is its entry in left-out.csv."""

    def __init__(self, message: str, code: str = "failed") -> None:
        super().__init__(message)
        self.code = code
