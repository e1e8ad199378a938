"""The command line as real processes: exit status, one line on stderr, one document on stdout."""

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import typer.testing

from app.__main__ import COMMANDS, make_app
from tests.parts import bare_environment, draw, tree

HERE = Path(__file__).parents[2]


def run(folder: Path, *arguments: str, **environment: str) -> subprocess.CompletedProcess[str]:
    """Run ``touchline`` in a folder of its own, offline, without the settings of whoever runs the tests."""
    kept = bare_environment()
    return subprocess.run(
        [sys.executable, "-W", "error", "-m", "app", *arguments],
        cwd=folder,
        env=kept | {"PYTHONPATH": str(HERE), "HF_HUB_OFFLINE": "1", "COLUMNS": "200"} | environment,
        capture_output=True,
        text=True,
        check=False,
        timeout=120,
    )


def refusal(result: subprocess.CompletedProcess[str], status: int) -> str:
    """The one line on stderr, without a word on stdout."""
    assert (result.returncode, result.stdout) == (status, ""), result.stderr
    lines = [line for line in result.stderr.splitlines() if line.startswith("touchline: ")]
    assert len(lines) == 1, result.stderr
    assert "Traceback" not in result.stderr
    return lines[0]


@pytest.fixture
def frames(tmp_path: Path) -> Path:
    """A dataset of three images."""
    for path in ("football/a.png", "background/b.png", "background/c.png"):
        draw(tmp_path / "frames" / path, 200, noise=len(path) + ord(path[-5]))
    return tmp_path / "frames"


@pytest.mark.parametrize(
    ("arguments", "environment", "said"),
    [
        (("status", "--config", "odd.yaml"), {}, "colour: unknown key"),
        (("status",), {"TOUCHLINE_COLOUR": "red"}, "TOUCHLINE_COLOUR: unknown setting"),
        (("status",), {"TOUCHLINE_DETECTOR__MODEL": "./nothing"}, "detector.model: the folder nothing is missing"),
        (("add", "nothing"), {}, "root: "),
        (("scan", "nothing"), {}, "no dataset 'nothing'"),
        (("relocate", "nothing", "--to", "x", "--mode", "move"), {}, "confirm with --yes"),
    ],
)
def test_wrong_usage_ends_with_2_and_one_line(
    tmp_path: Path, arguments: tuple[str, ...], environment: dict[str, str], said: str
) -> None:
    """Which key or argument it is; nothing on stdout."""
    (tmp_path / "odd.yaml").write_text("colour: red\n")
    assert said in refusal(run(tmp_path, *arguments, **environment), 2)


def document(folder: Path, *arguments: str, status: int = 0) -> dict[str, Any]:
    """What a command with --json prints: one document and nothing else."""
    result = run(folder, *arguments, "--json")
    assert result.returncode == status, result.stderr
    found: dict[str, Any] = json.loads(result.stdout)
    assert result.stdout.count("\n") == 1
    return found


