"""Why an image wants a person, and the sentence that says so."""

import pytest

from app.domain.flagging import Flag, FlagReason, Labels, find_flags
from app.domain.images import Side, label_of_pattern

LABELS = Labels("football", "background")


@pytest.mark.parametrize(
    ("given", "score", "flagged"),
    [
        (Side.NEGATIVE, 0.49, False),
        (Side.NEGATIVE, 0.5, True),
        (Side.NEGATIVE, 0.51, True),
        (Side.POSITIVE, 0.49, True),
        (Side.POSITIVE, 0.5, False),
        (Side.POSITIVE, 0.51, False),
        (Side.NEGATIVE, None, False),
        (Side.POSITIVE, None, False),
    ],
)
def test_an_image_is_flagged_where_detector_and_folder_disagree(
    given: Side, score: float | None, flagged: bool
) -> None:
    """A score equal to the threshold counts as seen; without a score there is nothing to disagree with."""
    flags = find_flags(given, score, 0.5, LABELS, None)
    assert [flag.reason for flag in flags] == [FlagReason.DISAGREEMENT] * flagged


@pytest.mark.parametrize(
    ("given", "threshold"), [(Side.NEGATIVE, 0.0), (Side.POSITIVE, 1.0)], ids=["all seen", "never seen"]
)
def test_the_ends_of_the_threshold_flag_whole_folders(given: Side, threshold: float) -> None:
    """At 0 everything counts as seen, at 1 everything short of certainty as not seen."""
    assert find_flags(given, 0.0 if threshold == 0 else 0.999, threshold, LABELS, None)


@pytest.mark.parametrize(
    ("given", "score", "labels", "sentence"),
    [
        (Side.NEGATIVE, 0.83, LABELS, "filed as background; D-FINE sees a football, 0.83"),
        (Side.POSITIVE, 0.12, LABELS, "filed as football; D-FINE sees no football it is sure of, best 0.12"),
        (Side.POSITIVE, 0.0, LABELS, "filed as football; D-FINE sees no football at all"),
        (Side.NEGATIVE, 0.7, Labels("orange", "rest"), "filed as rest; D-FINE sees an orange, 0.70"),
    ],
)
def test_a_flag_says_in_words_who_says_what(given: Side, score: float, labels: Labels, sentence: str) -> None:
    """The reason is a sentence with the folder, what D-FINE sees and how sure it is."""
    assert find_flags(given, score, 0.5, labels, None) == (Flag(FlagReason.DISAGREEMENT, sentence),)


def test_an_unreadable_image_carries_that_flag_alone() -> None:
    """What cannot be decoded is flagged with its reason, whatever score it had before."""
    flags = find_flags(Side.NEGATIVE, 0.9, 0.5, LABELS, "the file is empty")
    assert flags == (Flag(FlagReason.UNREADABLE, "the file is empty"),)


@pytest.mark.parametrize(
    ("pattern", "label"), [("football", "football"), ("*/football", "football"), ("a/b/", "b"), ("*/*/x", "x")]
)
def test_the_label_is_the_last_part_of_its_pattern(pattern: str, label: str) -> None:
    """Globs of split layouts name the same label as a plain folder."""
    assert label_of_pattern(pattern) == label
