"""``touchline serve --demo``, which is what ``make run`` starts, as a process with its worker."""

import urllib.request
from pathlib import Path

from app.demo.dataset import Contamination
from app.services.demo import write_demo
from tests.browser.conftest import Server, serving

IMAGES = 12


def scan_statuses(server: Server) -> list[str]:
    """The demo's scans."""
    return [scan["status"] for scan in server.get("/api/scans")["items"]]


def page(server: Server, path: str) -> str:
    """A page as a browser gets it."""
    with urllib.request.urlopen(server.base + path, timeout=30) as response:
        return str(response.read().decode())


def test_the_demo_is_served_scanned(tmp_path: Path) -> None:
    """By itself, and not a second time at the next start. A small one lies where 400 frames would be drawn."""
    write_demo(tmp_path / "var" / "demo", IMAGES, 5, Contamination.SEED)
    with serving(tmp_path, "--demo") as server:
        server.wait_for("the demo's scan", lambda: scan_statuses(server) == ["done"])
        overview = page(server, "/")
        assert "<h1>demo</h1>" in overview
        assert "This is the demo" in overview
        assert server.get("/api/datasets/demo/stats")["scored"] == IMAGES
        assert "/review?dataset=1" in overview
    with serving(tmp_path, "--demo") as server:
        assert "<h1>demo</h1>" in page(server, "/")
        assert (len(server.get("/api/datasets")["items"]), scan_statuses(server)) == (1, ["done"])
