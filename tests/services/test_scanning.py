"""Scans from asking to the end: totals, reuse, cancelling, dead workers, failing detectors."""

import os
import time
from collections.abc import Callable, Sequence
from pathlib import Path

import pytest

from app.config import Settings
from app.detector.base import Detector, Prepared
from app.domain.detections import Detection
from app.errors import CheckpointError, ConflictError, DetectorError, NotFoundError
from app.services.scanning import claim_scan, run_scan
from app.services.scans import cancel_scan, list_scan_views, model_notice, request_scan, show_scan
from app.storage.images import detections_of
from app.storage.workers import Process
from tests.parts import ColourDetector, Workshop, draw

FILES = {f"football/{number}.png": 200 + number for number in range(6)} | {
    f"background/{number}.png": 10 * number for number in range(6)
}
MANY = {f"football/{number}.png": 100 + number for number in range(40)} | {"background/0.png": 10}
GONE = Process("another-host", 1, "long ago")


def frames(workshop: Workshop) -> Path:
    """The root of the dataset."""
    return workshop.folder / "frames"


def refusing(settings: Settings, **detector: object) -> Settings:
    """Settings with another detector section."""
    return settings.model_copy(update={"detector": settings.detector.model_copy(update=detector)})


class FailingDetector(ColourDetector):
    """A detector whose engine gives up at some batch."""

    def __init__(self, batches: int) -> None:
        super().__init__()
        self._left = batches

    def detect(self, prepared: Sequence[Prepared]) -> list[list[Detection]]:
        """Fail after some batches."""
        if self._left == 0:
            msg = "out of memory on cuda with a single image"
            raise DetectorError(msg)
        self._left -= 1
        return super().detect(prepared)


def keep_step(workshop: Workshop, then: Callable[[], None] = lambda: None) -> None:
    """Let the detector begin a batch only when all before it are stored, and do something more.

    The stages of a scan run side by side, so without this a test could not say how far the others are.
    """
    scan_id = request_scan(workshop.database, workshop.settings.worker, workshop.clock, 1).scan.id

    def wait() -> None:
        until = time.monotonic() + 60
        while show_scan(workshop.database, workshop.settings.worker, workshop.clock, scan_id).scored < (
            workshop.detector.looked_at
        ):
            assert time.monotonic() < until, "the batch before was not stored"
            time.sleep(0.001)  # a turn for the writer
        then()

    workshop.detector.before_batch = wait


def scores(workshop: Workshop) -> dict[str, float | None]:
    """Scores by path."""
    return {path: item.record.score for path, item in workshop.items(1).items()}


def test_a_scan_scores_every_image(workshop: Workshop) -> None:
    """Totals add up, the detector is told in full, and every score is the detector's."""
    workshop.add(workshop.fill(FILES))
    scan = workshop.scan(1)
    assert (scan.status, scan.total, scan.scored, scan.reused, scan.unreadable) == ("done", 12, 12, 0, 0)
    assert scan.detector is not None
    assert (scan.detector.model, scan.detector.backend, scan.detector.device) == ("colour", "colour", "cpu")
    assert (scan.started_at, scan.finished_at, scan.error) == (workshop.clock.now, workshop.clock.now, None)
    expected = {path: red / 255 if red / 255 >= 0.05 else 0.0 for path, red in FILES.items()}
    assert scores(workshop) == pytest.approx(expected)


def test_boxes_are_stored_with_class_and_confidence(workshop: Workshop) -> None:
    """Of every class, strongest first; the floor keeps weak ones out."""
    draw(frames(workshop) / "football/a.png", 100, green=200)
    draw(frames(workshop) / "background/b.png", 5, green=5)
    workshop.add(frames(workshop))
    workshop.scan(1)
    items = workshop.items(1)
    found = [(box.class_name, box.confidence, box.x1, box.y1) for box in items["football/a.png"].boxes]
    assert found == [("goal", 200 / 255, 8.0, 12.0), ("football", 100 / 255, 8.0, 12.0)]
    assert items["background/b.png"].boxes == ()


