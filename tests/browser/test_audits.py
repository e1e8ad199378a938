"""Draws in a real browser: nothing gives the answer away, and what the detector sees is asked about once more."""

import json
from collections.abc import Callable, Iterator
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
    with serving(tmp_path_factory.mktemp("audits")) as running:
        yield running


@pytest.fixture
def drawn(server: Server) -> dict[str, Any]:
    """A scanned dataset of this test's own."""
    root = server.data / f"audit-{uuid4().hex[:6]}"
    server.run("demo", "--images", "24", "--seed", "6", "--dest", str(root))
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
