"""Where each file of a dataset goes, and which stay out and why. Nothing here touches a file."""

import re
import unicodedata
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from enum import StrEnum
from pathlib import PurePosixPath

from app.domain.flagging import Flag, Labels
from app.domain.images import Side
from app.domain.reviewing import Verdict, final_side


class Mode(StrEnum):
    """How a file gets to the cleaned folder."""

    COPY = "copy"  #: a new file with the same bytes
    HARDLINK = "hardlink"  #: another name of the same file; bytes and permissions are shared
    REFLINK = "reflink"  #: a copy-on-write clone, where the file system can
    MOVE = "move"  #: the source is gone afterwards


class LeftOut(StrEnum):
    """Why an image is not placed: the ``reason`` column of left-out.csv."""

    UNREVIEWED_FLAG = "unreviewed_flag"  #: it carries a flag that nobody has called
    NOT_SIGNED_OFF = "not_signed_off"  #: it agrees with its folder, but nobody has signed off the agreeing rest
    NOT_SCORED = "not_scored"  #: no scan has scored it
    UNSURE = "unsure"  #: a person could not tell
    DISCARDED = "discarded"  #: a person said it does not belong
    UNREADABLE = "unreadable"  #: it cannot be decoded
    CONFLICT = "conflict"  #: people disagree on it, or on its exact copies; or its place is taken by a foreign file
    SOURCE_CHANGED = "source_changed"  #: its bytes are no longer those that were scanned
    FAILED = "failed"  #: the file operation failed


@dataclass(frozen=True, slots=True)
class Candidate:
    """An image as the plan sees it."""

    image_id: int
    path: str
    given: Side
    pattern: str
    sha256: str | None
    size_bytes: int
    score: float | None
    flags: tuple[Flag, ...]
    verdict: Verdict | None
    signed_off: bool
    unreadable: bool
    missing: bool
    outdated: bool = False  #: the verdict was given on other bytes
    contradicted: bool = False  #: people called an exact copy of it the other label
    conflict: bool = False  #: people disagree on it, and nobody has settled it


@dataclass(frozen=True, slots=True)
class Placement:
    """One image and its destination below the cleaned folder."""

    candidate: Candidate
    final: Side
    destination: str
    collision: bool


@dataclass(frozen=True, slots=True)
class Omission:
    """One image that stays out, and why."""

    candidate: Candidate
    reason: LeftOut


def decide(candidate: Candidate) -> Side | LeftOut:
    """The label an image is released under, or the reason why it is not."""
    if candidate.unreadable:
        return LeftOut.UNREADABLE
    if candidate.missing or candidate.outdated:
        return LeftOut.SOURCE_CHANGED
    if candidate.conflict:
        return LeftOut.CONFLICT
    if candidate.verdict is Verdict.UNSURE:
        return LeftOut.UNSURE
    if candidate.verdict is Verdict.DISCARD:
        return LeftOut.DISCARDED
    side = final_side(candidate.given, candidate.verdict, signed_off=candidate.signed_off)
    if side is not None:
        return LeftOut.CONFLICT if candidate.contradicted else side
    if candidate.flags:
        return LeftOut.UNREVIEWED_FLAG
    return LeftOut.NOT_SCORED if candidate.score is None else LeftOut.NOT_SIGNED_OFF


def path_below_label(path: str, pattern: str) -> str:
    """The part of a relative path below its label's folder, a split folder before it kept.

    ``football/a/b.jpg`` with ``football`` is ``a/b.jpg``; ``train/football/b.jpg`` with ``*/football`` is
    ``train/b.jpg``.
    """
    parts = PurePosixPath(path).parts
    depth = len(PurePosixPath(pattern).parts)
    return str(PurePosixPath(*parts[: depth - 1], *parts[depth:]))


def plan_placements(candidates: Iterable[Candidate], labels: Labels) -> Iterator[Placement | Omission]:
    """Each image's destination, or why it has none; collisions resolved by rule, never by overwriting.

    ``candidates`` come in an order in which those filed under the label they keep stand before those that
    come over from the other folder, so that it is the newcomer that is renamed. Two names that a
    case-insensitive or Unicode-normalising file system holds for one are a collision too.
    """
    taken: set[str] = set()
    for candidate in candidates:
        decision = decide(candidate)
        if isinstance(decision, LeftOut):
            yield Omission(candidate, decision)
            continue
        wanted = f"{labels.name(decision)}/{path_below_label(candidate.path, candidate.pattern)}"
        destination = _free_name(wanted, candidate, decision, labels, taken)
        taken.add(fold(destination))
        yield Placement(candidate, decision, destination, collision=destination != wanted)


def fold(path: str) -> str:
    """The form in which two names count as one: Unicode-normalised and caseless."""
    return unicodedata.normalize("NFC", unicodedata.normalize("NFC", path).casefold())


def _free_name(wanted: str, candidate: Candidate, final: Side, labels: Labels, taken: set[str]) -> str:
    if fold(wanted) not in taken:
        return wanted
    path = PurePosixPath(wanted)
    stem = path.stem
    if candidate.given is not final:
        stem = f"{stem}__from_{labels.name(candidate.given)}"
        renamed = str(path.with_name(stem + path.suffix))
        if fold(renamed) not in taken:
            return renamed
    return _numbered(path, stem, taken)


def _numbered(path: PurePosixPath, stem: str, taken: set[str]) -> str:
    number = 2
    while True:
        numbered = str(path.with_name(f"{stem}__{number}{path.suffix}"))
        if fold(numbered) not in taken:
            return numbered
        number += 1


def safe_for_file_name(text: str) -> str:
    """``text`` as a part of a file name: letters, digits, dash, dot and underscore."""
    return re.sub(r"[^A-Za-z0-9._-]+", "-", text).strip("-.") or "dataset"
