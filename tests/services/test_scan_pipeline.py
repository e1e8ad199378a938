"""The stages of a scan side by side: every size of photograph, any order, and whatever breaks in any of them."""

import json
import sys
from collections.abc import Sequence
from dataclasses import replace
from itertools import pairwise
from threading import Barrier, Condition, Lock
from typing import Any

import numpy as np
import pytest
from PIL import Image

from app.detector.base import Prepared, Runtime
from app.detector.memory import device_bytes
from app.domain.detections import Detection
from app.files.budget import PixelBudget
from app.services import scan_buffers, scan_pipeline
from app.services.scan_buffers import Channel, Shelf
from app.services.scan_course import POINTS, Course
from app.services.scan_looking import Looked
from app.services.scan_pipeline import Pipeline, Scored
from app.storage.scans import PendingImage
from tests.parts import ColourDetector, Workshop, draw

FILES = {f"football/{number}.png": 100 + number for number in range(30)} | {
    f"background/{number}.png": 10 * number for number in range(13)
}


class Keeping(ColourDetector):
    """Keeps the whole picture until it has looked at it, and notes how large its batches were."""

    def __init__(self, parallel: int = 1) -> None:
        super().__init__()
        self._parallel = parallel
        self._lock = Lock()
        self.batches: list[int] = []

    @property
    def parallel(self) -> int:
        return self._parallel

    def prepare(self, picture: Image.Image, width: int, height: int) -> Prepared:
        return replace(super().prepare(picture, width, height), source=picture)

    def detect(self, prepared: Sequence[Prepared]) -> list[list[Detection]]:
        with self._lock:
            self.batches.append(len(prepared))
            return super().detect(prepared)


class Reducing(ColourDetector):
    """Is content with few pixels."""

    def __init__(self, enough_px: int, weights: str = "a" * 64) -> None:
        super().__init__(weights)
        self._enough_px = enough_px
        self.seen: list[tuple[int, int]] = []

    @property
    def enough_px(self) -> int | None:
        return self._enough_px

    def prepare(self, picture: Image.Image, width: int, height: int) -> Prepared:
        self.seen.append(picture.size)
        return super().prepare(picture, width, height)


def scores(workshop: Workshop, reference: int = 1) -> dict[str, float | None]:
    """Scores by path."""
    return {path: item.record.score for path, item in workshop.items(reference).items()}


def rows(workshop: Workshop, query: str) -> list[Any]:
    """What is stored."""
    with workshop.database.engine.connect() as connection:
        return list(connection.exec_driver_sql(query))


def expected(files: dict[str, int]) -> dict[str, Any]:
    """What the detector says of each."""
    return {path: pytest.approx(red / 255 if red / 255 >= 0.05 else 0) for path, red in files.items()}


def test_large_and_small_photographs_mix_without_stalling(workshop: Workshop, monkeypatch: pytest.MonkeyPatch) -> None:
    """A budget that holds one large picture, or many small ones: all get through, and never too much at once."""
    held: list[int] = []

    class Noted(PixelBudget):
        def take(self, pixels: int) -> None:
            super().take(pixels)
            held.append(self.held)

    monkeypatch.setattr(scan_pipeline, "PIXELS_AHEAD", 10_000)
    monkeypatch.setattr(scan_buffers, "PixelBudget", Noted)
    root = workshop.folder / "frames"
    for number in range(40):
        label = "football" if number % 3 else "background"
        draw(root / label / f"{number}.png", 5 * number + 20, size=(90, 100) if number % 4 == 0 else (8, 6))
    workshop.add(root)
    detector = Keeping(parallel=2)
    scan = workshop.scan(1, detector)
    assert (scan.status, scan.scored, len(held)) == ("done", 40, 40)
    assert max(held) <= 10_000
    assert max(detector.batches) <= 4
    assert set(scores(workshop).values()) == {(5 * number + 20) / 255 for number in range(40)}