def test_an_unreadable_image_is_named_and_the_run_goes_on(workshop: Workshop) -> None:
    """It counts in the total, carries its reason as a flag, and is tried again by the next scan."""
    root = workshop.fill(FILES)
    (root / "football" / "broken.jpg").write_bytes(b"\xff\xd8\xff\xe0 and no more")
    workshop.add(root)
    scan = workshop.scan(1)
    assert (scan.status, scan.total, scan.scored, scan.unreadable) == ("done", 13, 12, 1)
    flag = workshop.items(1, flag="unreadable")["football/broken.jpg"].flags[0]
    assert (flag.reason, bool(flag.detail)) == ("unreadable", True)
    draw(root / "football" / "broken.jpg", 250)
    again = workshop.scan(1)
    assert (again.scored, again.reused, again.unreadable) == (1, 12, 0)
    assert workshop.items(1, flag="unreadable") == {}


def test_a_scored_image_that_breaks_loses_its_score(workshop: Workshop) -> None:
    """What is stored never speaks of bytes that are gone."""
    workshop.add(workshop.fill(FILES))
    workshop.scan(1)
    (frames(workshop) / "football/0.png").write_bytes(b"broken")
    scan = workshop.scan(1)
    item = workshop.items(1)["football/0.png"]
    assert (scan.unreadable, item.record.score, item.boxes) == (1, None, ())
    assert [flag.reason for flag in item.flags] == ["unreadable"]


def test_a_second_scan_reuses_what_has_not_changed(workshop: Workshop) -> None:
    """Nothing is scored twice, and nothing is even decoded again."""
    workshop.add(workshop.fill(FILES))
    first = workshop.scan(1)
    second = workshop.scan(1)
    assert (second.status, second.scored, second.reused) == ("done", 0, 12)
    assert (first.id != second.id, workshop.detector.looked_at) == (True, 12)


def test_a_touched_image_is_not_scored_again(workshop: Workshop) -> None:
    """Another time with the same bytes: it is hashed, and the score stays."""
    workshop.add(workshop.fill(FILES))
    workshop.scan(1)
    os.utime(frames(workshop) / "football/0.png", (1, 1))
    scan = workshop.scan(1)
    assert (scan.scored, scan.reused, workshop.detector.looked_at) == (0, 12, 12)


def test_a_changed_image_is_scored_again_alone(workshop: Workshop) -> None:
    """Its boxes are those of the new bytes only."""
    workshop.add(workshop.fill(FILES))
    workshop.scan(1)
    draw(frames(workshop) / "football/0.png", 100, size=(40, 20))
    scan = workshop.scan(1)
    assert (scan.scored, scan.reused) == (1, 11)
    item = workshop.items(1)["football/0.png"]
    assert item.record.score == pytest.approx(100 / 255)
    assert [box.x1 for box in item.boxes] == [20.0]


def test_new_files_are_scored_and_missing_ones_leave_the_total(workshop: Workshop) -> None:
    """A scan looks at the folders first."""
    workshop.add(workshop.fill(FILES))
    workshop.scan(1)
    (frames(workshop) / "football/0.png").unlink()
    draw(frames(workshop) / "football/new.png", 100)
    scan = workshop.scan(1)
    assert (scan.total, scan.scored, scan.reused) == (12, 1, 11)
    assert "football/0.png" not in scores(workshop)


def test_an_image_that_was_away_has_its_boxes_once(workshop: Workshop) -> None:
    """Missing in one scan and back in the next: no box is stored twice."""
    workshop.add(workshop.fill(FILES))
    workshop.scan(1)
    path = frames(workshop) / "football/0.png"
    content = path.read_bytes()
    path.unlink()
    workshop.scan(1)
    path.write_bytes(content)
    scan = workshop.scan(1)
    item = workshop.items(1)["football/0.png"]
    assert (scan.scored, item.record.score, len(item.boxes)) == (1, pytest.approx(200 / 255), 1)


