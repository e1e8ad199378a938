"""Blind items over HTTP: nothing that a browser gets gives the answer away, and what each answer does."""

import re
from collections.abc import Iterator
from typing import Any

import httpx
import pytest

from app.config import Settings
from app.services.audits import ensure_audit
from tests.parts import Browser, Workshop
from tests.web.test_pages import HTMX, fields

CLIENT = "6f4a7a34-0a63-4a87-8f43-1c07b6f5ab11"
ADA = {"Cookie": f"touchline_reviewer=Ada; touchline_client={CLIENT}"}
FILES = {f"football/secret-{number}.png": 60 + 30 * number for number in range(6)}
FILES |= {f"background/deep/odd-{number}.png": 30 * number for number in range(6)}
HIDDEN = ("path", "given_label", "score", "boxes", "flags", "verdict", "final_label")


@pytest.fixture
def settings(settings: Settings) -> Settings:
    """Every place of the queue holds a draw, or a flag in the same form."""
    return settings.model_copy(update={"review": settings.review.model_copy(update={"audit_share": 0.5})})


@pytest.fixture
def site(workshop: Workshop, browser: Browser) -> Iterator[Browser]:
    """A scanned dataset with an audit whose seed is known."""
    workshop.ready(FILES)
    with workshop.database.write() as session:
        ensure_audit(session, workshop.dataset(1), workshop.settings.review, workshop.clock(), 5)
    yield browser
    assert browser.get("/healthz").status_code == 200


def after(site: Browser, response: httpx.Response) -> httpx.Response:
    """What the browser shows then: where it is led without a script, or the block."""
    return site.get(response.headers["location"], headers=ADA) if response.status_code == 303 else response


def next_item(site: Browser, queue: str = "audit") -> dict[str, Any] | None:
    """The next item of a program."""
    response = site.get(f"/api/next?dataset=1&queue={queue}&client={CLIENT}")
    if response.status_code == 204:
        return None
    [item] = response.json()["items"]
    found: dict[str, Any] = item
    return found


def give(site: Browser, item: dict[str, Any], verdict: str, seen: int | None = None) -> dict[str, Any]:
    """Answer an item."""
    body = {"verdict": verdict, "seen_review_id": seen}
    response = site.post(f"/api/images/{item['id']}/reviews", json=body, headers=ADA)
    assert response.status_code == 201
    found: dict[str, Any] = response.json()
    return found


@pytest.mark.parametrize("queue", ["audit", "all"])
def test_an_item_of_a_program_is_blind(site: Browser, queue: str) -> None:
    """What it may not say is null, and it has what showing it takes."""
    item = next_item(site, queue)
    assert item is not None
    assert [item[name] for name in HIDDEN] == [None] * len(HIDDEN)
    assert (item["width"] > 0, item["review_id"], len(item["sha256"])) == (True, None, 64)


def test_a_flag_in_the_same_form_differs_in_nothing(site: Browser) -> None:
    """The keys and the nulls of all blind items are the same, drawn or flagged."""
    forms = set()
    for _ in range(6):
        item = next_item(site, "all")
        assert item is not None
        forms.add(tuple((name, value is None) for name, value in item.items()))
        give(site, item, "positive")
    assert len(forms) == 1


@pytest.mark.parametrize("headers", [{}, HTMX], ids=["page", "block"])
@pytest.mark.parametrize("queue", ["", "&queue=audit"])
def test_the_desk_tells_nothing_of_a_blind_image(
    workshop: Workshop, site: Browser, headers: dict[str, str], queue: str
) -> None:
    """No path, folder, score, box, strip, history or link, in page, source or headers."""
    for _ in range(4):
        response = site.get(f"/review?dataset=1{queue}", headers=ADA | headers)
        told = response.text + str(response.headers)
        found = re.search(r'action="/review/(\d+)"', response.text)
        assert found is not None
        item = workshop.item(int(found[1]))
        name = item.record.path.rpartition("/")[2]
        hidden = [item.record.path, name, name.partition(".")[0], f"{item.record.score:.2f}", "filed as", "sees no",
                  "box-line", "<rect", "your call", "secret", "deep", f"/images/{item.record.id}?", "/file",
                  "/crop/", "data-crop", "By file name", "Looks alike", "data-threshold"]  # fmt: skip
        assert [each for each in hidden if each in told] == []
        besides = re.sub(r'<span class="answer-note">[^<]*</span>|Is there a football\?', "", told)
        assert "football" not in besides
        assert "background" not in besides
        workshop.call(item.record.id, "positive", "Ada")


def test_pictures_of_a_blind_image_tell_nothing(workshop: Workshop, site: Browser) -> None:
    """Neither its file nor its renditions carry a name in their headers, or more than pixels."""
    item = next_item(site)
    assert item is not None
    record = workshop.item(item["id"]).record
    for kind in ("file", "rendition/screen", "rendition/tile"):
        response = site.get(f"/images/{item['id']}/{kind}?v={item['sha256']}", headers=ADA)
        assert response.status_code == 200
        told = str(response.headers).lower()
        name = record.path.rpartition("/")[2]
        assert [
            each for each in (name, name.partition(".")[0], "football", "background", "filename") if each in told
        ] == []
        assert not any(part.encode() in response.content for part in (name, "football", "background"))


