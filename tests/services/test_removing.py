"""Archived, removed, relinked: what is kept, what is forgotten, and that no file is ever touched."""

from pathlib import Path

import pytest
from sqlalchemy import func, select

from app.errors import ConflictError, InvalidInputError, NotFoundError
from app.files.budget import PixelBudget
from app.files.renditions import estimate_used
from app.services.dataset_page import clear_renditions, edit_dataset, free_cleared, stream_verdicts
from app.services.datasets import list_dataset_views, refuse_outside
from app.services.exports import request_export
from app.services.media import get_rendition
from app.services.relinking import relink_dataset
from app.services.removing import archive_dataset, forget_removed, remove_dataset
from app.services.renditions import renditions_folder
from app.services.scans import request_scan
from app.services.sign_offs import sign_off
from app.storage.tables import Base
from tests.parts import Workshop, draw, tree

FILES = {"football/yes.png": 250, "football/none.png": 0, "background/no.png": 0, "background/hot.png": 240}


def rows(workshop: Workshop) -> dict[str, int]:
    """How many rows each table has, of those that have any."""
    with workshop.database.read() as session:
        counts = {table.name: session.scalar(select(func.count()).select_from(table)) or 0 for table in _tables()}
    return {name: count for name, count in counts.items() if count}


def _tables() -> list:  # type: ignore[type-arg]
    return list(Base.metadata.sorted_tables)


@pytest.fixture
def full(workshop: Workshop) -> Workshop:
    """A dataset with rows in as many tables as the services fill, verdicts and undos among them."""
    workshop.ready(FILES)
    (workshop.folder / "frames" / "football" / "notes.txt").write_text("ignored")
    workshop.scan(1)
    given = workshop.call(workshop.image_id(1, "football/none.png"), "negative")
    workshop.take_back(given.review.id)
    workshop.call(workshop.image_id(1, "football/none.png"), "negative")
    workshop.call(workshop.image_id(1, "background/hot.png"), "positive")
    sign_off(workshop.database, workshop.clock, 1, "Ada")
    first = workshop.relocate(1, workshop.folder / "clean")
    assert first.status == "done"
    return workshop


def test_an_archived_dataset_leaves_the_lists_and_comes_back(workshop: Workshop) -> None:
    """Found by name and id all the while, with everything it had."""
    workshop.ready(FILES)
    archive_dataset(workshop.database, workshop.clock, "frames", archived=True)
    assert list_dataset_views(workshop.database) == ()
    assert [view.archived_at for view in list_dataset_views(workshop.database, archived=True)] == [workshop.clock()]
    assert len(workshop.items("frames")) == 4
    archive_dataset(workshop.database, workshop.clock, 1, archived=False)
    assert [view.name for view in list_dataset_views(workshop.database)] == ["frames"]


def test_a_removed_dataset_leaves_no_row_and_every_file(full: Workshop) -> None:
    """Source and cleaned folder stay byte for byte; what no dataset owns (detectors, workers) stays too."""
    before = tree(full.folder / "frames") | tree(full.folder / "clean")
    had = rows(full)
    assert {"images", "scores", "reviews", "standings", "relocations", "moves", "sign_offs", "scans"} <= set(had)

    removal = remove_dataset(full.database, full.clock, 1, "frames")
    with pytest.raises(NotFoundError):
        full.dataset(1)
    assert forget_removed(full.database)
    assert not forget_removed(full.database)

    assert (removal.images, removal.verdicts) == (4, 2)
    assert set(rows(full)) <= {"detectors", "engines", "workers", "canaries", "alembic_version"}
    assert tree(full.folder / "frames") | tree(full.folder / "clean") == before


def test_removing_one_dataset_leaves_the_other(full: Workshop) -> None:
    """Its images, scores and verdicts; and its own name and root are free again at once."""
    full.add(full.fill({"football/a.png": 250, "background/b.png": 3}, root="others"))
    full.call(full.image_id(2, "football/a.png"), "positive")
    remove_dataset(full.database, full.clock, 1, "frames")
    again = full.add(full.folder / "frames")
    forget_removed(full.database)
    assert {path: item.record.verdict for path, item in full.items(2).items()} == {
        "football/a.png": "positive",
        "background/b.png": None,
    }
    assert (again.name, len(full.items(again.id))) == ("frames", 4)