def test_a_second_request_gives_the_scan_that_is_open(workshop: Workshop) -> None:
    """However often somebody presses the button, one scan is queued; its threshold is taken all the same."""
    workshop.add(workshop.fill(FILES))
    first = request_scan(workshop.database, workshop.settings.worker, workshop.clock, 1)
    second = request_scan(workshop.database, workshop.settings.worker, workshop.clock, "frames", 0.3)
    assert (first.queued, second.queued, first.scan.id) == (True, False, second.scan.id)
    assert workshop.dataset(1).threshold == 0.3
    assert len(list_scan_views(workshop.database, workshop.settings.worker, workshop.clock)) == 1


def test_an_unknown_dataset_or_scan_is_not_found(workshop: Workshop) -> None:
    """Neither is made up."""
    with pytest.raises(NotFoundError):
        request_scan(workshop.database, workshop.settings.worker, workshop.clock, "nothing")
    with pytest.raises(NotFoundError):
        show_scan(workshop.database, workshop.settings.worker, workshop.clock, 7)


def test_scans_are_taken_in_the_order_they_were_asked_for(workshop: Workshop) -> None:
    """The oldest first; none is given to two workers."""
    for name in ("one", "two"):
        workshop.add(workshop.fill(FILES, name))
        request_scan(workshop.database, workshop.settings.worker, workshop.clock, name)
    taken = [claim_scan(workshop.database, workshop.settings, workshop.clock, workshop.worker()) for _ in range(3)]
    assert [scan.dataset_name if scan else None for scan in taken] == ["one", "two", None]


def test_cancelling_keeps_what_is_scored(workshop: Workshop) -> None:
    """What the model has begun is stored, the rest is left; the next scan goes on from there."""
    workshop.add(workshop.fill(MANY))

    def cancel() -> None:
        if workshop.detector.looked_at == 0:
            cancel_scan(workshop.database, workshop.settings.worker, workshop.clock, 1)

    keep_step(workshop, cancel)
    scan = workshop.scan(1)
    assert (scan.id, scan.status, scan.active) == (1, "cancelled", False)
    assert scan.scored in (4, 8, 12)
    workshop.detector.before_batch = lambda: None
    rest = workshop.scan(1)
    assert (rest.status, rest.scored, rest.reused) == ("done", len(MANY) - scan.scored, scan.scored)
    assert workshop.detector.looked_at == len(MANY)


def test_a_queued_scan_is_cancelled_at_once_and_an_ended_one_not_at_all(workshop: Workshop) -> None:
    """There is no batch to wait for; what is over stays as it ended."""
    workshop.add(workshop.fill(FILES))
    scan_id = request_scan(workshop.database, workshop.settings.worker, workshop.clock, 1).scan.id
    assert cancel_scan(workshop.database, workshop.settings.worker, workshop.clock, scan_id).status == "cancelled"
    with pytest.raises(ConflictError, match="has ended already"):
        cancel_scan(workshop.database, workshop.settings.worker, workshop.clock, scan_id)
    assert claim_scan(workshop.database, workshop.settings, workshop.clock, workshop.worker()) is None


def claimed_by_the_dead(workshop: Workshop, batches: int) -> int:
    """A scan whose worker, on another host, scored some batches and was never heard of again."""
    scan_id = request_scan(workshop.database, workshop.settings.worker, workshop.clock, 1).scan.id
    scan = claim_scan(workshop.database, workshop.settings, workshop.clock, workshop.worker(GONE), scan_id)
    assert scan is not None

    class PowerCutError(BaseException):
        """The worker is gone in the middle of a batch."""

    left = [batches]

    def cut() -> None:
        if left[0] == 0:
            raise PowerCutError
        left[0] -= 1

    workshop.detector.before_batch = cut
    with pytest.raises(PowerCutError):
        run_scan(workshop.database, workshop.settings, workshop.clock, scan, lambda: workshop.detector)
    workshop.detector.before_batch = lambda: None
    return scan_id


