"""What would be released of a dataset now: where each image goes, and who vouches for it.

Relocations and exports share it, so that the two can never disagree.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from itertools import chain
from typing import Any

from app.domain.consensus import Unsettled
from app.domain.flagging import Copies
from app.domain.images import Side
from app.domain.relocation import Candidate, Omission, Placement, decide, plan_placements
from app.services.certifying import find_probabilities
from app.services.flags import flags_of
from app.services.reviews import format_time
from app.services.sign_offs import SignOffView, find_sign_off
from app.storage.database import Session
from app.storage.datasets import Dataset
from app.storage.duplicates import find_contradicted
from app.storage.images import ImageRecord, find_image, iter_images
from app.storage.reviews import Review, find_review
from app.storage.scans import detector_name

SOMEWHERE = Copies(1, "")  #: of a flag nothing but its reason is released


def candidate_of(record: ImageRecord, dataset: Dataset, *, contradicted: bool = False) -> Candidate:
    """An image as the plan sees it; ``contradicted`` if people called an exact copy of it the other label."""
    elsewhere = SOMEWHERE if record.duplicate_conflict else None
    flags = flags_of(record, dataset, elsewhere)
    pattern = dataset.positive_pattern if record.given is Side.POSITIVE else dataset.negative_pattern
    return Candidate(
        image_id=record.id,
        path=record.path,
        given=record.given,
        pattern=pattern,
        sha256=record.sha256,
        size_bytes=record.size_bytes,
        score=record.score,
        flags=flags,
        verdict=record.verdict,
        signed_off=record.signed and not flags and record.unsettled is None,
        unreadable=record.unreadable is not None,
        missing=record.missing or record.sha256 is None,
        outdated=record.verdict_outdated,
        contradicted=contradicted,
        conflict=record.unsettled is Unsettled.CONFLICT,
    )


@dataclass(frozen=True, slots=True)
class Release:
    """A dataset as it would be released at one moment."""

    dataset: Dataset
    sign_off: SignOffView | None
    detector: str
    probabilities: dict[int, float]  #: of the images that were drawn for the certificate

    @classmethod
    def of(cls, session: Session, dataset: Dataset) -> "Release":
        """The release of a dataset as it stands."""
        detector = detector_name(session, dataset.detector_id)
        return cls(dataset, find_sign_off(session, dataset), detector, find_probabilities(session, dataset))

    def plan(self, session: Session) -> Iterator[Placement | Omission]:
        """Every image with its destination, or with the reason why it stays out."""
        contradicted = find_contradicted(session, self.dataset.id)
        return plan_placements(self._candidates(session, contradicted), self.dataset.labels)

    def _candidates(self, session: Session, contradicted: set[int]) -> Iterator[Candidate]:
        """Those that keep their folder's label first: it is the newcomer that a collision renames."""
        stay = (found for found in self._all(session, contradicted) if decide(found) is found.given)
        others = (found for found in self._all(session, contradicted) if decide(found) is not found.given)
        return chain(stay, others)

    def _all(self, session: Session, contradicted: set[int]) -> Iterator[Candidate]:
        for record in iter_images(session, self.dataset.id):
            yield candidate_of(record, self.dataset, contradicted=record.id in contradicted)

    def manifest_row(self, session: Session, planned: Placement) -> dict[str, Any]:
        """The columns of manifest.csv, by name."""
        candidate, labels = planned.candidate, self.dataset.labels
        reviewer, reviewed_at = self._who(session, candidate)
        probability = self.probabilities.get(candidate.image_id)
        return {
            "path": planned.destination,
            "sha256": candidate.sha256,
            "source_path": candidate.path,
            "given_label": labels.name(candidate.given),
            "final_label": labels.name(planned.final),
            "score": "" if candidate.score is None else f"{candidate.score:.6f}",
            "flag_reasons": ";".join(flag.reason for flag in candidate.flags),
            "verdict": candidate.verdict or "",
            "reviewer": reviewer,
            "reviewed_at": reviewed_at,
            "detector": self.detector if candidate.score is not None else "",
            "sampling_probability": "" if probability is None else repr(probability),
        }

    def _who(self, session: Session, candidate: Candidate) -> tuple[str, str]:
        """Who vouches for the image, and since when: the reviewer, or the person who signed off."""
        if candidate.verdict is not None:
            review = _effective_review(session, candidate)
            return ("", "") if review is None else (review.reviewer, format_time(review.reviewed_at))
        if self.sign_off is None:
            return "", ""
        return f"{self.sign_off.by} (sign-off, bound: {self.sign_off.bound})", format_time(self.sign_off.at)


def _effective_review(session: Session, candidate: Candidate) -> Review | None:
    record = find_image(session, candidate.image_id)
    if record is None or record.effective_review_id is None:
        return None
    return find_review(session, record.effective_review_id)
