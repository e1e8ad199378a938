"""Audits from the database up: freezing, drawing, answers, what is taken back, and the certificate they give."""

import csv
import json
import random
import subprocess
import sys
from collections import Counter
from pathlib import Path

import pytest
from sqlalchemy import func, select

from app.config import Settings
from app.domain.consensus import Consensus
from app.domain.reviewing import Source, Verdict
from app.services.audit_page import refresh_forecasts, view_audit_page
from app.services.audits import begin_any, ensure_audit
from app.services.certificates import certificate_document, certify
from app.services.certifying import read_audit
from app.services.datasets import set_threshold
from app.services.handing_out import QueueName, next_items
from app.services.images import ImageItem
from app.services.queue import ReviewPage, view_desk
from app.services.removing import forget_removed, remove_dataset
from app.services.reviews import GivenReview, NewReview, give_review
from app.services.second_looks import give_second
from app.services.sign_offs import sign_off
from app.services.sweeping import set_reviewing
from app.storage import audit_looks as looks
from app.storage import audits as stored
from app.storage.audit_freezing import retire
from app.storage.audit_tables import LookRow, MemberRow, StratumRow
from app.storage.audits import Audit, find_audit
from app.storage.tables import Base
from tests.parts import Workshop

SCRIPT = Path(__file__).parents[2] / "scripts" / "check_certificate.py"


@pytest.fixture
def settings(settings: Settings) -> Settings:
    """With draws woven in."""
    return settings.model_copy(update={"review": settings.review.model_copy(update={"audit_share": 0.15})})


def many(football: int, background: int, wrong: int = 0) -> dict[str, int]:
    """Images on which folder and detector agree; every tenth is flagged; the first ``wrong`` of each really are."""
    files = {f"football/f{number:03}.png": 20 if number % 10 == 9 else 200 + number % 50 for number in range(football)}
    return files | {
        f"background/b{number:03}.png": 240 if number % 10 == 9 else number % 50 for number in range(background)
    }


def begin(workshop: Workshop, seed: int = 7, reference: str = "frames") -> Audit:
    """Freeze with a seed of the test's own."""
    with workshop.database.write() as session:
        dataset = workshop.dataset(reference)
        audit = ensure_audit(session, dataset, workshop.settings.review, workshop.clock(), seed)
    assert audit is not None
    return audit


def current(workshop: Workshop) -> Audit:
    """The audit in force."""
    with workshop.database.read() as session:
        audit = find_audit(session, 1)
    assert audit is not None
    return audit


def ask(workshop: Workshop, count: int = 1, queue: QueueName = "audit", client: str = "tab-1") -> list[ImageItem]:
    """What a tab gets."""
    return next_items(workshop.database, workshop.settings.review, workshop.clock, "frames", queue, count, client)


def answer(workshop: Workshop, item: ImageItem, verdict: str, reviewer: str = "ada") -> GivenReview:
    """Answer by the API."""
    new = NewReview(Verdict(verdict), item.record.latest_review_id, reviewer, "api")
    return give_review(workshop.database, workshop.clock, item.record.id, new)


def upheld(item: ImageItem) -> str:
    """The verdict that says the folder is right."""
    return item.record.given.value


def counted(workshop: Workshop) -> list[tuple[int, int, bool]]:
    """The draws that count, of all strata: reviewed, found, wrong."""
    with workshop.database.read() as session:
        audit = read_audit(session, current(workshop), workshop.dataset("frames"))
    return [(draw.reviewed, draw.found, draw.wrong) for each in audit.strata for draw in each.record.draws]


def document(workshop: Workshop) -> dict[str, object]:
    """The certificate as JSON has it."""
    return certificate_document(certify(workshop.database, workshop.clock, "frames"))