def test_forgetting_goes_on_where_it_was_broken_off(full: Workshop) -> None:
    """A worker that is asked to stop leaves the rest to the next."""
    remove_dataset(full.database, full.clock, 1, "frames")
    forget_removed(full.database, stopping=lambda: True)
    assert "images" in rows(full)
    forget_removed(full.database)
    assert "images" not in rows(full)


def test_images_of_a_removed_dataset_are_in_no_list(full: Workshop) -> None:
    """Also before its rows are gone."""
    image_id = full.image_id(1, "football/yes.png")
    remove_dataset(full.database, full.clock, 1, "frames")
    with pytest.raises(NotFoundError):
        full.item(image_id)


@pytest.mark.parametrize("confirm", ["", "frame", "FRAMES", "1"])
def test_removal_wants_the_name(full: Workshop, confirm: str) -> None:
    """Anything else changes nothing."""
    with pytest.raises(InvalidInputError, match="type the dataset's name"):
        remove_dataset(full.database, full.clock, 1, confirm)
    assert full.dataset(1).name == "frames"


def test_removal_and_relinking_wait_for_work_under_way(workshop: Workshop) -> None:
    """A queued scan, a queued export: each is named."""
    workshop.ready(FILES)
    other = workshop.folder / "moved"
    (workshop.folder / "frames").rename(other)
    request_export(workshop.database, workshop.settings, workshop.clock, 1, "csv")
    with pytest.raises(ConflictError, match="export 1 of frames is under way"):
        remove_dataset(workshop.database, workshop.clock, 1, "frames")
    request_scan(workshop.database, workshop.settings.worker, workshop.clock, 1)
    with pytest.raises(ConflictError, match="scan 2 of frames is under way"):
        relink_dataset(workshop.database, 1, other)


def test_a_relink_changes_the_root_alone(full: Workshop) -> None:
    """Verdicts, scores and paths stay, pictures are served from the new place, and a scan reuses every score."""
    before = {path: (item.record.verdict, item.record.score) for path, item in full.items(1).items()}
    new = full.folder / "disk2" / "pictures"
    new.parent.mkdir()
    (full.folder / "frames").rename(new)

    done = relink_dataset(full.database, "frames", new)

    assert (done.root, done.sampled, done.hashed, done.differing) == (str(new), 4, 4, ())
    assert full.dataset(1).root == str(new)
    assert {path: (item.record.verdict, item.record.score) for path, item in full.items(1).items()} == before
    scan = full.scan(1)
    assert (scan.status, scan.scored, scan.reused) == ("done", 0, 4)


def test_a_relink_names_what_is_missing(workshop: Workshop) -> None:
    """And changes nothing; where less than half differs, it can be accepted."""
    workshop.ready(FILES)
    new = workshop.folder / "new"
    (workshop.folder / "frames").rename(new)
    (new / "football" / "yes.png").unlink()
    with pytest.raises(InvalidInputError, match=r"1 of 4 sampled files differ: football/yes\.png"):
        relink_dataset(workshop.database, 1, new)
    assert workshop.dataset(1).root == str(workshop.folder / "frames")
    done = relink_dataset(workshop.database, 1, new, accept_missing=True)
    assert [path for path, _ in done.differing] == ["football/yes.png"]


def test_a_relink_knows_other_bytes_of_the_same_size(workshop: Workshop) -> None:
    """By the hash of a few."""
    workshop.ready(FILES)
    new = workshop.folder / "new"
    (workshop.folder / "frames").rename(new)
    file = new / "football" / "yes.png"
    content = bytearray(file.read_bytes())
    content[-1] ^= 1
    file.write_bytes(bytes(content))
    with pytest.raises(InvalidInputError, match="has other bytes"):
        relink_dataset(workshop.database, 1, new)


