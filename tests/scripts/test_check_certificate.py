"""The independent check agrees with the app to the last count, and finds figures and verdicts that were changed."""

import csv
import json
import random
import subprocess
import sys
from collections.abc import Callable
from dataclasses import asdict
from pathlib import Path
from typing import Any

import pytest

from app.domain.auditing import Audit, AuditStratum, Certificate, Tally, certify_audit
from app.domain.evidence import Draw, Record

SCRIPT = Path(__file__).parents[2] / "scripts" / "check_certificate.py"
COLUMNS = [
    *("audit", "stratum", "draw", "path", "sha256", "given_label"),
    *("sampling_probability", "verdict", "reviewer", "reviewed_at"),
]
LABELS = {"positive": "football", "negative": "background"}
Rows = list[dict[str, str]]


def play(rng: random.Random, audit: int, sizes: list[tuple[str, int, float]], steps: int) -> tuple[Audit, Rows]:
    """An audit with hunting in between: its strata as they stand at the end, and its verdicts in order."""
    pools = [[rng.random() < rate for _ in range(images)] for _, images, rate in sizes]
    draws: list[list[Draw]] = [[] for _ in sizes]
    counts = [[0, 0] for _ in sizes]
    rows: Rows = []
    for step in range(steps):
        at = rng.randrange(len(sizes))
        pool, (reviewed, found), drawn = pools[at], counts[at], rng.random() < 0.4
        if not pool:
            continue
        hunted = pool.index(True) if True in pool and rng.random() < 0.5 else 0
        wrong = pool.pop(rng.randrange(len(pool)) if drawn else hunted)
        if drawn:
            draws[at].append(Draw(reviewed, found, wrong))
        counts[at] = [reviewed + 1, found + wrong]
        opposite = {"football": "negative", "background": "positive"}
        same = {"football": "positive", "background": "negative"}
        rows.append(
            dict.fromkeys(COLUMNS, "")
            | {
                "audit": str(audit),
                "stratum": str(at + 1),
                "draw": str(sum(map(len, draws))) if drawn else "",
                "path": f"{sizes[at][0]}/{step}, odd.jpg",
                "given_label": sizes[at][0],
                "sampling_probability": repr(1 / (sizes[at][1] - reviewed)) if drawn else "",
                "verdict": rng.choice([opposite[sizes[at][0]], "unsure"]) if wrong else same[sizes[at][0]],
            }
        )
    strata = [
        AuditStratum(number, "calm", Record(label, images, *counts[number - 1], tuple(draws[number - 1])))
        for number, (label, images, _) in enumerate(sizes, start=1)
    ]
    return Audit(audit, 7, tuple(strata)), rows


def certify(audit: Audit) -> Certificate:
    """The app's certificate, where an image of each label is flagged and two of one label came later."""
    tallies = {}
    for label in LABELS.values():
        records = [each.record for each in audit.strata if each.record.label == label]
        images, settled = sum(each.images for each in records), sum(each.reviewed for each in records)
        found, outside = sum(each.found for each in records), 2 if label == "football" else 0
        tallies[label] = Tally(max(settled, images - 1), settled, found, outside)
    return certify_audit(0.05, audit, tallies)


def write(folder: Path, certificate: dict[str, Any], rows: Rows) -> None:
    """The two files as they lie in a cleaned set, with a verdict of an earlier audit on top."""
    earlier = rows[0] | {"audit": "99", "path": "football/earlier.jpg"}
    with (folder / "audit.csv").open("w", encoding="utf-8", newline="") as file:
        writer = csv.DictWriter(file, COLUMNS, lineterminator="\n")
        writer.writeheader()
        writer.writerows([earlier, *rows])
    (folder / "certificate.json").write_text(json.dumps(certificate), encoding="utf-8")


def check(folder: Path) -> tuple[int, str]:
    """Exit status and output of the script, in an interpreter of its own."""
    done = subprocess.run([sys.executable, SCRIPT, folder], capture_output=True, text=True, check=False, cwd=folder)
    return done.returncode, done.stdout + done.stderr


