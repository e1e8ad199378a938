"""How often the certificate's bound is below the truth: many runs, looked at after every verdict.

    python scripts/simulate_coverage.py --runs 2000 --verdicts 500

Each run reviews a dataset whose mislabels are known. Draws are woven in at a share of 30 %; the other verdicts are
hunted: within a stratum a mislabel is so many times likelier to be looked at next than another image, and people go to
the stratum where they have found most so far, so that what is looked at depends on everything seen, as it does when
suspicion is refitted. Whoever stops at the worst moment is worse off than any rule of stopping, so a run counts as
failed if a bound is below the truth at any look at all.

The strata's ratios at the true totals are followed exactly, for all runs at once. While their product is below
1 / risk the true totals are kept, and no bound is below the truth. At every look where it is not, the app's own bound
is computed and compared, overall and per label. Prints one JSON document; `dropped` is the share of runs in which the
true totals were ever not kept, `below_overall` and `below_label` the shares with a bound below the truth, and
`difference` the largest between the followed ratios and the app's, over 20 runs at their end.
"""

import json
from dataclasses import dataclass, field
from typing import Annotated, Any

import numpy as np
import typer
from numpy.typing import NDArray
from scipy.stats import betabinom

from app.domain.bounds import bound_left
from app.domain.evidence import Draw, Evidence, Prior, Record

LABELS = ("football", "background")
SHARE = 0.3  #: of verdicts that are draws
RISK = 0.05
#: images in all, share of mislabels, strata, how much likelier hunters look at a mislabel
SCENARIOS = [
    (200, 0.02, 1, 20.0),
    (200, 0.2, 2, 5.0),
    (200, 0.5, 2, 1.0),
    (1000, 0.0, 2, 20.0),
    (1000, 0.01, 2, 50.0),
    (1000, 0.05, 6, 20.0),
    (1000, 0.2, 6, 50.0),
    (1000, 0.9, 2, 0.1),
    (3000, 0.005, 6, 100.0),
    (3000, 0.05, 6, 20.0),
    (3000, 0.3, 6, 3.0),
]
Reals = NDArray[np.float64]
Numbers = NDArray[np.int64]


@dataclass
class Stratum:
    """One stratum in all runs: what is left of it, and the evidence on its true total; arrays of shape (runs,)."""

    images: int
    total: int
    runs: int
    left: Numbers = field(init=False)
    wrong: Numbers = field(init=False)
    weights: Reals = field(init=False)  #: (runs, images + 1): prior * likelihood of each total, summing to ``mass``
    mass: Reals = field(init=False)
    log_ratio: Reals = field(init=False)  #: without the logarithm of ``mass``

    def __post_init__(self) -> None:
        prior = Prior()
        weights = betabinom.pmf(np.arange(self.images + 1), self.images, prior.a, prior.b)
        self.weights = np.tile(weights, (self.runs, 1))
        self.left = np.full(self.runs, self.images)
        self.wrong = np.full(self.runs, self.total)
        self.mass = np.ones(self.runs)
        self.log_ratio = np.zeros(self.runs)

    def draw(self, rows: Numbers, wrong: NDArray[np.bool_]) -> None:
        """Weigh a draw in each of these runs, before it is taken off."""
        found = self.total - self.wrong[rows]
        chance = (np.arange(self.images + 1) - found[:, None]) / self.left[rows][:, None]
        self.weights[rows] *= np.clip(np.where(wrong[:, None], chance, 1 - chance), 0, None)
        truth = self.wrong[rows] / self.left[rows]
        self.log_ratio[rows] -= np.log(np.where(wrong, truth, 1 - truth))
        self.rescale(rows)

    def take(self, rows: Numbers, wrong: NDArray[np.bool_]) -> None:
        """Count a verdict in each of these runs, and drop the one total that it refutes."""
        found = self.total - self.wrong[rows]
        refuted = np.where(wrong, found, found + self.left[rows])
        self.mass[rows] -= self.weights[rows, refuted]
        self.weights[rows, refuted] = 0.0
        self.left[rows] -= 1
        self.wrong[rows] -= wrong
        self.rescale(rows[self.mass[rows] < 1e-3])

    def rescale(self, rows: Numbers) -> None:
        """Let the weights of these runs sum to 1 again."""
        mass = self.weights[rows].sum(axis=1)
        self.weights[rows] /= mass[:, None]
        self.log_ratio[rows] += np.log(mass)
        self.mass[rows] = 1.0


