"""Single keys: which actions have one, what a key may be, and how a person's own choice is read."""

from collections.abc import Mapping
from dataclasses import dataclass

#: keys with a name, as browsers spell it -> as people read it
NAMED = {
    "ArrowLeft": "←",
    "ArrowRight": "→",
    "ArrowUp": "↑",
    "ArrowDown": "↓",
    "PageUp": "Page Up",
    "PageDown": "Page Down",
    "Home": "Home",
    "End": "End",
    "Insert": "Insert",
    "Delete": "Delete",
    "Backspace": "Backspace",
}
#: keys that a page, a browser or a screen reader needs for itself
TAKEN = ("Tab", "Enter", "Escape", "Space", "Shift", "Control", "Alt", "Meta")


@dataclass(frozen=True, slots=True)
class KeyAction:
    """Something that a key does; ``name`` is what it is stored and asked for under."""

    name: str
    words: str
    key: str  #: unless a person chose another


ACTIONS = (
    KeyAction("positive", "Yes: the object is there (positive)", "1"),
    KeyAction("negative", "No: it is not there (negative)", "2"),
    KeyAction("unsure", "Unsure: leave it out for now", "3"),
    KeyAction("discard", "Discard: leave it out for good", "4"),
    KeyAction("undo", "Undo my last verdict, at any depth", "u"),
    KeyAction("carry", "Carry the verdict just given to the exact copies, where it is offered", "c"),
    KeyAction("previous", "Previous image of the queue, without a verdict", "ArrowLeft"),
    KeyAction("next", "Next image of the queue, without a verdict", "ArrowRight"),
    KeyAction("file_before", "The file before this one in its folder", "a"),
    KeyAction("file_after", "The file after this one in its folder", "d"),
    KeyAction("note", "Write a note with the verdict", "n"),
    KeyAction("boxes", "Edit boxes, and stop editing them", "b"),
    KeyAction("hide", "Hide the boxes while held", "h"),
    KeyAction("more_boxes", "Draw weaker boxes too", "j"),
    KeyAction("fewer_boxes", "Draw only stronger boxes", "k"),
    KeyAction("zoom", "Zoom in on the pointer or the box, and back", "z"),
    KeyAction("crop", "Enlarge the next box", "x"),
    KeyAction("pixels", "Enlargements pixel by pixel, or smoothed", "p"),
    KeyAction("brighter", "Brighter", "+"),
    KeyAction("darker", "Darker", "-"),
    KeyAction("more_contrast", "More contrast", "."),
    KeyAction("less_contrast", "Less contrast", ","),
    KeyAction("reset", "Brightness, contrast and drawn boxes as they were", "0"),
    KeyAction("view", "Show or hide the sliders for all of that", "v"),
    KeyAction("guidelines", "Read the guidelines", "g"),
    KeyAction("help", "Show the list of keys", "?"),
)
DEFAULTS = {action.name: action.key for action in ACTIONS}


def read_key(text: str) -> str:
    """A key as it was typed into a field, in the browser's spelling; empty: the action has no key.

    Raises:
        ValueError: no key, more than one, or one that the page needs for itself; the message says which.
    """
    typed = text if text == " " else text.strip()
    for name, shown in NAMED.items():
        if typed.lower() in (name.lower(), shown.lower(), name.lower().replace("page", "page ")):
            return name
    if typed == " " or typed.lower() in {name.lower() for name in TAKEN}:
        msg = f"{typed.strip() or 'Space'} is needed for moving about the page"
        raise ValueError(msg)
    if not typed:
        return ""
    if len(typed) != 1 or not typed.isprintable() or typed.isspace():
        msg = f"{typed[:20]!r} is not one key: type a sign, or one of {', '.join(NAMED)}"
        raise ValueError(msg)
    return typed.lower()


def find_double(keys: Mapping[str, str]) -> dict[str, str]:
    """Actions whose key another one has too: action -> the words of the other."""
    words = {action.name: action.words for action in ACTIONS}
    return {
        name: words[other]
        for name, key in keys.items()
        for other in keys
        if key and other != name and keys[other] == key
    }


def merge_keys(chosen: Mapping[str, object]) -> dict[str, str]:
    """Every action with its key: the person's own where it is one, else the default unless another action took it."""
    mine = {name: key for name, key in chosen.items() if name in DEFAULTS and isinstance(key, str) and _is_key(key)}
    taken = {key for key in mine.values() if key}
    return {name: mine.get(name, "" if key in taken else key) for name, key in DEFAULTS.items()}


def _is_key(key: str) -> bool:
    try:
        return read_key(key) == key
    except ValueError:
        return False


def show_key(key: str) -> str:
    """A key as it is drawn on a button: ``1``, ``U``, ``←``."""
    return NAMED.get(key, key.upper())


def aria_key(key: str) -> str:
    """A key as ``aria-keyshortcuts`` wants it: ``U``, ``Plus``, ``ArrowLeft``."""
    return "Plus" if key == "+" else key if len(key) > 1 else key.upper()