@pytest.mark.parametrize("size", [(200, 100), (90, 100)], ids=["larger than the budget", "most of the budget"])
def test_nothing_but_large_photographs_gets_through(
    workshop: Workshop, monkeypatch: pytest.MonkeyPatch, size: tuple[int, int]
) -> None:
    """Batches of one, because no second one fits into memory."""
    monkeypatch.setattr(scan_pipeline, "PIXELS_AHEAD", 10_000)
    root = workshop.folder / "frames"
    for number in range(6):
        draw(root / ("football" if number % 2 else "background") / f"{number}.png", 100 + number, size=size)
    workshop.add(root)
    detector = Keeping()
    scan = workshop.scan(1, detector)
    assert (scan.status, scan.scored, set(detector.batches)) == ("done", 6, {1})


def test_batches_are_full_where_nothing_is_in_the_way(workshop: Workshop) -> None:
    """All but the last, though unreadable files lie in between."""
    root = workshop.fill(FILES)
    for number in range(7):
        (root / "football" / f"broken-{number}.jpg").write_bytes(b"")
    workshop.add(root)
    detector = Keeping()
    scan = workshop.scan(1, detector)
    assert (scan.scored, scan.unreadable, detector.batches) == (43, 7, [4] * 10 + [3])


def test_the_order_of_results_does_not_matter(workshop: Workshop) -> None:
    """Four threads of the model, of which the first to begin is the last to end: each score is its own image's."""
    workshop.add(workshop.fill(FILES))
    turn = Condition()
    ended = [0]

    class Backwards(Keeping):
        def detect(self, prepared: Sequence[Prepared]) -> list[list[Detection]]:
            found = super().detect(prepared)
            with turn:
                if len(self.batches) == 1:
                    assert turn.wait_for(lambda: ended[0] >= 3, timeout=60)
                ended[0] += 1
                turn.notify_all()
            return found

    scan = workshop.scan(1, Backwards(parallel=4))
    assert (scan.status, scan.scored) == ("done", 43)
    assert scores(workshop) == expected(FILES)


def test_as_many_batches_are_in_the_model_as_it_takes(workshop: Workshop) -> None:
    """Three threads of the model meet in it; with fewer at once the barrier would break."""
    workshop.add(workshop.fill({f"football/{n}.png": 100 + n for n in range(11)} | {"background/0.png": 5}))
    together = Barrier(3, timeout=60)
    detector = Keeping(parallel=3)
    look = detector.detect
    detector.detect = lambda prepared: (together.wait(), look(prepared))[1]  # type: ignore[method-assign]
    assert workshop.scan(1, detector).status == "done"


def test_one_percent_of_broken_files_are_all_named(workshop: Workshop) -> None:
    """A thousand files, ten of them broken in ten ways: the scan is done and says of each what is wrong."""
    root = workshop.fill({f"{'football' if n % 2 else 'background'}/{n}.png": n % 256 for n in range(990)})
    whole = (root / "football" / "1.png").read_bytes()
    broken = {f"football/bad-{n}.png": whole[: 7 * n] for n in range(8)}
    broken |= {"background/text.jpg": b"no picture", "background/other.jpg": whole}
    for path, content in broken.items():
        (root / path).write_bytes(content)
    workshop.add(root)
    scan = workshop.scan(1)
    flagged = workshop.items(1, flag="unreadable")
    assert (scan.status, scan.total, scan.scored, scan.unreadable) == ("done", 1000, 990, 10)
    assert set(flagged) == set(broken)
    assert all(item.record.unreadable for item in flagged.values())