class Runs:
    """All runs of one scenario, verdict by verdict."""

    def __init__(self, rng: np.random.Generator, runs: int, images: int, rate: float, strata: int, power: float):
        tilt = np.linspace(0.5, 1.5, strata) if strata > 1 else np.ones(1)
        sizes = np.full(strata, images // strata)
        totals = np.minimum(np.rint(sizes * rate * tilt).astype(int), sizes)
        self.rng, self.runs, self.power = rng, runs, power
        self.strata = [Stratum(int(size), int(total), runs) for size, total in zip(sizes, totals, strict=True)]
        self.history: list[tuple[Numbers, NDArray[np.bool_], NDArray[np.bool_]]] = []

    def choose(self, drawn: NDArray[np.bool_]) -> Numbers:
        """A stratum for each run: draws by what is left, hunters mostly where they found most; -1 at the end."""
        left = np.array([each.left for each in self.strata], dtype=float)
        found = np.array([each.total - each.wrong for each in self.strata])
        seen = np.array([[each.images] for each in self.strata]) - left
        best = np.where(left > 0, (found + 1) / (seen + 10), -1.0).argmax(axis=0)
        shares = left.cumsum(axis=0) / np.maximum(1, left.sum(axis=0))
        spread = np.minimum((self.rng.random(self.runs) >= shares).sum(axis=0), len(self.strata) - 1)
        chosen = np.where(drawn | (self.rng.random(self.runs) < 0.3), spread, best)
        return np.where(left.sum(axis=0) > 0, chosen, -1)

    def step(self) -> None:
        """One verdict in every run that has an image left."""
        drawn = self.rng.random(self.runs) < SHARE
        chosen = self.choose(drawn)
        wrong = np.zeros(self.runs, dtype=bool)
        luck = self.rng.random(self.runs)
        for number, stratum in enumerate(self.strata):
            rows = np.flatnonzero(chosen == number)
            power = np.where(drawn[rows], 1.0, self.power)
            odds = power * stratum.wrong[rows]
            wrong[rows] = luck[rows] * (odds + stratum.left[rows] - stratum.wrong[rows]) < odds
            draws = drawn[rows]
            stratum.draw(rows[draws], wrong[rows[draws]])
            stratum.take(rows, wrong[rows])
        self.history.append((chosen, drawn, wrong))

    def log_ratios(self) -> Reals:
        """The logarithm of the product of the ratios at the true totals, shape (runs,)."""
        ratios = [each.log_ratio + np.log(each.mass) for each in self.strata]
        total: Reals = np.sum(ratios, axis=0)
        return total

    def evidence(self, run: int) -> list[Evidence]:
        """One run as the app sees it now."""
        draws: list[list[Draw]] = [[] for _ in self.strata]
        reviewed, found = [0] * len(self.strata), [0] * len(self.strata)
        for chosen, drawn, wrong in self.history:
            at = int(chosen[run])
            if at < 0:
                continue
            if drawn[run]:
                draws[at].append(Draw(reviewed[at], found[at], bool(wrong[run])))
            reviewed[at] += 1
            found[at] += int(wrong[run])
        return [
            Evidence(Record(LABELS[number % 2], each.images, reviewed[number], found[number], draws[number]))
            for number, each in enumerate(self.strata)
        ]

    def truth(self, run: int, label: str | None) -> int:
        """Mislabels left in one run, overall or of one label."""
        wanted = [each for at, each in enumerate(self.strata) if label in (None, LABELS[at % 2])]
        return int(sum(each.wrong[run] for each in wanted))


def is_below(runs: Runs, run: int) -> tuple[bool, bool]:
    """Whether the app's bound is below the truth now in one run: overall, and for any label."""
    bound = bound_left(runs.evidence(run), RISK)
    labels = [left < runs.truth(run, label) for label, left in bound.per_label.items()]
    return bound.overall < runs.truth(run, None), any(labels)


def difference(runs: Runs) -> float:
    """The largest difference between the ratios followed here and those of the app, over 20 runs."""
    followed = runs.log_ratios()
    apps = [
        -sum(each.support_at(stratum.total) for each, stratum in zip(runs.evidence(run), runs.strata, strict=True))
        for run in range(min(20, runs.runs))
    ]
    return float(np.abs(followed[: len(apps)] - apps).max())


def simulate(seed: int, count: int, verdicts: int, scenario: tuple[int, float, int, float]) -> dict[str, Any]:
    """The shares of one scenario's runs that failed at any look."""
    runs = Runs(np.random.default_rng(seed), count, *scenario)
    dropped, below = np.zeros(count, dtype=bool), np.zeros((count, 2), dtype=bool)
    for _ in range(min(verdicts, scenario[0] - scenario[0] % scenario[2])):
        runs.step()
        lost = runs.log_ratios() >= -np.log(RISK)
        dropped |= lost
        for run in np.flatnonzero(lost & ~below.all(axis=1)).tolist():
            below[run] |= is_below(runs, run)
    return {
        **dict(zip(("images", "rate", "strata", "hunting"), scenario, strict=True)),
        "runs": count,
        "looks": len(runs.history),
        "dropped": float(dropped.mean()),
        "below_overall": float(below[:, 0].mean()),
        "below_label": float(below[:, 1].mean()),
        "difference": difference(runs),
    }


def main(
    runs: Annotated[int, typer.Option(help="Runs of each scenario.")] = 2000,
    verdicts: Annotated[int, typer.Option(help="Verdicts of each run.")] = 500,
    seed: Annotated[int, typer.Option(help="Of the first scenario; each has its own.")] = 1,
) -> None:
    """Simulate every scenario and print what was found."""
    rows = [simulate(seed + number, runs, verdicts, scenario) for number, scenario in enumerate(SCENARIOS)]
    print(json.dumps({"risk": RISK, "draw_share": SHARE, "rows": rows}, indent=2))


if __name__ == "__main__":
    typer.run(main)
