"""Nothing that a page asks for reads the whole dataset."""

from collections.abc import Callable
from datetime import timedelta
from functools import partial
from typing import Any

import pytest
from sqlalchemy import event

from app.domain.images import Side
from app.services.handing_out import QueueName, next_items
from app.services.images import ImageItem
from app.services.learning import sweep_any
from app.services.queue import view_desk
from app.storage.audit_freezing import count_outside
from app.storage.audit_looks import Asker, Look
from app.storage.audits import find_audit
from app.storage.database import Session
from app.storage.datasets import Dataset
from app.storage.duplicates import find_copies, find_near
from app.storage.examples import list_newest_called, list_suspicious_called
from app.storage.features import list_scored
from app.storage.fits import Fit, store_fit, sweep_batch
from app.storage.images import ImageFilter, detections_of, find_uninspected, list_images
from app.storage.queue import find_places
from app.storage.repeats import count_repeats, take_repeat
from app.storage.scans import find_pending
from app.storage.tallies import count_dataset
from tests.parts import Workshop


def plan_of(workshop: Workshop, query: Callable[[Session], Any]) -> str:
    """How SQLite goes about the statement that a query function sends."""
    sent: list[tuple[str, Any]] = []

    def note(_connection: Any, _cursor: Any, statement: str, parameters: Any, *_rest: Any) -> None:
        if statement.startswith("SELECT"):
            sent.append((statement, parameters))

    engine = workshop.database.engine
    event.listen(engine, "before_cursor_execute", note)
    with workshop.database.read() as session:
        query(session)
    event.remove(engine, "before_cursor_execute", note)
    statement, parameters = sent[-1]
    with engine.connect() as connection:
        rows = connection.exec_driver_sql(f"EXPLAIN QUERY PLAN {statement}", parameters)
        return "\n".join(row[-1] for row in rows)


@pytest.mark.parametrize(
    "query",
    [lambda session: find_pending(session, 1, 1, 5, 10), lambda session: find_uninspected(session, 1, 5, 10)],
    ids=["pending", "uninspected"],
)
def test_a_page_begins_where_the_last_one_ended(workshop: Workshop, query: Callable[[Session], Any]) -> None:
    """A range of ids, and nothing to sort: so the last page costs what the first one did."""
    plan = plan_of(workshop, query)
    assert "SEARCH images USING INTEGER PRIMARY KEY (rowid>?)" in plan
    assert "TEMP B-TREE" not in plan


LARGE = ("images", "scores", "standings", "reviews", "detections", "audit_members")


def walks_of(workshop: Workshop, action: Callable[[], Any]) -> list[str]:
    """The statements of an action that walk through a table which grows with the images."""
    sent: list[tuple[str, Any]] = []

    def note(_connection: Any, _cursor: Any, statement: str, parameters: Any, *_rest: Any) -> None:
        if statement.startswith(("SELECT", "UPDATE", "DELETE")):
            sent.append((statement, parameters))

    engine = workshop.database.engine
    event.listen(engine, "before_cursor_execute", note)
    action()
    event.remove(engine, "before_cursor_execute", note)
    walks = []
    with engine.connect() as connection:
        for statement, parameters in sent:
            rows = connection.exec_driver_sql(f"EXPLAIN QUERY PLAN {statement}", parameters)
            lines = [row[-1] for row in rows]
            walks += [f"{line}: {statement}" for line in lines for table in LARGE if f"SCAN {table}" in line]
    return walks


def test_a_draw_and_its_answer_walk_through_nothing(workshop: Workshop) -> None:
    """Once an audit is frozen, asking for a draw, answering it and weighing it cost the same at any size."""
    review = workshop.settings.review.model_copy(update={"audit_share": 0.5})
    workshop.ready({f"{'football' if number % 2 else 'background'}/{number}.png": number for number in range(60)})

    def ask(queue: QueueName) -> list[ImageItem]:
        return next_items(workshop.database, review, workshop.clock, 1, queue, 2, "tab")

    ask("audit")
    assert walks_of(workshop, lambda: ask("audit")) == []
    for item in ask("audit"):
        assert walks_of(workshop, partial(workshop.call, item.record.id, "positive")) == []
    assert walks_of(workshop, lambda: ask("audit")) == []
    assert walks_of(workshop, lambda: ask("all")) == []
    dataset = workshop.dataset(1)
    assert walks_of(workshop, lambda: view_desk(workshop.database, review, workshop.clock, dataset, "ada", "b")) == []


def test_a_repeat_walks_through_nothing(workshop: Workshop) -> None:
    """It is chosen by numbers of reviews, which are looked up one by one, and not among all that were called."""
    workshop.ready({f"{'football' if number % 2 else 'background'}/{number}.png": number for number in range(60)})
    next_items(workshop.database, workshop.settings.review, workshop.clock, 1, "audit", 1, "tab")
    for item in list(workshop.items(1).values())[:20]:
        workshop.call(item.record.id, "positive")
    now = workshop.clock.now + timedelta(hours=1)
    asker = Asker("other", now, now + timedelta(seconds=1), "bob")
    taken: list[Look | None] = []

    def take() -> None:
        with workshop.database.write() as session:
            audit = find_audit(session, 1)
            assert audit is not None
            taken.append(take_repeat(session, audit, asker, 1, ("slot", 1)))

    assert walks_of(workshop, take) == []
    with workshop.database.read() as session:
        assert count_repeats(session, 1) == []
    assert taken[0] is not None
    assert taken[0].is_repeat