def test_every_score_says_which_engine_computed_it(workshop: Workshop) -> None:
    """With the figures that let the engine pass; the same engine is one row however often it scans."""

    class Gated(ColourDetector):
        @property
        def runtime(self) -> Runtime:
            return Runtime("fast", "cpu", "half", "9.1", gate={"canaries": 64, "agreeing": 64})

    workshop.add(workshop.fill(FILES))
    workshop.scan(1, Gated())
    workshop.scan(1, Gated())
    draw(workshop.folder / "frames" / "football" / "new.png", 99)
    workshop.scan(1)
    engines = rows(workshop, "SELECT fingerprint, gate, count(*) FROM scores JOIN engines ON engines.id = engine_id "
                   "GROUP BY fingerprint, gate ORDER BY fingerprint")  # fmt: skip
    assert [(row[0], json.loads(row[1]), row[2]) for row in engines] == [
        ("colour cpu exact", None, 1),
        ("fast 9.1 cpu half", {"canaries": 64, "agreeing": 64}, 43),
    ]


def test_what_decoding_shows_is_stored(workshop: Workshop) -> None:
    """Hash, upright size and perceptual hash of every readable image."""
    workshop.add(workshop.fill(FILES))
    workshop.scan(1)
    stored = rows(workshop, "SELECT count(*), count(sha256), count(width), count(height), count(phash) FROM images")
    assert [tuple(row) for row in stored] == [(43,) * 5]


def test_a_reduced_picture_gives_boxes_and_sizes_of_the_whole_image(workshop: Workshop) -> None:
    """A JPEG of 1600 x 1200 pixels, decoded at an eighth: width, height and box are those of the image."""
    root = workshop.folder / "frames"
    draw(root / "football" / "a.jpg", 200, size=(1600, 1200))
    draw(root / "background" / "b.png", 20, size=(1600, 1200))
    workshop.add(root)
    detector = Reducing(150)
    workshop.scan(1, detector, settings=workshop.settings.model_copy(
        update={"renditions": workshop.settings.renditions.model_copy(update={"during_scan": "off"})}
    ))  # fmt: skip
    item = workshop.items(1)["football/a.jpg"]
    assert sorted(detector.seen) == [(200, 150), (1600, 1200)]
    assert (item.record.width, item.record.height) == (1600, 1200)
    assert (item.boxes[0].x1, item.boxes[0].y1) == (800, 1200)


def test_a_database_that_refuses_a_batch_fails_the_scan(workshop: Workshop) -> None:
    """Nothing of that batch is stored, and the reason is told."""
    workshop.add(workshop.fill(FILES))
    with workshop.database.engine.connect() as connection:
        connection.exec_driver_sql(
            "CREATE TRIGGER full BEFORE INSERT ON scores WHEN (SELECT count(*) FROM scores) >= 8 "
            "BEGIN SELECT RAISE(ABORT, 'the disk is full'); END"
        )
        connection.commit()
    scan = workshop.scan(1)
    assert (scan.status, "the disk is full" in (scan.error or "")) == ("failed", True)
    scored = [row[0] for row in rows(workshop, "SELECT image_id FROM scores")]
    boxed = {row[0] for row in rows(workshop, "SELECT image_id FROM detections")}
    assert len(scored) == scan.scored <= 8
    assert boxed <= set(scored)
    with workshop.database.engine.connect() as connection:
        connection.exec_driver_sql("DROP TRIGGER full")
        connection.commit()
    again = workshop.scan(1)
    assert (again.status, again.scored + again.reused) == ("done", 43)
    assert scores(workshop) == expected(FILES)


def test_a_bug_in_decoding_fails_the_scan_with_its_reason(workshop: Workshop) -> None:
    """It does not hang, and it does not pass for an unreadable image."""

    class Confused(ColourDetector):
        def prepare(self, picture: Image.Image, width: int, height: int) -> Prepared:
            msg = "cannot prepare this"
            raise LookupError(msg)

    workshop.add(workshop.fill(FILES))
    scan = workshop.scan(1, Confused())
    assert (scan.status, "cannot prepare this" in (scan.error or "")) == ("failed", True)


