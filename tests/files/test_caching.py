"""What is made once and found again."""

from pathlib import Path

import pytest

from app.files.caching import FolderCache
from tests.parts import names


def test_it_is_made_once(tmp_path: Path) -> None:
    """The second time it is only found."""
    cache = FolderCache(tmp_path)
    made: list[Path] = []

    def make(path: Path) -> None:
        made.append(path)
        path.write_text("dear")

    assert cache.find_or_make("a/network.onnx", make) == cache.find_or_make("a/network.onnx", make)
    assert len(made) == 1
    assert made[0].suffix == ".onnx"
    assert names(tmp_path / "a") == ["network.onnx"]


def test_a_failure_leaves_nothing(tmp_path: Path) -> None:
    """The next try starts afresh."""
    cache = FolderCache(tmp_path)

    def fail(path: Path) -> None:
        path.mkdir()
        (path / "half").write_text("h")
        msg = "no"
        raise ValueError(msg)

    with pytest.raises(ValueError, match="no"):
        cache.find_or_make("folder", fail)
    assert names(tmp_path) == []


def test_two_at_once_get_the_same(tmp_path: Path) -> None:
    """A folder that another process finished first is kept."""
    cache = FolderCache(tmp_path)

    def slow(path: Path) -> None:
        cache.find_or_make("folder", fast)
        write(path, "slow")

    def fast(path: Path) -> None:
        write(path, "fast")

    found = cache.find_or_make("folder", slow)
    assert (found / "file").read_text() == "fast"
    assert names(tmp_path) == ["folder"]


def write(folder: Path, text: str) -> None:
    """A folder with one file."""
    folder.mkdir()
    (folder / "file").write_text(text)
