"""Signing in over HTTP: who gets in, who does what, and the ways around it that are shut."""

import re
from collections.abc import Iterator
from typing import Any

import httpx
import pytest
from fastapi.routing import APIRoute
from sqlalchemy import text

from app.config import ServerSettings, Settings
from app.domain.accounts import RULES, SESSION_IDLE, Activity, Right, Role
from app.services.account_pages import view_activity
from app.services.accounts import COMMAND_LINE, add_user, change_role, disable_user
from app.services.setting_up import prepare_accounts
from app.web import health, media
from app.web.app import APIS, PAGES
from app.web.forms import safe_next
from tests.parts import Browser, Workshop, new_request_id

PASSWORD = "correct horse"
HTML = {"accept": "text/html,application/xhtml+xml"}
FORM = {**HTML, "sec-fetch-site": "same-origin"}
ROUTES = sorted(
    (method, route.path)
    for module in (health, media, *APIS, *PAGES)
    for route in module.router.routes
    if isinstance(route, APIRoute)
    for method in route.methods
)


@pytest.fixture
def people(workshop: Workshop) -> dict[str, int]:
    """An admin and a reviewer."""
    given = (workshop.database, workshop.clock, COMMAND_LINE)
    return {
        "ada": add_user(*given, "ada", PASSWORD, Role.ADMIN).id,
        "bob": add_user(*given, "bob", PASSWORD, Role.REVIEWER).id,
    }


def public_settings(workshop: Workshop) -> Settings:
    """Settings of a server that others can reach."""
    return workshop.settings.model_copy(update={"server": ServerSettings(host="0.0.0.0")})


@pytest.fixture
def public(workshop: Workshop) -> Iterator[Browser]:
    """A browser before a server that others can reach."""
    opened = Browser(workshop, public_settings(workshop))
    yield opened
    opened.close()


def enter(browser: Browser, name: str, password: str = PASSWORD, **values: Any) -> httpx.Response:
    """Sign in by the form, and keep the cookie."""
    return browser.post("/login", data={"name": name, "password": password, **values}, headers=FORM)


def token_of(browser: Browser) -> str:
    """Make an API token on the account page, and read it there."""
    answer = browser.post("/account/tokens", data={"token": "nightly"}, headers=FORM)
    assert answer.status_code == 201
    found = re.search(r"<code data-token>(tl_[\w-]+)</code>", answer.text)
    assert found is not None
    return found[1]


def bearer(token: str) -> dict[str, str]:
    """The header that carries a token."""
    return {"authorization": f"Bearer {token}"}


def cookie_of(browser: Browser) -> str | None:
    """The session that the browser holds."""
    return browser.client.cookies.get("touchline_session")


def actions(workshop: Workshop) -> list[str]:
    """What the activity log says, oldest first."""
    return [each.action for each in reversed(view_activity(workshop.database, None).entries)]


# -- the table of rights -------------------------------------------------------------------------------------------


def test_every_route_says_who_may_call_it() -> None:
    """A route without an entry, or an entry without a route, is a mistake of ours."""
    assert sorted(RULES) == ROUTES


def test_the_routes_of_the_table_are_those_that_answer(workshop: Workshop, browser: Browser) -> None:
    """Nothing else is mounted but the assets and the description of the API."""
    described = browser.get("/openapi.json").json()["paths"]
    listed = {path for _, path in RULES}
    assert set(described) <= listed


def fill(path: str) -> str:
    """A path with something in the place of each parameter."""
    return re.sub(r"\{(\w+)\}", lambda found: "tile" if found[1] == "size" else "1", path)


@pytest.mark.parametrize(("method", "path"), ROUTES)
def test_without_an_account_nothing_is_asked(browser: Browser, method: str, path: str) -> None:
    """On a server that only this machine reaches, every route answers as if there were no accounts."""
    assert browser.request(method, fill(path), headers=FORM).status_code not in (401, 403)


