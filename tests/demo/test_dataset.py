"""Plans of demo datasets: counts, names, keys and bytes."""

import hashlib
import json
import pickle
from collections import Counter

import numpy as np
import pytest

from app.demo.dataset import (
    BACKGROUND,
    DEMO_NAMESPACE,
    FOOTBALL,
    TRAINING_NAMESPACE,
    VALIDATION_NAMESPACE,
    Contamination,
    PlannedFrame,
    draw_planned,
    draw_training,
    plan_demo,
    scale_counts,
    truth_rows,
)
from app.demo.frames import encode_jpeg


def count_cells(planned: list[PlannedFrame]) -> dict[tuple[str, str], int]:
    """Files by given and true label."""
    return dict(Counter((plan.given_label, plan.true_label) for plan in planned))


def test_at_the_original_size_the_counts_are_the_originals() -> None:
    """8,599 images are filed exactly as wrongly as in the original work."""
    assert count_cells(plan_demo(8599, 5, Contamination.SEED)) == {
        (FOOTBALL, FOOTBALL): 3861,
        (FOOTBALL, BACKGROUND): 189,
        (BACKGROUND, BACKGROUND): 3263,
        (BACKGROUND, FOOTBALL): 1286,
    }


def test_sixty_images_have_every_kind_of_mistake() -> None:
    """A small demo still holds one false football and nine missed ones."""
    assert sorted(count_cells(plan_demo(60, 5, Contamination.SEED)).values()) == [1, 9, 23, 27]


@pytest.mark.parametrize("images", [0, 1, 7, 60, 400, 1000, 1337])
def test_counts_sum_to_the_number_asked_for(images: int) -> None:
    """Rounding loses and adds nothing."""
    assert len(plan_demo(images, 1, Contamination.SEED)) == images


def test_scaled_counts_stay_within_one_of_the_exact_share() -> None:
    """The method of the largest remainder moves no count by a whole image."""
    for total in range(50):
        scaled = scale_counts([3861, 189, 3263, 1286], total)
        shares = np.array([3861, 189, 3263, 1286]) * total / 8599
        assert sum(scaled) == total
        assert np.abs(np.array(scaled) - shares).max() < 1


@pytest.mark.parametrize(("images", "seed"), [(-1, 0), (1, -1)])
def test_negative_arguments_are_refused(images: int, seed: int) -> None:
    """There is no dataset of minus one image."""
    with pytest.raises(ValueError, match="must not be negative"):
        plan_demo(images, seed, Contamination.SEED)


def test_without_contamination_every_file_lies_in_its_folder() -> None:
    """`none` files by the truth."""
    for plan in plan_demo(200, 3, Contamination.NONE):
        assert plan.given_label == plan.true_label
        assert plan.path.startswith(plan.true_label + "/")


def test_contamination_moves_files_and_changes_nothing_else() -> None:
    """Both plans have the same names, truths and images; only folders differ."""
    dirty, clean = (plan_demo(300, 3, kind) for kind in (Contamination.SEED, Contamination.NONE))
    for one, other in zip(dirty, clean, strict=True):
        assert one.path.split("/")[1] == other.path.split("/")[1]
        assert (one.true_label, one.key) == (other.true_label, other.key)


def test_names_are_unique_over_both_folders_and_have_eight_digits() -> None:
    """Moving a file to the other folder never meets a file of its name."""
    names = [plan.path.split("/")[1] for plan in plan_demo(8599, 2, Contamination.SEED)]
    assert len(set(names)) == 8599
    assert all(len(name) == 12 and name[:8].isdigit() and name.endswith(".jpg") for name in names)


def test_names_do_not_tell_the_truth() -> None:
    """The correlation of a file's number with what it shows, and with its neighbour's truth, is no more than chance."""
    planned = plan_demo(8599, 9, Contamination.SEED)
    truth = np.array([plan.true_label == FOOTBALL for plan in planned], float)
    numbers = np.array([int(plan.path.split("/")[1][:8]) for plan in planned])
    assert abs(np.corrcoef(numbers, truth)[0, 1]) < 0.04
    assert abs(np.corrcoef(truth[1:], truth[:-1])[0, 1]) < 0.04


def test_hardness_does_not_tell_the_truth() -> None:
    """Frames with and without a ball are drawn hard equally often."""
    planned = plan_demo(8599, 4, Contamination.SEED)
    shares = [
        np.mean([plan.key[-1] for plan in planned if plan.true_label == label]) for label in (FOOTBALL, BACKGROUND)
    ]
    assert shares[0] == pytest.approx(shares[1], abs=0.001)


def test_the_same_arguments_give_the_same_bytes() -> None:
    """Two plans draw equal files."""
    first, second = (plan_demo(20, 8, Contamination.SEED)[4] for _ in range(2))
    assert draw_planned(first) == draw_planned(second)


def test_different_seeds_give_different_images() -> None:
    """No image of one demo is in another."""
    drawn = [draw_planned(plan_demo(20, seed, Contamination.SEED)[0])[0] for seed in range(4)]
    assert len(set(drawn)) == 4


def test_a_file_has_a_box_exactly_when_it_truly_shows_a_ball() -> None:
    """The drawn boxes agree with the plan's true label."""
    for plan in plan_demo(9, 6, Contamination.SEED):
        _, boxes = draw_planned(pickle.loads(pickle.dumps(plan)))  # noqa: S301 - what a process pool does
        assert bool(boxes) == (plan.true_label == FOOTBALL)


def test_no_training_image_is_a_demo_image() -> None:
    """Keys of the namespaces differ in their first number, and a sample of images has no hash in common."""
    assert len({DEMO_NAMESPACE, TRAINING_NAMESPACE, VALIDATION_NAMESPACE}) == 3
    assert all(0 < space < 2**32 for space in (DEMO_NAMESPACE, TRAINING_NAMESPACE, VALIDATION_NAMESPACE))
    planned = [plan for seed in range(3) for plan in plan_demo(6, seed, Contamination.SEED)]
    assert all(plan.key[0] == DEMO_NAMESPACE for plan in planned)
    shown = {hashlib.sha256(draw_planned(plan)[0]).digest() for plan in planned}
    learnt = {
        hashlib.sha256(encode_jpeg(draw_training(space, seed, index))).digest()
        for space in (TRAINING_NAMESPACE, VALIDATION_NAMESPACE)
        for seed in range(2)
        for index in range(4)
    }
    assert len(shown) == 18
    assert len(learnt) == 16
    assert not shown & learnt


def test_truth_rows_carry_labels_and_boxes_to_one_decimal() -> None:
    """truth.csv has one row a file, its boxes a JSON list of xyxy."""
    ball = PlannedFrame("background/00000007.jpg", BACKGROUND, FOOTBALL, (DEMO_NAMESPACE, 0, 0, 1))
    empty = PlannedFrame("football/00000009.jpg", FOOTBALL, BACKGROUND, (DEMO_NAMESPACE, 0, 1, 0))
    rows = truth_rows([(ball, ((1.04, 2.0, 3.26, 4.5),)), (empty, ())])
    assert [list(row) for row in rows] == [["path", "given_label", "true_label", "boxes"]] * 2
    assert json.loads(rows[0]["boxes"]) == [[1.0, 2.0, 3.3, 4.5]]
    assert rows[1]["boxes"] == "[]"
