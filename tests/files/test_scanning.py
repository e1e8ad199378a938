"""What a walk finds, what it passes over, and that it stays inside the root."""

import os
from pathlib import Path

import pytest

from app.errors import ImageUnreadableError, InvalidInputError
from app.files.decoding import decode_file
from app.files.opening import open_inside
from app.files.scanning import NAME_NOT_UTF8, FoundFile, IgnoredFile, find_label_folders, walk_images
from tests.parts import draw

ODD_NAMES = [
    "a b.png",
    "line\nbreak.png",
    "tab\t.png",
    'quote\'s "and" more.png',
    "<img src=x onerror=alert(1)>.png",
    "ball\u00e9\u4e2d\U0001f3c8.png",
    "cafe\u0301.png",
    "%2e%2e%2f.png",
    "-rf.png",
    "back\\slash.png",
    ("n" * 251) + ".png",
]


def walk(root: Path, folder: str = "football") -> tuple[dict[str, FoundFile], dict[str, str]]:
    """Found files by path, and ignored ones with their reason."""
    entries = list(walk_images(root, root / folder))
    found = {each.path: each for each in entries if isinstance(each, FoundFile)}
    ignored = {each.path: each.reason for each in entries if isinstance(each, IgnoredFile)}
    assert len(found) + len(ignored) == len(entries)
    return found, ignored


@pytest.mark.parametrize("name", ODD_NAMES)
def test_an_odd_name_is_a_name_like_any_other(tmp_path: Path, name: str) -> None:
    """It is found under its own name and can be read by it."""
    draw(tmp_path / "football" / name, 10)
    found, _ = walk(tmp_path)
    assert list(found) == [f"football/{name}"]
    assert decode_file(tmp_path, f"football/{name}", 1000).pixels.getpixel((0, 0)) == (10, 0, 0)


def test_sub_folders_belong_to_the_label(tmp_path: Path) -> None:
    """Files are found at any depth, with size and time, by their path below the root."""
    path = draw(tmp_path / "football" / "a" / "b" / "x.PNG", 10)
    os.utime(path, ns=(5, 123_456_789))
    found, _ = walk(tmp_path)
    assert found == {"football/a/b/x.PNG": FoundFile("football/a/b/x.PNG", path.stat().st_size, 123_456_789)}


def test_hidden_files_and_other_kinds_are_ignored_by_name(tmp_path: Path) -> None:
    """Each says why; a hidden folder is not entered."""
    draw(tmp_path / "football" / "x.png", 10)
    draw(tmp_path / "football" / ".hidden.png", 10)
    draw(tmp_path / "football" / ".folder" / "y.png", 10)
    (tmp_path / "football" / "notes.txt").write_text("no picture")
    (tmp_path / "football" / "png").write_text("no extension")
    found, ignored = walk(tmp_path)
    assert list(found) == ["football/x.png"]
    assert ignored == {
        "football/.hidden.png": "hidden",
        "football/.folder": "hidden",
        "football/notes.txt": "not an image: the extension is not one of an image format",
        "football/png": "not an image: the extension is not one of an image format",
    }


def test_a_symlink_inside_the_root_is_followed(tmp_path: Path) -> None:
    """It is a file like any other, with the size and time of where it leads."""
    target = draw(tmp_path / "store" / "x.png", 10)
    (tmp_path / "football").mkdir()
    (tmp_path / "football" / "link.png").symlink_to("../store/x.png")
    found, _ = walk(tmp_path)
    assert found["football/link.png"].size_bytes == target.stat().st_size


def test_symlinks_that_lead_elsewhere_are_passed_over(tmp_path: Path) -> None:
    """Out of the root, to a folder, to nowhere, in a circle: each is named, none is followed."""
    root = tmp_path / "root"
    outside = draw(tmp_path / "outside" / "secret.png", 10)
    draw(root / "football" / "x.png", 10)
    for name, target in {
        "out.png": str(outside),
        "sly.png": "../../outside/secret.png",
        "folder": "../../outside",
        "self": ".",
        "gone.png": "nothing-here",
        "loop.png": "loop.png",
    }.items():
        (root / "football" / name).symlink_to(target)
    found, ignored = walk(root)
    assert list(found) == ["football/x.png"]
    assert ignored == {
        "football/out.png": "a symlink that leads out of the root",
        "football/sly.png": "a symlink that leads out of the root",
        "football/folder": "a symlink that leads out of the root",
        "football/self": "a symlink to a folder",
        "football/gone.png": "a symlink that leads nowhere",
        "football/loop.png": "a symlink that leads nowhere",
    }


