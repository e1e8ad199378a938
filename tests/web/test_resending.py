"""A card's form that a script sends again after the server was away: it arrives once, as what the card was."""

import re
from collections.abc import Iterator
from typing import Any

import pytest

from app.config import Settings
from app.domain.consensus import Consensus
from app.services.audits import ensure_audit
from app.services.sweeping import set_reviewing
from app.storage.reviews import reviews_of_image
from tests.parts import Browser, Workshop
from tests.web.test_pages import fields

ADA = {"Cookie": "touchline_reviewer=Ada; touchline_client=6f4a7a34-0a63-4a87-8f43-1c07b6f5ab11"}
BOB = {"Cookie": "touchline_reviewer=Bob; touchline_client=0d6a6a38-98c4-4d1e-93c6-0f6a6f1f2c22"}
CY = {"Cookie": "touchline_reviewer=Cy"}
AGAIN = {"Accept": "application/json"}


@pytest.fixture
def settings(settings: Settings) -> Settings:
    """Blind places, and as many repeats as can be had."""
    shares = {"audit_share": 0.4, "repeat_share": 0.2}
    return settings.model_copy(update={"review": settings.review.model_copy(update=shares)})


@pytest.fixture
def site(workshop: Workshop, browser: Browser) -> Iterator[Browser]:
    """A scanned dataset with an audit whose seed is known."""
    files = {f"background/b{number:02}.png": 250 if number % 2 else number for number in range(60)}
    workshop.ready(files | {f"football/f{number}.png": 200 + number for number in range(8)})
    with workshop.database.write() as session:
        ensure_audit(session, workshop.dataset(1), workshop.settings.review, workshop.clock(), 5)
    yield browser
    assert browser.get("/healthz").status_code == 200


def stored(workshop: Workshop, image_id: int) -> list[tuple[str, str, str | None, int | None]]:
    """The history of an image: who, where, what, in how many milliseconds."""
    with workshop.database.read() as session:
        rows = reviews_of_image(session, image_id)
        return [(row.reviewer, row.source, row.verdict, row.spent_ms) for row in rows]


def card(site: Browser, url: str, headers: dict[str, str], page: str = "/review") -> tuple[int, dict[str, str]]:
    """The image on a card, and the fields of its form."""
    text = site.get(url, headers=headers).text
    image_id = int(re.search(rf'action="{page}/(\d+)"', text)[1])  # type: ignore[index]
    return image_id, fields(text, f"{page}/{image_id}") | {"spent_ms": "321"}


def send(site: Browser, image_id: int, data: dict[str, str], who: dict[str, str], page: str = "/review") -> Any:
    """Send a kept form twice, as a page does that got no answer to the first; what is answered to the second."""
    answers = [site.post(f"{page}/{image_id}", data=data, headers=who | AGAIN) for _ in range(2)]
    assert [answer.status_code for answer in answers] == [200, 200]
    assert answers[0].json() == answers[1].json()
    return answers[1].json()


def test_a_kept_verdict_on_a_repeat_arrives_once(workshop: Workshop, site: Browser) -> None:
    """Its card names no row of an image that has one: it is the answer to the repeat all the same."""
    agreeing = [item.record.id for item in workshop.items(1).values() if not item.flags][:12]
    for image_id in agreeing:
        workshop.call(image_id, "negative", "Bob")
    workshop.clock.advance(1000)
    for _ in range(60):
        image_id, data = card(site, "/review?dataset=1", ADA)
        if image_id in agreeing:
            break
        site.post(f"/review/{image_id}", data=data | {"verdict": "unsure"}, headers=ADA)
    assert (image_id in agreeing, data["seen_review_id"], data["blind"]) == (True, "", "1")
    workshop.clock.advance(1000)  # the server was away for longer than an image stays in hand
    told = send(site, image_id, data | {"verdict": "positive"}, ADA)
    assert told["ask_again"] is False
    assert stored(workshop, image_id)[1:] == [("Ada", "repeat", "positive", 321)]


def test_a_kept_blind_no_is_asked_about_once_more(workshop: Workshop, site: Browser) -> None:
    """A draw: the answer says that there are boxes to be shown, and to whoever comes back they are."""
    for _ in range(40):
        image_id, data = card(site, "/review?dataset=1&queue=audit", ADA)
        told = send(site, image_id, data | {"verdict": "negative"}, ADA)
        assert [row[:3] for row in stored(workshop, image_id)] == [("Ada", "blind", "negative")]
        if told["ask_again"]:
            break
    assert told["ask_again"] is True
    page = site.get(f"/review?dataset=1&queue=audit&again={image_id}&said=later", headers=ADA).text
    assert "You said no" in page
    assert "Saved after all" in page


def test_a_kept_verdict_that_came_too_late_is_refused_in_words(workshop: Workshop, site: Browser) -> None:
    """409 as a problem, and nothing is saved; a wrong field is 422, and neither shows a page."""
    image_id = workshop.image_id(1, "background/b01.png")
    workshop.call(image_id, "negative", "Bob")
    form = {"dataset": "1", "verdict": "positive", "seen_review_id": "", "blind": ""}
    late = site.post(f"/review/{image_id}", data=form, headers=ADA | AGAIN)
    assert (late.status_code, late.headers["content-type"]) == (409, "application/problem+json")
    assert "reviewed since" in late.json()["detail"]
    assert site.post(f"/review/{image_id}", data=form | {"verdict": "?"}, headers=ADA | AGAIN).status_code == 422
    assert len(stored(workshop, image_id)) == 1


def test_kept_second_looks_and_settling_verdicts_arrive_once(workshop: Workshop, site: Browser) -> None:
    """As what they are; the pages they came from then say that they were saved after all."""
    set_reviewing(workshop.database, 1, 1.0, ["disagreement"], Consensus.MAJORITY)
    called = workshop.call(workshop.image_id(1, "background/b01.png"), "positive", "Ada").item.record.id
    image_id, data = card(site, "/second?dataset=1", BOB, "/second")
    assert image_id == called
    send(site, image_id, data | {"verdict": "negative"}, BOB, "/second")
    image_id, data = card(site, "/conflicts?dataset=1", CY, "/conflicts")
    assert image_id == called
    send(site, image_id, data | {"verdict": "positive"}, CY, "/conflicts")
    assert [row[:3] for row in stored(workshop, called)][1:] == [
        ("Bob", "second", "negative"),
        ("Cy", "settle", "positive"),
    ]
    for page, who in (("/second", BOB), ("/conflicts", CY)):
        assert "Saved after all" in site.get(f"{page}?dataset=1&said=later", headers=who).text
        late = site.post(f"{page}/{called}", data=data | {"request_id": "", "verdict": "unsure"}, headers=who | AGAIN)
        assert (late.status_code, late.headers["content-type"]) == (409, "application/problem+json")
