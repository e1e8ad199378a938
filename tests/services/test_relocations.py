"""Cleaned folders: planned, applied, only the difference, taken back; and nothing is ever overwritten."""

import csv
from collections.abc import Callable
from pathlib import Path

import pytest

from app.domain.exporting import LEFT_OUT_COLUMNS, MANIFEST_COLUMNS
from app.domain.relocation import Mode
from app.errors import ConflictError, InvalidInputError, NotFoundError, TargetExistsError, UsageError
from app.files.writing import hash_file
from app.services.datasets import set_threshold
from app.services.relocating import claim_relocation, recover_relocations, request_apply, request_undo, run_relocation
from app.services.relocations import (
    list_move_page,
    plan_relocation,
    show_relocation,
    view_clean_page,
)
from app.services.sign_offs import sign_off
from tests.parts import Workshop, draw, tree

#: flagged at 0.5: football/empty, background/hot, background/hot2
FILES = {
    "football/yes.png": 250,
    "football/sub/deep.png": 240,
    "football/empty.png": 0,
    "background/no.png": 10,
    "background/hot.png": 230,
    "background/hot2.png": 220,
}
ALL_CALLED = {
    "football/yes.png": "positive",
    "football/sub/deep.png": "positive",
    "football/empty.png": "negative",
    "background/no.png": "negative",
    "background/hot.png": "positive",
    "background/hot2.png": "negative",
}


@pytest.fixture
def clean(workshop: Workshop) -> Path:
    """Where the cleaned set is to be."""
    return workshop.folder / "clean"


@pytest.fixture
def called(workshop: Workshop) -> Workshop:
    """A dataset on which every image is called."""
    workshop.ready(FILES)
    workshop.call_paths(1, ALL_CALLED)
    return workshop


def read(path: Path) -> list[dict[str, str]]:
    """Rows of a CSV file."""
    with path.open(encoding="utf-8", newline="") as file:
        return list(csv.DictReader(file))


def placed(clean: Path) -> set[str]:
    """Images in a cleaned folder."""
    return {path for path in tree(clean) if path.endswith(".png")}


def plan(workshop: Workshop, to: Path, mode: Mode = Mode.COPY) -> int:
    """Plan a relocation; its number."""
    return plan_relocation(workshop.database, workshop.clock, 1, to, mode).id


def test_every_called_image_lies_under_its_final_label(called: Workshop, clean: Path) -> None:
    """Byte by byte what it was, sub-folders kept, and the sources are untouched."""
    before = tree(called.folder / "frames")
    view = called.relocate(1, clean)
    assert (view.status, view.planned, view.done, view.failed, view.skipped) == ("done", 6, 6, 0, 0)
    assert placed(clean) == {
        "football/yes.png",
        "football/sub/deep.png",
        "football/hot.png",
        "background/empty.png",
        "background/no.png",
        "background/hot2.png",
    }
    for row in read(clean / "manifest.csv"):
        assert (
            hash_file(clean / row["path"]) == row["sha256"] == hash_file(called.folder / "frames" / row["source_path"])
        )
    assert tree(called.folder / "frames") == before


def test_the_manifest_says_who_decided_what_and_when(called: Workshop, clean: Path) -> None:
    """One row per placed image with exactly the contract's columns."""
    called.relocate(1, clean)
    text = (clean / "manifest.csv").read_text(encoding="utf-8")
    assert text.splitlines()[0] == ",".join(MANIFEST_COLUMNS)
    row = next(row for row in read(clean / "manifest.csv") if row["source_path"] == "background/hot.png")
    assert {key: value for key, value in row.items() if key != "sha256"} == {
        "path": "football/hot.png",
        "source_path": "background/hot.png",
        "given_label": "background",
        "final_label": "football",
        "score": f"{230 / 255:.6f}",
        "flag_reasons": "disagreement",
        "verdict": "positive",
        "reviewer": "ada",
        "reviewed_at": "2026-03-01T12:00:00Z",
        "detector": "colour@aaaaaaaaaaaa",
        "sampling_probability": "",
    }


