"""The certificate: without an audit the plain word that it is not valid, with one its bound and how it came about."""

import pytest

from app.domain.auditing import (
    NO_AUDIT,
    Audit,
    AuditStratum,
    Bound,
    Tally,
    certify_audit,
    certify_without_audit,
    trivial_bound,
)
from app.domain.bounds import bound_left, risk_of_audit
from app.domain.evidence import Draw, Evidence, Record
from app.domain.reviewer_error import Repeats, measure_reviewer_error
from app.errors import InvalidInputError


def test_without_an_audit_the_certificate_is_not_valid_and_says_why() -> None:
    """Nothing is claimed of images that nobody has looked at."""
    certificate = certify_without_audit(0.05, {"football": Tally(10, 4, 1), "background": Tally(30, 6, 2)})
    assert (certificate.valid, certificate.invalid_reasons) == (False, (NO_AUDIT,))


def test_every_unsettled_image_may_be_wrong() -> None:
    """The only bound that holds without an audit is that all that nobody has settled may be mislabelled."""
    certificate = certify_without_audit(0.05, {"football": Tally(10, 4, 1), "background": Tally(30, 6, 2)})
    overall = certificate.overall
    assert (overall.images, overall.settled, overall.audited) == (40, 10, 0)
    assert (overall.errors_found, overall.errors_upper, overall.rate_upper) == (3, 30, 0.75)
    assert {label: bound.errors_upper for label, bound in certificate.per_label.items()} == {
        "football": 6,
        "background": 24,
    }


def test_an_empty_population_has_no_rate_to_divide_by() -> None:
    """With no image there is nothing that may be wrong."""
    assert trivial_bound(Tally(0, 0, 0)).rate_upper == 0.0


def stratum(number: int, label: str, draws: int) -> AuditStratum:
    """400 images, so many clean draws, and one error that somebody had found before."""
    drawn = tuple(Draw(1 + before, 1, wrong=False) for before in range(draws))
    return AuditStratum(number, "calm", Record(label, 400, 1 + draws, 1, drawn), 1, 1)


STRATA = (stratum(1, "football", 60), stratum(2, "background", 90), stratum(3, "background", 0))


def test_an_audit_gives_the_bound_at_its_share_of_the_risk() -> None:
    """Overall and per label, with the strata as they were frozen and drawn, and valid where all is covered."""
    tallies = {"football": Tally(380, 61, 1), "background": Tally(790, 91, 2)}
    certificate = certify_audit(0.05, Audit(2, 17, STRATA), tallies)
    share = risk_of_audit(0.05, 2)
    left = bound_left([Evidence(each.record) for each in STRATA], share)
    assert (certificate.valid, certificate.invalid_reasons) == (True, ())
    assert certificate.audit is not None
    assert (certificate.audit.number, certificate.audit.seed, certificate.audit.risk) == (2, 17, share)
    assert certificate.overall.errors_upper == left.overall
    assert certificate.overall.audited == 150
    assert certificate.per_label["football"].errors_upper == left.per_label["football"] < 319
    assert certificate.per_label["football"].rate_upper == left.per_label["football"] / 380
    assert [(row.stratum, row.left_upper, row.prior) for row in certificate.strata] == [
        (number, upper, (0.5, 20.0)) for number, upper in enumerate(left.per_stratum, start=1)
    ]
    estimate = certificate.overall.rate_estimate
    assert estimate is not None
    assert 0 < estimate < certificate.overall.rate_upper


def test_images_in_no_stratum_count_as_wrong() -> None:
    """The bound holds with them; the certificate says that they are there, and is not valid until they are called."""
    tallies = {"football": Tally(380, 61, 1), "background": Tally(790, 91, 2)}
    more = tallies | {"football": Tally(387, 61, 1, outside=7)}
    covered, beyond = (certify_audit(0.05, Audit(1, 17, STRATA), each) for each in (tallies, more))
    assert not beyond.valid
    assert beyond.invalid_reasons[0].startswith("7 unreviewed images")
    for one, other in (
        (covered.overall, beyond.overall),
        (covered.per_label["football"], beyond.per_label["football"]),
    ):
        assert other.errors_upper == one.errors_upper + 7
        assert other.outside == 7


def test_no_more_can_be_wrong_than_is_left() -> None:
    """Strata hold flagged images too, which are not released: the bound never exceeds what is."""
    certificate = certify_audit(
        0.05, Audit(1, 17, STRATA), {"football": Tally(70, 61, 1), "background": Tally(0, 0, 0)}
    )
    assert certificate.per_label["football"].errors_upper == 9
    assert certificate.per_label["background"] == Bound(0, 0, 90, 0, 0, 0.0, None)
    assert certificate.overall.errors_upper == 9


def test_reviewer_error_stands_beside_the_bound() -> None:
    """It changes nothing in it."""
    tallies = {"football": Tally(380, 61, 1), "background": Tally(790, 91, 2)}
    alone = certify_audit(0.05, Audit(1, 17, STRATA), tallies)
    error = measure_reviewer_error(
        Repeats(40, 1, 40, 0), settled_yes=62, settled_no=90, unreviewed=1018, left_upper=400
    )
    beside = certify_audit(0.05, Audit(1, 17, STRATA), tallies, error)
    assert beside.reviewer_error == error
    assert (beside.overall, beside.per_label) == (alone.overall, alone.per_label)


def test_a_record_that_cannot_be_gives_no_certificate() -> None:
    """Rather an error than a figure."""
    broken = AuditStratum(1, "calm", Record("football", 10, 11, 0))
    with pytest.raises(InvalidInputError, match="cannot be"):
        certify_audit(0.05, Audit(1, 17, (broken,)), {"football": Tally(10, 10, 0)})
