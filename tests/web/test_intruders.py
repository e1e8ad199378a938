"""Ways in and around, as somebody with bad intent tries them: from outside, as a reviewer, from another site."""

from collections.abc import AsyncIterator, Callable, Iterator
from typing import Literal
from urllib.parse import urlencode

import httpx
import pytest
import structlog
from starlette.formparsers import FormParser

from app.config import LogSettings, Settings
from app.domain.accounts import Role
from app.logs import set_up_logs
from app.services.account_pages import view_access
from app.services.accounts import COMMAND_LINE, add_user, change_role, disable_user, list_users, reset_password
from app.storage.database import Database
from app.web.security import MAX_OPEN_BODY
from tests.parts import Browser, SetClock, Workshop

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


# Requests that are held open


async def trickle(body: bytes, between: Callable[[], None]) -> AsyncIterator[bytes]:
    """A body of which the last byte comes later, after something else has happened."""
    yield body[:-1]
    between()
    yield body[-1:]


def held_open(browser: Browser, url: str, data: dict[str, str], between: Callable[[], None]) -> httpx.Response:
    """Send a form whose end is held back."""
    headers = {"content-type": "application/x-www-form-urlencoded", **FORM}
    return browser.post(url, content=trickle(urlencode(data).encode(), between), headers=headers)


def test_a_request_held_open_outlives_no_account(workshop: Workshop, browser: Browser, people: dict[str, int]) -> None:
    """An admin who is disabled while the end of a form is held back has made no other admin with it."""
    enter(browser, "ada")
    add_user(workshop.database, workshop.clock, COMMAND_LINE, "eve", PASSWORD, Role.ADMIN)

    def shut_out() -> None:
        workshop.clock.advance(3600)
        disable_user(workshop.database, workshop.clock, COMMAND_LINE, people["ada"])

    wanted = {"name": "mallory", "password": PASSWORD, "again": PASSWORD, "role": "admin"}
    assert held_open(browser, "/admin/users", wanted, shut_out).status_code == 401
    assert [user.name for user in list_users(workshop.database)] == ["ada", "bob", "eve"]


def test_a_request_held_open_outlives_no_role(workshop: Workshop, browser: Browser, people: dict[str, int]) -> None:
    """Who is an admin no more while the end of a form is held back does nothing of an admin's."""
    enter(browser, "ada")
    add_user(workshop.database, workshop.clock, COMMAND_LINE, "eve", PASSWORD, Role.ADMIN)

    def demote() -> None:
        workshop.clock.advance(60)
        change_role(workshop.database, workshop.clock, COMMAND_LINE, people["ada"], Role.REVIEWER)

    answer = held_open(browser, f"/admin/users/{people['bob']}/role", {"role": "admin"}, demote)
    assert answer.status_code == 403
    assert {user.name: user.role for user in list_users(workshop.database)}["bob"] == "reviewer"


def test_a_request_held_open_makes_no_token(workshop: Workshop, bob: Browser, people: dict[str, int]) -> None:
    """A stolen session that ends with a new password has no token made in it that lives on."""

    def change() -> None:
        workshop.clock.advance(60)
        reset_password(workshop.database, workshop.clock, COMMAND_LINE, people["bob"], "another horse")

    assert held_open(bob, "/account/tokens", {"token": "mine"}, change).status_code == 401
    assert view_access(workshop.database, workshop.clock, None).tokens == ()


def test_a_verdict_held_open_is_no_ones(workshop: Workshop, bob: Browser, people: dict[str, int]) -> None:
    """Nor does a program give one with JSON that ends after its account did."""

    def shut_out() -> None:
        workshop.clock.advance(60)
        disable_user(workshop.database, workshop.clock, COMMAND_LINE, people["bob"])

    body = b'{"verdict": "positive", "seen_review_id": null}'
    headers = {"content-type": "application/json"}
    answer = bob.post("/api/images/1/reviews", content=trickle(body, shut_out), headers=headers)
    assert (answer.status_code, answer.headers["content-type"]) == (401, "application/problem+json")
    assert workshop.item(1).record.verdict is None


def test_a_slow_form_is_taken(workshop: Workshop, bob: Browser) -> None:
    """Somebody who is still in has only a slow line."""
    answer = held_open(bob, "/settings/theme", {"theme": "light"}, lambda: workshop.clock.advance(60))
    assert answer.status_code == 303


# Floods


