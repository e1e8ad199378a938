"""Blind repeats: which places hold one, who is asked, what their answer does, and what is counted."""

import json
import random
import subprocess
import sys
from pathlib import Path

import pytest
from sqlalchemy import select

from app.config import Settings
from app.domain.consensus import Consensus
from app.domain.reviewing import Source, Verdict
from app.domain.second_looks import Stage
from app.errors import StaleReviewError
from app.services.audit_page import view_audit_page
from app.services.audits import ensure_audit
from app.services.certificates import certify
from app.services.certifying import read_audit
from app.services.handing_out import next_items
from app.services.images import ImageItem
from app.services.queue import ReviewPage, view_desk
from app.services.reviews import GivenReview, NewReview, give_review, undo_latest
from app.services.sweeping import set_reviewing
from app.storage.audit_looks import find_pending
from app.storage.audit_tables import LookRow, MemberRow
from app.storage.audits import find_audit
from app.storage.repeats import GAP
from app.storage.reviews import reviews_of_image
from app.storage.second_looks import find_stage
from tests.parts import Workshop

SCRIPT = Path(__file__).parents[2] / "scripts" / "check_certificate.py"
LONG_S = 1000.0  #: longer than an image stays in hand


@pytest.fixture
def settings(settings: Settings) -> Settings:
    """As many repeats as can be had."""
    return shared(settings, 0.15, 0.2)


def shared(settings: Settings, audit_share: float, repeat_share: float) -> Settings:
    """With these shares of blind places."""
    shares = {"audit_share": audit_share, "repeat_share": repeat_share}
    return settings.model_copy(update={"review": settings.review.model_copy(update=shares)})


def prepare(workshop: Workshop, each: int = 40, seed: int = 7) -> None:
    """A scanned dataset with an audit; three images in ten are flagged."""
    files = {f"football/f{number:03}.png": 20 if number % 10 >= 7 else 200 + number % 50 for number in range(each)}
    files |= {f"background/b{number:03}.png": 240 if number % 10 >= 7 else number % 50 for number in range(each)}
    workshop.ready(files)
    with workshop.database.write() as session:
        ensure_audit(session, workshop.dataset(1), workshop.settings.review, workshop.clock(), seed)


def upheld(item: ImageItem) -> str:
    """The verdict that says the folder is right."""
    return item.record.given.value


def call_some(workshop: Workshop, count: int, reviewer: str) -> list[int]:
    """Call agreeing images, some time ago."""
    open_ones = [item for item in workshop.items(1).values() if item.record.verdict is None and not item.flags]
    called = [item.record.id for item in open_ones[:count]]
    for image_id in called:
        workshop.call(image_id, upheld(workshop.item(image_id)), reviewer)
    workshop.clock.advance(LONG_S)
    return called


def desk(workshop: Workshop, reviewer: str, **values: int) -> ReviewPage:
    """A person's desk, in a tab of their own."""
    return view_desk(
        workshop.database,
        workshop.settings.review,
        workshop.clock,
        workshop.dataset(1),
        reviewer,
        f"tab of {reviewer}",
        **values,  # type: ignore[arg-type]
    )


def look_at(workshop: Workshop, image_id: int) -> LookRow | None:
    """The latest blind look at an image."""
    with workshop.database.read() as session:
        query = select(LookRow).where(LookRow.image_id == image_id).order_by(LookRow.id.desc())
        row = session.scalars(query).first()
        if row is not None:
            session.expunge(row)
        return row


def repeats_of(workshop: Workshop) -> list[LookRow]:
    """Every repeat that was dealt."""
    with workshop.database.read() as session:
        rows = list(session.scalars(select(LookRow).where(LookRow.kind == "repeat").order_by(LookRow.id)))
        session.expunge_all()
        return rows


def find_repeat(workshop: Workshop, reviewer: str = "bob", turns: int = 60) -> int:
    """Work at the desk until it shows a repeat: its image."""
    for _ in range(turns):
        page = desk(workshop, reviewer)
        shown = page.blind or page.item
        assert shown is not None
        row = look_at(workshop, shown.image_id)
        if page.blind is not None and row is not None and row.kind == "repeat" and not row.answered:
            return shown.image_id
        workshop.call(shown.image_id, upheld(workshop.item(shown.image_id)), reviewer)
    pytest.fail("the desk showed no repeat")


