"""Learning from verdicts on a real database: order, flags, thresholds that move meanwhile, and what stays."""

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pytest
from sqlalchemy import text

from app.detector.base import Prepared
from app.domain.detections import Sight
from app.domain.images import Side
from app.domain.reviewing import Verdict
from app.services.audits import ensure_audit
from app.services.datasets import set_threshold
from app.services.handing_out import next_items
from app.services.learning import FIRST, is_due, learn, learn_any, read_rows, sweep_any
from app.services.releasing import candidate_of
from app.services.sign_offs import sign_off
from app.storage.fits import find_fit
from app.storage.tallies import count_dataset
from tests.parts import Browser, ColourDetector, Workshop, draw

HIDDEN = 14  #: images with the object filed as background, on which the detector agrees


class Painter(ColourDetector):
    """Scores by red as its parent does, and gives features that see the green, which the score does not."""

    def look(self, prepared: Sequence[Prepared]) -> list[Sight]:
        """See :class:`app.detector.base.Detector`."""
        return [Sight(found, self._features(each)) for found, each in zip(self.detect(prepared), prepared, strict=True)]

    def _features(self, prepared: Prepared) -> bytes:
        red, green, _ = (int(value) for value in prepared.views[0].pixels[:, 0, 0])
        noise = np.random.default_rng([red, green]).standard_normal(8)
        return (noise + np.eye(8)[0] * (4 if green >= 128 else -4)).astype("<f2").tobytes()


@pytest.fixture
def painted(workshop: Workshop) -> Workshop:
    """A dataset scanned by the painter: 60 of each label, 14 hidden objects, 8 images of each label in disagreement."""
    root = workshop.folder / "frames"
    for number in range(60):
        draw(root / "football" / f"{number:03}.png", 170 + number, green=200 + number % 50, noise=number)
        draw(root / "background" / f"{number:03}.png", 15 + number, green=number % 50, noise=number)
    for number in range(HIDDEN):
        draw(root / "background" / f"hidden{number:03}.png", 60 + number, green=220 + number, noise=number)
    for number in range(8):
        draw(root / "football" / f"empty{number}.png", 30 + number, green=10 + number, noise=number)
        draw(root / "background" / f"seen{number}.png", 200 + number, green=130 + number, noise=number)
        draw(root / "background" / f"decoy{number}.png", 140 + number, green=20 + number, noise=number)
    workshop.add(root)
    workshop.scan(1, Painter())
    return workshop


def truth_of(path: str) -> Verdict:
    """What is in a painted image."""
    name = Path(path).name
    seen = name.startswith(("hidden", "seen")) or (path.startswith("football") and not name.startswith("empty"))
    return Verdict.POSITIVE if seen else Verdict.NEGATIVE


def call_some(workshop: Workshop) -> None:
    """The truth about every fourth image and half of those in disagreement."""
    paths = list(workshop.items(1))
    some = [path for place, path in enumerate(paths) if place % 4 == 0 or (path[-5] in "02468" and "0" not in path)]
    workshop.call_paths(1, {path: truth_of(path) for path in some if "hidden00" not in path})


def learned(workshop: Workshop) -> Workshop:
    """The same after some verdicts and a fit."""
    call_some(workshop)
    assert learn_any(workshop.database, workshop.settings, workshop.clock)
    return workshop


def flags(workshop: Workshop) -> dict[str, tuple[str, ...]]:
    """The reasons of each image's flags."""
    items = workshop.items(1)
    return {path: tuple(flag.reason for flag in item.flags) for path, item in items.items() if item.flags}


def served(workshop: Workshop) -> list[str]:
    """The whole flagged queue in its order, each image leased to another tab."""
    found: list[str] = []
    while True:
        client = f"tab {len(found)}"
        items = next_items(
            workshop.database, workshop.settings.review, workshop.clock, 1, queue="flagged", count=10, client=client
        )
        if not items:
            return found
        found += [item.record.path for item in items]


def open_flags(workshop: Workshop) -> set[str]:
    """Flagged images that nobody has called."""
    items = workshop.items(1)
    return {path for path, item in items.items() if item.flags and item.record.verdict is None}


