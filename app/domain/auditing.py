"""The certificate: a bound on the mislabels left in what a sign-off would release.

The audit that gives a bound is not part of this release. Until it is, a certificate says what is known (the
population, what people have settled, the errors they found) and that it is not valid, and why.
"""

from dataclasses import dataclass, field

NO_AUDIT = "no audit has been drawn: nothing is known of the images nobody has looked at"


@dataclass(frozen=True, slots=True)
class Tally:
    """Counts over the images that a sign-off now would release."""

    images: int
    settled: int
    errors_found: int


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


@dataclass(frozen=True, slots=True)
class Certificate:
    """What can be said of the released set, and whether it may be relied on."""

    risk: float
    valid: bool
    invalid_reasons: tuple[str, ...]
    overall: Bound
    per_label: dict[str, Bound]
    assumptions: tuple[str, ...] = field(
        default=("a person's verdict on an image is right", "the files are those that were scanned"),
    )


def trivial_bound(tally: Tally) -> Bound:
    """The bound that holds without any audit: all that nobody has settled may be wrong."""
    left = tally.images - tally.settled
    return Bound(
        images=tally.images,
        settled=tally.settled,
        audited=0,
        errors_found=tally.errors_found,
        errors_upper=left,
        rate_upper=left / tally.images if tally.images else 0.0,
        rate_estimate=None,
    )


def certify_without_audit(risk: float, per_label: dict[str, Tally]) -> Certificate:
    """A certificate that states the counts and says that it is not valid, and why."""
    total = Tally(
        sum(tally.images for tally in per_label.values()),
        sum(tally.settled for tally in per_label.values()),
        sum(tally.errors_found for tally in per_label.values()),
    )
    return Certificate(
        risk=risk,
        valid=False,
        invalid_reasons=(NO_AUDIT,),
        overall=trivial_bound(total),
        per_label={label: trivial_bound(tally) for label, tally in per_label.items()},
    )
