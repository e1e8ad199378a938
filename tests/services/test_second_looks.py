"""A second person, blind; a third who settles; and what stands of it all."""

import csv
from typing import Any

import pytest
from sqlalchemy import select

from app.domain.consensus import Consensus
from app.domain.reviewing import Source
from app.domain.second_looks import Stage
from app.errors import ConflictError, InvalidInputError, NotFoundError, StaleReviewError
from app.services.agreement import get_team
from app.services.conflicts import ConflictPage, settle, view_conflicts
from app.services.handing_out import next_items
from app.services.queue import view_desk
from app.services.reviews import GivenReview, NewReview, undo_latest
from app.services.second_looks import SecondPage, Waiting, count_waiting, give_second, undo_own, view_second
from app.services.sign_offs import sign_off
from app.services.sweeping import apply_to_past, continue_any_sweep, continue_sweep, set_reviewing, view_reviewing
from app.storage.datasets import set_sweep
from app.storage.tables import SecondLookRow
from tests.parts import Workshop, new_request_id

#: flagged at 0.5: football/none, background/hot
FILES = {"football/sure.png": 250, "football/none.png": 0, "background/empty.png": 0, "background/hot.png": 240}
HOT, NONE = "background/hot.png", "football/none.png"


def switch_on(workshop: Workshop, share: float = 1.0, consensus: str = "latest", *reasons: str) -> None:
    """Two people on a scanned dataset."""
    set_reviewing(workshop.database, 1, share, reasons, Consensus(consensus))


def second(workshop: Workshop, reviewer: str = "bob", client: str = "tab-b", **values: Any) -> SecondPage:
    """The second looks that a person sees."""
    dataset = workshop.dataset(1)
    return view_second(workshop.database, workshop.settings.review, workshop.clock, dataset, reviewer, client, **values)


def conflicts(workshop: Workshop, reviewer: str = "cy", client: str = "tab-c", **values: Any) -> ConflictPage:
    """The disagreements that a person sees."""
    dataset = workshop.dataset(1)
    return view_conflicts(
        workshop.database, workshop.settings.review, workshop.clock, dataset, reviewer, client, **values
    )


def new(workshop: Workshop, image_id: int, verdict: Any, reviewer: str, source: Source, **values: Any) -> NewReview:
    """A verdict on top of what was said before."""
    seen = workshop.item(image_id).record.latest_review_id
    return NewReview(verdict=verdict, seen_review_id=seen, reviewer=reviewer, source=source, **values)


def look(workshop: Workshop, image_id: int, verdict: str, reviewer: str = "bob") -> GivenReview:
    """Give a second, blind verdict."""
    given = new(workshop, image_id, verdict, reviewer, Source.SECOND)
    return give_second(workshop.database, workshop.clock, image_id, given, 1)


def decide(
    workshop: Workshop, image_id: int, verdict: str, reviewer: str = "cy", *, alone: bool = False
) -> GivenReview:
    """Settle a disagreement."""
    given = new(workshop, image_id, verdict, reviewer, Source.SETTLE)
    return settle(workshop.database, workshop.clock, image_id, given, 1, alone=alone)


def waiting(workshop: Workshop, reviewer: str = "bob") -> Waiting:
    """What waits for a person."""
    with workshop.database.read() as session:
        return count_waiting(session, 1, reviewer)


def stage(workshop: Workshop, image_id: int) -> str | None:
    """What an image waits for."""
    with workshop.database.read() as session:
        return session.scalar(select(SecondLookRow.stage).where(SecondLookRow.image_id == image_id))


def shown(page: SecondPage | ConflictPage) -> int | None:
    """The image on a page."""
    return None if page.item is None else page.item.image_id


def test_nothing_changes_where_nothing_is_switched_on(workshop: Workshop) -> None:
    """No row, nothing waits, the latest verdict stands, whoever gave it."""
    workshop.ready(FILES)
    image_id = workshop.image_id(1, HOT)
    workshop.call(image_id, "positive", "ada")
    workshop.call(image_id, "negative", "bob")
    record = workshop.item(image_id).record
    assert (record.verdict, record.unsettled, stage(workshop, image_id)) == ("negative", None, None)
    assert (second(workshop).item, conflicts(workshop).item, waiting(workshop)) == (None, None, Waiting())


def test_a_second_person_sees_what_the_first_called(workshop: Workshop) -> None:
    """Nobody is served what they called themselves; an answer takes it out of everybody's queue."""
    workshop.ready(FILES)
    switch_on(workshop)
    image_id = workshop.call(workshop.image_id(1, HOT), "positive", "ada").item.record.id
    assert shown(second(workshop, "ada", "tab-a")) is None
    assert waiting(workshop, "ada") == Waiting(mine=0, others=1)
    assert shown(second(workshop)) == image_id
    look(workshop, image_id, "positive")
    assert shown(second(workshop, "cy", "tab-c")) is None
    assert stage(workshop, image_id) == Stage.DONE
    assert waiting(workshop) == Waiting(given=1)