def test_manifest_and_left_out_together_are_the_dataset(workshop: Workshop, clean: Path) -> None:
    """Every image is in exactly one of them, with the reason where it stayed out."""
    root = workshop.fill(FILES | {"background/unsure.png": 200, "football/discard.png": 250})
    (root / "football" / "broken.jpg").write_bytes(b"broken")
    workshop.add(root)
    workshop.scan(1)
    draw(root / "background" / "unscored.png", 1)
    workshop.call_paths(1, {"background/unsure.png": "unsure", "football/discard.png": "discard"})
    workshop.call_paths(1, {"football/yes.png": "positive", "background/hot.png": "positive"})
    view = workshop.relocate(1, clean)
    left_out = {row["source_path"]: row["reason"] for row in read(clean / "left-out.csv")}
    assert left_out == {
        "background/unsure.png": "unsure",
        "football/discard.png": "discarded",
        "football/broken.jpg": "unreadable",
        "football/empty.png": "unreviewed_flag",
        "background/hot2.png": "unreviewed_flag",
        "football/sub/deep.png": "not_signed_off",
        "background/no.png": "not_signed_off",
    }
    assert (clean / "left-out.csv").read_text().splitlines()[0] == ",".join(LEFT_OUT_COLUMNS)
    sources = [row["source_path"] for row in read(clean / "manifest.csv")]
    assert sorted([*sources, *left_out]) == sorted(workshop.items(1))
    assert dict(view.left_out) == {
        "discarded": 1,
        "not_signed_off": 2,
        "unreadable": 1,
        "unreviewed_flag": 2,
        "unsure": 1,
    }


def test_an_image_without_a_score_stays_out(workshop: Workshop, clean: Path) -> None:
    """Before any scan nothing is released but what was called."""
    workshop.add(workshop.fill(FILES))
    workshop.call_paths(1, {"football/yes.png": "positive"})
    workshop.relocate(1, clean)
    assert {row["reason"] for row in read(clean / "left-out.csv")} == {"not_scored"}
    assert placed(clean) == {"football/yes.png"}


def test_agreeing_images_go_along_after_a_sign_off(workshop: Workshop, clean: Path) -> None:
    """The manifest names the person and the bound in the place of a reviewer."""
    workshop.ready(FILES)
    sign_off(workshop.database, workshop.clock, 1, "Eve")
    workshop.relocate(1, clean)
    assert placed(clean) == {"football/yes.png", "football/sub/deep.png", "background/no.png"}
    row = read(clean / "manifest.csv")[0]
    assert (row["verdict"], row["reviewer"], row["reviewed_at"]) == (
        "",
        "Eve (sign-off, bound: none)",
        "2026-03-01T12:00:00Z",
    )


def test_a_collision_renames_the_newcomer_and_is_told(workshop: Workshop, clean: Path) -> None:
    """Both files are there, each with its own bytes."""
    workshop.ready({"football/a.png": 250, "background/a.png": 240, "background/b.png": 0})
    workshop.call_paths(1, {"football/a.png": "positive", "background/a.png": "positive"})
    view = workshop.relocate(1, clean)
    root = workshop.folder / "frames"
    assert view.collisions == 1
    assert (clean / "football/a.png").read_bytes() == (root / "football/a.png").read_bytes()
    assert (clean / "football/a__from_background.png").read_bytes() == (root / "background/a.png").read_bytes()
    assert [(move.source, move.destination) for move in view.sample if move.collision] == [
        ("background/a.png", "football/a__from_background.png")
    ]


def test_a_split_layout_keeps_its_splits(workshop: Workshop, clean: Path) -> None:
    """``val/background/b.jpg`` that shows a ball becomes ``football/val/b.jpg``."""
    root = workshop.fill({"train/football/a.png": 250, "val/background/b.png": 240})
    workshop.add(root, positive="*/football", negative="*/background")
    workshop.scan(1)
    workshop.call_paths(1, {"train/football/a.png": "positive", "val/background/b.png": "positive"})
    workshop.relocate(1, clean)
    assert placed(clean) == {"football/train/a.png", "football/val/b.png"}


