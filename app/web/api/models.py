"""The JSON of the API, as the contract has it."""

from datetime import datetime
from typing import Annotated, Any

from pydantic import BaseModel, ConfigDict, Field, field_serializer, field_validator

from app.domain.images import Side
from app.domain.reviewing import Verdict
from app.domain.text import is_text
from app.services.certificates import CertificateView, certificate_document
from app.services.datasets import DatasetView
from app.services.exports import ExportView
from app.services.images import FullImage, ImageItem, ImageMove
from app.services.overview import Stats
from app.services.relinking import Relink
from app.services.relocations import RelocationView
from app.services.reviews import GivenReview, format_time
from app.services.sign_offs import SignOffView
from app.storage.images import DetectionRecord
from app.storage.relocations import Move
from app.storage.reviews import Review

Xyxy = tuple[float, float, float, float]
#: a dataset's id or name; an id is bounded, because text of a longer number is refused by Python
Reference = Annotated[int, Field(ge=-(1 << 53), le=1 << 53)] | Annotated[str, Field(max_length=200)]


class Out(BaseModel):
    """Base of what is sent: times in UTC with a Z."""

    @field_serializer("*", when_used="json", check_fields=False)
    def _times(self, value: Any) -> Any:
        return format_time(value) if isinstance(value, datetime) else value


class In(BaseModel):
    """Base of what is taken: unknown fields are refused by name."""

    model_config = ConfigDict(extra="forbid")

    @field_validator("*")
    @classmethod
    def _encodable(cls, value: Any) -> Any:
        """Refuse half of a surrogate pair: valid in JSON, but no text that can be stored, shown or sent."""
        if isinstance(value, str) and not is_text(value):
            msg = "holds half of a surrogate pair"
            raise ValueError(msg)
        return value


class DatasetOut(Out):
    """A dataset."""

    id: int
    name: str
    root: str
    positive: str
    negative: str
    question: str
    images: int
    unreadable: int
    ignored: int
    threshold: float
    positive_means: str
    negative_means: str
    archived_at: datetime | None

    @classmethod
    def of(cls, view: DatasetView) -> "DatasetOut":
        """From the service's view."""
        return cls.model_validate(view, from_attributes=True)


class DatasetsOut(Out):
    """A page of datasets."""

    items: list[DatasetOut]
    next: str | None


class DatasetIn(In):
    """A dataset to register."""

    root: str = Field(min_length=1, max_length=4096)
    name: str = Field("", max_length=200)
    positive: str = Field("football", min_length=1, max_length=200)
    negative: str = Field("background", min_length=1, max_length=200)
    question: str = Field("", max_length=500)


class DatasetChangeIn(In):
    """What to change of a dataset; what is left out stays."""

    question: str | None = Field(None, max_length=500)
    positive_means: str | None = Field(None, max_length=300)
    negative_means: str | None = Field(None, max_length=300)
    archived: bool | None = None


class RelinkIn(In):
    """Where a dataset's folder lies now."""

    root: str = Field(min_length=1, max_length=4096)
    accept_missing: bool = False


class RelinkOut(Out):
    """What a sample of the files in the new root says."""

    dataset: int
    root: str
    old_root: str
    sampled: int
    hashed: int
    differing: list[dict[str, str]]

    @classmethod
    def of(cls, done: Relink) -> "RelinkOut":
        """From the service's result."""
        differing = [{"path": path, "how": how} for path, how in done.differing]
        return cls(
            dataset=done.dataset_id,
            root=done.root,
            old_root=done.old_root,
            sampled=done.sampled,
            hashed=done.hashed,
            differing=differing,
        )


class BoxOut(Out):
    """A detected box, in pixels of the upright image."""

    xyxy: Xyxy
    confidence: float
    class_name: str


class FlagOut(Out):
    """Why an image wants a person."""

    reason: str
    detail: str


class ImageOut(Out):
    """An image."""

    id: int
    dataset: int
    path: str | None
    given_label: str | None
    sha256: str | None
    width: int | None
    height: int | None
    score: float | None
    boxes: list[BoxOut] | None
    flags: list[FlagOut] | None
    verdict: Verdict | None
    review_id: int | None
    final_label: str | None

    @classmethod
    def of(cls, item: ImageItem) -> "ImageOut":
        """From the service's item."""
        return cls(**image_fields(item) | (dict.fromkeys(HIDDEN) if item.blind else {}))


