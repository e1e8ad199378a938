"""Files appear whole or not at all, and never over something else."""

import hashlib
from pathlib import Path

import pytest

from app.errors import TargetExistsError, UsageError
from app.files.writing import copy_exclusively, free_bytes, hash_file, make_folder, new_file, write_cache, write_new
from tests.parts import names


class BrokenOffError(Exception):
    """Whatever ends the writing half-way."""


def test_a_new_file_appears_whole_when_the_block_ends(tmp_path: Path) -> None:
    """Until then nothing is at its name; missing folders are made."""
    path = tmp_path / "a" / "b" / "out.csv"
    with new_file(path) as file:
        file.write(b"half")
        seen_before = path.exists()
        file.write(b" and half")
    assert (seen_before, path.read_bytes()) == (False, b"half and half")
    assert names(path.parent) == ["out.csv"]


def break_off(path: Path) -> None:
    """Begin to write and fail."""
    with new_file(path) as file:
        file.write(b"half")
        raise BrokenOffError


def test_a_failure_half_way_leaves_nothing(tmp_path: Path) -> None:
    """Neither the file nor its temporary name stay behind."""
    with pytest.raises(BrokenOffError):
        break_off(tmp_path / "out.csv")
    assert names(tmp_path) == []


@pytest.mark.parametrize("kind", ["file", "folder", "dangling symlink"])
def test_nothing_is_ever_overwritten(tmp_path: Path, kind: str) -> None:
    """Whatever is at the path stays as it is, and the error says to name another."""
    path = tmp_path / "out.csv"
    match kind:
        case "file":
            path.write_bytes(b"mine")
        case "folder":
            path.mkdir()
        case _:
            path.symlink_to("nowhere")
    with pytest.raises(TargetExistsError, match="exists already and is not overwritten: name another path"):
        write_new(path, b"theirs")
    assert names(tmp_path) == ["out.csv"]
    assert path.is_symlink() or path.is_dir() or path.read_bytes() == b"mine"


def arrive_in_between(path: Path) -> None:
    """Another program takes the name while we write."""
    with new_file(path) as file:
        file.write(b"ours")
        path.write_bytes(b"theirs")


def test_a_file_that_arrives_in_between_is_not_overwritten(tmp_path: Path) -> None:
    """The name is taken at the very end, by a link that refuses to clobber."""
    with pytest.raises(TargetExistsError):
        arrive_in_between(tmp_path / "out.csv")
    assert (tmp_path / "out.csv").read_bytes() == b"theirs"
    assert names(tmp_path) == ["out.csv"]


def test_a_place_that_cannot_be_written_is_a_usage_error(tmp_path: Path) -> None:
    """A file where a folder should be is said in one line."""
    (tmp_path / "file").write_text("")
    with pytest.raises(UsageError, match="cannot be written: Not a directory"):
        write_new(tmp_path / "file" / "out.csv", b"x")


def test_an_exclusive_copy_refuses_to_clobber_and_hashes_what_it_wrote(tmp_path: Path) -> None:
    """The digest is of the bytes that went out."""
    source, target = tmp_path / "a", tmp_path / "b"
    source.write_bytes(b"x" * 3_000_000)
    assert copy_exclusively(source, target) == hashlib.sha256(b"x" * 3_000_000).hexdigest() == hash_file(target)
    source.write_bytes(b"y")
    with pytest.raises(FileExistsError):
        copy_exclusively(source, target)
    assert target.stat().st_size == 3_000_000


def test_made_folders_are_told_outermost_first(tmp_path: Path) -> None:
    """So that an undo knows which to remove; what was there is not told."""
    (tmp_path / "a").mkdir()
    assert make_folder(tmp_path / "a" / "b" / "c") == [tmp_path / "a" / "b", tmp_path / "a" / "b" / "c"]
    assert make_folder(tmp_path / "a" / "b") == []


def test_the_cache_replaces_its_own_files(tmp_path: Path) -> None:
    """Two processes that make the same rendition do not fail, and leave one file."""
    for content in (b"one", b"two"):
        write_cache(tmp_path / "c" / "x.jpg", content)
    assert (tmp_path / "c" / "x.jpg").read_bytes() == b"two"
    assert names(tmp_path / "c") == ["x.jpg"]


def test_free_space_is_that_of_the_nearest_folder(tmp_path: Path) -> None:
    """A folder that is still to be made is measured where it will be."""
    assert free_bytes(tmp_path / "not" / "yet") > 0
