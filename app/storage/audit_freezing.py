"""Freezing the strata of an audit, and what scans find to have come and gone since: statements over whole sets."""

from collections.abc import Sequence
from typing import Any

from sqlalchemy import ColumnElement, Select, and_, case, delete, exists, func, insert, literal, or_, select, update
from sqlalchemy.orm import Session

from app.domain.images import Side
from app.storage.audit_tables import AuditRow, LookRow, MemberRow, OutsideRow, PointRow, StratumRow, TurnRow
from app.storage.audits import FRESH, RIGHT, UNSEEN, WRONG, Audit, find_audit, find_latest_scan, is_whole, settle
from app.storage.datasets import Dataset
from app.storage.images import disagreement, in_conflict, uncalled
from app.storage.tables import DatasetRow, ImageRow, ScoreRow, StandingRow

AGREEING = "agreeing"  #: the one band there is: each stratum pays for its own ignorance


def _spoken() -> ColumnElement[bool]:
    return or_(StandingRow.verdict.is_not(None), StandingRow.unsettled.is_not(None))


def _state() -> ColumnElement[str]:
    return case(
        (StandingRow.verdict.is_(None), None),
        (StandingRow.verdict == ScoreRow.given, RIGHT),
        else_=WRONG,
    )


def _scored(dataset: Dataset) -> ColumnElement[bool]:
    return and_(ScoreRow.dataset_id == dataset.id, ScoreRow.detector_id == dataset.detector_id)


def freeze(session: Session, dataset: Dataset, **values: Any) -> Audit | None:
    """Freeze the strata over all agreeing images of a dataset, in statements over the whole set; None without any.

    Flagged images are in none: they go out only once somebody has called them, and strata full of mislabels, under a
    prior that expects few, would widen every bound. ``values`` are columns of the audit. Ordinals go by id, which says
    nothing of folder or name.
    """
    audit_id = session.execute(
        insert(AuditRow)
        .values(dataset_id=dataset.id, detector_id=dataset.detector_id, threshold=dataset.threshold, **values)
        .returning(AuditRow.id)
    ).scalar_one()
    numbers = _freeze_strata(session, dataset, audit_id)
    if not numbers:
        session.execute(delete(AuditRow).where(AuditRow.id == audit_id))
        return None
    spoken, state = _spoken(), _state()
    ordinal = func.row_number().over(partition_by=ScoreRow.given, order_by=ScoreRow.image_id) - 1
    members = (
        select(
            literal(audit_id),
            case(*((ScoreRow.given == given, number) for given, number in numbers.items())),
            ordinal,
            ScoreRow.image_id,
            ScoreRow.sha256,
            case((spoken, 0), else_=None),
            case((spoken, state), else_=None),
            and_(spoken, func.coalesce(state, "") != RIGHT),
        )
        .join(DatasetRow, DatasetRow.id == ScoreRow.dataset_id)
        .outerjoin(StandingRow, StandingRow.image_id == ScoreRow.image_id)
        .where(_scored(dataset), ~disagreement())
    )
    columns = ["audit_id", "stratum", "ordinal", "image_id", "sha256", "place", "state", "telling"]
    session.execute(insert(MemberRow).from_select(columns, members))
    return find_audit(session, dataset.id)


def _freeze_strata(session: Session, dataset: Dataset, audit_id: int) -> dict[str, int]:
    """Count and store the strata that hold images: their numbers by given label."""
    state = _state()
    each = (
        select(
            ScoreRow.given,
            case((_spoken(), 1), else_=0).label("left_pool"),
            case((state.is_not(None), 1), else_=0).label("reviewed"),
            case((state == WRONG, 1), else_=0).label("found"),
        )
        .join(DatasetRow, DatasetRow.id == ScoreRow.dataset_id)
        .outerjoin(StandingRow, StandingRow.image_id == ScoreRow.image_id)
        .where(_scored(dataset), ~disagreement())
        .subquery()
    )
    sums = [func.sum(column).label(column.name) for column in (each.c.left_pool, each.c.reviewed, each.c.found)]
    rows = session.execute(select(each.c.given, func.count().label("images"), *sums).group_by(each.c.given)).all()
    numbers: dict[str, int] = {}
    for row in sorted(rows, key=lambda row: row.given != Side.POSITIVE):
        numbers[row.given] = len(numbers) + 1
        session.execute(
            insert(StratumRow).values(
                audit_id=audit_id,
                number=len(numbers),
                given=row.given,
                band=AGREEING,
                images=row.images,
                counter=0,
                left_pool=row.left_pool,
                reviewed=row.reviewed,
                found=row.found,
                reviewed_at_freeze=row.reviewed,
                found_at_freeze=row.found,
            )
        )
    return numbers


def retire(session: Session, audit: Audit, *, unused: bool) -> None:
    """Another audit follows: forget what only drawing needs and, of one without any draw, everything."""
    chosen = MemberRow.audit_id == audit.id
    session.execute(
        delete(MemberRow).where(chosen if unused else and_(chosen, MemberRow.place.is_(None))), execution_options=UNSEEN
    )
    for table in (OutsideRow, TurnRow):
        session.execute(delete(table).where(table.audit_id == audit.id), execution_options=UNSEEN)
    looks = LookRow.audit_id == audit.id
    session.execute(
        delete(LookRow).where(looks if unused else and_(looks, ~LookRow.answered)), execution_options=UNSEEN
    )
    if unused:
        for child in (PointRow, StratumRow):
            session.execute(delete(child).where(child.audit_id == audit.id), execution_options=UNSEEN)
        session.execute(delete(AuditRow).where(AuditRow.id == audit.id), execution_options=UNSEEN)


