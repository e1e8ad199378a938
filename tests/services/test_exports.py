"""Exports: the released set as a folder, an archive or a manifest; the same content is the same bytes."""

import csv
import io
import zipfile
from pathlib import Path

import pytest

from app.errors import ConflictError, InvalidInputError, NotFoundError, TargetExistsError
from app.files.manifests import PUBLISHED
from app.files.writing import hash_file
from app.services.exports import (
    ExportView,
    claim_export,
    export_now,
    find_download,
    request_export,
    run_export,
    show_export,
    view_export_page,
)
from app.services.sign_offs import sign_off
from tests.parts import Workshop, draw, tree

FILES = {"football/yes.png": 250, "football/none.png": 0, "background/no.png": 0, "background/hot.png": 240}


@pytest.fixture
def called(workshop: Workshop) -> Workshop:
    """A dataset with two verdicts and a sign-off of the agreeing rest."""
    workshop.ready(FILES)
    workshop.call_paths(1, {"background/hot.png": "positive", "football/yes.png": "positive"})
    sign_off(workshop.database, workshop.clock, 1, "Eve")
    return workshop


def export(workshop: Workshop, form: str, to: Path) -> ExportView:
    """Export in this process."""
    return export_now(workshop.database, workshop.clock, workshop.worker(), 1, form, to)


def rows(text: str) -> list[dict[str, str]]:
    """Rows of a CSV text."""
    return list(csv.DictReader(io.StringIO(text, newline="")))


def test_a_folder_holds_what_is_released_and_both_tables(called: Workshop) -> None:
    """Images under their final label, byte by byte; manifest and left-out together are the dataset."""
    view = export(called, "imagefolder", called.folder / "out")
    found = tree(called.folder / "out")
    assert set(found) == {"football/yes.png", "football/hot.png", "background/no.png", *PUBLISHED}
    assert found["football/hot.png"] == (called.folder / "frames/background/hot.png").read_bytes()
    sources = [row["source_path"] for name in ("manifest.csv", "left-out.csv") for row in rows(found[name].decode())]
    assert sorted(sources) == sorted(FILES)
    assert (view.status, view.bytes, view.sha256) == (
        "done",
        sum(len(content) for content in found.values()),
        hash_file(called.folder / "out" / "manifest.csv"),
    )


def test_the_manifest_alone(called: Workshop) -> None:
    """The same rows as in the folder's manifest, and its hash and size on record."""
    view = export(called, "csv", called.folder / "out.csv")
    export(called, "imagefolder", called.folder / "out")
    alone = rows((called.folder / "out.csv").read_text(encoding="utf-8"))
    beside = rows((called.folder / "out" / "manifest.csv").read_text(encoding="utf-8"))
    assert sorted(alone, key=str) == sorted(beside, key=str)
    assert (view.sha256, view.bytes) == (
        hash_file(called.folder / "out.csv"),
        (called.folder / "out.csv").stat().st_size,
    )


@pytest.mark.parametrize("form", ["csv", "imagefolder"])
def test_the_same_verdicts_are_the_same_bytes(called: Workshop, form: str) -> None:
    """Whenever it is exported."""
    export(called, form, called.folder / "one")
    called.clock.advance(1000)
    export(called, form, called.folder / "two")
    one, two = called.folder / "one", called.folder / "two"
    assert (tree(one) == tree(two)) if one.is_dir() else (one.read_bytes() == two.read_bytes())


def test_a_queued_export_becomes_an_archive(called: Workshop) -> None:
    """In the data folder, to be downloaded once it is done; two of the same content are equal."""
    views = [request_export(called.database, called.settings, called.clock, 1, "imagefolder") for _ in range(2)]
    with pytest.raises(ConflictError, match="is queued"):
        find_download(called.database, views[0].id)
    worker_id = called.worker()
    for _ in views:
        claimed = claim_export(called.database, called.settings.worker, called.clock, worker_id)
        assert claimed is not None
        assert run_export(called.database, called.clock, claimed) is None
    assert claim_export(called.database, called.settings.worker, called.clock, worker_id) is None
    one, two = (find_download(called.database, view.id) for view in views)
    assert (one != two, one.read_bytes() == two.read_bytes()) == (True, True)
    with zipfile.ZipFile(one) as archive:
        assert "football/hot.png" in archive.namelist()


