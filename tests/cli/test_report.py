"""``touchline report`` as a real process."""

import json
from pathlib import Path

import pytest

from tests.cli.test_commands import document, refusal, run
from tests.parts import draw, names


@pytest.fixture
def dataset(tmp_path: Path) -> Path:
    """A folder with a registered dataset."""
    for path in ("football/a.png", "background/b.png"):
        draw(tmp_path / "frames" / path, 200, noise=ord(path[-5]))
    assert run(tmp_path, "add", str(tmp_path / "frames")).returncode == 0
    return tmp_path


def test_a_report_is_written_and_never_over_anything(dataset: Path) -> None:
    """HTML, or JSON by its ending or by --format; the document on stdout says what was written."""
    html = document(dataset, "report", "frames", "--to", "out/report.html")
    assert (html["format"], html["valid"]) == ("html", False)
    assert (dataset / "out" / "report.html").stat().st_size == html["bytes"]
    assert (dataset / "out" / "report.html").read_text().startswith("<!doctype html>")
    said = run(dataset, "report", "frames", "--to", "out/report.json")
    assert (said.returncode, "proves nothing yet" in said.stdout) == (0, True)
    found = json.loads((dataset / "out" / "report.json").read_text())
    assert (found["dataset"]["name"], found["dataset"]["root"], found["counts"]["images"]) == ("frames", "frames", 2)
    full = document(dataset, "report", "frames", "--to", "out/full.txt", "--format", "json", "--with-paths")
    assert full["format"] == "json"
    assert json.loads((dataset / "out" / "full.txt").read_text())["dataset"]["root"] == str(dataset / "frames")
    before = (dataset / "out" / "report.html").read_bytes()
    assert "exists already" in refusal(run(dataset, "report", "frames", "--to", "out/report.html"), 2)
    assert (dataset / "out" / "report.html").read_bytes() == before
    assert names(dataset / "out") == ["full.txt", "report.html", "report.json"]


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (("nothing", "--to", "r.html"), "no dataset 'nothing'"),
        (("frames", "--to", "r.html", "--format", "pdf"), "--format: must be one of html, json"),
        (("frames", "--to", "frames"), "exists already"),
        (("frames", "--to", "frames/football/a.png/r.html"), "cannot be written"),
    ],
)
def test_wrong_usage(dataset: Path, arguments: tuple[str, ...], said: str) -> None:
    """Exit 2, one line, and no file."""
    before = sorted(dataset.rglob("*.html"))
    assert said in refusal(run(dataset, "report", *arguments), 2)
    assert sorted(dataset.rglob("*.html")) == before
