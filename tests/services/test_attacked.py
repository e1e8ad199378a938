"""What an attacker, or an unlucky person, did to files and folders between two steps of Touchline."""

import os
import shutil
from pathlib import Path

import pytest

from app.config import Settings
from app.domain.relocation import Mode
from app.domain.reviewing import Verdict
from app.errors import UsageError
from app.services import refreshing
from app.services.refreshing import refresh_images
from app.services.relocating import recover_relocations, request_apply, request_undo
from app.services.relocations import plan_relocation, show_relocation
from app.services.scans import request_scan, show_scan
from app.worker.run import Worker
from tests.parts import Workshop, draw, tree

FILES = {"football/a.png": 250, "football/b.png": 240, "background/c.png": 10}
CALLS = {"football/a.png": "positive", "football/b.png": "positive", "background/c.png": "negative"}


@pytest.fixture
def placed(workshop: Workshop) -> Path:
    """A cleaned folder with every image of a dataset."""
    workshop.ready(FILES)
    workshop.call_paths(1, dict(CALLS))
    clean = workshop.folder / "clean"
    workshop.relocate(1, clean)
    return clean


@pytest.mark.parametrize("redirected", ["clean/football", "clean"])
def test_undo_through_a_symlink_removes_no_original(workshop: Workshop, placed: Path, redirected: str) -> None:
    """A folder of the cleaned set, or all of it, became a symlink to the sources."""
    frames = workshop.folder / "frames"
    before = tree(frames)
    link = workshop.folder / redirected
    shutil.rmtree(link)
    link.symlink_to(frames / "football" if redirected.endswith("football") else frames)

    workshop.undo_relocation(1)

    assert tree(frames) == before


def test_undo_keeps_the_last_copy(workshop: Workshop, placed: Path) -> None:
    """The sources are gone, so what was placed is all there is."""
    before = {path: content for path, content in tree(placed).items() if path.endswith(".png")}
    shutil.rmtree(workshop.folder / "frames")

    view = workshop.undo_relocation(1)

    assert view.failed == len(FILES)
    assert {path: content for path, content in tree(placed).items() if path.endswith(".png")} == before


def test_a_second_relocation_keeps_what_is_gone_from_the_dataset(workshop: Workshop, placed: Path) -> None:
    """A source that vanished is no reason to remove its copy, and the manifest goes on naming it."""
    (workshop.folder / "frames" / "football" / "a.png").unlink()
    refresh_images(workshop.database, workshop.dataset(1), workshop.clock())

    workshop.relocate(1, placed)

    assert (placed / "football" / "a.png").is_file()
    assert "football/a.png" in (placed / "manifest.csv").read_text()


def test_a_label_folder_that_is_gone_changes_nothing(workshop: Workshop, placed: Path) -> None:
    """One label folder on an unmounted disk must not turn its images into missing ones."""
    shutil.rmtree(workshop.folder / "frames" / "football")

    with pytest.raises(UsageError, match="lacks a label folder"):
        refresh_images(workshop.database, workshop.dataset(1), workshop.clock())

    assert set(workshop.items(1)) == set(FILES)


def test_the_later_of_two_walks_wins(workshop: Workshop, monkeypatch: pytest.MonkeyPatch) -> None:
    """Two walks of one dataset at once leave every image registered."""
    workshop.ready(FILES)
    walk = refreshing.walk_images
    begun: list[Path] = []

    def walk_twice(root: Path, folder: Path) -> object:
        yield from walk(root, folder)
        if not begun:
            begun.append(folder)
            refresh_images(workshop.database, workshop.dataset(1), workshop.clock())

    monkeypatch.setattr(refreshing, "walk_images", walk_twice)
    refresh_images(workshop.database, workshop.dataset(1), workshop.clock())

    assert set(workshop.items(1)) == set(FILES)


def test_a_verdict_holds_for_the_bytes_that_were_seen(workshop: Workshop) -> None:
    """A file that was replaced after its verdict is not released on the strength of it, until it is called anew."""
    workshop.ready(FILES)
    workshop.call_paths(1, dict(CALLS))
    draw(workshop.folder / "frames" / "football" / "a.png", 30, noise=99)
    workshop.scan(1)

    view = workshop.relocate(1, workshop.folder / "clean")
    workshop.call(workshop.image_id(1, "football/a.png"), Verdict.NEGATIVE)
    again = workshop.relocate(1, workshop.folder / "clean")

    assert dict(view.left_out) == {"source_changed": 1}
    assert dict(again.left_out) == {}
    assert (workshop.folder / "clean" / "background" / "a.png").is_file()


