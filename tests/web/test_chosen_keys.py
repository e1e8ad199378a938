"""Chosen keys on every page that has answers: on the buttons, in what a screen reader says, and in the list of keys."""

import re

import pytest

from app.domain.consensus import Consensus
from app.domain.keys import DEFAULTS
from app.domain.reviewing import Source
from app.services.reviews import NewReview
from app.services.second_looks import give_second
from app.services.sweeping import set_reviewing
from tests.parts import Browser, Workshop

#: flagged: all but the first
FILES = {"football/sure.png": 255, "background/a.png": 250, "background/b.png": 240, "background/c.png": 230}
CHOSEN = {
    "positive": "a",
    "negative": "+",
    "undo": "",
    "help": "PageUp",
    "zoom": "1",
    "file_before": "2",
    "brighter": "",
}
PAGES = ("/review", "/grid", "/second", "/conflicts")


@pytest.fixture
def site(workshop: Workshop, browser: Browser) -> Browser:
    """An open flag, an image that waits for Ada's second look, and one on which two others disagree."""
    workshop.ready(FILES)
    set_reviewing(workshop.database, 1, 1.0, [], Consensus.MAJORITY)
    workshop.call(workshop.image_id(1, "background/a.png"), "positive", "Bob")
    given = workshop.call(workshop.image_id(1, "background/b.png"), "positive", "Bob").review
    differs = NewReview(verdict="negative", seen_review_id=given.id, reviewer="Cy", source=Source.SECOND)
    give_second(workshop.database, workshop.clock, given.image_id, differs, 1)
    browser.sign_in("ada")
    chosen = {f"key_{name}": key for name, key in (DEFAULTS | CHOSEN).items()}
    assert browser.post("/settings/keys", data=chosen).status_code == 303
    return browser


def button(page: str, verdict: str) -> str:
    """The button of an answer."""
    found = re.search(rf'<button class="answer[^>]*name="verdict" value="{verdict}".*?</button>', page, re.DOTALL)
    assert found is not None
    return found[0]


@pytest.mark.parametrize("path", PAGES)
def test_answers_have_the_chosen_keys(site: Browser, path: str) -> None:
    """One that is drawn on the button, one that is pressed, one that is read out; no key where none was chosen."""
    page = site.get(f"{path}?dataset=1").text
    yes, no = button(page, "positive"), button(page, "negative")
    assert 'data-hotkey="a" aria-keyshortcuts="A"' in yes
    assert '<kbd aria-hidden="true">A</kbd>' in yes
    assert 'data-hotkey="+" aria-keyshortcuts="Plus"' in no
    assert '<kbd aria-hidden="true">+</kbd>' in no
    assert 'data-hotkey="3"' in button(page, "unsure")
    assert 'data-hotkey="u"' not in page
    assert "<kbd>A</kbd></td><td>" in page
    assert "<kbd>Page Up</kbd></td><td>Show this list" in page


@pytest.mark.parametrize("path", PAGES)
def test_no_key_does_two_things(site: Browser, path: str) -> None:
    """A key of the page's own gives way to a chosen one."""
    page = site.get(f"{path}?dataset=1").text
    keys = re.findall(r'data-hotkey(?:-hold)?="([^"]+)"', page)
    assert sorted(keys) == sorted(set(keys))
    listed = re.findall(r"<tr><td><kbd>([^<]+)</kbd></td>", page.partition("While boxes are edited")[0])
    listed = [key for key in listed if key != "Esc"]
    assert sorted(listed) == sorted(set(listed))


def test_select_all_keeps_its_button_without_its_key(site: Browser) -> None:
    """`A` answers on the grid for who chose it; selecting all is still there for everybody."""
    page = site.get("/grid?dataset=1").text
    assert "data-select-all>Select all 1</button>" in page
    site.sign_in("grace")
    assert 'data-select-all data-hotkey="a" aria-keyshortcuts="A"' in site.get("/grid?dataset=1").text
