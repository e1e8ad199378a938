"""The tables. What a model says and what a person says live apart: no scan can overwrite a verdict."""

from datetime import UTC, datetime
from typing import Any, ClassVar

from sqlalchemy import (
    JSON,
    BigInteger,
    CheckConstraint,
    DateTime,
    ForeignKey,
    Index,
    MetaData,
    Text,
    TypeDecorator,
    UniqueConstraint,
    false,
    text,
)
from sqlalchemy.engine import Dialect
from sqlalchemy.orm import DeclarativeBase, Mapped, mapped_column

NAMING = {
    "ix": "ix_%(table_name)s_%(column_0_N_name)s",
    "uq": "uq_%(table_name)s_%(column_0_N_name)s",
    "ck": "ck_%(table_name)s_%(constraint_name)s",
    "fk": "fk_%(table_name)s_%(column_0_N_name)s_%(referred_table_name)s",
    "pk": "pk_%(table_name)s",
}
SIDES = ("positive", "negative")
VERDICTS = ("positive", "negative", "unsure", "discard")
SCAN_STATUSES = ("queued", "running", "done", "failed", "cancelled")
RELOCATION_STATUSES = ("planning", "planned", "running", "done", "partly_failed", "undoing", "undone")
MOVE_STATES = ("planned", "started", "done", "failed", "skipped", "undone")
MOVE_ACTIONS = ("place", "withdraw")
MODES = ("copy", "hardlink", "reflink", "move")
EXPORT_STATUSES = ("queued", "running", "done", "failed")
CONSENSUS = ("latest", "majority", "unanimous")
UNSETTLED = ("second", "conflict")
LOOK_STAGES = ("second", "third", "done")


class UtcDateTime(TypeDecorator[datetime]):
    """An aware UTC time. SQLite keeps no zone, so it is taken off going in and put back coming out."""

    impl = DateTime
    cache_ok = True

    def process_bind_param(self, value: datetime | None, dialect: Dialect) -> datetime | None:
        """Refuse naive times; store UTC."""
        if value is None:
            return None
        if value.tzinfo is None:
            msg = "a time without a zone"
            raise ValueError(msg)
        return value.astimezone(UTC).replace(tzinfo=None)

    def process_result_value(self, value: datetime | None, dialect: Dialect) -> datetime | None:
        """Give the time its zone back."""
        return None if value is None else value.replace(tzinfo=UTC)


class Base(DeclarativeBase):
    """Names every constraint, so that a migration can drop it on any database."""

    metadata = MetaData(naming_convention=NAMING)
    type_annotation_map: ClassVar[dict[Any, Any]] = {
        datetime: UtcDateTime,
        dict[str, Any]: JSON,
        list[Any]: JSON,
    }


def _one_of(column: str, values: tuple[str, ...], *, optional: bool = False) -> CheckConstraint:
    listed = ", ".join(f"'{value}'" for value in values)
    null = f"{column} IS NULL OR " if optional else ""
    return CheckConstraint(f"{null}{column} IN ({listed})", name=column)


def _where_true(name: str, flags: tuple[str, ...], *columns: str) -> tuple[Index, ...]:
    """For each flag an index of the rows that have it."""
    return tuple(
        Index(name.format(flag), *columns, sqlite_where=text(f"{flag} = 1"), postgresql_where=text(flag))
        for flag in flags
    )


def _where_set(name: str, column: str, *columns: str) -> Index:
    """An index of the rows in which a column has a value."""
    chosen = text(f"{column} IS NOT NULL")
    return Index(name, *columns, sqlite_where=chosen, postgresql_where=chosen)


