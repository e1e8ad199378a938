"""The tables beside a cleaned set: quoted, kept, and taken back."""

import csv
import io
from pathlib import Path

from app.files.manifests import MANIFEST, Published, write_csv


def manifest(target: Path, relocation_id: int, earlier_id: int | None) -> Published:
    """The manifest of a relocation."""
    return Published(target, MANIFEST, relocation_id, earlier_id)


def publish(target: Path, row: str, relocation_id: int, earlier_id: int | None) -> str:
    """Publish a manifest of one row; its hash."""
    return manifest(target, relocation_id, earlier_id).write(("path",), [(row,)])


def test_odd_names_survive_the_csv() -> None:
    """Newlines, quotes, commas and other scripts come back as they went in; lines end in a bare newline."""
    rows = [("a,b.jpg", 'quo"te'), ("line\nbreak", "\u4e2d"), ("=SUM(A1)", "")]
    file = io.BytesIO()
    write_csv(file, ("path", "note"), rows)
    assert not file.closed
    text = file.getvalue().decode("utf-8")
    assert [tuple(row) for row in csv.reader(io.StringIO(text, newline=""))] == [("path", "note"), *rows]
    assert "\r" not in text


def test_the_earlier_manifest_is_kept_under_its_relocation_s_number(tmp_path: Path) -> None:
    """The second relocation into a folder leaves the first one's manifest beside its own."""
    publish(tmp_path, "one", 3, None)
    publish(tmp_path, "two", 8, 3)
    assert (tmp_path / "manifest.csv").read_text() == "path\ntwo\n"
    assert (tmp_path / "manifest.3.csv").read_text() == "path\none\n"
    assert sorted(path.name for path in tmp_path.iterdir()) == ["manifest.3.csv", "manifest.csv"]


def test_publishing_again_after_a_crash_keeps_the_earlier_one(tmp_path: Path) -> None:
    """What was kept is not replaced by our own manifest."""
    publish(tmp_path, "one", 3, None)
    for _ in range(2):
        publish(tmp_path, "two", 8, 3)
    assert (tmp_path / "manifest.3.csv").read_text() == "path\none\n"


def test_withdrawing_puts_the_earlier_one_back(tmp_path: Path) -> None:
    """After an undo the folder looks as before; once more changes nothing."""
    publish(tmp_path, "one", 3, None)
    sha256 = publish(tmp_path, "two", 8, 3)
    for _ in range(2):
        manifest(tmp_path, 8, 3).withdraw(sha256)
    assert {path.name: path.read_text() for path in tmp_path.iterdir()} == {"manifest.csv": "path\none\n"}


def test_withdrawing_the_first_one_leaves_none(tmp_path: Path) -> None:
    """There was no manifest before the first relocation."""
    sha256 = publish(tmp_path, "one", 3, None)
    for _ in range(2):
        manifest(tmp_path, 3, None).withdraw(sha256)
    assert list(tmp_path.iterdir()) == []


def test_withdrawing_from_a_folder_that_is_gone_is_fine(tmp_path: Path) -> None:
    """A person may have removed the whole cleaned folder."""
    manifest(tmp_path / "gone", 3, None).withdraw("0" * 64)
    assert not (tmp_path / "gone").exists()


def test_a_stranger_s_manifest_is_kept_and_put_back(tmp_path: Path) -> None:
    """A file of that name that is not ours is kept under another name, and is back after the undo."""
    (tmp_path / "manifest.csv").write_text("mine\n")
    sha256 = publish(tmp_path, "one", 3, None)
    kept = (tmp_path / "manifest.before-3.csv").read_text()
    for _ in range(2):
        manifest(tmp_path, 3, None).withdraw(sha256)
    assert kept == "mine\n"
    assert {path.name: path.read_text() for path in tmp_path.iterdir()} == {"manifest.csv": "mine\n"}


def test_a_manifest_that_a_person_edited_stays(tmp_path: Path) -> None:
    """Undo removes only what we wrote, as we wrote it."""
    sha256 = publish(tmp_path, "one", 3, None)
    (tmp_path / "manifest.csv").write_text("path\none\nand a note\n")
    manifest(tmp_path, 3, None).withdraw(sha256)
    assert (tmp_path / "manifest.csv").read_text() == "path\none\nand a note\n"


def test_a_planted_symlink_is_not_written_through(tmp_path: Path) -> None:
    """A symlink under the temporary name does not lead our writing to somebody's file."""
    precious = tmp_path / "precious.txt"
    precious.write_text("keep me")
    (tmp_path / ".touchline-3-manifest.csv.part").symlink_to(precious)
    publish(tmp_path, "one", 3, None)
    assert precious.read_text() == "keep me"
    assert (tmp_path / "manifest.csv").read_text() == "path\none\n"


def test_kept_names_carry_the_number_before_the_extension(tmp_path: Path) -> None:
    """``left-out.csv`` of relocation 12 is kept as ``left-out.12.csv``."""
    assert Published(tmp_path, "left-out.csv", 13, 12).kept_as.name == "left-out.12.csv"