@pytest.mark.parametrize(
    "name", ["line\nbreak.png", "<img src=x onerror=alert(1)>.png", "\u4e2d\u0301.png", 'a,b"c.png']
)
def test_odd_names_are_placed_and_listed_as_they_are(workshop: Workshop, clean: Path, name: str) -> None:
    """Nothing of a name is lost on the way."""
    workshop.ready({f"football/{name}": 250, "background/b.png": 0})
    workshop.call_paths(1, {f"football/{name}": "positive"})
    workshop.relocate(1, clean)
    assert placed(clean) == {f"football/{name}"}
    assert [row["path"] for row in read(clean / "manifest.csv")] == [f"football/{name}"]


def test_a_plan_touches_no_file(called: Workshop, clean: Path) -> None:
    """Dry run: the counts, bytes and moves are known, and the disk is as before."""
    before = tree(called.folder)
    view = plan_relocation(called.database, called.clock, 1, clean, Mode.COPY)
    after = {path: content for path, content in tree(called.folder).items() if not path.startswith("var/")}
    assert after == {path: content for path, content in before.items() if not path.startswith("var/")}
    assert not clean.exists()
    assert (view.status, view.planned, view.done, dict(view.by_label)) == (
        "planned",
        6,
        0,
        {"football": 3, "background": 3},
    )
    assert view.bytes == sum(path.stat().st_size for path in (called.folder / "frames").rglob("*.png"))
    assert (view.finished_at, {move.state for move in view.sample}) == (None, {"planned"})


def test_moves_are_listed_page_by_page(called: Workshop, clean: Path) -> None:
    """Every move is on exactly one page."""
    relocation_id = plan(called, clean)
    seen: list[int] = []
    after: int | None = 0
    while after is not None:
        page = list_move_page(called.database, relocation_id, after, 4)
        seen += [move.id for move in page.items]
        after = page.next
    assert (len(seen), len(set(seen))) == (6, 6)


def test_hard_links_share_the_source_s_bytes(called: Workshop, clean: Path) -> None:
    """Undo takes the other name away and leaves the source."""
    view = called.relocate(1, clean, Mode.HARDLINK)
    assert (clean / "football/hot.png").samefile(called.folder / "frames/background/hot.png")
    called.undo_relocation(view.id)
    assert hash_file(called.folder / "frames/background/hot.png")
    assert not clean.exists()


@pytest.mark.parametrize("mode", [Mode.MOVE])
def test_a_mode_of_a_later_release_is_refused(called: Workshop, clean: Path, mode: Mode) -> None:
    """It says which there are."""
    with pytest.raises(InvalidInputError, match="comes in a later release; now: copy, hardlink, reflink"):
        plan(called, clean, mode)


def make_foreign(path: Path) -> None:
    """A folder with somebody's file."""
    draw(path / "mine.png", 1)


@pytest.mark.parametrize(
    ("to", "prepare", "error", "reason"),
    [
        ("frames", None, UsageError, "is or holds the dataset's root"),
        (".", None, UsageError, "is or holds the dataset's root"),
        ("/", None, UsageError, "is or holds the dataset's root"),
        ("frames/football", None, UsageError, "inside a source folder"),
        ("frames/football/sub", None, UsageError, "inside a source folder"),
        ("frames/background/new", None, UsageError, "inside a source folder"),
        ("taken", make_foreign, TargetExistsError, "holds files that are no relocation of frames"),
        ("file", lambda path: path.write_text("x"), TargetExistsError, "is a file"),
        ("link", lambda path: path.symlink_to("frames/football"), UsageError, "inside a source folder"),
    ],
)  # fmt: skip
def test_a_target_that_could_do_harm_is_refused(
    called: Workshop, to: str, prepare: Callable[[Path], object] | None, error: type[Exception], reason: str
) -> None:
    """The root, what holds it, a source folder, other people's files: nothing is planned and nothing touched."""
    target = called.folder / to
    if prepare is not None:
        prepare(target)
    before = tree(called.folder / "frames")
    with pytest.raises(error, match=reason):
        plan(called, target)
    assert tree(called.folder / "frames") == before
    with pytest.raises(NotFoundError):
        show_relocation(called.database, 1)


