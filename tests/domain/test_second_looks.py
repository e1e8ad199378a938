"""Which images are drawn for a second look, and what such a look waits for."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from app.domain.consensus import Consensus
from app.domain.reviewing import Verdict
from app.domain.second_looks import Reviewing, Stage, find_look, is_drawn, wants_second
from tests.domain.test_consensus import NO, UNSURE, YES, history


@pytest.mark.parametrize("share", [0.02, 0.1, 0.5])
def test_the_share_holds(share: float) -> None:
    """Of 20,000 images within four standard deviations, for any seed."""
    for seed in ("a", "b"):
        drawn = sum(is_drawn(image_id, seed, share) for image_id in range(1, 20_001))
        assert abs(drawn - 20_000 * share) < 4 * (20_000 * share * (1 - share)) ** 0.5


@given(st.integers(1, 2**31), st.text(max_size=8), st.floats(0, 1), st.floats(0, 1))
def test_a_larger_share_keeps_what_a_smaller_one_drew(image_id: int, seed: str, one: float, other: float) -> None:
    """None at 0, all at 1, and the same answer each time."""
    low, high = sorted((one, other))
    assert not is_drawn(image_id, seed, 0)
    assert is_drawn(image_id, seed, 1)
    assert is_drawn(image_id, seed, high) >= is_drawn(image_id, seed, low)


def test_a_reason_always_asks() -> None:
    """A flag or an unsure verdict that the dataset names; no other."""
    reviewing = Reviewing(reasons=("disagreement", "unsure"))
    assert wants_second(reviewing, 1, YES, ["disagreement"])
    assert wants_second(reviewing, 1, UNSURE, [])
    assert not wants_second(reviewing, 1, YES, ["duplicate_conflict"])
    assert not wants_second(Reviewing(), 1, UNSURE, ["disagreement"])


@pytest.mark.parametrize("rule", list(Consensus))
def test_a_look_goes_from_second_to_done_or_third(rule: Consensus) -> None:
    """Agreeing people are done; others wait for a third, until that is given; an undo leads back."""
    steps = [
        ([("ada", YES)], Stage.SECOND),
        ([("ada", YES), ("bob", YES, "second")], Stage.DONE),
        ([("ada", YES), ("bob", NO, "second")], Stage.THIRD),
        ([("ada", YES), ("bob", NO, "second"), ("bob", 2)], Stage.SECOND),
        ([("ada", YES), ("bob", NO, "second"), ("cy", NO, "settle")], Stage.DONE),
        ([("ada", YES), ("bob", NO, "second"), ("cy", NO, "settle"), ("cy", 3)], Stage.THIRD),
        ([("ada", YES), ("bob", NO, "second"), ("ada", NO)], Stage.DONE),
        ([("ada", YES), ("ada", 1)], None),
    ]
    for said, stage in steps:
        look = find_look(rule, history(*said), wanted=True)  # type: ignore[arg-type]
        assert (look.stage if look else None) is stage, said


def test_without_being_wanted_only_a_rule_asks() -> None:
    """Two open calls that differ are a conflict where several must agree, and a correction where the latest counts."""
    said = history(("ada", YES), ("bob", NO))
    assert find_look(Consensus.LATEST, said, wanted=False) is None
    look = find_look(Consensus.MAJORITY, said, wanted=False)
    assert look is not None
    assert (look.stage, look.second) == (Stage.THIRD, None)
    assert find_look(Consensus.MAJORITY, said[:1], wanted=False) is None


def test_a_change_of_mind_is_no_independent_verdict() -> None:
    """The pair that agreement is measured on stays what it was before anybody saw the other's."""
    look = find_look(Consensus.LATEST, history(("ada", YES), ("bob", NO, "second"), ("ada", NO)), wanted=True)
    assert look is not None
    assert look.second is not None
    assert (look.first.verdict, look.second.verdict) == (Verdict.POSITIVE, Verdict.NEGATIVE)
