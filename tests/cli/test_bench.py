"""``bench scan`` as a process: real measurements of few frames, in the shape that others read."""

from pathlib import Path

from tests.cli.test_commands import document

SPEEDS = ("limit", "touchline", "pipeline", "original")
ROW = {"model", "backend", "precision", "gate", "ratios", *(f"{name}_images_per_s" for name in SPEEDS)}


def test_bench_scan_measures_four_ways_over_the_same_files(tmp_path: Path) -> None:
    """One document: a row for the model with its speeds and their ratios, the machine, and the versions."""
    told = document(tmp_path, "bench", "scan", "--images", "4", "--rounds", "1", "--models", "builtin")
    assert {"rows", "machine", "versions"} <= set(told)
    (row,) = told["rows"]
    assert set(row) >= ROW
    assert (row["model"], row["images"], row["rounds"]) == ("builtin", 4, 1)
    speeds = {name: row[f"{name}_images_per_s"] for name in SPEEDS}
    assert all(speed > 0 for speed in speeds.values())
    assert set(row["ratios"]) == {f"to_{name}" for name in SPEEDS if name != "touchline"}
    for name, ratio in row["ratios"].items():
        beside = speeds[name.removeprefix("to_")]
        assert abs(ratio - speeds["touchline"] / beside) < 0.01 + 0.02 * ratio
    assert row["gate"] is None or row["gate"]["canaries"] >= 64
    assert {"touchline", "python", "torch", "openvino"} <= set(told["versions"])
