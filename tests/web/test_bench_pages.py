"""The pages that ``touchline bench review`` times: all there are, and each of them answers."""

import re
from collections.abc import Iterator

import pytest

from app.cli.bench_review import PAGES
from app.web.app import PAGES as MODULES
from tests.parts import Browser, Workshop

FILES = {"football/yes.png": 250, "football/none.png": 0, "background/no.png": 0, "background/hot.png": 240}
#: what is no page, or answers nobody there: the benchmark's server has no accounts
LEFT_OUT = {
    "/account",
    "/admin/access",
    "/admin/activity",
    "/login",
    "/setup",
    "/report/download",
    "/datasets/{}/verdicts.csv",
}


@pytest.fixture
def site(workshop: Workshop, browser: Browser) -> Iterator[Browser]:
    """A scanned dataset of which one image is called."""
    workshop.ready(FILES)
    workshop.call(workshop.image_id(1, "background/hot.png"), "positive", "bench")
    yield browser
    assert browser.get("/healthz").status_code == 200


def shape(path: str) -> str:
    """A path without its query and what stands for an id."""
    return re.sub(r"\{\w+\}|(?<=/)\d+", "{}", path.partition("?")[0])


@pytest.mark.parametrize("path", PAGES)
def test_each_page_answers(site: Browser, path: str) -> None:
    """200: what is timed is the page, and no refusal."""
    page = site.get(path.replace("{id}", "1").replace("{middle}", "2"), headers={"Cookie": "touchline_reviewer=bench"})
    assert page.status_code == 200


def test_no_page_is_left_out() -> None:
    """Every route that a browser can open is timed, or named as left out."""
    routes = [route for module in MODULES for route in module.router.routes if "GET" in getattr(route, "methods", ())]
    there = {shape(str(route.path)) for route in routes}  # type: ignore[attr-defined]
    assert there - {shape(path) for path in PAGES} == LEFT_OUT


def test_what_is_left_out_is_there_for_nobody(site: Browser) -> None:
    """Without accounts these lead elsewhere."""
    for path in ("/account", "/admin/access", "/admin/activity"):
        assert site.get(path).status_code != 200, path


def test_both_halves_of_reviewed_are_timed(site: Browser) -> None:
    """Called images and those that are not, together all of them."""
    called, open_ones = (
        set(re.findall(r'href="/images/(\d+)', site.get(path).text)) for path in PAGES if "reviewed=" in path
    )
    assert (len(called), len(open_ones)) == (1, 3)
    assert called.isdisjoint(open_ones)
