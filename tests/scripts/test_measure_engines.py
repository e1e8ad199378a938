"""The table of engines: each row is that engine's own, or says why there is none."""

import importlib.util
from pathlib import Path
from types import ModuleType

import pytest
import torch

from app.config import DetectorSettings
from app.detector.engines import Candidate
from app.files.caching import FolderCache

SCRIPT = Path(__file__).parents[2] / "scripts" / "measure_engines.py"
SETTINGS = DetectorSettings(device="cpu", threads=1)


@pytest.fixture(scope="module")
def measuring() -> ModuleType:
    """The script as a module."""
    spec = importlib.util.spec_from_file_location("measure_engines", SCRIPT)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def cells(row: str) -> list[str]:
    """The cells of a line of the table."""
    return [cell.strip() for cell in row.strip("|\n").split("|")]


def test_an_engine_that_does_not_run_has_no_figures(measuring: ModuleType, tmp_path: Path) -> None:
    """No processor computes float16 by itself: float32 on the same engine does not stand in for it."""
    candidate = Candidate("openvino", "cpu", "float16")
    row = cells(measuring.measure(SETTINGS, candidate, FolderCache(tmp_path)))
    assert len(row) == len(measuring.HEADS)
    assert (row[0], row[1:7], row[8]) == ("openvino float16", [""] * 6, "")
    assert row[7].startswith("does not run here: openvino finds no cpu here that computes in float16")


def test_a_refused_engine_has_its_own_figures(
    measuring: ModuleType, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """bfloat16 moves the scores of the built-in model: its row says so with what was measured, and its own speed."""
    monkeypatch.setattr(measuring, "_speed", lambda detector: float(detector.runtime.precision == "bfloat16"))
    candidate = Candidate("torch", "cpu", "bfloat16")
    row = cells(measuring.measure(SETTINGS, candidate, FolderCache(tmp_path)))
    assert (row[0], int(row[1]) >= 64, row[8]) == ("torch bfloat16", True, "1.0")
    assert row[7].startswith("refused: ")
    assert float(row[4]) > 0.02
