"""The certificate: a bound on the mislabels left in what a sign-off would release.

Without an audit a certificate says what is known (the population, what people have settled, the errors they found) and
that it is not valid, and why. With one it carries the bound of ``bounds``, overall and per label.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from app.domain.bounds import bound_left, risk_of_audit
from app.domain.evidence import Evidence, Record
from app.domain.reviewer_error import ReviewerError

NO_AUDIT = "no audit has been drawn: nothing is known of the images nobody has looked at"
SCANNED_SINCE = (
    "a scan has begun since it was last looked for new images: until a worker has done so after the scan, "
    "every unreviewed image counts as wrong"
)
ASSUMPTIONS = ("a person's verdict on an image is right", "the files are those that were scanned")
AUDIT_ASSUMPTIONS = (
    "each draw was uniform over the images of its stratum that had no verdict at that moment",
    "nobody who gave verdicts knew what would be drawn",
)


@dataclass(frozen=True, slots=True)
class Tally:
    """Counts over the images that a sign-off now would release; ``outside``: unreviewed and in no stratum."""

    images: int
    settled: int
    errors_found: int
    outside: int = 0

    @property
    def left(self) -> int:
        """Images that nobody has settled."""
        return self.images - self.settled


@dataclass(frozen=True, slots=True)
class Bound:
    """One row of the certificate. Without an audit every unsettled image may be mislabelled."""

    images: int
    settled: int
    audited: int
    errors_found: int
    errors_upper: int
    rate_upper: float
    rate_estimate: float | None
    outside: int = 0


@dataclass(frozen=True, slots=True)
class AuditStratum:
    """A frozen stratum of an audit: its number, its band of suspicion, its record, and its state at the freeze.

    ``record.label`` is the given label of its images.
    """

    number: int
    band: str
    record: Record
    reviewed_at_freeze: int = 0
    found_at_freeze: int = 0


@dataclass(frozen=True, slots=True)
class Audit:
    """An audit in force: its number among the dataset's audits (from 1), its random seed and its strata."""

    number: int
    seed: int
    strata: tuple[AuditStratum, ...]


@dataclass(frozen=True, slots=True)
class StratumRow:
    """A stratum as the certificate lists it."""

    stratum: int
    given_label: str
    band: str
    images: int
    reviewed: int
    audited: int
    errors_found: int
    left_upper: int
    prior: tuple[float, float]
    reviewed_at_freeze: int
    errors_at_freeze: int


@dataclass(frozen=True, slots=True)
class AuditRow:
    """The audit as the certificate names it; ``risk`` is the share of the certificate's risk that it spends."""

    number: int
    seed: int
    risk: float


@dataclass(frozen=True, slots=True)
class Certificate:
    """What can be said of the released set, and whether it may be relied on."""

    risk: float
    valid: bool
    invalid_reasons: tuple[str, ...]
    overall: Bound
    per_label: dict[str, Bound]
    assumptions: tuple[str, ...] = field(default=ASSUMPTIONS)
    audit: AuditRow | None = None
    strata: tuple[StratumRow, ...] = ()
    reviewer_error: ReviewerError | None = None


def trivial_bound(tally: Tally) -> Bound:
    """The bound that holds without any audit: all that nobody has settled may be wrong."""
    return Bound(
        images=tally.images,
        settled=tally.settled,
        audited=0,
        errors_found=tally.errors_found,
        errors_upper=tally.left,
        rate_upper=tally.left / tally.images if tally.images else 0.0,
        rate_estimate=None,
    )


def add_tallies(tallies: Mapping[str, Tally]) -> Tally:
    """The counts of all labels together."""
    return Tally(
        sum(tally.images for tally in tallies.values()),
        sum(tally.settled for tally in tallies.values()),
        sum(tally.errors_found for tally in tallies.values()),
        sum(tally.outside for tally in tallies.values()),
    )


def certify_without_audit(risk: float, per_label: Mapping[str, Tally]) -> Certificate:
    """A certificate that states the counts and says that it is not valid, and why."""
    return Certificate(
        risk=risk,
        valid=False,
        invalid_reasons=(NO_AUDIT,),
        overall=trivial_bound(add_tallies(per_label)),
        per_label={label: trivial_bound(tally) for label, tally in per_label.items()},
    )


def certify_audit(
    risk: float, audit: Audit, per_label: Mapping[str, Tally], reviewer_error: ReviewerError | None = None
) -> Certificate:
    """The certificate of an audit in force, at its share of ``risk``.

    It is valid when every unreviewed image of the population is in a stratum. One that is not counts as wrong, so the
    bound holds in either case.

    Raises:
        InvalidInputError: ``risk`` is not within 0..1, or a record has counts that cannot be.
    """
    share = risk_of_audit(risk, audit.number)
    evidence = [Evidence(stratum.record) for stratum in audit.strata]
    left = bound_left(evidence, share)
    total = add_tallies(per_label)
    return Certificate(
        risk=risk,
        valid=total.outside == 0,
        invalid_reasons=() if total.outside == 0 else (_outside_reason(total.outside),),
        overall=audited_bound(total, evidence, left.overall, audit.strata),
        per_label={
            label: audited_bound(
                tally,
                [each for each in evidence if each.label == label],
                left.per_label.get(label, 0),
                [stratum for stratum in audit.strata if stratum.record.label == label],
            )
            for label, tally in per_label.items()
        },
        assumptions=(*ASSUMPTIONS, *AUDIT_ASSUMPTIONS),
        audit=AuditRow(audit.number, audit.seed, share),
        strata=tuple(_row(stratum, upper) for stratum, upper in zip(audit.strata, left.per_stratum, strict=True)),
        reviewer_error=reviewer_error,
    )


def audited_bound(tally: Tally, evidence: Sequence[Evidence], left_upper: int, strata: Sequence[AuditStratum]) -> Bound:
    """A row of the certificate: ``left_upper`` in the strata, all that is in none, and no more than is left.

    The strata may hold images that were flagged since and are not released; a bound on all of them bounds the rest.
    """
    upper = min(left_upper + tally.outside, tally.left)
    expected = min(sum(each.expected_left for each in evidence) + tally.outside, tally.left)
    return Bound(
        images=tally.images,
        settled=tally.settled,
        audited=sum(len(stratum.record.draws) for stratum in strata),
        errors_found=tally.errors_found,
        errors_upper=upper,
        rate_upper=upper / tally.images if tally.images else 0.0,
        rate_estimate=expected / tally.images if tally.images else None,
        outside=tally.outside,
    )


def _outside_reason(images: int) -> str:
    return (
        f"{images} unreviewed images came after the audit began, or lost their flag since: "
        "they count as wrong until somebody has called them"
    )


def _row(stratum: AuditStratum, left_upper: int) -> StratumRow:
    record = stratum.record
    return StratumRow(
        stratum=stratum.number,
        given_label=record.label,
        band=stratum.band,
        images=record.images,
        reviewed=record.reviewed,
        audited=len(record.draws),
        errors_found=record.found,
        left_upper=left_upper,
        prior=(record.prior.a, record.prior.b),
        reviewed_at_freeze=stratum.reviewed_at_freeze,
        errors_at_freeze=stratum.found_at_freeze,
    )