@pytest.mark.parametrize(("method", "path"), [key for key in ROUTES if RULES[key].right is not Right.OPEN])
def test_who_is_not_in_gets_nothing(browser: Browser, people: dict[str, int], method: str, path: str) -> None:
    """A program is told how to sign in, a page is led there, a block leads its page there."""
    url = fill(path)
    program = browser.request(method, url)
    assert program.status_code == 401
    assert program.headers["content-type"] == "application/problem+json"
    assert program.headers["www-authenticate"] == "Bearer"
    block = browser.request(method, url, headers={"hx-request": "true", **FORM})
    assert (block.status_code, block.headers["hx-redirect"][:6], block.text) == (401, "/login", "")
    page = browser.request(method, url, headers=FORM)
    if url.startswith("/api/"):
        assert page.status_code == 401
    else:
        assert (page.status_code, page.headers["location"].split("?")[0]) == (303, "/login")
    for wrong in ("tl_guess", "", "x" * 9000):
        refused = browser.request(method, url, headers=bearer(wrong))
        assert (refused.status_code, refused.headers["www-authenticate"]) == (401, 'Bearer error="invalid_token"')


@pytest.fixture(scope="module")
def wanting_admin() -> list[tuple[str, str]]:
    """The routes that are no reviewer's."""
    return [key for key in ROUTES if RULES[key].right in (Right.ADMINISTER, Right.MANAGE)]


def test_a_reviewer_is_refused_what_is_an_admins(
    workshop: Workshop, browser: Browser, people: dict[str, int], wanting_admin: list[tuple[str, str]]
) -> None:
    """Each such route, by session and by token, before its body is looked at; the same token of an admin passes."""
    enter(browser, "bob")
    token = token_of(browser)
    before = actions(workshop)
    assert len(wanting_admin) > 30
    for method, path in wanting_admin:
        by_session = browser.request(method, fill(path), headers=FORM, content=b"{not json")
        assert by_session.status_code == 403, (method, path)
    browser.client.cookies.clear()
    for method, path in wanting_admin:
        by_token = browser.request(method, fill(path), headers=bearer(token))
        assert by_token.status_code == 403, (method, path)
        assert by_token.json()["title"] == "Forbidden"
    assert actions(workshop) == before


def test_a_token_does_not_reach_accounts(browser: Browser, people: dict[str, int]) -> None:
    """Not even an admin's: who finds one cannot make himself another, nor a password."""
    enter(browser, "ada")
    token = token_of(browser)
    browser.client.cookies.clear()
    keeping = [key for key in ROUTES if RULES[key].right in (Right.OWN, Right.MANAGE)]
    assert len(keeping) > 10
    for method, path in keeping:
        assert browser.request(method, fill(path), headers=bearer(token)).status_code == 403, (method, path)


def test_an_admin_passes_everywhere(browser: Browser, people: dict[str, int]) -> None:
    """Whatever the route then says of what was sent."""
    enter(browser, "ada")
    leaving = {
        ("POST", "/logout"),
        ("POST", "/admin/users/{user_id}/disable"),
        ("POST", "/admin/sessions/{session_id}/end"),
        ("POST", "/account/sessions/{session_id}/end"),
    }
    for method, path in ROUTES:
        if (method, path) not in leaving and RULES[method, path].right is not Right.OPEN:
            assert browser.request(method, fill(path), headers=FORM).status_code not in (401, 403), (method, path)


def test_a_path_that_is_none_tells_nothing(browser: Browser, people: dict[str, int]) -> None:
    """Outside one must sign in for it too; inside it is not found."""
    assert browser.get("/no-such-page", headers=HTML).headers["location"] == "/login?next=%2Fno-such-page"
    assert browser.get("/api/no-such").status_code == 401
    enter(browser, "bob")
    assert browser.get("/no-such-page", headers=HTML).status_code == 404


@pytest.mark.parametrize(
    "path", ["//api/exports", "/api//exports", "/clean/", "/%63lean/1/apply", "/./clean", "/static/../clean"]
)
def test_another_spelling_of_a_path_is_no_way_around(browser: Browser, people: dict[str, int], path: str) -> None:
    """It is that path, or none."""
    enter(browser, "bob")
    for method in ("GET", "POST"):
        answer = browser.request(method, path, headers=FORM)
        assert answer.status_code in (307, 403, 404, 405), answer.status_code


# -- signing in ------------------------------------------------------------------------------------------------------


