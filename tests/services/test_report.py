"""The report: its figures, its examples, what it tells of this machine, and its size."""

import json
import re
from collections.abc import Callable
from html import unescape
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from app.domain.auditing import Audit, AuditStratum, Tally, certify_audit
from app.domain.evidence import Draw, Record
from app.domain.reviewer_error import Repeats, measure_reviewer_error
from app.errors import ImageUnreadableError, NotFoundError, TargetExistsError
from app.files.budget import PixelBudget
from app.files.pictures import encode_small, shrink_kept
from app.services.certificates import CertificateView, certificate_document
from app.services.report import Report, make_report
from app.services.report_examples import embed_pictures
from app.services.report_files import check_report_path, report_document, report_file_name, report_json, write_report
from app.services.reviews import NewReview, give_review
from app.services.sign_offs import sign_off
from app.storage.audits import Audit as StoredAudit
from app.web.report_file import render_report
from tests.parts import Workshop, draw, names, tree

FILES = {
    "football/yes.png": 250,
    "football/sure.png": 240,
    "football/none.png": 0,
    "background/no.png": 0,
    "background/hot.png": 240,
    "background/warm.png": 180,
    "background/cold.png": 10,
}
VERDICTS = {
    "football/yes.png": "positive",
    "football/none.png": "negative",
    "background/hot.png": "positive",
    "background/warm.png": "negative",
    "background/no.png": "unsure",
}
BUDGET = PixelBudget(1 << 24)


@pytest.fixture
def called(workshop: Workshop) -> Workshop:
    """A scanned dataset with a verdict of each kind but discard, one broken file, and a sign-off of the rest."""
    root = workshop.fill(FILES)
    (root / "football" / "broken.jpg").write_bytes(b"\xff\xd8nothing")
    workshop.add(root)
    workshop.scan(1)
    workshop.call_paths(1, VERDICTS)
    sign_off(workshop.database, workshop.clock, 1, "Grace")
    return workshop


def report_on(workshop: Workshop, **values: Any) -> Report:
    """The report on the first dataset."""
    return make_report(workshop.database, workshop.settings, workshop.clock, 1, **values)


def html_of(workshop: Workshop, report: Report) -> str:
    """The same as an HTML file."""
    return render_report(workshop.settings, BUDGET, report, workshop.dataset(1).root).decode()


def test_labels_before_and_after(called: Workshop) -> None:
    """Before: folders against verdicts. After: what is released, under its verdict, the signed-off rest unknown."""
    report = report_on(called)
    before, after = report.before, report.after
    assert (before.tp, before.fp, before.fn, before.tn, before.unknown) == (1, 1, 1, 1, 4)
    assert (after.tp, after.fp, after.fn, after.tn, after.unknown) == (2, 0, 0, 2, 2)
    assert (after.images, after.unsure, after.discarded, after.unreadable, after.waiting) == (6, 1, 0, 1, 0)
    assert (report.dataset.filed_positive, report.dataset.filed_negative) == (4, 4)
    relocated = called.relocate(1, called.folder / "clean")
    assert relocated.done == after.images  # the very images that a relocation would place


def test_what_was_scanned_with_what(called: Workshop) -> None:
    """Detector, scan times, and each file that could not be read, with its reason."""
    report = report_on(called)
    assert report.detector is not None
    assert (report.detector.model, report.detector.weights_sha256, report.detector.precision) == (
        "colour", "a" * 64, "exact",
    )  # fmt: skip
    scan = report.scans[0]
    assert (scan.status, scan.scored, scan.unreadable, scan.finished_at) == ("done", 7, 1, called.clock())
    assert [(file.path, bool(file.reason)) for file in report.unreadable] == [("football/broken.jpg", True)]


