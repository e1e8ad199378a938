"""What lies beside a cleaned set for a third party: every verdict of the audits in order, and the certificate."""

import json
from collections.abc import Iterator
from dataclasses import replace
from datetime import datetime

from app.domain.reviewing import Verdict
from app.services.certificates import certificate_document, view_certificate
from app.services.reviews import format_time
from app.storage import audits as stored
from app.storage.audit_records import Left, iter_apart, iter_left
from app.storage.audits import Audit
from app.storage.database import Session
from app.storage.datasets import Dataset
from app.storage.reviews import find_latest_time

Row = list[object]


def iter_audit_rows(session: Session, dataset: Dataset) -> Iterator[Row]:
    """The rows of audit.csv: of each audit what left its pool, in that order; see ``docs/certificate.md``.

    Verdicts on images that are in no audit come last, without a number of one.
    """
    for audit in stored.list_audits(session, dataset.id):
        yield from _rows_of(session, dataset, audit)
    for apart in iter_apart(session, dataset.id):
        given = dataset.labels.name(apart.given)
        said = [apart.verdict.value, apart.reviewer, format_time(apart.reviewed_at)]
        yield ["", "", "", apart.path, apart.sha256, given, "", *said]


def _rows_of(session: Session, dataset: Dataset, audit: Audit) -> Iterator[Row]:
    sizes = {stratum.number: stratum.images for stratum in stored.list_strata(session, audit.id)}
    first_open = stored.find_first_open(stored.list_telling(session, audit.id))
    number = 0
    for left in iter_left(session, audit.id):
        counts = left.drawn and (first_open is None or left.place < first_open)
        number += counts
        probability = 1 / (sizes[left.stratum] - left.out_before)
        verdict, reviewer, reviewed_at = _who_said(left)
        yield [
            audit.number,
            left.stratum,
            number if counts else "",
            left.path,
            left.sha256,
            dataset.labels.name(left.given),
            repr(probability) if counts else "",
            verdict,
            reviewer,
            reviewed_at,
        ]


def _who_said(left: Left) -> tuple[str, str, str]:
    """The verdict that stands on an image; one that was given on other bytes since says nothing of what was frozen."""
    is_right = left.verdict is not None and Verdict(left.verdict).value == left.given.value
    if left.verdict is None or is_right != (left.state == stored.RIGHT):
        return (left.given.value if left.state == stored.RIGHT else ""), "", ""
    moment = "" if left.reviewed_at is None else format_time(left.reviewed_at)
    return left.verdict.value, left.reviewer or "", moment


def write_certificate(session: Session, dataset: Dataset) -> bytes:
    """The bytes of certificate.json, with the random seed of the audit.

    It is of the moment of the latest verdict, freeze or sign-off: the same verdicts are the same bytes.
    """
    view = view_certificate(session, dataset, dataset.created_at)
    moments = [dataset.created_at, find_latest_time(session, dataset.id)]
    moments += [None if view.audit is None else view.audit.frozen_at]
    moments += [None if view.signed_off is None else view.signed_off.at]
    view = replace(view, as_of=max(moment for moment in moments if moment is not None))
    document = certificate_document(view, published=True)
    return (json.dumps(document, indent=2, ensure_ascii=False, default=_plain) + "\n").encode()


def _plain(value: object) -> str:
    return format_time(value) if isinstance(value, datetime) else str(value)
