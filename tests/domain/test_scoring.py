"""From boxes to one number per image, and how suspicious that makes it."""

import pytest

from app.domain.detections import Box, Detection, DetectorIdentity, strongest
from app.domain.images import Side
from app.domain.scoring import image_score, suspicion

BOX = Box(0, 0, 1, 1)


def see(**confidences: float) -> list[Detection]:
    """Detections by class name."""
    return [Detection(BOX, confidence, name) for name, confidence in confidences.items()]


@pytest.mark.parametrize(
    ("seen", "targets", "score"),
    [
        ({}, ("ball",), 0.0),
        ({"person": 0.9}, ("ball",), 0.0),
        ({"person": 0.9, "ball": 0.4}, ("ball",), 0.4),
        ({"person": 0.9, "ball": 0.4}, ("ball", "person"), 0.9),
    ],
)
def test_the_score_is_the_best_of_the_target_classes(
    seen: dict[str, float], targets: tuple[str, ...], score: float
) -> None:
    """Other classes do not count, and an image without a box scores 0."""
    assert image_score(see(**seen), targets) == score


def test_the_strongest_detection_is_of_a_target_class() -> None:
    """It is the box that the desk enlarges."""
    assert strongest(see(person=0.9, ball=0.4), ("ball",)) == Detection(BOX, 0.4, "ball")


@pytest.mark.parametrize(
    ("given", "score", "expected"), [(Side.NEGATIVE, 0.83, 0.83), (Side.POSITIVE, 0.83, 0.17), (Side.POSITIVE, 0, 1)]
)
def test_suspicion_is_how_strongly_the_detector_speaks_against_the_folder(
    given: Side, score: float, expected: float
) -> None:
    """High for a ball among the backgrounds, and for an empty frame among the balls."""
    assert suspicion(given, score) == pytest.approx(expected)


@pytest.mark.parametrize(
    ("box", "clipped", "area"),
    [
        (Box(-5, -5, 5, 5), Box(0, 0, 5, 5), 25),
        (Box(90, 40, 200, 60), Box(90, 40, 100, 50), 100),
        (Box(120, 0, 130, 10), Box(100, 0, 100, 10), 0),
    ],
)
def test_a_box_is_cut_to_its_image(box: Box, clipped: Box, area: float) -> None:
    """What reaches beyond 100 x 50 pixels is cut off; what lies outside has no area left."""
    assert (box.clipped(100, 50), box.clipped(100, 50).area) == (clipped, area)


def test_identity_tells_apart_what_changes_scores() -> None:
    """Weights, preprocessing, input size and floor are part of a detector's identity; its name is not."""

    def key(model: str = "m", weights: str = "w", steps: str = "p", size: int = 640, floor: float = 0.05) -> str:
        return DetectorIdentity(model, None, weights, steps, size, floor=floor).key

    assert key() == key(model="another name of the same weights")
    assert len({key(), key(weights="v"), key(steps="q"), key(size=320), key(floor=0.1)}) == 5
