"""``/report`` and what it hands on."""

import json

import pytest

from tests.parts import Browser, Workshop

FILES = {"football/yes.png": 250, "football/none.png": 0, "background/no.png": 0, "background/hot.png": 240}


@pytest.fixture
def site(workshop: Workshop, browser: Browser) -> Browser:
    """A browser over a scanned dataset with two verdicts."""
    workshop.ready(FILES)
    workshop.call_paths(1, {"football/none.png": "negative", "background/hot.png": "positive"})
    return browser


@pytest.mark.parametrize(("kind", "media_type"), [("html", "text/html; charset=utf-8"), ("json", "application/json")])
def test_a_download_is_saved_and_weakens_no_policy(site: Browser, kind: str, media_type: str) -> None:
    """An attachment under a safe name; the app's own policy stands, which lets no style of the file in."""
    answer = site.get(f"/report/download?dataset=1&format={kind}")
    assert (answer.status_code, answer.headers["content-type"]) == (200, media_type)
    assert answer.headers["content-disposition"] == f'attachment; filename="frames-report-2026-03-01.{kind}"'
    assert "default-src 'self'" in answer.headers["content-security-policy"]
    assert "unsafe" not in answer.headers["content-security-policy"]
    assert answer.headers["cache-control"] == "no-store"


def test_paths_only_where_a_person_asks(workshop: Workshop, site: Browser) -> None:
    """By a box that is not ticked."""
    plain = site.get("/report/download?dataset=frames&format=json").json()
    full = site.get("/report/download?dataset=1&format=json&paths=1").json()
    assert (plain["dataset"]["root"], full["dataset"]["root"]) == ("frames", str(workshop.folder / "frames"))
    assert str(workshop.folder) not in json.dumps(plain)
    assert str(workshop.folder) not in site.get("/report?dataset=1").text


@pytest.mark.parametrize(
    ("query", "status"),
    [("dataset=9", 404), ("dataset=", 404), ("dataset=1&format=pdf", 422), ("", 422), ("dataset=1&paths=x", 422)],
)
def test_what_cannot_be_downloaded(site: Browser, query: str, status: int) -> None:
    """Is refused with the reason."""
    assert site.get(f"/report/download?{query}").status_code == status


def test_the_page_shows_what_the_file_holds(site: Browser) -> None:
    """The same figures; its pictures come from the app, and its form asks for the file."""
    page = site.get("/report?dataset=1").text
    assert 'action="/report/download"' in page
    assert 'data-figure="before.fp">1<' in page
    assert page.count('src="/images/') == 2
    assert "data:image" not in page


def test_the_kinds_of_names_that_datasets_have(workshop: Workshop, browser: Browser) -> None:
    """No name breaks out of the header or makes an empty file name."""
    for number, name in enumerate(('a"; filename="x.exe', "мяч", "../../etc/passwd", "line\r\nSet-Cookie: a=b")):
        workshop.add(workshop.fill({"football/a.png": number, "background/b.png": 9}, f"r{number}"), name=name)
        header = browser.get(f"/report/download?dataset={number + 1}&format=json").headers["content-disposition"]
        assert header.count('"') == 2
        assert "/" not in header
        assert header.endswith('-report-2026-03-01.json"')
