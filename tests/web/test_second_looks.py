"""Second looks and disagreements over HTTP: what the second person is not told, and what each answer does."""

import re
from collections.abc import Iterator

import pytest

from app.domain.consensus import Consensus
from app.services.sweeping import set_reviewing
from tests.parts import Browser, Workshop
from tests.web.test_pages import HTMX, fields, follow

#: flagged: background/hot (0.94) and football/none (0.00)
FILES = {
    "football/secret-a/yes.png": 250,
    "football/none-of-it.png": 0,
    "background/no.png": 0,
    "background/deep/hot-one.png": 240,
}
HOT, NONE = "background/deep/hot-one.png", "football/none-of-it.png"
BOB = {"Cookie": "touchline_reviewer=Bob; touchline_client=6f4a7a34-0a63-4a87-8f43-1c07b6f5ab11"}
CY = {"Cookie": "touchline_reviewer=Cy; touchline_client=0d6a6a38-98c4-4d1e-93c6-0f6a6f1f2c22"}
FIRST = "Zebediah"


@pytest.fixture
def site(workshop: Workshop, browser: Browser) -> Iterator[Browser]:
    """A scanned dataset in which every call awaits a second look, and most people must agree."""
    workshop.ready(FILES)
    set_reviewing(workshop.database, 1, 1.0, ["disagreement", "unsure"], Consensus.MAJORITY)
    yield browser
    assert browser.get("/healthz").status_code == 200


def called(workshop: Workshop, path: str, verdict: str) -> int:
    """An image that somebody has called."""
    return workshop.call(workshop.image_id(1, path), verdict, FIRST).item.record.id


def unique(text: str) -> str:
    """A response without what differs from one to the next anyway."""
    return re.sub(r'[0-9a-f]{8}-[0-9a-f-]{27}|(?<=name="seen_review_id" value=")\d+', "", text)


@pytest.mark.parametrize("headers", [{}, HTMX], ids=["page", "block"])
@pytest.mark.parametrize(("path", "score"), [(HOT, "0.94"), (NONE, "0.00")])
def test_the_second_person_is_told_nothing(
    workshop: Workshop, site: Browser, path: str, score: str, headers: dict[str, str]
) -> None:
    """Neither path nor folder, score, box, flag, verdict or person, in any part of the answer or its headers."""
    image_id = called(workshop, path, "negative")
    response = site.get("/second?dataset=1", headers=BOB | headers)
    told = response.text + str(response.headers)
    assert f'action="/second/{image_id}"' in response.text
    folder, _, name = path.rpartition("/")
    hidden = [path, name, name.partition(".")[0], FIRST, score, "filed", "sees no", "box-line", "<rect", "is-present",
              "secret", "deep", "your call", f"/images/{image_id}?", f"/images/{image_id}/file"]  # fmt: skip
    assert [each for each in hidden if each in told] == []
    besides = re.sub(r'<span class="answer-note">[^<]*</span>|Is there a football\?', "", told)
    assert folder.partition("/")[0] not in besides
    media = re.findall(r'"(/images/[^"]*)"', response.text)
    assert media
    assert all(re.fullmatch(rf"/images/{image_id}/rendition/screen\?v=[0-9a-f]{{64}}", url) for url in media)


def test_the_card_is_the_same_whatever_was_said(workshop: Workshop, site: Browser) -> None:
    """Byte for byte, for each first verdict and each first person: so nothing of it can show through."""
    image_id = workshop.image_id(1, HOT)
    cards = set()
    for verdict, person in (("positive", "ann"), ("negative", FIRST), ("unsure", "ann"), ("discard", "zoe")):
        given = workshop.call(image_id, verdict, person)
        cards.add(unique(site.get("/second?dataset=1", headers=BOB).text))
        workshop.take_back(given.review.id, person)
    assert len(cards) == 1


def test_the_picture_itself_tells_no_name(workshop: Workshop, site: Browser) -> None:
    """No header of the rendition names the file either."""
    image_id = called(workshop, HOT, "negative")
    response = site.get(f"/images/{image_id}/rendition/screen")
    assert response.status_code == 200
    assert [each for each in ("hot-one", "deep", "background", FIRST) if each in str(response.headers)] == []


