"""Registering a root and keeping its rows in step with its files."""

import os
from collections.abc import Callable
from itertools import groupby
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from scipy.stats import spearmanr

from app.config import Settings
from app.errors import InvalidInputError, NotFoundError, UsageError
from app.files.scanning import NAME_NOT_UTF8
from app.services import refreshing
from app.services.datasets import (
    DEMO_MARKER,
    NewDataset,
    default_question,
    get_dataset,
    inspect_images,
    list_dataset_views,
    register_dataset,
    set_threshold,
    view_files,
)
from app.services.refreshing import refresh_images
from tests.parts import Workshop, draw

FILES = {"football/a.png": 250, "football/b.png": 200, "background/c.png": 10}


def refresh(workshop: Workshop, reference: str | int = 1) -> None:
    """Walk the folders again and look at what is new."""
    dataset = workshop.dataset(reference)
    refresh_images(workshop.database, dataset, workshop.clock())
    inspect_images(workshop.database, dataset, workshop.settings, workshop.clock())


def test_a_dataset_is_registered_with_its_counts(workshop: Workshop) -> None:
    """Name, question and threshold take their defaults; unreadable and ignored files are counted apart."""
    root = workshop.fill(FILES)
    (root / "background" / "broken.jpg").write_bytes(b"no picture")
    (root / "background" / "notes.txt").write_text("ignored")
    view = workshop.add(root)
    assert (view.name, view.root, view.positive, view.negative) == ("frames", str(root), "football", "background")
    assert (view.images, view.unreadable, view.ignored) == (4, 1, 1)
    assert (view.question, view.threshold) == ("Is there a football?", 0.5)


def test_unreadable_and_ignored_files_are_listed_with_their_reasons(workshop: Workshop) -> None:
    """A person can see what was passed over and why."""
    root = workshop.fill(FILES)
    (root / "background" / "broken.jpg").write_bytes(b"")
    (root / "background" / ".DS_Store").write_text("x")
    page = view_files(workshop.database, workshop.add(root).id)
    assert [(path, reason) for path, reason, _ in page.unreadable] == [("background/broken.jpg", "the file is empty")]
    assert page.ignored == (("background/.DS_Store", "hidden"),)


def test_the_page_of_ignored_files_goes_on_where_it_ended(workshop: Workshop) -> None:
    """Every ignored file is on exactly one page."""
    root = workshop.fill(FILES)
    for number in range(5):
        (root / "football" / f"{number}.txt").write_text("x")
    workshop.add(root)
    first = view_files(workshop.database, 1, limit=3)
    after = int((first.next_url or "").rpartition("=")[2])
    second = view_files(workshop.database, 1, after, limit=3)
    assert second.next_url is None
    assert sorted(path for path, _ in (*first.ignored, *second.ignored)) == [f"football/{n}.txt" for n in range(5)]


def test_what_was_decoded_is_stored(workshop: Workshop) -> None:
    """Hash, size and the upright width and height are known after registering."""
    workshop.add(workshop.fill(FILES))
    record = workshop.items(1)["football/a.png"].record
    assert (record.width, record.height, record.unreadable) == (16, 12, None)
    assert record.size_bytes == (workshop.folder / "frames/football/a.png").stat().st_size
    assert len(record.sha256 or "") == 64


def test_registering_does_not_wait_for_a_large_dataset(workshop: Workshop) -> None:
    """With no time given for decoding the images are there all the same, and a scan does the rest."""
    settings = workshop.settings.model_copy(
        update={"datasets": workshop.settings.datasets.model_copy(update={"inspect_on_add_s": 0.0})}
    )
    root = workshop.fill(FILES)
    view = register_dataset(workshop.database, settings, NewDataset(root), workshop.clock())
    assert view.images == 3
    assert {item.record.sha256 for item in workshop.items(1).values()} == {None}
    workshop.scan(1)
    assert None not in {item.record.sha256 for item in workshop.items(1).values()}


