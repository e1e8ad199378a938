"""Reading custom_d_fine's config.yaml."""

from pathlib import Path

import pytest

from app.detector.recipes import BILINEAR, BOX, HAMMING, PLAIN, is_recipe, read_recipe
from app.errors import CheckpointError


def write(folder: Path, text: str) -> Path:
    """A config.yaml of that content."""
    file = folder / "config.yaml"
    file.write_text(text, encoding="utf-8")
    return file


def test_size_classes_and_input_are_read(tmp_path: Path) -> None:
    """References to other keys, which OmegaConf would fill in, do no harm."""
    recipe = read_recipe(
        write(
            tmp_path,
            "model_name: l\ntask: detect\nexp: ${exp_name}_${now_dir}\nnow_dir: &nowdir ${now:%Y-%m-%d}\n"
            "train:\n  label_to_name: {1: player, 0: football}\n  img_size: [512, 512]\n  keep_ratio: True\n",
        )
    )
    assert (recipe.size, recipe.names, recipe.height, recipe.width) == ("l", ("football", "player"), 512, 512)
    assert (recipe.keep_ratio, recipe.resample) == (True, BOX)


def test_later_releases_resize_without_averaging(tmp_path: Path) -> None:
    """They are told by a key that earlier ones lack."""
    assert read_recipe(write(tmp_path, "train: {label_to_name: [ball], in_channels: 3}")).resample == HAMMING


def test_what_is_not_said_is_as_in_d_fine(tmp_path: Path) -> None:
    """640 x 640, stretched."""
    recipe = read_recipe(write(tmp_path, "train: {label_to_name: {0: ball}}"))
    assert (recipe.size, recipe.height, recipe.keep_ratio) == (None, 640, False)
    assert (PLAIN.height, PLAIN.keep_ratio, PLAIN.resample) == (640, False, BILINEAR)


@pytest.mark.parametrize("text", ["", "- a\n", "detector: {model: x}\n", "train: 5\n", "train: {epochs: 3}\n"])
def test_other_configurations_are_not_taken_for_one(tmp_path: Path, text: str) -> None:
    """Touchline's own has the same name."""
    assert not is_recipe(write(tmp_path, text))


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("train: {label_to_name: [a], img_size: [480, 800]}", "img_size 480 x 800; only squares"),
        ("train: {label_to_name: [a], img_size: [100, 100]}", "only squares with a side of whole 32"),
        ("train: {label_to_name: [a], img_size: 640}", "is no configuration of custom_d_fine"),
        ("train: {label_to_name: 5}", "is no configuration of custom_d_fine"),
        ("train: {label_to_name: {1: a, 2: b}}", r"numbers the classes \[1, 2\], not from 0 on"),
        ("train: {label_to_name: {a: b}}", "is no configuration of custom_d_fine"),
        ("train: {", "cannot be read"),
        ("!!python/object/apply:os.mkdir [sprung]", "cannot be read"),
    ],
)
def test_what_cannot_be_converted_is_said(tmp_path: Path, text: str, said: str) -> None:
    """In one line, with the file."""
    with pytest.raises(CheckpointError, match=said) as caught:
        read_recipe(write(tmp_path, text))
    assert "\n" not in str(caught.value)
