"""The JSON of ``GET /api/datasets/{id}/agreement``."""

from typing import Any

from app.domain.agreement import Agreement
from app.services.agreement import PairAgreement, Person, Team
from app.web.api.models import Out


class AgreementOut(Out):
    """Images that two people judged independently; ``kappa`` is null where it is not defined."""

    images: int
    agreed: int
    percent: float | None
    kappa: float | None


class PairOut(AgreementOut):
    """The same of two people, in the order of their names."""

    reviewers: tuple[str, str]

    @classmethod
    def of(cls, pair: PairAgreement) -> "PairOut":
        """From the service's view."""
        return cls(reviewers=(pair.one, pair.other), **agreement_fields(pair.agreement))


class PersonOut(Out):
    """One person: median seconds a verdict, and how their independent verdicts fared."""

    reviewer: str
    pace_s: float | None
    compared: int
    agreed: int
    settled: int
    overruled: int

    @classmethod
    def of(cls, person: Person) -> "PersonOut":
        """From the service's view."""
        fared = person.fared
        return cls(
            reviewer=person.name,
            pace_s=person.pace_s,
            compared=fared.compared,
            agreed=fared.agreed,
            settled=fared.settled,
            overruled=fared.overruled,
        )


class TeamOut(Out):
    """Agreement over all, by pair and by person; and what waits."""

    second_share: float
    second_reasons: list[str]
    consensus: str
    overall: AgreementOut
    pairs: list[PairOut]
    reviewers: list[PersonOut]
    waiting_second: int
    waiting_settling: int

    @classmethod
    def of(cls, team: Team) -> "TeamOut":
        """From the service's view."""
        return cls(
            second_share=team.reviewing.share,
            second_reasons=list(team.reviewing.reasons),
            consensus=team.reviewing.consensus,
            overall=AgreementOut(**agreement_fields(team.overall)),
            pairs=[PairOut.of(pair) for pair in team.pairs],
            reviewers=[PersonOut.of(person) for person in team.people],
            waiting_second=team.waiting.total,
            waiting_settling=team.waiting.conflicts,
        )


def agreement_fields(agreement: Agreement) -> dict[str, Any]:
    """The fields that every agreement has."""
    return {
        "images": agreement.images,
        "agreed": agreement.agreed,
        "percent": agreement.percent,
        "kappa": agreement.kappa,
    }