def test_a_silent_worker_s_scan_is_stalled(workshop: Workshop) -> None:
    """Running while its worker is heard of, stalled once it is not; asking for a scan gives this one."""
    workshop.add(workshop.fill(FILES))
    scan_id = claimed_by_the_dead(workshop, 1)
    before = show_scan(workshop.database, workshop.settings.worker, workshop.clock, scan_id)
    workshop.clock.advance(31)
    after = show_scan(workshop.database, workshop.settings.worker, workshop.clock, scan_id)
    assert (before.status, after.status, after.active, after.scored) == ("running", "stalled", True, 4)
    assert request_scan(workshop.database, workshop.settings.worker, workshop.clock, 1).scan.id == scan_id


def test_a_dead_worker_s_scan_goes_on_without_scoring_anything_twice(workshop: Workshop) -> None:
    """The next worker takes it over and scores only what has no score."""
    workshop.add(workshop.fill(FILES))
    scan_id = claimed_by_the_dead(workshop, 2)
    assert workshop.detector.looked_at == 8
    assert claim_scan(workshop.database, workshop.settings, workshop.clock, workshop.worker()) is None
    workshop.clock.advance(31)
    scan = workshop.scan(1)
    assert (scan.id, scan.status, scan.total, scan.scored, scan.reused) == (scan_id, "done", 12, 12, 0)
    assert workshop.detector.looked_at == 12


def test_a_worker_of_this_host_whose_process_is_gone_is_dead_at_once(workshop: Workshop) -> None:
    """A process number that was given anew does not count as the worker; nobody waits half a minute."""
    workshop.add(workshop.fill(FILES))
    scan_id = request_scan(workshop.database, workshop.settings.worker, workshop.clock, 1).scan.id
    here = Process(os.uname().nodename, os.getpid(), "another start time")
    claim_scan(workshop.database, workshop.settings, workshop.clock, workshop.worker(here), scan_id)
    assert show_scan(workshop.database, workshop.settings.worker, workshop.clock, scan_id).status == "stalled"
    assert workshop.scan(1).status == "done"


def test_a_worker_that_was_taken_for_dead_stores_nothing_more(workshop: Workshop) -> None:
    """Two workers never count the same image: the slow one notices that the scan is another's and stops."""
    workshop.add(workshop.fill(FILES))
    slow = ColourDetector()

    def be_overtaken() -> None:
        slow.before_batch = lambda: None
        workshop.clock.advance(31)
        scan = claim_scan(workshop.database, workshop.settings, workshop.clock, workshop.worker())
        assert scan is not None
        run_scan(workshop.database, workshop.settings, workshop.clock, scan, lambda: workshop.detector)

    slow.before_batch = be_overtaken
    scan_id = request_scan(workshop.database, workshop.settings.worker, workshop.clock, 1).scan.id
    scan = claim_scan(workshop.database, workshop.settings, workshop.clock, workshop.worker(GONE), scan_id)
    assert scan is not None
    outcome = run_scan(workshop.database, workshop.settings, workshop.clock, scan, lambda: slow)
    view = show_scan(workshop.database, workshop.settings.worker, workshop.clock, scan_id)
    assert (outcome, view.status, view.scored, workshop.detector.looked_at) == ("running", "done", 12, 12)