def test_two_people_and_a_third_by_forms(workshop: Workshop, site: Browser) -> None:
    """Without JavaScript: Ada calls, Bob differs, Cy settles; each step is a form that leads on (303)."""
    image_id = called(workshop, HOT, "positive")
    card = site.get("/second?dataset=1", headers=BOB)
    form = fields(card.text, f"/second/{image_id}") | {"verdict": "negative"}
    answered = site.post(f"/second/{image_id}", data=form, headers=BOB)
    assert answered.headers["location"] == "/second?dataset=1"
    assert site.post(f"/second/{image_id}", data=form, headers=BOB).status_code == 303  # the same request again
    assert workshop.item(image_id).record.unsettled == "conflict"
    page = site.get("/conflicts?dataset=1", headers=CY)
    assert all(each in page.text for each in (FIRST, "Bob", "second look", "hot-one.png"))
    assert 'name="alone"' not in page.text
    form = fields(page.text, f"/conflicts/{image_id}") | {"verdict": "positive"}
    assert site.post(f"/conflicts/{image_id}", data=form, headers=CY).status_code == 303
    assert workshop.item(image_id).final_label == "football"
    history = site.get(f"/api/images/{image_id}").json()["reviews"]
    assert [row["reviewer"] for row in history] == [FIRST, "Bob", "Cy"]


def test_undo_of_a_second_look_by_a_form(workshop: Workshop, site: Browser) -> None:
    """It comes back as blind as before; what is not one's own, or gone already, is told."""
    image_id = called(workshop, HOT, "positive")
    form = fields(site.get("/second?dataset=1", headers=BOB).text, f"/second/{image_id}") | {"verdict": "negative"}
    block = site.post(f"/second/{image_id}", data=form, headers=BOB | HTMX)
    assert (block.status_code, "Saved: no football" in block.text, FIRST in block.text) == (200, True, False)
    undo = fields(block.text, "/second/undo")
    assert "not yours" not in site.post("/second/undo", data=undo, headers=CY | HTMX).text
    assert workshop.item(image_id).record.unsettled == "conflict"
    again = site.post("/second/undo", data=undo, headers=BOB | HTMX)
    assert f'action="/second/{image_id}"' in again.text
    assert FIRST not in again.text
    assert "taken back already" in site.post("/second/undo", data=undo, headers=BOB | HTMX).text
    assert site.post("/second/undo", data={"dataset": "1"}, headers=BOB).status_code == 303


@pytest.mark.parametrize("url", ["/second", "/conflicts"])
def test_a_stale_card_is_refused(workshop: Workshop, site: Browser, url: str) -> None:
    """409 with what there is now, and nothing is saved; an image that waits for nobody likewise."""
    image_id = called(workshop, HOT, "positive")
    form = {"dataset": "1", "verdict": "negative", "seen_review_id": "", "alone": "on"}
    response = site.post(f"{url}/{image_id}", data=form, headers=CY | HTMX)
    assert (response.status_code, 'id="card"' in response.text) == (409, True)
    other = workshop.image_id(1, "background/no.png")
    assert site.post(f"{url}/{other}", data=form, headers=CY).status_code == 409
    assert workshop.item(image_id).record.unsettled == "second"
    assert workshop.item(other).record.latest_review_id is None


def test_a_party_must_say_that_nobody_else_can(workshop: Workshop, site: Browser) -> None:
    """A plain warning, a box to tick, and 422 without it."""
    image_id = called(workshop, HOT, "positive")
    form = fields(site.get("/second?dataset=1", headers=BOB).text, f"/second/{image_id}") | {"verdict": "negative"}
    site.post(f"/second/{image_id}", data=form, headers=BOB)
    page = site.get("/conflicts?dataset=1", headers=BOB)
    assert "One of these verdicts is yours" in page.text
    form = fields(page.text, f"/conflicts/{image_id}") | {"verdict": "positive"}
    assert site.post(f"/conflicts/{image_id}", data=form, headers=BOB).status_code == 422
    assert site.post(f"/conflicts/{image_id}", data=form | {"alone": "on"}, headers=BOB).status_code == 303
    assert workshop.item(image_id).record.verdict == "positive"


@pytest.mark.parametrize("url", ["/second/1", "/conflicts/1", "/second/undo", "/conflicts/undo"])
def test_an_answer_needs_a_name_and_a_dataset(site: Browser, url: str) -> None:
    """422 without a reviewer, 404 for a dataset that is not there, 422 for a verdict that is none."""
    form = {"dataset": "1", "verdict": "positive", "seen_review_id": "1", "review_id": "1"}
    assert site.post(url, data=form).status_code == 422
    assert site.post(url, data=form | {"dataset": "9"}, headers=BOB).status_code == 404
    if not url.endswith("undo"):
        assert site.post(url, data=form | {"verdict": "maybe"}, headers=BOB).status_code == 422