def test_the_manifest_names_the_entries_of_its_archive(workshop: Workshop) -> None:
    """Also where a name could not be taken over letter by letter."""
    workshop.ready({"football/a\\b.png": 250, "background/c.png": 0})
    workshop.call_paths(1, {"football/a\\b.png": "positive", "background/c.png": "negative"})
    export(workshop, "imagefolder", workshop.folder / "out.zip")
    with zipfile.ZipFile(workshop.folder / "out.zip") as archive:
        manifest = {row["path"]: row["source_path"] for row in rows(archive.read("manifest.csv").decode())}
        assert set(archive.namelist()) == {*manifest, *PUBLISHED}
    assert manifest == {"football/a%5Cb.png": "football/a\\b.png", "background/c.png": "background/c.png"}


def test_an_export_whose_worker_died_is_taken_up_again(called: Workshop) -> None:
    """Once it is silent for too long."""
    request_export(called.database, called.settings, called.clock, 1, "csv")
    claim = (called.database, called.settings.worker, called.clock)
    assert claim_export(*claim, called.worker()) is not None
    assert claim_export(*claim, called.worker()) is None
    called.clock.advance(31)
    assert claim_export(*claim, called.worker()) is not None


@pytest.mark.parametrize("form", ["csv", "imagefolder"])
def test_nothing_is_exported_over_what_exists(called: Workshop, form: str) -> None:
    """The path is named, its content stays, and the failure is on record."""
    draw(called.folder / "out" / "mine.png", 1)
    with pytest.raises(TargetExistsError, match="exists already and is not overwritten"):
        export(called, form, called.folder / "out")
    assert list(tree(called.folder / "out")) == ["mine.png"]
    assert (show_export(called.database, 1).status, show_export(called.database, 1).sha256) == ("failed", None)


def test_an_image_that_changed_since_is_left_out_by_name(called: Workshop) -> None:
    """The rest is exported."""
    draw(called.folder / "frames/football/yes.png", 7, size=(50, 50))
    (called.folder / "frames/background/no.png").unlink()
    export(called, "imagefolder", called.folder / "out")
    left_out = rows((called.folder / "out" / "left-out.csv").read_text(encoding="utf-8"))
    assert {row["source_path"]: row["reason"] for row in left_out} == {
        "football/yes.png": "source_changed",
        "background/no.png": "source_changed",
        "football/none.png": "unreviewed_flag",
    }
    assert [path for path in tree(called.folder / "out") if path.endswith(".png")] == ["football/hot.png"]


@pytest.mark.parametrize(
    ("form", "said"), [("gold", "'gold' is unknown; there are: "), ("coco", "comes in a later release")]
)
def test_formats_that_cannot_be_had_are_named(called: Workshop, form: str, said: str) -> None:
    """With those that can."""
    with pytest.raises(InvalidInputError, match=said):
        export(called, form, called.folder / "out")


def test_a_download_that_is_gone_is_not_found(called: Workshop) -> None:
    """Removed by hand, or a folder that cannot be sent."""
    view = export(called, "csv", called.folder / "out.csv")
    (called.folder / "out.csv").unlink()
    with pytest.raises(NotFoundError, match="cannot be downloaded"):
        find_download(called.database, view.id)
    with pytest.raises(NotFoundError):
        find_download(called.database, 99)


def test_the_page_counts_what_an_export_would_hold(called: Workshop) -> None:
    """Verdicts and what the sign-off still covers; the formats that there are."""
    page = view_export_page(called.database, called.dataset(1))
    assert (page.ready, [name for name, _ in page.formats]) == (3, ["imagefolder", "csv"])
