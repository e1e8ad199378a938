"""What axe finds on a page, and how a test comes to an image while other tabs hold theirs."""

from pathlib import Path

from playwright.sync_api import Page, expect

AXE = (Path(__file__).parents[1] / "vendor" / "axe-core-4.14.1" / "axe.min.js").read_text(encoding="utf-8")
# A colour that fades from one theme into another has a contrast of its own for a moment, which nobody reads.
FADED = """() => Promise.allSettled(document.getAnimations().filter(one => one instanceof CSSTransition)
    .map(one => one.finished))"""
RUN_AXE = """async () => (await axe.run(document, {runOnly: ['wcag2a', 'wcag2aa', 'wcag21a', 'wcag21aa', 'wcag22aa',
    'best-practice']})).violations.map(found => found.id + ': ' + found.nodes.map(node => node.target).join(' '))"""
LEASED_S = 30


def find_violations(page: Page) -> list[str]:
    """Violations of WCAG that axe finds once the page stands still, and whether it is wider than the screen."""
    page.evaluate(FADED)
    page.evaluate(AXE)
    found: list[str] = page.evaluate(RUN_AXE)
    if page.evaluate("document.documentElement.scrollWidth > innerWidth"):
        found.append("scrolls sideways")
    return found


def open_review(page: Page, dataset_id: int) -> None:
    """Go to the desk, again while all that is open is leased to tabs of the tests before."""
    for _ in range(LEASED_S):
        page.goto(f"/review?dataset={dataset_id}")
        if page.locator("#card form[data-verdict-form]").count():
            return
        page.wait_for_timeout(1_000)
    expect(page.locator("#card form[data-verdict-form]")).not_to_have_count(0)
