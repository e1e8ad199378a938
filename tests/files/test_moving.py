"""Each operation of a relocation: it refuses to clobber, and can be found out about after a crash."""

import os
from dataclasses import replace
from pathlib import Path

import pytest

from app.domain.relocation import LeftOut, Mode
from app.errors import MoveError
from app.files.moving import FileMove, holds_placed, place_file, remove_empty, remove_placed, settle, was_placed
from app.files.writing import hash_file
from tests.parts import draw, tree


@pytest.fixture
def move(tmp_path: Path) -> FileMove:
    """A file that is to be copied."""
    source = draw(tmp_path / "root" / "football" / "a.png", 10)
    (tmp_path / "clean").mkdir()
    return FileMove(
        move_id=7,
        root=tmp_path / "root",
        source="football/a.png",
        target=tmp_path / "clean",
        destination="football/sub/a.png",
        sha256=hash_file(source),
        mode=Mode.COPY,
    )


def source_of(move: FileMove) -> Path:
    """The source's path."""
    return move.root / move.source


def test_a_placed_file_has_the_source_s_bytes_times_and_permissions(move: FileMove) -> None:
    """The source stays as it was; the folders that had to be made are told."""
    source_of(move).chmod(0o640)
    os.utime(source_of(move), ns=(1_600_000_000_000_000_001, 1_500_000_000_123_456_789))
    assert place_file(move) == [move.target / "football", move.target / "football" / "sub"]
    placed, source = move.path.stat(), source_of(move).stat()
    assert move.path.read_bytes() == source_of(move).read_bytes()
    assert (placed.st_mtime_ns, placed.st_mode) == (1_500_000_000_123_456_789, source.st_mode)
    assert placed.st_ino != source.st_ino


def test_settling_drops_the_temporary_name_alone(move: FileMove) -> None:
    """Until the move is recorded, a second name beside the file says whose it is; settling twice is harmless."""
    place_file(move)
    assert sorted(tree(move.target)) == ["football/sub/.touchline-7.part", "football/sub/a.png"]
    settle(move)
    settle(move)
    assert list(tree(move.target)) == ["football/sub/a.png"]


def test_a_hard_link_is_another_name_of_the_same_file(move: FileMove) -> None:
    """In mode hardlink no byte is copied."""
    linked = replace(move, mode=Mode.HARDLINK)
    place_file(linked)
    settle(linked)
    assert linked.path.samefile(source_of(move))
    assert source_of(move).stat().st_nlink == 2


@pytest.mark.parametrize("mode", [Mode.COPY, Mode.HARDLINK])
@pytest.mark.parametrize("kind", ["file", "same bytes", "folder", "dangling symlink"])
def test_what_lies_at_the_destination_is_never_overwritten(move: FileMove, mode: Mode, kind: str) -> None:
    """It is a conflict, be it the same bytes: they are not ours. Nothing of the try stays behind."""
    move.path.parent.mkdir(parents=True)
    match kind:
        case "file":
            move.path.write_bytes(b"theirs")
        case "same bytes":
            move.path.write_bytes(source_of(move).read_bytes())
        case "folder":
            move.path.mkdir()
        case _:
            move.path.symlink_to("nowhere")
    before = tree(move.target)
    with pytest.raises(MoveError, match="something is there already and is not overwritten") as caught:
        place_file(replace(move, mode=mode))
    assert caught.value.code == LeftOut.CONFLICT
    assert tree(move.target) == before


@pytest.mark.parametrize("mode", [Mode.COPY, Mode.HARDLINK])
def test_a_source_with_other_bytes_is_refused(move: FileMove, mode: Mode) -> None:
    """What was scanned and called is no longer there, so it is not placed."""
    draw(source_of(move), 99)
    with pytest.raises(MoveError, match="its bytes changed since it was scanned; scan again") as caught:
        place_file(replace(move, mode=mode))
    assert caught.value.code == LeftOut.SOURCE_CHANGED
    assert tree(move.target) == {}


def test_a_source_that_is_gone_or_leads_out_is_refused(move: FileMove, tmp_path: Path) -> None:
    """A symlink out of the root that took the file's place is not followed."""
    source_of(move).unlink()
    with pytest.raises(MoveError, match="No such file") as caught:
        place_file(move)
    assert caught.value.code == LeftOut.SOURCE_CHANGED
    draw(tmp_path / "secret.png", 10)
    source_of(move).symlink_to(tmp_path / "secret.png")
    with pytest.raises(MoveError, match="leads out") as caught:
        place_file(move)
    assert caught.value.code == LeftOut.SOURCE_CHANGED


