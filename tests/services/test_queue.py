"""What a reviewer gets next, in which order, and that two people never get the same."""

import shutil
from datetime import timedelta
from typing import Any

import pytest

from app.errors import InvalidInputError, NotFoundError
from app.services.datasets import set_threshold
from app.services.grid import view_grid
from app.services.handing_out import QueueName, next_items
from app.services.queue import AHEAD, ReviewPage, measure_pace, view_desk
from app.services.scans import request_scan
from app.storage.tallies import count_dataset
from tests.parts import SetClock, Workshop

#: path -> red; flagged at 0.5: background/hot, background/warm, football/none, football/faint
FILES = {
    "football/sure.png": 250,
    "football/none.png": 0,
    "football/faint.png": 60,
    "background/empty.png": 0,
    "background/warm.png": 150,
    "background/hot.png": 240,
}
MOST_SUSPICIOUS_FIRST = ["football/none.png", "background/hot.png", "football/faint.png", "background/warm.png"]


def ask(
    workshop: Workshop, client: str = "tab-1", count: int = 1, queue: QueueName = "flagged", reference: str = "frames"
) -> list[str]:
    """The paths that a tab gets."""
    items = next_items(workshop.database, workshop.settings.review, workshop.clock, reference, queue, count, client)
    return [item.record.path for item in items]


def desk(workshop: Workshop, client: str = "tab-1", **values: Any) -> ReviewPage:
    """The desk as one tab sees it."""
    dataset = workshop.dataset("frames")
    return view_desk(workshop.database, workshop.settings.review, workshop.clock, dataset, "ada", client, **values)


def shown(page: ReviewPage) -> str | None:
    """The path on the desk."""
    return None if page.item is None else page.item.path


def test_flags_come_most_suspicious_first(workshop: Workshop) -> None:
    """Both folders are merged by how strongly the detector speaks against each."""
    workshop.ready(FILES)
    assert ask(workshop, count=10) == MOST_SUSPICIOUS_FIRST


def test_all_goes_on_with_the_agreeing_images(workshop: Workshop) -> None:
    """After the last flag come those that agree, the least sure ones first."""
    workshop.ready(FILES)
    assert ask(workshop, count=10, queue="all") == [*MOST_SUSPICIOUS_FIRST, "football/sure.png", "background/empty.png"]


def test_there_is_no_audit_before_a_scan(workshop: Workshop) -> None:
    """Its queue is empty until there are scores to make strata of."""
    workshop.add(workshop.fill(FILES))
    assert ask(workshop, queue="audit") == []


def test_an_image_that_is_gone_is_not_held_for_anybody(workshop: Workshop) -> None:
    """A file that vanished while a tab had it in hand is no question any more."""
    workshop.ready(FILES)
    ask(workshop, count=2)
    (workshop.folder / "frames" / MOST_SUSPICIOUS_FIRST[0]).unlink()
    workshop.scan(1)
    assert ask(workshop, count=2) == MOST_SUSPICIOUS_FIRST[1:3]


def test_equal_suspicion_comes_by_id(workshop: Workshop) -> None:
    """The order is the same for everybody, however many images are alike."""
    workshop.ready({f"background/{number}.png": 200 for number in range(9)} | {"football/a.png": 250})
    paths = ask(workshop, count=10)
    ids = [workshop.image_id(1, path) for path in paths]
    assert (len(ids), ids) == (9, sorted(ids))


def test_an_answered_image_does_not_come_again(workshop: Workshop) -> None:
    """Whatever the verdict was; undone, it is back in its place."""
    workshop.ready(FILES)
    given = workshop.call(workshop.image_id(1, "football/none.png"), "unsure")
    assert ask(workshop, count=10) == MOST_SUSPICIOUS_FIRST[1:]
    workshop.take_back(given.review.id)
    assert ask(workshop, "tab-2", count=10) == ["football/none.png"]


def test_two_tabs_never_get_the_same_image(workshop: Workshop) -> None:
    """What one has in hand the other does not see; nothing left is an empty answer."""
    workshop.ready(FILES)
    assert [ask(workshop, "tab-1", 2), ask(workshop, "tab-2", 2), ask(workshop, "tab-3", 2)] == [
        MOST_SUSPICIOUS_FIRST[:2],
        MOST_SUSPICIOUS_FIRST[2:],
        [],
    ]