@pytest.mark.parametrize("url", ["/second/999", "/conflicts/999", f"/second/{'9' * 30}"])
def test_no_image_is_not_found(site: Browser, url: str) -> None:
    """404, whatever the number."""
    form = {"dataset": "1", "verdict": "positive", "seen_review_id": ""}
    assert site.post(url, data=form, headers=BOB).status_code == 404


def test_settings_are_saved_and_shown(workshop: Workshop, site: Browser) -> None:
    """Share in per cent, reasons, rule; what cannot be is named beside its field, and nothing is saved."""
    url = "/datasets/1/reviewing"
    form = {"second_share": "12,5", "second_reasons": ["unsure"], "consensus": "unanimous"}
    page = follow(site, site.post(url, data=form))
    reviewing = workshop.dataset(1).reviewing
    assert (reviewing.share, reviewing.reasons, reviewing.consensus) == (0.125, ("unsure",), "unanimous")
    assert 'value="12.5"' in page.text
    for wrong in ({"second_share": "101"}, {"second_share": "x"}, {"consensus": "loudest"}, {"second_reasons": ["x"]}):
        assert site.post(url, data=form | wrong, headers={"accept": "text/html"}).status_code == 422
    assert workshop.dataset(1).reviewing == reviewing
    assert site.get("/datasets/9/reviewing").status_code == 404
    assert site.post("/datasets/9/reviewing/continue").status_code == 404


def test_verdicts_given_so_far_by_a_form(workshop: Workshop, site: Browser) -> None:
    """The button asks for second looks at what was called before."""
    set_reviewing(workshop.database, 1, 0.0, [], Consensus.MAJORITY)
    image_id = called(workshop, HOT, "positive")
    set_reviewing(workshop.database, 1, 1.0, [], Consensus.MAJORITY)
    assert "Nothing waits" in site.get("/second?dataset=1", headers=BOB).text
    follow(site, site.post("/datasets/1/reviewing/apply"))
    assert f'action="/second/{image_id}"' in site.get("/second?dataset=1", headers=BOB).text
    assert site.post("/datasets/1/reviewing/continue").status_code == 303


def test_pages_say_how_to_switch_it_on(workshop: Workshop, browser: Browser) -> None:
    """Off, each page leads to the settings; on, the desk and the numbers lead to what waits."""
    workshop.ready(FILES)
    for url in ("/second?dataset=1", "/conflicts?dataset=1", "/stats?dataset=1"):
        assert 'href="/datasets/1/reviewing"' in browser.get(url, headers=BOB).text
    set_reviewing(workshop.database, 1, 1.0, [], Consensus.MAJORITY)
    called(workshop, HOT, "positive")
    for url in ("/review?dataset=1", "/stats?dataset=1"):
        assert 'href="/second?dataset=1"' in browser.get(url, headers=BOB).text
    assert (
        'href="/second?dataset=1"'
        not in browser.get("/review?dataset=1", headers={"Cookie": f"touchline_reviewer={FIRST}"}).text
    )


def test_agreement_as_json(workshop: Workshop, site: Browser) -> None:
    """Over all, by pair, by person, and what waits; an unknown dataset is 404."""
    for path, verdict, other in ((HOT, "positive", "positive"), (NONE, "negative", "positive")):
        image_id = called(workshop, path, verdict)
        form = fields(site.get("/second?dataset=1", headers=BOB).text, f"/second/{image_id}") | {"verdict": other}
        site.post(f"/second/{image_id}", data=form, headers=BOB)
    called(workshop, "background/no.png", "negative")
    found = site.get("/api/datasets/frames/agreement").json()
    assert found["overall"] == {"images": 2, "agreed": 1, "percent": 50.0, "kappa": 0.0}
    assert [(pair["reviewers"], pair["kappa"]) for pair in found["pairs"]] == [(["Bob", FIRST], 0.0)]
    assert [(row["reviewer"], row["compared"], row["agreed"]) for row in found["reviewers"]] == [
        ("Bob", 2, 1),
        (FIRST, 2, 1),
    ]
    assert (found["waiting_second"], found["waiting_settling"], found["consensus"]) == (1, 1, "majority")
    assert "50.0 %" in site.get("/stats?dataset=1").text
    assert site.get("/api/datasets/9/agreement").status_code == 404