def test_the_way_in_and_back(browser: Browser, people: dict[str, int]) -> None:
    """From a page to the form, in, and to that page with its query."""
    led = browser.get("/images?flag=disagreement&order=path", headers=HTML)
    assert led.headers["location"] == "/login?next=%2Fimages%3Fflag%3Ddisagreement%26order%3Dpath"
    form = browser.get(led.headers["location"], headers=HTML)
    assert form.status_code == 200
    assert 'value="/images?flag=disagreement&amp;order=path"' in form.text
    done = enter(browser, "ada", next="/images?flag=disagreement&order=path")
    assert (done.status_code, done.headers["location"]) == (303, "/images?flag=disagreement&order=path")
    assert browser.get("/images", headers=HTML).status_code == 200
    assert browser.get("/login?next=/stats", headers=HTML).headers["location"] == "/stats"


def test_a_block_leads_back_to_its_page(browser: Browser, people: dict[str, int]) -> None:
    """And never to a page of another server."""
    for current, target in (
        ("http://127.0.0.1:8000/review?image=3", "/login?next=%2Freview%3Fimage%3D3"),
        ("http://evil.example/review", "/login"),
        ("http://127.0.0.1:8000//evil.example", "/login"),
        ("http://[", "/login"),
    ):
        answer = browser.post("/review/1", headers={"hx-request": "true", "hx-current-url": current, **FORM})
        assert answer.headers["hx-redirect"] == target


@pytest.mark.parametrize(
    "target",
    [
        "https://evil.example",
        "//evil.example",
        "/\\evil.example",
        "/\t/evil.example",
        "/\r\n/evil.example",
        "/a\\..\\evil",
        "javascript:alert(1)",
        "evil.example",
        "///evil.example",
        "http:evil",
        "/\x7f/evil",
    ],
)
def test_next_leads_nowhere_else(browser: Browser, people: dict[str, int], target: str) -> None:
    """Neither for those who are in already nor after signing in."""
    assert safe_next(target) == "/"
    assert enter(browser, "ada", next=target).headers["location"] == "/"
    assert browser.get("/login", params={"next": target}, headers=HTML).headers["location"] == "/"


@pytest.mark.parametrize(("scheme", "secure"), [("http", False), ("https", True)])
def test_the_cookie_is_kept_from_scripts_and_other_sites(
    browser: Browser, people: dict[str, int], scheme: str, secure: bool
) -> None:
    """HttpOnly, SameSite, for the whole site, and over https for https alone."""
    answer = browser.post(f"{scheme}://127.0.0.1:8000/login", data={"name": "ada", "password": PASSWORD}, headers=FORM)
    cookie = answer.headers["set-cookie"].lower()
    assert all(part in cookie for part in ("touchline_session=", "httponly", "samesite=lax", "path=/"))
    assert ("secure" in cookie) is secure
    assert "domain" not in cookie


def test_a_session_that_was_put_into_a_browser_is_no_ones(
    workshop: Workshop, browser: Browser, people: dict[str, int]
) -> None:
    """Session fixation: signing in takes a new id, and the one that was there is worth nothing."""
    browser.client.cookies.set("touchline_session", "chosen-by-eve", domain="127.0.0.1")
    enter(browser, "ada")
    given = [cookie.value for cookie in browser.client.cookies.jar if cookie.name == "touchline_session"]
    assert [value for value in given if value != "chosen-by-eve"]
    eve = Browser(workshop)
    eve.client.cookies.set("touchline_session", "chosen-by-eve")
    assert eve.get("/stats", headers=HTML).status_code == 303
    eve.close()


def test_a_live_session_ends_when_another_signs_in_over_it(
    workshop: Workshop, browser: Browser, people: dict[str, int]
) -> None:
    """The one who planted his own session does not stay in beside the other."""
    enter(browser, "bob")
    planted = cookie_of(browser)
    enter(browser, "ada")
    assert cookie_of(browser) != planted
    eve = Browser(workshop)
    eve.client.cookies.set("touchline_session", planted or "")
    assert eve.get("/stats", headers=HTML).status_code == 303
    eve.close()