def test_a_worker_stores_nothing_while_another_is_at_its_scan(workshop: Workshop) -> None:
    """The scan is still running, but under the other one's name."""
    workshop.add(workshop.fill(FILES))
    slow = ColourDetector()

    def be_overtaken() -> None:
        workshop.clock.advance(31)
        assert claim_scan(workshop.database, workshop.settings, workshop.clock, workshop.worker()) is not None

    slow.before_batch = be_overtaken
    scan_id = request_scan(workshop.database, workshop.settings.worker, workshop.clock, 1).scan.id
    scan = claim_scan(workshop.database, workshop.settings, workshop.clock, workshop.worker(GONE), scan_id)
    assert scan is not None
    outcome = run_scan(workshop.database, workshop.settings, workshop.clock, scan, lambda: slow)
    view = show_scan(workshop.database, workshop.settings.worker, workshop.clock, scan_id)
    assert (outcome, view.status, view.scored) == ("running", "running", 0)
    assert set(scores(workshop).values()) == {None}


def test_a_worker_that_is_asked_to_stop_leaves_the_rest_queued(workshop: Workshop) -> None:
    """After what the model has begun; a later worker finishes the same scan."""
    workshop.add(workshop.fill(MANY))
    keep_step(workshop)
    left = workshop.scan(1, stopping=lambda: True)
    assert left.status == "queued"
    assert left.scored in (4, 8, 12)
    done = workshop.scan(1)
    assert (done.id, done.status, done.scored, workshop.detector.looked_at) == (left.id, "done", 41, 41)


def test_a_detector_that_cannot_be_had_fails_the_scan_with_its_reason(workshop: Workshop) -> None:
    """Nothing is scored, and the reason is the error's own sentence."""
    workshop.add(workshop.fill(FILES))
    scan_id = request_scan(workshop.database, workshop.settings.worker, workshop.clock, 1).scan.id
    scan = claim_scan(workshop.database, workshop.settings, workshop.clock, workshop.worker(), scan_id)
    assert scan is not None

    def load() -> Detector:
        msg = "detector.model: 'nowhere' is not in the local cache"
        raise CheckpointError(msg)

    run_scan(workshop.database, workshop.settings, workshop.clock, scan, load)
    view = show_scan(workshop.database, workshop.settings.worker, workshop.clock, scan_id)
    assert (view.status, view.error) == ("failed", "detector.model: 'nowhere' is not in the local cache")
    assert set(scores(workshop).values()) == {None}


def test_a_detector_that_gives_up_fails_the_scan_and_keeps_the_scores(workshop: Workshop) -> None:
    """What was scored before stays, and the next scan goes on from there."""
    workshop.add(workshop.fill(FILES))
    failed = workshop.scan(1, FailingDetector(batches=1))
    assert (failed.status, failed.scored, failed.error) == ("failed", 4, "out of memory on cuda with a single image")
    again = workshop.scan(1)
    assert (again.status, again.scored, again.reused) == ("done", 8, 4)


def test_a_root_that_is_gone_fails_the_scan_and_keeps_the_scores(workshop: Workshop) -> None:
    """An unplugged disk is a reason, and no image becomes missing."""
    workshop.add(workshop.fill(FILES))
    workshop.scan(1)
    frames(workshop).rename(workshop.folder / "unplugged")
    scan = workshop.scan(1)
    assert (scan.status, "is the disk mounted" in (scan.error or "")) == ("failed", True)
    assert len(scores(workshop)) == 12


def test_other_target_classes_need_no_other_scores(workshop: Workshop) -> None:
    """Every box is stored, so a change of detector.target_classes sets the scores anew without the detector."""
    for number in range(3):
        draw(frames(workshop) / f"football/{number}.png", 200, green=100, noise=number)
    draw(frames(workshop) / "background/b.png", 200, green=0)
    workshop.add(frames(workshop))
    workshop.scan(1)
    goals = refusing(workshop.settings, target_classes=("goal",))
    scan = workshop.scan(1, settings=goals)
    assert (scan.scored, scan.reused, workshop.detector.looked_at) == (0, 4, 4)
    assert scores(workshop) == pytest.approx(
        {f"football/{n}.png": 100 / 255 for n in range(3)} | {"background/b.png": 0}
    )
    assert workshop.dataset(1).target_classes == ("goal",)
    both = refusing(workshop.settings, target_classes=("goal", "football"))
    workshop.scan(1, settings=both)
    assert set(scores(workshop).values()) == {200 / 255}