def test_a_fifo_does_not_hang_the_walk(tmp_path: Path) -> None:
    """What is no regular file is passed over, and is not opened even where its name is asked for."""
    (tmp_path / "football").mkdir()
    os.mkfifo(tmp_path / "football" / "pipe.png")
    _, ignored = walk(tmp_path)
    assert ignored == {"football/pipe.png": "not a regular file"}
    with pytest.raises(ImageUnreadableError, match="not a regular file"):
        open_inside(tmp_path, "football/pipe.png")


def test_a_name_that_is_not_utf_8_is_found_and_cannot_be_read(tmp_path: Path) -> None:
    """It is listed with its bytes spelled out and with what to do about it."""
    folder = tmp_path / "football"
    folder.mkdir()
    Path(os.fsdecode(os.fsencode(folder) + b"/caf\xe9.png")).write_bytes(b"x")
    found, _ = walk(tmp_path)
    assert found["football/caf\\xe9.png"].unreadable == NAME_NOT_UTF8


def test_files_whose_names_would_be_written_alike_have_a_path_each(tmp_path: Path) -> None:
    """A byte that is no UTF-8, and others that are really called as it is written: none takes another's place."""
    folder = tmp_path / "football"
    folder.mkdir()
    names = (b"/a\xe9.png", b"/a\\xe9.png", b"/\\xfe\xff.png", b"/\xfe\\xff.png")
    for name in names:
        Path(os.fsdecode(os.fsencode(folder) + name)).write_bytes(name)
    paths = [item.path for item in walk_images(tmp_path, folder)]
    assert len(paths) == len(set(paths)) == len(names)
    found, _ = walk(tmp_path)
    assert found["football/a\\xe9.png"].unreadable is None
    assert found["football/a\\xe9.png~"].unreadable == NAME_NOT_UTF8


def test_a_folder_that_vanishes_is_named(tmp_path: Path) -> None:
    """A folder that cannot be listed takes nothing from the rest."""
    found, ignored = walk(tmp_path, "no-such-folder")
    assert (found, ignored) == ({}, {"no-such-folder": "folder cannot be listed: No such file or directory"})


@pytest.mark.parametrize(
    ("pattern", "folders"),
    [
        ("football", ["football"]),
        ("*/football", ["train/football", "val/football"]),
        ("deep/*/football", ["deep/a/football"]),
        ("nothing", []),
    ],
)
def test_a_label_is_a_folder_or_a_glob(tmp_path: Path, pattern: str, folders: list[str]) -> None:
    """Folders are found in a fixed order; files of that name are none."""
    for folder in ("football", "train/football", "val/football", "deep/a/football"):
        (tmp_path / folder).mkdir(parents=True)
    (tmp_path / "test").mkdir()
    (tmp_path / "test" / "football").write_text("a file")
    assert [str(path.relative_to(tmp_path)) for path in find_label_folders(tmp_path, pattern)] == folders


@pytest.mark.parametrize("pattern", ["", "/etc", "../x", "a/../../x", "**/football", "**"])
def test_a_label_that_leaves_the_root_is_refused(tmp_path: Path, pattern: str) -> None:
    """Neither an absolute path nor ``..`` names a label; nor does ``**``, whose depth says nothing of the split."""
    with pytest.raises(InvalidInputError, match="below the root"):
        find_label_folders(tmp_path, pattern)


def test_a_label_folder_that_is_a_symlink_out_of_the_root_is_none(tmp_path: Path) -> None:
    """A dataset ends at its root."""
    (tmp_path / "outside").mkdir()
    (tmp_path / "root").mkdir()
    (tmp_path / "root" / "football").symlink_to(tmp_path / "outside")
    assert find_label_folders(tmp_path / "root", "football") == []


@pytest.mark.parametrize(
    "relative", ["../secret.png", "football/../../secret.png", "football/link.png", "dir/secret.png"]
)
def test_opening_refuses_what_lies_outside_the_root(tmp_path: Path, relative: str) -> None:
    """By dots, by a symlinked file or through a symlinked folder: no way leads out."""
    draw(tmp_path / "secret.png", 10)
    root = tmp_path / "root"
    (root / "football").mkdir(parents=True)
    (root / "football" / "link.png").symlink_to(tmp_path / "secret.png")
    (root / "dir").symlink_to(tmp_path)
    with pytest.raises(ImageUnreadableError, match="leads out of the dataset's root"):
        open_inside(root, relative)


@pytest.mark.parametrize(("relative", "reason"), [("gone.png", "No such file"), ("football", "not a regular file")])
def test_opening_says_why_it_cannot(tmp_path: Path, relative: str, reason: str) -> None:
    """A missing file and a folder are reasons, not crashes."""
    (tmp_path / "football").mkdir()
    with pytest.raises(ImageUnreadableError, match=reason):
        open_inside(tmp_path, relative)