def _in_stratum(audit_id: int) -> ColumnElement[bool]:
    """Whether a scored image is in a stratum as it is now."""
    return (
        exists()
        .where(
            MemberRow.image_id == ScoreRow.image_id,
            MemberRow.audit_id == audit_id,
            MemberRow.sha256 == ScoreRow.sha256,
            StratumRow.audit_id == MemberRow.audit_id,
            StratumRow.number == MemberRow.stratum,
            StratumRow.given == ScoreRow.given,
        )
        .correlate(ScoreRow)
    )


def note_outside(session: Session, dataset: Dataset, audit: Audit, scan_id: int) -> None:
    """After a scan: look for agreeing images that are in no stratum as they are now. Reads every image once a scan."""
    session.execute(delete(OutsideRow).where(OutsideRow.audit_id == audit.id), execution_options=UNSEEN)
    outside = (
        select(literal(audit.id), ScoreRow.image_id)
        .join(DatasetRow, DatasetRow.id == ScoreRow.dataset_id)
        .where(_scored(dataset), ~disagreement(), ~_in_stratum(audit.id))
    )
    session.execute(insert(OutsideRow).from_select(["audit_id", "image_id"], outside))
    session.execute(
        update(AuditRow)
        .where(AuditRow.id == audit.id)
        .values(scan_id=scan_id, version=AuditRow.version + 1, threshold=dataset.threshold)
    )


def count_gone(session: Session, audit_id: int) -> int:
    """Images of the pool that do not lie there as they were frozen. Reads the whole pool: meant for once a scan."""
    counted = (
        select(func.count())
        .select_from(MemberRow)
        .join(StratumRow, and_(StratumRow.audit_id == MemberRow.audit_id, StratumRow.number == MemberRow.stratum))
        .join(ImageRow, ImageRow.id == MemberRow.image_id)
        .where(MemberRow.audit_id == audit_id, MemberRow.place.is_(None), ~is_whole())
    )
    return session.scalar(counted) or 0


def write_off(session: Session, audit_id: int) -> None:
    """After a scan: what waits for an answer, and does not lie there as it was frozen, counts as wrong."""
    members = session.scalars(
        select(MemberRow)
        .join(StratumRow, and_(StratumRow.audit_id == MemberRow.audit_id, StratumRow.number == MemberRow.stratum))
        .join(ImageRow, ImageRow.id == MemberRow.image_id)
        .where(MemberRow.audit_id == audit_id, MemberRow.telling, MemberRow.state.is_(None), ~is_whole())
        .execution_options(**FRESH)
    ).all()
    for member in members:
        settle(session, member, WRONG, drawn=member.drawn)
        looks = and_(LookRow.audit_id == audit_id, LookRow.image_id == member.image_id, ~LookRow.answered)
        session.execute(update(LookRow).where(looks).values(answered=True), execution_options=UNSEEN)


def count_outside(session: Session, dataset: Dataset, audit: Audit) -> dict[Side, int]:
    """Images by given label that nobody has called, that carry no flag, and that are in no stratum.

    After a scan that nobody has looked into every image is read; else only those that are known to be outside, and
    those that lost their flag because the threshold was moved.
    """
    query = (
        select(ScoreRow.given, func.count())
        .join(DatasetRow, DatasetRow.id == ScoreRow.dataset_id)
        .outerjoin(StandingRow, StandingRow.image_id == ScoreRow.image_id)
        .where(ScoreRow.detector_id == dataset.detector_id, uncalled(), ~disagreement(), ~ScoreRow.doubted)
        .where(ScoreRow.image_id.not_in(in_conflict(dataset.id)))
        .group_by(ScoreRow.given)
    )
    if find_latest_scan(session, dataset.id) != audit.scan_id:
        return _by_side(session, [query.where(ScoreRow.dataset_id == dataset.id, ~_in_stratum(audit.id))])
    known = and_(OutsideRow.image_id == ScoreRow.image_id, OutsideRow.audit_id == audit.id)
    queries = [query.join(OutsideRow, known)]  # and not by dataset, by whose index all of its scores would be read
    if dataset.threshold != audit.threshold:
        queries.append(query.where(_lost_its_flag(dataset, audit), ~_in_stratum(audit.id)))
    return _by_side(session, queries)


def _lost_its_flag(dataset: Dataset, audit: Audit) -> ColumnElement[bool]:
    """Between the threshold under which it was looked for what is outside, and the one of now: a range of an index."""
    raised = dataset.threshold > audit.threshold
    return and_(
        ScoreRow.dataset_id == dataset.id,
        ScoreRow.given == (Side.NEGATIVE if raised else Side.POSITIVE),
        ScoreRow.score >= min(dataset.threshold, audit.threshold),
        ScoreRow.score < max(dataset.threshold, audit.threshold),
    )


def _by_side(session: Session, queries: Sequence[Select[str, int]]) -> dict[Side, int]:
    counts = dict.fromkeys(Side, 0)
    for query in queries:
        for given, images in session.execute(query):
            counts[Side(given)] += images
    return counts