def answer(workshop: Workshop, image_id: int, verdict: str, reviewer: str = "bob") -> GivenReview:
    """Answer a blind card of the desk, which names no row of a repeat's image."""
    new = NewReview(Verdict(verdict), None, reviewer, Source.BLIND, blind=True)
    return give_review(workshop.database, workshop.clock, image_id, new)


def opposite(workshop: Workshop, image_id: int) -> str:
    """What stands of an image, turned round."""
    return "negative" if workshop.item(image_id).record.verdict == "positive" else "positive"


def sources(workshop: Workshop, image_id: int) -> list[tuple[str, str]]:
    """The history of an image: who, and where."""
    with workshop.database.read() as session:
        return [(review.reviewer, review.source) for review in reviews_of_image(session, image_id)]


def test_the_share_of_places_is_that_of_the_setting(workshop: Workshop, settings: Settings) -> None:
    """One place in five holds one at a share of 0.2, in ``all`` as on the desk; none at 0, or without draws."""
    prepare(workshop, 80)
    called = set(call_some(workshop, 60, "ada"))
    for audit_share, repeat_share, wanted in ((0.15, 0.0, (0, 0)), (0.0, 0.2, (0, 0)), (0.15, 0.2, (6, 26))):
        review = shared(settings, audit_share, repeat_share).review
        found = 0
        for number in range(8):
            tab = f"{audit_share} {repeat_share} {number}"
            items = next_items(workshop.database, review, workshop.clock, 1, "all", 10, tab, "bob")
            found += len({item.record.id for item in items} & called)
        workshop.clock.advance(LONG_S)
        assert wanted[0] <= found <= wanted[1]
    repeated = [look.image_id for look in repeats_of(workshop)]
    assert len(repeated) == len(set(repeated)) == found
    assert {look.of_review_id is None for look in repeats_of(workshop)} == {False}


def test_a_repeat_goes_to_somebody_else_once(workshop: Workshop) -> None:
    """On the desk: to bob what ada called, never twice, and never to ada; nothing tells it from another blind item."""
    prepare(workshop)
    called = call_some(workshop, 20, "ada")
    image_id = find_repeat(workshop)
    assert image_id in called
    blind = desk(workshop, "bob").blind
    assert blind is not None
    assert (blind.image_id, blind.review_id) == (image_id, None)
    assert desk(workshop, "ada", image_id=image_id).blind is None
    given = answer(workshop, image_id, upheld(workshop.item(image_id)))
    assert given.ask_again == ()
    assert sources(workshop, image_id) == [("ada", "test"), ("bob", "repeat")]
    assert find_repeat(workshop) != image_id
    for look in repeats_of(workshop):
        assert look.image_id in called


def test_a_repeat_that_was_left_waits_for_another(workshop: Workshop) -> None:
    """It is in nobody else's queue while it is in hand, then goes to whoever is next, but not to its first caller."""
    prepare(workshop)
    call_some(workshop, 20, "ada")
    image_id = find_repeat(workshop)
    workshop.clock.advance(LONG_S)
    assert find_repeat(workshop, "cy") == image_id
    answer(workshop, image_id, "positive", "cy")
    assert sources(workshop, image_id)[-1] == ("cy", "repeat")


def test_looking_takes_a_blind_card_from_nobody(workshop: Workshop) -> None:
    """Who follows a link to what another is shown blind sees it blind; it stays in the other's hand."""
    prepare(workshop)
    call_some(workshop, 20, "ada")
    image_id = find_repeat(workshop)
    visit = desk(workshop, "cy", image_id=image_id)
    assert (visit.blind is not None and visit.blind.image_id, visit.elsewhere) == (image_id, True)
    row = look_at(workshop, image_id)
    assert row is not None
    assert row.client == "tab of bob"
    mine = desk(workshop, "bob")
    assert (mine.blind is not None and mine.blind.image_id, mine.elsewhere) == (image_id, False)