def test_signing_out(browser: Browser, people: dict[str, int]) -> None:
    """Ends the session on the server too: the cookie, kept, is worth nothing."""
    enter(browser, "ada")
    kept = cookie_of(browser)
    answer = browser.post("/logout", headers=FORM)
    assert (answer.status_code, answer.headers["location"], cookie_of(browser)) == (303, "/login", None)
    browser.client.cookies.set("touchline_session", kept or "")
    assert browser.get("/", headers=HTML).status_code == 303
    assert browser.post("/logout", headers=FORM).status_code == 303


def test_a_wrong_sign_in_tells_nothing(browser: Browser, people: dict[str, int]) -> None:
    """The same page for a wrong password and for a name that is not there, and never the password."""
    pages = [enter(browser, name, "wrong password") for name in ("ada", "eve")]
    assert [page.status_code for page in pages] == [401, 401]
    assert pages[0].text.replace("ada", "eve") == pages[1].text
    assert "Name or password is wrong" in pages[0].text
    assert "wrong password" not in pages[0].text
    assert "set-cookie" not in pages[0].headers or "touchline_session" not in pages[0].headers["set-cookie"]


def test_too_many_wrong_ones_wait(workshop: Workshop, browser: Browser, people: dict[str, int]) -> None:
    """429 with the seconds; after them the right password is taken."""
    for _ in range(5):
        assert enter(browser, "ada", "wrong password").status_code == 401
    refused = enter(browser, "ada")
    assert refused.status_code == 429
    assert f"try again in {refused.headers['retry-after']} s" in refused.text
    assert enter(browser, "bob").status_code == 303
    browser.post("/logout", headers=FORM)
    workshop.clock.advance(int(refused.headers["retry-after"]))
    assert enter(browser, "ada").status_code == 303


@pytest.mark.parametrize(
    "headers", [{"sec-fetch-site": "cross-site"}, {"sec-fetch-site": "same-site"}, {"origin": "http://evil.example"}]
)
def test_another_site_signs_nobody_in_or_out(browser: Browser, people: dict[str, int], headers: dict[str, str]) -> None:
    """Login CSRF: a page of another site cannot make this browser somebody else's, nor end its session."""
    data = {"name": "bob", "password": PASSWORD}
    assert browser.post("/login", data=data, headers=headers).status_code == 403
    assert cookie_of(browser) is None
    enter(browser, "ada")
    assert browser.post("/logout", headers=headers).status_code == 403
    token = token_of(browser)
    assert browser.post("/scan", json={"dataset": 1}, headers={**bearer(token), **headers}).status_code == 403


def test_a_session_that_ran_out(workshop: Workshop, browser: Browser, people: dict[str, int]) -> None:
    """Is led to the form as any other."""
    enter(browser, "ada")
    workshop.clock.advance(SESSION_IDLE.total_seconds() + 1)
    assert browser.get("/", headers=HTML).status_code == 303


def test_a_disabled_user_is_out_at_once(workshop: Workshop, browser: Browser, people: dict[str, int]) -> None:
    """By session, by token and by the form."""
    enter(browser, "bob")
    token = token_of(browser)
    disable_user(workshop.database, workshop.clock, COMMAND_LINE, people["bob"])
    assert browser.get("/", headers=HTML).status_code == 303
    assert browser.get("/api/datasets", headers=bearer(token)).status_code == 401
    assert enter(browser, "bob").status_code == 401


# -- API tokens ------------------------------------------------------------------------------------------------------


def test_a_token_reads_and_writes_as_its_owner(workshop: Workshop, browser: Browser, people: dict[str, int]) -> None:
    """Without a cookie; the verdict carries the account's name; revoked, it is worth nothing."""
    view = workshop.ready({"football/a.png": 250, "background/b.png": 250})
    enter(browser, "bob")
    token = token_of(browser)
    shown_again = browser.get("/account", headers=HTML).text
    browser.client.cookies.clear()
    image_id = workshop.image_id(view.id, "background/b.png")
    body = {"verdict": "positive", "seen_review_id": None, "request_id": new_request_id()}
    for scheme in ("Bearer", "bearer"):
        given = browser.post(
            f"/api/images/{image_id}/reviews", json=body, headers={"authorization": f"{scheme} {token}"}
        )
        assert given.json()["reviewer"] == "bob"
    assert token not in shown_again
    assert browser.get("/metrics", headers=bearer(token)).status_code == 200
    enter(browser, "bob")
    revoked = re.search(r"/account/tokens/(\d+)/revoke", browser.get("/account", headers=HTML).text)
    assert revoked is not None
    assert browser.post(revoked[0], headers=FORM).status_code == 303
    browser.client.cookies.clear()
    assert browser.get("/api/datasets", headers=bearer(token)).status_code == 401