class DatasetRow(Base):
    """A registered root with its two labels."""

    __tablename__ = "datasets"

    id: Mapped[int] = mapped_column(primary_key=True)
    name: Mapped[str] = mapped_column(unique=True)
    root: Mapped[str]
    positive: Mapped[str]
    negative: Mapped[str]
    positive_pattern: Mapped[str]
    negative_pattern: Mapped[str]
    question: Mapped[str]
    threshold: Mapped[float]
    target_classes: Mapped[list[Any] | None]  #: of the scores as they stand
    detector_id: Mapped[int | None] = mapped_column(ForeignKey("detectors.id"))  #: whose scores count
    demo: Mapped[bool] = mapped_column(default=False)
    walk: Mapped[str | None]  #: the latest walk of its folders; an earlier one that is still going on has lost
    near_searched: Mapped[str | None]  #: digest of the hashes that near duplicates were last searched in
    guidelines: Mapped[str] = mapped_column(Text, default="", server_default=text("''"))  #: Markdown, for the reviewers
    created_at: Mapped[datetime]
    positive_means: Mapped[str] = mapped_column(default="", server_default=text("''"))  #: what counts
    negative_means: Mapped[str] = mapped_column(default="", server_default=text("''"))
    archived_at: Mapped[datetime | None]  #: out of menus and lists since; everything is kept
    removed_at: Mapped[datetime | None]  #: nothing finds it any more; its rows are being forgotten
    second_share: Mapped[float] = mapped_column(default=0.0, server_default="0")  #: of calls that a second person sees
    second_reasons: Mapped[list[Any] | None]
    second_seed: Mapped[str | None]  #: which images the share draws follows from it and their ids
    consensus: Mapped[str] = mapped_column(default="latest", server_default="latest")
    sweep: Mapped[dict[str, Any] | None] = mapped_column(JSON(none_as_null=True))  #: how far a change of these has got

    __table_args__ = (
        CheckConstraint("threshold >= 0 AND threshold <= 1", name="threshold"),
        CheckConstraint("second_share >= 0 AND second_share <= 1", name="second_share"),
        _one_of("consensus", CONSENSUS),
    )


class SavedFilterRow(Base):
    """A list of images that somebody wants to find again: a name for a query string of the page of images."""

    __tablename__ = "saved_filters"

    id: Mapped[int] = mapped_column(primary_key=True)
    dataset_id: Mapped[int] = mapped_column(ForeignKey("datasets.id"))
    name: Mapped[str]
    query: Mapped[str]  #: URL-encoded, without the dataset
    made_by: Mapped[str]
    created_at: Mapped[datetime]

    __table_args__ = (UniqueConstraint("dataset_id", "name"),)


class ImageRow(Base):
    """One file below a dataset's root. Ids are given in an order that says nothing of folder or name."""

    __tablename__ = "images"

    id: Mapped[int] = mapped_column(primary_key=True)
    dataset_id: Mapped[int] = mapped_column(ForeignKey("datasets.id"))
    path: Mapped[str]  #: POSIX, below the root: the identity
    given: Mapped[str]
    size_bytes: Mapped[int] = mapped_column(BigInteger)
    mtime_ns: Mapped[int] = mapped_column(BigInteger)
    sha256: Mapped[str | None]
    width: Mapped[int | None]  #: upright
    height: Mapped[int | None]
    phash: Mapped[int | None] = mapped_column(BigInteger)  #: perceptual hash, 64 bits as a signed number
    unreadable: Mapped[str | None]  #: the reason
    inspected_at: Mapped[datetime | None]
    registered_at: Mapped[datetime]
    missing_since: Mapped[datetime | None]
    duplicated: Mapped[bool] = mapped_column(
        default=False, server_default=false()
    )  #: another present, readable image of the dataset has the same bytes; see app/storage/duplicates.py
    duplicate_conflict: Mapped[bool] = mapped_column(
        default=False, server_default=false()
    )  #: and one of those has the other given label

    __table_args__ = (
        UniqueConstraint("dataset_id", "path"),
        _one_of("given", SIDES),
        Index(None, "dataset_id", "given", "missing_since", "unreadable"),
        Index(None, "dataset_id", "sha256"),
        *_where_true("ix_images_{}", ("duplicated", "duplicate_conflict"), "dataset_id", "sha256"),
        _where_set("ix_images_unreadable", "unreadable", "dataset_id", "path"),
    )


