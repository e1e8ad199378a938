"""Draws in a real browser: nothing gives the answer away, and what the detector sees is asked about once more."""

import json
import re
import urllib.request
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any
from uuid import uuid4

import pytest
from playwright.sync_api import Page, Response, expect

from tests.browser.conftest import Server, Tab, serving
from tests.browser.looking import find_violations
from tests.browser.test_whole_loop import press


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    """A server of these tests' own: what waits for a blind answer, and a dataset more, are not for the others."""
    shares = {"TOUCHLINE_REVIEW__AUDIT_SHARE": "0.4", "TOUCHLINE_REVIEW__REPEAT_SHARE": "0.2"}
    with serving(tmp_path_factory.mktemp("audits"), **shares) as running:
        yield running


@pytest.fixture
def drawn(server: Server) -> dict[str, Any]:
    """A scanned dataset of this test's own."""
    return make_dataset(server, 24)


def make_dataset(server: Server, images: int) -> dict[str, Any]:
    """A demo of so many images, registered and scanned."""
    root = server.data / f"audit-{uuid4().hex[:6]}"
    server.run("demo", "--images", str(images), "--seed", "6", "--dest", str(root))
    dataset: dict[str, Any] = json.loads(server.run("add", str(root), "--name", root.name, "--json"))
    server.run("scan", root.name, "--wait", "--json")
    return dataset


def image_on(page: Page) -> int:
    """The image that the card's form answers for."""
    action = page.locator("[data-verdict-form]").get_attribute("action") or ""
    return int(action.rpartition("/")[2])


def told_by(page: Page, heard: list[Response], known: dict[str, Any]) -> list[str]:
    """What of an image is found in the page as it stands, or in any address, header or text that came for it."""
    said = [page.content(), page.url]
    for response in heard:
        said += [response.url, str(response.headers)]
        if "image/" not in response.headers.get("content-type", ""):
            said.append(response.text())
    name = known["path"].rpartition("/")[2]
    hidden = [known["path"], name, name.partition(".")[0], "filed as", "box-line", f"/images/{known['id']}/file"]
    hidden += [f"{known['score']:.2f}</", f"/images/{known['id']}?"]
    return [each for each in hidden if any(each in text for text in said)]


def test_a_blind_image_tells_nothing_until_it_is_answered(
    server: Server, drawn: dict[str, Any], open_tab: Callable[..., Tab]
) -> None:
    """Page, source, addresses, headers and pictures of five draws; axe in both themes, wide and narrow."""
    page = open_tab(reviewer="Ada").page
    heard: list[Response] = []
    page.on("response", lambda response: heard.append(response) if "/static/" not in response.url else None)
    page.goto(f"/review?dataset={drawn['id']}&queue=audit")
    for theme, width in (("dark", 1440), ("light", 390)):
        page.set_viewport_size({"width": width, "height": 844})
        page.evaluate("theme => { document.documentElement.dataset.theme = theme; }", theme)
        assert find_violations(page) == []
    page.set_viewport_size({"width": 1440, "height": 900})
    for _ in range(5):
        page.wait_for_load_state("networkidle")
        known = server.get(f"/api/images/{image_on(page)}")
        assert told_by(page, heard, known) == []
        heard.clear()
        before = image_on(page)
        press(page, "1")
        expect(page.locator(f'form[action="/review/{before}"]')).to_have_count(0)


def form_on(page: Page) -> str:
    """The card's form without the numbers that each image has of its own."""
    form: str = page.locator("[data-verdict-form]").evaluate("form => form.outerHTML")
    return re.sub(r"[0-9a-f]{8}-[0-9a-f-]{27}|(?<=/review/)[0-9]+", "#", form)


def test_a_repeat_tells_nothing_until_it_is_answered(
    server: Server, tmp_path: Path, open_tab: Callable[..., Tab]
) -> None:
    """What Bob called comes to Ada among other work: page, source, addresses and headers are those of any blind one."""
    dataset = make_dataset(server, 60)
    page = open_tab(reviewer="Ada").page
    heard: list[Response] = []
    page.on("response", lambda response: heard.append(response) if "/static/" not in response.url else None)
    items = server.get(f"/api/images?dataset={dataset['id']}&limit=100&given=background")["items"]
    called = {item["id"] for item in items[-8:]}
    rows = [f"{item['path']},negative,Bob,2026-01-01T00:00:00Z" for item in items[-8:]]
    (tmp_path / "bob.csv").write_text("\n".join(["path,verdict,reviewer,reviewed_at", *rows]), encoding="utf-8")
    server.run("import-reviews", dataset["name"], str(tmp_path / "bob.csv"))
    request = urllib.request.Request(
        f"{server.base}/api/datasets/{dataset['id']}/threshold",
        data=b'{"threshold": 0.9999}',
        headers={"Content-Type": "application/json"},
    )
    urllib.request.urlopen(request, timeout=30).close()  # so that nearly all of one folder is flagged
    page.wait_for_timeout(2500)  # longer than the lease, within which nothing is asked again
    page.goto(f"/review?dataset={dataset['id']}")
    forms: set[str] = set()
    for _ in range(60):
        page.wait_for_load_state("networkidle")
        before = image_on(page)
        if before in called:
            break
        if page.locator("[name=blind]").count():
            forms.add(form_on(page))
        heard.clear()
        press(page, "1")
        expect(page.locator(f'form[action="/review/{before}"]')).to_have_count(0)
    assert before in called
    assert told_by(page, heard, server.get(f"/api/images/{before}")) == []
    assert "Bob" not in page.content()
    forms.add(form_on(page))
    assert len(forms) == 1
    press(page, "2")
    expect(page.locator("#live")).to_contain_text("Saved")
    expect(page.locator(f'form[action="/review/{before}"]')).to_have_count(0)
    reviews = server.get(f"/api/images/{before}")["reviews"]
    assert [(each["reviewer"], each["verdict"]) for each in reviews] == [("Bob", "negative"), ("Ada", "negative")]
    page.goto(f"/audit?dataset={dataset['id']}")
    expect(page.get_by_text("The queue asked once more, blind, about")).to_be_visible()
    assert find_violations(page) == []


def test_a_no_is_asked_again_where_the_detector_sees_something(
    server: Server, drawn: dict[str, Any], open_tab: Callable[..., Tab]
) -> None:
    """By keys: no, then the boxes, then yes; the yes counts. The page of the certificate then has a course."""
    page = open_tab(reviewer="Ada").page
    page.goto(f"/review?dataset={drawn['id']}&queue=audit")
    for _ in range(24):
        number = image_on(page)
        press(page, "2")
        expect(page.locator("#live")).to_contain_text("Saved")
        if page.get_by_text("You said no").count():
            break
        expect(page.locator(f'form[action="/review/{number}"]')).to_have_count(0)
    assert image_on(page) == number
    assert page.locator(".box-line").count() >= 1
    assert find_violations(page) == []
    press(page, "1")
    expect(page.locator(f'form[action="/review/{number}"]')).to_have_count(0)
    reviews = server.get(f"/api/images/{number}")["reviews"]
    assert [review["verdict"] for review in reviews] == ["negative", "positive"]
    press(page, "1")
    press(page, "1")
    page.goto(f"/audit?dataset={drawn['id']}")
    expect(page.get_by_role("heading", level=1)).to_have_text("What is still wrong")
    expect(page.locator(".course-line")).to_have_count(1)
    assert find_violations(page) == []