def test_an_audit_begins_with_the_first_next_after_a_scan(workshop: Workshop) -> None:
    """Its strata hold every agreeing image once, by given label, with ordinals from 0; flagged ones are in none."""
    workshop.ready(many(30, 20))
    assert document(workshop)["audit"] is None
    ask(workshop, queue="flagged")
    with workshop.database.read() as session:
        strata = [(row.given, row.band, row.images) for row in session.scalars(select(StratumRow))]
        members = list(session.execute(select(MemberRow.stratum, MemberRow.ordinal)))
    assert strata == [("positive", "agreeing", 27), ("negative", "agreeing", 18)]
    assert sorted(members) == [(nr, at) for nr, images in ((1, 27), (2, 18)) for at in range(images)]


def test_flagged_images_widen_no_bound(workshop: Workshop) -> None:
    """Folders full of flagged mislabels, all called: the bound on the agreeing rest is that of the rest alone."""
    rights = {f"football/f{n:03}.png": 200 + n % 50 for n in range(100)}
    rights |= {f"background/b{n:03}.png": n % 50 for n in range(100)}
    wrongs = {f"football/w{n:03}.png": 10 for n in range(20)} | {f"background/w{n:03}.png": 245 for n in range(20)}
    bounds = []
    for name, values in (("alone", rights), ("with", rights | wrongs)):
        workshop.ready(values, name)
        begin(workshop, 7, name)
        opposite = {"football": "negative", "background": "positive"}
        workshop.call_paths(name, {path: opposite[path.partition("/")[0]] for path in values if "/w" in path})
        for _ in range(40):
            [item] = next_items(workshop.database, workshop.settings.review, workshop.clock, name, "audit", 1, "tab")
            answer(workshop, item, upheld(item))
        bounds.append(certify(workshop.database, workshop.clock, name).certificate.overall)
    assert bounds[0].errors_upper == bounds[1].errors_upper
    assert (bounds[0].images, bounds[1].images) == (200, 240)


def test_what_lost_its_flag_is_outside(workshop: Workshop) -> None:
    """Another threshold moves images into the released rest that no stratum holds: they count as wrong until called.

    Before the first draw the strata are frozen anew.
    """
    workshop.ready(many(30, 20))
    begin(workshop)
    set_threshold(workshop.database, "frames", 0.4)
    begin(workshop)
    assert current(workshop).threshold == 0.4
    [item] = ask(workshop)
    answer(workshop, item, upheld(item))
    before = certify(workshop.database, workshop.clock, 1).certificate
    assert before.valid
    set_threshold(workshop.database, "frames", 0.9999)
    after = certify(workshop.database, workshop.clock, 1).certificate
    lost = [item for item in workshop.items("frames").values() if item.record.given == "negative"]
    lost = [item for item in lost if 0.4 <= (item.record.score or 0) < 0.9999]
    assert after.overall.outside == len(lost) > 0
    assert not after.valid
    assert current(workshop).number == 1
    set_threshold(workshop.database, "frames", 0.4)
    assert certify(workshop.database, workshop.clock, 1).certificate == before


def test_nobody_waits_for_a_large_dataset_to_be_frozen(workshop: Workshop, monkeypatch: pytest.MonkeyPatch) -> None:
    """A worker does it after the scan, and again after the next; meanwhile there are open images, and no draws."""
    monkeypatch.setattr("app.services.certifying.AT_ONCE", 10)
    workshop.ready(many(10, 10))
    review = workshop.settings.review
    assert ask(workshop) == []
    assert [item.blind for item in ask(workshop, 2, "all")] == [False, False]
    assert begin_any(workshop.database, review, workshop.clock)
    first = current(workshop)
    assert not begin_any(workshop.database, review, workshop.clock)
    assert ask(workshop)[0].blind
    workshop.scan(1)
    assert begin_any(workshop.database, review, workshop.clock)
    assert current(workshop).id == first.id
    assert not begin_any(workshop.database, review, workshop.clock)


