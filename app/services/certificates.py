"""The certificate as it stands."""

from dataclasses import asdict, dataclass
from datetime import datetime
from typing import Any

from app.domain.auditing import Certificate, Tally, certify_without_audit
from app.domain.images import Side
from app.errors import InvalidInputError
from app.services.clock import Clock
from app.services.datasets import get_dataset
from app.services.sign_offs import SignOffView, find_sign_off
from app.storage.database import Database
from app.storage.tallies import count_dataset_released

NO_REPEATS = {"repeats": 0, "disagreements": 0, "rate_estimate": None}


@dataclass(frozen=True, slots=True)
class CertificateView:
    """A certificate with the moment it is of and the sign-off that stands."""

    as_of: datetime
    certificate: Certificate
    signed_off: SignOffView | None


def certify(database: Database, clock: Clock, reference: str | int, risk: float = 0.05) -> CertificateView:
    """What can be said of the images that a sign-off now would release.

    Raises:
        NotFoundError: no such dataset.
        InvalidInputError: ``risk`` is not within 0..1.
    """
    if not 0 < risk < 1:
        raise InvalidInputError.on("risk", "must lie between 0 and 1")
    with database.read() as session:
        dataset = get_dataset(session, reference)
        counts = count_dataset_released(session, dataset)
        tallies = {
            dataset.labels.name(side): Tally(
                images=counts[side].settled + counts[side].agreeing,
                settled=counts[side].settled,
                errors_found=counts[side].errors_found,
            )
            for side in Side
        }
        return CertificateView(clock(), certify_without_audit(risk, tallies), find_sign_off(session, dataset))


def certificate_document(view: CertificateView) -> dict[str, Any]:
    """A certificate as JSON has it, for the command line and the API alike."""
    found = view.certificate
    return {
        "risk": found.risk,
        "valid": found.valid,
        "invalid_reasons": list(found.invalid_reasons),
        "as_of": view.as_of,
        "audit": asdict(found.audit) if found.audit else None,
        "overall": asdict(found.overall),
        "per_label": {label: asdict(bound) for label, bound in found.per_label.items()},
        "strata": [asdict(stratum) for stratum in found.strata],
        "reviewer_error": asdict(found.reviewer_error) if found.reviewer_error else NO_REPEATS,
        "signed_off": _sign_off_document(view.signed_off),
        "assumptions": list(found.assumptions),
    }


def _sign_off_document(view: SignOffView | None) -> dict[str, Any] | None:
    if view is None:
        return None
    return {
        "by": view.by,
        "at": view.at,
        "rate_upper": None,
        "still_holds": view.lost == 0,
        "why_not": None
        if view.lost == 0
        else f"{view.lost} of {view.images} images changed, were flagged or called otherwise since",
    }