def test_nobody_is_asked_twice_in_a_row_alone(workshop: Workshop) -> None:
    """Who reviews alone is asked about their own calls, at least 50 verdicts later, which changes their mind."""
    prepare(workshop, 60)
    called = call_some(workshop, GAP, "ada")
    review = workshop.settings.review
    for number in range(6):
        items = next_items(workshop.database, review, workshop.clock, 1, "all", 10, f"a{number}", "ada")
        assert not {item.record.id for item in items} & set(called)
    workshop.clock.advance(LONG_S)
    later = call_some(workshop, 2, "ada")
    found: list[int] = []
    for number in range(6):
        items = next_items(workshop.database, review, workshop.clock, 1, "all", 10, f"b{number}", "ada")
        found += [item.record.id for item in items if item.record.id in {*called, *later}]
    assert set(found) <= set(called[:2])
    assert found
    workshop.clock.advance(1)
    verdict = opposite(workshop, found[0])
    answer(workshop, found[0], verdict, "ada")
    assert workshop.item(found[0]).record.verdict == verdict
    assert sources(workshop, found[0]) == [("ada", "test"), ("ada", "blind")]
    with workshop.database.read() as session:
        assert find_stage(session, found[0]) is None
    people = certify(workshop.database, workshop.clock, 1).certificate.reviewer_error
    assert people is not None
    both = people.says_no_given_object, people.says_yes_given_none
    assert (sum(each.repeats for each in both), sum(each.wrong for each in both)) == (1, 1)


@pytest.mark.parametrize("rule", list(Consensus))
def test_a_contradiction_follows_the_consensus(workshop: Workshop, rule: Consensus) -> None:
    """As with a second look: it waits for a third person, and what stands meanwhile is the rule's."""
    prepare(workshop)
    set_reviewing(workshop.database, 1, 0.0, [], rule)
    call_some(workshop, 20, "ada")
    image_id = find_repeat(workshop)
    given = answer(workshop, image_id, opposite(workshop, image_id))
    record = workshop.item(image_id).record
    with workshop.database.read() as session:
        assert find_stage(session, image_id) is Stage.THIRD
        member = session.scalars(select(MemberRow).where(MemberRow.image_id == image_id)).one()
        assert member.place is not None
        assert member.state == ("wrong" if rule is Consensus.LATEST else None)
    assert record.verdict == (given.review.verdict if rule is Consensus.LATEST else None)


def test_repeats_are_counted(workshop: Workshop) -> None:
    """Answers alike and contrary, in the certificate and on its page; an undone one is not."""
    prepare(workshop)
    call_some(workshop, 20, "ada")
    for number in range(3):
        image_id = find_repeat(workshop)
        standing = workshop.item(image_id).record.verdict
        assert standing is not None
        given = answer(workshop, image_id, standing if number else opposite(workshop, image_id))
    page = view_audit_page(workshop.database, workshop.settings.review, workshop.clock, workshop.dataset(1))
    assert (page.repeats, page.repeats_alike) == (3, 2)
    assert page.certificate is not None
    people = page.certificate.reviewer_error
    assert people is not None
    both = people.says_no_given_object, people.says_yes_given_none
    assert (sum(each.repeats for each in both), sum(each.wrong for each in both)) == (3, 1)
    workshop.take_back(given.review.id, "bob")
    page = view_audit_page(workshop.database, workshop.settings.review, workshop.clock, workshop.dataset(1))
    assert (page.repeats, page.repeats_alike) == (2, 1)


def test_an_undone_answer_is_asked_for_again(workshop: Workshop) -> None:
    """Blind as before, while what it repeats stands; it is dropped when that is taken back as well."""
    prepare(workshop)
    call_some(workshop, 20, "ada")
    image_id = find_repeat(workshop)
    first = workshop.item(image_id).record
    given = answer(workshop, image_id, opposite(workshop, image_id))
    undone = undo_latest(workshop.database, workshop.clock, 1, "bob")
    assert undone is not None
    assert (undone.review.undoes, undone.waits_blind) == (given.review.id, True)
    assert workshop.item(image_id).record.verdict == first.verdict
    blind = desk(workshop, "bob", image_id=image_id).blind
    assert blind is not None
    assert blind.review_id is None
    answer(workshop, image_id, opposite(workshop, image_id))
    assert [source for _, source in sources(workshop, image_id)] == ["test", "repeat", "undo", "repeat"]
    given_again = workshop.item(image_id).record.latest_review_id
    assert given_again is not None
    workshop.take_back(given_again, "bob")
    assert first.latest_review_id is not None
    workshop.take_back(first.latest_review_id)
    assert workshop.item(image_id).record.verdict is None
    assert not [look for look in repeats_of(workshop) if look.image_id == image_id]
    with pytest.raises(StaleReviewError):
        answer(workshop, image_id, "positive")