def test_an_image_that_does_not_fit_into_memory_is_named_and_the_run_goes_on(workshop: Workshop) -> None:
    """Whichever step it is too large for."""

    class Greedy(ColourDetector):
        def prepare(self, picture: Image.Image, width: int, height: int) -> Prepared:
            if width == 99:
                raise MemoryError
            return super().prepare(picture, width, height)

    root = workshop.fill(FILES)
    draw(root / "football" / "huge.png", 200, size=(99, 10))
    workshop.add(root)
    scan = workshop.scan(1, Greedy())
    assert (scan.status, scan.scored, scan.unreadable) == ("done", 43, 1)
    assert workshop.items(1)["football/huge.png"].record.unreadable == "too large to decode in memory"


def test_a_detector_that_breaks_in_one_of_its_threads_fails_the_scan(workshop: Workshop) -> None:
    """What the others had begun is stored."""

    class Fragile(Keeping):
        def detect(self, prepared: Sequence[Prepared]) -> list[list[Detection]]:
            found = super().detect(prepared)
            if len(self.batches) == 5:
                msg = "out of order"
                raise RuntimeError(msg)
            return found

    workshop.add(workshop.fill(FILES))
    scan = workshop.scan(1, Fragile(parallel=3))
    assert (scan.status, "out of order" in (scan.error or "")) == ("failed", True)
    assert scan.scored % 4 == 0
    assert scan.scored == len(rows(workshop, "SELECT 1 FROM scores"))
    assert workshop.scan(1).status == "done"
    assert scores(workshop) == expected(FILES)


def test_the_course_of_a_scan_adds_up(workshop: Workshop) -> None:
    """The last sample is the end, every stage worked, and what was refused is told."""

    class Second(ColourDetector):
        @property
        def runtime(self) -> Runtime:
            return Runtime("slow", "cpu", "exact", refused=("fast: saw nothing",))

    workshop.add(workshop.fill(FILES))
    workshop.scan(1, Second())
    course = json.loads(rows(workshop, "SELECT telemetry FROM scans")[0][0])
    assert course["samples"][0][1] == 0
    assert course["samples"][-1][1] == 43
    assert course["samples"] == sorted(course["samples"])
    assert min(course["shares"][stage] for stage in ("decode", "model", "write")) > 0
    assert course["shares"]["waiting_for"] in ("decode", "model", "write")
    assert course["rss_bytes"] > 10_000_000
    assert (course["batch_size"], course["refused"], course["device_bytes"]) == (8, ["fast: saw nothing"], None)


@pytest.mark.parametrize("device", ["cpu", "GPU.0", "cuda:0"])
def test_the_device_s_memory_is_unknown_where_nothing_tells_it(device: str) -> None:
    """No GPU, or none of torch's: nothing is made up and nothing fails."""
    if device == "cuda:0" and "torch" in sys.modules and sys.modules["torch"].cuda.is_available():
        pytest.skip("there is a GPU here")
    assert device_bytes(device) in (None, 0)


def scored(busy_s: float = 0.0, starved_s: float = 0.0, blocked_s: float = 0.0, decode_s: float = 0.0) -> Scored:
    """A batch with the time that went into it."""
    image = PendingImage(1, "a.png", "positive", None, None, None)
    return Scored([Looked(image, busy_s=decode_s)], {}, busy_s, starved_s, blocked_s)


@pytest.mark.parametrize(
    ("spent", "expected_stage"),
    [
        ({"busy_s": 1.0, "decode_s": 5.0}, "model"),
        ({"busy_s": 1.0, "starved_s": 0.05}, "model"),
        ({"busy_s": 1.0, "starved_s": 1.0}, "decode"),
        ({"busy_s": 1.0, "blocked_s": 1.0, "starved_s": 0.3}, "write"),
    ],
)
def test_the_stage_that_the_model_waits_for_holds_the_scan_up(spent: dict[str, float], expected_stage: str) -> None:
    """Not the one with most work: decoding may be busy on other cores and hold nobody up."""
    course = Course(ColourDetector(), 8)
    course.pass_by([scored(**spent)], 0.25)
    shares = course.document(1)["shares"]
    assert shares == {"decode": spent.get("decode_s", 0.0), "model": 1.0, "write": 0.25, "waiting_for": expected_stage}