def test_a_target_that_cannot_be_used_blocks_nothing_else(workshop: Workshop, placed: Path) -> None:
    """A relocation that cannot go on says why, and the next one is carried out."""
    bad, good = workshop.folder / "bad", workshop.folder / "good"
    for target in (bad, good):
        plan_relocation(workshop.database, workshop.clock, 1, target, Mode.COPY)
        request_apply(workshop.database, 2 if target == bad else 3)
    bad.write_text("in the way")

    recover_relocations(workshop.database, workshop.settings.worker, workshop.clock, workshop.worker())

    broken, done = (show_relocation(workshop.database, number) for number in (2, 3))
    assert (broken.status, done.status) == ("partly_failed", "done")
    assert broken.error is not None
    assert str(bad) in broken.error


def test_a_target_below_a_file_is_refused(workshop: Workshop, placed: Path) -> None:
    """Said when it is planned, not found out half-way."""
    (workshop.folder / "afile").write_text("")

    with pytest.raises(UsageError, match="is a file"):
        plan_relocation(workshop.database, workshop.clock, 1, workshop.folder / "afile" / "x", Mode.COPY)


def test_a_target_in_another_dataset_s_folder_is_refused(workshop: Workshop, placed: Path) -> None:
    """The other dataset would take the cleaned images for its own."""
    workshop.add(workshop.fill(FILES, "others"), name="others")

    with pytest.raises(UsageError, match="source folder of others"):
        plan_relocation(
            workshop.database, workshop.clock, 1, workshop.folder / "others" / "football" / "new", Mode.COPY
        )


def test_asking_for_an_undo_twice_takes_no_claim_away(workshop: Workshop, placed: Path) -> None:
    """Whoever is at it stays at it."""
    request_undo(workshop.database, 1)
    with workshop.database.write() as session:
        from app.storage.relocations import find_relocation, update_relocation

        update_relocation(session, 1, worker_id=workshop_worker(workshop))
    request_undo(workshop.database, 1)

    with workshop.database.read() as session:
        relocation = find_relocation(session, 1)
    assert relocation is not None
    assert relocation.worker_id is not None


def workshop_worker(workshop: Workshop) -> int:
    """The id of the worker that placed the files."""
    with workshop.database.engine.connect() as connection:
        return int(connection.exec_driver_sql("SELECT min(id) FROM workers").scalar_one())


def test_a_sparse_giant_is_named_and_the_scan_goes_on(workshop: Workshop) -> None:
    """A file of 16 GiB is recorded as unreadable without being read."""
    root = workshop.fill(FILES)
    giant = root / "football" / "giant.jpg"
    with giant.open("wb") as file:
        os.truncate(file.fileno(), 16 << 30)
    workshop.add(root)

    view = workshop.scan(1)

    assert (view.status, view.scored, view.unreadable) == ("done", len(FILES), 1)
    assert "more than any picture has" in (workshop.items(1)["football/giant.jpg"].record.unreadable or "")


def test_a_detector_with_a_bug_fails_its_scan_alone(workshop: Workshop) -> None:
    """The scan says so, and the worker is there for the next one."""
    workshop.add(workshop.fill(FILES))
    workshop.detector.before_batch = lambda: {}["bug"]

    view = workshop.scan(1)

    assert view.status == "failed"
    assert "KeyError" in (view.error or "")


def test_a_worker_whose_database_is_gone_ends(workshop: Workshop, settings: Settings) -> None:
    """It cannot record anything any more, so it ends as a whole instead of lingering half alive."""
    view = workshop.add(workshop.fill(FILES))
    request_scan(workshop.database, settings.worker, workshop.clock, view.id)
    with workshop.database.engine.connect() as connection:
        connection.exec_driver_sql("ALTER TABLE scans RENAME TO gone")
        connection.commit()

    Worker(workshop.database, settings, workshop.clock).run()

    with workshop.database.engine.connect() as connection:
        connection.exec_driver_sql("ALTER TABLE gone RENAME TO scans")
        connection.commit()
    assert show_scan(workshop.database, settings.worker, workshop.clock, 1).status == "queued"
