"""What narrows a list of images, as conditions: on what few images meet, or on the images, scores and verdicts."""

from dataclasses import dataclass, replace
from typing import Any

from sqlalchemy import ColumnElement, and_, exists, or_, true

from app.domain.images import Side
from app.domain.reviewing import Verdict
from app.storage.datasets import Dataset
from app.storage.fits import doubted_of
from app.storage.tables import ImageRow, ReviewRow, ScoreRow, StandingRow


@dataclass(frozen=True, slots=True)
class Wanted:
    """Which images of one dataset a list shows; None means all."""

    flagged: bool | None = None
    duplicate_conflict: bool | None = None
    second_opinion: bool | None = None
    unreadable: bool | None = None
    reviewed: bool | None = None
    given: Side | None = None
    verdict: Verdict | None = None
    reviewer: str | None = None
    folder: str | None = None  #: below the root; its sub-folders too
    text: str | None = None  #: anywhere in the path, in any case
    min_score: float | None = None
    max_score: float | None = None

    @property
    def scored(self) -> bool:
        """Whether only images with a score can be wanted."""
        return bool(self.flagged) or self.in_band

    @property
    def in_band(self) -> bool:
        """Whether only images in a band of scores are wanted."""
        return self.min_score is not None or self.max_score is not None

    @property
    def about_verdicts(self) -> bool:
        """Whether only images with a verdict can be wanted."""
        return bool(self.reviewed) or self.verdict is not None or self.reviewer is not None


def told_by_folder(dataset: Dataset, wanted: Wanted) -> Wanted:
    """The same filters, with the label that a folder of one label implies: an index knows labels, few know folders."""
    if not wanted.folder or wanted.given is not None:
        return wanted
    for side, label in ((Side.POSITIVE, dataset.positive_pattern), (Side.NEGATIVE, dataset.negative_pattern)):
        if f"{wanted.folder}/".startswith(f"{label}/"):
            return replace(wanted, given=side)
    return wanted


def _disagrees(dataset: Dataset, given: Any) -> ColumnElement[bool]:
    return or_(
        and_(given == Side.NEGATIVE, ScoreRow.score >= dataset.threshold),
        and_(given == Side.POSITIVE, ScoreRow.score < dataset.threshold),
    )


def asks_of_score(dataset: Dataset, wanted: Wanted) -> list[ColumnElement[bool]]:
    """What filters on label and flag ask of a score that is found by its rank."""
    given: list[ColumnElement[bool]] = [ScoreRow.given == wanted.given] if wanted.given is not None else []
    return [*given, *([_disagrees(dataset, ScoreRow.given)] if wanted.flagged else [])]


def asks_of_verdicts(wanted: Wanted, image_id: Any) -> list[ColumnElement[bool]]:
    """What a filter on verdicts asks of an image: most have none."""
    if not wanted.about_verdicts:
        return []
    asked = [StandingRow.image_id == image_id, StandingRow.verdict.is_not(None)]
    if wanted.verdict is not None:
        asked.append(StandingRow.verdict == wanted.verdict)
    return [exists().where(*asked), *([_by(wanted.reviewer, image_id)] if wanted.reviewer else [])]


def _by(reviewer: str, image_id: Any) -> ColumnElement[bool]:
    """Whether the verdict that stands on an image is this person's."""
    stands = and_(StandingRow.image_id == image_id, ReviewRow.id == StandingRow.effective_review_id)
    return exists().where(stands, ReviewRow.reviewer == reviewer)


def asks_of_path(wanted: Wanted, image_id: Any) -> list[ColumnElement[bool]]:
    """What a filter on paths asks of an image that is found by something else."""
    asked = [*lies_below(wanted), *holds_text(wanted)]
    return [exists().where(ImageRow.id == image_id, *asked)] if asked else []


def lies_below(wanted: Wanted) -> list[ColumnElement[bool]]:
    """A stretch of the index of paths."""
    if not wanted.folder:
        return []
    below = wanted.folder.rstrip("/")
    return [ImageRow.path >= f"{below}/", ImageRow.path < f"{below}0"]  # "0" follows "/"


def holds_text(wanted: Wanted) -> list[ColumnElement[bool]]:
    """What is searched for in a path."""
    return [ImageRow.path.icontains(wanted.text, autoescape=True)] if wanted.text else []


def conditions_on(dataset: Dataset, wanted: Wanted) -> list[ColumnElement[bool]]:
    """What is asked of an image, its score and its standing verdict, joined: all that a list is narrowed by."""
    score, verdict = ScoreRow.score, StandingRow.verdict
    against = _disagrees(dataset, ImageRow.given)
    by_reviewer = _by(wanted.reviewer or "", ImageRow.id)
    below, text = lies_below(wanted), holds_text(wanted)
    possible: list[tuple[bool, ColumnElement[bool]]] = [
        (True, ImageRow.missing_since.is_(None)),
        (bool(wanted.flagged), against),
        (bool(wanted.duplicate_conflict), and_(ImageRow.duplicate_conflict)),
        (bool(wanted.second_opinion), and_(ImageRow.id.in_(doubted_of(dataset.id, dataset.detector_id)), ~against)),
        (bool(wanted.unreadable), ImageRow.unreadable.is_not(None)),
        (wanted.reviewed is True, verdict.is_not(None)),
        (wanted.reviewed is False, verdict.is_(None)),
        (wanted.given is not None, ImageRow.given == wanted.given),
        (wanted.verdict is not None, verdict == wanted.verdict),
        (wanted.reviewer is not None, by_reviewer),
        (bool(below), and_(true(), *below)),
        (bool(text), and_(true(), *text)),
        (wanted.min_score is not None, score >= (wanted.min_score or 0.0)),
        (wanted.max_score is not None, score <= (wanted.max_score or 0.0)),
    ]
    return [condition for applies, condition in possible if applies]
