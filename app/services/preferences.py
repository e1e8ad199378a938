"""A reviewer's own keys: read, checked, kept."""

from collections.abc import Mapping
from dataclasses import dataclass

from app.domain.keys import ACTIONS, DEFAULTS, find_double, merge_keys, read_key
from app.storage import preferences as stored
from app.storage.database import Database

KEYS = "keys"


@dataclass(frozen=True, slots=True)
class KeyField:
    """One action in the form of keys, as it was typed, with what is wrong about it."""

    name: str
    words: str
    typed: str
    default: str
    problem: str = ""


@dataclass(frozen=True, slots=True)
class KeysPage:
    """The page of keys."""

    fields: tuple[KeyField, ...]
    reviewer: str | None
    hotkeys: bool
    message: str = ""

    @property
    def wrong(self) -> int:
        """How many fields cannot stay as they are."""
        return sum(1 for field in self.fields if field.problem)


def find_keys(database: Database, reviewer: str | None) -> dict[str, str] | None:
    """The keys that a reviewer chose, action -> key; None if that was never done, or nobody is known."""
    if reviewer is None:
        return None
    with database.read() as session:
        found = stored.find_preference(session, reviewer, KEYS)
    return None if found is None else {str(name): str(key) for name, key in found.items()}


def keep_keys(database: Database, reviewer: str, chosen: Mapping[str, str] | None) -> None:
    """Keep what differs from the defaults; None: back to the defaults."""
    changed = None if chosen is None else {name: key for name, key in chosen.items() if DEFAULTS.get(name) != key}
    with database.write() as session:
        stored.set_preference(session, reviewer, KEYS, changed or None)


def view_keys(chosen: Mapping[str, str], reviewer: str | None, *, hotkeys: bool, message: str = "") -> KeysPage:
    """The form with the keys as they are in force."""
    keys = merge_keys(chosen)
    return KeysPage(
        tuple(KeyField(action.name, action.words, keys[action.name], action.key) for action in ACTIONS),
        reviewer,
        hotkeys,
        message,
    )


def check_keys(typed: Mapping[str, str]) -> tuple[dict[str, str], tuple[KeyField, ...]]:
    """Fields as they were typed -> keys, and the form's fields with what is wrong about each."""
    keys: dict[str, str] = {}
    problems: dict[str, str] = {}
    for action in ACTIONS:
        try:
            keys[action.name] = read_key(typed.get(action.name, ""))
        except ValueError as error:
            problems[action.name] = str(error)
    problems |= {name: f"also the key of: {other}" for name, other in find_double(keys).items()}
    fields = tuple(
        KeyField(
            action.name,
            action.words,
            typed.get(action.name, "") if action.name in problems else keys[action.name],
            action.key,
            problems.get(action.name, ""),
        )
        for action in ACTIONS
    )
    return keys, fields
