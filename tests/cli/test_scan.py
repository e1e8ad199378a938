"""Scans by command: ranked, held, let go, and looking again at what could not be read."""

import subprocess
import sys
from pathlib import Path

import pytest

from app.config import Settings
from app.services.clock import utc_now
from app.services.scans import cancel_scan
from app.storage.database import Database
from tests.cli.test_commands import HERE, document, refusal, run
from tests.parts import bare_environment, draw


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A folder with a registered dataset of two images and a file that is none."""
    for path in ("football/a.png", "background/b.png"):
        draw(tmp_path / "frames" / path, 200, noise=len(path))
    (tmp_path / "frames" / "football" / "broken.jpg").write_bytes(b"no image")
    run(tmp_path, "add", "frames")
    return tmp_path


def test_a_scan_is_ranked_held_and_let_go(folder: Path) -> None:
    """Each command prints the scan as it is then; one that is queued already gets the new priority."""
    queued = document(folder, "scan", "frames", "--priority", "3")
    assert (queued["status"], queued["priority"], queued["paused"]) == ("queued", 3, False)
    assert document(folder, "scan", "frames", "--priority", "-4")["priority"] == -4
    assert document(folder, "pause", "1")["paused"] is True
    assert "queued, paused" in run(folder, "scan", "frames").stdout
    assert "scan 1 queued, paused 0/0" in run(folder, "status").stdout
    assert document(folder, "resume", "1")["paused"] is False
    assert run(folder, "scan", "frames", "--priority", "1001").returncode == 2
    assert "no scan 9" in refusal(run(folder, "pause", "9"), 2)


def test_what_could_not_be_read_is_tried_again(folder: Path) -> None:
    """By a scan that is queued; where everything could be read there is nothing to do, which is said."""
    assert document(folder, "retry", "frames")["status"] == "queued"
    (folder / "frames" / "football" / "broken.jpg").unlink()
    draw(folder / "other" / "football" / "a.png", 9)
    draw(folder / "other" / "background" / "b.png", 9, noise=1)
    run(folder, "add", "other")
    assert "no image is unreadable" in refusal(run(folder, "retry", "other"), 1)


def test_whoever_waits_for_a_paused_scan_is_told(folder: Path) -> None:
    """Once, on stderr; the command goes on waiting until the scan is let go or cancelled."""
    run(folder, "scan", "frames")
    run(folder, "pause", "1")
    kept = bare_environment()
    waiting = subprocess.Popen(
        [sys.executable, "-m", "app", "scan", "frames", "--wait"],
        cwd=folder,
        env=kept | {"PYTHONPATH": str(HERE)},
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    assert waiting.stderr is not None
    assert any("scan 1 is paused; `touchline resume 1` lets it go on" in line for line in waiting.stderr)
    database = Database(Settings(data_dir=folder / "var").url)
    cancel_scan(database, Settings().worker, utc_now, 1)
    database.dispose()
    told, _ = waiting.communicate(timeout=60)
    assert (waiting.returncode, "cancelled" in told) == (1, True)


def test_the_built_in_model_is_called_what_it_is(tmp_path: Path) -> None:
    """By ``add`` and by ``scan``, on stderr, in one sentence; not with another model, and not of the demo."""
    for name in ("frames", "drawn", "photos"):
        for path in ("football/a.png", "background/b.png"):
            draw(tmp_path / name / path, 200, noise=len(path))
    (tmp_path / "drawn" / ".touchline-demo").touch()
    sentence = (
        "note: builtin:football has seen only drawn images, so expect little of it on photographs: set detector.model "
        "to a real D-FINE such as ustc-community/dfine-small-obj2coco, and detector.target_classes to "
        '["sports ball"].'
    )
    real = {"TOUCHLINE_DETECTOR__MODEL": "somebody/real-dfine"}
    for command in ("add", "scan"):
        assert run(tmp_path, command, "frames").stderr.splitlines().count(sentence) == 1
        assert "drawn images" not in run(tmp_path, command, "drawn").stderr
        assert "drawn images" not in run(tmp_path, command, "photos", **real).stderr