def test_a_long_course_is_thinned_and_keeps_its_ends() -> None:
    """Two days of samples: at most 240 of them, evenly spread, from the first to the last."""
    now = [0.0]
    course = Course(ColourDetector(), 8, clock=lambda: now[0])
    document = course.document(0)
    for second in range(1, 20_000):
        now[0] = float(second)
        assert course.due()
        document = course.document(second)
    samples = document["samples"]
    assert (samples[0], samples[-1]) == ([0.0, 0], [19_999.0, 19_999])
    assert POINTS / 3 < len(samples) <= POINTS
    steps = [after[0] - before[0] for before, after in pairwise(samples[:-1])]
    assert max(steps) <= 4 * min(steps)


def test_a_scan_that_is_taken_up_again_goes_on_with_its_course(workshop: Workshop) -> None:
    """Samples and seconds of before stay."""
    earlier = {"samples": [[0.0, 0], [100.0, 50]], "shares": {"decode": 3.0, "model": 4.0, "write": 5.0}}
    now = [7.0]
    course = Course(ColourDetector(), 8, earlier, clock=lambda: now[0])
    now[0] = 8.0
    course.pass_by([scored(busy_s=1.0)], 1.0)
    document = course.document(60)
    assert document["samples"] == [[0.0, 0], [100.0, 50], [101.0, 60]]
    assert document["shares"]["model"] == 5.0


def test_an_ended_channel_still_gives_what_is_in_it_and_a_closed_one_does_not() -> None:
    """Ending is for those who are done, closing for those who want no more."""
    channel: Channel[int] = Channel(4, producers=2)
    assert channel.put(1)
    assert channel.put(2)
    channel.end()
    channel.end()
    assert (channel.get(), channel.get_all(), channel.get(), channel.get_all()) == (1, [2], None, [])
    closed: Channel[int] = Channel(4)
    closed.put(1)
    closed.close()
    assert (closed.put(2), closed.get(), closed.get_all()) == (False, None, [])


def test_what_needs_no_model_goes_with_the_next_batch_or_alone() -> None:
    """Nothing is left on the shelf at the end."""
    shelf: Shelf[str] = Shelf(batch_size=2, room=8, pixels=100, decoders=1)
    shelf.put("aside", for_model=False)
    shelf.put("one", for_model=True)
    shelf.put("two", for_model=True)
    shelf.put("three", for_model=True)
    assert shelf.take() == (["one", "two"], ["aside"])
    shelf.put("last", for_model=False)
    shelf.end()
    assert shelf.take() == (["three"], ["last"])
    assert shelf.take() is None


def test_a_run_without_images_ends_at_once() -> None:
    """An empty dataset needs no model."""
    pipeline = Pipeline(ColourDetector(), 4)
    assert pipeline.run(iter(()), Looked, lambda group: True)


def test_noise_is_hashed_alike_from_a_reduced_picture(workshop: Workshop) -> None:
    """The perceptual hash does not depend on how much a detector wants to see."""
    root = workshop.folder / "frames"
    for label in ("football", "background"):
        (root / label).mkdir(parents=True)
    noise = np.random.default_rng(3).integers(0, 256, (9, 12, 3), np.uint8)
    Image.fromarray(noise).resize((1600, 1200), Image.Resampling.BICUBIC).save(root / "football" / "a.jpg")
    workshop.add(root)
    workshop.scan(1)
    whole = rows(workshop, "SELECT phash FROM images")[0][0]
    reducing = Reducing(100, weights="c" * 64)
    workshop.scan(1, reducing)
    assert reducing.seen == [(200, 150)]
    assert (whole ^ rows(workshop, "SELECT phash FROM images")[0][0]).bit_count() <= 4