def test_examples_of_each_kind(called: Workshop) -> None:
    """Both kinds of mislabel, what was overruled and what nobody could tell, each with its flag and boxes."""
    called.call_paths(1, {"football/sure.png": "discard"})
    found = {
        group.kind: [(example.path, example.flag) for example in group.examples] for group in report_on(called).examples
    }
    assert found == {
        "false_positive": [("football/none.png", "upheld")],
        "false_negative": [("background/hot.png", "upheld")],
        "overruled": [("background/warm.png", "overruled")],
        "unsure": [("background/no.png", None)],
        "discarded": [("football/sure.png", None)],
    }
    hot = next(group.examples[0] for group in report_on(called).examples if group.kind == "false_negative")
    assert (hot.verdict, hot.given_label, hot.final_label, hot.reviewer) == (
        "football",
        "background",
        "football",
        "ada",
    )
    assert [box.target for box in hot.boxes] == [True]


def test_mislabels_that_were_found_long_ago_are_shown_too(called: Workshop, monkeypatch: pytest.MonkeyPatch) -> None:
    """Newer verdicts that only agree do not hide them: the most suspicious images are looked through as well."""
    monkeypatch.setattr("app.services.report_examples.NEWEST", 1)
    monkeypatch.setattr("app.services.report_examples.LOOKED_THROUGH", 1)
    called.clock.advance(60)
    called.call_paths(1, {"football/sure.png": "positive"})
    kinds = [group.kind for group in report_on(called).examples]
    assert kinds == ["false_positive", "false_negative"]


def test_who_reviewed_how_much(called: Workshop) -> None:
    """Every reviewer with their verdicts, the busiest first."""
    called.call(called.image_id(1, "football/sure.png"), "positive", reviewer="eve")
    people = report_on(called).people
    assert [(person.name, person.verdicts, person.flags_upheld, person.unsure) for person in people] == [
        ("ada", 5, 2, 1),
        ("eve", 1, 0, 0),
    ]


def test_cleaned_folders_that_stand(called: Workshop) -> None:
    """With what was written; one that was undone is left out."""
    kept = called.relocate(1, called.folder / "clean")
    undone = called.relocate(1, called.folder / "other")
    called.undo_relocation(undone.id)
    found = report_on(called).relocations
    assert [(each.id, each.to, each.status) for each in found] == [(kept.id, "clean", "done")]
    assert "manifest.csv" in found[0].published


def test_no_path_of_this_machine_unless_asked(called: Workshop) -> None:
    """Neither in the JSON nor in the HTML, not even in a reason; with paths, the root and the cleaned folder."""
    with called.database.write() as session:
        from sqlalchemy import text

        reason = f"cannot be read: {called.folder}/frames/football/broken.jpg"
        session.execute(text("UPDATE images SET unreadable = :reason WHERE unreadable IS NOT NULL"), {"reason": reason})
    called.relocate(1, called.folder / "clean")
    plain, full = report_on(called), report_on(called, with_paths=True)
    assert str(called.folder) not in report_json(plain).decode() + html_of(called, plain)
    assert plain.dataset.root == "frames"
    assert plain.unreadable[0].reason == "cannot be read: frames/football/broken.jpg"
    assert (full.dataset.root, full.relocations[0].to) == (
        str(called.folder / "frames"), str(called.folder / "clean"),
    )  # fmt: skip


def test_the_html_has_the_figures_of_the_json(called: Workshop) -> None:
    """Each figure of the one stands in the other."""
    report = report_on(called)
    document = json.loads(report_json(report))
    assert document == report_document(report)
    shown = re.findall(r'data-figure="([\w.]+)"[^>]*>([\d,]+)<', html_of(called, report))
    assert len(shown) >= 16
    for path, figure in shown:
        value: Any = document
        for part in path.split("."):
            value = value[part]
        assert int(figure.replace(",", "")) == value, path
    assert (document["format"], document["as_of"]) == (1, "2026-03-01T12:00:00Z")
    assert len(document["curve"]["points"]) == 100


