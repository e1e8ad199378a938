"""Freezing the strata of an audit, and what scans find to have come and gone since: statements over whole sets."""

from typing import Any

from sqlalchemy import ColumnElement, and_, case, delete, exists, func, insert, literal, or_, select, update
from sqlalchemy.orm import Session

from app.domain.images import Side
from app.storage.audit_tables import AuditRow, LookRow, MemberRow, OutsideRow, PointRow, StratumRow, TurnRow
from app.storage.audits import FRESH, RIGHT, UNSEEN, WRONG, Audit, find_audit, find_latest_scan, is_whole, settle
from app.storage.datasets import Dataset
from app.storage.images import disagreement, in_conflict, uncalled
from app.storage.tables import DatasetRow, ImageRow, ScoreRow, StandingRow

BANDS = ("flagged", "agreeing")


def band_of_image() -> ColumnElement[str]:
    """In which band of suspicion an image is frozen: the one place that says so.

    Two bands, not three: each stratum pays for its own ignorance, and flagged images are called one by one anyway.
    """
    return case((disagreement(), BANDS[0]), else_=BANDS[1])


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
    """Freeze the strata over all scored images of a dataset, in statements over the whole set; None if there are none.

    ``values`` are columns of the audit. Ordinals go by id, which says nothing of folder or name.
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
    band = band_of_image()
    number = case(*((and_(ScoreRow.given == given, band == name), nr) for (given, name), nr in numbers.items()))
    spoken, state = _spoken(), _state()
    ordinal = func.row_number().over(partition_by=(ScoreRow.given, band), order_by=ScoreRow.image_id) - 1
    members = (
        select(
            literal(audit_id),
            number,
            ordinal,
            ScoreRow.image_id,
            ScoreRow.sha256,
            case((spoken, 0), else_=None),
            case((spoken, state), else_=None),
            and_(spoken, func.coalesce(state, "") != RIGHT),
        )
        .join(DatasetRow, DatasetRow.id == ScoreRow.dataset_id)
        .outerjoin(StandingRow, StandingRow.image_id == ScoreRow.image_id)
        .where(_scored(dataset))
    )
    columns = ["audit_id", "stratum", "ordinal", "image_id", "sha256", "place", "state", "telling"]
    session.execute(insert(MemberRow).from_select(columns, members))
    return find_audit(session, dataset.id)


def _freeze_strata(session: Session, dataset: Dataset, audit_id: int) -> dict[tuple[str, str], int]:
    """Count and store the strata that hold images: their numbers by given label and band."""
    state = _state()
    each = (
        select(
            ScoreRow.given,
            band_of_image().label("band"),
            case((_spoken(), 1), else_=0).label("left_pool"),
            case((state.is_not(None), 1), else_=0).label("reviewed"),
            case((state == WRONG, 1), else_=0).label("found"),
        )
        .join(DatasetRow, DatasetRow.id == ScoreRow.dataset_id)
        .outerjoin(StandingRow, StandingRow.image_id == ScoreRow.image_id)
        .where(_scored(dataset))
        .subquery()
    )
    sums = [func.sum(column).label(column.name) for column in (each.c.left_pool, each.c.reviewed, each.c.found)]
    rows = session.execute(
        select(each.c.given, each.c.band, func.count().label("images"), *sums).group_by(each.c.given, each.c.band)
    ).all()
    numbers: dict[tuple[str, str], int] = {}
    for row in sorted(rows, key=lambda row: (row.given != Side.POSITIVE, BANDS.index(row.band))):
        numbers[row.given, row.band] = len(numbers) + 1
        session.execute(
            insert(StratumRow).values(
                audit_id=audit_id,
                number=len(numbers),
                given=row.given,
                band=row.band,
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
    """After a scan: look for what is in no stratum as it is now. Reads every image once a scan."""
    session.execute(delete(OutsideRow).where(OutsideRow.audit_id == audit.id), execution_options=UNSEEN)
    outside = select(literal(audit.id), ScoreRow.image_id).where(_scored(dataset), ~_in_stratum(audit.id))
    session.execute(insert(OutsideRow).from_select(["audit_id", "image_id"], outside))
    session.execute(
        update(AuditRow).where(AuditRow.id == audit.id).values(scan_id=scan_id, version=AuditRow.version + 1)
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


def count_outside(session: Session, dataset: Dataset, audit: Audit, *, flagged: bool = False) -> dict[Side, int]:
    """Images by given label that nobody has called and that are in no stratum; those with a flag only if asked.

    After a scan that nobody has looked into every image is read; else only those that are known to be outside.
    """
    query = (
        select(ScoreRow.given, func.count())
        .join(DatasetRow, DatasetRow.id == ScoreRow.dataset_id)
        .outerjoin(StandingRow, StandingRow.image_id == ScoreRow.image_id)
        .where(ScoreRow.detector_id == dataset.detector_id, uncalled())
        .group_by(ScoreRow.given)
    )
    if not flagged:
        query = query.where(~disagreement(), ScoreRow.image_id.not_in(in_conflict(dataset.id)))
    if find_latest_scan(session, dataset.id) == audit.scan_id:
        known = and_(OutsideRow.image_id == ScoreRow.image_id, OutsideRow.audit_id == audit.id)
        query = query.join(OutsideRow, known)  # and not by dataset, by whose index all of its scores would be read
    else:
        query = query.where(ScoreRow.dataset_id == dataset.id, ~_in_stratum(audit.id))
    found = {row[0]: row[1] for row in session.execute(query)}
    return {side: found.get(side, 0) for side in Side}