class NearDuplicateRow(Base):
    """Two images that look alike, once for each of the two; as the latest search found them."""

    __tablename__ = "near_duplicates"

    image_id: Mapped[int] = mapped_column(ForeignKey("images.id"), primary_key=True)
    other_id: Mapped[int] = mapped_column(primary_key=True)  #: an image too; no key, which would cost an index
    dataset_id: Mapped[int] = mapped_column(ForeignKey("datasets.id"), index=True)
    distance: Mapped[int]  #: bits in which the perceptual hashes differ
    across: Mapped[bool]  #: they lay in different folders

    __table_args__ = (
        Index(
            "ix_near_duplicates_across",
            "dataset_id",
            "distance",
            "image_id",
            "other_id",
            sqlite_where=text("across = 1 AND image_id < other_id"),
            postgresql_where=text("across AND image_id < other_id"),
        ),
    )


class ArrivalRow(Base):
    """A path seen by a walk that is still going on; it becomes an image in shuffled order."""

    __tablename__ = "arrivals"

    id: Mapped[int] = mapped_column(primary_key=True)
    walk: Mapped[str]
    dataset_id: Mapped[int] = mapped_column(ForeignKey("datasets.id"))
    path: Mapped[str]
    given: Mapped[str]
    size_bytes: Mapped[int] = mapped_column(BigInteger)
    mtime_ns: Mapped[int] = mapped_column(BigInteger)
    unreadable: Mapped[str | None]
    shuffle: Mapped[int] = mapped_column(BigInteger)

    __table_args__ = (
        UniqueConstraint("walk", "path"),
        Index(None, "walk", "shuffle"),
        _one_of("given", SIDES),
    )


class IgnoredFileRow(Base):
    """A file that the walk passed over, and why."""

    __tablename__ = "ignored_files"

    id: Mapped[int] = mapped_column(primary_key=True)
    dataset_id: Mapped[int] = mapped_column(ForeignKey("datasets.id"))
    path: Mapped[str]
    reason: Mapped[str]

    __table_args__ = (Index(None, "dataset_id", "id"),)


class DetectorRow(Base):
    """A detector by identity: equal identity, equal score for equal bytes."""

    __tablename__ = "detectors"

    id: Mapped[int] = mapped_column(primary_key=True)
    identity: Mapped[str] = mapped_column(unique=True)
    model: Mapped[str]
    revision: Mapped[str | None]
    weights_sha256: Mapped[str]
    preprocessing: Mapped[str]
    input_size: Mapped[int]
    class_names: Mapped[list[Any]]
    created_at: Mapped[datetime]


class EngineRow(Base):
    """What computed scores: backend, device, precision and versions, with the figures of its faith gate.

    No part of a detector's identity: only engines that the gate passes may write a score.
    """

    __tablename__ = "engines"

    id: Mapped[int] = mapped_column(primary_key=True)
    fingerprint: Mapped[str] = mapped_column(unique=True)
    backend: Mapped[str]
    device: Mapped[str]
    precision: Mapped[str]
    gate: Mapped[dict[str, Any] | None] = mapped_column(JSON)  #: None for the reference itself
    created_at: Mapped[datetime]


class WorkerRow(Base):
    """A background process and its last sign of life."""

    __tablename__ = "workers"

    id: Mapped[int] = mapped_column(primary_key=True)
    host: Mapped[str]
    pid: Mapped[int]
    process_started: Mapped[str]  #: tells a process from a later one with the same pid
    started_at: Mapped[datetime]
    heartbeat_at: Mapped[datetime]
    stopped_at: Mapped[datetime | None]
    serves: Mapped[bool] = mapped_column(default=True)  #: takes whatever is queued