def test_a_scan_stores_features_that_end_with_the_score(painted: Workshop) -> None:
    """One row an image; a file that changes loses its own and gets another."""
    with painted.database.read() as session:
        assert session.scalar(text("SELECT count(*) FROM features")) == len(painted.items(1))
    (painted.folder / "frames" / "football" / "000.png").unlink()
    painted.scan(1, Painter())
    with painted.database.read() as session:
        assert session.scalar(text("SELECT count(*) FROM features")) == len(painted.items(1))


def test_nothing_is_learned_of_few_verdicts(painted: Workshop) -> None:
    """The order is the detector's, and no doubt raises a flag."""
    painted.call_paths(1, {"football/000.png": Verdict.POSITIVE})
    assert not learn_any(painted.database, painted.settings, painted.clock)
    assert set(flags(painted).values()) == {("disagreement",)}
    assert [is_due(FIRST - 1, None), is_due(FIRST, None), is_due(49, 25), is_due(50, 25)] == [False, True, False, True]


def test_agreeing_images_are_doubted_for_what_others_were_called(painted: Workshop) -> None:
    """Each with a reason that a person can read; those that are right are left alone."""
    learned(painted)
    doubted = {path for path, reasons in flags(painted).items() if reasons == ("second_opinion",)}
    hidden = {path for path in painted.items(1) if "hidden" in path}
    assert len(doubted & hidden) >= HIDDEN - 4
    assert len(doubted - hidden) <= 2
    [flag] = painted.items(1)[sorted(doubted & hidden)[0]].flags
    assert flag.detail.startswith("filed as background, and D-FINE agrees; by what people have called so far, ")


def test_the_flagged_queue_holds_exactly_the_open_flags_most_suspicious_first(painted: Workshop) -> None:
    """What is surely wrong comes before what the detector alone is sure of."""
    learned(painted)
    order = served(painted)
    assert set(order) == open_flags(painted)
    assert len(order) == len(set(order))
    ranks = [painted.items(1)[path].record.rank or 0.0 for path in order]
    assert ranks == sorted(ranks)
    assert np.mean([truth_of(path).value != painted.items(1)[path].record.given for path in order[:8]]) == 1
    decoys = [place for place, path in enumerate(order) if "decoy" in path]
    assert min(decoys) > len(order) / 2


@pytest.mark.parametrize("threshold", [0.1, 0.5, 0.9])
def test_a_threshold_moves_at_once_and_the_order_follows(painted: Workshop, threshold: float) -> None:
    """Before the worker has brought the flags after it the queue holds the same images as afterwards."""
    learned(painted)
    set_threshold(painted.database, 1, threshold)
    before = served(painted)
    assert set(before) == open_flags(painted)
    painted.clock.advance(200)
    assert sweep_any(painted.database) is (threshold != 0.5)
    after = served(painted)
    assert set(after) == set(before)
    ranks = [painted.items(1)[path].record.rank or 0.0 for path in after]
    assert ranks == sorted(ranks)
    assert not sweep_any(painted.database)


def test_images_scanned_after_a_fit_are_in_the_queue_at_once(painted: Workshop) -> None:
    """Nothing has been learned of them yet; the scan then fits anew."""
    learned(painted)
    draw(painted.folder / "frames" / "background" / "late.png", 222, green=1)
    painted.scan(1, Painter())
    assert "background/late.png" in served(painted)


def test_counts_sign_off_and_release_know_the_doubts(painted: Workshop) -> None:
    """A doubted image is flagged in the counts, is not signed off, and stays out as an unreviewed flag."""
    learned(painted)
    dataset = painted.dataset(1)
    with painted.database.read() as session:
        counts = count_dataset(session, dataset)
    assert (counts.flagged, counts.open_flags) == (len(flags(painted)), len(open_flags(painted)))
    view = sign_off(painted.database, painted.clock, 1, "grace")
    agreeing = [item for item in painted.items(1).values() if not item.flags and item.record.verdict is None]
    assert view.images == view.still_holding == len(agreeing)
    doubted = next(item.record for item in painted.items(1, flag="second_opinion").values() if not item.record.verdict)
    candidate = candidate_of(doubted, dataset)
    assert (candidate.signed_off, [flag.reason for flag in candidate.flags]) == (False, ["second_opinion"])


