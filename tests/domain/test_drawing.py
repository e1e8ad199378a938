"""The random sequence of an audit: uniform, in proportion, and the same again."""

from collections import Counter
from itertools import islice

import pytest

from app.domain.drawing import Deal, called_before, candidates, choose_stratum, deal, repeats


def chi_square(found: Counter[int], weights: dict[int, float], total: int) -> float:
    """How far counts are from what they should be."""
    whole = sum(weights.values())
    return sum((found[key] - total * weight / whole) ** 2 / (total * weight / whole) for key, weight in weights.items())


def test_candidates_are_uniform() -> None:
    """Of 10 images each comes equally often, one after the other too; 9 degrees of freedom, one in 10,000."""
    drawn = list(islice(candidates(7, 1, 0, 10), 20_000))
    assert chi_square(Counter(drawn), dict.fromkeys(range(10), 1.0), len(drawn)) < 33.7
    pairs = Counter(first * 10 + second for first, second in zip(drawn[::2], drawn[1::2], strict=True))
    assert chi_square(pairs, dict.fromkeys(range(100), 1.0), len(drawn) // 2) < 160  # 99 degrees of freedom


def test_the_sequence_goes_on_where_it_was_left() -> None:
    """The counter is all that must be kept; another stratum or seed has another sequence."""
    whole = list(islice(candidates(7, 1, 0, 1000), 20))
    assert list(islice(candidates(7, 1, 12, 1000), 8)) == whole[12:]
    assert list(islice(candidates(7, 2, 0, 1000), 20)) != whole
    assert list(islice(candidates(8, 1, 0, 1000), 20)) != whole


def test_strata_are_chosen_in_proportion() -> None:
    """To what is left in each; an empty one never is."""
    left = [10, 0, 70, 20]
    chosen = Counter(choose_stratum(3, number, left) for number in range(10_000))
    assert chosen[1] == 0
    assert chi_square(chosen, {0: 10, 2: 70, 3: 20}, 10_000) < 18.4  # 2 degrees of freedom
    with pytest.raises(ValueError, match="nothing is left"):
        choose_stratum(3, 0, [0, 0])


@pytest.mark.parametrize("share", [0.0, 0.15, 0.5])
def test_as_many_flags_are_shown_blind_as_draws(share: float) -> None:
    """Each at its share; the rest is open."""
    dealt = Counter(deal(5, share, "turn", "tab", turn) for turn in range(10_000))
    for kind in (Deal.DRAW, Deal.SHOWN):
        assert abs(dealt[kind] / 10_000 - share) < 0.02
    assert abs(dealt[Deal.OPEN] / 10_000 - (1 - 2 * share)) < 0.02


def test_repeats_take_no_place_of_draws() -> None:
    """They have their share, at places that hold neither a draw nor a flag while those leave room."""
    places = [("turn", "tab", turn) for turn in range(10_000)]
    chosen = [place for place in places if repeats(5, 0.2, *place)]
    assert abs(len(chosen) / 10_000 - 0.2) < 0.02
    assert {deal(5, 0.4, *place) for place in chosen} == {Deal.OPEN}
    assert not any(repeats(5, 0.0, *place) for place in places)


def test_reviews_are_tried_uniformly() -> None:
    """Each number from 1 on equally often; 9 degrees of freedom, one in 10,000. Another place, another order."""
    tried = list(islice(called_before(7, ("slot", 1), 10), 20_000))
    assert chi_square(Counter(tried), dict.fromkeys(range(1, 11), 1.0), len(tried)) < 33.7
    assert list(islice(called_before(7, ("slot", 2), 10), 20)) != tried[:20]
