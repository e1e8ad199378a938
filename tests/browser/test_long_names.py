"""A name of any length stays inside a narrow screen."""

import json
from collections.abc import Callable, Iterator

import pytest
from playwright.sync_api import Page

from tests.browser.conftest import Server, Tab, serving
from tests.browser.looking import find_violations

NAME = "stadium-frames-of-the-second-half-" * 5
PAGES = ("/", "/scans", "/datasets/{}/files", "/datasets/{}/guidelines", "/datasets/{}/reviewing", "/stats?dataset={}")
MORE = (
    "/datasets/{}",
    "/scans/1",
    "/images?dataset={}",
    "/export?dataset={}",
    "/review?dataset={}",
    "/audit?dataset={}",
    "/clean?dataset={}",
    "/report?dataset={}",
    "/duplicates?dataset={}",
)


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    """A server of its own: the name would stand on the pages of the other tests."""
    with serving(tmp_path_factory.mktemp("names"), "--no-worker") as running:
        yield running


def test_a_long_name_does_not_widen_a_page(server: Server, open_tab: Callable[..., Tab]) -> None:
    """On 390 pixels no page scrolls sideways, whatever the dataset is called."""
    server.run("demo", "--images", "8", "--seed", "3", "--dest", str(server.data / "demo"))
    dataset = json.loads(server.run("add", str(server.data / "demo"), "--name", NAME, "--json"))
    server.run("scan", NAME)
    page = open_tab(viewport={"width": 390, "height": 844}).page
    assert find_wide(page, dataset["id"]) == {}
    server.run("worker", "--once")  # a scan that has ended leaves other buttons than one that waits
    assert find_wide(page, dataset["id"]) == {}


def find_wide(page: Page, dataset: int) -> dict[str, list[str]]:
    """The pages that are too wide, or otherwise not accessible."""
    wide = {}
    for path in (*PAGES, *MORE):
        page.goto(path.format(dataset))
        assert NAME in page.content()
        if found := find_violations(page):
            wide[path] = found
    return wide