def test_a_token_counts_in_its_header_alone(browser: Browser, people: dict[str, int]) -> None:
    """Not in the query, which lands in logs and histories, not in a cookie, not in a form, not as a password."""
    enter(browser, "ada")
    token = token_of(browser)
    session = cookie_of(browser) or ""
    browser.client.cookies.clear()
    assert browser.get(f"/api/datasets?token={token}&access_token={token}").status_code == 401
    assert browser.get("/api/datasets", headers={"authorization": f"Basic {token}"}).status_code == 401
    assert browser.get("/api/datasets", headers=bearer(session)).status_code == 401
    browser.client.cookies.set("touchline_session", token)
    assert browser.get("/api/datasets").status_code == 401
    browser.client.cookies.clear()
    assert enter(browser, "ada", token).status_code == 401


def test_a_bad_token_is_not_saved_by_a_session(browser: Browser, people: dict[str, int]) -> None:
    """Whoever sends one means it."""
    enter(browser, "ada")
    assert browser.get("/api/datasets").status_code == 200
    assert browser.get("/api/datasets", headers=bearer("tl_old")).status_code == 401


# -- names -----------------------------------------------------------------------------------------------------------


def test_a_verdict_carries_the_account_and_nothing_else(workshop: Workshop, people: dict[str, int]) -> None:
    """Neither the cookie of the time before accounts nor TOUCHLINE_REVIEWER; the form that asks for a name is gone."""
    view = workshop.ready({"football/a.png": 250, "background/b.png": 250})
    settings = workshop.settings.model_copy(update={"reviewer": "fixed"})
    browser = Browser(workshop, settings)
    browser.client.cookies.set("touchline_reviewer", "eve")
    enter(browser, "bob")
    assert "Who is reviewing?" not in browser.get(f"/review?dataset={view.id}", headers=HTML).text
    image_id = workshop.image_id(view.id, "background/b.png")
    data = {"dataset": str(view.id), "verdict": "positive", "seen_review_id": "", "reviewer": "eve"}
    assert browser.post(f"/review/{image_id}", data=data, headers=FORM).status_code == 303
    assert browser.post("/settings/reviewer", data={"name": "eve"}, headers=FORM).status_code == 409
    page = browser.get(f"/images/{image_id}", headers=HTML).text
    reviews = browser.get(f"/api/images/{image_id}").json()["reviews"]
    browser.close()
    assert [each["reviewer"] for each in reviews] == ["bob"]
    assert "Sign out" in page
    assert "eve" not in page


def test_a_sign_off_carries_the_account(workshop: Workshop, browser: Browser, people: dict[str, int]) -> None:
    """Whatever name was sent."""
    view = workshop.ready({"football/a.png": 250, "background/b.png": 10})
    enter(browser, "ada")
    assert 'name="by"' not in browser.get(f"/clean?dataset={view.id}", headers=HTML).text
    for call in (
        lambda: browser.post(f"/datasets/{view.id}/sign-off", data={"by": "eve"}, headers=FORM),
        lambda: browser.post(f"/api/datasets/{view.id}/sign-off", json={"by": "eve"}),
    ):
        assert call().status_code in (201, 303)
        certificate = browser.get(f"/api/datasets/{view.id}/certificate").json()
        assert certificate["signed_off"]["by"] == "ada"


# -- the pages -------------------------------------------------------------------------------------------------------


def test_who_is_out_learns_nothing_of_what_is_here(
    workshop: Workshop, browser: Browser, people: dict[str, int]
) -> None:
    """No name of a dataset, an account or a worker on the pages before the door."""
    workshop.ready({"football/a.png": 250, "background/b.png": 250}, root="secret-frames")
    for page in (browser.get("/login", headers=HTML), enter(browser, "ada", "wrong password")):
        assert "secret-frames" not in page.text
        assert "orker" not in page.text
        assert "bob" not in page.text