def test_the_html_stands_alone(called: Workshop) -> None:
    """Style and pictures are in it; no script, no link, no address of anything; its own policy forbids both."""
    html = html_of(called, report_on(called))
    assert html.count("<style>") == html.count("</style>") == 1
    assert not re.search(r"<script|<link|<iframe|<a\b|\bstyle=|\son\w+=|@import|url\(", html)
    assert all(url.startswith("data:image/jpeg;base64,") for url in re.findall(r'(?:src|href)="([^"]*)"', html))
    assert html.count("<img ") == 4
    policy = unescape(re.findall(r'http-equiv="Content-Security-Policy" content="([^"]*)"', html)[0])
    assert policy.startswith("default-src 'none'; img-src data:; style-src 'sha256-")


HOSTILE = "<img src=x onerror=alert(1)></style><script>alert(2)</script>\"'&"


def test_names_and_notes_are_text(workshop: Workshop) -> None:
    """Markup in a file's name, a note, a reviewer's name, a label or a dataset's name stays text."""
    name = HOSTILE.replace("/", "|")
    root = workshop.fill({f"background/{name}.png": 240, "football/a.png": 250})
    (root / "football" / f"{name}.jpg").write_bytes(b"")
    workshop.add(root, name=HOSTILE, question=f"Is {HOSTILE} there?")
    workshop.scan(1)
    image_id = workshop.image_id(1, f"background/{name}.png")
    new = NewReview("positive", None, f"eve {HOSTILE}", "review", note=HOSTILE)  # type: ignore[arg-type]
    give_review(workshop.database, workshop.clock, image_id, new)
    sign_off(workshop.database, workshop.clock, 1, HOSTILE)
    html = html_of(workshop, report_on(workshop))
    assert "<img src=x" not in html
    assert "<script" not in html
    assert html.count("</style>") == 1
    assert html.count("&lt;script&gt;") >= 4
    assert re.fullmatch(r"[A-Za-z0-9._-]+", report_file_name(report_on(workshop), "html"))


def noise(path: Path, number: int) -> None:
    """A picture that hardly compresses."""
    path.parent.mkdir(parents=True, exist_ok=True)
    pixels = np.random.default_rng(number).integers(0, 256, (900, 1200, 3), dtype=np.uint8)
    pixels[0, 0] = (240, 0, 0)
    Image.fromarray(pixels).save(path, quality=95)


def test_the_size_is_bounded(workshop: Workshop) -> None:
    """At most 24 pictures and 3 MB of them, whatever was called and however large the images are."""
    for number in range(9):
        noise(workshop.folder / "frames" / "background" / f"{number}.png", number)
        draw(workshop.folder / "frames" / "football" / f"{number}.png", 0, noise=number)
    for number in range(24):
        draw(workshop.folder / "frames" / "background" / f"x{number}.png", 255, noise=number, size=(20, 12))
    workshop.add(workshop.folder / "frames")
    workshop.scan(1)
    answers = {path: "positive" if path.startswith("background") else "negative" for path in workshop.items(1)}
    for first, verdict in (("x1", "unsure"), ("x2", "discard"), ("x", "negative")):
        answers |= {path: verdict for path in answers if path.startswith(f"background/{first}")}
    answers |= {f"background/x1{n}.png": "unsure" for n in range(6)} | {
        f"background/x2{n}.png": "discard" for n in range(4)
    }
    workshop.call_paths(1, answers)
    report = report_on(workshop)
    pictures = embed_pictures(workshop.settings, BUDGET, workshop.dataset(1).root, report.examples)
    assert len(pictures) == sum(len(group.examples) for group in report.examples) == 24
    assert sum(map(len, pictures.values())) < 3_000_000
    assert max(map(len, pictures.values())) > 50_000  # the noise was really there
    assert len(html_of(workshop, report)) < 3_300_000


def test_a_picture_that_cannot_be_had_is_no_error(called: Workshop) -> None:
    """Gone, or other bytes than those that were called: the report says so in its place."""
    (called.folder / "frames" / "football" / "none.png").unlink()
    draw(called.folder / "frames" / "background" / "hot.png", 7)
    report = report_on(called)
    pictures = embed_pictures(called.settings, BUDGET, called.dataset(1).root, report.examples)
    assert len(pictures) == 2
    assert html_of(called, report).count("No picture:") == 2


