"""Conflicts: what two people disagree on, shown with both verdicts to somebody who settles it."""

from dataclasses import dataclass
from datetime import datetime

from app.config import ReviewSettings
from app.domain.consensus import list_voices
from app.domain.reviewing import SECOND_SOURCES, Source
from app.domain.second_looks import Stage
from app.errors import ConflictError, InvalidInputError
from app.services.clock import Clock
from app.services.datasets import DatasetView, view_dataset
from app.services.images import ReviewItem, describe_verdict, load_items, view_review_item
from app.services.reviews import GivenReview, NewReview
from app.services.second_looks import Waiting, choose_looks, count_waiting, give_look, list_coming, take_looks
from app.storage import second_looks as stored
from app.storage.database import Database, Session
from app.storage.datasets import Dataset
from app.storage.reviews import find_latest_own, list_reviewers, reviews_of_image
from app.storage.second_looks import Asker

AHEAD = 2  #: the one shown and the next: there are few, and others want some too
NAMES = 20  #: people that are looked through for somebody who could settle


@dataclass(frozen=True, slots=True)
class Vote:
    """What one person said of an image on which people disagree."""

    reviewer: str
    verdict: str
    verdict_text: str
    at: datetime
    blind: bool


@dataclass(frozen=True, slots=True)
class ConflictPage:
    """One disagreement, as the person who may settle it sees it."""

    dataset: DatasetView | None
    item: ReviewItem | None
    votes: tuple[Vote, ...]
    own: bool  #: the person gave one of the votes
    others: tuple[str, ...]  #: who gave none, and could settle it
    is_on: bool
    waiting: Waiting
    prefetch: tuple[str, ...]
    next_id: int | None
    undo_id: int | None
    message: str


def no_conflicts(message: str = "") -> ConflictPage:
    """The page of somebody who has no dataset yet, or no name."""
    return ConflictPage(
        dataset=None,
        item=None,
        votes=(),
        own=False,
        others=(),
        is_on=False,
        waiting=Waiting(),
        prefetch=(),
        next_id=None,
        undo_id=None,
        message=message,
    )


def view_conflicts(
    database: Database,
    settings: ReviewSettings,
    clock: Clock,
    dataset: Dataset,
    reviewer: str,
    client: str,
    *,
    image_id: int | None = None,
    message: str = "",
) -> ConflictPage:
    """The next disagreement between others; where there is none, one that the person is a party to.

    ``image_id`` comes first where it is one of them.
    """
    asker = Asker(reviewer, client, clock())
    with database.write() as session:
        wanted = _choose(session, dataset, asker, image_id)
        records = take_looks(session, settings, dataset.id, Stage.THIRD, asker, wanted)
        votes = _votes(session, dataset, wanted[0]) if wanted else ()
        voters = {vote.reviewer for vote in votes}
        return ConflictPage(
            dataset=view_dataset(session, dataset),
            item=view_review_item(load_items(session, records[:1])[0]) if records else None,
            votes=votes,
            own=reviewer in voters,
            others=_others(session, dataset, voters) if reviewer in voters else (),
            is_on=dataset.reviewing.is_on,
            waiting=count_waiting(session, dataset.id, reviewer),
            prefetch=list_coming(records),
            next_id=wanted[1] if len(wanted) > 1 else None,
            undo_id=find_latest_own(session, dataset.id, reviewer, Source.SETTLE),
            message=message,
        )


def _choose(session: Session, dataset: Dataset, asker: Asker, image_id: int | None) -> list[int]:
    """A named image first, whoever called it; else those between others; else those the asker is a party to."""
    others = choose_looks(session, dataset.id, Stage.THIRD, asker, image_id, limit=AHEAD)
    if others and (image_id is None or others[0] == image_id):
        return others
    own = choose_looks(session, dataset.id, Stage.THIRD, asker, image_id, own=True, limit=AHEAD)
    return own if not others or (own and own[0] == image_id) else others


def _votes(session: Session, dataset: Dataset, image_id: int) -> tuple[Vote, ...]:
    voices = list_voices([review.fact for review in reviews_of_image(session, image_id)])
    return tuple(
        Vote(
            reviewer=voice.reviewer,
            verdict=voice.verdict or "",
            verdict_text=describe_verdict(dataset, voice.verdict),
            at=voice.reviewed_at,
            blind=voice.source in SECOND_SOURCES,
        )
        for voice in voices
    )


def _others(session: Session, dataset: Dataset, voters: set[str]) -> tuple[str, ...]:
    return tuple(name for name in list_reviewers(session, dataset.id, NAMES) if name not in voters)


def settle(
    database: Database, clock: Clock, image_id: int, new: NewReview, dataset_id: int, *, alone: bool
) -> GivenReview:
    """Store the verdict that settles a disagreement, in one transaction.

    ``alone``: the person knows that they gave one of the verdicts, and settles it for want of anybody else.

    Raises:
        NotFoundError: no such image.
        StaleReviewError: somebody called the image since the page was made.
        ConflictError: nothing is to be settled there (any more); or the request id has been used for something else.
        InvalidInputError: the person is a party to it and has not said ``alone``; or the image is another dataset's.
    """

    def refuse(session: Session) -> None:
        if stored.find_stage(session, image_id) is not Stage.THIRD:
            msg = "that image has no open disagreement any more; here is the next"
            raise ConflictError(msg)
        if not alone and not stored.is_waiting_for(session, image_id, Stage.THIRD, new.reviewer):
            raise InvalidInputError.on("alone", "you gave one of the two verdicts: say that you settle it yourself")

    return give_look(database, clock, image_id, new, dataset_id, refuse)