def test_a_folder_inside_the_root_that_a_label_would_match_is_refused(workshop: Workshop) -> None:
    """With ``*/football`` a cleaned set at ``frames/clean`` would become a source folder of its own dataset."""
    root = workshop.fill({"train/football/a.png": 250, "val/background/b.png": 240})
    workshop.add(root, positive="*/football", negative="*/background")
    with pytest.raises(UsageError, match="or would become one"):
        plan(workshop, root / "clean")


@pytest.mark.parametrize("where", ["beside", "inside the root", "an empty folder"])
def test_a_target_that_is_nobody_s_is_taken(called: Workshop, where: str) -> None:
    """Beside the dataset, in its root beside the labels, or an empty folder."""
    target = {"beside": "clean", "inside the root": "frames/clean", "an empty folder": "empty"}[where]
    (called.folder / "empty").mkdir()
    assert called.relocate(1, called.folder / target).status == "done"


def test_another_dataset_s_cleaned_folder_is_foreign(called: Workshop, clean: Path) -> None:
    """Two datasets do not mix in one folder."""
    called.relocate(1, clean)
    called.ready({"football/a.png": 250, "background/b.png": 0}, "other")
    with pytest.raises(TargetExistsError, match="no relocation of other"):
        plan_relocation(called.database, called.clock, "other", clean, Mode.COPY)


def test_a_second_relocation_applies_only_the_difference(called: Workshop, clean: Path) -> None:
    """What is in place is skipped; a changed verdict withdraws the old file; the earlier manifest is kept."""
    first = called.relocate(1, clean)
    first_manifest = (clean / "manifest.csv").read_bytes()
    unchanged = (clean / "football/yes.png").stat()
    called.call_paths(1, {"background/hot.png": "negative", "football/sub/deep.png": "discard"})
    second = called.relocate(1, clean)
    assert placed(clean) == {
        "football/yes.png",
        "background/empty.png",
        "background/no.png",
        "background/hot.png",
        "background/hot2.png",
    }
    assert (second.status, second.skipped, second.done, second.failed) == ("done", 4, 3, 0)
    assert (clean / f"manifest.{first.id}.csv").read_bytes() == first_manifest
    assert (clean / f"left-out.{first.id}.csv").is_file()
    assert {row["path"] for row in read(clean / "manifest.csv")} == placed(clean)
    assert (clean / "football/yes.png").stat().st_ino == unchanged.st_ino


def test_new_verdicts_add_to_a_cleaned_folder(workshop: Workshop, clean: Path) -> None:
    """The set grows with the review."""
    workshop.ready(FILES)
    workshop.call_paths(1, {"football/yes.png": "positive"})
    workshop.relocate(1, clean)
    workshop.call_paths(1, {"background/hot.png": "positive"})
    view = workshop.relocate(1, clean)
    assert (view.skipped, view.done) == (1, 1)
    assert placed(clean) == {"football/yes.png", "football/hot.png"}


def test_a_file_that_a_person_removed_is_placed_again(called: Workshop, clean: Path) -> None:
    """What is missing is part of the difference."""
    called.relocate(1, clean)
    (clean / "football/yes.png").unlink()
    view = called.relocate(1, clean)
    assert (view.status, view.failed, view.skipped) == ("done", 0, 5)
    assert (clean / "football/yes.png").is_file()


def test_the_last_copy_of_a_changed_image_is_not_withdrawn(called: Workshop, clean: Path) -> None:
    """The source has other bytes now, so the cleaned set holds the only copy of the old ones: it stays, by name."""
    called.relocate(1, clean)
    old = (clean / "football/yes.png").read_bytes()
    draw(called.folder / "frames/football/yes.png", 251, size=(30, 20))
    called.scan(1)
    view = called.relocate(1, clean)
    assert (view.status, view.skipped) == ("partly_failed", 5)
    assert "is gone or changed, so this copy stays" in str([move.error for move in view.sample])
    assert (clean / "football/yes.png").read_bytes() == old