class ScanRow(Base):
    """One pass of a detector over a dataset. *Stalled* is not stored: it is a running scan without a worker."""

    __tablename__ = "scans"

    id: Mapped[int] = mapped_column(primary_key=True)
    dataset_id: Mapped[int] = mapped_column(ForeignKey("datasets.id"), index=True)
    status: Mapped[str]
    worker_id: Mapped[int | None] = mapped_column(ForeignKey("workers.id"))
    total: Mapped[int] = mapped_column(default=0)
    scored: Mapped[int] = mapped_column(default=0)
    reused: Mapped[int] = mapped_column(default=0)
    unreadable: Mapped[int] = mapped_column(default=0)
    images_per_s: Mapped[float | None]
    detector_id: Mapped[int | None] = mapped_column(ForeignKey("detectors.id"))
    detector: Mapped[dict[str, Any] | None] = mapped_column(JSON)  #: as the contract shows it
    cancel_requested: Mapped[bool] = mapped_column(default=False)
    paused: Mapped[bool] = mapped_column(
        default=False, server_default=false()
    )  #: a person holds it; its status stays what it is
    priority: Mapped[int] = mapped_column(default=0, server_default="0")  #: higher is claimed first
    telemetry: Mapped[dict[str, Any] | None] = mapped_column(JSON)  #: speed over time, shares, memory, refused engines
    error: Mapped[str | None]
    queued_at: Mapped[datetime]
    started_at: Mapped[datetime | None]
    finished_at: Mapped[datetime | None]

    __table_args__ = (
        _one_of("status", SCAN_STATUSES),
        # One open scan a dataset, whoever asks and however often.
        Index(
            "uq_scans_open",
            "dataset_id",
            unique=True,
            sqlite_where=text("status IN ('queued', 'running')"),
            postgresql_where=text("status IN ('queued', 'running')"),
        ),
    )


class ScoreRow(Base):
    """One number per image and detector: the highest confidence among the target classes.

    A row is there only while the image is: present, readable and with the bytes that were scored.
    """

    __tablename__ = "scores"

    image_id: Mapped[int] = mapped_column(ForeignKey("images.id"), primary_key=True)
    detector_id: Mapped[int] = mapped_column(ForeignKey("detectors.id"), primary_key=True)
    dataset_id: Mapped[int] = mapped_column(ForeignKey("datasets.id"))
    given: Mapped[str]  #: as in ``images``: the queue and the histogram read this table's index alone
    scan_id: Mapped[int] = mapped_column(ForeignKey("scans.id"), index=True)
    engine_id: Mapped[int | None] = mapped_column(ForeignKey("engines.id"))  #: None: scored before engines were noted
    sha256: Mapped[str]  #: of the bytes that were scored
    score: Mapped[float]
    against: Mapped[float] = mapped_column(
        server_default="0"
    )  #: minus the suspicion, see :func:`app.domain.scoring.suspicion`: ascending it is the order of the queue
    scored_at: Mapped[datetime]
    called: Mapped[bool] = mapped_column(
        default=False, server_default=false()
    )  #: a verdict stands, as in ``standings``: the queue does not read past what is done
    #: minus the suspicion that was learned from verdicts, see app/storage/learning.py; ``against`` where nothing was
    rank: Mapped[float] = mapped_column(server_default="0")
    doubted: Mapped[bool] = mapped_column(default=False, server_default=false())  #: it is so high as to raise a flag
    flagged: Mapped[bool] = mapped_column(default=False, server_default=false())  #: under ``fits.threshold``

    __table_args__ = (
        CheckConstraint("score >= 0 AND score <= 1", name="score"),
        _one_of("given", SIDES),
        Index("ix_scores_queue", "dataset_id", "detector_id", "given", "score", "image_id"),
        Index("ix_scores_against", "dataset_id", "detector_id", "given", "against", "image_id"),
        Index(
            "ix_scores_open",
            "dataset_id",
            "detector_id",
            "given",
            "against",
            "image_id",
            sqlite_where=text("called = 0"),
            postgresql_where=text("NOT called"),
        ),
        *(
            Index(
                f"ix_scores_ranked_{name}",
                *("dataset_id", "detector_id", "flagged", "rank", "image_id"),
                sqlite_where=text(f"called = {value}"),
                postgresql_where=text("called" if value else "NOT called"),
            )
            for name, value in (("open", 0), ("called", 1))
        ),
        *_where_true("ix_scores_{}", ("doubted",), "dataset_id", "detector_id", "image_id"),
    )


