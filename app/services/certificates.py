"""The certificate as it stands."""

from dataclasses import asdict, dataclass
from datetime import datetime
from hashlib import sha256
from typing import Any

from app.domain.auditing import Certificate
from app.errors import InvalidInputError
from app.services.certifying import RISK, certify_dataset
from app.services.clock import Clock
from app.services.datasets import get_dataset
from app.services.sign_offs import SignOffView, find_sign_off
from app.storage.audits import Audit, find_audit
from app.storage.database import Database, Session
from app.storage.datasets import Dataset

NO_REPEATS = {"repeats": 0, "disagreements": 0, "rate_estimate": None}


@dataclass(frozen=True, slots=True)
class CertificateView:
    """A certificate with the moment it is of, the audit behind it, and the sign-off that stands."""

    as_of: datetime
    certificate: Certificate
    signed_off: SignOffView | None
    audit: Audit | None
    labels: dict[str, str]


def certify(database: Database, clock: Clock, reference: str | int, risk: float = RISK) -> CertificateView:
    """What can be said of the images that a sign-off now would release.

    Raises:
        NotFoundError: no such dataset.
        InvalidInputError: ``risk`` is not within 0..1.
    """
    if not 0 < risk < 1:
        raise InvalidInputError.on("risk", "must lie between 0 and 1")
    with database.read() as session:
        return view_certificate(session, get_dataset(session, reference), clock(), risk)


def view_certificate(session: Session, dataset: Dataset, now: datetime, risk: float = RISK) -> CertificateView:
    """The same in the caller's transaction, so that it agrees with what else is read in it."""
    return CertificateView(
        as_of=now,
        certificate=certify_dataset(session, dataset, risk),
        signed_off=find_sign_off(session, dataset),
        audit=find_audit(session, dataset.id),
        labels={"positive": dataset.positive, "negative": dataset.negative},
    )


def certificate_document(view: CertificateView, *, published: bool = False) -> dict[str, Any]:
    """A certificate as JSON has it, for the command line, the API and the file beside a cleaned set alike.

    Only what is ``published`` with a cleaned set has the random seed: whoever knows it could tell what is drawn next.
    """
    found = view.certificate
    return {
        "risk": found.risk,
        "valid": found.valid,
        "invalid_reasons": list(found.invalid_reasons),
        "as_of": view.as_of,
        "audit": _audit_document(view, published=published),
        "overall": asdict(found.overall),
        "per_label": {label: asdict(bound) for label, bound in found.per_label.items()},
        "strata": [asdict(stratum) for stratum in found.strata],
        "reviewer_error": asdict(found.reviewer_error) if found.reviewer_error else NO_REPEATS,
        "signed_off": _sign_off_document(view.signed_off),
        "assumptions": list(found.assumptions),
        "labels": view.labels,
    }


def _audit_document(view: CertificateView, *, published: bool) -> dict[str, Any] | None:
    found = view.certificate.audit
    if found is None or view.audit is None:
        return None
    return {
        "number": found.number,
        "risk": found.risk,
        "seed": found.seed if published else None,
        "seed_sha256": sha256(str(found.seed).encode()).hexdigest(),
        "goal": view.audit.goal,
        "frozen_at": view.audit.frozen_at,
    }


def _sign_off_document(view: SignOffView | None) -> dict[str, Any] | None:
    if view is None:
        return None
    return {
        "by": view.by,
        "at": view.at,
        "rate_upper": view.rate_upper,
        "still_holds": view.lost == 0,
        "why_not": None
        if view.lost == 0
        else f"{view.lost} of {view.images} images changed, were flagged or called otherwise since",
    }
