"""A relocation that is killed anywhere is finished, or cleanly taken back, by the next start."""

import csv
import hashlib
import json
import os
import random
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from app.files.manifests import PUBLISHED
from app.files.moving import CRASH_POINTS
from app.services.relocations import show_relocation
from tests.parts import Workshop, tree

ROOT = Path(__file__).resolve().parents[2]
KILLED = 137
REMOVING = ("before_remove", "after_remove")
ROUNDS = 60 if os.environ.get("TOUCHLINE_LONG") else 3


def command(workshop: Workshop, *arguments: str, crash_point: str = "") -> list[str]:
    """A command of ``touchline`` over the workshop's data."""
    environment = [
        f"TOUCHLINE_DATA_DIR={workshop.settings.data_dir}",
        f"TOUCHLINE_DATABASE_URL={workshop.settings.url}",
    ]
    if crash_point:
        environment.append(f"TOUCHLINE_CRASH_POINT={crash_point}")
    return ["env", *environment, sys.executable, "-m", "app", *arguments]


def run(workshop: Workshop, *arguments: str, crash_point: str = "") -> subprocess.CompletedProcess[str]:
    """Run a command to its end."""
    return subprocess.run(
        command(workshop, *arguments, crash_point=crash_point),
        cwd=ROOT,
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )


def recover(workshop: Workshop) -> list[dict[str, object]]:
    """What the next start does."""
    done = run(workshop, "recover", "--json")
    assert done.returncode == 0, done.stderr
    recovered: list[dict[str, object]] = json.loads(done.stdout)["relocations"]
    return recovered


@pytest.fixture
def frames(workshop: Workshop) -> dict[str, bytes]:
    """A scanned dataset in which every image is called, some against their folder; its bytes."""
    files = {f"{label}/{n}.png": 250 if n % 3 else 10 for label in ("football", "background") for n in range(12)}
    view = workshop.ready(files)
    workshop.call_paths(view.id, {path: "positive" if red > 100 else "negative" for path, red in files.items()})
    return tree(workshop.folder / "frames")


def read_csv(path: Path) -> list[dict[str, str]]:
    """The rows of a CSV file."""
    with path.open(newline="") as file:
        return list(csv.DictReader(file))


def assert_whole(workshop: Workshop, frames: dict[str, bytes], clean: Path) -> None:
    """Sources untouched; manifest and left-out are the dataset; every placed file has its source's bytes."""
    assert tree(workshop.folder / "frames") == frames
    placed = read_csv(clean / "manifest.csv")
    left_out = read_csv(clean / "left-out.csv")
    assert sorted(row["source_path"] for row in [*placed, *left_out]) == sorted(frames)
    for row in placed:
        content = (clean / row["path"]).read_bytes()
        assert content == frames[row["source_path"]]
        assert hashlib.sha256(content).hexdigest() == row["sha256"]
    assert set(tree(clean)) == {row["path"] for row in placed} | set(PUBLISHED)


@pytest.mark.parametrize("point", [point for point in CRASH_POINTS if point not in REMOVING])
def test_killed_while_placing(workshop: Workshop, frames: dict[str, bytes], point: str) -> None:
    """Killed at a named point of placing, the relocation is finished by recovery, to the byte."""
    clean = workshop.folder / "clean"

    killed = run(workshop, "relocate", "frames", "--to", str(clean), crash_point=point)
    recovered = recover(workshop)

    assert killed.returncode == KILLED, killed.stderr
    assert [each["status"] for each in recovered] == ["done"]
    assert_whole(workshop, frames, clean)


@pytest.mark.parametrize("point", REMOVING)
def test_killed_while_undoing(workshop: Workshop, frames: dict[str, bytes], point: str) -> None:
    """Killed while a file is removed, the undo is finished by recovery, and nothing else is touched."""
    clean = workshop.folder / "clean"
    relocation = workshop.relocate("frames", clean)

    killed = run(workshop, "undo", str(relocation.id), crash_point=point)
    recovered = recover(workshop)

    assert killed.returncode == KILLED, killed.stderr
    assert [each["status"] for each in recovered] == ["undone"]
    assert not clean.exists()
    assert tree(workshop.folder / "frames") == frames


def test_killed_at_random(workshop: Workshop, frames: dict[str, bytes]) -> None:
    """Killed with -9 at any moment, the next start finishes the relocation, or it was never begun."""
    chance = random.Random(7)
    for number in range(ROUNDS):
        clean = workshop.folder / f"clean-{number}"
        process = subprocess.Popen(
            command(workshop, "relocate", "frames", "--to", str(clean)),
            cwd=ROOT,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            start_new_session=True,
        )
        wait_for_files(process, clean, chance.randint(0, 20))
        os.killpg(process.pid, signal.SIGKILL)
        process.wait()

        recover(workshop)

        if clean.exists():
            assert_whole(workshop, frames, clean)
    assert tree(workshop.folder / "frames") == frames


def wait_for_files(process: subprocess.Popen[bytes], clean: Path, count: int) -> None:
    """Wait until ``count`` files have been placed, or the command has ended."""
    while process.poll() is None and len(list(clean.glob("*/*"))) < count:
        time.sleep(0.002)


def test_every_crash_point_is_reached(workshop: Workshop, frames: dict[str, bytes]) -> None:
    """No crash point is missing from the list, and none on the list is dead: the code names just these."""
    source = "".join(path.read_text() for path in (ROOT / "app" / "files").glob("*.py"))

    named = {part.split('"')[0] for part in source.split('crash_point("')[1:]}

    assert named == set(CRASH_POINTS)
    relocation = workshop.relocate("frames", workshop.folder / "clean")
    assert show_relocation(workshop.database, relocation.id).done == len(frames)
