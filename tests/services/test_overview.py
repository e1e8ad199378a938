"""The overview: histogram, counts, reviewers, and everything at a glance on the command line."""

import pytest

from app.services.overview import view_card, view_histogram, view_overview, view_stats_page
from app.services.status import describe_status, view_status
from tests.parts import Workshop

FILES = {"football/yes.png": 255, "football/none.png": 0, "background/no.png": 0, "background/hot.png": 153}


def test_the_histogram_counts_each_folder_by_score(workshop: Workshop) -> None:
    """A hundred bins, closed below, the last one above too; their sum is what is scored."""
    workshop.ready(FILES)
    with workshop.database.read() as session:
        histogram = view_histogram(session, workshop.dataset(1))
    assert histogram is not None
    filled = {
        round(found.lower, 2): (found.positive, found.negative)
        for found in histogram.bins
        if found.positive or found.negative
    }
    assert (len(histogram.bins), filled, histogram.peak) == (100, {0.0: (1, 1), 0.6: (0, 1), 0.99: (1, 0)}, 1)


def test_before_a_scan_there_is_no_histogram(workshop: Workshop) -> None:
    """Rather than an empty one."""
    workshop.add(workshop.fill(FILES))
    card = view_card(workshop.database, workshop.settings, workshop.clock, workshop.dataset(1))
    assert (card.histogram, card.scan, card.stats.scored) == (None, None, 0)


def test_the_card_says_that_the_built_in_model_is_no_real_one(workshop: Workshop) -> None:
    """Before the first scan it is the one that will score; after a scan by another nothing is said of it."""
    workshop.add(workshop.fill(FILES))
    before = view_card(workshop.database, workshop.settings, workshop.clock, workshop.dataset(1))
    workshop.scan(1)
    after = view_card(workshop.database, workshop.settings, workshop.clock, workshop.dataset(1))
    assert "has seen only drawn images" in (before.model_notice or "")
    assert after.model_notice is None


@pytest.mark.parametrize("preparing", [True, False])
def test_an_empty_overview_says_whether_the_demo_is_coming(workshop: Workshop, preparing: bool) -> None:
    """With a dataset there is nothing to wait for."""
    page = view_overview(workshop.database, workshop.settings, workshop.clock, None, preparing_demo=preparing)
    assert (page.current, page.preparing_demo) == (None, preparing)
    workshop.ready(FILES)
    full = view_overview(
        workshop.database, workshop.settings, workshop.clock, workshop.dataset(1), preparing_demo=preparing
    )
    assert full.preparing_demo is False


def test_reviewers_are_told_apart(workshop: Workshop) -> None:
    """Effective verdicts alone, by kind."""
    workshop.ready(FILES)
    workshop.call_paths(1, {"football/none.png": "negative", "background/hot.png": "negative"})
    taken_back = workshop.call(workshop.image_id(1, "football/yes.png"), "unsure").review
    workshop.take_back(taken_back.id)
    workshop.call(workshop.image_id(1, "background/no.png"), "discard", reviewer="eve")
    reviewers = {row.reviewer: row for row in view_stats_page(workshop.database, workshop.dataset(1)).reviewers}
    ada, eve = reviewers["ada"], reviewers["eve"]
    assert (ada.verdicts, ada.upheld, ada.overruled, ada.unsure) == (2, 1, 1, 0)
    assert (eve.verdicts, eve.discarded, eve.pace_per_h) == (1, 1, None)


def test_everything_at_a_glance(workshop: Workshop) -> None:
    """Datasets, scans, flags, relocations and the worker, as a document and as lines."""
    empty = view_status(workshop.database, workshop.settings, workshop.clock)
    assert (empty["worker"], empty["datasets"]) == (False, [])
    assert "touchline add" in describe_status(empty)
    workshop.ready(FILES)
    workshop.call_paths(1, {"football/none.png": "negative"})
    workshop.relocate(1, workshop.folder / "clean")
    status = view_status(workshop.database, workshop.settings, workshop.clock)
    found = status["datasets"][0]
    assert (status["worker"], found["flagged"], found["open_flags"], found["reviewed"]) == (True, 2, 1, 1)
    assert (found["scan"]["status"], found["relocations"][0]["done"]) == ("done", 1)
    text = describe_status(status)
    assert all(
        part in text for part in ("frames: 4 images", "scan 1 done 4/4", "1 of 2 flags open", "relocation 1 done")
    )
