"""How far two people who judged the same images independently agree.

Cohen's kappa (J. Cohen, "A coefficient of agreement for nominal scales", Educational and Psychological Measurement
20(1), 1960, 37-46): ``(po - pe) / (1 - pe)``, where ``po`` is the share of images on which both gave the same
verdict, and ``pe`` the share that would coincide by chance if each gave their own mix of verdicts blindly. 1 is
perfect, 0 is what chance gives, below 0 is worse than chance. With any number k of verdicts the table is k x k.
"""

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from itertools import pairwise
from statistics import median

from app.domain.reviewing import Verdict

Table = Mapping[tuple[Verdict, Verdict], int]  #: (one's verdict, the other's) -> images
BREAK_S = 60.0  #: a longer pause between two verdicts is a break
BURST_S = 0.1  #: verdicts closer together came from one press, as a grid's do


@dataclass(frozen=True, slots=True)
class LookCount:
    """How many images two people called just so; ``second`` is None where nobody looked blind."""

    first: str
    first_verdict: Verdict
    second: str | None
    second_verdict: Verdict | None
    settled_verdict: Verdict | None
    images: int


@dataclass(frozen=True, slots=True)
class Agreement:
    """The agreement of two raters over the images that both judged."""

    images: int
    agreed: int
    kappa: float | None  #: None where chance alone would agree on everything, or without images

    @property
    def percent(self) -> float | None:
        """The share of images with equal verdicts, 0..100; None without images."""
        return 100 * self.agreed / self.images if self.images else None


def measure_agreement(table: Table) -> Agreement:
    """The agreement that a table of two raters' verdicts shows."""
    images = sum(table.values())
    agreed = sum(count for (one, other), count in table.items() if one is other)
    return Agreement(images, agreed, cohens_kappa(table))


def cohens_kappa(table: Table) -> float | None:
    """Cohen's kappa, -1..1; None without images or where the agreement expected by chance is 1."""
    images = sum(table.values())
    ones: Counter[Verdict] = Counter()
    others: Counter[Verdict] = Counter()
    for (one, other), count in table.items():
        ones[one] += count
        others[other] += count
    by_chance = sum(ones[verdict] * others[verdict] for verdict in ones)  # times images squared
    if images == 0 or by_chance == images**2:
        return None
    agreed = sum(count for (one, other), count in table.items() if one is other)
    return (agreed * images - by_chance) / (images**2 - by_chance)


def table_of_looks(counts: Iterable[LookCount]) -> Counter[tuple[Verdict, Verdict]]:
    """First against second looks, whoever gave them."""
    table: Counter[tuple[Verdict, Verdict]] = Counter()
    for found in counts:
        if found.second_verdict is not None:
            table[found.first_verdict, found.second_verdict] += found.images
    return table


def tables_of_pairs(counts: Iterable[LookCount]) -> dict[tuple[str, str], Counter[tuple[Verdict, Verdict]]]:
    """By pair of people in the order of their names: what one said against what the other did."""
    tables: dict[tuple[str, str], Counter[tuple[Verdict, Verdict]]] = {}
    for found in counts:
        if found.second is None or found.second_verdict is None:
            continue
        said = sorted([(found.first, found.first_verdict), (found.second, found.second_verdict)])
        table = tables.setdefault((said[0][0], said[1][0]), Counter())
        table[said[0][1], said[1][1]] += found.images
    return dict(sorted(tables.items()))


@dataclass(frozen=True, slots=True)
class PersonAgreement:
    """How one person's independent verdicts fared beside the others'."""

    compared: int  #: images that somebody else judged independently as well
    agreed: int
    settled: int  #: verdicts of theirs that a settling person decided about
    overruled: int  #: of those, decided otherwise


def measure_people(counts: Iterable[LookCount]) -> dict[str, PersonAgreement]:
    """By name, everybody who gave a first or a second look."""
    tallies: dict[str, list[int]] = {}
    for found in counts:
        equal = found.first_verdict is found.second_verdict
        for person, verdict in ((found.first, found.first_verdict), (found.second, found.second_verdict)):
            if person is None:
                continue
            tally = tallies.setdefault(person, [0, 0, 0, 0])
            tally[0] += found.images if found.second is not None else 0
            tally[1] += found.images if equal else 0
            tally[2] += found.images if found.settled_verdict is not None else 0
            tally[3] += found.images if found.settled_verdict not in (None, verdict) else 0
    return {person: PersonAgreement(*tally) for person, tally in sorted(tallies.items())}


def median_pace(times: Sequence[datetime]) -> float | None:
    """Median seconds a verdict over the times of verdicts, newest first; None with fewer than three.

    Pauses of more than a minute are breaks and left out. Verdicts that came at one press share the time before it.
    """
    gaps = [(later - earlier).total_seconds() for later, earlier in pairwise(times)]
    spent: list[float] = []
    burst = 1
    for gap in gaps:
        if gap < BURST_S:
            burst += 1
            continue
        if gap <= BREAK_S:
            spent += [gap / burst] * burst
        burst = 1
    return median(spent) if len(spent) >= 3 else None