def test_what_is_outside_an_audit_is_looked_up_one_by_one(workshop: Workshop) -> None:
    """By what is known to be outside, and not by an index of the whole dataset."""
    workshop.ready({"football/a.png": 250, "background/b.png": 10})
    next_items(workshop.database, workshop.settings.review, workshop.clock, 1, "audit", 1, "tab")
    dataset = workshop.dataset(1)
    with workshop.database.read() as session:
        audit = find_audit(session, 1)
    assert audit is not None
    plan = plan_of(workshop, lambda session: count_outside(session, dataset, audit))
    assert "SEARCH audit_outside" in plan
    assert "scores USING INDEX ix_scores" not in plan
    assert "SCAN" not in plan


def test_conflicts_are_counted_by_their_own_index(workshop: Workshop) -> None:
    """As a condition on its own it would cost what all the images of the dataset cost."""
    workshop.ready({"football/a.png": 10, "background/b.png": 250})
    dataset = workshop.dataset(1)
    plan = plan_of(workshop, lambda session: count_dataset(session, dataset))
    assert "USING INDEX ix_images_duplicate_conflict (dataset_id=?)" in plan
    assert "ix_images_dataset_id_given_missing_since_unreadable" not in plan


@pytest.mark.parametrize(
    ("query", "index"),
    [
        (lambda session: detections_of(session, [1, 2], {1: 1, 2: 1}), "SEARCH detections USING INDEX"),
        (
            lambda session: list_images(session, ImageFilter(dataset_id=1, unreadable=True), "path", None, 10),
            "ix_images_unreadable (dataset_id=? AND path>?)",
        ),
    ],
    ids=["boxes", "unreadable"],
)
def test_rare_rows_are_found_by_their_own_index(
    workshop: Workshop, query: Callable[[Session], Any], index: str
) -> None:
    """And nothing else is read."""
    workshop.ready({"football/a.png": 10, "background/b.png": 250})
    plan = plan_of(workshop, query)
    assert index in plan
    assert "SCAN" not in plan
    assert "ix_images_dataset_id_given_missing_since_unreadable" not in plan
    assert "sqlite_autoindex_images_1" not in plan


@pytest.mark.parametrize(
    ("query", "index"),
    [
        (
            lambda session, dataset: list_newest_called(session, dataset, 50),
            "standings USING INDEX ix_standings_dataset_id_reviewed_at_image_id (dataset_id=? AND reviewed_at>?)",
        ),
        (
            lambda session, dataset: list_suspicious_called(session, dataset, Side.NEGATIVE, 50),
            "scores USING INDEX ix_scores_against (dataset_id=? AND detector_id=? AND given=?)",
        ),
    ],
    ids=["newest", "suspicious"],
)
def test_examples_of_a_report_are_the_first_of_an_index(
    workshop: Workshop, query: Callable[[Session, Dataset], Any], index: str
) -> None:
    """So a report costs at a million images what it costs at a thousand; the rest is looked up by id."""
    workshop.ready({"football/a.png": 10, "background/b.png": 250})
    dataset = workshop.dataset(1)
    plan = plan_of(workshop, lambda session: query(session, dataset))
    assert index in plan
    assert "SCAN standings" not in plan
    assert "SCAN scores" not in plan
    assert "SCAN images" not in plan


def test_what_looks_alike_is_looked_up_by_id(workshop: Workshop) -> None:
    """By the keys of the table and of the images: a desk at a million images waits for no walk through either."""
    plan = plan_of(workshop, lambda session: find_near(session, 1, 12))
    assert "SEARCH near_duplicates USING INDEX sqlite_autoindex_near_duplicates_1 (image_id=?)" in plan
    assert "SCAN near_duplicates" not in plan
    assert "SEARCH images USING INTEGER PRIMARY KEY (rowid=?)" in plan
    copies = plan_of(workshop, lambda session: find_copies(session, 1, 12))
    assert "SCAN" not in copies
    assert "TEMP B-TREE" not in copies


@pytest.mark.parametrize("flagged", [True, False])
def test_the_learned_queue_is_read_from_its_own_index(workshop: Workshop, flagged: bool) -> None:
    """Only open rows, flagged or not, in the order of rank: nothing is sorted, nothing passed over."""
    workshop.ready({"football/a.png": 10, "background/b.png": 250})
    with workshop.database.write() as session:
        store_fit(session, 1, 1, verdicts=25, report={}, now=workshop.clock())
    assert sweep_any(workshop.database)
    dataset = workshop.dataset(1)

    def read(session: Session) -> Any:
        return find_places(session, dataset, flagged=flagged, after=None, client=None, now=workshop.clock(), limit=10)

    plan = plan_of(workshop, read)
    assert "ix_scores_ranked_open (dataset_id=? AND detector_id=? AND flagged=? AND rank>? AND rank<?)" in plan
    assert "TEMP B-TREE" not in plan


def test_a_sweep_goes_on_where_it_ended(workshop: Workshop) -> None:
    """By the primary key: no batch sorts the dataset."""
    workshop.ready({"football/a.png": 10, "background/b.png": 250})
    fit = Fit(1, 1, 0.5, None, 25, {}, workshop.clock())
    plan = plan_of(workshop, lambda session: sweep_batch(session, fit, 1, 10))
    assert "TEMP B-TREE" not in plan
    assert "ix_scores_ranked" not in plan
    rows = plan_of(workshop, lambda session: list_scored(session, 1, 1, 1, 10))
    assert "TEMP B-TREE" not in rows