def test_a_folder_of_the_target_that_leads_out_is_refused(move: FileMove, tmp_path: Path) -> None:
    """A symlink among the target's folders does not carry files elsewhere."""
    (tmp_path / "elsewhere").mkdir()
    (move.target / "football").symlink_to(tmp_path / "elsewhere")
    with pytest.raises(MoveError, match="has become a symlink") as caught:
        place_file(move)
    assert caught.value.code == LeftOut.CONFLICT
    assert tree(tmp_path / "elsewhere") == {}


def test_a_file_in_the_place_of_a_folder_is_said(move: FileMove) -> None:
    """The reason is the system's own word."""
    (move.target / "football").write_text("a file")
    with pytest.raises(MoveError) as caught:
        place_file(move)
    assert caught.value.code in (LeftOut.CONFLICT, LeftOut.FAILED)
    assert (move.target / "football").read_text() == "a file"


def test_after_a_crash_the_temporary_name_tells_whose_file_it_is(move: FileMove) -> None:
    """Linked but not recorded: it is ours. Before the link: it is not, and the leavings go."""
    assert was_placed(move) is False
    place_file(move)
    assert was_placed(move) is True
    move.path.unlink()
    assert was_placed(move) is False
    assert tree(move.target) == {}


def test_after_a_crash_a_stranger_s_file_is_no_file_of_ours(move: FileMove) -> None:
    """Somebody put another file there meanwhile: it stays, and the move fails by name."""
    place_file(move)
    move.path.unlink()
    move.path.write_bytes(b"theirs")
    with pytest.raises(MoveError, match="holds something else since the crash") as caught:
        was_placed(move)
    assert caught.value.code == LeftOut.CONFLICT
    assert list(tree(move.target).values()) == [b"theirs"]


def test_placing_again_after_a_crash_starts_afresh(move: FileMove) -> None:
    """A half-written temporary file of this very move is not in the way."""
    move.path.parent.mkdir(parents=True)
    move.temporary.write_bytes(b"half")
    place_file(move)
    settle(move)
    assert tree(move.target) == {"football/sub/a.png": source_of(move).read_bytes()}


def test_removing_takes_only_what_was_placed(move: FileMove) -> None:
    """Unchanged it goes, gone already is fine, changed it stays and is named."""
    place_file(move)
    settle(move)
    assert holds_placed(move)
    remove_placed(move)
    remove_placed(move)
    assert tree(move.target) == {}
    move.path.write_bytes(b"changed by a person")
    assert not holds_placed(move)
    with pytest.raises(MoveError, match="changed since it was placed, so it is left where it is"):
        remove_placed(move)
    assert move.path.read_bytes() == b"changed by a person"


def test_a_symlink_in_the_place_of_a_placed_file_is_not_ours(move: FileMove) -> None:
    """Be it to the same bytes: removing it would remove what a person put there."""
    place_file(move)
    settle(move)
    move.path.unlink()
    move.path.symlink_to(source_of(move))
    assert not holds_placed(move)
    with pytest.raises(MoveError, match="changed since"):
        remove_placed(move)
    assert source_of(move).exists()


def test_only_empty_folders_are_removed(tmp_path: Path) -> None:
    """Inner ones first; one that holds something stays."""
    folders = [tmp_path / "a", tmp_path / "a" / "b", tmp_path / "c"]
    for folder in folders:
        folder.mkdir()
    (tmp_path / "c" / "mine.txt").write_text("kept")
    remove_empty(folders)
    assert sorted(path.name for path in tmp_path.iterdir()) == ["c"]


@pytest.mark.parametrize("mode", [Mode.COPY, Mode.HARDLINK])
def test_a_symlinked_source_places_the_bytes_it_leads_to(move: FileMove, mode: Mode) -> None:
    """A symlink inside the root is a file like any other: what is placed is no symlink."""
    content = source_of(move).read_bytes()
    source_of(move).rename(move.root / "store.png")
    source_of(move).symlink_to("../store.png")
    place_file(replace(move, mode=mode))
    assert not move.path.is_symlink()
    assert move.path.read_bytes() == content