SIZES = [("football", 300, 0.02), ("football", 80, 0.3), ("background", 500, 0.01), ("background", 40, 0.5)]


@pytest.mark.parametrize(
    ("seed", "audit", "sizes", "steps"),
    [
        (1, 1, SIZES, 400),
        (2, 3, SIZES, 90),
        (3, 1, SIZES, 1_000),
        (4, 1, [("football", 5, 1.0), ("background", 1, 0.0)], 2),
        (5, 2, [("football", 20_000, 0.001), ("background", 30_000, 0.0)], 1_500),
    ],
)
def test_the_check_agrees_with_the_app(
    tmp_path: Path, seed: int, audit: int, sizes: list[tuple[str, int, float]], steps: int
) -> None:
    """To the last count, for small and large strata, few and many verdicts, first and later audits."""
    played, rows = play(random.Random(seed), audit, sizes, steps)
    write(tmp_path, asdict(certify(played)) | {"labels": LABELS}, rows)
    status, output = check(tmp_path)
    assert "DISAGREE" not in output
    assert "overall errors_upper" in output
    assert status == 0, output


def lower(certificate: dict[str, Any], _: Rows) -> None:
    """One count less."""
    certificate["overall"]["errors_upper"] -= 1


def lower_label(certificate: dict[str, Any], _: Rows) -> None:
    """One count less for a label."""
    certificate["per_label"]["background"]["errors_upper"] -= 1


def lower_rate(certificate: dict[str, Any], _: Rows) -> None:
    """A rate that is not its count."""
    certificate["overall"]["rate_upper"] *= 0.99


def call_right(_: dict[str, Any], rows: Rows) -> None:
    """A wrong draw called right."""
    row = next(row for row in rows if row["draw"] and LABELS.get(row["verdict"]) != row["given_label"])
    row["verdict"] = "positive" if row["given_label"] == "football" else "negative"


def drop_draw(_: dict[str, Any], rows: Rows) -> None:
    """A draw that nobody wanted."""
    rows.remove(next(row for row in rows if row["draw"] and LABELS.get(row["verdict"]) != row["given_label"]))


def pretend_draw(_: dict[str, Any], rows: Rows) -> None:
    """A hunted image passed off as a draw."""
    next(row for row in rows if not row["draw"]).update(draw="1", sampling_probability="0.5")


def repeat_image(_: dict[str, Any], rows: Rows) -> None:
    """One image counted twice."""
    rows[1]["path"] = rows[0]["path"]


def change_order(_: dict[str, Any], rows: Rows) -> None:
    """Verdicts moved behind the draws they came before."""
    rows.sort(key=lambda row: row["draw"] == "")


def stronger_prior(certificate: dict[str, Any], _: Rows) -> None:
    """A prior chosen afterwards."""
    certificate["strata"][0]["prior"] = [0.5, 200.0]


@pytest.mark.parametrize(
    "tamper",
    [
        lower,
        lower_label,
        lower_rate,
        call_right,
        drop_draw,
        pretend_draw,
        repeat_image,
        change_order,
        stronger_prior,
    ],
)
def test_the_check_refuses_what_was_changed(tmp_path: Path, tamper: Callable[[dict[str, Any], Rows], None]) -> None:
    """A figure, a verdict, a draw left out or made up, an image twice, another order, another prior."""
    played, rows = play(random.Random(1), 1, SIZES, 400)
    certificate = json.loads(json.dumps(asdict(certify(played)) | {"labels": LABELS}))
    tamper(certificate, rows)
    write(tmp_path, certificate, rows)
    status, output = check(tmp_path)
    assert status == 1
    assert "DISAGREE" in output
    assert "Traceback" not in output


def test_the_check_stands_alone() -> None:
    """It imports nothing of the app, and a person reads it in one sitting."""
    text = SCRIPT.read_text(encoding="utf-8")
    imported = {line.split()[1].split(".")[0] for line in text.splitlines() if line.startswith(("import ", "from "))}
    assert imported <= {"csv", "json", "sys", "collections", "pathlib", "typing", "numpy", "scipy"}
    assert len(text.splitlines()) < 80
