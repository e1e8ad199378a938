"""Keys that people choose: read as they are typed, refused with a reason, never two actions on one key."""

from pathlib import Path

import pytest

from app.domain.keys import ACTIONS, DEFAULTS, KeyAction, aria_key, find_double, merge_keys, read_key, show_key


@pytest.mark.parametrize(
    ("typed", "key"),
    [("q", "q"), (" Q ", "q"), ("arrowleft", "ArrowLeft"), ("←", "ArrowLeft"), ("page up", "PageUp"), ("", ""),
     ("ß", "ß"), ("+", "+"), ("ä", "ä")],
)  # fmt: skip
def test_a_key_is_read_as_it_was_meant(typed: str, key: str) -> None:
    """A sign in lower case, a named key in the browser's spelling, nothing for none."""
    assert read_key(typed) == key


@pytest.mark.parametrize("typed", ["ab", "Tab", "enter", "Escape", " ", "Shift", "F5", "\x07", "\u200b"])
def test_what_is_no_key_is_refused(typed: str) -> None:
    """Several signs, and keys that the page needs for itself."""
    with pytest.raises(ValueError, match=r"."):
        read_key(typed)


def test_the_defaults_are_keys_of_their_own() -> None:
    """Each can be typed into the form, and no two are alike."""
    assert [read_key(action.key) for action in ACTIONS] == [action.key for action in ACTIONS]
    assert find_double(DEFAULTS) == {}


def test_a_double_key_names_the_other_action() -> None:
    """Both learn of each other; actions without a key do not."""
    found = find_double({"positive": "q", "undo": "q", "note": "", "boxes": ""})
    assert set(found) == {"positive", "undo"}
    assert found["positive"].startswith("Undo")


def test_a_choice_takes_its_key_from_a_default() -> None:
    """What was chosen holds; a later default on the same key yields, and what is no key is passed over."""
    keys = merge_keys({"positive": "u", "negative": "Tab", "no such action": "y", "note": ""})
    assert (keys["positive"], keys["undo"], keys["negative"], keys["note"]) == ("u", "", "2", "")


@pytest.mark.parametrize(
    ("key", "shown", "aria"), [("u", "U", "U"), ("ArrowLeft", "←", "ArrowLeft"), ("+", "+", "Plus")]
)
def test_a_key_is_shown_to_people_and_to_screen_readers(key: str, shown: str, aria: str) -> None:
    """By its sign on the button, by its name in the attribute."""
    assert (show_key(key), aria_key(key)) == (shown, aria)


@pytest.mark.parametrize("action", ACTIONS, ids=lambda action: action.name)
def test_every_key_is_documented(action: KeyAction) -> None:
    """As it is drawn on its button."""
    text = (Path(__file__).parents[2] / "docs" / "keyboard.md").read_text(encoding="utf-8")
    assert f"`{show_key(action.key)}`" in text
