"""The kept tallies say what counting would say, whatever happens to files, scores and verdicts."""

import random
import shutil
from collections import Counter
from contextlib import suppress
from dataclasses import fields

import pytest

from app.domain.counting import DatasetCounts, ReleaseCounts, ReviewerCounts, SignedCounts, bin_of
from app.domain.flagging import disagrees
from app.domain.images import Side
from app.domain.reviewing import Verdict, side_of, upholds_flag
from app.errors import ConflictError
from app.services.datasets import set_threshold
from app.services.sign_offs import sign_off, withdraw_sign_off
from app.storage.images import ImageRecord, iter_images
from app.storage.person_tallies import count_by_reviewer, read_person_tallies
from app.storage.tallies import (
    count_covered,
    count_dataset,
    count_dataset_released,
    cross_dataset,
    has_unscored,
    histogram,
    read_tallies,
    recount,
)
from tests.parts import ColourDetector, Workshop, draw

STEPS = 60


def all_images(workshop: Workshop) -> list[ImageRecord]:
    """Every image that is not missing."""
    with workshop.database.read() as session:
        return list(iter_images(session, 1))


def is_flagged(record: ImageRecord, threshold: float) -> bool:
    """As the flags of the page have it."""
    if record.unreadable is not None or record.score is None:
        return record.duplicate_conflict
    return record.duplicate_conflict or disagrees(record.given, record.score, threshold)


def counted(records: list[ImageRecord], threshold: float) -> DatasetCounts:
    """The counts, one image after the other."""
    flagged = [record for record in records if is_flagged(record, threshold)]
    pairs = Counter((record.given, record.verdict) for record in records)
    upheld = Counter(upholds_flag(record.given, record.verdict) for record in flagged if record.verdict is not None)
    return DatasetCounts(
        images=len(records),
        unreadable=sum(record.unreadable is not None for record in records),
        scored=sum(record.score is not None and record.unreadable is None for record in records),
        flagged=len(flagged),
        open_flags=sum(record.verdict is None for record in flagged),
        reviewed=sum(record.verdict is not None for record in records),
        upheld=upheld[True],
        overruled=upheld[False],
        unsure=sum(record.verdict is Verdict.UNSURE for record in records),
        discarded=sum(record.verdict is Verdict.DISCARD for record in records),
        tp=pairs[Side.POSITIVE, Verdict.POSITIVE],
        fp=pairs[Side.POSITIVE, Verdict.NEGATIVE],
        fn=pairs[Side.NEGATIVE, Verdict.POSITIVE],
        tn=pairs[Side.NEGATIVE, Verdict.NEGATIVE],
    )


def crossed(records: list[ImageRecord], threshold: float) -> dict[tuple[Side, bool | None], tuple[int, ...]]:
    """Given label x detector x verdict, one image after the other."""
    found = {}
    for given in Side:
        for sees in (True, False, None):
            pairs = Counter(
                record.verdict for record in records if (record.given, seen(record, threshold)) == (given, sees)
            )
            found[given, sees] = tuple(pairs[verdict] for verdict in (*Verdict, None))
    return found


def seen(record: ImageRecord, threshold: float) -> bool | None:
    """Whether the detector sees the object; None where it has not looked."""
    return None if record.score is None or record.unreadable is not None else record.score >= threshold


def released(records: list[ImageRecord], threshold: float) -> dict[Side, ReleaseCounts]:
    """What a sign-off now would release, one image after the other."""
    found = {}
    for given in Side:
        readable = [record for record in records if record.given is given and record.unreadable is None]
        sides = [side_of(record.verdict) for record in readable]
        agreeing = [
            record
            for record in readable
            if record.verdict is None and record.score is not None and not is_flagged(record, threshold)
        ]
        wrong = sum(side not in (None, given) for side in sides)
        found[given] = ReleaseCounts(len(sides) - sides.count(None), len(agreeing), wrong)
    return found