@pytest.mark.parametrize(
    ("files", "values", "loc", "reason"),
    [
        (FILES, {"positive": "ball"}, "positive", "there is no folder"),
        (FILES, {"negative": "rest"}, "negative", "there is no folder"),
        (FILES, {"positive": "../frames/football"}, "positive", "below the root"),
        (FILES, {"negative": "football"}, "negative", "the two labels must differ"),
        ({"x/football/a.png": 1, "y/football/b.png": 1}, {"positive": "x/football", "negative": "y/football"},
         "negative", "the two labels must differ"),
        ({"football/background/a.png": 1}, {"negative": "football/background"}, "negative", "overlap"),
        ({"background/x/football/a.png": 1}, {"positive": "background/*/football"}, "negative", "overlap"),
    ],
    ids=["no positive", "no negative", "dots", "same folder", "same label", "inside", "glob inside"],
)  # fmt: skip
def test_wrong_labels_are_refused_by_field(
    workshop: Workshop, files: dict[str, int], values: dict[str, str], loc: str, reason: str
) -> None:
    """The error names the field, and nothing is registered."""
    root = workshop.fill(files)
    with pytest.raises(InvalidInputError, match=reason) as caught:
        workshop.add(root, **values)
    assert [error.loc for error in caught.value.errors] == [loc]
    assert list_dataset_views(workshop.database) == ()


def make_file(folder: Path) -> Path:
    """A file where a folder is wanted."""
    folder.write_text("x")
    return folder


@pytest.mark.parametrize("make", [lambda path: path, make_file], ids=["missing", "a file"])
def test_a_root_that_is_no_folder_is_refused(workshop: Workshop, make: Callable[[Path], Path]) -> None:
    """The error names the root."""
    with pytest.raises(InvalidInputError, match="is no folder") as caught:
        workshop.add(make(workshop.folder / "nothing"))
    assert caught.value.errors[0].loc == "root"


@pytest.mark.parametrize("text", ["~nobody-of-this-name/frames", "nul\0byte"])
def test_a_path_that_the_system_cannot_take_is_refused(workshop: Workshop, text: str) -> None:
    """An unknown home and a null byte are wrong input, not a crash."""
    with pytest.raises(InvalidInputError) as caught:
        workshop.add(Path(text))
    assert caught.value.errors[0].loc == "root"


@pytest.mark.parametrize(
    ("second", "loc"),
    [({}, "root"), ({"name": "frames", "positive": "football", "negative": "other"}, "name")],
    ids=["same folders", "same name"],
)
def test_a_second_dataset_of_the_same_name_or_folders_is_refused(
    workshop: Workshop, second: dict[str, str], loc: str
) -> None:
    """The first one is named, and stays as it is."""
    root = workshop.fill({**FILES, "other/x.png": 1})
    workshop.add(root)
    with pytest.raises(InvalidInputError, match="already") as caught:
        workshop.add(root, **second)
    assert caught.value.errors[0].loc == loc
    assert len(list_dataset_views(workshop.database)) == 1


def test_a_root_by_another_way_is_the_same_root(workshop: Workshop) -> None:
    """Dots and symlinks are resolved before roots are compared."""
    root = workshop.fill(FILES)
    workshop.add(root)
    (workshop.folder / "link").symlink_to(root)
    with pytest.raises(InvalidInputError, match="registered already as 'frames'"):
        workshop.add(workshop.folder / "link", name="other")


def test_globs_take_a_split_layout(workshop: Workshop) -> None:
    """``*/football`` is the label football in every split."""
    root = workshop.fill({"train/football/a.png": 1, "val/football/b.png": 1, "val/background/c.png": 1, "x.png": 1})
    view = workshop.add(root, positive="*/football", negative="*/background")
    assert (view.positive, view.negative, view.images) == ("football", "background", 3)
    given = {path: item.given_label for path, item in workshop.items(1).items()}
    assert given == {
        "train/football/a.png": "football",
        "val/football/b.png": "football",
        "val/background/c.png": "background",
    }


@pytest.mark.parametrize(("label", "question"), [("football", "Is there a football?"), ("owl", "Is there an owl?")])
def test_the_question_fits_the_label(label: str, question: str) -> None:
    """It is asked in a sentence a person would say."""
    assert default_question(label) == question


