"""Who agrees with whom, in numbers and in a table of people."""

from dataclasses import dataclass

from app.domain.agreement import (
    Agreement,
    PersonAgreement,
    measure_agreement,
    measure_people,
    median_pace,
    table_of_looks,
    tables_of_pairs,
)
from app.domain.second_looks import Reviewing
from app.services.datasets import get_dataset
from app.services.second_looks import Waiting, count_waiting
from app.storage.database import Database, Session
from app.storage.datasets import Dataset
from app.storage.reviews import list_reviewers, recent_times
from app.storage.second_looks import count_pairs

PACE_OF = 500  #: latest verdicts of a person that the pace is taken from
PEOPLE = 200
NOBODY = PersonAgreement(0, 0, 0, 0)


@dataclass(frozen=True, slots=True)
class PairAgreement:
    """The agreement of two people."""

    one: str
    other: str
    agreement: Agreement


@dataclass(frozen=True, slots=True)
class Person:
    """One person's pace, and how their verdicts fared."""

    name: str
    pace_s: float | None
    fared: PersonAgreement


@dataclass(frozen=True, slots=True)
class Team:
    """What is known of several people's work on a dataset."""

    dataset_id: int
    reviewing: Reviewing
    overall: Agreement
    pairs: tuple[PairAgreement, ...]
    people: tuple[Person, ...]
    waiting: Waiting


def view_team(session: Session, dataset: Dataset) -> Team:
    """Agreement over all and by pair, and each person: at most as many rows read as images were seen twice."""
    counts = count_pairs(session, dataset.id)
    fared = measure_people(counts)
    names = sorted({*list_reviewers(session, dataset.id, PEOPLE), *fared})
    return Team(
        dataset_id=dataset.id,
        reviewing=dataset.reviewing,
        overall=measure_agreement(table_of_looks(counts)),
        pairs=tuple(
            PairAgreement(one, other, measure_agreement(table))
            for (one, other), table in tables_of_pairs(counts).items()
        ),
        people=tuple(
            Person(name, median_pace(recent_times(session, dataset.id, name, PACE_OF)), fared.get(name, NOBODY))
            for name in names
        ),
        waiting=count_waiting(session, dataset.id, None),
    )


def get_team(database: Database, reference: str | int) -> Team:
    """What is known of several people's work on a dataset.

    Raises:
        NotFoundError: no such dataset.
    """
    with database.read() as session:
        return view_team(session, get_dataset(session, reference))