def test_a_file_that_a_person_changed_is_neither_kept_nor_overwritten(called: Workshop, clean: Path) -> None:
    """It is a conflict by name, stays as it is, and the manifest does not claim it."""
    called.relocate(1, clean)
    (clean / "football/yes.png").write_bytes(b"mine")
    view = called.relocate(1, clean)
    assert (view.status, view.failed) == ("partly_failed", 1)
    assert (clean / "football/yes.png").read_bytes() == b"mine"
    assert "football/yes.png" not in {row["path"] for row in read(clean / "manifest.csv")}
    left_out = {row["source_path"]: row["reason"] for row in read(clean / "left-out.csv")}
    assert left_out == {"football/yes.png": "conflict"}


def test_undo_removes_what_it_placed_and_nothing_else(called: Workshop, clean: Path) -> None:
    """Files, manifests and the folders it made go; a person's file and its folder stay."""
    view = called.relocate(1, clean)
    (clean / "football" / "mine.txt").write_text("mine")
    undone = called.undo_relocation(view.id)
    assert (undone.status, undone.failed) == ("undone", 0)
    assert tree(clean) == {"football/mine.txt": b"mine"}
    assert not (clean / "background").exists()


def test_undo_leaves_no_trace_where_there_was_nothing(called: Workshop, clean: Path) -> None:
    """The folder itself was made by the relocation, so it goes too; one that was there stays."""
    view = called.relocate(1, clean / "deep")
    called.undo_relocation(view.id)
    assert not clean.exists()
    clean.mkdir()
    view = called.relocate(1, clean)
    called.undo_relocation(view.id)
    assert list(clean.iterdir()) == []


def test_undo_leaves_what_a_person_changed(called: Workshop, clean: Path) -> None:
    """A changed file is named and stays where it is."""
    view = called.relocate(1, clean)
    (clean / "football/yes.png").write_bytes(b"mine now")
    undone = called.undo_relocation(view.id)
    assert (undone.status, undone.failed) == ("undone", 1)
    assert tree(clean) == {"football/yes.png": b"mine now"}
    assert [move.error for move in undone.sample if move.state == "failed"] == [
        "football/yes.png: changed since it was placed, so it is left where it is"
    ]


def test_undo_of_the_second_restores_the_first(called: Workshop, clean: Path) -> None:
    """Files and manifests are again as the first relocation left them."""
    first = called.relocate(1, clean)
    before = tree(clean)
    called.call_paths(1, {"background/hot.png": "negative", "football/sub/deep.png": "discard"})
    second = called.relocate(1, clean)
    called.undo_relocation(second.id)
    assert tree(clean) == before
    assert called.undo_relocation(first.id).status == "undone"
    assert not clean.exists()


def test_undo_of_many_swapped_files_restores_each(workshop: Workshop, clean: Path) -> None:
    """Two images that took each other's place, thirty-five times over: every one is back, whatever the batches."""
    files = {f"{label}/{n}.png": 250 for label in ("football", "background") for n in range(35)}
    workshop.ready(files)
    workshop.call_paths(1, {path: "positive" if path.startswith("f") else "negative" for path in files})
    workshop.relocate(1, clean)
    before = tree(clean)
    workshop.call_paths(1, {path: "negative" if path.startswith("f") else "positive" for path in files})
    second = workshop.relocate(1, clean)
    assert (second.status, second.failed, second.done) == ("done", 0, 140)
    undone = workshop.undo_relocation(second.id)
    assert undone.failed == 0
    assert tree(clean) == before


def test_an_earlier_relocation_cannot_be_undone_under_a_later_one(called: Workshop, clean: Path) -> None:
    """The later one is named; an undone one cannot be undone again."""
    first = called.relocate(1, clean)
    called.call_paths(1, {"background/hot.png": "negative"})
    second = called.relocate(1, clean)
    with pytest.raises(ConflictError, match=f"relocation {second.id} builds on {first.id}"):
        called.undo_relocation(first.id)
    called.undo_relocation(second.id)
    with pytest.raises(ConflictError, match="is undone: there is nothing to undo"):
        called.undo_relocation(second.id)