def test_the_api_and_the_desk_tell_the_second_opinion(painted: Workshop) -> None:
    """As a flag like any other: in the list, in its filter, in the stats and in the desk's sentence."""
    learned(painted)
    browser = Browser(painted)
    browser.sign_in()
    found = browser.get("/api/images?dataset=1&flag=second_opinion&reviewed=false").json()["items"]
    assert found
    assert {flag["reason"] for item in found for flag in item["flags"]} == {"second_opinion"}
    stats = browser.get("/api/datasets/1/stats").json()
    assert stats["flagged"] == len(flags(painted))
    page = browser.get(f"/review?dataset=1&image={found[0]['id']}").text
    assert "by what people have called so far" in page
    browser.close()


def test_the_fit_knows_which_verdicts_are_draws_and_how_likely_each_was(painted: Workshop) -> None:
    """A draw stands for 1/p images like it; a verdict that people went looking for, for itself alone."""
    call_some(painted)
    with painted.database.write() as session:
        ensure_audit(session, painted.dataset("frames"), painted.settings.review, painted.clock(), 7)
    (item,) = next_items(painted.database, painted.settings.review, painted.clock, "frames", "audit", 1, "tab-1")
    painted.call_paths(1, {item.record.path: truth_of(item.record.path)})
    dataset = painted.dataset("frames")
    assert dataset.detector_id is not None
    rows = read_rows(painted.database, dataset, dataset.detector_id)
    drawn = {int(rows.ids[at]): float(rows.images.drawn[at]) for at in np.flatnonzero(np.isfinite(rows.images.drawn))}
    assert list(drawn) == [item.record.id]
    assert 0 < drawn[item.record.id] < 1


def test_a_fit_is_the_same_again(painted: Workshop) -> None:
    """The same verdicts, the same places: nothing is written a second time."""
    learned(painted)
    again = learn(painted.database, painted.settings, painted.clock, 1)
    assert again is not None
    assert again.written == 0


def test_verdicts_and_scores_are_left_alone(painted: Workshop) -> None:
    """A fit writes the order and the doubts, and nothing else."""
    call_some(painted)
    kept = "SELECT image_id, given, score, against, called FROM scores ORDER BY image_id", "SELECT * FROM reviews"
    with painted.database.read() as session:
        before = [session.execute(text(query)).all() for query in kept]
    learn(painted.database, painted.settings, painted.clock, 1)
    with painted.database.read() as session:
        assert [session.execute(text(query)).all() for query in kept] == before


def test_other_target_classes_forget_what_was_learned(painted: Workshop) -> None:
    """Other scores: the order is the detector's until the next fit."""
    learned(painted)
    detector = painted.settings.detector.model_copy(update={"target_classes": ("goal",)})
    settings = painted.settings.model_copy(update={"detector": detector})
    scan = painted.scan(1, Painter(), settings)
    assert scan.status == "done"
    with painted.database.read() as session:
        fit = find_fit(session, 1)
        assert fit is not None  # the scan's own, from the scores as they are now
        assert session.scalar(text("SELECT count(*) FROM scores WHERE abs(rank) > 1")) == 0
    assert set(served(painted)) == open_flags(painted)


def test_a_moved_image_takes_no_doubt_into_the_other_folder(painted: Workshop) -> None:
    """Its new label is what was learned of it."""
    learned(painted)
    path = sorted(painted.items(1, flag="second_opinion"))[-1]
    frames = painted.folder / "frames"
    (frames / path).rename(frames / "football" / "moved.png")
    painted.scan(1, Painter())
    item = painted.items(1)["football/moved.png"]
    assert item.record.given is Side.POSITIVE
    assert "second_opinion" not in {flag.reason for flag in item.flags}
    assert set(served(painted)) == open_flags(painted)
