"""Writing the demo: the drawn bytes, the truth beside them, and a first start."""

import csv
import json
from pathlib import Path

import pytest

from app.demo.dataset import Contamination, draw_planned, plan_demo
from app.errors import TargetExistsError, UsageError
from app.services.datasets import DEMO_MARKER
from app.services.demo import prepare_demo, write_demo
from tests.parts import Workshop, draw, tree


@pytest.fixture(scope="module")
def demo(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Four frames, drawn once for this module."""
    dest = tmp_path_factory.mktemp("drawn") / "demo"
    drawn: list[int] = []
    written = write_demo(dest, 4, 3, Contamination.SEED, drawn.append)
    assert (written.images, written.football + written.background, drawn) == (4, 4, [1, 2, 3, 4])
    return dest


def test_the_same_arguments_are_the_same_bytes(demo: Path) -> None:
    """What the pool of processes wrote is what one process draws."""
    for frame in plan_demo(4, 3, Contamination.SEED):
        assert (demo / frame.path).read_bytes() == draw_planned(frame)[0]
    assert len(list(demo.rglob("*.jpg"))) == 4


def test_the_truth_lies_beside_the_frames(demo: Path) -> None:
    """One row each, boxes as JSON, none where there is no ball."""
    with (demo / "truth.csv").open(encoding="utf-8", newline="") as file:
        rows = list(csv.DictReader(file))
    assert sorted(row["path"] for row in rows) == sorted(str(path.relative_to(demo)) for path in demo.rglob("*.jpg"))
    assert list(rows[0]) == ["path", "given_label", "true_label", "boxes"]
    for row in rows:
        assert row["path"].startswith(row["given_label"] + "/")
        assert bool(json.loads(row["boxes"])) is (row["true_label"] == "football")


def test_a_folder_that_holds_something_is_not_drawn_into(tmp_path: Path) -> None:
    """It stays as it is."""
    draw(tmp_path / "demo" / "mine.png", 1)
    with pytest.raises(TargetExistsError):
        write_demo(tmp_path / "demo", 2, 1, Contamination.NONE)
    assert list(tree(tmp_path)) == ["demo/mine.png"]


@pytest.mark.parametrize(("images", "seed"), [(0, 1), (-1, 1), (1, -1), (1, 1 << 63), (10_000_000, 1)])
def test_numbers_out_of_range_are_refused(tmp_path: Path, images: int, seed: int) -> None:
    """Before anything is made."""
    with pytest.raises(UsageError, match="--images must lie between"):
        write_demo(tmp_path / "demo", images, seed, Contamination.SEED)
    assert list(tmp_path.iterdir()) == []


def test_a_first_start_registers_the_demo_and_queues_its_scan(workshop: Workshop, demo: Path) -> None:
    """One that was drawn before a crash is not drawn again, and a second start changes nothing."""
    (workshop.folder / "var" / "demo").symlink_to(demo)
    for _ in range(2):
        prepare_demo(workshop.database, workshop.settings, workshop.clock)
    dataset = workshop.dataset("demo")
    assert (dataset.demo, len(workshop.items("demo"))) == (True, 4)
    assert (demo / DEMO_MARKER).is_file()
    assert workshop.scan("demo").id == 1


def test_with_a_dataset_of_one_s_own_there_is_no_demo(workshop: Workshop) -> None:
    """Nothing is drawn."""
    workshop.add(workshop.fill({"football/a.png": 1, "background/b.png": 1}))
    prepare_demo(workshop.database, workshop.settings, workshop.clock)
    assert not (workshop.folder / "var" / "demo").exists()
