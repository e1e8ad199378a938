"""Accepting the agreeing rest by name, and taking that back."""

from dataclasses import dataclass
from datetime import datetime

from app.errors import ConflictError, InvalidInputError
from app.services.certifying import certify_dataset
from app.services.clock import Clock
from app.services.datasets import get_dataset
from app.storage import sign_offs as stored
from app.storage.database import Database, Session
from app.storage.datasets import Dataset
from app.storage.tallies import count_covered

NO_BOUND = "none"  #: where no audit gives one


@dataclass(frozen=True, slots=True)
class SignOffView:
    """A sign-off that stands, for how many images nobody has called it still holds, and for how many it ceased to."""

    by: str
    at: datetime
    images: int
    still_holding: int
    lost: int
    bound: str

    @property
    def rate_upper(self) -> float | None:
        """The bound on the share of mislabels that it rests on; None without one."""
        return rate_of(self.bound)


def rate_of(bound: str) -> float | None:
    """The share of mislabels that a recorded bound allows; None where there was none."""
    return None if bound == NO_BOUND else float(bound)


def find_bound(session: Session, dataset: Dataset) -> str:
    """The bound that a sign-off now would record: the certificate's, where that is valid."""
    certificate = certify_dataset(session, dataset)
    return f"{certificate.overall.rate_upper:.6f}" if certificate.valid else NO_BOUND


def sign_off(database: Database, clock: Clock, reference: str | int, by: str) -> SignOffView:
    """Accept exactly the unreviewed images that carry no flag at this moment, by id and hash.

    Raises:
        NotFoundError: no such dataset.
        InvalidInputError: no name.
        ConflictError: nothing has been scored yet.
    """
    name = " ".join(by.split())
    if not 1 <= len(name) <= 200:
        raise InvalidInputError.on("by", "give the name of the person who signs off (at most 200 characters)")
    with database.write() as session:
        dataset = get_dataset(session, reference)
        if dataset.detector_id is None:
            msg = f"{dataset.name} has not been scanned: there is nothing to sign off"
            raise ConflictError(msg)
        stored.insert_sign_off(session, dataset, name, find_bound(session, dataset), clock())
        view = find_sign_off(session, dataset)
        if view is None:  # it was written in this very transaction
            msg = "the sign-off was not stored"
            raise ConflictError(msg)
        return view


def withdraw_sign_off(database: Database, clock: Clock, reference: str | int) -> int:
    """Withdraw what stands; how many sign-offs that were.

    Raises:
        NotFoundError: no such dataset.
    """
    with database.write() as session:
        return stored.withdraw_sign_offs(session, get_dataset(session, reference).id, clock())


def find_sign_off(session: Session, dataset: Dataset) -> SignOffView | None:
    """The sign-off that stands."""
    found = stored.find_sign_off(session, dataset.id)
    if found is None:
        return None
    counts = count_covered(session, dataset, found.images)
    return SignOffView(found.by, found.at, found.images, counts.holding, counts.lost, found.bound)
