"""From a contaminated dataset to a cleaned folder, with real keys in a real browser."""

import csv
import hashlib
from collections.abc import Callable, Iterator
from contextlib import suppress
from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import Page, expect
from playwright.sync_api import TimeoutError as PlaywrightTimeout

from tests.browser.conftest import Server, Tab, register_demo, serving


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    """A server of this test's own: what another test's tab still has in hand would be missing among the flags."""
    with serving(tmp_path_factory.mktemp("loop")) as running:
        yield running


@pytest.fixture
def scanned(server: Server) -> dict[str, Any]:
    """A small contaminated demo, scanned there."""
    return register_demo(server)


def read_truth(root: Path) -> dict[str, str]:
    """Path -> true label; the test knows it, the app never does."""
    with (root / "truth.csv").open(newline="") as file:
        return {row["path"]: row["true_label"] for row in csv.DictReader(file)}


CARD = "document.querySelector('#card input[name=request_id]')?.value"
SEEN = "() => { const image = document.querySelector('[data-stage-image]'); return !image || image.complete; }"


def press(page: Page, key: str) -> None:
    """Press a key once the image stands there and has been seen for a moment, and wait for the next card.

    A key that comes while the page is busy is dropped on purpose; a person presses again, and so does this.
    """
    shown = page.evaluate(CARD)
    for _ in range(10):
        page.wait_for_function(SEEN)
        page.wait_for_timeout(150)
        page.keyboard.press(key)
        with suppress(PlaywrightTimeout):
            page.wait_for_function(f"shown => {CARD} !== shown", arg=shown, timeout=3_000)
            return
    raise AssertionError(f"{key}: the card did not change")


def call_every_flag(page: Page, truth: dict[str, str]) -> dict[str, str]:
    """Answer each card by its key; path -> verdict."""
    called: dict[str, str] = {}
    while page.locator("#card form[data-verdict-form]").count():
        path = page.locator(".facts .path").get_attribute("title") or ""
        positive = truth[path] == "football"
        press(page, "1" if positive else "2")
        called[path] = "football" if positive else "background"
    return called


def test_whole_loop_by_keys(server: Server, scanned: dict[str, Any], open_tab: Callable[..., Tab]) -> None:
    """Every flag is called by single keys, and the cleaned folder holds just the called images, byte for byte."""
    root = Path(scanned["root"])
    truth = read_truth(root)
    page = open_tab(reviewer=None).page
    page.goto(f"/review?dataset={scanned['id']}")
    page.get_by_label("name", exact=False).first.fill("Ada Lovelace")
    page.keyboard.press("Enter")
    expect(page.locator("h1")).to_have_text("Is there a football?")

    called = call_every_flag(page, truth)

    stats = server.get(f"/api/datasets/{scanned['id']}/stats")
    assert len(called) == stats["flagged"] > 0
    assert stats["open_flags"] == 0
    clean = server.data / "clean"
    relocate_by_page(page, scanned["id"], clean)
    placed = read_manifest(clean)
    assert {row["source_path"]: row["final_label"] for row in placed} == called
    for row in placed:
        copy, source = clean / row["path"], root / row["source_path"]
        assert hashlib.sha256(copy.read_bytes()).hexdigest() == hashlib.sha256(source.read_bytes()).hexdigest()
        assert copy.relative_to(clean).parts[0] == called[row["source_path"]]
        assert row["reviewer"] == "Ada Lovelace"
    undo_by_page(server, page)
    assert not list(clean.rglob("*.jpg"))


def relocate_by_page(page: Page, dataset: int, clean: Path) -> None:
    """Plan and apply on the page of relocations."""
    page.goto(f"/clean?dataset={dataset}")
    page.get_by_label("Cleaned folder", exact=False).fill(str(clean))
    page.get_by_role("button", name="Make a plan").click()
    apply = page.get_by_role("button", name="Apply")
    expect(apply.first).to_be_visible()
    assert not clean.exists()
    apply.first.click()
    expect(page.locator("#plan .chip").filter(has_text="done").first).to_be_visible(timeout=30_000)


def undo_by_page(server: Server, page: Page) -> None:
    """Take the relocation back and wait for the worker."""
    page.get_by_role("button", name="Undo").first.click()
    server.wait_for("the undo", lambda: server.get("/api/relocations/1")["status"] == "undone", timeout_s=30)


def read_manifest(clean: Path) -> list[dict[str, str]]:
    """The rows of manifest.csv."""
    with (clean / "manifest.csv").open(newline="") as file:
        return list(csv.DictReader(file))
