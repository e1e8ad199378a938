"""From what is stored of an audit to the certificate, for whoever needs the bound: pages, sign-offs, queues, files."""

from dataclasses import replace
from functools import lru_cache

from app.domain.auditing import (
    SCANNED_SINCE,
    Audit,
    AuditStratum,
    Certificate,
    Tally,
    add_tallies,
    certify_audit,
    certify_without_audit,
)
from app.domain.counting import ReleaseCounts
from app.domain.evidence import Draw, Prior, Record
from app.domain.images import Side
from app.domain.reviewer_error import Repeats, measure_reviewer_error
from app.domain.reviewing import Verdict
from app.storage import audits as stored
from app.storage.audit_freezing import count_outside
from app.storage.database import Session
from app.storage.datasets import Dataset
from app.storage.repeats import count_repeats
from app.storage.second_looks import count_pairs
from app.storage.tallies import count_dataset_released, count_images

RISK = 0.05
AT_ONCE = 50_000  #: images up to which whoever asks for a page or an image waits while every image is read
Tallies = tuple[tuple[str, Tally], ...]


def read_audit(session: Session, audit: stored.Audit, dataset: Dataset) -> Audit:
    """An audit as the bound takes it. Costs what draws and errors cost, however many images there are.

    Only draws that come before the first image without a verdict count; see ``docs/certificate.md``.
    """
    strata = stored.list_strata(session, audit.id)
    telling = stored.list_telling(session, audit.id)
    first_open = stored.find_first_open(telling)
    draws: dict[int, list[Draw]] = {stratum.number: [] for stratum in strata}
    found = {stratum.number: stratum.found_at_freeze for stratum in strata}
    for each in telling:
        if each.place == 0 or (first_open is not None and each.place >= first_open):
            continue  # what was called before the freeze is in the counts of the stratum
        wrong = each.state == stored.WRONG
        if each.drawn:
            draws[each.stratum].append(Draw(each.out_before, found[each.stratum], wrong))
        found[each.stratum] += wrong
    return Audit(
        audit.number,
        audit.seed,
        tuple(_stratum(each, dataset, tuple(draws[each.number]), Prior(*audit.prior)) for each in strata),
    )


def find_probabilities(session: Session, dataset: Dataset) -> dict[int, float]:
    """Images that were drawn in the audit in force, each with the probability that it had then, where it counts."""
    audit = stored.find_audit(session, dataset.id)
    if audit is None:
        return {}
    sizes = {stratum.number: stratum.images for stratum in stored.list_strata(session, audit.id)}
    telling = stored.list_telling(session, audit.id)
    first_open = stored.find_first_open(telling)
    return {
        each.image_id: 1 / (sizes[each.stratum] - each.out_before)
        for each in telling
        if each.drawn and (first_open is None or each.place < first_open)
    }


def _stratum(stratum: stored.Stratum, dataset: Dataset, draws: tuple[Draw, ...], prior: Prior) -> AuditStratum:
    record = Record(
        label=dataset.labels.name(stratum.given),
        images=stratum.images,
        reviewed=stratum.reviewed,
        found=stratum.found,
        draws=draws,
        prior=prior,
    )
    return AuditStratum(stratum.number, stratum.band, record, stratum.reviewed_at_freeze, stratum.found_at_freeze)


def certify_dataset(session: Session, dataset: Dataset, risk: float = RISK) -> Certificate:
    """What can be said of the images that a sign-off now would release.

    Raises:
        InvalidInputError: ``risk`` is not within 0..1.
    """
    counts = count_dataset_released(session, dataset)
    audit = stored.find_audit(session, dataset.id)
    stale = audit is not None and is_stale(session, dataset, audit)
    outside = {side: counts[side].agreeing for side in Side} if stale else _count_outside(session, dataset, audit)
    tallies = tuple((dataset.labels.name(side), _tally(counts[side], outside[side])) for side in Side)
    if audit is None:
        certificate = certify_without_audit(risk, dict(tallies))
    else:
        certificate = _certify(risk, read_audit(session, audit, dataset), tallies)
    if stale:
        certificate = replace(certificate, valid=False, invalid_reasons=(SCANNED_SINCE,))
    return _with_reviewer_error(session, dataset, certificate, counts, tallies)


def is_large(session: Session, dataset: Dataset) -> bool:
    """Whether reading every image of a dataset is not for somebody who waits."""
    return count_images(session, dataset.id)[0] > AT_ONCE


def is_stale(session: Session, dataset: Dataset, audit: stored.Audit) -> bool:
    """Whether it is not known what is outside an audit, since a scan has begun, and takes too long to be looked up."""
    return audit.scan_id != stored.find_latest_scan(session, dataset.id) and is_large(session, dataset)


def _count_outside(session: Session, dataset: Dataset, audit: stored.Audit | None) -> dict[Side, int]:
    return dict.fromkeys(Side, 0) if audit is None else count_outside(session, dataset, audit)


def _tally(counts: ReleaseCounts, outside: int) -> Tally:
    return Tally(
        images=counts.settled + counts.agreeing,
        settled=counts.settled,
        errors_found=counts.errors_found,
        outside=outside,
    )


@lru_cache(maxsize=32)
def _certify(risk: float, audit: Audit, tallies: Tallies) -> Certificate:
    """Weighed once for each state of an audit, and not again with each page: at a million images it takes 0.1 s."""
    return certify_audit(risk, audit, dict(tallies))


def _with_reviewer_error(
    session: Session,
    dataset: Dataset,
    certificate: Certificate,
    counts: dict[Side, ReleaseCounts],
    tallies: Tallies,
) -> Certificate:
    repeats = _count_repeats(session, dataset.id)
    if repeats is None:
        return certificate
    total = add_tallies(dict(tallies))
    yes, no = counts[Side.POSITIVE], counts[Side.NEGATIVE]
    error = measure_reviewer_error(
        repeats,
        settled_yes=yes.settled - yes.errors_found + no.errors_found,
        settled_no=no.settled - no.errors_found + yes.errors_found,
        unreviewed=total.left,
        left_upper=certificate.overall.errors_upper,
        risk=certificate.risk,
    )
    return replace(certificate, reviewer_error=error)


def _count_repeats(session: Session, dataset_id: int) -> Repeats | None:
    """Second looks and repeats, which people give blind, by what was said first; None without any.

    Another person's answer to a repeat is among the second looks.
    """
    times: dict[tuple[Verdict, Verdict], int] = {}
    for pair in count_pairs(session, dataset_id):
        if pair.second_verdict is not None:
            key = pair.first_verdict, pair.second_verdict
            times[key] = times.get(key, 0) + pair.images
    for repeat in count_repeats(session, dataset_id):
        if repeat.by_same:
            key = repeat.first_verdict, repeat.second_verdict
            times[key] = times.get(key, 0) + repeat.images
    yes, no = Verdict.POSITIVE, Verdict.NEGATIVE
    repeats = Repeats(
        of_yes=times.get((yes, yes), 0) + times.get((yes, no), 0),
        then_no=times.get((yes, no), 0),
        of_no=times.get((no, no), 0) + times.get((no, yes), 0),
        then_yes=times.get((no, yes), 0),
    )
    return repeats if repeats.of_yes or repeats.of_no else None