def test_a_reviewer_sees_no_door_that_is_shut(workshop: Workshop, browser: Browser, people: dict[str, int]) -> None:
    """No link, form or button on the pages leads to what is refused."""
    view = workshop.ready({"football/a.png": 250, "background/b.png": 250, "background/c.png": 9})
    enter(browser, "bob")
    for path in (
        "/",
        "/review",
        "/grid",
        "/images",
        "/images/1",
        "/stats",
        "/audit",
        "/scans",
        "/scans/1",
        "/datasets",
        f"/datasets/{view.id}/files",
        f"/datasets/{view.id}/guidelines",
        "/duplicates",
        "/settings",
        "/settings/keys",
        "/second",
        "/conflicts",
        "/account",
    ):
        page = browser.get(path, headers=HTML)
        assert page.status_code == 200
        posts = re.findall(r'(?<!hx-)action="([^"]+)"', page.text)
        links = re.findall(r'href="(/[^"?#]*)', page.text)
        shut = ("/clean", "/export", "/admin")
        own = (f"/datasets/{view.id}", f"/datasets/{view.id}/reviewing")
        assert not [link for link in links if link.startswith(shut) or link in own], path
        allowed = (
            "/review",
            "/reviews/",
            "/grid",
            "/settings/",
            "/account/",
            "/logout",
            "/images",
            "/duplicates/carry",
            "/second",
            "/conflicts",
            f"/datasets/{view.id}/threshold",
        )
        assert not [action for action in posts if not action.startswith(allowed)], path
    assert "server.host" not in browser.get("/settings", headers=HTML).text


def test_the_first_account_on_this_machine(workshop: Workshop, browser: Browser) -> None:
    """Made on /admin by whoever sits there; from then on others sign in."""
    other = Browser(workshop)
    assert "Make the first account" in browser.get("/admin", headers=HTML).text
    wrong = {"name": "ada", "password": PASSWORD, "again": "something else", "role": "reviewer"}
    refused = browser.post("/admin/users", data=wrong, headers=FORM)
    assert refused.status_code == 422
    assert "Is not the same password" in refused.text
    made = browser.post("/admin/users", data={**wrong, "again": PASSWORD}, headers=FORM)
    assert (made.status_code, made.headers["location"]) == (303, "/admin")
    assert "Add an account" in browser.get("/admin", headers=HTML).text
    late = other.post("/admin/users", data={**wrong, "name": "eve", "again": PASSWORD}, headers=FORM)
    assert (late.status_code, late.headers["location"]) == (303, "/login")
    other.close()


def test_an_admin_keeps_the_accounts(workshop: Workshop, browser: Browser, people: dict[str, int]) -> None:
    """Adds, changes the role, sets a password, disables and enables; each answers by a redirect and is logged."""
    enter(browser, "ada")
    new = {"name": "Grace", "role": "reviewer", "password": PASSWORD, "again": PASSWORD}
    bob = f"/admin/users/{people['bob']}"
    for url, data in (
        ("/admin/users", new),
        (f"{bob}/role", {"role": "admin"}),
        (f"{bob}/role", {"role": "reviewer"}),
        (f"{bob}/password", {"password": "battery staple"}),
        (f"{bob}/disable", {}),
        (f"{bob}/enable", {}),
    ):
        answer = browser.post(url, data=data, headers=FORM)
        assert answer.status_code == 303, url
        assert 'role="status"' in browser.get(answer.headers["location"], headers=HTML).text
    for url, data, status, said in (
        ("/admin/users", new, 422, "There is an account"),
        ("/admin/users", {**new, "name": "x", "role": "root"}, 422, "Admin"),
        (f"{bob}/password", {"password": "short"}, 422, "Must have at least 10 characters"),
        (f"{bob}/role", {"role": "root"}, 422, "role"),
        (f"/admin/users/{people['ada']}/disable", {}, 409, "last enabled admin"),
        (f"/admin/users/{people['ada']}/role", {"role": "reviewer"}, 409, "last enabled admin"),
        ("/admin/users/999/disable", {}, 404, "no account 999"),
    ):
        answer = browser.post(url, data=data, headers=FORM)
        assert (answer.status_code, said in answer.text) == (status, True), (url, answer.text)
    assert enter(Browser(workshop), "bob", "battery staple").status_code == 303
    log = browser.get("/admin/activity", headers=HTML).text
    for action in ("account added", "role changed", "password reset", "account disabled", "account enabled"):
        assert action in log