def covered(workshop: Workshop, records: list[ImageRecord], threshold: float) -> tuple[int, SignedCounts] | None:
    """What became of the images of the sign-off that stands, one after the other."""
    with workshop.database.engine.connect() as connection:
        newest = connection.exec_driver_sql("SELECT max(id) FROM sign_offs WHERE withdrawn_at IS NULL").scalar()
        if newest is None:
            return None
        rows = connection.exec_driver_sql("SELECT image_id, sha256 FROM signed_images WHERE sign_off_id = ?", (newest,))
        signed = dict(tuple(row) for row in rows)
    agreeing = [
        record
        for record in records
        if signed.get(record.id) == record.sha256 is not None
        and record.unreadable is None
        and record.score is not None
        and not is_flagged(record, threshold)
    ]
    holding = sum(record.verdict is None for record in agreeing)
    called = sum(record.verdict is not None and side_of(record.verdict) is record.given for record in agreeing)
    return len(signed), SignedCounts(holding, len(signed) - holding - called)


def people(workshop: Workshop, threshold: float) -> dict[str, ReviewerCounts]:
    """Whose verdicts stand, one after the other; those on files that are gone as well."""
    with workshop.database.engine.connect() as connection:
        rows = connection.exec_driver_sql(
            "SELECT reviewer, images.given, standings.verdict, score, unreadable FROM standings "
            "JOIN reviews ON reviews.id = effective_review_id JOIN images ON images.id = standings.image_id "
            "JOIN datasets ON datasets.id = images.dataset_id "
            "LEFT JOIN scores ON scores.image_id = images.id AND scores.detector_id = datasets.detector_id"
        ).all()
    found: dict[str, Counter[str]] = {}
    for reviewer, given, verdict, score, unreadable in rows:
        own = found.setdefault(reviewer, Counter())
        own["verdicts"] += 1
        if verdict in ("unsure", "discard"):
            own["unsure" if verdict == "unsure" else "discarded"] += 1
        elif score is not None and unreadable is None and disagrees(Side(given), score, threshold):
            own["upheld" if verdict != given else "overruled"] += 1
    names = [field.name for field in fields(ReviewerCounts) if field.name != "reviewer"]
    return {reviewer: ReviewerCounts(reviewer, *(own[name] for name in names)) for reviewer, own in found.items()}


def check(workshop: Workshop) -> None:
    """Everything that tallies answer, against counting."""
    records, dataset = all_images(workshop), workshop.dataset(1)
    readable = [record for record in records if record.score is not None and record.unreadable is None]
    signed = covered(workshop, records, dataset.threshold)
    with workshop.database.read() as session:
        assert count_dataset(session, dataset) == counted(records, dataset.threshold)
        assert {
            (row.given, row.sees): (row.positive, row.negative, row.unsure, row.discarded, row.open)
            for row in cross_dataset(session, dataset)
        } == crossed(records, dataset.threshold)
        assert count_dataset_released(session, dataset) == released(records, dataset.threshold)
        assert signed is None or count_covered(session, dataset, signed[0]) == signed[1]
        assert {one.reviewer: one for one in count_by_reviewer(session, dataset)} == people(workshop, dataset.threshold)
        assert has_unscored(session, 1) == (len(readable) < len(records))
        assert histogram(session, 1) == Counter((record.given, bin_of(record.score or 0.0)) for record in readable)