class DetectionRow(Base):
    """One box above the floor, in pixels of the upright image."""

    __tablename__ = "detections"

    id: Mapped[int] = mapped_column(primary_key=True)
    image_id: Mapped[int] = mapped_column(ForeignKey("images.id"))
    detector_id: Mapped[int] = mapped_column(ForeignKey("detectors.id"))
    x0: Mapped[float]
    y0: Mapped[float]
    x1: Mapped[float]
    y1: Mapped[float]
    confidence: Mapped[float]
    class_name: Mapped[str]

    __table_args__ = (Index(None, "image_id", "detector_id"),)


class ReviewRow(Base):
    """One verdict or one undo. Rows are only ever added."""

    __tablename__ = "reviews"

    id: Mapped[int] = mapped_column(primary_key=True)
    image_id: Mapped[int] = mapped_column(ForeignKey("images.id"))
    dataset_id: Mapped[int] = mapped_column(ForeignKey("datasets.id"))
    ordinal: Mapped[int]  #: 0, 1, 2 ... within the image: two people at once cannot both be the next
    verdict: Mapped[str | None]
    undoes: Mapped[int | None] = mapped_column(ForeignKey("reviews.id"), unique=True)
    reviewer: Mapped[str]
    reviewed_at: Mapped[datetime]
    spent_ms: Mapped[int | None]
    boxes: Mapped[list[Any] | None]
    image_sha256: Mapped[str | None]
    request_id: Mapped[str | None] = mapped_column(unique=True)
    batch_id: Mapped[str | None] = mapped_column(index=True)
    source: Mapped[str]  #: see app.domain.reviewing.Source
    note: Mapped[str | None] = mapped_column(Text)  #: a remark of the reviewer's, at most 2,000 characters

    __table_args__ = (
        UniqueConstraint("image_id", "ordinal"),
        _one_of("verdict", VERDICTS, optional=True),
        CheckConstraint("(verdict IS NULL) <> (undoes IS NULL)", name="verdict_or_undo"),
        Index(None, "dataset_id", "reviewer", "id"),
        _where_set("ix_reviews_batches", "batch_id", "dataset_id", "reviewer", "id"),
    )


class StandingRow(Base):
    """Where an image stands after its latest review: kept beside ``reviews`` in the same transaction.

    It holds nothing that the reviews do not; it saves the queue from reading every history.
    """

    __tablename__ = "standings"

    image_id: Mapped[int] = mapped_column(ForeignKey("images.id"), primary_key=True)
    dataset_id: Mapped[int] = mapped_column(ForeignKey("datasets.id"))
    latest_review_id: Mapped[int] = mapped_column(ForeignKey("reviews.id"))
    effective_review_id: Mapped[int | None] = mapped_column(ForeignKey("reviews.id"))
    verdict: Mapped[str | None]
    reviewed_at: Mapped[datetime | None]
    image_sha256: Mapped[str | None]  #: of the bytes that the effective review saw
    unsettled: Mapped[str | None]  #: why no verdict stands although people have spoken

    __table_args__ = (
        _one_of("verdict", VERDICTS, optional=True),
        _one_of("unsettled", UNSETTLED, optional=True),
        Index(None, "dataset_id", "verdict"),
        Index(None, "dataset_id", "reviewed_at", "image_id"),
        # For the foreign keys: without them each review that is forgotten is looked for in all standings.
        Index(None, "latest_review_id"),
        Index(None, "effective_review_id"),
    )


class TallyRow(Base):
    """How many images a dataset has with one given label, in one bin of scores, under one verdict, signed or not.

    Kept in the transaction of each change. It holds nothing that cannot be counted; it saves every page from counting.
    """

    __tablename__ = "tallies"

    dataset_id: Mapped[int] = mapped_column(ForeignKey("datasets.id"), primary_key=True)
    given: Mapped[str] = mapped_column(primary_key=True)
    bin: Mapped[int] = mapped_column(primary_key=True)  #: see :mod:`app.domain.counting`
    verdict: Mapped[str] = mapped_column(primary_key=True)  #: or ``none``
    signed: Mapped[bool] = mapped_column(primary_key=True)  #: the sign-off that stands covers them as they are
    images: Mapped[int]

    __table_args__ = (_one_of("given", SIDES), _one_of("verdict", (*VERDICTS, "none", "unsettled")))