def test_from_add_to_export_without_a_browser(tmp_path: Path, frames: Path) -> None:
    """Register, queue a scan, import verdicts, relocate, undo, export: each command prints one JSON document."""
    added = document(tmp_path, "add", str(frames))
    assert (added["name"], added["images"]) == ("frames", 3)
    assert "already" in refusal(run(tmp_path, "add", str(frames)), 2)
    assert document(tmp_path, "scan", "frames")["status"] == "queued"
    verdicts = tmp_path / "verdicts.csv"
    verdicts.write_text("path,verdict,reviewer\nfootball/a.png,positive,ada\nbackground/b.png,positive,ada\n")
    assert document(tmp_path, "import-reviews", "frames", str(verdicts))["imported"] == 2
    dry = document(tmp_path, "relocate", "frames", "--to", "clean", "--dry-run")
    assert (dry["status"], dry["moves"]["planned"], (tmp_path / "clean").exists()) == ("planned", 2, False)
    done = document(tmp_path, "relocate", "frames", "--to", "clean")
    assert (done["status"], done["moves"]["done"], done["left_out"]) == ("done", 2, {"not_scored": 1})
    assert {path for path in tree(tmp_path / "clean") if path.endswith(".png")} == {"football/a.png", "football/b.png"}
    draw(tmp_path / "taken" / "mine.png", 1)
    assert "--to " in refusal(run(tmp_path, "relocate", "frames", "--to", "taken"), 2)
    status = document(tmp_path, "status")
    assert (status["datasets"][0]["reviewed"], status["datasets"][0]["relocations"][0]["done"]) == (2, 2)
    assert document(tmp_path, "certify", "frames")["valid"] is False
    exported = document(tmp_path, "export", "frames", "--format", "csv", "--to", "out.csv")
    assert (tmp_path / "out.csv").stat().st_size == exported["bytes"]
    assert "exists already" in refusal(run(tmp_path, "export", "frames", "--format", "csv", "--to", "out.csv"), 2)
    assert document(tmp_path, "undo", str(done["id"]))["status"] == "undone"
    assert not (tmp_path / "clean").exists()


def test_a_name_moves_no_cursor(tmp_path: Path, frames: Path) -> None:
    """A folder or a file can be named so that a terminal obeys it; the document for programs holds it as it is."""
    odd = frames.rename(tmp_path / "\x1b]0;pwned\x07\x1b[2J\x9bframes")
    added = run(tmp_path, "add", str(odd))
    listed = run(tmp_path, "status")
    refused = run(tmp_path, "scan", "\x1b[2Jnothing")
    assert (added.returncode, listed.returncode, refused.returncode) == (0, 0, 2)
    said = added.stdout + listed.stdout + refused.stderr
    assert "]0;pwned" in said
    assert not set("\x1b\x07\x9b") & set(said)
    assert json.loads(run(tmp_path, "status", "--json").stdout)["datasets"][0]["name"] == odd.name


def test_a_failed_scan_ends_with_1(tmp_path: Path, frames: Path) -> None:
    """Offline, with a model that is not there: the reason says what to do, on stdout as JSON."""
    run(tmp_path, "add", str(frames))
    environment = {"TOUCHLINE_DETECTOR__MODEL": "somebody/no-such-dfine"}
    result = run(tmp_path, "scan", "frames", "--wait", "--json", **environment)
    assert result.returncode == 1, result.stderr
    scan = json.loads(result.stdout)
    assert (scan["status"], "cannot be downloaded" in scan["error"], "local-dir" in scan["error"]) == (
        "failed",
        True,
        True,
    )


def test_a_failed_move_ends_with_1(tmp_path: Path, frames: Path) -> None:
    """An image that changed since it was called is named; the rest is placed."""
    run(tmp_path, "add", str(frames))
    (tmp_path / "v.csv").write_text("path,verdict\nfootball/a.png,positive\nbackground/b.png,negative\n")
    run(tmp_path, "import-reviews", "frames", "v.csv")
    draw(frames / "football/a.png", 3, size=(40, 20))
    done = document(tmp_path, "relocate", "frames", "--to", "clean", status=1)
    assert (done["status"], done["moves"]["done"], done["moves"]["failed"]) == ("partly_failed", 1, 1)


@pytest.mark.parametrize("command", COMMANDS)
def test_every_command_explains_itself_with_an_example(command: str) -> None:
    """``--help`` ends with 0, shows an example that begins with the command itself, and describes each option."""
    result = typer.testing.CliRunner().invoke(make_app(), [command, "--help"], terminal_width=200)
    assert result.exit_code == 0
    assert f"Example: touchline {command}" in " ".join(result.output.split())
    assert "--config" in result.output


def test_without_a_command_the_commands_are_listed(tmp_path: Path) -> None:
    """Each by name; an unknown one is wrong usage."""
    listed = run(tmp_path)
    assert all(command in listed.stdout + listed.stderr for command in COMMANDS)
    assert run(tmp_path, "frobnicate").returncode == 2