class Events:
    """What may happen to a dataset of a few coloured pictures, one thing at a time."""

    def __init__(self, workshop: Workshop, seed: int) -> None:
        self.workshop = workshop
        self.chance = random.Random(seed)
        self.detector = workshop.detector
        self.root = workshop.fill({f"{side}/{n}.png": 8 * n for side in ("football", "background") for n in range(12)})
        self.names = 100

    def happen(self) -> None:
        """One of them."""
        self.chance.choice(
            (
                *(self.call, self.call, self.undo, self.scan, self.remove, self.add),
                *(self.spoil, self.refile, self.copy, self.threshold, self.sign, self.withdraw),
            )
        )()

    def _file(self) -> str:
        return self.chance.choice(sorted(str(path.relative_to(self.root)) for path in self.root.rglob("*.png")))

    def call(self) -> None:
        """A person gives a verdict, on whatever is there."""
        record = self.chance.choice(all_images(self.workshop))
        self.workshop.call(record.id, self.chance.choice(list(Verdict)), self.chance.choice(("Ada", "Bob")))

    def undo(self) -> None:
        """A person takes one back."""
        called = [record for record in all_images(self.workshop) if record.effective_review_id is not None]
        if called:
            self.workshop.take_back(self.chance.choice(called).effective_review_id or 0)

    def scan(self) -> None:
        """The worker scans, sometimes with another detector."""
        if self.chance.random() < 0.3:
            self.detector = ColourDetector(weights=self.chance.choice("abc") * 64)
        self.workshop.scan(1, self.detector)

    def remove(self) -> None:
        """A file is deleted."""
        if len(list(self.root.rglob("*.png"))) > 8:
            (self.root / self._file()).unlink()

    def add(self) -> None:
        """A file comes, or comes back."""
        self.names += 1
        draw(self.root / f"football/{self.names}.png", self.chance.randrange(256), noise=self.names % 256)

    def spoil(self) -> None:
        """A file is cut off in the middle."""
        path = self.root / self._file()
        path.write_bytes(path.read_bytes()[:40])

    def refile(self) -> None:
        """A file is put into the other folder."""
        name = self._file()
        other = "background" if name.startswith("football") else "football"
        self.names += 1
        (self.root / name).rename(self.root / other / f"{self.names}.png")

    def copy(self) -> None:
        """A file is copied, sometimes into the other folder."""
        self.names += 1
        side = self.chance.choice(("football", "background"))
        shutil.copyfile(self.root / self._file(), self.root / side / f"{self.names}.png")

    def sign(self) -> None:
        """A person signs off what agrees."""
        with suppress(ConflictError):  # nothing has been scanned yet
            sign_off(self.workshop.database, self.workshop.clock, 1, "Ada")

    def withdraw(self) -> None:
        """And takes it back, sometimes."""
        if self.chance.random() < 0.3:
            withdraw_sign_off(self.workshop.database, self.workshop.clock, 1)

    def threshold(self) -> None:
        """A person moves the threshold, to the edge of a bin or into one."""
        chosen = self.chance.choice((0.0, 1.0, 0.29, self.chance.randrange(256) / 255, self.chance.random()))
        set_threshold(self.workshop.database, 1, chosen)


@pytest.mark.parametrize("seed", range(4))
def test_tallies_are_what_counting_says(workshop: Workshop, seed: int) -> None:
    """After each of many things that may happen, in any order."""
    events = Events(workshop, seed)
    workshop.add(events.root)
    for _ in range(STEPS):
        events.happen()
        check(workshop)


def test_counting_anew_changes_nothing(workshop: Workshop) -> None:
    """A recount finds the tallies as they were kept."""
    events = Events(workshop, 11)
    workshop.add(events.root)
    for _ in range(STEPS):
        events.happen()
    with workshop.database.write() as session:
        kept = Counter({(tally.bin, *tally.key): tally.images for tally in read_tallies(session, 1)})
        people_kept = sorted(read_person_tallies(session, 1), key=repr)
        recount(session, 1)
        assert sorted(read_person_tallies(session, 1), key=repr) == people_kept
        assert Counter({(tally.bin, *tally.key): tally.images for tally in read_tallies(session, 1)}) == kept


def test_the_queue_does_not_read_past_what_is_called(workshop: Workshop) -> None:
    """A score knows whether a verdict stands, also one that is stored after the verdict was given."""
    view = workshop.ready({"football/a.png": 10, "background/b.png": 250, "background/c.png": 240})
    workshop.call_paths(view.id, {"football/a.png": "negative", "background/b.png": "unsure"})
    workshop.scan(view.id, ColourDetector(weights="b" * 64))
    taken = workshop.call(workshop.image_id(view.id, "background/c.png"), "positive")
    workshop.take_back(taken.review.id)
    with workshop.database.engine.connect() as connection:
        rows = connection.exec_driver_sql(
            "SELECT path, count(*), min(called), max(called) FROM scores "
            "JOIN images ON images.id = image_id GROUP BY path"
        ).all()
    assert [tuple(row) for row in rows] == [
        ("background/b.png", 2, 1, 1),
        ("background/c.png", 2, 0, 0),
        ("football/a.png", 2, 1, 1),
    ]
