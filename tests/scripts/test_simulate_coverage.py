"""The coverage simulation follows the app's own ratios, and finds a bound that is wrong."""

import importlib.util
import sys
from pathlib import Path
from types import ModuleType

import pytest

SCRIPT = Path(__file__).parents[2] / "scripts" / "simulate_coverage.py"


@pytest.fixture(scope="module")
def simulation() -> ModuleType:
    """The script as a module."""
    spec = importlib.util.spec_from_file_location("simulate_coverage", SCRIPT)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules[spec.name] = module  # where dataclasses look up annotations
    spec.loader.exec_module(module)
    return module


@pytest.mark.parametrize("scenario", [(120, 0.2, 2, 20.0), (60, 0.5, 3, 0.2), (90, 0.0, 1, 5.0)])
def test_runs_are_covered_to_the_last_image(simulation: ModuleType, scenario: tuple[int, float, int, float]) -> None:
    """Few runs, every look until nothing is left: the ratios are the app's, and few runs fail."""
    row = simulation.simulate(3, 100, 1_000, scenario)
    assert row["looks"] == scenario[0]
    assert row["difference"] < 1e-9
    assert row["below_overall"] <= row["dropped"] <= 0.1
    assert row["below_label"] <= row["dropped"]


def test_a_bound_that_is_too_small_is_found(simulation: ModuleType, monkeypatch: pytest.MonkeyPatch) -> None:
    """At a risk of 60 % many runs fail, overall and by label: the simulation would have shown a wrong bound."""
    monkeypatch.setattr(simulation, "RISK", 0.6)
    row = simulation.simulate(3, 60, 120, (120, 0.3, 2, 1.0))
    assert row["below_overall"] > 0.1
    assert row["below_label"] > 0.1
    assert row["below_overall"] <= row["dropped"] <= 0.75