def test_a_relink_to_another_dataset_is_refused(workshop: Workshop) -> None:
    """Another folder of the same shape, even where everything is to be accepted; and a folder without the labels."""
    workshop.ready(FILES)
    other = workshop.fill({"football/x.png": 1, "background/y.png": 2}, root="elsewhere")
    with pytest.raises(InvalidInputError, match="4 of 4 sampled files differ"):
        relink_dataset(workshop.database, 1, other, accept_missing=True)
    (workshop.folder / "bare").mkdir()
    with pytest.raises(InvalidInputError, match="there is no folder"):
        relink_dataset(workshop.database, 1, workshop.folder / "bare")
    with pytest.raises(InvalidInputError, match="is no folder"):
        relink_dataset(workshop.database, 1, workshop.folder / "nowhere")


def test_a_sampled_symlink_that_leads_out_is_not_followed(workshop: Workshop) -> None:
    """A folder made to look like the dataset cannot have other files read."""
    workshop.ready(FILES)
    (workshop.folder / "frames").rename(workshop.folder / "real")
    new = workshop.folder / "new"
    (new / "football").mkdir(parents=True)
    (new / "background").mkdir()
    for path in FILES:
        (new / path).symlink_to(workshop.folder / "real" / path)
    with pytest.raises(InvalidInputError, match="a symlink leads out"):
        relink_dataset(workshop.database, 1, new)
    with pytest.raises(InvalidInputError, match="allowed_roots"):
        refuse_outside(Path("/etc"), workshop.settings.datasets, "root")


def test_what_counts_is_one_line_each(workshop: Workshop) -> None:
    """Line breaks become spaces; a long line and an empty question are refused, each named."""
    workshop.add(workshop.fill(FILES))
    edit_dataset(workshop.database, 1, positive_means="any ball,\nhowever small")
    assert workshop.dataset(1).positive_means == "any ball, however small"
    with pytest.raises(InvalidInputError) as refused:
        edit_dataset(workshop.database, 1, question=" ", negative_means="x" * 301)
    assert [field.loc for field in refused.value.errors] == ["negative_means", "question"]
    assert workshop.dataset(1).question == "Is there a football?"


def test_cleared_renditions_are_made_again(workshop: Workshop) -> None:
    """Nothing else lies where they lay, and the sources are untouched."""
    workshop.fill(FILES)
    draw(workshop.folder / "frames" / "football" / "large.png", 200, size=(900, 600))
    workshop.add(workshop.folder / "frames")
    image_id = workshop.image_id(1, "football/large.png")
    before = tree(workshop.folder / "frames")
    get_rendition(workshop.database, workshop.settings, PixelBudget(10**9), image_id, "tile")
    folder = renditions_folder(workshop.settings)
    assert estimate_used(folder).bytes > 0
    clear_renditions(workshop.settings)
    assert estimate_used(folder).bytes == 0
    free_cleared(workshop.settings)
    assert not list(folder.parent.glob("renditions*"))
    clear_renditions(workshop.settings)
    get_rendition(workshop.database, workshop.settings, PixelBudget(10**9), image_id, "tile")
    assert estimate_used(folder).bytes > 0
    assert tree(workshop.folder / "frames") == before


def test_verdicts_are_streamed_as_exported(full: Workshop) -> None:
    """The header and each verdict that counts."""
    lines = "".join(stream_verdicts(full.database, 1)).splitlines()
    assert lines[0] == "path,verdict,reviewer,reviewed_at"
    assert [line.split(",")[:3] for line in lines[1:]] == [
        ["background/hot.png", "positive", "ada"],
        ["football/none.png", "negative", "ada"],
    ]


def test_forgetting_looks_nothing_up_row_by_row() -> None:
    """Each foreign key to images or reviews has an index: else every forgotten row is looked for in a whole table."""
    for table in Base.metadata.sorted_tables:
        led = {next(iter(index.columns)).name for index in table.indexes}
        led |= {next(iter(each.columns)).name for each in table.constraints if len(each.columns)}  # type: ignore[attr-defined]
        for key in table.foreign_keys:
            if key.column.table.name in ("images", "reviews"):
                assert key.parent.name in led, f"{table.name}.{key.parent.name}"
