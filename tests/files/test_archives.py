"""Exports to a folder and to a ZIP: whole or not at all, and the same content is the same bytes."""

import os
import time
import zipfile
from collections.abc import Callable
from contextlib import AbstractContextManager
from pathlib import Path

import pytest

from app.domain.relocation import LeftOut
from app.errors import MoveError, TargetExistsError, UsageError
from app.files.archives import EPOCH, Sink, measure, new_folder_sink, new_or_empty_folder, new_zip_sink
from app.files.writing import hash_file
from tests.parts import draw, names, tree

SINKS: list[Callable[[Path], AbstractContextManager[Sink]]] = [new_folder_sink, new_zip_sink]


class BrokenOffError(Exception):
    """Whatever ends an export half-way."""


def write(sink: AbstractContextManager[Sink], root: Path) -> None:
    """One image and one table."""
    with sink as opened:
        opened.add_image(root, "a.png", "football/a.png", hash_file(root / "a.png"))
        opened.add_table("manifest.csv", ("path",), [("football/a.png",)])


def write_and_break(sink: AbstractContextManager[Sink], root: Path) -> None:
    """The same, with a failure at the end."""
    with sink as opened:
        opened.add_image(root, "a.png", "football/a.png", hash_file(root / "a.png"))
        raise BrokenOffError


@pytest.fixture
def root(tmp_path: Path) -> Path:
    """A folder with a picture."""
    draw(tmp_path / "root" / "a.png", 10)
    return tmp_path / "root"


def test_a_folder_holds_the_source_s_bytes(tmp_path: Path, root: Path) -> None:
    """An image and the table beside it."""
    write(new_folder_sink(tmp_path / "out"), root)
    assert tree(tmp_path / "out") == {
        "football/a.png": (root / "a.png").read_bytes(),
        "manifest.csv": b"path\nfootball/a.png\n",
    }
    assert measure(tmp_path / "out") == sum(len(content) for content in tree(tmp_path / "out").values())


def test_the_same_content_is_the_same_archive(tmp_path: Path, root: Path) -> None:
    """Neither the time nor the file's own dates are in it."""
    write(new_zip_sink(tmp_path / "one.zip"), root)
    os.utime(root / "a.png", (time.time() - 10_000, time.time() - 10_000))
    write(new_zip_sink(tmp_path / "two.zip"), root)
    assert (tmp_path / "one.zip").read_bytes() == (tmp_path / "two.zip").read_bytes()
    with zipfile.ZipFile(tmp_path / "one.zip") as archive:
        assert archive.testzip() is None
        assert archive.read("football/a.png") == (root / "a.png").read_bytes()
        assert archive.namelist() == ["football/a.png", "manifest.csv"]
        assert {entry.date_time for entry in archive.infolist()} == {EPOCH}


def test_no_name_in_an_archive_holds_a_backslash(tmp_path: Path, root: Path) -> None:
    """It is a letter of a name here and a separator elsewhere; what was named like its replacement keeps a place."""
    sha256 = hash_file(root / "a.png")
    with new_zip_sink(tmp_path / "out.zip") as sink:
        added = [sink.add_image(root, "a.png", name, sha256) for name in ("x/a%5Cb.png", "x/a\\b.png", "x/..\\c.png")]
    with zipfile.ZipFile(tmp_path / "out.zip") as archive:
        assert archive.namelist() == added == ["x/a%5Cb.png", "x/a%5Cb__2.png", "x/..%5Cc.png"]


@pytest.mark.parametrize("sink", SINKS)
def test_a_failure_half_way_leaves_nothing(
    tmp_path: Path, root: Path, sink: Callable[[Path], AbstractContextManager[Sink]]
) -> None:
    """Neither the export nor a temporary name stay behind."""
    with pytest.raises(BrokenOffError):
        write_and_break(sink(tmp_path / "out"), root)
    assert names(tmp_path) == ["root"]


@pytest.mark.parametrize("sink", SINKS)
@pytest.mark.parametrize("kind", ["file", "empty folder", "dangling symlink"])
def test_an_existing_path_is_refused(
    tmp_path: Path, root: Path, sink: Callable[[Path], AbstractContextManager[Sink]], kind: str
) -> None:
    """Whatever is there stays."""
    out = tmp_path / "out"
    match kind:
        case "file":
            out.write_bytes(b"mine")
        case "empty folder":
            out.mkdir()
        case _:
            out.symlink_to("nowhere")
    with pytest.raises(TargetExistsError, match="exists already and is not overwritten"):
        write(sink(out), root)
    assert names(tmp_path) == ["out", "root"]


@pytest.mark.parametrize("sink", SINKS)
def test_a_source_with_other_bytes_is_not_exported(
    tmp_path: Path, root: Path, sink: Callable[[Path], AbstractContextManager[Sink]]
) -> None:
    """It is refused by name, and the rest of the export does not hold a piece of it."""
    with sink(tmp_path / "out") as opened:
        with pytest.raises(MoveError, match=r"a\.png: its bytes changed since it was scanned") as caught:
            opened.add_image(root, "a.png", "football/a.png", "0" * 64)
        with pytest.raises(MoveError, match="No such file"):
            opened.add_image(root, "gone.png", "football/gone.png", "0" * 64)
        opened.add_table("manifest.csv", ("path",), [])
    assert caught.value.code == LeftOut.SOURCE_CHANGED
    if (tmp_path / "out").is_dir():
        assert list(tree(tmp_path / "out")) == ["manifest.csv"]
    else:
        with zipfile.ZipFile(tmp_path / "out") as archive:
            assert archive.namelist() == ["manifest.csv"]


def fill(path: Path, meddle: Callable[[], object] = lambda: None) -> None:
    """Make a folder, while somebody else may do something."""
    with new_or_empty_folder(path) as folder:
        (folder / "x").write_text("new")
        meddle()


def test_an_empty_folder_may_be_filled(tmp_path: Path) -> None:
    """The demo is drawn into a folder that a person made for it."""
    (tmp_path / "out").mkdir()
    fill(tmp_path / "out")
    assert tree(tmp_path / "out") == {"x": b"new"}


def test_a_folder_that_is_filled_in_between_is_not_replaced(tmp_path: Path) -> None:
    """What arrived meanwhile stays, and our own temporary folder goes."""
    out = tmp_path / "out"
    with pytest.raises(TargetExistsError):
        fill(out, lambda: draw(out / "mine.png", 1))
    assert list(tree(tmp_path)) == ["out/mine.png"]


def test_a_place_that_cannot_be_written_is_a_usage_error(tmp_path: Path) -> None:
    """A file where a folder should be is said in one line."""
    (tmp_path / "file").write_text("")
    with pytest.raises(UsageError, match="cannot be written: Not a directory"):
        fill(tmp_path / "file" / "out")
