"""The overview and the statistics as pages: what stands in their tables is what counting says."""

import re
from collections import Counter
from dataclasses import replace
from html import unescape

import pytest

from app.config import BUILTIN_MODEL
from app.domain.detections import DetectorIdentity
from app.domain.images import Side
from app.services.datasets import set_threshold
from tests.parts import Browser, ColourDetector, Workshop

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


PAGES = ("/?dataset=1", "/scans?dataset=1", "/scans/1")
DRAWN = "builtin:football has seen only drawn images, so expect little of it on photographs: "
TAKE_A_REAL_ONE = (
    f"{DRAWN}set detector.model to a real D-FINE such as ustc-community/dfine-small-obj2coco, "
    'and detector.target_classes to ["sports ball"].'
)
SCAN_AGAIN = f"{DRAWN}scan again with some/real-dfine, which detector.model names now."


class BuiltinDetector(ColourDetector):
    """One that calls itself the built-in model."""

    @property
    def identity(self) -> DetectorIdentity:
        """See :class:`app.detector.base.Detector`."""
        return replace(super().identity, model=BUILTIN_MODEL)


def banners(browser: Browser, url: str) -> list[str]:
    """What a page says of the model, in the words that a person reads."""
    texts = re.findall(r'<p class="banner[^>]*>(.*?)</p>', browser.get(url).text, re.DOTALL)
    words = [" ".join(unescape(re.sub(r"<[^>]+>", "", text)).split()) for text in texts]
    return [text for text in words if "drawn images" in text]


def test_before_a_scan_the_chosen_model_is_called_what_it_is(workshop: Workshop, browser: Browser) -> None:
    """On the overview and with the scans; a scan that waits says it too."""
    workshop.add(workshop.fill(FILES))
    browser.post("/scan", json={"dataset": 1})
    assert [banners(browser, url) for url in PAGES] == [[TAKE_A_REAL_ONE]] * 3


def test_the_notice_follows_the_detector_whose_scores_are_shown(workshop: Workshop, browser: Browser) -> None:
    """A real one has scored, so nothing is said, though the built-in one is set; and again when that has scored."""
    workshop.ready(FILES)
    assert [banners(browser, url) for url in PAGES] == [[]] * 3
    workshop.scan(1, BuiltinDetector(weights="b" * 64))
    assert [banners(browser, url) for url in (*PAGES, "/scans/2")] == [[TAKE_A_REAL_ONE]] * 2 + [[], [TAKE_A_REAL_ONE]]


def test_scores_of_the_built_in_model_are_named_when_a_real_one_is_set(workshop: Workshop) -> None:
    """It is set already: a scan is what is missing."""
    workshop.add(workshop.fill(FILES))
    workshop.scan(1, BuiltinDetector())
    real = workshop.settings.model_copy(
        update={"detector": workshop.settings.detector.model_copy(update={"model": "some/real-dfine"})}
    )
    browser = Browser(workshop, real)
    assert [banners(browser, url) for url in PAGES] == [[SCAN_AGAIN]] * 3
    browser.close()


def test_the_demo_is_what_the_built_in_model_was_drawn_for(workshop: Workshop, browser: Browser) -> None:
    """There it is not warned of."""
    root = workshop.fill(FILES)
    (root / ".touchline-demo").touch()
    workshop.add(root)
    workshop.scan(1, BuiltinDetector())
    assert [banners(browser, url) for url in PAGES] == [[]] * 3
    assert "This is the demo" in browser.get("/").text