def test_the_same_tab_gets_the_same_until_it_answers(workshop: Workshop) -> None:
    """A reload costs nobody an image."""
    workshop.ready(FILES)
    assert ask(workshop) == ask(workshop) == MOST_SUSPICIOUS_FIRST[:1]
    workshop.call(workshop.image_id(1, "football/none.png"), "negative")
    assert ask(workshop) == MOST_SUSPICIOUS_FIRST[1:2]


def test_a_lease_runs_out(workshop: Workshop) -> None:
    """After 120 seconds without an answer the image is anybody's; asking again holds it longer."""
    workshop.ready(FILES)
    ask(workshop, "tab-1")
    workshop.clock.advance(119)
    assert ask(workshop, "tab-2") == MOST_SUSPICIOUS_FIRST[1:2]
    ask(workshop, "tab-1")
    workshop.clock.advance(119)
    assert ask(workshop, "tab-2") == MOST_SUSPICIOUS_FIRST[1:2]
    workshop.clock.advance(2)
    assert ask(workshop, "tab-3") == MOST_SUSPICIOUS_FIRST[:1]


def test_the_queue_follows_the_threshold(workshop: Workshop) -> None:
    """What is no flag any more is not asked for, not even of the tab that had it in hand."""
    workshop.ready(FILES)
    assert ask(workshop, count=10) == MOST_SUSPICIOUS_FIRST
    set_threshold(workshop.database, 1, 0.9)
    assert ask(workshop, count=10) == ["football/none.png", "background/hot.png", "football/faint.png"]
    set_threshold(workshop.database, 1, 0.2)
    assert ask(workshop, count=10) == ["football/none.png", "background/hot.png", "background/warm.png"]


@pytest.mark.parametrize("count", [0, 11, -1])
def test_the_number_asked_for_is_bounded(workshop: Workshop, count: int) -> None:
    """One tab cannot take the whole queue."""
    workshop.ready(FILES)
    with pytest.raises(InvalidInputError, match="n: must lie between 1 and 10"):
        ask(workshop, count=count)


def test_the_queue_of_an_unknown_dataset_is_not_found(workshop: Workshop) -> None:
    """It is not an empty one."""
    with pytest.raises(NotFoundError):
        ask(workshop, reference="nothing")


def test_the_desk_shows_the_most_suspicious_and_preloads_the_next(workshop: Workshop) -> None:
    """Three more are named by URLs with their hashes, so that the browser has them before they are shown."""
    workshop.ready(FILES)
    page = desk(workshop)
    assert shown(page) == MOST_SUSPICIOUS_FIRST[0]
    items = workshop.items(1)
    assert page.prefetch == tuple(
        f"/images/{items[path].record.id}/rendition/screen?v={items[path].record.sha256}"
        for path in MOST_SUSPICIOUS_FIRST[1:]
    )


def test_the_desk_says_why_and_where_the_ball_is(workshop: Workshop) -> None:
    """Reason, boxes and a crop around the strongest one, inside the image."""
    workshop.ready({"background/hot.png": 240, "football/a.png": 250})
    item = desk(workshop).item
    assert item is not None
    assert item.reasons == ("filed as background; D-FINE sees a football, 0.94",)
    assert [(box.class_name, box.target) for box in item.boxes] == [("football", True)]
    assert item.crop is not None
    assert 0 <= item.crop.x <= item.width - item.crop.size
    assert 0 <= item.crop.y <= item.height - item.crop.size


def test_arrows_walk_the_queue_without_deciding(workshop: Workshop) -> None:
    """Next leads through the open flags to the last, previous leads the same way back."""
    workshop.ready(FILES)
    walked = [desk(workshop)]
    while walked[-1].next_id is not None:
        walked.append(desk(workshop, image_id=walked[-1].next_id))
    assert [shown(page) for page in walked] == MOST_SUSPICIOUS_FIRST
    back = [walked[-1]]
    while back[-1].previous_id is not None:
        back.append(desk(workshop, image_id=back[-1].previous_id))
    assert [shown(page) for page in back] == MOST_SUSPICIOUS_FIRST[::-1]
    assert all(item.record.verdict is None for item in workshop.items(1).values())


