"""Ways in and around that somebody with bad intent tried: from outside, as a reviewer, or with a page of another site."""

from collections.abc import Iterator

import httpx
import pytest

from app.domain.accounts import Role
from app.services.accounts import COMMAND_LINE, add_user
from tests.parts import Browser, Workshop

PASSWORD = "correct horse"
HTML = {"accept": "text/html"}
FORM = {**HTML, "sec-fetch-site": "same-origin"}
FILES = {"football/a.png": 250, "football/b.png": 0, "background/c.png": 240}


@pytest.fixture
def people(workshop: Workshop) -> dict[str, int]:
    """An admin and a reviewer."""
    given = (workshop.database, workshop.clock, COMMAND_LINE)
    return {
        "ada": add_user(*given, "ada", PASSWORD, Role.ADMIN).id,
        "bob": add_user(*given, "bob", PASSWORD, Role.REVIEWER).id,
    }


@pytest.fixture
def bob(workshop: Workshop, people: dict[str, int]) -> Iterator[Browser]:
    """The reviewer's browser, over one scanned dataset."""
    workshop.ready(FILES)
    opened = Browser(workshop)
    enter(opened, "bob")
    yield opened
    opened.close()


def enter(browser: Browser, name: str) -> httpx.Response:
    """Sign in by the form, and keep the cookie."""
    answer = browser.post("/login", data={"name": name, "password": PASSWORD}, headers=FORM)
    assert answer.status_code == 303, answer.text[:400]
    return answer


# Pages of other sites


@pytest.mark.parametrize("site", ["cross-site", "same-site"])
@pytest.mark.parametrize(
    "headers",
    [
        {"sec-fetch-mode": "no-cors", "sec-fetch-dest": "image"},
        {"sec-fetch-mode": "navigate", "sec-fetch-dest": "iframe"},
    ],
    ids=["image", "frame"],
)
@pytest.mark.parametrize("url", ["/", "/second", "/conflicts", "/images/1/crop/0-0-10", "/images/1/file", "/review"])
def test_another_site_embeds_nothing(bob: Browser, url: str, site: str, headers: dict[str, str]) -> None:
    """A page on another port of the same host is another site too, and its requests do carry the cookie."""
    answer = bob.get(url, headers={"sec-fetch-site": site, **headers})
    assert (answer.status_code, answer.headers["content-type"]) == (403, "application/problem+json")


@pytest.mark.parametrize("site", ["cross-site", "same-site", "same-origin", "none"])
def test_a_link_from_anywhere_leads_here(bob: Browser, site: str) -> None:
    """A person who follows one navigates, and may."""
    headers = {"sec-fetch-site": site, "sec-fetch-mode": "navigate", "sec-fetch-dest": "document"}
    assert bob.get("/second", headers=headers | HTML).status_code == 200


def test_a_probe_is_answered_whoever_asks(bob: Browser) -> None:
    """What watches over servers may be a page."""
    assert bob.get("/healthz", headers={"sec-fetch-site": "cross-site", "sec-fetch-mode": "cors"}).status_code == 200
