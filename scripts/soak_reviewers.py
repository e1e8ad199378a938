"""Twenty people call images for minutes while a worker writes: is any verdict lost, doubled, or any image given twice?

python scripts/soak_reviewers.py --people 20 --seconds 600
"""

import argparse
import http.client
import json
import os
import socket
import subprocess
import sys
from dataclasses import dataclass, field
from pathlib import Path
from statistics import median, quantiles
from tempfile import TemporaryDirectory
from threading import Lock, Thread
from time import monotonic, perf_counter, sleep
from typing import Any
from uuid import uuid4

from app.config import Settings
from app.services.clock import utc_now
from app.services.review_bench import draw_frames, fill_database, writing
from app.storage.database import Database
from app.storage.migrating import migrate

IMAGES = 50_000
PACE_S = 1.0


@dataclass
class Seen:
    """What all people together saw."""

    lock: Lock = field(default_factory=Lock)
    holders: dict[int, str] = field(default_factory=dict)  #: image -> the client that has it in hand
    saved: dict[int, int] = field(default_factory=dict)  #: image -> the review that was acknowledged
    times_ms: list[float] = field(default_factory=list)
    problems: list[str] = field(default_factory=list)

    def note(self, problem: str) -> None:
        """Something that must not happen."""
        with self.lock:
            self.problems.append(problem)


class Person:
    """One reviewer with one tab, over the API."""

    def __init__(self, port: int, dataset_id: int, number: int, seen: Seen) -> None:
        self._port = port
        self._dataset_id = dataset_id
        self._seen = seen
        self._client = str(uuid4())
        self._headers = {"Cookie": f"touchline_reviewer=person{number}", "Content-Type": "application/json"}

    def work(self, until: float) -> None:
        """A verdict a second."""
        while monotonic() < until:
            began = monotonic()
            try:
                self._call_one()
            except (OSError, ValueError, KeyError, http.client.HTTPException) as error:
                self._seen.note(f"{type(error).__name__}: {error}")
            sleep(max(0.0, PACE_S - (monotonic() - began)))

    def _ask(self, method: str, path: str, body: dict[str, Any] | None = None) -> tuple[int, Any]:
        connection = http.client.HTTPConnection("127.0.0.1", self._port, timeout=60)
        began = perf_counter()
        connection.request(method, path, None if body is None else json.dumps(body), self._headers)
        response = connection.getresponse()
        content = response.read()
        self._seen.times_ms.append((perf_counter() - began) * 1000)
        connection.close()
        return response.status, json.loads(content or b"null")

    def _call_one(self) -> None:
        status, found = self._ask("GET", f"/api/next?dataset={self._dataset_id}&client={self._client}")
        if status != 200:
            self._seen.note(f"next answered {status}: {found}")
            return
        item = found["items"][0]
        with self._seen.lock:
            other = self._seen.holders.setdefault(item["id"], self._client)
            if other != self._client:
                self._seen.problems.append(f"image {item['id']} was given to two people")
        body = {"verdict": "positive", "seen_review_id": item["review_id"], "request_id": str(uuid4())}
        status, review = self._ask("POST", f"/api/images/{item['id']}/reviews", body)
        if status != 201:
            self._seen.note(f"a verdict answered {status}: {review}")
            return
        with self._seen.lock:
            if item["id"] in self._seen.saved:
                self._seen.problems.append(f"image {item['id']} was called twice")
            self._seen.saved[item["id"]] = review["review_id"]


def check_stored(database: Database, dataset_id: int, seen: Seen) -> None:
    """Each acknowledged verdict is stored once, and none besides."""
    with database.engine.connect() as connection:
        rows = connection.exec_driver_sql(
            "SELECT id, image_id FROM reviews WHERE dataset_id = ? AND reviewer LIKE 'person%'", (dataset_id,)
        ).all()
    stored = {image_id: review_id for review_id, image_id in rows}
    if len(stored) != len(rows):
        seen.note("an image has two verdicts")
    if stored != seen.saved:
        seen.note(f"{len(seen.saved)} verdicts were acknowledged, {len(stored)} images have one")


def serve(data_dir: Path) -> tuple["subprocess.Popen[bytes]", int]:
    """A server of its own process."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = int(probe.getsockname()[1])
    kept = {key: value for key, value in os.environ.items() if not key.startswith("TOUCHLINE_")}
    command = [sys.executable, "-m", "app", "serve", "--no-worker", "--port", str(port)]
    process = subprocess.Popen(
        command, env=kept | {"TOUCHLINE_DATA_DIR": str(data_dir)}, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
    )
    until = monotonic() + 60
    while monotonic() < until:
        with socket.socket() as probe:
            if probe.connect_ex(("127.0.0.1", port)) == 0:
                return process, port
        sleep(0.05)
    raise SystemExit("the server did not start")


def soak(people: int, seconds: float) -> dict[str, Any]:
    """Run it; the figures."""
    seen = Seen()
    with TemporaryDirectory(prefix="touchline-soak-") as name:
        folder = Path(name)
        settings = Settings(data_dir=folder / "var")
        database = Database(settings.url)
        migrate(database)
        draw_frames(folder / "frames", 4)
        dataset_id = fill_database(database, settings, utc_now, folder / "frames", IMAGES)
        process, port = serve(settings.data_dir)
        with writing(settings, utc_now, folder):
            until = monotonic() + seconds
            each = [Person(port, dataset_id, number, seen) for number in range(people)]
            threads = [Thread(target=person.work, args=(until,)) for person in each]
            for thread in threads:
                thread.start()
            for thread in threads:
                thread.join()
        process.terminate()
        process.wait(30)
        check_stored(database, dataset_id, seen)
        with database.engine.connect() as connection:
            written = connection.exec_driver_sql("SELECT count(*) FROM scores WHERE scan_id > 1").scalar_one()
        database.dispose()
    return {
        "people": people,
        "seconds": seconds,
        "verdicts": len(seen.saved),
        "rows_written_per_s": round(written / seconds, 1),
        "request_ms": {"median": round(median(seen.times_ms), 1), "p95": round(quantiles(seen.times_ms, n=20)[-1], 1)},
        "problems": seen.problems[:20],
    }


def main() -> None:
    """Parse, run, print; exit 1 where anything went wrong."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--people", type=int, default=20)
    parser.add_argument("--seconds", type=float, default=600)
    arguments = parser.parse_args()
    result = soak(arguments.people, arguments.seconds)
    print(json.dumps(result, indent=1))
    sys.exit(1 if result["problems"] else 0)


if __name__ == "__main__":
    main()
