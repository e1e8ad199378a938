"""Simulated reviewers: how many verdicts each order of asking takes to find the errors, and to prove that few are left.

A reviewer says the truth, but for a share of verdicts that are wrong. Whatever the order, audit draws are woven in: a
draw is uniform over the agreeing images that nobody has called, so the bound of :mod:`app.domain.bounds` holds.

Strata are made of agreeing images alone. What the threshold flags is not released before somebody has called it, so it
needs no bound; and it is full of errors, which a prior for clean strata holds for next to impossible: when hunting has
refuted all else, such a stratum's evidence is the prior of its truth, and the product would let all others pay for it.
"""

from collections.abc import Callable
from dataclasses import dataclass, field, replace
from enum import StrEnum

import numpy as np
from numpy.typing import NDArray

from app.domain.bounds import bound_left, risk_of_audit
from app.domain.evidence import Draw, Evidence, Record
from app.learning.images import Images
from app.services.learning import SEED, is_due

Bools = NDArray[np.bool_]
Reals = NDArray[np.float64]
FOUND = 0.95  #: share of the errors that is to be found
GOALS = (0.01, 0.005)  #: shares of mislabels that are to be certified
RISK = 0.05
WOVEN = 0.15  #: share of verdicts that are audit draws
NO_STRATUM = -1
LOOK = 20  #: verdicts between two looks at the bound


class Strategy(StrEnum):
    """Orders in which images are called."""

    TOUCHLINE = "touchline"  #: as the queue ``all`` serves them: by the suspicion learned so far
    FLAGS = "flags"  #: what the threshold flags, best score first, and then no more
    MISTAKENNESS = "mistakenness"  #: one minus the detector's confidence in the given label
    RANDOM = "random"  #: every verdict is an audit draw
    EVERYTHING = "everything"  #: until none is left


@dataclass(frozen=True, slots=True)
class Study:
    """Images whose truth is known, as a scan left them: nobody has called any."""

    images: Images
    features: NDArray[np.float32]  #: ``(n, k)``
    truth: Bools  #: the object is there
    threshold: float

    @property
    def errors(self) -> int:
        """How many are filed wrongly."""
        return int((self.truth != self.images.positive).sum())

    @property
    def suspicion(self) -> Reals:
        """How strongly the detector speaks against the folder."""
        score = self.images.confidences[:, 0]
        return np.where(self.images.positive, 1 - score, score)

    @property
    def disagrees(self) -> Bools:
        """What the threshold flags."""
        seen: Bools = self.images.confidences[:, 0] >= self.threshold
        differs: Bools = seen != self.images.positive
        return differs


@dataclass(frozen=True, slots=True)
class Effort:
    """Verdicts that a run took; None: never reached."""

    to_find: int | None
    to_certify: tuple[int | None, ...]  #: for each of GOALS
    found_at_end: float  #: share of the errors found when its own images came to an end, draws included
    asked: int  #: of its own images and draws, until then


@dataclass(slots=True)
class _Desk:
    """What has been said so far."""

    called: Bools
    said: Bools  #: positive, where called
    drawn: Reals  #: the chance of an audit draw to fall on it, relative to the others; NaN where none did


Order = Callable[[_Desk], int | None]  #: the next image, None where there is none


@dataclass(slots=True)
class _Stratum:
    images: int
    reviewed: int = 0
    found: int = 0
    draws: list[Draw] = field(default_factory=list)

    def note(self, *, wrong: bool, drawn: bool) -> None:
        if drawn:
            self.draws.append(Draw(self.reviewed, self.found, wrong))
        self.reviewed += 1
        self.found += wrong


def simulate(study: Study, strategy: Strategy, error: float, seed: int) -> Effort:
    """One reviewer, from the first image until everything is found and certified, or called."""
    if strategy is Strategy.EVERYTHING:
        total = len(study.images)
        return Effort(total, (total,) * len(GOALS), 1.0, total)
    return _Run(study, strategy, error, seed).finish()


