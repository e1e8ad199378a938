"""Copies and near duplicates of real files, over scans in which files come, change, move and go."""

import csv
import os
import shutil
from collections.abc import Callable
from multiprocessing import active_children
from pathlib import Path

import numpy as np
import pytest
from PIL import Image, ImageFilter
from sqlalchemy import text

from app.domain.flagging import FlagReason
from app.domain.relocation import Mode
from app.services import duplicates, scanning
from app.services.alike import list_duplicates, similar_images, view_duplicates
from app.services.apart import WorkLostError
from app.services.certificates import certificate_document, certify
from app.services.duplicates import find_duplicates
from app.services.images import ImageQuery, list_items
from app.services.relocations import plan_relocation
from app.services.sign_offs import find_sign_off, sign_off
from tests.parts import Workshop, draw

#: agreeing at 0.5, but a and its copies
FILES = {"football/a.png": 250, "football/b.png": 240, "background/x.png": 10, "background/y.png": 5}
CONFLICT = FlagReason.DUPLICATE_CONFLICT


@pytest.fixture
def root(workshop: Workshop) -> Path:
    """A picture in both folders, and twice in one of them."""
    root = workshop.fill(FILES)
    shutil.copy(root / "football/a.png", root / "football/a2.png")
    shutil.copy(root / "football/a.png", root / "background/a3.png")
    workshop.add(root)
    workshop.scan(1)
    return root


def flags(workshop: Workshop) -> dict[str, list[str]]:
    """Reasons by path, of those that have any."""
    return {path: [flag.reason for flag in item.flags] for path, item in workshop.items(1).items() if item.flags}


def in_conflict(workshop: Workshop) -> set[str]:
    """Paths that carry the flag."""
    return {path for path, reasons in flags(workshop).items() if CONFLICT in reasons}


def scene(path: Path, seed: int, **options: int) -> Image.Image:
    """Soft blobs, as a photograph has them."""
    noise = np.random.default_rng(seed).integers(0, 256, (9, 12, 3), np.uint8)
    picture = Image.fromarray(noise).resize((320, 240), Image.Resampling.BICUBIC).filter(ImageFilter.GaussianBlur(3))
    path.parent.mkdir(parents=True, exist_ok=True)
    picture.save(path, **options)
    return picture


@pytest.fixture
def apart(monkeypatch: pytest.MonkeyPatch) -> None:
    """Every search has a process of its own."""
    monkeypatch.setattr(duplicates, "APART_FROM", 0)
    monkeypatch.setattr("app.services.apart.LOOK_UP_S", 0.01)


def near_rows(workshop: Workshop) -> list[tuple[int, ...]]:
    """All near duplicates as they are stored."""
    with workshop.database.engine.connect() as connection:
        rows = connection.exec_driver_sql("SELECT image_id, other_id, distance FROM near_duplicates ORDER BY 1, 2")
        return [tuple(row) for row in rows]


