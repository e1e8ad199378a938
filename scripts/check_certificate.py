"""Recompute a certificate's bounds without Touchline: python scripts/check_certificate.py FOLDER (a cleaned set).

Prints what the certificate says and what was found; exit status 0: all agree, 1: they do not. Verdicts of the audit
stand in the order in which their images left the pool: a draw when it was drawn. docs/certificate.md has the method.
"""

import csv
import json
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
from scipy.special import logsumexp


def log_prior(images: int, a: float, b: float) -> Any:
    """Logarithms of BetaBinomial(images, a, b) at 0..images, from the ratios of neighbours."""
    d = np.arange(images, dtype=float)
    logs = np.concatenate([[0.0], np.cumsum(np.log((images - d) * (d + a) / ((d + 1) * (images - d - 1 + b))))])
    return logs - logsumexp(logs)


def weigh(stratum: dict[str, Any], rows: list[dict[str, str]], labels: dict[str, str]) -> tuple[Any, dict[str, int]]:
    """Log of posterior / prior at every total from the mislabels found up, and the stratum's counts."""
    images, reviewed, found = stratum["images"], stratum["reviewed_at_freeze"], stratum["errors_at_freeze"]
    wrong = [labels.get(row["verdict"]) != stratum["given_label"] for row in rows]
    totals = np.arange(found + sum(wrong), images - reviewed + found - wrong.count(False) + 1.0)  # others are refuted
    logs, improbable = np.zeros(len(totals)), 0
    for row, is_wrong in zip(rows, wrong, strict=True):
        if row["draw"]:
            improbable += abs(float(row["sampling_probability"]) * (images - reviewed) - 1) > 1e-6
            logs += np.log(np.abs(totals - found - (0 if is_wrong else images - reviewed)) / (images - reviewed))
        reviewed, found = reviewed + 1, found + is_wrong
    prior = log_prior(images, *stratum["prior"])[found : found + len(totals)]
    counts = {"reviewed": reviewed, "audited": sum(row["draw"] != "" for row in rows), "errors_found": found}
    return logs - logsumexp(prior + logs), counts | {"draws of another probability": improbable}


def most_left(supports: list[Any], budget: float) -> int:
    """The most mislabels left: from the best totals up, by the cheapest steps (they grow in each stratum)."""
    best = [len(each) - 1 - int(np.argmax(each[::-1])) for each in supports]
    steps = [np.empty(0)] + [-np.diff(each[start:]) for each, start in zip(supports, best, strict=True)]
    return sum(best) + int(np.searchsorted(np.cumsum(np.sort(np.concatenate(steps))), budget, side="right"))


def figures(said: dict[str, Any], rows: list[dict[str, str]]) -> Iterator[tuple[str, float, float]]:
    """Each figure's name, what the certificate says, and what the verdicts give."""
    draws = [int(row["draw"]) for row in rows if row["draw"]]
    yield "draws missing or out of order", 0, sum(np.array(draws) != np.arange(1, len(draws) + 1))
    yield "second verdicts on an image", 0, len(rows) - len({row["path"] for row in rows})
    strata, weighed = said["strata"], []
    for each in strata:
        support, counts = weigh(each, [row for row in rows if row["stratum"] == str(each["stratum"])], said["labels"])
        weighed.append(support)
        yield from ((f"stratum {each['stratum']} {name}", each.get(name, 0), count) for name, count in counts.items())
    risk = 6 * said["risk"] / (np.pi * said["audit"]["number"]) ** 2
    budget = sum(support.max() for support in weighed) - np.log(risk) + 1e-9
    for each, support in zip(strata, weighed, strict=True):
        yield f"stratum {each['stratum']} left_upper", each["left_upper"], most_left([support], budget)
    for label, row in [(None, said["overall"]), *said["per_label"].items()]:
        some = [support for each, support in zip(strata, weighed, strict=True) if label in (None, each["given_label"])]
        upper = min(most_left(some, budget) + row["outside"], row["images"] - row["settled"])
        yield f"{label or 'overall'} errors_upper", row["errors_upper"], upper
        yield f"{label or 'overall'} rate_upper", row["rate_upper"], upper / max(1, row["images"])


if __name__ == "__main__":
    folder, agreed = Path(sys.argv[1]), True
    certificate = json.loads((folder / "certificate.json").read_text(encoding="utf-8"))
    audit = certificate["audit"] or sys.exit("the certificate is of no audit: it bounds nothing, nothing to recompute")
    with (folder / "audit.csv").open(encoding="utf-8", newline="") as file:
        verdicts = [row for row in csv.DictReader(file) if row["audit"] == str(audit["number"])]
    for figure, claimed, computed in figures(certificate, verdicts):
        agreed &= abs(claimed - computed) < 1e-9
        print("agree   " if abs(claimed - computed) < 1e-9 else "DISAGREE", f"{figure}: {claimed}, found {computed}")
    sys.exit(0 if agreed else 1)
