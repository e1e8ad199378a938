"""Audits: beginning one, handing out what is looked at blind, and taking the answers."""

import secrets
from datetime import datetime
from typing import Any

from app.config import ReviewSettings
from app.domain.bounds import risk_of_audit
from app.domain.evidence import Prior
from app.domain.forecasting import draws_needed
from app.domain.reviewing import Verdict
from app.services.certifying import RISK, certify_dataset, is_large, is_stale, read_audit
from app.services.clock import Clock
from app.services.images import ImageItem
from app.storage import audit_freezing as freezing
from app.storage import audit_looks as looks
from app.storage import audits as stored
from app.storage import repeats
from app.storage.audit_looks import Look
from app.storage.audit_records import Point, add_point
from app.storage.audits import Audit
from app.storage.database import Database, Session
from app.storage.datasets import Dataset, list_datasets
from app.storage.images import DetectionRecord, ImageRecord
from app.storage.reviews import find_review
from app.storage.scans import find_open_scan

FORECAST = ("needed", "needed_at", "needed_for")  #: what is kept of a forecast beside the bound
SEED_BITS = 53  #: a whole number in every reader of JSON
IMAGES_A_CHANGE = 20_000  #: the bound is weighed anew for the goal after one change for each so many images


def ensure_audit(
    session: Session, dataset: Dataset, settings: ReviewSettings, now: datetime, seed: int | None = None
) -> Audit | None:
    """The audit in force; it begins with the first call after a scan. None where nothing has been scanned.

    After a later scan it goes on, unless the images that came, changed or went since the freeze are more than the goal
    allows to be wrong: then the next audit begins. One of which nothing was drawn yet is simply frozen anew, also when
    the threshold was moved.
    """
    audit = stored.find_audit(session, dataset.id)
    scan_id = stored.find_latest_scan(session, dataset.id)
    if scan_id is None or dataset.detector_id is None or find_open_scan(session, dataset.id) is not None:
        return audit
    if audit is None:
        return _freeze(session, dataset, settings, now, scan_id, 1, seed)
    if _is_up_to_date(audit, dataset, scan_id):
        return audit
    freezing.note_outside(session, dataset, audit, scan_id)
    freezing.write_off(session, audit.id)
    noted = stored.find_audit(session, dataset.id) or audit
    new = sum(freezing.count_outside(session, dataset, noted).values())
    new += freezing.count_gone(session, audit.id)
    frozen_under = audit.detector_id, audit.threshold
    if audit.draws == 0 and (new or frozen_under != (dataset.detector_id, dataset.threshold)):
        freezing.retire(session, audit, unused=True)
        return _freeze(session, dataset, settings, now, scan_id, audit.number, seed)
    if new > settings.audit_goal * sum(each.images for each in stored.list_strata(session, audit.id)):
        freezing.retire(session, audit, unused=False)
        return _freeze(session, dataset, settings, now, scan_id, audit.number + 1, seed)
    return stored.find_audit(session, dataset.id)


def _is_up_to_date(audit: Audit, dataset: Dataset, scan_id: int | None) -> bool:
    """Whether it was looked for what is outside since the latest scan and, while nothing costs it, the threshold."""
    return audit.scan_id == scan_id and (audit.draws > 0 or audit.threshold == dataset.threshold)


def find_or_begin(session: Session, dataset: Dataset, settings: ReviewSettings, now: datetime) -> Audit | None:
    """The audit in force for somebody who waits: a large dataset's is begun, and brought up to a scan, by a worker.

    A million images take seconds; until the worker has been there nothing is drawn, or what was frozen before goes on.
    """
    if is_large(session, dataset):
        return stored.find_audit(session, dataset.id)
    return ensure_audit(session, dataset, settings, now)


def begin_any(database: Database, settings: ReviewSettings, clock: Clock) -> bool:
    """Begin the audit of a large dataset after a scan, or bring it up to that; whether there was one to do."""
    begins = settings.audit_share > 0
    with database.read() as session:
        datasets = list_datasets(session, archived=False)
        due = [dataset for dataset in datasets if _waits_for_worker(session, dataset, begins=begins)]
    if not due:
        return False
    with database.write() as session:
        return ensure_audit(session, due[0], settings, clock()) is not None


def _waits_for_worker(session: Session, dataset: Dataset, *, begins: bool) -> bool:
    if dataset.detector_id is None or find_open_scan(session, dataset.id) is not None:
        return False
    audit = stored.find_audit(session, dataset.id)
    is_due = (
        begins if audit is None else not _is_up_to_date(audit, dataset, stored.find_latest_scan(session, dataset.id))
    )
    return is_due and is_large(session, dataset)