def test_none_begins_while_nothing_is_woven_in(workshop: Workshop, settings: Settings) -> None:
    """Who switched draws off pays nothing for them; asking for draws alone begins one all the same."""
    off = settings.review.model_copy(update={"audit_share": 0.0})
    workshop.ready(many(10, 10))
    next_items(workshop.database, off, workshop.clock, "frames", "all", 3, "tab")
    with workshop.database.read() as session:
        assert find_audit(session, 1) is None
    assert len(next_items(workshop.database, off, workshop.clock, "frames", "audit", 3, "tab")) == 3


def test_verdicts_from_before_the_freeze_are_in_its_counts(workshop: Workshop) -> None:
    """They are no draws, and found mislabels among them are taken off."""
    workshop.ready(many(20, 10))
    workshop.call_paths("frames", {"football/f000.png": "negative", "football/f001.png": "positive"})
    begin(workshop)
    strata = document(workshop)["strata"]
    assert isinstance(strata, list)
    agreeing = next(each for each in strata if (each["given_label"], each["band"]) == ("football", "agreeing"))
    assert (agreeing["reviewed_at_freeze"], agreeing["errors_at_freeze"], agreeing["reviewed"]) == (2, 1, 2)


def test_a_draw_is_uniform_over_what_has_no_verdict(workshop: Workshop) -> None:
    """Over many seeds each image of the pool comes equally often, whatever was called; chi-square at one in 10,000."""
    workshop.ready(many(0, 18) | {"football/only.png": 250})
    begin(workshop)
    hunted = ["background/b000.png", "background/b003.png", "background/b017.png"]
    workshop.call_paths("frames", dict.fromkeys(hunted, "negative"))
    drawn: Counter[int] = Counter()
    for seed in range(800):
        with workshop.database.engine.connect() as connection, looks.Session(connection) as session:
            audit = stored.find_audit(session, 1)
            assert audit is not None
            image_id = looks.draw(
                session, Audit(**{name: getattr(audit, name) for name in audit.__slots__} | {"seed": seed})
            )
            assert image_id is not None
            drawn[image_id] += 1
            session.rollback()
    items = workshop.items("frames")
    pool = [item.record.id for path, item in items.items() if path not in hunted and not item.flags]
    assert set(drawn) == set(pool)
    expected = 800 / len(pool)
    assert sum((drawn[image_id] - expected) ** 2 / expected for image_id in pool) < 42.6  # 14 degrees of freedom, 1e-4


def test_the_same_seed_draws_the_same(workshop: Workshop) -> None:
    """Whoever knows seed and strata can draw again; nothing else is left to chance."""
    workshop.ready(many(20, 20))
    begin(workshop, seed=11)
    first = [item.record.id for item in ask(workshop, 10)]
    with workshop.database.write() as session:
        retire(session, current(workshop), unused=True)
    begin(workshop, seed=11)
    assert [item.record.id for item in ask(workshop, 10)] == first


def test_a_blind_item_says_nothing(workshop: Workshop) -> None:
    """And what is in the audit's queue is all blind, and all different."""
    workshop.ready(many(20, 20))
    items = ask(workshop, 10)
    assert all(item.blind for item in items)
    assert len({item.record.id for item in items}) == 10
    assert [item.record.id for item in ask(workshop, 10)] == [item.record.id for item in items]


def test_a_pending_draw_is_in_no_other_queue(workshop: Workshop) -> None:
    """Two tabs draw different images, and neither flagged nor all has them meanwhile."""
    workshop.ready(many(20, 20))
    begin(workshop)
    drawn = {item.record.id for client in ("a", "b") for item in ask(workshop, 10, client=client)}
    assert len(drawn) == 20
    seen = {item.record.id for item in ask(workshop, 10, "flagged", "c")}
    assert not seen & drawn


def test_a_draw_whose_lease_ran_out_goes_to_the_next(workshop: Workshop) -> None:
    """It is never dropped, and stays the first of those that count."""
    workshop.ready(many(20, 20))
    begin(workshop)
    [left] = ask(workshop, 1, client="a")
    workshop.clock.advance(121)
    found = ask(workshop, 2, client="b")
    assert found[0].record.id == left.record.id
    assert ask(workshop, 1, client="a")[0].record.id not in {item.record.id for item in found}