class PersonTallyRow(Base):
    """How many verdicts of one person stand on images with one given label, in one bin of scores, and their time.

    Kept as tallies are, and like them without anything that cannot be counted.
    """

    __tablename__ = "person_tallies"

    dataset_id: Mapped[int] = mapped_column(ForeignKey("datasets.id"), primary_key=True)
    reviewer: Mapped[str] = mapped_column(primary_key=True)
    given: Mapped[str] = mapped_column(primary_key=True)
    bin: Mapped[int] = mapped_column(primary_key=True)
    verdict: Mapped[str] = mapped_column(primary_key=True)
    images: Mapped[int]

    __table_args__ = (_one_of("given", SIDES), _one_of("verdict", VERDICTS))


class PreferenceRow(Base):
    """What one reviewer prefers, under a name: ``keys`` and the like."""

    __tablename__ = "preferences"

    reviewer: Mapped[str] = mapped_column(primary_key=True)
    key: Mapped[str] = mapped_column(primary_key=True)
    value: Mapped[dict[str, Any]] = mapped_column(JSON)


class SecondLookRow(Base):
    """The second look at an image: what it waits for, who said what, and which tab has it in hand.

    Like ``standings`` it follows from the reviews, and is written in their transaction.
    """

    __tablename__ = "second_looks"

    image_id: Mapped[int] = mapped_column(ForeignKey("images.id"), primary_key=True)
    dataset_id: Mapped[int] = mapped_column(ForeignKey("datasets.id"))
    stage: Mapped[str]
    wanted: Mapped[bool]  #: asked for when the image was called; else it is there for a disagreement alone
    first_reviewer: Mapped[str]
    first_verdict: Mapped[str]
    second_reviewer: Mapped[str | None]
    second_verdict: Mapped[str | None]
    settled_by: Mapped[str | None]
    settled_verdict: Mapped[str | None]
    client: Mapped[str | None]
    leased_until: Mapped[datetime | None]

    __table_args__ = (
        _one_of("stage", LOOK_STAGES),
        _one_of("first_verdict", VERDICTS),
        _one_of("second_verdict", VERDICTS, optional=True),
        _one_of("settled_verdict", VERDICTS, optional=True),
        Index(None, "dataset_id", "stage", "first_reviewer", "image_id"),
    )


class SecondCountRow(Base):
    """How many second looks of a dataset stand where, by person: of the first verdict until there is a second."""

    __tablename__ = "second_counts"

    dataset_id: Mapped[int] = mapped_column(ForeignKey("datasets.id"), primary_key=True)
    stage: Mapped[str] = mapped_column(primary_key=True)
    person: Mapped[str] = mapped_column(primary_key=True)
    images: Mapped[int]

    __table_args__ = (_one_of("stage", LOOK_STAGES),)


class LeaseRow(Base):
    """An image handed to one tab, kept from others until it is answered or the lease runs out."""

    __tablename__ = "leases"

    image_id: Mapped[int] = mapped_column(ForeignKey("images.id"), primary_key=True)
    dataset_id: Mapped[int] = mapped_column(ForeignKey("datasets.id"))
    client: Mapped[str]
    position: Mapped[int]
    expires_at: Mapped[datetime]

    __table_args__ = (Index(None, "dataset_id", "client"),)


class SignOffRow(Base):
    """A named person accepts the unreviewed images that carried no flag at that moment."""

    __tablename__ = "sign_offs"

    id: Mapped[int] = mapped_column(primary_key=True)
    dataset_id: Mapped[int] = mapped_column(ForeignKey("datasets.id"), index=True)
    by: Mapped[str]
    at: Mapped[datetime]
    images: Mapped[int]
    bound: Mapped[str]
    withdrawn_at: Mapped[datetime | None]


