"""Which called images stand for the rest."""

import pytest

from app.domain.examples import SHOWN, Called, ExampleKind, choose_examples, kind_of
from app.domain.images import Side
from app.domain.reviewing import Verdict

P, N = Side.POSITIVE, Side.NEGATIVE


@pytest.mark.parametrize(
    ("given", "verdict", "score", "kind"),
    [
        (P, Verdict.NEGATIVE, 0.9, ExampleKind.FALSE_POSITIVE),
        (N, Verdict.POSITIVE, None, ExampleKind.FALSE_NEGATIVE),
        (P, Verdict.POSITIVE, 0.4, ExampleKind.OVERRULED),
        (N, Verdict.NEGATIVE, 0.5, ExampleKind.OVERRULED),
        (N, Verdict.NEGATIVE, 0.4, None),
        (N, Verdict.NEGATIVE, None, None),
        (P, Verdict.UNSURE, 0.4, ExampleKind.UNSURE),
        (N, Verdict.DISCARD, 0.9, ExampleKind.DISCARDED),
    ],
)
def test_what_an_image_is_an_example_of(
    given: Side, verdict: Verdict, score: float | None, kind: ExampleKind | None
) -> None:
    """A mislabel of either direction, a flag that was wrong, or a question that stays open."""
    assert kind_of(Called(1, given, verdict, score), 0.5) is kind


def test_some_of_each_kind() -> None:
    """At most so many, 24 in all; a later source fills up what the first has too few of, and repeats nothing."""
    newest = [Called(number, N, Verdict.POSITIVE, 0.9) for number in range(50)] + [Called(90, P, Verdict.UNSURE, 0.1)]
    suspicious = [
        Called(90, P, Verdict.UNSURE, 0.1),
        Called(91, P, Verdict.UNSURE, 0.1),
        Called(60, N, Verdict.POSITIVE, 1.0),
    ]
    chosen = choose_examples([newest, suspicious], 0.5)
    assert chosen[ExampleKind.FALSE_NEGATIVE] == [0, 1, 2, 3, 4, 5]
    assert chosen[ExampleKind.UNSURE] == [90, 91]
    assert chosen[ExampleKind.OVERRULED] == []
    assert sum(SHOWN.values()) == 24