def test_only_the_completed_prefix_counts(workshop: Workshop) -> None:
    """An answer ahead of an unanswered draw waits for it; then both count, in drawn order."""
    workshop.ready(many(20, 20))
    begin(workshop)
    first, second = ask(workshop, 2)
    answer(workshop, second, upheld(second))
    assert counted(workshop) == []
    answer(workshop, first, upheld(first))
    assert len(counted(workshop)) == 2


def test_unsure_and_discard_on_a_draw_count_as_wrong(workshop: Workshop) -> None:
    """Such an image is not released as it is."""
    workshop.ready(many(20, 20))
    begin(workshop)
    for verdict in ("unsure", "discard"):
        [item] = ask(workshop)
        answer(workshop, item, verdict)
    assert [wrong for _, _, wrong in counted(workshop)] == [True, True]


def test_a_verdict_given_elsewhere_answers_a_draw(workshop: Workshop) -> None:
    """An import or a grid may call what somebody was about to be shown."""
    workshop.ready(many(20, 20))
    begin(workshop)
    [item] = ask(workshop)
    workshop.call(item.record.id, upheld(item), "grace")
    assert len(counted(workshop)) == 1
    assert ask(workshop)[0].record.id != item.record.id


def test_an_undone_draw_waits_again(workshop: Workshop) -> None:
    """It counts no more, nor does what was drawn after it, until somebody answers it; it keeps its place."""
    workshop.ready(many(20, 20))
    begin(workshop)
    items = ask(workshop, 3)
    given = [answer(workshop, item, upheld(item)) for item in items]
    workshop.take_back(given[1].review.id)
    assert len(counted(workshop)) == 1
    workshop.clock.advance(121)
    [again] = ask(workshop, 1, client="b")
    assert again.record.id == items[1].record.id
    answer(workshop, again, "unsure", "grace")
    assert [wrong for _, _, wrong in counted(workshop)].count(True) == 1
    assert len(counted(workshop)) == 3


def test_a_hunted_image_whose_verdict_was_undone_holds_back_later_draws(workshop: Workshop) -> None:
    """It left the pool, so it is drawn no more; it is asked for again, blind, and its answer stands where it left."""
    workshop.ready(many(20, 20))
    begin(workshop)
    hunted = workshop.call(workshop.image_id("frames", "background/b000.png"), "positive")
    [item] = ask(workshop)
    answer(workshop, item, upheld(item))
    assert len(counted(workshop)) == 1
    workshop.take_back(hunted.review.id)
    assert counted(workshop) == []
    [owed] = ask(workshop)
    assert owed.record.path == "background/b000.png"
    answer(workshop, owed, "negative")
    assert len(counted(workshop)) == 1
    assert {found for _, found, _ in counted(workshop)} == {0}


def test_a_blind_no_where_the_detector_sees_something_is_asked_again(workshop: Workshop) -> None:
    """The boxes come with the answer; both are stored, the second counts; asked twice the same, the same comes."""
    workshop.ready({f"football/{number}.png": 200 for number in range(5)} | {"background/b.png": 5})
    begin(workshop)
    item = next(item for item in ask(workshop, 6) if item.record.given == "positive")
    new = NewReview(Verdict.NEGATIVE, None, "ada", "api", request_id="6d7a2d34-0000-4000-8000-000000000001")
    first = give_review(workshop.database, workshop.clock, item.record.id, new)
    assert [box.class_name for box in first.ask_again] == ["football"]
    assert give_review(workshop.database, workshop.clock, item.record.id, new).ask_again == first.ask_again
    assert workshop.item(item.record.id).record.verdict == "negative"
    second = NewReview(Verdict.POSITIVE, first.review.id, "ada", "api")
    assert give_review(workshop.database, workshop.clock, item.record.id, second).ask_again == ()
    assert workshop.item(item.record.id).record.verdict == "positive"
    with workshop.database.read() as session:
        look = session.scalars(select(LookRow).where(LookRow.image_id == item.record.id)).one()
        assert (look.first_review_id, look.second_review_id) == (first.review.id, first.review.id + 1)