class SignedImageRow(Base):
    """One image that a sign-off covers, by id and hash."""

    __tablename__ = "signed_images"

    sign_off_id: Mapped[int] = mapped_column(ForeignKey("sign_offs.id"), primary_key=True)
    image_id: Mapped[int] = mapped_column(ForeignKey("images.id"), primary_key=True, index=True)
    sha256: Mapped[str]


class RelocationRow(Base):
    """A planned batch of file operations into one cleaned folder."""

    __tablename__ = "relocations"

    id: Mapped[int] = mapped_column(primary_key=True)
    dataset_id: Mapped[int] = mapped_column(ForeignKey("datasets.id"), index=True)
    target: Mapped[str] = mapped_column(index=True)
    mode: Mapped[str]
    status: Mapped[str]
    apply_requested: Mapped[bool] = mapped_column(default=False)
    worker_id: Mapped[int | None] = mapped_column(ForeignKey("workers.id"))
    bytes: Mapped[int] = mapped_column(BigInteger, default=0)
    collisions: Mapped[int] = mapped_column(default=0)
    sign_off: Mapped[dict[str, Any] | None] = mapped_column(JSON)
    earlier_id: Mapped[int | None] = mapped_column(ForeignKey("relocations.id"))  #: whose manifest lay there
    made_folders: Mapped[list[Any]] = mapped_column(JSON, default=list)  #: absolute; undo removes them if empty
    published: Mapped[dict[str, Any]] = mapped_column(JSON, default=dict)  #: name -> SHA-256 of what was written
    error: Mapped[str | None]
    created_at: Mapped[datetime]
    finished_at: Mapped[datetime | None]

    __table_args__ = (_one_of("status", RELOCATION_STATUSES), _one_of("mode", MODES))


class MoveRow(Base):
    """One file operation: the intent, and what became of it."""

    __tablename__ = "moves"

    id: Mapped[int] = mapped_column(primary_key=True)
    relocation_id: Mapped[int] = mapped_column(ForeignKey("relocations.id"))
    image_id: Mapped[int] = mapped_column(ForeignKey("images.id"), index=True)
    action: Mapped[str]
    source: Mapped[str]  #: below the dataset's root
    destination: Mapped[str]  #: below the target
    sha256: Mapped[str]
    size_bytes: Mapped[int] = mapped_column(BigInteger)
    final: Mapped[str]
    collision: Mapped[bool]
    state: Mapped[str]
    error: Mapped[str | None]
    error_code: Mapped[str | None]
    manifest: Mapped[dict[str, Any]] = mapped_column(JSON)  #: the manifest row as it was decided

    __table_args__ = (
        _one_of("action", MOVE_ACTIONS),
        _one_of("state", MOVE_STATES),
        _one_of("final", SIDES),
        Index(None, "relocation_id", "state"),
        Index(None, "relocation_id", "destination"),
    )


class OmissionRow(Base):
    """An image that a relocation leaves out, and why."""

    __tablename__ = "omissions"

    id: Mapped[int] = mapped_column(primary_key=True)
    relocation_id: Mapped[int] = mapped_column(ForeignKey("relocations.id"))
    image_id: Mapped[int] = mapped_column(ForeignKey("images.id"), index=True)
    source: Mapped[str]
    reason: Mapped[str]

    __table_args__ = (Index(None, "relocation_id", "reason"),)


class ExportRow(Base):
    """A finished, running or queued export, with the SHA-256 of what was written."""

    __tablename__ = "exports"

    id: Mapped[int] = mapped_column(primary_key=True)
    dataset_id: Mapped[int] = mapped_column(ForeignKey("datasets.id"), index=True)
    format: Mapped[str]
    status: Mapped[str]
    path: Mapped[str | None]
    sha256: Mapped[str | None]
    bytes: Mapped[int | None] = mapped_column(BigInteger)
    worker_id: Mapped[int | None] = mapped_column(ForeignKey("workers.id"))
    error: Mapped[str | None]
    created_at: Mapped[datetime]
    finished_at: Mapped[datetime | None]

    __table_args__ = (_one_of("status", EXPORT_STATUSES),)