def test_a_dataset_is_found_by_id_and_by_name(workshop: Workshop) -> None:
    """What is neither says where the names are."""
    workshop.add(workshop.fill(FILES))
    with workshop.database.read() as session:
        assert get_dataset(session, 1) == get_dataset(session, "1") == get_dataset(session, "frames")
        for reference in ("frame", "2", "", "\u0661", str(1 << 80)):
            with pytest.raises(NotFoundError, match="touchline status"):
                get_dataset(session, reference)


def test_ids_say_nothing_of_folder_or_name(workshop: Workshop) -> None:
    """Ids follow neither the order of the paths nor the labels, though files come folder by folder."""
    root = workshop.folder / "frames"
    for label in ("football", "background"):
        (root / label).mkdir(parents=True)
        for number in range(150):
            (root / label / f"{number:03}.png").write_bytes(b"")
    workshop.add(root)
    items = workshop.items(1)
    assert len(items) == 300
    by_path = [item.record.id for _, item in sorted(items.items())]
    assert abs(spearmanr(by_path, np.arange(len(by_path))).statistic) < 0.25  # 4 sigma
    by_id = [item.given_label for item in sorted(items.values(), key=lambda item: item.record.id)]
    runs = len(list(groupby(by_id)))
    assert abs(runs - 151) < 40  # independent draws of two equal labels make 151 runs, with a deviation of 8.6


def test_the_demo_is_known_by_its_marker(workshop: Workshop) -> None:
    """Only there is the built-in model at home."""
    root = workshop.fill(FILES)
    (root / DEMO_MARKER).write_text("{}")
    workshop.add(root)
    assert workshop.dataset(1).demo is True


def test_a_threshold_is_kept_between_0_and_1(workshop: Workshop) -> None:
    """Anything else is refused by field."""
    workshop.add(workshop.fill(FILES))
    assert set_threshold(workshop.database, "frames", 0.25).threshold == 0.25
    for threshold in (-0.1, 1.1, float("nan")):
        with pytest.raises(InvalidInputError, match="threshold: must lie between 0 and 1"):
            set_threshold(workshop.database, "frames", threshold)
    assert workshop.dataset(1).threshold == 0.25


def test_new_files_become_images(workshop: Workshop) -> None:
    """A refresh adds them and leaves the others their ids."""
    workshop.add(workshop.fill(FILES))
    before = {path: item.record.id for path, item in workshop.items(1).items()}
    draw(workshop.folder / "frames/football/sub/new.png", 77)
    refresh(workshop)
    after = {path: item.record.id for path, item in workshop.items(1).items()}
    assert set(after) - set(before) == {"football/sub/new.png"}
    assert {path: after[path] for path in before} == before


def test_a_file_that_is_gone_is_missing_and_comes_back(workshop: Workshop) -> None:
    """It leaves the list and its score goes; its verdict is there again when the file is."""
    workshop.ready(FILES)
    image_id = workshop.image_id(1, "football/a.png")
    workshop.call(image_id, "positive")
    path = workshop.folder / "frames/football/a.png"
    content = path.read_bytes()
    path.unlink()
    refresh(workshop)
    assert "football/a.png" not in workshop.items(1)
    assert (workshop.item(image_id).record.missing, workshop.item(image_id).record.score) == (True, None)
    path.write_bytes(content)
    refresh(workshop)
    assert workshop.items(1)["football/a.png"].record.id == image_id
    assert workshop.item(image_id).record.verdict == "positive"


def test_a_changed_file_is_looked_at_again(workshop: Workshop) -> None:
    """Other bytes under the same name have another hash; the row and its reviews stay."""
    workshop.ready(FILES)
    before = workshop.items(1)["football/a.png"].record
    workshop.call(before.id, "positive")
    draw(workshop.folder / "frames/football/a.png", 3, size=(40, 20))
    refresh(workshop)
    after = workshop.items(1)["football/a.png"].record
    assert (after.id, after.verdict, after.width) == (before.id, "positive", 40)
    assert after.sha256 != before.sha256


