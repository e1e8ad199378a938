"""Duplicates over HTTP: listed, carried by a form or a program, taken back, refused when out of date."""

import re
import shutil
from pathlib import Path
from typing import Any
from uuid import uuid4

import pytest

from tests.parts import Browser, Workshop
from tests.web.test_hostile_input import LONG, assert_problem
from tests.web.test_pages import fields

HOSTILE = "<img src=x onerror=alert(1)> & 'x' \u202e.png"
PAGE = {"accept": "text/html"}


@pytest.fixture
def site(workshop: Workshop, browser: Browser) -> Browser:
    """A signed-in browser; one picture three times in football and once, under an odd name, in background."""
    root = workshop.fill({"football/a.png": 0, "background/x.png": 10})
    for name in ("football/b.png", "football/c.png", f"background/{HOSTILE}"):
        shutil.copy(root / "football/a.png", root / name)
    workshop.add(root)
    workshop.scan(1)
    browser.sign_in()
    return browser


def verdicts(workshop: Workshop) -> dict[str, str | None]:
    """Verdicts by the names of the copies' files."""
    items = workshop.items(1)
    return {Path(path).name: item.record.verdict for path, item in items.items() if item.record.duplicated}


def call(workshop: Workshop, verdict: str = "negative", path: str = "football/a.png") -> tuple[int, int]:
    """Give a verdict; the ids of image and review."""
    given = workshop.call(workshop.image_id(1, path), verdict)
    return given.review.image_id, given.review.id


def carry(site: Browser, image: int, **body: Any) -> Any:
    """Ask for it as a program does."""
    return site.post(f"/api/images/{image}/carry", json={"batch_id": str(uuid4()), **body})


def test_a_program_gets_copies_and_what_looks_alike(workshop: Workshop, site: Browser) -> None:
    """As images, each near one with its distance; at most as many as are asked for."""
    image = workshop.image_id(1, "football/a.png")
    found = site.get(f"/api/images/{image}/duplicates").json()
    assert {each["path"] for each in found["exact"]} == {"football/b.png", "football/c.png", f"background/{HOSTILE}"}
    assert found["near"] == []
    assert found["exact"][0]["flags"][0]["reason"] == "duplicate_conflict"
    assert len(site.get(f"/api/images/{image}/duplicates?limit=2").json()["exact"]) == 2


def test_a_program_carries_and_takes_back(workshop: Workshop, site: Browser) -> None:
    """One batch: the same again changes nothing, and the undo takes all of it back but the verdict itself."""
    image, review = call(workshop)
    batch = {"batch_id": str(uuid4()), "review_id": review}
    first, again = (site.post(f"/api/images/{image}/carry", json=batch) for _ in range(2))
    assert (first.status_code, first.json()["carried"]) == (201, 3)
    assert (again.status_code, again.json()["carried"]) == (200, 3)
    assert set(verdicts(workshop).values()) == {"negative"}

    undone = site.post(f"/api/images/{image}/carry/undo", json={"batch_id": batch["batch_id"]})
    assert undone.json() == {"undone": 3}
    assert [name for name, verdict in verdicts(workshop).items() if verdict] == ["a.png"]


def test_a_verdict_of_a_person_is_never_carried_over(workshop: Workshop, site: Browser) -> None:
    """What was called stays as it was called; the others get the verdict."""
    image, _ = call(workshop)
    call(workshop, "positive", "football/b.png")
    assert carry(site, image).json()["carried"] == 2
    assert verdicts(workshop)["b.png"] == "positive"


def test_what_cannot_be_carried_is_refused(workshop: Workshop, site: Browser) -> None:
    """No verdict, another verdict by now, another use of the batch; and nothing is stored."""
    image = workshop.image_id(1, "football/a.png")
    assert_problem(carry(site, image), 409)
    _, review = call(workshop)
    call(workshop, "positive")
    assert_problem(carry(site, image, review_id=review), 409)
    used = str(uuid4())
    x = workshop.image_id(1, "background/x.png")
    site.post("/grid", data={"dataset": "1", "batch_id": used, "verdict": "unsure", "image": f"{x}:"})
    assert_problem(carry(site, image, batch_id=used), 409)
    assert [name for name, verdict in verdicts(workshop).items() if verdict] == ["a.png"]
    assert_problem(site.post(f"/api/images/{image}/carry/undo", json={"batch_id": used}), 404)


