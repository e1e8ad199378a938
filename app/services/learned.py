"""What has been learned of a dataset, for people: how good it is, and what the next verdicts are expected to find."""

from dataclasses import dataclass
from datetime import datetime

from app.domain.yields import Remaining, Yield, expect_errors, plan_finding
from app.storage.database import Session
from app.storage.datasets import Dataset
from app.storage.features import list_open_ranks
from app.storage.fits import find_fit, is_ranked

NEXT = 100  #: images that an expectation is told of
SHARE = 0.95  #: of the errors left, that a plan finds


@dataclass(frozen=True, slots=True)
class Dot:
    """Called images whose suspicion was alike: what was promised of them, and the share that was wrong."""

    promised: float
    found: float
    images: int


@dataclass(frozen=True, slots=True)
class LearnedView:
    """The latest fit, as it stands."""

    fitted_at: datetime
    verdicts: int
    auc: float | None
    error: float | None
    trusted: bool
    doubted: int
    dots: tuple[Dot, ...]
    remaining: Remaining
    expected: Yield | None


def view_learned(session: Session, dataset: Dataset) -> LearnedView | None:
    """What the latest fit came to; None where nothing has been learned."""
    fit = find_fit(session, dataset.id)
    if fit is None or fit.detector_id != dataset.detector_id:
        return None
    report = fit.report
    return LearnedView(
        fitted_at=fit.fitted_at,
        verdicts=fit.verdicts,
        auc=report["auc"],
        error=report["calibration_error"],
        trusted=report["trusted"],
        doubted=report["doubted"],
        dots=tuple(Dot(each["promised"], each["found"], each["images"]) for each in report["reliability"]),
        remaining=plan_finding(report["open"], SHARE),
        expected=expect_next(session, dataset),
    )


def expect_next(session: Session, dataset: Dataset) -> Yield | None:
    """What the next flagged images are expected to hold; None where nothing was learned, or none is left."""
    if not is_ranked(session, dataset.id, dataset.detector_id, dataset.threshold):
        return None
    ranks = list_open_ranks(session, dataset.id, dataset.detector_id or 0, NEXT)
    return expect_errors([-rank for rank in ranks]) if ranks else None
