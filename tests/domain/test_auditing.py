"""The certificate before there is an audit: counts, and the plain word that it is not valid."""

from app.domain.auditing import NO_AUDIT, Tally, certify_without_audit, trivial_bound


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