@pytest.mark.parametrize("body", [{"batch_id": "x"}, {}, {"batch_id": str(uuid4()), "review_id": 0}])
def test_a_request_that_is_none_is_refused(site: Browser, body: dict[str, Any]) -> None:
    """The field is named."""
    assert site.post("/api/images/1/carry", json=body).status_code == 422


@pytest.mark.parametrize("number", ["9" * 30, "0", "-1"])
def test_no_image_has_no_duplicates(site: Browser, number: str) -> None:
    """Of any number of digits."""
    assert_problem(site.get(f"/api/images/{number}/duplicates"), 404)
    assert_problem(carry(site, int(number)), 404)


def test_the_whole_way_by_forms(workshop: Workshop, site: Browser) -> None:
    """Called on the desk, offered, carried, taken back: without JavaScript, and on the desk all along."""
    image = workshop.image_id(1, "football/a.png")
    html = site.get(f"/review?dataset=1&image={image}").text
    answer = site.post(f"/review/{image}", data={**fields(html, f"/review/{image}"), "verdict": "negative"})
    assert answer.headers["location"] == f"/review?dataset=1&called={image}"

    html = site.get(answer.headers["location"]).text
    assert "3 exact copies of a.png" in html
    copies = re.findall(r'name="copy" value="([^"]+)"', html)
    answer = site.post("/duplicates/carry", data={**fields(html, "/duplicates/carry"), "copy": copies})
    assert answer.status_code == 303
    assert set(verdicts(workshop).values()) == {"negative"}

    html = site.get(answer.headers["location"]).text
    assert "no football: 3 exact copies too" in html
    answer = site.post("/duplicates/carry/undo", data=fields(html, "/duplicates/carry/undo"))
    assert answer.status_code == 303
    html = site.get(answer.headers["location"]).text
    assert "Taken back for 3 exact copies" in html
    assert "3 exact copies of a.png" in html
    assert [name for name, verdict in verdicts(workshop).items() if verdict] == ["a.png"]


def test_my_undo_takes_my_verdict_back_not_a_copys(workshop: Workshop, site: Browser) -> None:
    """What was carried has its own undo, and does not line up among the last verdicts."""
    image, _ = call(workshop)
    carry(site, image)
    html = site.get("/review?dataset=1").text
    assert html.count('class="recent-word"') == 1
    site.post("/review/undo", data={"dataset": "1"})
    assert verdicts(workshop)["a.png"] is None
    assert verdicts(workshop)["b.png"] == "negative"


def test_a_form_that_is_out_of_date_carries_nothing(workshop: Workshop, site: Browser) -> None:
    """A copy was called in between: none of the others gets the verdict either. A stranger among them: the same."""
    image, review = call(workshop)
    form: dict[str, Any] = {"dataset": "1", "image": str(image), "review_id": str(review), "back": "image"}
    b, c = (workshop.image_id(1, f"football/{name}.png") for name in "bc")
    x = workshop.image_id(1, "background/x.png")
    call(workshop, "unsure", "football/b.png")
    for copies in ([f"{c}:", f"{b}:"], [f"{c}:", f"{x}:"], [f"{c}:", f"{image}:{review}"]):
        answer = site.post("/duplicates/carry", data={**form, "batch_id": str(uuid4()), "copy": copies}, headers=PAGE)
        assert answer.status_code == 409
    assert verdicts(workshop)["c.png"] is None


def test_a_form_of_another_dataset_carries_nothing(workshop: Workshop, site: Browser) -> None:
    """An image belongs to the dataset that the form names."""
    image, review = call(workshop)
    workshop.add(workshop.fill({"football/q.png": 9, "background/r.png": 8}, "other"))
    form = {"dataset": "2", "image": str(image), "review_id": str(review), "batch_id": str(uuid4())}
    assert site.post("/duplicates/carry", data={**form, "copy": "1:"}, headers=PAGE).status_code == 422


