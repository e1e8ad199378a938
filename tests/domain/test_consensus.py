"""Whose word stands under each rule, after any history of several people's verdicts."""

from datetime import UTC, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from app.domain.consensus import Consensus, Standing, Unsettled, find_settling, find_standing, list_voices
from app.domain.reviewing import ReviewFact, Source, Verdict, find_effective

NOW = datetime(2026, 3, 1, tzinfo=UTC)
YES, NO, UNSURE = Verdict.POSITIVE, Verdict.NEGATIVE, Verdict.UNSURE


def history(*said: tuple[str, Verdict | int] | tuple[str, Verdict, str]) -> list[ReviewFact]:
    """``("ada", YES)`` is a verdict, ``("ada", 1)`` takes row 1 back, a third part is the source."""
    rows = []
    for number, (reviewer, what, *source) in enumerate(said, start=1):
        undo = isinstance(what, int)
        verdict, undoes = (None, what) if undo else (what, None)
        rows.append(ReviewFact(number, verdict, undoes, reviewer, NOW, source[0] if source else Source.REVIEW))  # type: ignore[arg-type]
    return rows


@pytest.mark.parametrize(
    ("said", "majority", "unanimous"),
    [
        ([], (None, None), (None, None)),
        ([("ada", YES)], (1, None), (1, None)),
        ([("ada", YES), ("bob", YES)], (2, None), (2, None)),
        ([("ada", YES), ("bob", NO)], (None, "conflict"), (None, "conflict")),
        ([("ada", YES), ("bob", NO), ("cy", YES)], (3, None), (None, "conflict")),
        ([("ada", YES), ("bob", NO), ("cy", UNSURE)], (None, "conflict"), (None, "conflict")),
        ([("ada", YES), ("bob", NO), ("bob", YES)], (3, None), (3, None)),
        ([("ada", YES), ("bob", NO), ("bob", 2)], (1, None), (1, None)),
        ([("ada", YES), ("bob", NO), ("cy", NO, "settle")], (3, None), (3, None)),
        ([("ada", YES), ("bob", NO), ("cy", NO, "settle"), ("dan", YES)], (3, None), (3, None)),
        ([("ada", YES), ("bob", NO), ("cy", NO, "settle"), ("cy", 3)], (None, "conflict"), (None, "conflict")),
        ([("ada", YES), ("bob", NO), ("cy", NO, "settle"), ("ada", YES, "settle")], (4, None), (4, None)),
    ],
)
def test_what_stands_under_a_rule(
    said: list[tuple[str, Verdict | int]],
    majority: tuple[int | None, str | None],
    unanimous: tuple[int | None, str | None],
) -> None:
    """The row whose verdict stands, or why none does."""
    for rule, wanted in ((Consensus.MAJORITY, majority), (Consensus.UNANIMOUS, unanimous)):
        found = find_standing(rule, history(*said), awaits_second=False)
        assert (found.review.review_id if found.review else None, found.unsettled) == wanted


def test_one_voice_that_awaits_a_second_does_not_stand_alone() -> None:
    """Unless the latest word counts."""
    said = history(("ada", YES))
    assert find_standing(Consensus.MAJORITY, said, awaits_second=True) == Standing(unsettled=Unsettled.SECOND)
    assert find_standing(Consensus.UNANIMOUS, said, awaits_second=True) == Standing(unsettled=Unsettled.SECOND)
    assert find_standing(Consensus.LATEST, said, awaits_second=True) == Standing(said[0])


@st.composite
def histories(draw: st.DrawFn) -> list[ReviewFact]:
    """Verdicts of a few people, some settling, and undos of any effective row."""
    rows: list[ReviewFact] = []
    for number in range(1, draw(st.integers(0, 9)) + 1):
        reviewer = draw(st.sampled_from("abc"))
        undone = {row.undoes for row in rows}
        open_rows = [row.review_id for row in rows if row.verdict is not None and row.review_id not in undone]
        if open_rows and draw(st.booleans()):
            rows.append(ReviewFact(number, None, draw(st.sampled_from(open_rows)), reviewer, NOW, Source.UNDO))
        else:
            source = draw(st.sampled_from([Source.REVIEW, Source.SECOND, Source.SETTLE]))
            rows.append(ReviewFact(number, draw(st.sampled_from(list(Verdict))), None, reviewer, NOW, source))
    return rows


@given(histories(), st.booleans())
def test_latest_is_the_contracts_rule(rows: list[ReviewFact], awaits: bool) -> None:
    """Whatever else is known: the latest row that is neither an undo nor undone."""
    assert find_standing(Consensus.LATEST, rows, awaits_second=awaits) == Standing(find_effective(rows))


@given(histories(), st.sampled_from([Consensus.MAJORITY, Consensus.UNANIMOUS]), st.booleans())
def test_what_stands_was_said_and_is_backed(rows: list[ReviewFact], rule: Consensus, awaits: bool) -> None:
    """A standing verdict is an effective row's; it settles, or enough people say it; else there is a reason."""
    found = find_standing(rule, rows, awaits_second=awaits)
    voices = list_voices(rows)
    assert len({voice.reviewer for voice in voices}) == len(voices)
    if found.review is None:
        assert (found.unsettled is None) == (not voices)
        assert find_settling(rows) is None
        return
    assert found.unsettled is None
    undone = {row.undoes for row in rows}
    assert found.review in rows
    assert found.review.review_id not in undone
    backing = [voice for voice in voices if voice.verdict is found.review.verdict]
    if found.review.source != Source.SETTLE:
        assert len(backing) * 2 > len(voices)
        assert rule is Consensus.MAJORITY or len(backing) == len(voices)


@given(histories(), st.booleans())
def test_unanimity_is_stricter_than_a_majority(rows: list[ReviewFact], awaits: bool) -> None:
    """What all say, more than half say."""
    unanimous = find_standing(Consensus.UNANIMOUS, rows, awaits_second=awaits)
    if unanimous.review is not None:
        assert find_standing(Consensus.MAJORITY, rows, awaits_second=awaits) == unanimous
