"""The grid with its preview, saved filters and the page of a dataset, by plain forms."""

import re
from html import unescape

import pytest

from app.web.rendering import make_environment
from tests.parts import Browser, Workshop, tree

FILES = {"football/yes.png": 250, "football/none.png": 0, "background/no.png": 0, "background/hot.png": 240}
ODD = '<b>odd</b> "name" & more'


@pytest.fixture
def site(workshop: Workshop, browser: Browser) -> Browser:
    """A signed-in browser over a scanned dataset."""
    workshop.ready(FILES)
    browser.sign_in()
    return browser


def test_all_but_the_marked(workshop: Workshop, site: Browser) -> None:
    """A preview saves nothing; then each image gets its verdict in one batch, and one undo takes all back."""
    flagged = [workshop.image_id(1, path) for path in ("football/none.png", "background/hot.png")]
    form = {"dataset": "1", "rest": "positive", "shown": [f"{each}:" for each in flagged], "image": f"{flagged[0]}:"}
    preview = site.post("/grid/preview", data=form)
    assert (preview.status_code, "1 image becomes football" in preview.text) == (200, True)
    assert [workshop.item(each).record.verdict for each in flagged] == [None, None]

    batch_id = "0" * 32
    save = {"dataset": "1", "batch_id": batch_id, "verdict": "positive", "image": f"{flagged[1]}:"}
    save |= {"marked": f"{flagged[0]}:", "exceptions": "opposite"}
    assert [site.post("/grid", data=save).status_code for _ in range(2)] == [303, 303]
    assert [workshop.item(each).record.verdict for each in flagged] == ["negative", "positive"]
    assert site.post("/grid", data=save | {"exceptions": "open"}).status_code == 409

    site.post("/grid/undo", data={"dataset": "1", "batch_id": "00000000-0000-0000-0000-000000000000"})
    assert [workshop.item(each).record.verdict for each in flagged] == [None, None]


@pytest.mark.parametrize("rest", ["unsure", "", "x"])
def test_only_yes_or_no_goes_to_all_others(site: Browser, rest: str) -> None:
    """Anything else is refused by name."""
    response = site.post("/grid/preview", data={"dataset": "1", "rest": rest, "shown": "1:"})
    assert (response.status_code, response.json()["errors"][0]["loc"]) == (422, "rest")


def test_the_grid_remembers_its_choice(site: Browser) -> None:
    """In a cookie; what is unknown takes the default."""
    assert "120-similar" in site.get("/grid?count=120&order=similar").headers["set-cookie"]
    assert site.get("/grid?count=9999&order=%3Cb%3E").status_code == 200


def test_a_saved_filter_by_forms(site: Browser) -> None:
    """Save, open, refuse the name twice, delete; markup in a name stays a name."""
    form = {"dataset": "1", "name": ODD, "query": "text=hot&order=path"}
    saved = site.post("/images/filters", data=form)
    assert (saved.status_code, saved.headers["location"]) == (303, "/images?dataset=1&text=hot&order=path")
    page = site.get(saved.headers["location"]).text
    assert ("hot.png" in page, "yes.png" in page, "<b>odd" in page) == (True, False, False)
    assert site.post("/images/filters", data=form).status_code == 422
    assert site.post("/images/filters/1/delete").status_code == 303
    assert site.post("/images/filters/1/delete").status_code == 404


@pytest.mark.parametrize(
    "query", ["min_score=x", "max_score=2", "number=0", "at_score=nan", "reviewed=yes", "text=" + "x" * 201]
)
def test_a_filter_that_makes_no_sense_is_told(site: Browser, query: str) -> None:
    """Beside the form, with what was typed."""
    response = site.get(f"/images?dataset=1&{query}")
    assert (response.status_code, 'id="filter-error"' in response.text) == (422, True)


def test_a_dataset_is_kept_by_forms(workshop: Workshop, site: Browser) -> None:
    """Edited, archived, brought back, relinked only where it may, removed by its name; no file is touched."""
    before = tree(workshop.folder / "frames")
    site.post("/datasets/1/edit", data={"question": "Ball?", "positive_means": ODD, "negative_means": ""})
    assert "&lt;b&gt;odd&lt;/b&gt;" in site.get("/grid?dataset=1").text
    site.post("/datasets/1/archive", data={})
    assert site.get("/api/datasets").json()["items"] == []
    site.post("/datasets/1/archive", data={"undo": "1"})
    assert site.post("/datasets/1/relink", data={"root": "/etc"}).status_code == 422
    assert site.post("/datasets/1/remove", data={"confirm": "no"}).status_code == 422
    assert site.get("/datasets/1/verdicts.csv").text.startswith("path,verdict")
    assert site.post("/datasets/1/remove", data={"confirm": "frames"}).status_code == 303
    assert site.get("/datasets/1").status_code == 404
    assert tree(workshop.folder / "frames") == before


def test_the_strongest_box_is_drawn_last() -> None:
    """Boxes of one ball lie over each other: the one on top, with its label, is the strongest."""
    boxes = [
        {"x0": 1, "y0": 1, "x1": 9, "y1": 9, "confidence": confidence, "target": target}
        for confidence, target in ((0.9, True), (0.8, False), (0.6, True), (0.2, True), (0.1, True))
    ]
    template = make_environment().from_string(
        '{% from "_macros/image.html" import box_overlay %}{{ box_overlay(boxes, 40, 30, 0.5, at_least=1, every=3) }}'
    )

    drawn = template.render(boxes=boxes)

    assert re.findall(r'data-confidence="([0-9.]+)"', drawn) == ["0.2000", "0.6000", "0.9000"]
    assert re.findall(r'<g class="box((?: [^"]*)?)"', drawn) == [" is-weak is-below", "", ""]


def test_a_search_without_a_find_goes_on_by_itself(site: Browser, monkeypatch: pytest.MonkeyPatch) -> None:
    """Page after page, each in the place of the one before, until something is found; a link without scripts."""
    monkeypatch.setattr("app.services.images.BUDGET_S", -1.0)
    monkeypatch.setattr("app.storage.browsing.ASKED", 1)
    page = site.get("/images?dataset=1&text=yes").text
    asked = 0
    while following := re.search(r'id="found">\s*<p class="banner banner-calm" hx-get="([^"]+)"', page):
        assert f'href="{following[1]}"' in page
        page = site.get(unescape(following[1]), headers={"HX-Request": "true"}).text
        assert "<html" not in page
        asked += 1
    assert asked > 0
    assert "yes.png" in page.partition('id="found"')[2]