def test_a_moved_file_keeps_its_reviews(workshop: Workshop) -> None:
    """A path that vanished and a new one with the same bytes are one image."""
    workshop.ready(FILES)
    image_id = workshop.image_id(1, "football/a.png")
    workshop.call(image_id, "negative")
    folder = workshop.folder / "frames/football"
    (folder / "sub").mkdir()
    (folder / "a.png").rename(folder / "sub" / "renamed.png")
    refresh(workshop)
    moved = workshop.items(1)["football/sub/renamed.png"].record
    assert (moved.id, moved.verdict, len(workshop.items(1))) == (image_id, "negative", 3)
    assert moved.score == pytest.approx(250 / 255)


def test_a_file_moved_to_the_other_label_changes_its_given_label(workshop: Workshop) -> None:
    """What the folder claims is what it claims now; the flag follows."""
    workshop.ready(FILES)
    image_id = workshop.image_id(1, "football/a.png")
    root = workshop.folder / "frames"
    (root / "football/a.png").rename(root / "background/a.png")
    refresh(workshop)
    item = workshop.items(1)["background/a.png"]
    assert (item.record.id, item.given_label) == (image_id, "background")
    assert [flag.reason for flag in item.flags] == ["disagreement"]
    assert [*workshop.items(1, flag="disagreement")] == ["background/a.png"]


def test_moves_among_equal_files_are_matched_one_to_one(workshop: Workshop) -> None:
    """Two files of the same bytes that move are two images before and after, and a copy is a new image."""
    root = workshop.folder / "frames"
    draw(root / "background/c.png", 1)
    for name in ("a", "b"):
        draw(root / f"football/{name}.png", 250)
    workshop.add(root)
    before = {item.record.id for item in workshop.items(1).values()}
    for name in ("a", "b"):
        (root / f"football/{name}.png").rename(root / f"football/{name}-moved.png")
    draw(root / "football/z-copy.png", 250)
    refresh(workshop)
    items = workshop.items(1)
    moved = {items[f"football/{name}-moved.png"].record.id for name in ("a", "b")}
    assert moved < before
    assert items["football/z-copy.png"].record.id not in before


def test_a_missing_image_is_found_again_elsewhere_later(workshop: Workshop) -> None:
    """A file that was away for a while keeps its reviews too."""
    workshop.ready(FILES)
    image_id = workshop.image_id(1, "football/a.png")
    workshop.call(image_id, "negative")
    root = workshop.folder / "frames"
    (root / "football/a.png").rename(workshop.folder / "away.png")
    refresh(workshop)
    (workshop.folder / "away.png").rename(root / "football/back.png")
    refresh(workshop)
    assert workshop.items(1)["football/back.png"].record.id == image_id


@pytest.mark.parametrize("what", ["root", "labels"])
def test_an_unplugged_disk_does_not_make_every_image_missing(workshop: Workshop, what: str) -> None:
    """The refresh refuses, and everything stays as it was."""
    workshop.ready(FILES)
    root = workshop.folder / "frames"
    if what == "root":
        root.rename(workshop.folder / "unplugged")
    else:
        for label in ("football", "background"):
            (root / label).rename(workshop.folder / label)
    with pytest.raises(UsageError, match="is the disk mounted"):
        refresh(workshop)
    assert len(workshop.items(1)) == 3


def test_a_file_whose_name_is_not_utf_8_is_unreadable_with_its_reason(workshop: Workshop) -> None:
    """It cannot be opened by a name that can be stored; a scan goes on past it."""
    root = workshop.fill(FILES)
    Path(os.fsdecode(os.fsencode(root / "football") + b"/caf\xe9.png")).write_bytes(b"x")
    view = workshop.add(root)
    scan = workshop.scan(1)
    assert (view.images, scan.status, scan.unreadable, scan.scored) == (4, "done", 1, 3)
    assert workshop.items(1)["football/caf\\xe9.png"].record.unreadable == NAME_NOT_UTF8


