"""Exact copies are marked as they are in every transaction, and by an index that is looked into, not read whole."""

import shutil
from itertools import product
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from sqlalchemy import select, update

from app.domain.flagging import Copies
from app.domain.images import Side
from app.storage.database import Database
from app.storage.duplicates import (
    count_copies,
    find_near,
    find_wrong_hashes,
    keeping_conflicts,
    list_copied_hashes,
    replace_near_duplicates,
    update_conflicts,
)
from app.storage.images import ImageFilter, list_images
from app.storage.tables import ImageRow
from tests.parts import Workshop
from tests.storage.test_plans import plan_of

STEP = st.tuples(
    st.integers(1, 6),
    st.sampled_from(("sha256", "given", "missing_since", "unreadable")),
    st.integers(0, 2),
)


@pytest.fixture
def six(workshop: Workshop) -> Workshop:
    """Six images of one dataset, three filed as each, whose bytes all differ."""
    files = {f"{folder}/{name}.png": 9 for folder, name in product(("football", "background"), "abc")}
    workshop.add(workshop.fill(files))
    return workshop


def change(workshop: Workshop, image_id: int, column: str, number: int) -> list[int]:
    """Give an image another hash, folder or presence, as an inspection or a walk does."""
    values = {
        "sha256": (None, "a" * 64, "b" * 64)[number],
        "given": ("positive", "negative", "positive")[number],
        "missing_since": (None, workshop.clock(), None)[number],
        "unreadable": (None, "broken", None)[number],
    }
    with workshop.database.write() as session, keeping_conflicts(session, [image_id]) as changed:
        session.execute(update(ImageRow).where(ImageRow.id == image_id).values({column: values[column]}))
    return changed


def marks(database: Database) -> dict[int, tuple[bool, bool]]:
    """What is stored: whether it has copies, and whether one lies in the other folder."""
    with database.read() as session:
        rows = session.execute(select(ImageRow.id, ImageRow.duplicated, ImageRow.duplicate_conflict))
        return {row.id: (row.duplicated, row.duplicate_conflict) for row in rows}


def truth(database: Database) -> dict[int, tuple[bool, bool]]:
    """The same, by comparing all pairs."""
    with database.read() as session:
        rows = list(session.scalars(select(ImageRow)))
    here = [row for row in rows if row.missing_since is None and row.unreadable is None and row.sha256 is not None]
    copies = {
        row.id: [other for other in here if row in here and other.sha256 == row.sha256 and other.id != row.id]
        for row in rows
    }
    return {row.id: (bool(copies[row.id]), any(each.given != row.given for each in copies[row.id])) for row in rows}


@settings(max_examples=30, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(steps=st.lists(STEP, min_size=1, max_size=12))
def test_whatever_changes_the_marks_are_right(six: Workshop, steps: list[tuple[int, str, int]]) -> None:
    """After every change; and exactly the images whose conflict changed are named."""
    for image_id, column, number in steps:
        before = truth(six.database)
        changed = change(six, image_id, column, number)
        after = truth(six.database)
        assert marks(six.database) == after
        assert sorted(changed) == [each for each in after if before[each][1] != after[each][1]]
    with six.database.read() as session:
        assert find_wrong_hashes(session, 1) == []


def test_what_is_marked_wrongly_is_found_and_put_right(six: Workshop) -> None:
    """As after an upgrade that went wrong: the whole dataset is looked through."""
    for image_id in (1, 2, 3):
        change(six, image_id, "sha256", 1)
    with six.database.write() as session:
        session.execute(update(ImageRow).values(duplicated=False, duplicate_conflict=True))
    with six.database.write() as session:
        update_conflicts(session, 1)
    assert marks(six.database) == truth(six.database)


def test_another_dataset_holds_no_copies(six: Workshop) -> None:
    """The same picture registered twice under different roots is one picture in each."""
    shutil.copytree(six.folder / "frames", six.folder / "again")
    six.add(six.folder / "again")
    assert not any(duplicated for duplicated, _ in marks(six.database).values())


def test_copies_are_counted_so_far(six: Workshop) -> None:
    """How many lie under a label, and the path of one."""
    for image_id in range(1, 7):
        change(six, image_id, "sha256", 1)
    with six.database.read() as session:
        copies = count_copies(session, 1, "a" * 64, Side.POSITIVE)
        assert copies is not None
        assert copies == Copies(3, copies.path)
        assert Path(copies.path).parent.name == "football"
        assert count_copies(session, 1, "b" * 64, Side.POSITIVE) is None


def test_near_duplicates_are_replaced_by_what_differs(six: Workshop) -> None:
    """What stays is not written again, what is gone goes, and other ranges are left alone."""

    def replace(first: int, last: int, rows: set[tuple[int, int, int, bool]]) -> int:
        with six.database.write() as session:
            return replace_near_duplicates(session, 1, first, last, rows)

    assert replace(1, 3, {(1, 4, 5, True), (1, 5, 2, False), (3, 6, 1, True)}) == 3
    assert replace(4, 9, {(4, 1, 5, True)}) == 1
    assert replace(1, 3, {(1, 4, 5, True), (1, 5, 3, False)}) == 3
    with six.database.read() as session:
        assert find_near(session, 1, 10) == [(5, 3), (4, 5)]
        assert find_near(session, 4, 10) == [(1, 5)]
        assert find_near(session, 3, 10) == []


@pytest.fixture
def conflicts(six: Workshop) -> Workshop:
    """Two pictures that lie in both folders, and one twice in one."""
    for image_id, number in ((1, 1), (2, 1), (3, 1), (4, 1), (5, 2), (6, 2)):
        change(six, image_id, "sha256", number)
    return six


def test_the_filter_reads_the_conflicts_alone(conflicts: Workshop) -> None:
    """By an index that holds nothing else."""
    wanted = ImageFilter(dataset_id=1, duplicate_conflict=True)
    plan = plan_of(conflicts, lambda session: list_images(session, wanted, "suspicion", None, 10))
    assert "USING INDEX ix_images_duplicate_conflict (dataset_id=?)" in plan


@pytest.mark.parametrize("conflict", [True, False])
def test_a_page_of_groups_begins_where_the_last_one_ended(conflicts: Workshop, conflict: bool) -> None:
    """Nothing is sorted, and no image without a copy is met."""
    name = "duplicate_conflict" if conflict else "duplicated"
    plan = plan_of(conflicts, lambda session: list_copied_hashes(session, 1, conflict=conflict, after="a", limit=10))
    assert f"INDEX ix_images_{name} (dataset_id=? AND sha256>?)" in plan
    assert "TEMP B-TREE" not in plan