def test_who_called_it_cannot_answer_it_blind(workshop: Workshop) -> None:
    """By no form either; nor does a foreign dataset or an unknown image pass."""
    workshop.ready(FILES)
    switch_on(workshop)
    image_id = workshop.call(workshop.image_id(1, HOT), "positive", "ada").item.record.id
    with pytest.raises(ConflictError):
        look(workshop, image_id, "negative", "ada")
    given = new(workshop, image_id, "positive", "bob", Source.SECOND)
    with pytest.raises(InvalidInputError):
        give_second(workshop.database, workshop.clock, image_id, given, 2)
    with pytest.raises(NotFoundError):
        give_second(workshop.database, workshop.clock, 999, given, 1)
    assert stage(workshop, image_id) == Stage.SECOND


def test_the_same_request_again_is_one_look(workshop: Workshop) -> None:
    """A form sent twice answers once; a second person who comes late is told (409)."""
    workshop.ready(FILES)
    switch_on(workshop)
    image_id = workshop.call(workshop.image_id(1, HOT), "positive", "ada").item.record.id
    given = new(workshop, image_id, "positive", "bob", Source.SECOND, request_id=new_request_id())
    late = new(workshop, image_id, "negative", "cy", Source.SECOND)
    first = give_second(workshop.database, workshop.clock, image_id, given, 1)
    again = give_second(workshop.database, workshop.clock, image_id, given, 1)
    assert (again.repeated, again.review.id) == (True, first.review.id)
    with pytest.raises(ConflictError):
        give_second(workshop.database, workshop.clock, image_id, late, 1)


def test_undoing_the_first_verdict_takes_the_look_back(workshop: Workshop) -> None:
    """Nothing is left of it to look at."""
    workshop.ready(FILES)
    switch_on(workshop)
    given = workshop.call(workshop.image_id(1, HOT), "positive", "ada")
    workshop.take_back(given.review.id)
    assert (stage(workshop, given.item.record.id), waiting(workshop)) == (None, Waiting())
    with pytest.raises(ConflictError):
        look(workshop, given.item.record.id, "positive")


def test_undoing_the_second_look_asks_for_it_again(workshop: Workshop) -> None:
    """Of the same person too: it is theirs to give once more. Nobody else takes it back here."""
    workshop.ready(FILES)
    switch_on(workshop)
    image_id = workshop.call(workshop.image_id(1, HOT), "positive", "ada").item.record.id
    given = look(workshop, image_id, "negative")
    assert second(workshop).undo_id == given.review.id
    with pytest.raises(ConflictError):
        undo_own(workshop.database, workshop.clock, given.review.id, "eve", 1, Source.SECOND)
    undo_own(workshop.database, workshop.clock, given.review.id, "bob", 1, Source.SECOND)
    assert (stage(workshop, image_id), shown(second(workshop))) == (Stage.SECOND, image_id)
    assert workshop.item(image_id).record.verdict == "positive"


def test_undo_at_the_desk_leaves_second_looks_alone(workshop: Workshop) -> None:
    """Its U takes back what was called there: a blind verdict would come back un-blinded."""
    workshop.ready(FILES)
    switch_on(workshop)
    own = workshop.call(workshop.image_id(1, NONE), "negative", "bob")
    image_id = workshop.call(workshop.image_id(1, HOT), "positive", "ada").item.record.id
    look(workshop, image_id, "positive")
    undone = undo_latest(workshop.database, workshop.clock, 1, "bob")
    assert undone is not None
    assert undone.review.undoes == own.review.id


def test_two_people_never_get_the_same_image(workshop: Workshop) -> None:
    """Each tab holds its own; a tab gets the same until it answers; a lease runs out."""
    workshop.ready({f"background/{number}.png": 200 for number in range(12)} | {"football/a.png": 250})
    switch_on(workshop)
    for path in [path for path in workshop.items(1) if path != "football/a.png"]:
        workshop.call(workshop.image_id(1, path), "positive", "ada")
    bob, cy, dan = (second(workshop, name, f"tab-{name}") for name in ("bob", "cy", "dan"))
    held = [[shown(page), *(url.split("/")[2] for url in page.prefetch)] for page in (bob, cy, dan)]
    images = [int(image) for each in held for image in each if image is not None]
    assert (len(images), len(set(images))) == (12, 12)
    assert shown(second(workshop, "eve", "tab-e")) is None
    assert shown(second(workshop, "bob", "tab-bob")) == shown(bob)
    workshop.clock.advance(121)
    assert shown(second(workshop, "eve", "tab-e")) == shown(bob)