def test_a_process_of_its_own_finds_the_same(workshop: Workshop, root: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """To the last pair."""
    for seed in range(3):
        picture = scene(root / f"football/scene-{seed}.jpg", seed, quality=90)
        picture.save(root / f"background/scene-{seed}.jpg", quality=30)
    workshop.scan(1)
    here = near_rows(workshop)
    with workshop.database.write() as session:
        session.execute(text("DELETE FROM near_duplicates"))
        session.execute(text("UPDATE datasets SET near_searched = NULL"))
    monkeypatch.setattr(duplicates, "APART_FROM", 0)
    found = find_duplicates(workshop.database, 1)
    assert found is not None
    assert (found.searched, found.pairs) == (True, len(here))
    assert len(here) >= 6
    assert near_rows(workshop) == here


@pytest.mark.usefixtures("apart")
def test_a_search_that_dies_says_so(workshop: Workshop, root: Path, capfd: pytest.CaptureFixture[str]) -> None:
    """The caller gets an error, not silence."""
    with workshop.database.write() as session:
        session.execute(text("ALTER TABLE near_duplicates RENAME TO gone"))
        session.execute(text("UPDATE datasets SET near_searched = NULL"))
    with pytest.raises(WorkLostError, match="ended without an answer"):
        find_duplicates(workshop.database, 1)
    assert "no such table: near_duplicates" in capfd.readouterr().err


def test_a_picture_in_both_folders_is_flagged_first(workshop: Workshop, root: Path) -> None:
    """Each copy says how many lie in the other folder, and where one is; a disagreement comes after it."""
    items = workshop.items(1)
    assert flags(workshop) == {
        "football/a.png": [CONFLICT],
        "football/a2.png": [CONFLICT],
        "background/a3.png": [CONFLICT, FlagReason.DISAGREEMENT],
    }
    assert items["football/a.png"].flags[0].detail == (
        "filed as football; the same picture lies in background too: background/a3.png"
    )
    detail = items["background/a3.png"].flags[0].detail
    assert detail.startswith("filed as background; 2 copies of it lie in football, one is football/a")


def test_the_filter_gives_just_these(workshop: Workshop, root: Path) -> None:
    """In the list of images, in every order."""
    for order in ("suspicion", "score", "path", "reviewed_at"):
        found = list_items(workshop.database, ImageQuery(dataset="1", flag=CONFLICT, order=order))
        assert {item.record.path for item in found.items} == in_conflict(workshop)


def remove_it(root: Path) -> None:
    """The copy in the other folder goes."""
    (root / "background/a3.png").unlink()


def change_it(root: Path) -> None:
    """It becomes another picture."""
    draw(root / "background/a3.png", 7, noise=77)


def break_it(root: Path) -> None:
    """It cannot be read any more."""
    (root / "background/a3.png").write_bytes(b"no image")


def move_it(root: Path) -> None:
    """It comes to lie with the others."""
    (root / "background/a3.png").rename(root / "football/a3.png")


@pytest.mark.parametrize("mend", [remove_it, change_it, break_it, move_it])
def test_the_flag_goes_with_its_reason(workshop: Workshop, root: Path, mend: Callable[[Path], None]) -> None:
    """From every copy, at the next scan; and comes back with it."""
    was = (root / "background/a3.png").read_bytes()
    mend(root)
    workshop.scan(1)
    assert in_conflict(workshop) == set()

    (root / "football/a3.png").unlink(missing_ok=True)
    (root / "background/a3.png").write_bytes(was)
    os.utime(root / "background/a3.png", ns=(1, 1))
    workshop.scan(1)
    assert in_conflict(workshop) == {"football/a.png", "football/a2.png", "background/a3.png"}


def test_a_renamed_copy_keeps_the_flag(workshop: Workshop, root: Path) -> None:
    """Another name in the same folder is the same conflict."""
    (root / "background/a3.png").rename(root / "background/<b>ä & 'x'.png")
    workshop.scan(1)
    assert in_conflict(workshop) == {"football/a.png", "football/a2.png", "background/<b>ä & 'x'.png"}
    assert "background/<b>ä & 'x'.png" in workshop.items(1)["football/a.png"].flags[0].detail


def test_a_copy_that_registering_finds_is_flagged_at_once(workshop: Workshop) -> None:
    """Before any scan: its bytes are enough."""
    root = workshop.fill(FILES)
    shutil.copy(root / "football/a.png", root / "background/a.png")
    workshop.add(root)
    assert in_conflict(workshop) == {"football/a.png", "background/a.png"}


def test_a_sign_off_leaves_conflicts_out(workshop: Workshop, root: Path) -> None:
    """They are flagged; and so does what it would release, which is what the certificate speaks of."""
    view = sign_off(workshop.database, workshop.clock, 1, "Ada")
    assert (view.images, view.still_holding, view.lost) == (3, 3, 0)
    assert workshop.items(1)["football/a.png"].final_label is None
    assert certificate_document(certify(workshop.database, workshop.clock, 1))["overall"]["images"] == 3


def test_a_sign_off_ceases_for_an_image_that_gets_the_flag(workshop: Workshop, root: Path) -> None:
    """A copy that comes into the other folder later makes the accepted one doubtful."""
    sign_off(workshop.database, workshop.clock, 1, "Ada")
    shutil.copy(root / "football/b.png", root / "background/b.png")
    workshop.scan(1)
    dataset = workshop.dataset(1)
    with workshop.database.read() as session:
        standing = find_sign_off(session, dataset)
    assert standing is not None
    assert (standing.still_holding, standing.lost) == (2, 1)
    assert workshop.items(1)["football/b.png"].final_label is None


def left_out(workshop: Workshop) -> dict[str, str]:
    """What a relocation now leaves out, by path."""
    to = workshop.folder / "clean"
    workshop.relocate(1, to)
    with (to / "left-out.csv").open(newline="") as file:
        return {row["source_path"]: row["reason"] for row in csv.DictReader(file)}


def test_a_conflict_without_a_verdict_is_not_released(workshop: Workshop, root: Path) -> None:
    """Though the detector agrees with the folder, and the rest is signed off."""
    sign_off(workshop.database, workshop.clock, 1, "Ada")
    reasons = left_out(workshop)
    assert reasons == dict.fromkeys(in_conflict(workshop), "unreviewed_flag")


def test_copies_called_differently_are_a_conflict(workshop: Workshop, root: Path) -> None:
    """Of both, though each has a verdict; a third that agrees with one of them is no better."""
    verdicts = {"football/a.png": "positive", "background/a3.png": "negative", "football/a2.png": "positive"}
    workshop.call_paths(1, dict(verdicts))
    reasons = left_out(workshop)
    assert {path for path, reason in reasons.items() if reason == "conflict"} == in_conflict(workshop)


def test_a_copy_signed_off_against_a_verdict_is_a_conflict(workshop: Workshop) -> None:
    """Two copies in one folder carry no flag; called wrong on one, the other is not released as right."""
    root = workshop.fill(FILES)
    shutil.copy(root / "football/a.png", root / "football/a2.png")
    workshop.add(root)
    workshop.scan(1)
    sign_off(workshop.database, workshop.clock, 1, "Ada")
    workshop.call_paths(1, {"football/a.png": "negative"})
    assert left_out(workshop) == {"football/a2.png": "conflict"}


@pytest.mark.parametrize("verdict", ["unsure", "discard"])
def test_a_copy_put_aside_contradicts_nothing(workshop: Workshop, root: Path, verdict: str) -> None:
    """To discard one of two copies is how they become one."""
    workshop.call_paths(1, {"football/a.png": "positive", "football/a2.png": verdict, "background/a3.png": "positive"})
    reasons = left_out(workshop)
    assert "conflict" not in reasons.values()
    assert "football/a.png" not in reasons


def test_a_copy_called_after_the_plan_is_refused_by_name(workshop: Workshop, root: Path) -> None:
    """Only what was shown is done."""
    workshop.call_paths(1, {"football/a.png": "positive"})
    plan = plan_relocation(workshop.database, workshop.clock, 1, workshop.folder / "clean", Mode.COPY)
    workshop.call_paths(1, {"background/a3.png": "negative"})
    done = workshop.apply(plan.id)
    assert (done.done, done.failed) == (0, 1)
    assert dict(done.left_out)["conflict"] == 1


@pytest.fixture
def scenes(workshop: Workshop) -> Path:
    """A scene, its copy, and the same smaller, brighter and compressed; across the folders; and other scenes."""
    root = workshop.folder / "frames"
    picture = scene(root / "football/one.png", 1)
    shutil.copy(root / "football/one.png", root / "football/two.png")
    (root / "background").mkdir()
    picture.resize((200, 150)).save(root / "background/small.jpg", quality=70)
    picture.point(lambda value: min(255, value + 12)).save(root / "football/bright.png")
    for seed in range(2, 6):
        scene(root / f"background/other-{seed}.jpg", seed)
    draw(root / "football/black.png", 0)
    draw(root / "background/white.png", 255, green=255)
    workshop.add(root)
    workshop.scan(1)
    return root


def near(workshop: Workshop, path: str) -> set[str]:
    """What looks like an image, by path."""
    found = list_duplicates(workshop.database, workshop.image_id(1, path), 20)
    assert [distance for _, distance in found.near] == sorted(distance for _, distance in found.near)
    return {item.record.path for item, _ in found.near}


def test_what_looks_alike_is_found_across_the_folders(workshop: Workshop, scenes: Path) -> None:
    """And of two copies one stands for both; a picture of one colour looks like none."""
    assert near(workshop, "football/one.png") == {"background/small.jpg", "football/bright.png"}
    assert near(workshop, "football/two.png") == {"background/small.jpg", "football/bright.png"}
    assert len(near(workshop, "background/small.jpg") & {"football/one.png", "football/two.png"}) == 1
    assert near(workshop, "background/other-2.jpg") == set()
    assert near(workshop, "football/black.png") == set()
    assert in_conflict(workshop) == set()


def test_a_strip_begins_with_the_copies(workshop: Workshop, scenes: Path) -> None:
    """Then the nearest, and no more than are asked for."""
    image_id = workshop.image_id(1, "football/one.png")
    with workshop.database.read() as session:
        strip = similar_images(session, image_id, 2)
    assert (strip[0].tile.name, strip[0].exact, strip[1].exact) == ("two.png", True, False)
    assert len(strip) == 2


def test_the_page_lists_copies_and_pairs_across(workshop: Workshop, scenes: Path) -> None:
    """Copies in one folder, then pairs in different ones, the positive folder first."""
    page = view_duplicates(workshop.database, workshop.dataset(1), None, None)
    conflict, exact, near_across = page.sections
    assert [(section.kind, len(section.groups)) for section in (conflict, exact)] == [("conflict", 0), ("exact", 1)]
    for group in near_across.groups:
        assert [alike.tile.given_label for alike in group.members] == ["football", "background"]
    # Ids are given at random, and with them which of the copies stands for both: the pictures are the same two pairs.
    pairs = {tuple((scenes / alike.tile.path).read_bytes() for alike in group.members) for group in near_across.groups}
    assert len(pairs) == 2


def test_pages_go_on_without_repeats(workshop: Workshop, monkeypatch: pytest.MonkeyPatch, root: Path) -> None:
    """Each group stands on one page."""
    monkeypatch.setattr("app.services.alike.GROUPS", 1)
    shutil.copy(root / "football/b.png", root / "background/b.png")
    workshop.scan(1)
    dataset, seen, after = workshop.dataset(1), [], None
    for _ in range(2):
        (section,) = view_duplicates(workshop.database, dataset, "conflict", after).sections
        seen += [group.members[0].tile.name for group in section.groups]
        after = (section.next_url or "").rpartition("after=")[2] or None
    assert sorted(name[0] for name in seen) == ["a", "b"]
    assert after is None


def test_a_pair_goes_when_one_of_it_goes(workshop: Workshop, scenes: Path) -> None:
    """At once where it is shown, and from the database at the end of the scan."""
    (scenes / "background/small.jpg").unlink()
    workshop.scan(1)
    assert near(workshop, "football/one.png") == {"football/bright.png"}
    with workshop.database.engine.connect() as connection:
        assert connection.exec_driver_sql("SELECT count(*) FROM near_duplicates WHERE across").scalar() == 0


def test_nothing_is_searched_again_that_has_not_changed(workshop: Workshop, scenes: Path) -> None:
    """A scan that finds nothing new costs no search."""
    again = find_duplicates(workshop.database, 1)
    assert again is not None
    assert not again.searched
    scene(scenes / "background/new.jpg", 1, quality=60)
    workshop.scan(1)
    assert "background/new.jpg" in near(workshop, "football/one.png")


@pytest.mark.usefixtures("apart")
def test_a_search_that_was_stopped_begins_anew(workshop: Workshop, scenes: Path) -> None:
    """Told to stop in the middle, it leaves nothing running, and nothing is taken for searched."""
    scene(scenes / "background/new.jpg", 1, quality=60)
    asked = iter([False, False, True])
    real = duplicates.find_duplicates

    def stopped(*_: object) -> object:
        return real(workshop.database, 1, lambda: next(asked))

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(scanning, "find_duplicates", stopped)
        workshop.scan(1)
    assert active_children() == []
    assert near(workshop, "background/new.jpg") == set()
    again = find_duplicates(workshop.database, 1)
    assert again is not None
    assert again.searched
    assert near(workshop, "background/new.jpg") != set()


def test_a_search_that_fails_fails_no_scan(
    workshop: Workshop, root: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """The scores are stored and the scan is done; the log says why."""

    def broken(*_: object) -> None:
        raise RuntimeError("out of memory, say")

    monkeypatch.setattr(scanning, "find_duplicates", broken)
    draw(root / "football/new.png", 200)
    assert workshop.scan(1).status == "done"
    assert workshop.items(1)["football/new.png"].record.score is not None
    said = capsys.readouterr()
    assert "the search for duplicates failed" in said.out + said.err