def test_an_admin_ends_sessions_and_tokens(workshop: Workshop, browser: Browser, people: dict[str, int]) -> None:
    """Of anybody; the browser is told by name."""
    other = Browser(workshop)
    other.client.headers["user-agent"] = "Mozilla/5.0 (X11; Linux x86_64) Chrome/128.0 <b>"
    enter(other, "bob")
    token = token_of(other)
    enter(browser, "ada")
    page = browser.get("/admin/access", headers=HTML).text
    assert "Chrome on Linux" in page
    assert "<b>" not in page.split("<main")[1].split("this one")[0].replace("</b>", "")
    session = re.search(r"/admin/sessions/\d+/end", page)
    revoke = re.search(r"/admin/tokens/\d+/revoke", page)
    assert session is not None
    assert revoke is not None
    assert browser.post(session[0], headers=FORM).status_code == 303
    assert browser.post(session[0], headers=FORM).status_code == 404
    assert browser.post(revoke[0], headers=FORM).status_code == 303
    assert other.get("/", headers=HTML).status_code == 303
    assert other.get("/api/datasets", headers=bearer(token)).status_code == 401
    other.close()


def test_one_keeps_ones_own_account(workshop: Workshop, browser: Browser, people: dict[str, int]) -> None:
    """Changes the password and stays in, while other browsers are out; nobody ends another's session or token."""
    other = Browser(workshop)
    enter(other, "bob")
    enter(browser, "bob")
    token = token_of(browser)
    data = {"current": "wrong", "new": "battery staple", "again": "battery staple"}
    refused = browser.post("/account/password", data=data, headers=FORM)
    assert (refused.status_code, "present password is wrong" in refused.text) == (422, True)
    typo = browser.post("/account/password", data={**data, "again": "x"}, headers=FORM)
    assert (typo.status_code, "Is not the same password" in typo.text) == (422, True)
    done = browser.post("/account/password", data={**data, "current": PASSWORD}, headers=FORM)
    assert (done.status_code, done.headers["location"]) == (303, "/account?said=password")
    assert browser.get("/account", headers=HTML).status_code == 200
    assert other.get("/account", headers=HTML).status_code == 303
    assert browser.get("/api/datasets", headers=bearer(token)).status_code == 401
    enter(other, "ada")
    with workshop.database.read() as session:
        of_ada = session.execute(
            text("SELECT max(id) FROM sessions WHERE user_id = :id"), {"id": people["ada"]}
        ).scalar_one()
    assert browser.post(f"/account/sessions/{of_ada}/end", headers=FORM).status_code == 404
    assert other.get("/account", headers=HTML).status_code == 200
    assert browser.post("/account/tokens", data={"token": " "}, headers=FORM).status_code == 422
    other.close()


def test_what_an_admin_does_is_logged(workshop: Workshop, browser: Browser, people: dict[str, int]) -> None:
    """Before it is answered, by the account's name and the route's word; what failed is not."""
    view = workshop.ready({"football/a.png": 250, "background/b.png": 10})
    enter(browser, "ada")
    browser.post(f"/api/datasets/{view.id}/threshold", json={"threshold": 0.7})
    browser.post(f"/api/datasets/{view.id}/threshold", json={"threshold": 7})
    browser.post("/scan", json={"dataset": view.id})
    browser.post("/api/exports", json={"dataset": view.id, "format": "csv"})
    entries = [each for each in view_activity(workshop.database, None).entries if each.action != "signed in"]
    assert [(each.actor, each.action) for each in reversed(entries)][2:] == [
        ("ada", Activity.THRESHOLD_MOVED),
        ("ada", Activity.SCAN_REQUESTED),
        ("ada", Activity.EXPORT_REQUESTED),
    ]
    assert [each.about for each in reversed(entries)][2] == f"/api/datasets/{view.id}/threshold"
    assert entries[0].address == "127.0.0.1"