def _box(box: DetectionRecord) -> BoxOut:
    return BoxOut(xyxy=(box.x0, box.y0, box.x1, box.y1), confidence=box.confidence, class_name=box.class_name)


#: what an item that is shown blind does not say
HIDDEN = ("path", "given_label", "score", "boxes", "flags", "verdict", "final_label")


def image_fields(item: ImageItem) -> dict[str, Any]:
    """The fields that every form of an image has."""
    record = item.record
    return {
        "id": record.id,
        "dataset": record.dataset_id,
        "path": record.path,
        "given_label": item.given_label,
        "sha256": record.sha256,
        "width": record.width,
        "height": record.height,
        "score": record.score,
        "boxes": [_box(box) for box in item.boxes],
        "flags": [FlagOut(reason=flag.reason, detail=flag.detail) for flag in item.flags],
        "verdict": record.verdict,
        "review_id": record.latest_review_id,
        "final_label": item.final_label,
    }


class ImagesOut(Out):
    """A page of images."""

    items: list[ImageOut]
    next: str | None


class NextOut(Out):
    """What one tab gets next."""

    items: list[ImageOut]


class HistoryOut(Out):
    """One row of an image's history."""

    review_id: int
    verdict: Verdict | None
    reviewer: str
    reviewed_at: datetime
    undoes: int | None
    boxes: list[Xyxy] | None
    note: str | None

    @classmethod
    def of(cls, review: Review) -> "HistoryOut":
        """From a stored review."""
        return cls(
            review_id=review.id,
            verdict=review.verdict,
            reviewer=review.reviewer,
            reviewed_at=review.reviewed_at,
            undoes=review.undoes,
            boxes=None if review.boxes is None else list(review.boxes),
            note=review.note,
        )


class ImageMoveOut(Out):
    """One file operation on an image."""

    relocation_id: int
    source: str
    destination: str
    sha256: str
    state: str
    error: str | None

    @classmethod
    def of(cls, move: ImageMove) -> "ImageMoveOut":
        """From the service's view."""
        return cls.model_validate(move, from_attributes=True)


class FullImageOut(ImageOut):
    """An image with its whole history."""

    reviews: list[HistoryOut]
    moves: list[ImageMoveOut]

    @classmethod
    def of_full(cls, full: FullImage) -> "FullImageOut":
        """From the service's view."""
        return cls(
            **image_fields(full.item),
            reviews=[HistoryOut.of(review) for review in full.reviews],
            moves=[ImageMoveOut.of(move) for move in full.moves],
        )


class ReviewIn(In):
    """A verdict."""

    verdict: Verdict
    seen_review_id: int | None
    boxes: list[Xyxy] | None = Field(None, max_length=1000)
    request_id: str | None = Field(None, pattern=r"^[0-9A-Fa-f-]{32,36}$")
    spent_ms: int | None = Field(None, ge=0, le=86_400_000)
    note: str | None = Field(None, description="At most 2,000 characters; space around them does not count.")


class ReviewOut(Out):
    """A stored verdict, or the row that takes one back."""

    review_id: int
    image_id: int
    verdict: Verdict | None
    undoes: int | None
    final_label: str | None
    reviewer: str
    reviewed_at: datetime
    ask_again: list[BoxOut] | None

    @classmethod
    def of(cls, given: GivenReview) -> "ReviewOut":
        """From what the service stored."""
        review = given.review
        return cls(
            review_id=review.id,
            image_id=review.image_id,
            verdict=review.verdict,
            undoes=review.undoes,
            final_label=given.item.final_label,
            reviewer=review.reviewer,
            reviewed_at=review.reviewed_at,
            ask_again=[_box(box) for box in given.ask_again] or None,
        )


class UndoIn(In):
    """An undo."""

    request_id: str | None = Field(None, pattern=r"^[0-9A-Fa-f-]{32,36}$")


class GivenOut(Out):
    """The given labels as far as verdicts tell."""

    tp: int
    fp: int
    fn: int
    tn: int
    unknown: int