def test_two_tabs_of_one_person(workshop: Workshop) -> None:
    """The second to answer is told that the image waits no more, and nothing is doubled."""
    workshop.ready(FILES)
    switch_on(workshop)
    image_id = workshop.call(workshop.image_id(1, HOT), "positive", "ada").item.record.id
    assert shown(second(workshop, client="tab")) == shown(second(workshop, client="tab")) == image_id
    look(workshop, image_id, "positive")
    with pytest.raises(ConflictError):
        look(workshop, image_id, "positive")


def test_a_stale_card_is_refused(workshop: Workshop) -> None:
    """Somebody called the image at the desk since: the answer names a row that is not the latest."""
    workshop.ready(FILES)
    switch_on(workshop)
    image_id = workshop.call(workshop.image_id(1, HOT), "positive", "ada").item.record.id
    given = new(workshop, image_id, "positive", "bob", Source.SECOND)
    workshop.call(image_id, "negative", "ada")
    with pytest.raises(StaleReviewError):
        give_second(workshop.database, workshop.clock, image_id, given, 1)


def test_reasons_are_always_seen_twice(workshop: Workshop) -> None:
    """A flag that is named, and an unsure verdict; nothing else at a share of 0."""
    workshop.ready(FILES)
    switch_on(workshop, 0.0, "latest", "disagreement", "unsure")
    ids = {path: workshop.image_id(1, path) for path in FILES}
    workshop.call(ids[HOT], "positive", "ada")
    workshop.call(ids["football/sure.png"], "positive", "ada")
    workshop.call(ids["background/empty.png"], "unsure", "ada")
    assert {path for path, image_id in ids.items() if stage(workshop, image_id)} == {HOT, "background/empty.png"}


@pytest.mark.parametrize("rule", ["majority", "unanimous"])
def test_a_conflict_is_settled_by_a_third(workshop: Workshop, rule: str) -> None:
    """Nothing stands while two disagree, and nobody is asked at the desk; the third's verdict then does."""
    workshop.ready(FILES)
    switch_on(workshop, 1.0, rule)
    image_id = workshop.image_id(1, HOT)
    workshop.call(image_id, "positive", "ada")
    assert (workshop.item(image_id).record.verdict, workshop.item(image_id).record.unsettled) == (None, "second")
    look(workshop, image_id, "negative")
    assert (workshop.item(image_id).record.verdict, workshop.item(image_id).record.unsettled) == (None, "conflict")
    desk = view_desk(workshop.database, workshop.settings.review, workshop.clock, workshop.dataset(1), "dan", "tab-d")
    assert desk.item is not None
    assert desk.item.image_id != image_id
    items = next_items(workshop.database, workshop.settings.review, workshop.clock, 1, "all", 10, "tab-x")
    assert image_id not in [item.record.id for item in items]
    page = conflicts(workshop)
    assert (shown(page), page.own) == (image_id, False)
    assert [(vote.reviewer, vote.verdict, vote.blind) for vote in page.votes] == [
        ("ada", "positive", False),
        ("bob", "negative", True),
    ]
    settled = decide(workshop, image_id, "positive")
    assert (settled.item.record.verdict, stage(workshop, image_id)) == ("positive", Stage.DONE)
    undo_own(workshop.database, workshop.clock, settled.review.id, "cy", 1, Source.SETTLE)
    assert (workshop.item(image_id).record.verdict, stage(workshop, image_id)) == (None, Stage.THIRD)


def test_a_party_settles_only_knowingly(workshop: Workshop) -> None:
    """Those between others come first; one's own is shown last, with who else could; and wants a word more."""
    workshop.ready(FILES)
    switch_on(workshop, 1.0, "majority")
    hot, none = workshop.image_id(1, HOT), workshop.image_id(1, NONE)
    workshop.call(hot, "positive", "ada")
    workshop.call(none, "negative", "cy")
    look(workshop, hot, "negative", "bob")
    look(workshop, none, "positive", "bob")
    page = conflicts(workshop, "cy", "tab-c")
    assert (shown(page), page.own, page.others) == (hot, False, ())
    decide(workshop, hot, "positive", "cy")
    page = conflicts(workshop, "cy", "tab-c")
    assert (shown(page), page.own, page.others) == (none, True, ("ada",))
    with pytest.raises(InvalidInputError):
        decide(workshop, none, "negative", "cy")
    assert decide(workshop, none, "negative", "cy", alone=True).item.record.verdict == "negative"
    with pytest.raises(ConflictError):
        decide(workshop, none, "positive", "ada", alone=True)