def test_copies_called_otherwise_are_told(workshop: Workshop, site: Browser) -> None:
    """On the desk and on the page of the image, with a way to look at one; the list marks the group."""
    image, _ = call(workshop)
    call(workshop, "positive", "football/b.png")
    for url in (f"/review?dataset=1&called={image}", f"/images/{image}"):
        assert "1 exact copy was called otherwise" in site.get(url).text
    assert "verdicts contradict" in site.get("/duplicates?dataset=1").text


def test_the_page_shows_copies_side_by_side(workshop: Workshop, site: Browser) -> None:
    """The odd name is text; a verdict on one offers itself for the others."""
    call(workshop)
    html = site.get("/duplicates?dataset=1").text
    assert "In both folders" in html
    assert "<img src=x" not in html
    assert "&lt;img src=x onerror=alert(1)&gt;" in html
    assert "call them no football too" in html


def test_the_page_of_an_image_shows_what_is_the_same(workshop: Workshop, site: Browser) -> None:
    """Exact copies with their folder, and where they lie."""
    html = site.get(f"/images/{workshop.image_id(1, 'football/a.png')}").text
    assert "Same or alike" in html
    assert html.count("the same file") == 3
    assert "Same or alike" not in site.get(f"/images/{workshop.image_id(1, 'background/x.png')}").text


@pytest.mark.parametrize(
    ("query", "status"),
    [
        ("kind=conflict", 200),
        (f"kind=exact&after={'f' * 64}", 200),
        ("kind=near&after=10-9999999999-1", 200),
        ("kind=nothing", 422),
        ("kind=near&after=1-2", 422),
        (f"kind=near&after=1-{'9' * 11}-1", 422),
        ("kind=exact&after=%27%20OR%201", 422),
        (f"kind=exact&after={'F' * 64}", 422),
        (f"after={'f' * 64}", 422),
        (f"kind=exact&after={LONG}", 422),
        ("carried=nothing", 200),
    ],
)
def test_a_place_that_no_page_has_given_is_refused(site: Browser, query: str, status: int) -> None:
    """And any other gives a page."""
    assert site.get(f"/duplicates?dataset=1&{query}", headers=PAGE).status_code == status


def test_the_cleaned_folder_says_where_copies_contradict(workshop: Workshop, site: Browser) -> None:
    """The plan counts them and leads to them."""
    call(workshop)
    call(workshop, "positive", "football/b.png")
    site.post("/clean/plan", data={"dataset": "1", "to": str(workshop.folder / "clean"), "mode": "copy"})
    html = site.get("/clean?dataset=1&relocation=1").text
    assert "exact copies of one file contradict" in html
    assert 'href="/duplicates?dataset=1">See the copies' in html


def test_the_desk_shows_what_looks_alike(workshop: Workshop, site: Browser) -> None:
    """Beside the files of its folder: a plain link to each, where it is filed, and nothing that its name can do."""
    image, copy = workshop.image_id(1, "football/a.png"), workshop.image_id(1, f"background/{HOSTILE}")
    strip = site.get(f"/review?dataset=1&image={image}").text.partition('id="near-like"')[2].partition("recent")[0]
    assert f'href="/review?dataset=1&amp;image={copy}"' in strip
    assert "the same file, filed as background" in strip
    assert "filed as background</span></h2>" in strip
    assert strip.count("<li") == 1
    assert "<img src=x" not in strip
    assert site.get(f"/review?dataset=1&image={copy}", headers={"hx-request": "true"}).text.count("the same file") == 6


def test_the_desk_says_where_nothing_looks_alike(workshop: Workshop, site: Browser) -> None:
    """The strip keeps its room."""
    page = site.get(f"/review?dataset=1&image={workshop.image_id(1, 'background/x.png')}").text
    assert "Nothing else looks like it." in page
