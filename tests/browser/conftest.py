"""A real server with a real worker, and a real browser, for the tests of this folder."""

import json
import os
import shutil
import signal
import socket
import subprocess
import sys
import time
import urllib.request
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import Browser, BrowserContext, Page, sync_playwright

from tests.parts import bare_environment

ROOT = Path(__file__).resolve().parents[2]
FLAGS = ["--headless", "--no-sandbox", "--disable-gpu", "--disable-background-networking"]
SET_UP = "no browser for the browser tests: run `.venv/bin/playwright install chromium`"


def find_browser() -> str | None:
    """``TOUCHLINE_TEST_BROWSER``, else ``chromium`` on the PATH, else None for Playwright's own download."""
    return os.environ.get("TOUCHLINE_TEST_BROWSER") or shutil.which("chromium")


@pytest.fixture(scope="package")
def browser() -> Iterator[Browser]:
    """A headless Chromium."""
    path = find_browser()
    with sync_playwright() as playwright:
        if path is None and not Path(playwright.chromium.executable_path).exists():
            pytest.fail(SET_UP)
        opened = playwright.chromium.launch(executable_path=path, args=FLAGS)
        yield opened
        opened.close()


@dataclass(frozen=True)
class Server:
    """A running ``touchline serve`` with its own data folder."""

    base: str
    data: Path
    environment: dict[str, str]

    def get(self, path: str) -> Any:
        """A JSON answer of the API."""
        with urllib.request.urlopen(self.base + path, timeout=30) as response:
            return json.loads(response.read() or "null")

    def wait_for(self, what: str, condition: Callable[[], bool], timeout_s: float = 180) -> None:
        """Wait until ``condition`` holds."""
        until = time.monotonic() + timeout_s
        while not condition():
            if time.monotonic() > until:
                pytest.fail(f"{what}: not within {timeout_s} s")
            time.sleep(0.1)

    def run(self, *arguments: str) -> str:
        """Run a command of ``touchline`` over the same data folder."""
        done = subprocess.run(
            [sys.executable, "-m", "app", *arguments],
            cwd=ROOT,
            env=self.environment,
            capture_output=True,
            text=True,
            timeout=300,
            check=False,
        )
        assert done.returncode == 0, done.stderr
        return done.stdout


@contextmanager
def serving(folder: Path, *arguments: str, **settings: str) -> Iterator[Server]:
    """``touchline serve`` on a free port, with its data in ``folder``/var; ``settings`` by their variables."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    kept = bare_environment()
    environment = {
        **kept,
        "TOUCHLINE_DATA_DIR": str(folder / "var"),
        "TOUCHLINE_DATASETS__ALLOWED_ROOTS": json.dumps([str(folder)]),
        "TOUCHLINE_REVIEW__LEASE_S": "2",  # one test's tab must not keep images from the next
        "TOUCHLINE_REVIEW__AUDIT_SHARE": "0",  # chance stays out of what is not about it
        "TOUCHLINE_REVIEW__SECOND_OPINION": "1",  # and flags that come and go with what a worker learns meanwhile
        **settings,
    }
    command = [sys.executable, "-m", "app", "serve", "--port", str(port), *arguments]
    with (folder / "serve.log").open("wb") as log:
        process = subprocess.Popen(command, cwd=ROOT, env=environment, stdout=log, stderr=log)
        running = Server(f"http://127.0.0.1:{port}", folder, environment)

        def is_ready() -> bool:
            try:
                return bool(running.get("/readyz")["worker"]) or "--no-worker" in arguments
            except OSError:
                return False

        running.wait_for("the server", is_ready)
        yield running
        process.send_signal(signal.SIGTERM)
        process.wait(30)


@pytest.fixture(scope="package")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    """``touchline serve`` with its worker."""
    with serving(tmp_path_factory.mktemp("server")) as running:
        yield running


def register_demo(server: Server) -> dict[str, Any]:
    """A small contaminated demo, registered and scanned by the server's worker with the built-in D-FINE."""
    server.run("demo", "--images", "40", "--seed", "11", "--dest", str(server.data / "demo"))
    dataset: dict[str, Any] = json.loads(server.run("add", str(server.data / "demo"), "--name", "demo", "--json"))
    scan = json.loads(server.run("scan", "demo", "--wait", "--json"))
    assert scan["status"] == "done"
    return dataset


@pytest.fixture(scope="package")
def scanned(server: Server) -> dict[str, Any]:
    """The dataset that most tests share."""
    return register_demo(server)


@dataclass
class Tab:
    """A page whose console and network errors are collected."""

    page: Page
    problems: list[str]


@pytest.fixture
def open_tab(browser: Browser, server: Server) -> Iterator[Callable[..., Tab]]:
    """Opens tabs; at the end of the test none may have logged an error."""
    contexts: list[BrowserContext] = []
    tabs: list[Tab] = []

    def open_one(*, reviewer: str | None = "Ada", expect: tuple[str, ...] = (), **options: Any) -> Tab:
        context = browser.new_context(base_url=server.base, **{"viewport": {"width": 1440, "height": 900}, **options})
        contexts.append(context)
        if reviewer is not None:
            context.add_cookies([{"name": "touchline_reviewer", "value": reviewer, "url": server.base}])
        tab = Tab(context.new_page(), [])

        def note(text: str) -> None:
            if not any(expected in text for expected in expect):
                tab.problems.append(text)

        tab.page.on("console", lambda message: note(message.text) if message.type in ("error", "warning") else None)
        tab.page.on("pageerror", lambda error: note(str(error)))
        tabs.append(tab)
        return tab

    yield open_one
    for context in contexts:
        context.close()
    assert [problem for tab in tabs for problem in tab.problems] == []
