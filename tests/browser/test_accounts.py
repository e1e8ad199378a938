"""A team at a real server that asks for sign-in: set-up, sign-in, review, sign-out; and the pages before the door."""

import json
import re
from collections.abc import Callable, Iterator
from typing import Any

import pytest
from playwright.sync_api import Browser, BrowserContext, Page, expect

from tests.browser.conftest import Server, serving
from tests.browser.looking import find_violations
from tests.browser.test_whole_loop import press

PASSWORD = "correct horse"
REFUSED = (
    "401 (Unauthorized)",
    "403 (Forbidden)",
    "409 (Conflict)",
    "422 (Unprocessable",
)  # said by the browser itself


@pytest.fixture(scope="module")
def team(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    """A server that listens beyond loopback, without any account."""
    with serving(tmp_path_factory.mktemp("team"), "--host", "0.0.0.0", "--no-worker") as running:
        yield running


@pytest.fixture(scope="module")
def filled(team: Server) -> dict[str, Any]:
    """A small demo, registered and scanned."""
    team.run("demo", "--images", "24", "--seed", "11", "--dest", str(team.data / "demo"))
    dataset: dict[str, Any] = json.loads(team.run("add", str(team.data / "demo"), "--name", "demo", "--json"))
    team.run("scan", "demo", "--wait")
    return dataset


@pytest.fixture
def visit(browser: Browser, team: Server) -> Iterator[Callable[..., Page]]:
    """Opens pages in browsers of their own; at the end none may have logged an error but those of ``REFUSED``."""
    contexts: list[BrowserContext] = []
    problems: list[str] = []

    def note(text: str) -> None:
        if not any(expected in text for expected in REFUSED):
            problems.append(text)

    def open_one(theme: str = "dark", width: int = 1440, **options: Any) -> Page:
        context = browser.new_context(base_url=team.base, viewport={"width": width, "height": 900}, **options)
        contexts.append(context)
        context.add_cookies([{"name": "touchline_theme", "value": theme, "url": team.base}])
        page = context.new_page()
        page.on("console", lambda message: note(message.text) if message.type in ("error", "warning") else None)
        page.on("pageerror", lambda error: note(str(error)))
        return page

    yield open_one
    for context in contexts:
        context.close()
    assert problems == []


def find_link(team: Server) -> str:
    """The set-up link that the server wrote when it started."""
    found = re.search(r"http://\S+/setup\?token=\S+", (team.data / "serve.log").read_text())
    assert found is not None
    return found[0]


def sign_in(page: Page, name: str) -> None:
    """By the form."""
    page.get_by_label("Name", exact=True).fill(name)
    page.get_by_label("Password", exact=True).fill(PASSWORD)
    page.get_by_role("button", name="Sign in").click()


def test_set_up_sign_in_review_sign_out(team: Server, filled: dict[str, Any], visit: Callable[..., Page]) -> None:
    """The whole way, from the link on the server's terminal to a reviewer's verdict under her own name."""
    admin = visit()
    admin.goto(find_link(team))
    for theme, width in (("light", 390), ("dark", 1440)):
        looking = visit(theme, width)
        looking.goto(find_link(team))
        assert find_violations(looking) == []
    admin.get_by_label("Your name").fill("Ada")
    admin.get_by_label("Password", exact=True).fill(PASSWORD)
    admin.get_by_label("The same again").fill(PASSWORD)
    admin.get_by_role("button", name="Make the admin").click()
    expect(admin.get_by_role("heading", level=1)).to_have_text("demo")

    admin.get_by_role("link", name="Admin", exact=True).click()
    admin.get_by_label("Name, recorded").fill("Grace")
    admin.get_by_label("Password", exact=True).fill(PASSWORD)
    admin.get_by_label("The same again").fill(PASSWORD)
    admin.get_by_role("button", name="Add the account").click()
    expect(admin.get_by_role("status").first).to_contain_text("The account is made")

    reviewer = visit()
    reviewer.goto(f"/review?dataset={filled['id']}")
    expect(reviewer).to_have_url(re.compile("/login"))
    sign_in(reviewer, "Grace")
    expect(reviewer).to_have_url(re.compile(f"/review\\?dataset={filled['id']}"))
    expect(reviewer.get_by_role("link", name="Clean")).to_have_count(0)
    press(reviewer, "3")
    reviewer.goto("/images?verdict=unsure")
    reviewer.locator("a.cell-link").first.click()
    expect(reviewer.locator(".history")).to_contain_text("Grace")

    reviewer.goto(f"/review?dataset={filled['id']}")
    kept = [cookie for cookie in reviewer.context.cookies() if cookie["name"] == "touchline_session"]
    assert [(cookie["httpOnly"], cookie["sameSite"]) for cookie in kept] == [(True, "Lax")]
    reviewer.get_by_role("button", name="Sign out").click()
    expect(reviewer).to_have_url(re.compile("/login"))
    reviewer.go_back()
    expect(reviewer).to_have_url(re.compile("/login"))


@pytest.fixture
def accounts(team: Server) -> None:
    """An admin and a reviewer, also where a test runs alone."""
    team.environment["TOUCHLINE_PASSWORD"] = PASSWORD
    known = {each["name"] for each in json.loads(team.run("user", "list", "--json"))["users"]}
    for name, role in (("Ada", "admin"), ("Grace", "reviewer")):
        if name not in known:
            team.run("user", "add", name, "--role", role)


def test_a_key_after_the_session_ended_leads_to_the_form_and_back(
    filled: dict[str, Any], accounts: None, visit: Callable[..., Page]
) -> None:
    """The card is not answered; after signing in the same page is there."""
    page = visit()
    page.goto(f"/review?dataset={filled['id']}")
    sign_in(page, "Grace")
    page.wait_for_function("() => document.querySelector('[data-stage-image]').complete")
    page.wait_for_timeout(200)
    page.context.clear_cookies(name="touchline_session")
    page.keyboard.press("3")
    expect(page).to_have_url(re.compile("/login"))
    sign_in(page, "Grace")
    expect(page).to_have_url(re.compile("/review"))


@pytest.mark.parametrize("theme", ["dark", "light"])
@pytest.mark.parametrize("width", [1440, 390])
def test_accessible(filled: dict[str, Any], accounts: None, visit: Callable[..., Page], theme: str, width: int) -> None:
    """axe finds nothing on the pages of accounts, also with errors on them; none scrolls sideways."""
    page = visit(theme, width)
    found: dict[str, list[str]] = {}
    page.goto("/login?next=/account")
    found["login"] = find_violations(page)
    page.get_by_label("Name", exact=True).fill("Ada")
    page.get_by_label("Password", exact=True).fill("wrong password")
    page.get_by_role("button", name="Sign in").click()
    found["login, wrong"] = find_violations(page)
    sign_in(page, "Ada")
    page.get_by_label("What the new token is for").fill("nightly")
    page.get_by_role("button", name="Make a token").click()
    expect(page.locator("[data-token]")).to_contain_text("tl_")
    found["account, token"] = find_violations(page)
    page.get_by_label("Present password").fill("wrong")
    page.get_by_label("New password").fill("short")
    page.get_by_label("The same again").fill("short")
    page.get_by_role("button", name="Change the password").click()
    found["account, wrong"] = find_violations(page)
    for path in ("/account", "/admin", "/admin/access", "/admin/activity", "/settings", "/review", "/"):
        page.goto(path)
        found[path] = find_violations(page)
    page.goto("/admin")
    page.get_by_text("New password").first.click()
    page.get_by_label("Name, recorded").fill("ada")
    page.get_by_label("Password", exact=True).fill(PASSWORD)
    page.get_by_label("The same again").fill("other")
    page.get_by_role("button", name="Add the account").click()
    found["admin, wrong"] = find_violations(page)
    assert {place: wrong for place, wrong in found.items() if wrong} == {}


def test_a_token_is_read_by_a_program(
    team: Server, filled: dict[str, Any], accounts: None, visit: Callable[..., Page]
) -> None:
    """Made without JavaScript, as every form of accounts works."""
    page = visit(java_script_enabled=False)
    page.goto("/account")
    sign_in(page, "Grace")
    page.get_by_label("What the new token is for").fill("notebook")
    page.get_by_role("button", name="Make a token").click()
    token = page.locator("[data-token]").inner_text()
    answer = page.context.request.get(f"{team.base}/api/datasets", headers={"Authorization": f"Bearer {token}"})
    assert answer.json()["items"][0]["name"] == "demo"
    page.goto("/account")
    page.get_by_role("button", name="Revoke notebook").click()
    refused = page.context.request.get(f"{team.base}/api/datasets", headers={"Authorization": f"Bearer {token}"})
    assert refused.status == 401