def test_what_waits_or_is_disputed_is_not_released(workshop: Workshop) -> None:
    """A conflict is left out by that name, also from a sign-off; an image seen once waits under its own reason."""
    workshop.ready(FILES)
    switch_on(workshop, 1.0, "majority")
    sign_off(workshop.database, workshop.clock, 1, "ada")
    ids = {path: workshop.image_id(1, path) for path in FILES}
    workshop.call(ids[HOT], "positive", "ada")
    workshop.call(ids["football/sure.png"], "positive", "ada")
    look(workshop, ids["football/sure.png"], "negative")
    workshop.call(ids["background/empty.png"], "negative", "ada")
    assert workshop.item(ids["football/sure.png"]).final_label is None
    workshop.relocate(1, workshop.folder / "clean")
    with (workshop.folder / "clean" / "left-out.csv").open(newline="") as file:
        reasons = {row["source_path"]: row["reason"] for row in csv.DictReader(file)}
    assert reasons == {
        HOT: "unreviewed_flag",
        NONE: "unreviewed_flag",
        "football/sure.png": "conflict",
        "background/empty.png": "not_signed_off",
    }


def test_a_new_rule_reaches_every_standing(workshop: Workshop) -> None:
    """Each way and back, in batches that go on where a crash left them."""
    workshop.ready({f"background/{number}.png": 200 for number in range(4)} | {"football/a.png": 250})
    ids = [item.record.id for item in workshop.items(1).values()]
    for image_id in ids:
        workshop.call(image_id, "positive", "ada")
        workshop.call(image_id, "negative", "bob")
    switch_on(workshop, 0.0, "majority")
    assert [workshop.item(image_id).record.unsettled for image_id in ids] == ["conflict"] * 5
    assert waiting(workshop).conflicts == 5
    switch_on(workshop, 0.0, "latest")
    assert [workshop.item(image_id).record.verdict for image_id in ids] == ["negative"] * 5
    assert waiting(workshop).conflicts == 0


def test_verdicts_given_so_far_can_be_drawn_too(workshop: Workshop, monkeypatch: pytest.MonkeyPatch) -> None:
    """A batch at a time, however often it is interrupted; and looks nobody gave are dropped again."""
    monkeypatch.setattr("app.services.sweeping.BATCH", 2)
    workshop.ready({f"background/{number}.png": 200 for number in range(4)} | {"football/a.png": 250})
    ids = [item.record.id for item in workshop.items(1).values()]
    for image_id in ids:
        workshop.call(image_id, "positive", "ada")
    switch_on(workshop, 1.0)
    assert waiting(workshop) == Waiting()
    with workshop.database.write() as session:
        set_sweep(session, 1, {"apply": True, "after": 0, "looked": 0})
    assert continue_sweep(workshop.database, 1, budget_s=0)
    assert view_reviewing(workshop.database, 1).looked_through == 2
    assert waiting(workshop).mine == 2
    assert continue_any_sweep(workshop.database)
    assert (view_reviewing(workshop.database, 1).looked_through, waiting(workshop).mine) == (None, 5)
    assert not continue_any_sweep(workshop.database)
    look(workshop, ids[0], "positive")
    switch_on(workshop, 0.0)
    assert waiting(workshop).mine == 4
    assert not apply_to_past(workshop.database, 1)
    assert waiting(workshop) == Waiting(given=1)


@pytest.mark.parametrize(("share", "reasons"), [(-0.1, ()), (1.1, ()), (float("nan"), ()), (0.1, ("nonsense",))])
def test_settings_that_cannot_be_are_refused(workshop: Workshop, share: float, reasons: tuple[str, ...]) -> None:
    """And nothing is changed."""
    workshop.ready(FILES)
    with pytest.raises(InvalidInputError):
        set_reviewing(workshop.database, 1, share, reasons, Consensus.LATEST)
    assert not workshop.dataset(1).reviewing.is_on


def test_agreement_is_measured_on_blind_looks(workshop: Workshop) -> None:
    """Two of three agree; the one settled went against ada."""
    workshop.ready(FILES)
    switch_on(workshop)
    ids = {path: workshop.image_id(1, path) for path in FILES}
    for path, one, other in (
        (HOT, "positive", "positive"),
        (NONE, "negative", "negative"),
        ("football/sure.png", "negative", "positive"),
    ):
        workshop.call(ids[path], one, "ada")
        workshop.clock.advance(2)
        look(workshop, ids[path], other)
        workshop.clock.advance(2)
    decide(workshop, ids["football/sure.png"], "positive")
    team = get_team(workshop.database, 1)
    assert (team.overall.images, team.overall.agreed) == (3, 2)
    assert team.overall.kappa == pytest.approx((3 * 2 - 4) / (9 - 4))  # margins 1, 2 and 2, 1: 1*2 + 2*1 = 4
    assert [(pair.one, pair.other, pair.agreement.agreed) for pair in team.pairs] == [("ada", "bob", 2)]
    fared = {person.name: (person.fared.settled, person.fared.overruled) for person in team.people}
    assert fared == {"ada": (1, 1), "bob": (1, 0), "cy": (0, 0)}
