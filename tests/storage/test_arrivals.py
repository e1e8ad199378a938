"""Walks of one dataset side by side: each clears up after itself alone."""

from typing import Any

import pytest

from app.storage.arrivals import drop_arrivals, insert_arrivals
from tests.parts import Workshop


@pytest.fixture
def two_walks(workshop: Workshop) -> Workshop:
    """A dataset of which two walks have seen five files each."""
    workshop.add(workshop.fill({"football/a.png": 1, "background/b.png": 2}))
    with workshop.database.write() as session:
        for walk in ("one", "two"):
            insert_arrivals(session, [arrival(walk, number) for number in range(5)])
    return workshop


def arrival(walk: str, number: int) -> dict[str, Any]:
    """A path that a walk has met."""
    return {
        "walk": walk,
        "dataset_id": 1,
        "path": f"football/{number}.png",
        "given": "positive",
        "size_bytes": 1,
        "mtime_ns": 1,
        "unreadable": None,
        "shuffle": number,
    }


def left(workshop: Workshop) -> dict[str, int]:
    """Paths by walk."""
    with workshop.database.engine.connect() as connection:
        rows = connection.exec_driver_sql("SELECT walk, count(*) FROM arrivals GROUP BY walk ORDER BY walk")
        return {row[0]: row[1] for row in rows}


@pytest.mark.parametrize(("others", "expected"), [(False, {"two": 5}), (True, {"one": 5})])
def test_a_walk_that_ends_takes_nothing_from_one_that_has_begun(
    two_walks: Workshop, others: bool, expected: dict[str, int]
) -> None:
    """At its end it forgets its own paths; only at its beginning those of the others, which have lost to it."""
    with two_walks.database.write() as session:
        assert not drop_arrivals(session, 1, "one", 100, others=others)
    assert left(two_walks) == expected


def test_paths_are_forgotten_a_part_at_a_time(two_walks: Workshop) -> None:
    """So that nobody waits long for the database."""
    with two_walks.database.write() as session:
        more = [drop_arrivals(session, 1, "one", 2, others=False) for _ in range(3)]
    assert (more, left(two_walks)) == ([True, True, False], {"two": 5})