def test_nothing_is_asked_again_without_a_box_or_after_a_yes(workshop: Workshop) -> None:
    """Nor of an image that was not blind."""
    workshop.ready({"football/a.png": 200, "football/b.png": 200, "background/c.png": 5, "background/d.png": 250})
    begin(workshop)
    items = {item.record.path: item for item in ask(workshop, 3)}
    for path, item in items.items():
        verdict = "positive" if path.startswith("football") else "negative"
        again = answer(workshop, item, verdict).ask_again
        assert bool(again) == (path == "background/d.png")
    rest = next(item for path, item in workshop.items("frames").items() if path not in items)
    assert workshop.call(rest.record.id, "negative").ask_again == ()


def test_a_rescan_that_changes_nothing_freezes_nothing(workshop: Workshop) -> None:
    """The audit goes on, with its draws."""
    workshop.ready(many(20, 20))
    begin(workshop)
    [item] = ask(workshop)
    answer(workshop, item, upheld(item))
    workshop.scan(1)
    ask(workshop)
    assert (current(workshop).number, len(counted(workshop))) == (1, 1)


def test_what_comes_later_is_outside_and_counts_as_wrong(workshop: Workshop, settings: Settings) -> None:
    """A few new images make the certificate invalid until they are called; more than the goal allows begin another."""
    workshop.settings = settings.model_copy(update={"review": settings.review.model_copy(update={"audit_goal": 0.1})})
    workshop.ready(many(20, 20))
    begin(workshop)
    [item] = ask(workshop)
    answer(workshop, item, upheld(item))
    before = certify(workshop.database, workshop.clock, 1).certificate
    workshop.fill({"football/new.png": 255})
    workshop.scan(1)
    for _ in range(2):  # before the next is asked for, and after
        after = certify(workshop.database, workshop.clock, 1).certificate
        assert (before.valid, after.valid, after.overall.outside) == (True, False, 1)
        assert after.overall.errors_upper == before.overall.errors_upper + 1
        ask(workshop)
    workshop.call(workshop.image_id("frames", "football/new.png"), "positive")
    assert certify(workshop.database, workshop.clock, 1).certificate.valid
    workshop.fill({f"background/new{number}.png": number for number in range(9)})
    workshop.scan(1)
    ask(workshop)
    assert (current(workshop).number, counted(workshop)) == (2, [])
    found = certify(workshop.database, workshop.clock, 1).certificate
    assert found.valid
    assert found.audit is not None
    assert found.audit.risk == pytest.approx(6 * 0.05 / (3.14159265358979**2 * 4))


def test_before_anything_is_drawn_it_is_frozen_anew_at_no_cost(workshop: Workshop) -> None:
    """The number stays: an audit without a draw has spent no risk."""
    workshop.ready(many(20, 20))
    ask(workshop, queue="flagged")
    workshop.fill({"football/new.png": 255})
    workshop.scan(1)
    ask(workshop, queue="flagged")
    assert current(workshop).number == 1
    assert certify(workshop.database, workshop.clock, 1).certificate.valid


def test_a_drawn_image_that_is_gone_counts_as_wrong(workshop: Workshop, settings: Settings) -> None:
    """Nobody can be shown it; so nobody is, and it is not dropped."""
    workshop.settings = settings.model_copy(update={"review": settings.review.model_copy(update={"audit_goal": 0.9})})
    workshop.ready(many(10, 4))
    begin(workshop)
    waiting = ask(workshop, 1)[0]
    (workshop.folder / "frames" / waiting.record.path).unlink()
    gone = [path for path in workshop.items("frames") if path != waiting.record.path][:6]
    for path in gone:
        (workshop.folder / "frames" / path).unlink()
    workshop.scan(1)
    while items := ask(workshop):
        assert items[0].record.path not in {*gone, waiting.record.path}
        answer(workshop, items[0], upheld(items[0]))
    wrong = [wrong for _, _, wrong in counted(workshop)]
    assert (len(wrong), wrong.count(True)) == (13, 7)


