"""Simulated reviewers: what each order takes, on drawn numbers and on a real scan."""

import csv
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from app.config import Settings
from app.errors import InvalidInputError, UsageError
from app.services.effort import Effort, Strategy, Study, simulate
from app.services.effort_bench import bench_effort, study_dataset, study_demo, write_effort
from app.storage.database import Database
from app.storage.migrating import migrate
from tests.cli.test_commands import document, refusal, run
from tests.learning.test_fitting import draw
from tests.parts import ColourDetector, SetClock, Workshop
from tests.parts import draw as draw_picture


@pytest.fixture(scope="module")
def study() -> Study:
    """Six hundred images, an eighth of them filed wrongly."""
    images, features, truth = draw(600, seed=8)
    return Study(images, features, truth, 0.5)


def test_every_order_finds_what_it_can(study: Study) -> None:
    """Guided orders need fewer verdicts than chance, chance fewer than everything; flags alone come to an end."""
    found = {strategy: simulate(study, strategy, 0.0, 3) for strategy in Strategy}
    assert found[Strategy.EVERYTHING] == Effort(600, (600, 600), 1.0, 600)
    touchline, random = found[Strategy.TOUCHLINE].to_find, found[Strategy.RANDOM].to_find
    mistaken = found[Strategy.MISTAKENNESS].to_find
    assert touchline is not None
    assert random is not None
    assert mistaken is not None
    assert max(touchline, mistaken) < random < 600
    flags = found[Strategy.FLAGS]
    assert flags.to_find is None
    assert 0.5 < flags.found_at_end < 0.95
    assert flags.asked >= study.disagrees.sum()


def test_a_simulation_is_the_same_again(study: Study) -> None:
    """And another one with another reviewer, who errs."""
    one = simulate(study, Strategy.TOUCHLINE, 0.02, 3)
    assert one == simulate(study, Strategy.TOUCHLINE, 0.02, 3)
    assert one != simulate(study, Strategy.TOUCHLINE, 0.02, 4)


def test_few_errors_are_certified_long_before_the_end() -> None:
    """A large clean set, called at random: what a bound is for."""
    images, features, _ = draw(4_000, seed=2)
    clean = Study(images, features, images.positive, 0.5)
    effort = simulate(clean, Strategy.RANDOM, 0.0, 1)
    first, second = effort.to_certify
    assert first is not None
    assert second is not None
    assert 100 < first < second < 2_000


def test_the_table_says_never_where_something_is_never_reached(study: Study, tmp_path: Path) -> None:
    """And is put between its marks, whatever else stands in the document."""
    path = tmp_path / "BENCHMARKS.md"
    path.write_text("# Benchmarks\n\nbefore\n", encoding="utf-8")
    rows = bench_effort([(1, study)], 0.0)
    for _ in range(2):
        write_effort(path, {"rows": rows}, "touchline bench review-effort")
    text = path.read_text("utf-8")
    assert text.count("<!-- bench review-effort: begin -->") == 1
    assert "| flags | never |" in text
    assert text.startswith("# Benchmarks\n\nbefore\n")


def write_truth(path: Path, rows: dict[str, str]) -> Path:
    """A truth file."""
    with path.open("w", encoding="utf-8", newline="") as file:
        writer = csv.writer(file)
        writer.writerows([("path", "true_label"), *rows.items()])
    return path


def test_a_dataset_with_a_truth_file_is_studied_as_nobody_had_called_it(workshop: Workshop, tmp_path: Path) -> None:
    """Its verdicts are left out: the simulated reviewer gives others."""
    workshop.ready({"football/a.png": 200, "football/b.png": 10, "background/c.png": 5})
    workshop.call_paths(1, {"football/a.png": "positive"})
    labels = {"football/a.png": "football", "football/b.png": "background", "background/c.png": "background"}
    study = study_dataset(workshop.database, "1", write_truth(tmp_path / "truth.csv", labels))
    assert (len(study.images), study.errors, study.features.shape) == (3, 1, (3, 0))
    assert not study.images.called.any()
    assert simulate(study, Strategy.TOUCHLINE, 0.0, 1).to_find == 1


def test_a_truth_that_is_no_truth_is_refused(workshop: Workshop, tmp_path: Path) -> None:
    """With the image, or the file, that it is about."""
    workshop.ready({"football/a.png": 200, "background/b.png": 5})
    told = {"football/a.png": "cat", "background/b.png": "background"}
    with pytest.raises(InvalidInputError, match=r"says neither football nor background of football/a\.png"):
        study_dataset(workshop.database, "1", write_truth(tmp_path / "truth.csv", told))
    with pytest.raises(UsageError, match="path and true_label"):
        study_dataset(workshop.database, "1", tmp_path / "none.csv")


def test_features_help_where_the_detector_errs(study: Study) -> None:
    """The same images without features take more verdicts."""
    blind = replace(study, features=np.zeros((len(study.images), 0), np.float32))
    with_features = simulate(study, Strategy.TOUCHLINE, 0.0, 5).to_find
    without = simulate(blind, Strategy.TOUCHLINE, 0.0, 5).to_find
    assert with_features is not None
    assert without is not None
    assert with_features < without


def test_a_demo_set_is_drawn_and_scanned_once(workshop: Workshop) -> None:
    """The second time nothing is looked at, and the study is the same."""
    detector = ColourDetector()
    studies = [study_demo(workshop.settings, workshop.clock, lambda: detector, 60, 1) for _ in range(2)]
    assert [len(study.images) for study in studies] == [60, 60]
    assert studies[0].errors == studies[1].errors > 0
    assert detector.looked_at == 60
    folder = workshop.settings.data_dir / "bench" / "effort-60-1"
    assert (folder / "touchline.db").is_file()
    rows = bench_effort([(1, study) for study in studies], 0.0)
    assert [row["strategy"] for row in rows] == [str(strategy) for strategy in Strategy]


def test_the_command_wants_a_dataset_with_its_truth(tmp_path: Path) -> None:
    """Neither without the other; a dataset that is not there is named."""
    lone = run(tmp_path, "bench", "review-effort", "--dataset", "demo")
    assert "--dataset and --truth go together" in refusal(lone, 2)


def test_the_command_simulates_a_registered_dataset(tmp_path: Path) -> None:
    """One JSON document, and the table between its marks."""
    for number in range(8):
        draw_picture(tmp_path / "frames" / "football" / f"{number}.png", 200, noise=number)
        draw_picture(tmp_path / "frames" / "background" / f"{number}.png", 20, noise=50 + number)
    database = Database(f"sqlite:///{tmp_path / 'var' / 'touchline.db'}")
    migrate(database)
    own = Workshop(tmp_path, database, Settings(data_dir=tmp_path / "var"), SetClock())
    own.add(tmp_path / "frames")
    own.scan(1)
    database.dispose()
    labels = {f"{label}/{number}.png": label for label in ("football", "background") for number in range(8)}
    labels["football/3.png"] = "background"
    truth = write_truth(tmp_path / "truth.csv", labels)
    arguments = ("--dataset", "frames", "--truth", str(truth), "--seeds", "2", "--write", "B.md")
    result = document(tmp_path, "bench", "review-effort", *arguments)
    assert {(row["images"], row["errors"]) for row in result["rows"]} == {(16, 1)}
    assert "medians of 2 runs on 16 images, 1 of them filed wrongly" in (tmp_path / "B.md").read_text("utf-8")
