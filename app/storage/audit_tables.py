"""The tables of audits: what was frozen, in which order images left the pool, and what is shown blind."""

from datetime import datetime
from typing import Any

from sqlalchemy import (
    JSON,
    BigInteger,
    CheckConstraint,
    ForeignKey,
    ForeignKeyConstraint,
    Index,
    UniqueConstraint,
    false,
    text,
)
from sqlalchemy.orm import Mapped, mapped_column

from app.storage.tables import Base


class AuditRow(Base):
    """One audit of a dataset: strata, priors and random seed as they were frozen, before its first draw."""

    __tablename__ = "audits"

    id: Mapped[int] = mapped_column(primary_key=True)
    dataset_id: Mapped[int] = mapped_column(ForeignKey("datasets.id"))
    number: Mapped[int]  #: 1, 2 ... within the dataset; the latest is in force
    seed: Mapped[int] = mapped_column(BigInteger)
    risk: Mapped[float]  #: of all audits of the dataset together, for the goal
    prior_a: Mapped[float]
    prior_b: Mapped[float]
    detector_id: Mapped[int] = mapped_column(ForeignKey("detectors.id"))
    threshold: Mapped[float]  #: under which it was looked for what is outside
    goal: Mapped[float]  #: the rate that was aimed at
    scan_id: Mapped[int]  #: the latest scan after which it was looked for what is outside
    frozen_at: Mapped[datetime]
    exits: Mapped[int] = mapped_column(default=0)  #: images that left the pool since the freeze
    draws: Mapped[int] = mapped_column(default=0)  #: choices of a stratum
    slots: Mapped[int] = mapped_column(default=0)  #: places of queues that were dealt out
    version: Mapped[int] = mapped_column(default=0)  #: grows with each change that may move the bound
    kept: Mapped[dict[str, Any] | None] = mapped_column(JSON(none_as_null=True))  #: the bound at some version

    __table_args__ = (UniqueConstraint("dataset_id", "number"), CheckConstraint("number >= 1", name="number"))


class StratumRow(Base):
    """A stratum of an audit: its size as frozen, and counts kept with each verdict on one of its images."""

    __tablename__ = "audit_strata"

    audit_id: Mapped[int] = mapped_column(ForeignKey("audits.id"), primary_key=True)
    number: Mapped[int] = mapped_column(primary_key=True)
    given: Mapped[str]
    band: Mapped[str]
    images: Mapped[int]
    counter: Mapped[int] = mapped_column(default=0)  #: numbers of the random sequence that were used
    left_pool: Mapped[int]  #: images that can be drawn no more
    reviewed: Mapped[int]  #: that have a verdict now
    found: Mapped[int]  #: and are wrong by it
    reviewed_at_freeze: Mapped[int]  #: of those that had a verdict at the freeze, and have one now
    found_at_freeze: Mapped[int]

    __table_args__ = (CheckConstraint("given IN ('positive', 'negative')", name="given"),)


class MemberRow(Base):
    """An image of a stratum. Of an earlier audit only those are kept that left its pool.

    ``place`` is its place among all that left: 0 for a verdict before the freeze, then 1, 2 ... It is written once.
    """

    __tablename__ = "audit_members"

    audit_id: Mapped[int] = mapped_column(primary_key=True)
    stratum: Mapped[int] = mapped_column(primary_key=True)
    ordinal: Mapped[int] = mapped_column(primary_key=True)  #: 0 ... images - 1 within the stratum
    image_id: Mapped[int] = mapped_column(ForeignKey("images.id"))
    sha256: Mapped[str]
    place: Mapped[int | None]
    drawn: Mapped[bool] = mapped_column(default=False, server_default=false())
    out_before: Mapped[int | None]  #: images of the stratum that left before it
    state: Mapped[str | None]  #: by the verdict that stands; None: there is none (any more)
    telling: Mapped[bool] = mapped_column(
        default=False, server_default=false()
    )  #: it left, and was drawn, or is wrong, or has no verdict: what the bound must look at one by one

    __table_args__ = (
        ForeignKeyConstraint(["audit_id", "stratum"], ["audit_strata.audit_id", "audit_strata.number"]),
        UniqueConstraint("image_id", "audit_id"),
        CheckConstraint("state IS NULL OR state IN ('right', 'wrong')", name="state"),
        Index(
            "ix_audit_members_telling",
            "audit_id",
            "place",
            sqlite_where=text("telling = 1"),
            postgresql_where=text("telling"),
        ),
    )


class OutsideRow(Base):
    """An agreeing image in no stratum as it is now: it came, changed or lost its flag after the freeze."""

    __tablename__ = "audit_outside"

    audit_id: Mapped[int] = mapped_column(ForeignKey("audits.id"), primary_key=True)
    image_id: Mapped[int] = mapped_column(ForeignKey("images.id"), primary_key=True, index=True)


class LookRow(Base):
    """An image that somebody is shown blind: a draw, or in the same form a flagged image or one that was called."""

    __tablename__ = "audit_looks"

    id: Mapped[int] = mapped_column(primary_key=True)
    audit_id: Mapped[int] = mapped_column(ForeignKey("audits.id"), index=True)
    image_id: Mapped[int] = mapped_column(ForeignKey("images.id"), index=True)
    kind: Mapped[str]
    client: Mapped[str]
    turn: Mapped[int]  #: of the tab at which it is shown
    leased_until: Mapped[datetime]
    made_at: Mapped[datetime]
    answered: Mapped[bool] = mapped_column(default=False, server_default=false())  #: somebody has called the image
    first_review_id: Mapped[int | None]  #: of the blind answer
    second_review_id: Mapped[int | None]  #: of the answer after the boxes were shown, which counts
    of_review_id: Mapped[int | None]  #: of a repeat: the review whose verdict stands, and is asked for once more

    __table_args__ = (
        CheckConstraint("kind IN ('draw', 'shown', 'repeat')", name="kind"),
        Index(
            "ix_audit_looks_open",
            "image_id",
            sqlite_where=text("answered = 0"),
            postgresql_where=text("NOT answered"),
        ),
        Index(
            "ix_audit_looks_repeats",
            "audit_id",
            "image_id",
            sqlite_where=text("of_review_id IS NOT NULL"),
            postgresql_where=text("of_review_id IS NOT NULL"),
        ),
        Index(
            "ix_audit_looks_waiting",
            "audit_id",
            "id",
            sqlite_where=text("answered = 0"),
            postgresql_where=text("NOT answered"),
        ),
    )


class TurnRow(Base):
    """How many answers a tab has seen: what is dealt to it next follows from that and the random seed."""

    __tablename__ = "audit_turns"

    audit_id: Mapped[int] = mapped_column(ForeignKey("audits.id"), primary_key=True)
    client: Mapped[str] = mapped_column(primary_key=True)
    turn: Mapped[int]
    latest_review_id: Mapped[int]


class PointRow(Base):
    """The bound after so many draws, for the curve."""

    __tablename__ = "audit_points"

    audit_id: Mapped[int] = mapped_column(ForeignKey("audits.id"), primary_key=True)
    draws: Mapped[int] = mapped_column(primary_key=True)
    images: Mapped[int]
    errors_upper: Mapped[int]
    rate_upper: Mapped[float]
    at: Mapped[datetime]