def test_a_folder_that_is_renamed_keeps_every_score_and_review(
    workshop: Workshop, monkeypatch: pytest.MonkeyPatch
) -> None:
    """More files than one transaction takes, some of them now filed under the other label: none is scored again."""
    monkeypatch.setattr(refreshing, "WRITE_CHUNK", 16)
    files = {f"football/day/{n}.png": n + 40 for n in range(70)} | {f"background/day/{n}.png": n for n in range(50)}
    root = workshop.fill(files)
    workshop.add(root)
    workshop.scan(1)
    before = {path: item.record for path, item in workshop.items(1).items()}
    for path in ("background/day/7.png", "football/day/7.png"):
        workshop.call(before[path].id, "positive")
    (root / "football" / "day").rename(root / "background" / "night")
    (root / "background" / "day").rename(root / "background" / "noon")
    draw(root / "football" / "new.png", 77, green=3)
    scan = workshop.scan(1)
    after = {path: item.record for path, item in workshop.items(1).items()}
    assert (scan.total, scan.scored, scan.reused) == (121, 1, 120)
    assert {path: record.id for path, record in after.items() if "new" not in path} == {
        path.replace("football/day", "background/night").replace("/day/", "/noon/"): record.id
        for path, record in before.items()
    }
    assert after["background/night/7.png"].verdict == after["background/noon/7.png"].verdict == "positive"
    assert {record.given for path, record in after.items() if path.startswith("background/")} == {"negative"}
    with workshop.database.engine.connect() as connection:
        scores = connection.exec_driver_sql("SELECT given, count(*) FROM scores GROUP BY given ORDER BY given")
        assert [tuple(row) for row in scores] == [("negative", 120), ("positive", 1)]


def odd_file(folder: Path, name: bytes, content: bytes = b"x") -> Path:
    """A file whose name is any bytes."""
    path = Path(os.fsdecode(os.fsencode(folder) + b"/" + name))
    path.write_bytes(content)
    return path


def test_a_file_called_as_another_s_bad_name_is_written_stands_beside_it(workshop: Workshop) -> None:
    """The one is readable, the other named as unreadable; neither breaks registering."""
    root = workshop.fill({"football/caf\\xe9.png": 200, "background/c.png": 10})
    odd_file(root / "football", b"caf\xe9.png")
    view = workshop.add(root)
    workshop.scan(1)
    assert (view.images, view.unreadable) == (3, 1)
    items = workshop.items(1)
    assert items["football/caf\\xe9.png"].record.score == pytest.approx(200 / 255)
    assert items["football/caf\\xe9.png~"].record.unreadable == NAME_NOT_UTF8


def test_a_bad_name_that_is_put_right_makes_the_image_readable(workshop: Workshop) -> None:
    """Renaming keeps size and time, and here even the path; the scan looks at it all the same."""
    root = workshop.fill(FILES)
    content = draw(workshop.folder / "other.png", 100).read_bytes()
    path = odd_file(root / "football", b"caf\xe9.png", content)
    workshop.add(root)
    workshop.scan(1)
    path.rename(root / "football" / "caf\\xe9.png")
    scan = workshop.scan(1)
    item = workshop.items(1)["football/caf\\xe9.png"]
    assert (scan.scored, scan.unreadable, item.record.unreadable) == (1, 0, None)
    assert item.record.score == pytest.approx(100 / 255)


def test_datasets_are_apart(workshop: Workshop) -> None:
    """The same file names in two roots are different images."""
    workshop.ready(FILES, "one")
    workshop.ready(FILES, "two")
    assert {item.record.id for item in workshop.items("one").values()}.isdisjoint(
        item.record.id for item in workshop.items("two").values()
    )


def test_settings_hold_a_root_that_exists(tmp_path: Path) -> None:
    """A wrong folder in the settings is refused before anything else, by key."""
    values: dict[str, Any] = {"allowed_roots": (tmp_path / "nothing",)}
    with pytest.raises(ValueError, match=r"datasets\.allowed_roots(.|\n)*is missing"):
        Settings(datasets=values)
