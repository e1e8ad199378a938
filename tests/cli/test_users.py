"""Accounts from the command line, and the first start of a server that others can reach, as real processes."""

import os
import re
import signal
import socket
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Iterator
from pathlib import Path

import pytest
import typer.testing

from app.__main__ import make_app
from app.cli.users import user
from app.config import Settings
from app.domain.accounts import Identity, Role
from app.errors import SignInError
from app.services.accounts import list_users
from app.services.clock import utc_now
from app.services.passwords import Door
from app.services.sign_in import Visitor, look, sign_in
from app.storage.database import Database
from tests.cli.test_commands import HERE, document, refusal, run
from tests.parts import bare_environment

PASSWORD = "correct horse"
GIVEN = {"TOUCHLINE_PASSWORD": PASSWORD}


@pytest.fixture
def opened(tmp_path: Path) -> Iterator[Database]:
    """The database of the folder that commands run in."""
    database = Database(Settings(data_dir=tmp_path / "var").url)
    yield database
    database.dispose()


def identity(database: Database, name: str, password: str) -> Identity | None:
    """Who is in after signing in."""
    token = sign_in(database, utc_now, Door(), name, password, Visitor("10.0.0.1"), None).token
    return look(database, utc_now, "127.0.0.1", token, None).identity


def test_accounts_from_the_command_line(tmp_path: Path, opened: Database) -> None:
    """The first is an admin's, the next a reviewer's; roles, passwords and disabling take effect at once."""
    assert "No accounts" in run(tmp_path, "user", "list").stdout
    assert "Ada is an admin" in run(tmp_path, "user", "add", "Ada", **GIVEN).stdout
    assert "bob is a reviewer" in run(tmp_path, "user", "add", "bob", **GIVEN).stdout
    listed = document(tmp_path, "user", "list")["users"]
    assert [(each["name"], each["role"], each["disabled"]) for each in listed] == [
        ("Ada", "admin", False),
        ("bob", "reviewer", False),
    ]
    assert run(tmp_path, "user", "role", "BOB", "admin").returncode == 0
    found = identity(opened, "bob", PASSWORD)
    assert found is not None
    assert found.role is Role.ADMIN
    assert run(tmp_path, "user", "password", "bob", TOUCHLINE_PASSWORD="battery staple").returncode == 0
    assert identity(opened, "bob", "battery staple") is not None
    assert run(tmp_path, "user", "disable", "bob").returncode == 0
    with pytest.raises(SignInError):
        identity(opened, "bob", "battery staple")
    assert run(tmp_path, "user", "enable", "bob").returncode == 0
    assert run(tmp_path, "user", "role", "bob", "reviewer").returncode == 0
    last = run(tmp_path, "user", "disable", "Ada")
    assert (last.returncode, "last enabled admin" in last.stderr) == (1, True)
    run(tmp_path, "user", "disable", "bob")
    assert "nobody has to sign in" in run(tmp_path, "user", "disable", "Ada").stdout
    assert [each.disabled_at is None for each in list_users(opened)] == [False, False]


@pytest.mark.parametrize(
    ("arguments", "environment", "said"),
    [
        (("user", "add", "ada"), {}, "set TOUCHLINE_PASSWORD, or run this in a terminal"),
        (("user", "add", "ada"), {"TOUCHLINE_PASSWORD": "short"}, "at least 10 characters"),
        (("user", "add", " "), GIVEN, "name: give a name"),
        (("user", "add", "ada", "--role", "root"), GIVEN, "role: must be one of reviewer, admin"),
        (("user", "password", "nobody"), GIVEN, "no account 'nobody'"),
        (("user", "disable", "nobody"), {}, "no account 'nobody'"),
        (("serve", "--host", "0.0.0.0"), {"TOUCHLINE_ADMIN_PASSWORD_FILE": "nothing"}, "cannot read nothing"),
        (("serve",), {"TOUCHLINE_ADMIN_PASSWORD_FILE": "short"}, "at least 10 characters"),
    ],
)
def test_wrong_usage_ends_with_2_and_one_line(
    tmp_path: Path, arguments: tuple[str, ...], environment: dict[str, str], said: str
) -> None:
    """Which argument, variable or file it is."""
    (tmp_path / "short").write_text("short\n")
    if arguments[0] == "serve":
        arguments = (*arguments, "--no-worker", "--port", str(free_port()))
    assert said in refusal(run(tmp_path, *arguments, **environment), 2)


def test_a_reviewer_alone_is_pointed_to_an_admin(tmp_path: Path) -> None:
    """Said on stderr; the account is made."""
    made = run(tmp_path, "user", "add", "bob", "--role", "reviewer", **GIVEN)
    assert (made.returncode, "no admin yet" in made.stderr) == (0, True)


@pytest.mark.parametrize("command", sorted(each.name or "" for each in user.registered_commands))
def test_every_command_is_documented_with_an_example(command: str) -> None:
    """In its own help and in the list of commands."""
    result = typer.testing.CliRunner().invoke(make_app(), ["user", command, "--help"], terminal_width=200)
    assert result.exit_code == 0
    assert f"Example: touchline user {command}" in " ".join(result.output.split())
    assert f"## `touchline user {command}`" in (HERE / "docs" / "commands.md").read_text(encoding="utf-8")


def free_port() -> int:
    """A port that nobody listens on."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def status_of(url: str) -> int:
    """What a page answers with, redirects not followed; 0 while nobody listens."""

    class Stay(urllib.request.HTTPRedirectHandler):
        def redirect_request(self, *_given: object) -> None:
            """Stay where one is."""

    try:
        with urllib.request.build_opener(Stay).open(url, timeout=10) as answer:
            return int(answer.status)
    except urllib.error.HTTPError as error:
        return error.code
    except OSError:
        return 0


@pytest.mark.parametrize("with_file", [False, True])
def test_the_first_start_beyond_loopback(tmp_path: Path, opened: Database, with_file: bool) -> None:
    """Writes a link that opens the set-up and serves nothing else; or makes the admin from the file, and no link."""
    (tmp_path / "secret").write_text(PASSWORD + "\n")
    port = free_port()
    environment = bare_environment() | {"PYTHONPATH": str(HERE), "TOUCHLINE_LOG__LEVEL": "error"}
    if with_file:
        environment["TOUCHLINE_ADMIN_PASSWORD_FILE"] = "secret"
    command = [sys.executable, "-m", "app", "serve", "--host", "0.0.0.0", "--port", str(port), "--no-worker"]
    with (tmp_path / "log").open("wb") as log:
        process = subprocess.Popen(command, cwd=tmp_path, env=environment, stdout=log, stderr=log)
    try:
        base = f"http://127.0.0.1:{port}"
        until = time.monotonic() + 60
        while status_of(f"{base}/healthz") != 200 and time.monotonic() < until:
            time.sleep(0.1)
        said = (tmp_path / "log").read_text()
        link = re.search(r"http://127\.0\.0\.1:\d+/setup\?token=\S+", said)
        if with_file:
            assert (link, status_of(f"{base}/api/datasets")) == (None, 401)
            assert identity(opened, "admin", PASSWORD) is not None
        else:
            assert link is not None
            assert (status_of(link[0]), status_of(f"{base}/setup"), status_of(f"{base}/")) == (200, 403, 503)
    finally:
        os.kill(process.pid, signal.SIGTERM)
        process.wait(30)
    assert PASSWORD not in (tmp_path / "log").read_text()