def test_after_an_undo_the_same_can_be_done_again(called: Workshop, clean: Path) -> None:
    """Into the same folder."""
    called.undo_relocation(called.relocate(1, clean).id)
    again = called.relocate(1, clean)
    assert (again.status, again.done) == ("done", 6)


def test_a_verdict_after_the_plan_is_refused_by_name(called: Workshop, clean: Path) -> None:
    """Only what was shown is done: the image stays out with its reason, the rest goes on."""
    relocation_id = plan(called, clean)
    called.call_paths(1, {"background/hot.png": "negative", "football/yes.png": "discard"})
    view = called.apply(relocation_id)
    assert (view.status, view.failed, view.done) == ("partly_failed", 2, 4)
    errors = {move.source: move.error or "" for move in view.sample if move.state == "failed"}
    assert "its label or its bytes changed since the plan was made; plan anew" in errors["background/hot.png"]
    assert "is no longer to be placed since the plan was made (discarded)" in errors["football/yes.png"]
    left_out = {row["source_path"]: row["reason"] for row in read(clean / "left-out.csv")}
    assert left_out == {"background/hot.png": "conflict", "football/yes.png": "discarded"}
    assert "football/hot.png" not in placed(clean)


def test_a_source_that_changed_after_the_plan_is_refused(called: Workshop, clean: Path) -> None:
    """Gone or with other bytes: it is left out as ``source_changed``."""
    relocation_id = plan(called, clean)
    draw(called.folder / "frames/football/yes.png", 99)
    (called.folder / "frames/background/no.png").unlink()
    view = called.apply(relocation_id)
    assert (view.status, view.failed) == ("partly_failed", 2)
    left_out = {row["source_path"]: row["reason"] for row in read(clean / "left-out.csv")}
    assert left_out == {"football/yes.png": "source_changed", "background/no.png": "source_changed"}


def test_a_file_that_arrived_after_the_plan_is_not_overwritten(called: Workshop, clean: Path) -> None:
    """It is a conflict by name."""
    relocation_id = plan(called, clean)
    draw(clean / "football/yes.png", 1)
    content = (clean / "football/yes.png").read_bytes()
    view = called.apply(relocation_id)
    assert (view.status, view.failed, dict(view.left_out)) == ("partly_failed", 1, {"conflict": 1})
    assert (clean / "football/yes.png").read_bytes() == content


def test_a_file_of_the_manifest_s_name_is_not_overwritten(called: Workshop, clean: Path) -> None:
    """A person's ``manifest.csv`` that arrived after the plan keeps its bytes."""
    relocation_id = plan(called, clean)
    clean.mkdir()
    (clean / "manifest.csv").write_text("mine")
    called.apply(relocation_id)
    assert "mine" in [path.read_text(errors="replace") for path in clean.iterdir() if path.is_file()]


def test_a_plan_is_applied_once(called: Workshop, clean: Path) -> None:
    """A second time, and one that is overtaken by another into the same folder, are conflicts."""
    first, second = plan(called, clean), plan(called, clean)
    called.apply(first)
    with pytest.raises(ConflictError, match="is done; plan a new one"):
        called.apply(first)
    with pytest.raises(ConflictError, match="since this plan was made; plan anew"):
        called.apply(second)


def test_two_plans_into_one_folder_are_not_both_taken(called: Workshop, clean: Path) -> None:
    """Asked for before any worker has begun: the second is refused, or it would write over the first's manifest."""
    first, second = plan(called, clean), plan(called, clean)
    request_apply(called.database, first)
    with pytest.raises(ConflictError, match=f"relocation {first}"):
        request_apply(called.database, second)


def test_a_plan_is_not_taken_while_its_ground_is_being_undone(called: Workshop, clean: Path) -> None:
    """Nor is an undo while a plan that builds on it waits for its worker."""
    first = called.relocate(1, clean).id
    called.call_paths(1, {"background/hot.png": "negative"})
    second = plan(called, clean)
    request_undo(called.database, first)
    with pytest.raises(ConflictError, match=f"relocation {first}"):
        request_apply(called.database, second)