def test_all_ends_when_the_goal_is_certified(workshop: Workshop) -> None:
    """A small set must be called to the end; then nothing is left, and draws have been woven in."""
    workshop.ready(many(20, 20))
    begin(workshop, seed=3)
    blind = 0
    calls = 0
    while items := ask(workshop, queue="all"):
        blind += items[0].blind
        calls += 1
        answer(workshop, items[0], upheld(items[0]))
    assert calls == 40
    assert 3 <= blind <= 30
    assert document(workshop)["overall"]["rate_upper"] == 0.0  # type: ignore[index]


def desk(workshop: Workshop, **values: object) -> ReviewPage:
    """The desk of one tab."""
    return view_desk(
        workshop.database,
        workshop.settings.review,
        workshop.clock,
        workshop.dataset("frames"),
        "ada",
        "tab",
        **values,  # type: ignore[arg-type]
    )


def test_the_desk_weaves_draws_in_and_flags_in_the_same_form(workshop: Workshop) -> None:
    """Reloading deals nothing anew; about as many flags as draws come blind."""
    workshop.ready(many(300, 300))
    begin(workshop, seed=5)
    kinds: Counter[str] = Counter()
    for _ in range(60):
        page = desk(workshop)
        again = desk(workshop)
        shown = page.blind or page.item
        assert shown is not None
        assert (again.blind or again.item).image_id == shown.image_id  # type: ignore[union-attr]
        assert (page.blind is None) != (page.item is None)
        with workshop.database.read() as session:
            look = looks.find_pending(session, shown.image_id)
        kinds[look.kind if look is not None and page.blind else "open"] += 1
        workshop.call(shown.image_id, upheld(workshop.item(shown.image_id)))
        workshop.clock.advance(2)
    assert kinds["draw"] >= 3
    assert kinds["shown"] >= 3
    assert kinds["open"] >= 25


def test_the_desk_of_draws_alone(workshop: Workshop) -> None:
    """It shows draws until every pool is empty."""
    workshop.ready(many(5, 5))
    begin(workshop)
    seen = set()
    while (blind := desk(workshop, queue="audit").blind) is not None:
        seen.add(blind.image_id)
        workshop.call(blind.image_id, upheld(workshop.item(blind.image_id)))
    assert len(seen) == 10


def play(workshop: Workshop, truth: dict[str, bool], rng: random.Random, calls: int) -> None:
    """People hunt in suspicious order and answer draws as they come, leave some, and take some back."""
    for _ in range(calls):
        client = rng.choice(["a", "b"])
        items = ask(workshop, rng.choice([1, 2]), rng.choice(["all", "all", "audit"]), client)
        if not items:
            return
        item = rng.choice(items)
        roll = rng.random()
        if roll < 0.05:
            workshop.clock.advance(130)
            continue
        right = upheld(item)
        other = "negative" if right == "positive" else "positive"
        verdict = rng.choice([other, other, "unsure"]) if truth[item.record.path] else right
        given = answer(workshop, item, verdict, client)
        if given.ask_again:
            seen = workshop.item(item.record.id)
            answer(workshop, seen, verdict, client)
        elif roll < 0.12:
            workshop.take_back(given.review.id, client)