@pytest.mark.parametrize("url", ["/login", "/setup"])
@pytest.mark.parametrize("length", [None, "said"])
def test_who_is_out_sends_little(browser: Browser, people: dict[str, int], url: str, length: str | None) -> None:
    """The forms that are open to everybody take what a name and a password need."""
    body = b"name=ada&password=" + b"x" * MAX_OPEN_BODY
    content = body if length else trickle(body, lambda: None)
    headers = {"content-type": "application/x-www-form-urlencoded", "sec-fetch-site": "same-origin"}
    answer = browser.post(url, content=content, headers=headers)
    assert (answer.status_code, str(MAX_OPEN_BODY) in answer.json()["detail"]) == (413, True)


def test_the_longest_name_and_password_fit(workshop: Workshop, browser: Browser) -> None:
    """Each sign of them takes up to twelve characters of a form."""
    name, password = "\N{SOCCER BALL}" * 80, "\N{GOAT}" * 1000
    add_user(workshop.database, workshop.clock, COMMAND_LINE, name, password, Role.ADMIN)
    answer = browser.post("/login", data={"name": name, "password": password, "next": "/grid"}, headers=FORM)
    assert (answer.status_code, answer.headers["location"]) == (303, "/grid")


def test_a_form_of_nothing_but_separators_is_not_read(bob: Browser, monkeypatch: pytest.MonkeyPatch) -> None:
    """A million empty fields would keep the one thread that serves everybody for seconds."""
    monkeypatch.setattr(FormParser, "parse", None)
    headers = {"content-type": "application/x-www-form-urlencoded", "sec-fetch-site": "same-origin"}
    answer = bob.post("/settings/theme", content=b"&" * 900_000, headers=headers)
    assert answer.status_code == 422
    assert answer.json()["errors"] == [{"loc": "body", "msg": "a form has at most 1000 fields"}]


def test_a_problem_is_no_larger_than_what_caused_it(bob: Browser) -> None:
    """Of ninety thousand wrong fields the first are named, and the rest counted."""
    body = (
        b'{"verdict":"positive","seen_review_id":null,' + b",".join(b'"%d":0' % each for each in range(90_000)) + b"}"
    )
    answer = bob.post("/api/images/1/reviews", content=body, headers={"content-type": "application/json"})
    assert (answer.status_code, len(answer.json()["errors"])) == (422, 20)
    assert answer.json()["detail"].endswith("; and 89980 more")
    long = bob.post("/api/images/1/reviews", json={"verdict": "positive", "seen_review_id": None, "x" * 500_000: 0})
    assert (long.status_code, len(long.content) < 1000) == (422, True)


# Numbers and cookies


@pytest.mark.parametrize("image", ["9" * 30, str((1 << 63) + 1), "-1", "0"])
def test_a_disagreement_that_cannot_be_is_none(bob: Browser, image: str) -> None:
    """A number that no database can hold is no image's."""
    assert bob.get(f"/conflicts?dataset=1&image={image}").status_code == 200


@pytest.mark.parametrize("value", ["%5B" * 20_000, "%7B", "1", "%ff"])
def test_a_cookie_of_keys_that_is_not_ours_counts_for_nothing(browser: Browser, value: str) -> None:
    """Another server on this host can set it."""
    browser.client.cookies.set("touchline_keys", value)
    assert browser.get("/settings/keys").status_code == 200


# What is told to those who are out


def test_a_probe_tells_no_stranger_where_the_database_is(
    workshop: Workshop, settings: Settings, clock: SetClock, capsys: pytest.CaptureFixture[str]
) -> None:
    """A driver's message may name host, account and database: it is logged, and not sent."""
    (workshop.folder / "folder.db").mkdir()
    database = Database(f"sqlite:///{workshop.folder / 'folder.db'}")
    browser = Browser(Workshop(workshop.folder, database, settings, clock))
    answer = browser.get("/readyz")
    browser.close()
    database.dispose()
    assert (answer.status_code, "unable to open" in answer.text) == (503, False)
    assert answer.json()["detail"] == "the database does not answer; the server's log says why"
    assert "unable to open" in "".join(capsys.readouterr())


# Logs


@pytest.mark.parametrize("format_", ["text", "json"])
def test_a_log_has_a_line_an_event(capsys: pytest.CaptureFixture[str], format_: Literal["text", "json"]) -> None:
    """What a stranger sends, such as a path, neither begins one nor reaches the terminal as a command."""
    before = structlog.get_config()
    set_up_logs(LogSettings(format=format_))
    try:
        structlog.get_logger().error("a request failed", path="/a\x1b[2J\x07\x9b", reason="x\nforged")
    finally:
        structlog.configure(**before)
    said = capsys.readouterr().err
    assert (len(said.splitlines()), bool(set("\x1b\x07\x9b") & set(said))) == (1, False)