def test_after_a_verdict_the_next_in_order_is_shown_and_then_the_front_again(workshop: Workshop) -> None:
    """Who skipped some comes back to them at the end."""
    workshop.ready(FILES)
    third = workshop.image_id(1, MOST_SUSPICIOUS_FIRST[2])
    desk(workshop, image_id=third)
    workshop.call(third, "positive")
    assert shown(desk(workshop, after_id=third)) == MOST_SUSPICIOUS_FIRST[3]
    last = workshop.image_id(1, MOST_SUSPICIOUS_FIRST[3])
    workshop.call(last, "positive")
    assert shown(desk(workshop, after_id=last)) == MOST_SUSPICIOUS_FIRST[0]


def test_two_desks_show_different_images(workshop: Workshop) -> None:
    """The second person starts where the first one's preloaded images end."""
    workshop.ready(FILES | {f"background/mild{n}.png": 140 - n for n in range(AHEAD - 3)})
    assert shown(desk(workshop, "tab-1")) == MOST_SUSPICIOUS_FIRST[0]
    assert shown(desk(workshop, "tab-2")) == f"background/mild{AHEAD - 4}.png"


def test_a_tab_that_is_opened_frees_nothing(workshop: Workshop) -> None:
    """Until it has said which tab it is, only its browser is known, and the other tabs there keep what they show."""
    workshop.ready(FILES | {f"background/mild{n:02}.png": 140 - n for n in range(20)})
    one = desk(workshop, "browser", arriving=True)
    last = workshop.image_id(1, "background/mild19.png")
    two = desk(workshop, "browser", image_id=last, arriving=True)
    assert (shown(one), shown(two)) == (MOST_SUSPICIOUS_FIRST[0], "background/mild19.png")
    others = [shown(desk(workshop, "tab-2")), shown(desk(workshop, "tab-2", image_id=last))]
    assert others[0] not in (shown(one), shown(two))
    assert desk(workshop, "tab-2", image_id=last).elsewhere


def test_a_tab_takes_over_what_it_was_opened_with(workshop: Workshop) -> None:
    """What the browser got for it is in no other hand; and from then on it has its own."""
    workshop.ready(FILES | {f"background/mild{n:02}.png": 140 - n for n in range(20)})
    last = workshop.image_id(1, "background/mild19.png")
    desk(workshop, "browser", image_id=last, arriving=True)
    page = desk(workshop, "tab-1", image_id=last, browser="browser")
    assert (shown(page), page.elsewhere) == ("background/mild19.png", False)
    assert desk(workshop, "tab-2", image_id=last).elsewhere
    desk(workshop, "browser", arriving=True)
    assert desk(workshop, "tab-2", image_id=last).elsewhere
    assert shown(desk(workshop, "tab-1", browser="browser")) != shown(desk(workshop, "browser", arriving=True))


def test_looking_takes_an_image_from_nobody(workshop: Workshop) -> None:
    """Who follows a link to what another has in hand sees it, is told so, and may call it; the other keeps it."""
    workshop.ready(FILES | {f"background/mild{n:02}.png": 140 - n for n in range(20)})
    held = workshop.image_id(1, MOST_SUSPICIOUS_FIRST[0])
    assert not desk(workshop, "tab-1").elsewhere
    visit = desk(workshop, "tab-2", image_id=held)
    assert (shown(visit), visit.elsewhere) == (MOST_SUSPICIOUS_FIRST[0], True)
    assert shown(desk(workshop, "tab-3")) != MOST_SUSPICIOUS_FIRST[0]
    mine = desk(workshop, "tab-1")
    assert (shown(mine), mine.elsewhere) == (MOST_SUSPICIOUS_FIRST[0], False)
    workshop.call(held, "positive", "bob")
    again = desk(workshop, "tab-1", image_id=held)
    assert (again.elsewhere, again.item is not None and again.item.review_id is not None) == (False, True)


def test_what_was_looked_at_is_in_hand_once_it_is_free(workshop: Workshop) -> None:
    """A lease that ran out keeps nobody: then the visitor has the image."""
    workshop.ready(FILES)
    held = workshop.image_id(1, MOST_SUSPICIOUS_FIRST[0])
    desk(workshop, "tab-1")
    workshop.clock.advance(121)
    assert not desk(workshop, "tab-2", image_id=held).elsewhere
    assert desk(workshop, "tab-1", image_id=held).elsewhere