@pytest.mark.parametrize(("seed", "calls"), [(1, 60), (2, 250)])
def test_the_check_of_a_cleaned_set_agrees_to_the_last_count(
    workshop: Workshop, tmp_path: Path, seed: int, calls: int
) -> None:
    """Seeded verdicts by ``next``, hunted, drawn, left and taken back; relocated, and checked by the script."""
    rng = random.Random(seed)
    workshop.ready(many(120, 150))
    truth = {path: rng.random() < 0.08 for path in workshop.items("frames")}
    begin(workshop, seed)
    play(workshop, truth, rng, calls)
    workshop.relocate("frames", tmp_path / "clean")
    certificate = json.loads((tmp_path / "clean" / "certificate.json").read_text(encoding="utf-8"))
    assert (certificate["valid"], certificate["audit"]["seed"]) == (True, seed)
    assert certificate["overall"]["audited"] > 5
    done = subprocess.run(
        [sys.executable, SCRIPT, tmp_path / "clean"], capture_output=True, text=True, check=False, cwd=tmp_path
    )
    assert "DISAGREE" not in done.stdout
    assert done.returncode == 0, done.stdout + done.stderr
    with (tmp_path / "clean" / "manifest.csv").open(encoding="utf-8", newline="") as file:
        placed = {row["source_path"]: row["sampling_probability"] for row in csv.DictReader(file)}
    with (tmp_path / "clean" / "audit.csv").open(encoding="utf-8", newline="") as file:
        drawn = {row["path"]: row["sampling_probability"] for row in csv.DictReader(file) if row["draw"]}
    assert {path: value for path, value in placed.items() if value} == {
        path: value for path, value in drawn.items() if path in placed
    }


def test_the_bound_holds_through_the_service(workshop: Workshop) -> None:
    """With hunting and looking at every step no bound is below the truth, in a set where one in ten is wrong."""
    rng = random.Random(4)
    workshop.ready(many(60, 60))
    items = workshop.items("frames")
    truth = {path: rng.random() < 0.1 for path in items}
    begin(workshop, 4)
    for _ in range(40):
        play(workshop, truth, rng, 1)
        overall = certify(workshop.database, workshop.clock, "frames").certificate.overall
        now = workshop.items("frames")
        left = sum(truth[path] for path, item in now.items() if item.record.verdict is None and not item.flags)
        assert overall.errors_upper >= left


def test_the_last_flag_is_not_kept_back(workshop: Workshop) -> None:
    """Where nothing but a flag that was to come blind next is left, it is shown now: the desk runs to its end."""
    workshop.ready(many(20, 20))
    for seed in range(2):
        with workshop.database.write() as session:
            if stored.find_audit(session, 1) is not None:
                retire(session, current(workshop), unused=True)
        begin(workshop, seed)
        calls = []
        while (shown := desk(workshop).blind or desk(workshop).item) is not None:
            calls.append(workshop.call(shown.image_id, upheld(workshop.item(shown.image_id))).review.id)
        assert not [item for item in workshop.items("frames", flag="disagreement").values() if not item.record.verdict]
        for review_id in calls:
            workshop.take_back(review_id)


def test_a_worker_works_out_what_the_goal_takes(workshop: Workshop, settings: Settings) -> None:
    """The page shows what is kept; nothing is worked out twice while nothing changes."""
    workshop.settings = settings.model_copy(update={"review": settings.review.model_copy(update={"audit_goal": 0.2})})
    review = workshop.settings.review
    workshop.ready(many(60, 60))
    begin(workshop)
    for _ in range(4):
        [item] = ask(workshop)
        answer(workshop, item, upheld(item))
    dataset = workshop.dataset("frames")
    before = view_audit_page(workshop.database, review, workshop.clock, dataset)
    assert before.audit is not None
    assert not before.audit.is_forecast
    assert refresh_forecasts(workshop.database, review, workshop.clock)
    assert not refresh_forecasts(workshop.database, review, workshop.clock)
    after = view_audit_page(workshop.database, review, workshop.clock, dataset)
    assert after.audit is not None
    assert 0 < (after.audit.needed or 0) < 116
    assert after.chart is not None
    assert [point.draws for point in after.chart.points] == sorted({point.draws for point in after.chart.points})


