"""Weaving blind looks into the queues: which place holds a draw, a flagged image in the same form, or a repeat."""

from dataclasses import dataclass, replace

from app.config import ReviewSettings
from app.domain.drawing import Deal, deal, repeats
from app.services.audits import find_or_begin, is_certified
from app.storage import audit_looks as looks
from app.storage import queue as stored
from app.storage.audit_looks import Asker, Look
from app.storage.audits import Audit, find_audit
from app.storage.database import Session
from app.storage.datasets import Dataset
from app.storage.repeats import take_repeat

AHEAD = 2  #: blind looks in a tab's hand where nothing else is shown: the one on the desk, and one to preload


@dataclass(frozen=True, slots=True)
class Dealt:
    """What a desk shows blind now, if anything, and what it will."""

    now: Look | None
    coming: tuple[Look, ...]


class Dealer:
    """Deals blind looks at one dataset to one tab, in one transaction."""

    def __init__(self, session: Session, dataset: Dataset, settings: ReviewSettings, asker: Asker) -> None:
        self._session = session
        self._dataset = dataset
        self._settings = settings
        self._asker = asker
        looks.drop_expired(session, asker.now)
        self.audit: Audit | None = None

    def begin(self, *, always: bool) -> None:
        """Begin the audit, or go on with it; where no draws are to be woven in only if it is wanted ``always``."""
        if always or self._settings.audit_share > 0:
            self.audit = find_or_begin(self._session, self._dataset, self._settings, self._asker.now)

    @property
    def weaves(self) -> bool:
        """Whether draws are woven in."""
        return self.audit is not None and self._settings.audit_share > 0

    def is_certified(self) -> bool:
        """Whether the goal is reached."""
        return self.audit is not None and is_certified(
            self._session, self._dataset, self.audit, self._settings, self._asker.now
        )

    def held(self) -> list[Look]:
        """What the tab has in hand, in order."""
        return [] if self.audit is None else looks.list_held(self._session, self.audit.id, self._asker)

    def draw(self, turn: int) -> Look | None:
        """A draw for the tab. The bound is weighed now and then meanwhile, which gives its curve its points."""
        self.is_certified()
        return None if self.audit is None else looks.take_draw(self._session, self.audit, self._asker, turn)

    def left_over(self, turn: int = 1) -> Look | None:
        """What waits for a blind answer, though none are woven in: it may be a flag, and is in no other queue.

        What the tab has in hand, else a draw that somebody left or one whose verdict was taken back.
        """
        audit = self.audit or find_audit(self._session, self._dataset.id)
        if audit is None:
            return None
        held = looks.list_held(self._session, audit.id, self._asker)
        self.renew(held[:1])
        return held[0] if held else looks.take_draw(self._session, audit, self._asker, turn, new=False)

    def _first_free(self, *, flagged: bool | None) -> list[stored.Place]:
        return stored.find_places(
            self._session,
            self._dataset,
            flagged=flagged,
            after=None,
            client=self._asker.client,
            now=self._asker.now,
            limit=1,
        )

    def show_flag(self, turn: int) -> Look | None:
        """The most suspicious flag, shown like a draw; None where none is free."""
        if self.audit is None:
            return None
        free = self._first_free(flagged=True)
        if not free:
            return None
        looks.show(self._session, self.audit.id, free[0].image_id, looks.SHOWN, self._asker, turn)
        return looks.find_pending(self._session, free[0].image_id)

    def deal_slot(self, turn: int) -> Look | None:
        """What the next place of a program's queue holds, if it is blind; the places are numbered as they are dealt."""
        if self.audit is None or not self.weaves:
            return None
        slot = looks.next_slot(self._session, self.audit.id)
        return self._deal(self.audit, turn, "slot", slot)

    def _deal(self, audit: Audit, turn: int, *place: object) -> Look | None:
        """What a place holds, if it is blind. A repeat comes only among other work: it keeps no queue from its end."""
        kind = deal(audit.seed, self._settings.audit_share, *place)
        is_repeat = repeats(audit.seed, self._settings.repeat_share, *place)
        if (kind is Deal.OPEN and not is_repeat) or self.is_certified():
            return None
        if is_repeat and self._first_free(flagged=True if place[0] == "turn" else None):
            found = take_repeat(self._session, audit, self._asker, turn, place)
            if found is not None:
                return found
        if kind is Deal.OPEN:
            return None
        return self.draw(turn) if kind is Deal.DRAW else self.show_flag(turn)

    def renew(self, held: list[Look]) -> None:
        """Hold on to what the tab has in hand."""
        for look in held:
            looks.renew(self._session, [look.id], self._asker, look.turn)

    def draws_alone(self) -> Dealt:
        """A desk that shows nothing but draws."""
        held = [look for look in self.held() if look.kind == looks.DRAW]
        while len(held) < AHEAD:
            found = self.draw(held[-1].turn + 1 if held else 1)
            if found is None:
                break
            held.append(found)
        self.renew(held)
        return Dealt(held[0], tuple(held[1:])) if held else Dealt(None, ())

    def woven(self, reviewer: str | None) -> Dealt:
        """A desk of flags: what this turn and the next of the tab hold follows from the seed alone."""
        if self.audit is None or not self.weaves:
            return Dealt(None, ())
        turn = looks.advance_turn(self._session, self.audit.id, self._asker.client, self._dataset.id, reviewer)
        held = self.held()
        if not any(look.turn <= turn for look in held):
            held = self._at_turn(turn) + held
        if not any(look.turn > turn for look in held):
            held += self._at_turn(turn + 1)
        self.renew(held)
        now = next((look for look in held if look.turn <= turn), None)
        return Dealt(now, tuple(look for look in held if look is not now))

    def _at_turn(self, turn: int) -> list[Look]:
        if self.audit is None:
            return []
        found = self._deal(self.audit, turn, "turn", self._asker.client, turn)
        return [] if found is None else [replace(found, turn=turn)]
