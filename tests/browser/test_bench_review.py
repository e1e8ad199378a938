"""``touchline bench review`` measures what it says, on a small database."""

import json
import os
import subprocess
import sys

from tests.browser.conftest import ROOT, find_browser
from tests.parts import bare_environment


def test_the_benchmark_presses_keys_and_times_pages() -> None:
    """One row a size, with the contract's figures, each of which took some time."""
    command = [sys.executable, "-m", "app", "bench", "review", "--images", "300", "--verdicts", "10", "--json"]
    browser = find_browser()
    command += ["--browser", browser] if browser else []
    environment = {**bare_environment(), "PATH": os.environ["PATH"]}
    done = subprocess.run(command, cwd=ROOT, env=environment, capture_output=True, text=True, timeout=300, check=False)
    assert done.returncode == 0, done.stderr
    (row,) = json.loads(done.stdout)["rows"]
    assert (row["images"], row["verdicts"]) == (300, 7)
    assert 0 < row["key_to_paint_ms"]["median"] <= row["key_to_paint_ms"]["p95"]
    assert row["key_to_paint_ms"]["median"] <= row["key_to_card_ms"]["median"] <= row["key_to_card_ms"]["p95"]
    assert 0 < row["server_ms"]["median"] <= row["server_ms"]["p95"]
    assert row["server_ms"]["p95"] == max(page["p95"] for page in row["pages"].values())
    assert row["start_s"] > 0