def test_an_image_of_another_dataset_is_refused(workshop: Workshop) -> None:
    """A link with both mixed up says so."""
    workshop.ready(FILES)
    workshop.ready({"football/a.png": 1, "background/b.png": 1}, "other")
    with pytest.raises(InvalidInputError, match="is not of dataset 'frames'"):
        desk(workshop, image_id=workshop.image_id("other", "football/a.png"))
    with pytest.raises(NotFoundError):
        desk(workshop, image_id=10_000)


def test_an_empty_desk_says_why(workshop: Workshop) -> None:
    """Not scanned, being scanned, or done."""
    workshop.add(workshop.fill({"football/a.png": 250, "background/b.png": 0}))
    before = desk(workshop).empty
    request_scan(workshop.database, workshop.settings.worker, workshop.clock, 1)
    during = desk(workshop).empty
    workshop.scan(1)
    assert (before, during, desk(workshop).empty) == ("not_scanned", "scanning", "done")


def test_progress_counts_flags_and_measures_the_pace(workshop: Workshop) -> None:
    """Called of flagged, verdicts an hour, and the time that the rest will take."""
    workshop.ready(FILES | {f"background/x{number}.png": 200 for number in range(4)})
    for path in [f"background/x{number}.png" for number in range(4)]:
        workshop.clock.advance(4)
        workshop.call(workshop.image_id(1, path), "positive")
    progress = desk(workshop).progress
    assert (progress.called, progress.flagged, progress.pace_per_h, progress.left_s) == (4, 8, 900, 16.0)


def test_breaks_are_no_part_of_the_pace(clock: SetClock) -> None:
    """A pause of more than a minute is left out; fewer than three gaps say nothing."""
    moments = [clock() + timedelta(seconds=second) for second in (0, 2, 4, 600, 602)]
    assert measure_pace(moments[::-1]) == 2.0
    assert measure_pace(moments[:3][::-1]) is None


def test_recent_verdicts_are_mine_and_still_count(workshop: Workshop) -> None:
    """The strip shows the newest first, in the dataset's words, without what was taken back."""
    workshop.ready(FILES)
    first = workshop.call(workshop.image_id(1, "football/none.png"), "negative")
    workshop.call(workshop.image_id(1, "background/hot.png"), "positive")
    workshop.call(workshop.image_id(1, "football/faint.png"), "discard", reviewer="eve")
    recent = [(each.name, each.verdict_text, each.upheld) for each in desk(workshop).recent]
    assert recent == [("hot.png", "football", True), ("none.png", "no football", True)]
    workshop.take_back(first.review.id)
    assert [each.name for each in desk(workshop).recent] == ["hot.png"]


def test_the_grid_shows_open_flags_that_nobody_has_in_hand(workshop: Workshop) -> None:
    """It leases nothing itself, and says what the last batch was."""
    workshop.ready(FILES)
    ask(workshop, "tab-9")

    def grid(client: str) -> list[str]:
        page = view_grid(workshop.database, workshop.clock, workshop.dataset(1), "ada", client, "batch")
        return [tile.path for tile in page.tiles]

    assert grid("tab-1") == grid("tab-2") == MOST_SUSPICIOUS_FIRST[1:]
    assert grid("tab-9") == MOST_SUSPICIOUS_FIRST
    workshop.clock.advance(121)
    assert grid("tab-1") == MOST_SUSPICIOUS_FIRST


def test_the_same_picture_in_both_folders_comes_first(workshop: Workshop) -> None:
    """Before every other flag, once, whatever the detector says of it; and it is done when it is called."""
    root = workshop.fill({"football/a.png": 250, "background/b.png": 251, "background/c.png": 10})
    shutil.copyfile(root / "football/a.png", root / "background/copy.png")
    view = workshop.add(root)
    workshop.scan(view.id)

    def paths() -> list[str]:
        return ask(workshop, count=10)

    first = paths()
    assert sorted(first[:2]) == ["background/copy.png", "football/a.png"]
    assert first[2:] == ["background/b.png"]
    workshop.call_paths(view.id, {"football/a.png": "positive"})
    assert paths() == ["background/copy.png", "background/b.png"]
    with workshop.database.read() as session:
        counts = count_dataset(session, workshop.dataset(view.id))
    assert (counts.flagged, counts.open_flags, counts.upheld, counts.overruled) == (3, 2, 0, 1)
