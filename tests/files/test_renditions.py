"""Smaller pictures for the browser."""

import os
from pathlib import Path

import pytest
from PIL import Image

from app.errors import ImageUnreadableError
from app.files.renditions import find_rendition, keep_rendition, make_rendition, measure_renditions
from tests.files.test_decoding import STORED, corners, exif_block, quarters


@pytest.mark.parametrize("orientation", [1, 3, 6, 8])
def test_a_rendition_is_upright_and_bounded(tmp_path: Path, orientation: int) -> None:
    """Turned by its EXIF orientation, shrunk to its longer side, without metadata of its source."""
    STORED[orientation](quarters((640, 320))).save(tmp_path / "a.jpg", quality=95, exif=exif_block(orientation))
    path = make_rendition(tmp_path / "kept", tmp_path, "a.jpg", "tile", 100, 1_000_000)
    with Image.open(path) as picture:
        assert (picture.format, picture.size, corners(picture)) == ("JPEG", (100, 50), "rgbw")
        assert dict(picture.getexif()) == {}


def test_a_small_picture_is_not_enlarged(tmp_path: Path) -> None:
    """A rendition has at most the size of its source."""
    quarters((20, 10)).save(tmp_path / "a.png")
    with Image.open(make_rendition(tmp_path / "kept", tmp_path, "a.png", "screen", 2048, 1000)) as picture:
        assert picture.size == (20, 10)


def test_a_rendition_is_kept_by_hash_size_and_side(tmp_path: Path) -> None:
    """It is found again without decoding, and another size is another picture."""
    quarters().save(tmp_path / "a.png")
    path = make_rendition(tmp_path / "kept", tmp_path, "a.png", "tile", 32, 10_000)
    sha256 = path.name.partition("-")[0]
    assert find_rendition(tmp_path / "kept", sha256, "tile", 32) == path
    assert find_rendition(tmp_path / "kept", sha256, "tile", 33) is None
    assert find_rendition(tmp_path / "kept", sha256, "screen", 32) is None
    before = path.stat().st_mtime_ns
    os.utime(path, ns=(1, 1))
    assert make_rendition(tmp_path / "kept", tmp_path, "a.png", "tile", 32, 10_000).stat().st_mtime_ns == 1 != before


def test_what_cannot_be_decoded_has_no_rendition(tmp_path: Path) -> None:
    """The reason is raised and nothing is kept."""
    (tmp_path / "a.png").write_bytes(b"no picture")
    with pytest.raises(ImageUnreadableError, match="no image"):
        make_rendition(tmp_path / "kept", tmp_path, "a.png", "tile", 32, 10_000)
    assert not (tmp_path / "kept").exists()


def test_what_a_power_cut_left_of_a_rendition_is_made_anew(tmp_path: Path) -> None:
    """An empty file is no picture."""
    quarters().save(tmp_path / "a.png")
    path = make_rendition(tmp_path / "kept", tmp_path, "a.png", "tile", 32, 10_000)
    path.write_bytes(b"")
    assert find_rendition(tmp_path / "kept", path.name.partition("-")[0], "tile", 32) is None
    assert make_rendition(tmp_path / "kept", tmp_path, "a.png", "tile", 32, 10_000).stat().st_size > 0


def test_what_is_kept_is_measured_whole_or_from_a_sample(tmp_path: Path) -> None:
    """By hash the folders fill evenly, so a few of them tell of all."""
    assert measure_renditions(tmp_path / "none") == 0
    for number in range(256):
        keep_rendition(tmp_path, f"{number:02x}" * 32, quarters(), "tile", 32)
    whole = sum(path.stat().st_size for path in tmp_path.rglob("*.jpg"))
    assert measure_renditions(tmp_path) == whole
    assert measure_renditions(tmp_path, one_in=16) == pytest.approx(whole, rel=0.05)