class StatsOut(Out):
    """The counts of a dataset."""

    images: int
    unreadable: int
    scored: int
    flagged: int
    open_flags: int
    reviewed: int
    upheld: int
    overruled: int
    unsure: int
    discarded: int
    given: GivenOut
    threshold: float

    @classmethod
    def of(cls, stats: Stats) -> "StatsOut":
        """From the service's counts."""
        return cls.model_validate(stats, from_attributes=True)


class ThresholdIn(In):
    """A threshold to set."""

    threshold: float = Field(ge=0, le=1)


class SignOffIn(In):
    """A sign-off."""

    by: str = Field(min_length=1, max_length=200)


class SignOffOut(Out):
    """A sign-off that stands."""

    by: str
    at: datetime
    images: int
    still_holding: int
    bound: str

    @classmethod
    def of(cls, view: SignOffView) -> "SignOffOut":
        """From the service's view."""
        return cls.model_validate(view, from_attributes=True)


class BoundOut(Out):
    """One row of the certificate."""

    images: int
    settled: int
    audited: int
    errors_found: int
    errors_upper: int
    rate_upper: float
    rate_estimate: float | None
    outside: int


class CertificateSignOff(Out):
    """The sign-off as a certificate shows it."""

    by: str
    at: datetime
    rate_upper: float | None
    still_holds: bool
    why_not: str | None


class CertificateOut(Out):
    """The certificate as it stands."""

    risk: float
    valid: bool
    invalid_reasons: list[str]
    as_of: datetime
    audit: dict[str, Any] | None
    overall: BoundOut
    per_label: dict[str, BoundOut]
    strata: list[dict[str, Any]]
    reviewer_error: dict[str, Any]
    signed_off: CertificateSignOff | None
    assumptions: list[str]
    labels: dict[str, str]

    @classmethod
    def of(cls, view: CertificateView) -> "CertificateOut":
        """From the service's view."""
        return cls.model_validate(certificate_document(view))


class RelocationIn(In):
    """A relocation to plan and, unless ``dry_run``, to apply."""

    dataset: Reference
    to: str = Field(min_length=1, max_length=4096)
    mode: str = "copy"
    dry_run: bool


class MoveCountsOut(Out):
    """Moves by state; ``planned`` is all of them."""

    planned: int
    done: int
    failed: int
    skipped: int


class RelocationOut(Out):
    """A relocation."""

    id: int
    to: str
    mode: str
    status: str
    moves: MoveCountsOut
    collisions: int
    bytes: int
    left_out: dict[str, int]
    by_label: dict[str, int]
    outdated: int
    error: str | None
    created_at: datetime
    finished_at: datetime | None

    @classmethod
    def of(cls, view: RelocationView) -> "RelocationOut":
        """From the service's view."""
        return cls(
            id=view.id,
            to=view.to,
            mode=view.mode,
            status=view.status,
            moves=MoveCountsOut.model_validate(view, from_attributes=True),
            collisions=view.collisions,
            bytes=view.bytes,
            left_out=dict(view.left_out),
            by_label=dict(view.by_label),
            outdated=view.outdated,
            error=view.error,
            created_at=view.created_at,
            finished_at=view.finished_at,
        )


class MoveOut(Out):
    """One file operation of a relocation."""

    image_id: int
    action: str
    source: str
    destination: str
    sha256: str
    final_label: Side
    state: str
    error: str | None

    @classmethod
    def of(cls, move: Move) -> "MoveOut":
        """From a stored move."""
        return cls(
            image_id=move.image_id,
            action=move.action,
            source=move.source,
            destination=move.destination,
            sha256=move.sha256,
            final_label=move.final,
            state=move.state,
            error=move.error,
        )


class MovesOut(Out):
    """A page of moves."""

    items: list[MoveOut]
    next: str | None


class ExportIn(In):
    """An export to write."""

    dataset: Reference
    format: str


class ExportOut(Out):
    """An export."""

    id: int
    status: str
    format: str
    sha256: str | None
    bytes: int | None
    path: str | None
    error: str | None
    created_at: datetime

    @classmethod
    def of(cls, view: ExportView) -> "ExportOut":
        """From the service's view."""
        return cls.model_validate(view, from_attributes=True)
