"""The report as a file, opened in Chromium with no network: in both themes, at two widths, and on paper."""

import json
import re
from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import Browser, Page

from tests.browser.conftest import Server
from tests.browser.looking import find_violations
from tests.services.test_report import HOSTILE


@pytest.fixture(scope="module")
def report(server: Server, scanned: dict[str, Any]) -> Path:
    """The report on the demo with some verdicts, one with a hostile note by a reviewer with a hostile name."""
    flagged = server.get(f"/api/images?dataset={scanned['id']}&flag=disagreement&limit=6")["items"]
    rows = [
        f"{item['path']},{['positive', 'negative', 'unsure'][number % 3]},eve" for number, item in enumerate(flagged)
    ]
    rows[0] = f'{flagged[0]["path"]},discard,"{HOSTILE.replace(chr(34), chr(34) * 2)}"'
    table = server.data / "verdicts.csv"
    table.write_text("\n".join(["path,verdict,reviewer", *rows]) + "\n")
    server.run("import-reviews", "demo", str(table))
    target = server.data / "report.html"
    server.run("report", "demo", "--to", str(target))
    return target


def open_offline(browser: Browser, path: Path, problems: list[str], **options: Any) -> Page:
    """The file in a browser that has no network, with everything that goes wrong or is asked for noted."""
    context = browser.new_context(offline=True, **options)
    page = context.new_page()
    page.on("console", lambda message: problems.append(message.text))
    page.on("pageerror", lambda error: problems.append(str(error)))
    page.on(
        "request",
        lambda request: None if request.url.startswith(("data:", path.as_uri())) else problems.append(request.url),
    )
    page.goto(path.as_uri())
    return page


@pytest.mark.parametrize("theme", ["dark", "light"])
@pytest.mark.parametrize("width", [1440, 390])
def test_the_file_stands_alone(browser: Browser, report: Path, theme: str, width: int) -> None:
    """No request, no word in the console, nothing that axe finds; its colours follow the system's."""
    problems: list[str] = []
    page = open_offline(
        browser, report, problems, color_scheme=theme, bypass_csp=False, viewport={"width": width, "height": 900}
    )
    ground = page.evaluate("getComputedStyle(document.documentElement).backgroundColor")
    pictures = page.evaluate("[...document.images].map(one => one.complete && one.naturalWidth)")
    assert problems == []
    assert ground == ("rgb(14, 17, 18)" if theme == "dark" else "rgb(245, 246, 245)")
    assert pictures
    assert all(0 < one <= 640 for one in pictures)
    assert find_violations(page) == []
    page.context.close()


def test_nothing_in_it_can_run(browser: Browser, report: Path) -> None:
    """Markup in a reviewer's name is text, and even a script that is put in later is refused by its own policy."""
    problems: list[str] = []
    page = open_offline(browser, report, problems)
    assert page.locator("script, iframe, link, form").count() == 0
    assert page.get_by_role("rowheader", name=re.compile("script>alert")).count() == 1
    page.evaluate("""() => { const one = document.createElement('script'); one.textContent = 'window.ran = 1';
        document.body.append(one); }""")
    assert page.evaluate("window.ran") is None
    assert any("Content Security Policy" in problem for problem in problems)
    page.context.close()


def test_on_paper(browser: Browser, report: Path) -> None:
    """Dark ink on white whatever the theme, no table cut off, and as many pages as a person would print."""
    page = open_offline(browser, report, [], color_scheme="dark", viewport={"width": 760, "height": 1000})
    page.emulate_media(media="print", color_scheme="dark")
    assert page.evaluate("getComputedStyle(document.body).color") == "rgb(21, 26, 25)"
    assert page.evaluate(
        "[...document.querySelectorAll('.table-wrap')].every(one => one.scrollWidth <= one.clientWidth + 1)"
    )
    pdf = page.pdf(format="A4")
    assert 2 <= len(re.findall(rb"/Type\s*/Page\b", pdf)) <= 12
    page.context.close()


def test_the_page_downloads_the_same(
    server: Server, scanned: dict[str, Any], report: Path, open_tab: Any, tmp_path: Path
) -> None:
    """The two buttons work without JavaScript, and what is shown is what is handed on."""
    page = open_tab(java_script_enabled=False, accept_downloads=True).page
    page.goto(f"/report?dataset={scanned['id']}")
    shown = page.locator("[data-figure]").evaluate_all("all => all.map(one => [one.dataset.figure, one.textContent])")
    with page.expect_download() as caught:
        page.get_by_role("button", name="Download as JSON").click()
    caught.value.save_as(tmp_path / "report.json")
    document = json.loads((tmp_path / "report.json").read_text())
    assert caught.value.suggested_filename.startswith("demo-report-")
    for path, figure in shown:
        value: Any = document
        for part in path.split("."):
            value = value[part]
        assert int(figure.replace(",", "")) == value, path
    with page.expect_download() as caught:
        page.get_by_role("button", name="Download as HTML").click()
    assert caught.value.suggested_filename.endswith(".html")