def test_the_log_goes_on_page_by_page(workshop: Workshop, browser: Browser, people: dict[str, int]) -> None:
    """By the number of an entry; a wrong one is an empty page or a refusal, not an error."""
    for _ in range(30):
        change_role(workshop.database, workshop.clock, COMMAND_LINE, people["bob"], Role.ADMIN)
        change_role(workshop.database, workshop.clock, COMMAND_LINE, people["bob"], Role.REVIEWER)
    enter(browser, "ada")
    older = re.search(r"/admin/activity\?before=\d+", browser.get("/admin/activity", headers=HTML).text)
    assert older is not None
    assert browser.get(older[0], headers=HTML).text.count("<tr>") == 14
    for before, status in (("0", 200), ("-5", 200), (str(1 << 80), 200), ("x", 422)):
        assert browser.get(f"/admin/activity?before={before}", headers=HTML).status_code == status


# -- beyond loopback -------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(("method", "path"), [key for key in ROUTES if "/setup" not in key[1]])
def test_before_the_first_admin_nothing_is_served(public: Browser, method: str, path: str) -> None:
    """But the probes; neither page nor API nor the form to sign in."""
    for headers in ({}, FORM, {"hx-request": "true"}):
        answer = public.request(method, fill(path), headers=headers)
        assert answer.status_code == (200 if path == "/healthz" else answer.status_code if path == "/readyz" else 503)
        assert path in ("/healthz", "/readyz") or "set-up link" in answer.text


def test_set_up(workshop: Workshop, public: Browser) -> None:
    """By the link alone, once; then the server serves, and asks everybody to sign in."""
    token = prepare_accounts(workshop.database, workshop.clock, "0.0.0.0", None)
    assert public.get("/setup", headers=HTML).status_code == 403
    assert public.get("/setup?token=guess", headers=HTML).status_code == 403
    page = public.get(f"/setup?token={token}", headers=HTML)
    assert (page.status_code, "Make the first admin" in page.text) == (200, True)
    new = {"name": "ada", "password": PASSWORD, "again": PASSWORD}
    for token_sent, data, status in (
        ("guess", new, 403),
        (token, {**new, "again": "x"}, 422),
        (token, {**new, "password": "short", "again": "short"}, 422),
        (token, {**new, "name": " "}, 422),
    ):
        assert public.post("/setup", data={"token": token_sent, **data}, headers=FORM).status_code == status
    cross = {"token": token, **new}
    assert public.post("/setup", data=cross, headers={"sec-fetch-site": "cross-site"}).status_code == 403
    done = public.post("/setup", data=cross, headers=FORM)
    assert (done.status_code, done.headers["location"]) == (303, "/")
    assert public.get("/admin", headers=HTML).status_code == 200
    stranger = Browser(workshop, public_settings(workshop))
    assert stranger.get("/", headers=HTML).headers["location"] == "/login"
    assert stranger.post("/setup", data={**cross, "name": "eve"}, headers=FORM).headers["location"] == "/"
    assert stranger.get(f"/setup?token={token}", headers=HTML).headers["location"] == "/"
    stranger.close()
    assert actions(workshop)[:2] == ["account added", "signed in"]


def test_the_rest_asks_who_one_is_beyond_loopback(public: Browser, people: dict[str, int]) -> None:
    """As on loopback with accounts."""
    assert public.get("/", headers=HTML).headers["location"] == "/login"
    assert enter(public, "bob").status_code == 303
    assert public.get("/", headers=HTML).status_code == 200


# -- the description of the API -----------------------------------------------------------------------------------


def test_the_description_tells_of_tokens(browser: Browser) -> None:
    """Each call of the API says that it takes one, and what it answers without."""
    described = browser.get("/openapi.json").json()
    assert described["components"]["securitySchemes"]["token"]["scheme"] == "bearer"
    for path, methods in described["paths"].items():
        if path.startswith("/api/"):
            assert all(call["security"] == [{"token": []}] for call in methods.values()), path
            assert all({"401", "403"} <= set(call["responses"]) for call in methods.values()), path