class _Run:
    def __init__(self, study: Study, strategy: Strategy, error: float, seed: int) -> None:
        self._study = study
        self._random = np.random.default_rng([seed, 77])
        self._error = error
        self._weave = 0.0 if strategy is Strategy.RANDOM else WOVEN
        self._at_random = strategy is Strategy.RANDOM
        total = len(study.images)
        shuffled = self._random.permutation(total)
        self._draws: list[int] = shuffled[~study.disagrees[shuffled]].tolist()[::-1]
        self._order = _in_order(shuffled, np.zeros(total)) if self._at_random else _order_of(study, strategy)
        self._desk = _Desk(np.zeros(total, np.bool_), np.zeros(total, np.bool_), np.full(total, np.nan))
        self._of = np.where(study.disagrees, NO_STRATUM, study.images.positive)
        numbers = np.unique(self._of[self._of != NO_STRATUM]).tolist()
        self._strata = {of: _Stratum(int((self._of == of).sum())) for of in numbers}
        self._wrong = study.truth != study.images.positive
        self._found = self._count = 0
        self._own_end: tuple[float, int] | None = None

    def finish(self) -> Effort:
        """Ask until nothing more is to be learned of the strategy."""
        to_find: int | None = None
        to_certify: list[int | None] = [None] * len(GOALS)
        needed = int(np.ceil(FOUND * self._study.errors))
        while not self._desk.called.all() and (None in to_certify or (to_find is None and self._own_end is None)):
            self._ask()
            if to_find is None and self._own_end is None and self._found >= needed:
                to_find = self._count
            if self._count % LOOK == 0 and None in to_certify:
                rate = self._bound()
                to_certify = [
                    self._count if known is None and rate <= goal else known
                    for known, goal in zip(to_certify, GOALS, strict=True)
                ]
        if self._desk.called.all():
            to_certify = [self._count if known is None else known for known in to_certify]
        share, asked = self._own_end or (self._found / max(1, self._study.errors), self._count)
        return Effort(to_find, tuple(to_certify), share, asked)

    def _ask(self) -> None:
        place, drawn = self._choose()
        positive = bool(self._study.truth[place]) != (self._random.random() < self._error)
        wrong = positive != bool(self._study.images.positive[place])
        self._desk.called[place], self._desk.said[place] = True, positive
        self._desk.drawn[place] = 1.0 if drawn else np.nan
        if self._of[place] != NO_STRATUM:
            self._strata[int(self._of[place])].note(wrong=wrong, drawn=drawn)
        self._found += wrong and bool(self._wrong[place])
        self._count += 1

    def _choose(self) -> tuple[int, bool]:
        """The next image, and whether it is a draw: they are woven in, and go on when the order has come to its end."""
        woven = int((self._count + 1) * self._weave) > int(self._count * self._weave)
        drawn = self._next_draw() if woven or self._own_end else None
        if drawn is not None:
            return drawn, True
        place = self._order(self._desk)
        if place is not None:
            return place, self._at_random and bool(self._of[place] != NO_STRATUM)
        self._own_end = (self._found / max(1, self._study.errors), self._count)
        drawn = self._next_draw()
        return (int(np.flatnonzero(~self._desk.called)[0]), False) if drawn is None else (drawn, True)

    def _next_draw(self) -> int | None:
        """The next in an order fixed beforehand that nobody has called: uniform over those that nobody has."""
        while self._draws:
            place = self._draws.pop()
            if not self._desk.called[place]:
                return place
        return None

    def _bound(self) -> float:
        """The certificate's bound on the share of mislabels in what would be released now."""
        evidence = [
            Evidence(Record(str(of), each.images, each.reviewed, each.found, tuple(each.draws)))
            for of, each in self._strata.items()
        ]
        released = ~self._study.disagrees | self._desk.called
        open_ = int((released & ~self._desk.called).sum())
        upper = min(bound_left(evidence, risk_of_audit(RISK, 1)).overall, open_)
        return upper / max(1, int(released.sum()))


def _order_of(study: Study, strategy: Strategy) -> Order:
    if strategy is Strategy.TOUCHLINE:
        return _Learner(study).next_place
    chosen = study.disagrees if strategy is Strategy.FLAGS else np.ones(len(study.images), np.bool_)
    return _in_order(np.flatnonzero(chosen), study.suspicion)


def _in_order(places: NDArray[np.int64], suspicion: Reals) -> Order:
    waiting = places[np.argsort(suspicion[places], kind="stable")].tolist()  # the most suspicious last: it is popped

    def next_place(desk: _Desk) -> int | None:
        while waiting:
            place: int = waiting.pop()
            if not desk.called[place]:
                return place
        return None

    return next_place


class _Learner:
    """The order of the queue ``all``: by the suspicion learned so far, which is fitted anew as the worker does."""

    def __init__(self, study: Study) -> None:
        self._study = study
        self._known: int | None = None
        self._order = _in_order(np.arange(len(study.images)), study.suspicion + study.disagrees)

    def next_place(self, desk: _Desk) -> int | None:
        """The most suspicious; before anything is learned flags come first."""
        if is_due(int(desk.called.sum()), self._known):
            self._fit(desk)
        return self._order(desk)

    def _fit(self, desk: _Desk) -> None:
        from app.learning.fitting import fit

        study = self._study
        images = replace(
            study.images,
            called=desk.called.copy(),
            called_positive=desk.said & desk.called,
            drawn=desk.drawn.copy(),
        )
        fitted = fit(images, lambda places: study.features[places], study.threshold, SEED)
        self._order = _in_order(np.arange(len(images)), fitted.suspicion)
        self._known = int(desk.called.sum())