def _freeze(
    session: Session,
    dataset: Dataset,
    settings: ReviewSettings,
    now: datetime,
    scan_id: int,
    number: int,
    seed: int | None,
) -> Audit | None:
    prior = Prior()
    return freezing.freeze(
        session,
        dataset,
        number=number,
        seed=secrets.randbits(SEED_BITS) if seed is None else seed,
        risk=RISK,
        prior_a=prior.a,
        prior_b=prior.b,
        goal=settings.audit_goal,
        scan_id=scan_id,
        frozen_at=now,
        exits=0,
        draws=0,
        slots=0,
        version=0,
    )


def is_certified(session: Session, dataset: Dataset, audit: Audit, settings: ReviewSettings, now: datetime) -> bool:
    """Whether the certificate says that no more than the goal is wrong; from what is kept, where that is recent."""
    if is_stale(session, dataset, audit):
        return False
    kept = audit.kept
    images = 0 if kept is None else int(kept["images"])
    moved = kept is not None and kept.get("threshold") != dataset.threshold
    if kept is None or moved or audit.version - int(kept["version"]) > images // IMAGES_A_CHANGE:
        kept = keep_bound(session, dataset, audit, now)
    return float(kept["rate_upper"]) <= settings.audit_goal


def keep_bound(
    session: Session, dataset: Dataset, audit: Audit, now: datetime, told: dict[str, Any] | None = None
) -> dict[str, Any]:
    """Weigh an audit, keep its bound, and put a point on the curve; ``told`` is a new forecast."""
    overall = certify_dataset(session, dataset, audit.risk).overall
    before = told if told is not None else audit.kept or {}
    kept = {name: before[name] for name in FORECAST if name in before} | {
        "version": audit.version,
        "threshold": dataset.threshold,
        "images": overall.images,
        "audited": overall.audited,
        "rate_upper": overall.rate_upper,
    }
    stored.keep(session, audit.id, kept)
    if overall.audited:
        add_point(
            session, audit.id, Point(overall.audited, overall.images, overall.errors_upper, overall.rate_upper, now)
        )
    return kept


def forecast(session: Session, dataset: Dataset, audit: Audit, goal: float) -> int | None:
    """How many more draws bring the rate down to a goal if none of them is wrong; None if too many. Takes a second."""
    certificate = certify_dataset(session, dataset, audit.risk)
    records = [stratum.record for stratum in read_audit(session, audit, dataset).strata]
    most = int(goal * certificate.overall.images) - certificate.overall.outside
    return draws_needed(records, most, risk_of_audit(audit.risk, audit.number)) if most >= 0 else None


def find_waiting(session: Session, image_id: int, dataset_id: int, reviewer: str | None) -> Look | None:
    """The blind look that an image waits for, if it is for this person: a repeat need not be."""
    look = looks.find_pending(session, image_id)
    if look is None or not look.is_repeat or repeats.may_answer(session, look, dataset_id, reviewer):
        return look
    return None


def find_asked(
    session: Session, record: ImageRecord, seen_review_id: int | None, reviewer: str, *, blind: bool | None
) -> Look | None:
    """The blind look that a person's verdict answers: one that waits, or one of which the boxes were shown since.

    ``blind`` False: the person was not looking blind, though the image waits; None: nobody knows, so they were.
    """
    if blind is False:
        return None
    image_id = record.id
    waiting = find_waiting(session, image_id, record.dataset_id, reviewer)
    if waiting is not None or seen_review_id is None:
        return waiting
    last = looks.find_latest(session, image_id)
    return last if last is not None and is_asked_again(last, seen_review_id) else None


def is_asked_again(look: Look, review_id: int | None) -> bool:
    """Whether a review was the first answer to a look, and a second has not come; a repeat takes one answer."""
    return (
        review_id is not None
        and not look.is_repeat
        and look.first_review_id == review_id
        and look.second_review_id is None
    )


def take_answer(
    session: Session, look: Look, review_id: int, verdict: Verdict, item: ImageItem
) -> tuple[DetectionRecord, ...]:
    """Note the answer to a blind look; the boxes to show before the question is asked once more, or none."""
    second = look.first_review_id is not None
    looks.note_answer(session, look.id, review_id, second=second)
    return () if second or look.is_repeat else boxes_against(verdict, item)


def find_boxes_again(session: Session, item: ImageItem, review_id: int) -> tuple[DetectionRecord, ...]:
    """The boxes to show, where a review is the blind *no* that stands and nobody was asked once more since."""
    look = looks.find_latest(session, item.record.id)
    if look is None or item.record.latest_review_id != review_id or not is_asked_again(look, review_id):
        return ()
    review = find_review(session, review_id)
    return () if review is None else boxes_against(review.verdict, item)


def boxes_against(verdict: Verdict | None, item: ImageItem) -> tuple[DetectionRecord, ...]:
    """The target boxes that speak against a *no*."""
    if verdict is not Verdict.NEGATIVE:
        return ()
    return tuple(box for box in item.boxes if box.class_name in item.targets)