def test_another_detector_s_scores_stand_beside_the_first_one_s(workshop: Workshop) -> None:
    """It scores everything itself; back with the first detector nothing is scored again."""
    workshop.add(workshop.fill(FILES))
    workshop.scan(1)
    first = scores(workshop)
    other = ColourDetector(weights="b" * 64, floor=0.5)
    second = workshop.scan(1, other)
    assert (second.scored, second.reused, other.looked_at) == (12, 0, 12)
    assert scores(workshop) != first
    back = workshop.scan(1)
    assert (back.scored, back.reused, workshop.detector.looked_at) == (0, 12, 12)
    assert scores(workshop) == first


def test_a_changed_file_outdates_the_scores_of_every_detector(workshop: Workshop) -> None:
    """After one detector met the new bytes, the other's score of the old ones is gone and made anew."""
    workshop.add(workshop.fill(FILES))
    workshop.scan(1)
    other = ColourDetector(weights="b" * 64)
    workshop.scan(1, other)
    draw(frames(workshop) / "football/0.png", 100, size=(40, 20))
    workshop.scan(1, other)
    scan = workshop.scan(1)
    assert (scan.scored, scan.reused) == (1, 11)
    assert scores(workshop)["football/0.png"] == pytest.approx(100 / 255)


def test_another_detector_s_boxes_are_not_mixed_in(workshop: Workshop) -> None:
    """An image shows the boxes of the detector whose scores count."""
    workshop.add(workshop.fill(FILES))
    workshop.scan(1)
    workshop.scan(1, ColourDetector(weights="b" * 64))
    item = workshop.items(1)["football/0.png"]
    assert len(item.boxes) == 1
    with workshop.database.read() as session:
        mine = detections_of(session, [item.record.id], {item.record.id: 1})
        other = detections_of(session, [item.record.id], {item.record.id: 2})
    assert (len(mine[item.record.id]), len(other[item.record.id])) == (1, 1)


def test_speed_and_time_left_are_shown_while_it_runs(workshop: Workshop) -> None:
    """Both follow from the last batches, and no time is left once it has ended."""
    workshop.add(workshop.fill(FILES))
    seen = []

    def look() -> None:
        seen.append(show_scan(workshop.database, workshop.settings.worker, workshop.clock, 1))

    keep_step(workshop, look)
    done = workshop.scan(1)
    assert [view.scored for view in seen] == [0, 4, 8]
    assert seen[0].eta_s is None
    assert seen[1].eta_s == pytest.approx(8 / (seen[1].images_per_s or 0))
    assert done.eta_s is None


@pytest.mark.parametrize(
    ("model", "demo", "told"),
    [("builtin:football", False, True), ("builtin:football", True, False), ("some/real-dfine", False, False)],
)
def test_the_built_in_model_warns_outside_the_demo(model: str, demo: bool, told: bool) -> None:
    """One sentence says that it has seen drawn images only, and which settings take a real one."""
    notice = model_notice(model, "builtin:football", demo=demo)
    assert (notice is not None) is told
    if told:
        assert notice is not None
        assert all(key in notice for key in ("only drawn images", "detector.model", "detector.target_classes"))


def test_targets_that_changed_under_another_detector_hold_for_the_first_again(workshop: Workshop) -> None:
    """A's stored boxes are scored anew when it comes back with B's target classes."""
    workshop.add(workshop.fill(FILES))
    workshop.scan(1)
    goals = refusing(workshop.settings, target_classes=("goal",))
    workshop.scan(1, ColourDetector(weights="b" * 64), goals)
    back = workshop.scan(1, workshop.detector, goals)
    assert back.reused == len(FILES)
    assert set(scores(workshop).values()) == {0.0}