def test_a_sign_off_records_the_bound_it_rests_on(workshop: Workshop) -> None:
    """The certificate shows it as a rate; without an audit there is none."""
    workshop.ready(many(20, 20))
    sign_off(workshop.database, workshop.clock, 1, "Eve")
    found = certify(workshop.database, workshop.clock, 1)
    assert found.signed_off is not None
    assert found.signed_off.rate_upper is None
    begin(workshop)
    sign_off(workshop.database, workshop.clock, 1, "Eve")
    found = certify(workshop.database, workshop.clock, 1)
    assert found.signed_off is not None
    assert found.signed_off.rate_upper == pytest.approx(found.certificate.overall.rate_upper, abs=1e-6)


def test_second_looks_measure_how_people_err(workshop: Workshop) -> None:
    """Another person's blind answers are the repeats; the bound that minds them is the larger one."""
    workshop.ready(many(20, 20))
    set_reviewing(workshop.database, 1, 1.0, [], Consensus.LATEST)
    for path, item in list(workshop.items("frames").items())[:12]:
        workshop.call(item.record.id, upheld(item))
        second = "negative" if path == "football/f000.png" else upheld(item)
        new = NewReview(Verdict(second), workshop.item(item.record.id).record.latest_review_id, "bob", Source.SECOND)
        give_second(workshop.database, workshop.clock, item.record.id, new, 1)
    begin(workshop)
    certificate = certify(workshop.database, workshop.clock, 1).certificate
    people = certificate.reviewer_error
    assert people is not None
    assert people.says_no_given_object.repeats + people.says_yes_given_none.repeats == 12
    assert people.says_no_given_object.wrong + people.says_yes_given_none.wrong <= 1
    assert people.errors_upper_with_reviewer_error >= certificate.overall.errors_upper


@pytest.mark.parametrize("share", [0.0, 0.15])
def test_a_flag_that_was_drawn_and_left_is_not_lost(workshop: Workshop, settings: Settings, share: float) -> None:
    """It is in no other queue while it waits; so where nothing else is left the desk and ``all`` hand it out."""
    review = settings.review.model_copy(update={"audit_share": share})
    workshop.settings = settings.model_copy(update={"review": review})
    workshop.ready(many(10, 30))
    begin(workshop, seed=1)
    while True:
        [item] = ask(workshop)
        if item.record.given == "negative" and (item.record.score or 0) > 0.02:
            break
        answer(workshop, item, upheld(item))
    left = item
    set_threshold(workshop.database, "frames", (left.record.score or 0) / 2)  # now it carries a flag
    workshop.clock.advance(121)
    for item in workshop.items("frames", flag="disagreement").values():
        if item.record.id != left.record.id and item.record.verdict is None:
            workshop.call(item.record.id, upheld(item))
    for _ in range(2):
        shown = desk(workshop).blind
        assert shown is not None
        assert shown.image_id == left.record.id
    for item in workshop.items("frames").values():
        if item.record.id != left.record.id and item.record.verdict is None:
            workshop.call(item.record.id, upheld(item))
    workshop.clock.advance(121)
    for _ in range(2):
        assert [item.record.id for item in ask(workshop, 10, "all", "c")] == [left.record.id]


def test_a_removed_dataset_takes_its_audits_along(workshop: Workshop) -> None:
    """No row of any of their tables is left."""
    workshop.ready(many(12, 12))
    for _ in range(3):
        [item] = ask(workshop, queue="all")
        answer(workshop, item, upheld(item))
    desk(workshop)
    ask(workshop, 3)
    remove_dataset(workshop.database, workshop.clock, "frames", "frames")
    assert forget_removed(workshop.database)
    with workshop.database.read() as session:
        for name, table in Base.metadata.tables.items():
            if name.startswith("audit"):
                assert session.scalar(select(func.count()).select_from(table)) == 0, name
