"""Standings are a copy of what the reviews say; this holds them to it."""

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from sqlalchemy import select

from app.domain.consensus import Consensus, find_standing
from app.domain.reviewing import Verdict, find_effective
from app.domain.second_looks import Stage
from app.errors import ConflictError
from app.services.sweeping import set_reviewing
from app.storage.reviews import reviews_of_image
from app.storage.second_looks import count_looks
from app.storage.tables import SecondLookRow, StandingRow
from tests.parts import Workshop

STEPS = st.lists(st.tuples(st.integers(0, 1), st.one_of(st.sampled_from(list(Verdict)), st.integers(1, 6))), max_size=8)


@settings(max_examples=25, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(STEPS)
def test_standings_say_what_the_reviews_say(workshop: Workshop, steps: list[tuple[int, Verdict | int]]) -> None:
    """After any verdicts and undos, allowed or refused, the copy equals what the domain makes of the rows."""
    files = {"football/a.png": 250, "background/b.png": 250}
    if not (workshop.folder / "frames").exists():
        workshop.add(workshop.fill(files))
    ids = [workshop.image_id(1, path) for path in files]
    for which, step in steps:
        if isinstance(step, Verdict):
            workshop.call(ids[which], step)
            continue
        with workshop.database.read() as session:
            history = reviews_of_image(session, ids[which])
        try:
            workshop.take_back(history[-min(step, len(history))].id if history else 1)
        except ConflictError:
            continue  # refused: nothing may have changed
    assert_standings(workshop, ids)


def assert_standings(workshop: Workshop, ids: list[int]) -> None:
    """Compare the stored copy of each image with the rows it is a copy of."""
    with workshop.database.read() as session:
        for image_id in ids:
            rows = reviews_of_image(session, image_id)
            standing = session.scalar(select(StandingRow).where(StandingRow.image_id == image_id))
            effective = find_effective([row.fact for row in rows])
            if standing is None:
                assert rows == []
                continue
            assert standing.latest_review_id == rows[-1].id
            assert standing.effective_review_id == (effective.review_id if effective else None)
            assert standing.verdict == (effective.verdict if effective else None)
            assert standing.reviewed_at == (effective.reviewed_at if effective else None)
            assert [row.ordinal for row in rows] == list(range(len(rows)))


@settings(max_examples=15, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    st.sampled_from(list(Consensus)),
    st.lists(st.tuples(st.sampled_from("ab"), st.sampled_from(list(Verdict))), max_size=5),
)
def test_standings_follow_the_rule(workshop: Workshop, rule: Consensus, steps: list[tuple[str, Verdict]]) -> None:
    """Under any rule, whatever was there before; and the counters count just the rows that there are."""
    if not (workshop.folder / "frames").exists():
        workshop.add(workshop.fill({"football/a.png": 250, "background/b.png": 250}))
    image_id = workshop.image_id(1, "football/a.png")
    for reviewer, verdict in steps:
        workshop.call(image_id, verdict, reviewer)
    set_reviewing(workshop.database, 1, 0.5, ["unsure"], rule)
    with workshop.database.read() as session:
        standing = session.scalar(select(StandingRow).where(StandingRow.image_id == image_id))
        looks = session.scalars(select(SecondLookRow)).all()
        facts = [row.fact for row in reviews_of_image(session, image_id)]
        waits = any(look.image_id == image_id and look.stage == Stage.SECOND for look in looks)
        found = find_standing(rule, facts, awaits_second=waits)
        counted = sum(images for _, _, images in count_looks(session, 1))
    if standing is not None:
        assert standing.effective_review_id == (found.review.review_id if found.review else None)
        assert (standing.verdict, standing.unsettled) == (
            found.review.verdict if found.review else None,
            found.unsettled,
        )
    assert counted == len(looks)