def test_a_blind_no_is_asked_again_by_program(workshop: Workshop, site: Browser) -> None:
    """``ask_again`` holds the boxes; a verdict on top of the first counts, and both are in the history."""
    while (item := next_item(site)) is not None and (workshop.item(item["id"]).record.score or 0) < 0.05:
        give(site, item, "negative")
    assert item is not None
    first = give(site, item, "negative")
    assert first["ask_again"][0]["class_name"] == "football"
    second = give(site, item, "positive", first["review_id"])
    assert (second["ask_again"], second["verdict"]) == (None, "positive")
    history = site.get(f"/api/images/{item['id']}").json()
    assert [review["verdict"] for review in history["reviews"]] == ["negative", "positive"]
    assert history["verdict"] == "positive"


@pytest.mark.parametrize("headers", [{}, HTMX], ids=["page", "block"])
def test_the_desk_shows_the_boxes_and_asks_once_more(
    workshop: Workshop, site: Browser, headers: dict[str, str]
) -> None:
    """With a script and without; the path stays hidden, and then another image comes."""
    for _ in range(12):
        page = site.get("/review?dataset=1&queue=audit", headers=ADA)
        image_id = int(re.search(r'action="/review/(\d+)"', page.text)[1])  # type: ignore[index]
        data = fields(page.text, f"/review/{image_id}") | {"verdict": "negative"}
        response = after(site, site.post(f"/review/{image_id}", data=data, headers=ADA | headers))
        if "You said no" in response.text:
            break
    assert f'action="/review/{image_id}"' in response.text
    assert "box-line" in response.text
    assert workshop.item(image_id).record.path not in response.text
    data = fields(response.text, f"/review/{image_id}") | {"verdict": "positive"}
    shown = after(site, site.post(f"/review/{image_id}", data=data, headers=ADA | headers))
    assert "You said no" not in shown.text
    assert f'action="/review/{image_id}"' not in shown.text
    assert workshop.item(image_id).record.verdict == "positive"


def test_undoing_a_blind_answer_shows_the_image_blind_again(workshop: Workshop, site: Browser) -> None:
    """Its name is not in what is said of it either."""
    page = site.get("/review?dataset=1", headers=ADA)
    image_id = int(re.search(r'action="/review/(\d+)"', page.text)[1])  # type: ignore[index]
    data = fields(page.text, f"/review/{image_id}") | {"verdict": "positive"}
    after(site, site.post(f"/review/{image_id}", data=data, headers=ADA | HTMX))
    back = site.post("/review/undo", data={"dataset": "1"}, headers=ADA | HTMX)
    assert f'action="/review/{image_id}"' in back.text
    assert 'name="blind"' in back.text
    assert workshop.item(image_id).record.path.rpartition("/")[2] not in back.text


def test_a_repeat_differs_in_nothing(workshop: Workshop, site: Browser) -> None:
    """But for the number of the latest row, which an answer must name, items are those of any blind item."""
    workshop.settings = workshop.settings.model_copy(
        update={"review": workshop.settings.review.model_copy(update={"audit_share": 0.4, "repeat_share": 0.2})}
    )
    repeating = Browser(workshop)
    workshop.fill({f"background/more-{number}.png": 5 + number for number in range(40)})
    workshop.scan(1)
    called = [item.record.id for path, item in workshop.items(1).items() if "more" in path][:10]
    for image_id in called:
        workshop.call(image_id, "negative", "Bob")
    workshop.clock.advance(1000)
    forms: dict[bool, set[tuple[tuple[str, bool], ...]]] = {True: set(), False: set()}
    for _ in range(30):
        got = repeating.get(f"/api/next?dataset=1&client={CLIENT}", headers=ADA)
        if got.status_code == 204:
            break
        [item] = got.json()["items"]
        record = workshop.item(item["id"]).record
        if item["path"] is None:
            told = [(name, value is None) for name, value in item.items() if name != "review_id"]
            forms[item["id"] in called].add(tuple(told))
            assert (item["review_id"] is not None) == (item["id"] in called)
        if item["review_id"] is not None:
            unseen = {"verdict": record.given.value, "seen_review_id": None}
            assert repeating.post(f"/api/images/{item['id']}/reviews", json=unseen, headers=ADA).status_code == 409
        given = give(repeating, item, record.given, item["review_id"])
        assert given["verdict"] == record.given
        reviewers = [each["reviewer"] for each in repeating.get(f"/api/images/{item['id']}").json()["reviews"]]
        assert reviewers == (["Bob", "Ada"] if item["id"] in called else ["Ada"])
    repeating.close()
    assert len(forms[True]) == 1
    assert forms[True] == forms[False]


def test_the_certificate_keeps_the_seed_to_itself(site: Browser) -> None:
    """Whoever knew it could tell what is drawn next; a digest of it is shown, to be compared afterwards."""
    audit = site.get("/api/datasets/1/certificate").json()["audit"]
    assert audit["seed"] is None
    assert len(audit["seed_sha256"]) == 64


def test_the_page_of_the_certificate(workshop: Workshop, site: Browser) -> None:
    """Before and after draws: the bound, its course, and what the goal takes."""
    for _ in range(5):
        item = next_item(site)
        assert item is not None
        give(site, item, workshop.item(item["id"]).record.given)
    page = site.get("/audit?dataset=1").text
    overall = site.get("/api/datasets/1/certificate").json()["overall"]
    assert f"{overall['rate_upper'] * 100:.2f} %" in page
    assert 'class="course-line"' in page
    assert "as soon as a worker has worked it out" in page