def test_a_picture_is_made_smaller_until_it_fits(tmp_path: Path) -> None:
    """By quality, then by size; a kept rendition that is broken is told from one that can be read."""
    noise(tmp_path / "noise.png", 1)
    picture = shrink_kept(tmp_path / "noise.png", 640)
    assert max(picture.size) == 640
    assert len(encode_small(picture, 640, 30_000)) <= 30_000
    with pytest.raises(ImageUnreadableError):
        shrink_kept(tmp_path / "nothing.jpg", 640)


@pytest.mark.parametrize(
    ("outside", "says"),
    [(0, "With probability 95.0 %, at most"), (7, "The certificate is not valid.")],
    ids=["valid", "invalid"],
)
def test_an_audit_is_told_in_words(called: Workshop, outside: int, says: str) -> None:
    """Bound, strata, reviewer error, assumptions and what stands in the way, whatever the certificate holds."""
    record = Record("football", 1000, reviewed=200, found=2, draws=tuple(Draw(n, 0, wrong=False) for n in range(198)))
    error = measure_reviewer_error(
        Repeats(of_yes=40, then_no=1, of_no=60), settled_yes=90, settled_no=110, unreviewed=800, left_upper=12
    )
    tallies = {"football": Tally(1000 + outside, 200, 2, outside), "background": Tally(0, 0, 0)}
    certificate = certify_audit(0.05, Audit(1, 7, (AuditStratum(1, "0.0 to 0.5", record),)), tallies, error)
    report = report_on(called)
    kept = StoredAudit(1, 1, 1, 7, 0.05, (0.5, 20.0), 1, 0.5, 0.01, 1, called.clock(), 4, 4, None)
    document = certificate_document(CertificateView(called.clock(), certificate, None, kept, {}))
    html = html_of(called, _with_certificate(report, document))
    assert says in html
    for text in ("0.0 to 0.5", "said no although the object was there", *certificate.assumptions, *error.assumptions):
        assert text in unescape(html)
    for reason in certificate.invalid_reasons:
        assert reason in html
    assert f">{certificate.overall.errors_upper:,}<" in html


def _with_certificate(report: Report, document: dict[str, Any]) -> Report:
    from dataclasses import replace

    return replace(report, certificate=document)


def test_without_an_audit_it_says_that_nothing_is_proved(called: Workshop) -> None:
    """In so many words, with the reason."""
    report = report_on(called)
    html = html_of(called, report)
    assert "Nothing is proved about the images that nobody has called." in html
    assert report.certificate["invalid_reasons"][0] in html


def test_before_anything_is_scanned(workshop: Workshop) -> None:
    """There is a report all the same, and it says how little is known."""
    workshop.add(workshop.fill(FILES))
    report = report_on(workshop)
    html = html_of(workshop, report)
    assert (report.detector, report.scans, report.curve, report.examples, report.people) == (None, (), None, (), ())
    assert "the dataset has not been scanned" in html
    assert "Nobody has made a call yet." in html


def test_nothing_is_written_over(called: Workshop) -> None:
    """Neither over a file nor over a link; what failed leaves nothing behind."""
    target = called.folder / "out" / "report.html"
    write_report(check_report_path(target), b"one")
    (called.folder / "out" / "link.html").symlink_to("nowhere")
    for path in (target, called.folder / "out" / "link.html"):
        for attempt in _attempts(path):
            with pytest.raises(TargetExistsError):
                attempt()
    assert names(called.folder / "out") == ["link.html", "report.html"]
    assert tree(called.folder / "out")["report.html"] == b"one"


def _attempts(path: Path) -> tuple[Callable[[], object], ...]:
    return (lambda: check_report_path(path), lambda: write_report(path, b"two"))


def test_a_dataset_that_is_not_there(workshop: Workshop) -> None:
    """Is named."""
    with pytest.raises(NotFoundError, match="no dataset 'nothing'"):
        make_report(workshop.database, workshop.settings, workshop.clock, "nothing")