def test_a_verdict_given_elsewhere_ends_a_repeat(workshop: Workshop) -> None:
    """Its first caller changes their mind meanwhile: that is no answer to it, and the card is out of date."""
    prepare(workshop)
    call_some(workshop, 20, "ada")
    image_id = find_repeat(workshop)
    workshop.call(image_id, "unsure", "ada")
    with workshop.database.read() as session:
        assert find_pending(session, image_id) is None
    look = look_at(workshop, image_id)
    assert look is not None
    assert (look.answered, look.first_review_id) == (True, None)
    with pytest.raises(StaleReviewError):
        answer(workshop, image_id, "positive")


def test_a_no_is_not_asked_again(workshop: Workshop) -> None:
    """A repeat measures the person, not what the detector makes of it, and takes one answer."""
    prepare(workshop)
    items = [item for item in workshop.items(1, given="football").values() if not item.flags]
    for item in items[:20]:
        workshop.call(item.record.id, "positive", "ada")
    workshop.clock.advance(LONG_S)
    image_id = find_repeat(workshop)
    assert workshop.item(image_id).boxes
    assert answer(workshop, image_id, "negative").ask_again == ()
    assert desk(workshop, "bob", again_id=image_id).again == ()


def test_the_desk_ends_all_the_same(workshop: Workshop) -> None:
    """Where no flag is left none is dealt, and so no repeat alone keeps anybody there."""
    prepare(workshop, 20)
    for item in workshop.items(1, flag="disagreement").values():
        workshop.call(item.record.id, upheld(item), "ada")
    workshop.clock.advance(LONG_S)
    dataset, review = workshop.dataset(1), workshop.settings.review
    for number in range(25):
        view_desk(workshop.database, review, workshop.clock, dataset, "bob", f"tab {number}")
    assert repeats_of(workshop) == []


def test_repeats_leave_the_audit_alone(workshop: Workshop, tmp_path: Path) -> None:
    """A session of three people who err: the draws that count stay in place, and the script finds the same bound."""
    rng = random.Random(5)
    prepare(workshop, 60, seed=5)
    for _ in range(140):
        person = rng.choice(["ada", "bob", "cy"])
        items = next_items(
            workshop.database, workshop.settings.review, workshop.clock, 1, "all", 1, f"tab {person}", person
        )
        if not items:
            break
        item = items[0]
        right = upheld(item)
        verdict = rng.choice(["negative", "positive", "unsure"]) if rng.random() < 0.15 else right
        new = NewReview(Verdict(verdict), item.record.latest_review_id, person, "api")
        given = give_review(workshop.database, workshop.clock, item.record.id, new)
        if rng.random() < 0.05:
            workshop.take_back(given.review.id, person)
        workshop.clock.advance(20)
    assert sum(look.first_review_id is not None for look in repeats_of(workshop)) > 10
    with workshop.database.read() as session:
        audit = find_audit(session, 1)
        assert audit is not None
        draws = [draw for each in read_audit(session, audit, workshop.dataset(1)).strata for draw in each.record.draws]
        places = list(session.scalars(select(MemberRow.place).where(MemberRow.place.is_not(None))))
    assert len(draws) > 5
    assert sorted(places) == list(range(1, len(places) + 1))
    workshop.relocate(1, tmp_path / "clean")
    certificate = json.loads((tmp_path / "clean" / "certificate.json").read_text(encoding="utf-8"))
    assert certificate["reviewer_error"]["says_no_given_object"]["repeats"] > 0
    done = subprocess.run(
        [sys.executable, SCRIPT, tmp_path / "clean"], capture_output=True, text=True, check=False, cwd=tmp_path
    )
    assert "DISAGREE" not in done.stdout
    assert done.returncode == 0, done.stdout + done.stderr
