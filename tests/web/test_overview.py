"""The overview and the statistics as pages: what stands in their tables is what counting says."""

import re
from collections import Counter

import pytest

from app.domain.images import Side
from app.services.datasets import set_threshold
from tests.parts import Browser, Workshop

#: red -> score red / 255; the thresholds below lie inside bins that hold several of these
FILES = {
    **{f"football/{red}.png": red for red in (0, 20, 127, 128, 129, 200, 254)},
    **{f"background/{red}.png": red for red in (0, 30, 127, 128, 129, 220, 230)},
}
VERDICTS = {
    "football/0.png": "negative",
    "football/128.png": "positive",
    "football/129.png": "unsure",
    "football/254.png": "positive",
    "football/broken.png": "discard",
    "background/127.png": "negative",
    "background/128.png": "positive",
    "background/220.png": "positive",
    "background/230.png": "discard",
}
ROWS = ("positive", "negative", "unsure", "discarded", "open")


def shown(html: str) -> dict[tuple[str, str], list[int]]:
    """The numbers of the table, by given label and verdict: seen, not seen, without a score, all."""
    rows = re.findall(r'<tr data-crossed="(\w+) (\w+)">(.*?)</tr>', html, re.DOTALL)
    cells = {(given, row): re.findall(r"<td[^>]*>(.*?)</td>", cells, re.DOTALL) for given, row, cells in rows}
    return {key: [int(re.sub(r"<abbr.*?</abbr>|<[^>]*>|,", "", cell)) for cell in row] for key, row in cells.items()}


def counted(workshop: Workshop, threshold: float) -> dict[tuple[str, str], list[int]]:
    """The same, one image after the other."""
    found: Counter[tuple[str, str, bool | None]] = Counter()
    for item in workshop.items(1).values():
        sees = None if item.record.score is None else item.record.score >= threshold
        row = {None: "open", "discard": "discarded"}.get(item.record.verdict, item.record.verdict)
        found[item.record.given, str(row), sees] += 1
    return {
        (given, row): [*(parts := [found[given, row, sees] for sees in (True, False, None)]), sum(parts)]
        for given in Side
        for row in ROWS
    }


@pytest.mark.parametrize("threshold", [0.5, 0.501, 0.504, 0.0, 1.0])
@pytest.mark.parametrize("url", ["/?dataset=1", "/stats?dataset=1"])
def test_folders_detector_and_verdicts_are_crossed(
    workshop: Workshop, browser: Browser, url: str, threshold: float
) -> None:
    """Each cell is what counting says, also where the threshold lies within a bin, and the four terms stand by."""
    root = workshop.fill(FILES)
    (root / "football" / "broken.png").write_bytes(b"")
    workshop.add(root)
    workshop.scan(1)
    workshop.call_paths(1, VERDICTS)
    set_threshold(workshop.database, 1, threshold)
    html = browser.get(url).text
    table = shown(html)
    assert table == counted(workshop, threshold)
    stats = browser.get("/api/datasets/1/stats").json()
    given = stats["given"]
    corners = [table[folder, verdict][3] for folder in Side for verdict in Side]
    assert corners == [given["tp"], given["fp"], given["fn"], given["tn"]]
    assert all(f">{term}</abbr>" in html for term in ("TP", "FP", "FN", "TN"))


@pytest.mark.parametrize("threshold", [0.501, 0.504])
def test_the_disagreements_are_counted_by_image(workshop: Workshop, browser: Browser, threshold: float) -> None:
    """Beside the threshold: not by whole bins, as the bars are drawn."""
    workshop.ready(FILES)
    set_threshold(workshop.database, 1, threshold)
    html = browser.get("/?dataset=1").text
    written = {name: int(number) for name, number in re.findall(r"data-flags-(\w+)>(\d+)<", html)}
    scores = {path: item.record.score or 0.0 for path, item in workshop.items(1).items()}
    low = sum(path.startswith("football") and score < threshold for path, score in scores.items())
    high = sum(path.startswith("background") and score >= threshold for path, score in scores.items())
    assert written == {"positive": low, "negative": high, "all": low + high}


def test_a_dataset_that_is_wholly_scored_has_no_column_for_the_rest(workshop: Workshop, browser: Browser) -> None:
    """Only where images have no score is there something to say of them."""
    workshop.ready(FILES)
    html = browser.get("/?dataset=1").text
    assert "No score" not in html
    assert {len(row) for row in shown(html).values()} == {3}