def test_an_undo_waits_for_a_plan_that_builds_on_it(called: Workshop, clean: Path) -> None:
    """The plan has been asked for and not begun: it would find its ground gone."""
    first = called.relocate(1, clean).id
    called.call_paths(1, {"background/hot.png": "negative"})
    second = plan(called, clean)
    request_apply(called.database, second)
    with pytest.raises(ConflictError, match=f"relocation {second}"):
        request_undo(called.database, first)


def finish(workshop: Workshop) -> list[str]:
    """Do what is asked for, as a worker does; the statuses."""
    views = recover_relocations(workshop.database, workshop.settings.worker, workshop.clock, workshop.worker())
    return [view.status for view in views]


def test_a_worker_takes_what_was_asked_for_and_only_once(called: Workshop, clean: Path) -> None:
    """A plan alone is nobody's work; a claimed one is not claimed again."""
    relocation_id = plan(called, clean)
    claim = (called.database, called.settings.worker, called.clock)
    assert claim_relocation(*claim, called.worker()) is None
    request_apply(called.database, relocation_id)
    first = claim_relocation(*claim, called.worker())
    assert first is not None
    assert claim_relocation(*claim, called.worker()) is None
    assert run_relocation(called.database, called.clock, first).status == "done"


def test_a_relocation_that_was_asked_to_stop_is_finished_later(called: Workshop, clean: Path) -> None:
    """The next start carries it to its end."""
    relocation_id = plan(called, clean)
    request_apply(called.database, relocation_id)
    claimed = claim_relocation(called.database, called.settings.worker, called.clock, called.worker(), relocation_id)
    assert claimed is not None
    left = run_relocation(called.database, called.clock, claimed, stopping=lambda: True)
    assert (left.status, (clean / "manifest.csv").exists()) == ("running", False)
    called.clock.advance(31)
    assert finish(called) == ["done"]
    assert (clean / "manifest.csv").is_file()
    assert finish(called) == []


def test_a_folder_in_which_a_relocation_is_under_way_is_not_planned_for(called: Workshop, clean: Path) -> None:
    """It says which one and what to do."""
    first = plan(called, clean)
    request_apply(called.database, first)
    claim_relocation(called.database, called.settings.worker, called.clock, called.worker(), first)
    clean.mkdir()
    with pytest.raises(ConflictError, match="is not finished; wait, or run `touchline recover`"):
        plan(called, clean)


def test_a_verdict_after_the_relocation_moves_nothing_and_is_told(called: Workshop, clean: Path) -> None:
    """The image lies under an outdated label until the next relocation."""
    view = called.relocate(1, clean)
    before = tree(clean)
    called.call_paths(1, {"background/hot.png": "negative"})
    assert show_relocation(called.database, view.id).outdated == 1
    assert tree(clean) == before


def test_the_page_says_what_is_ready(called: Workshop, clean: Path) -> None:
    """Confirmed images, open flags, agreeing ones without a sign-off; and a folder beside the dataset is suggested."""
    called.ready(FILES, "second")
    called.call_paths("second", {"football/yes.png": "positive", "background/hot.png": "unsure"})
    dataset = called.dataset("second")
    page = view_clean_page(called.database, dataset, None)
    assert (page.ready, page.open_flags, page.agreeing_unreviewed) == (1, 2, 2)
    assert page.suggested_to == str(called.folder / "second-clean")
    sign_off(called.database, called.clock, "second", "Eve")
    assert view_clean_page(called.database, dataset, None).ready == 3


def test_flags_do_not_matter_once_a_person_has_spoken(called: Workshop, clean: Path) -> None:
    """Any threshold gives the same cleaned set where every image is called."""
    called.relocate(1, clean)
    set_threshold(called.database, 1, 0.01)
    called.relocate(1, called.folder / "again")
    assert placed(called.folder / "again") == placed(clean)


def test_unknown_relocations_are_not_found(workshop: Workshop) -> None:
    """Neither shown, applied nor undone."""
    for act in (show_relocation, request_apply, request_undo):
        with pytest.raises(NotFoundError):
            act(workshop.database, 99)
