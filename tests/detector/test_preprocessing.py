"""From pictures to inputs, and from outputs to boxes."""

import json
from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from transformers import RTDetrImageProcessor

from app.detector.base import View
from app.detector.decoding import clip, decode_outputs
from app.detector.dfine import mirror
from app.detector.preprocessing import Letterbox, Preprocessing, read_preprocessing, stretches
from app.domain.detections import Box, Detection
from app.errors import CheckpointError


def picture(width: int, height: int) -> Image.Image:
    """Noise, so that every pixel counts."""
    return Image.fromarray(np.random.default_rng(1).integers(0, 255, (height, width, 3), dtype=np.uint8))


@pytest.mark.parametrize("size", [(640, 360), (50, 200), (96, 96), (97, 95)])
@pytest.mark.parametrize("normalised", [True, False])
def test_inputs_are_those_of_the_checkpoint_s_own_processor(
    tmp_path: Path, size: tuple[int, int], *, normalised: bool
) -> None:
    """Resized, rescaled and normalised as transformers does it."""
    processor = RTDetrImageProcessor(size={"height": 96, "width": 96}, do_normalize=normalised)
    processor.save_pretrained(tmp_path)
    found = read_preprocessing(tmp_path)
    view = found.view(picture(*size), Box(0, 0, *size))
    mean, std = (np.array(values)[:, None, None] for values in (found.mean, found.std))
    ours = (view.pixels.astype(np.float32) * found.scale - mean) / std
    theirs = np.asarray(processor(images=picture(*size), return_tensors="np")["pixel_values"][0])
    np.testing.assert_allclose(ours, theirs, atol=1e-5)


def test_another_input_size_is_another_fingerprint(tmp_path: Path) -> None:
    """So it is another detector."""
    RTDetrImageProcessor(size={"height": 96, "width": 96}).save_pretrained(tmp_path)
    own, larger = read_preprocessing(tmp_path), read_preprocessing(tmp_path, 128)
    assert (larger.width, larger.height) == (128, 128)
    assert own.fingerprint != larger.fingerprint


@pytest.mark.parametrize("centre", [True, False])
def test_a_letterbox_keeps_proportions_and_boxes_find_back(*, centre: bool) -> None:
    """A box on the whole picture, in shares of the padded input, is the whole picture again."""
    preprocessing = Preprocessing(100, 100, letterbox=Letterbox(centre=centre, value=7))
    view = preprocessing.view(picture(200, 100), Box(0, 0, 200, 100))
    assert view.pixels.shape == (3, 100, 100)
    assert (view.pixels[:, -1] == 7).all()
    assert (view.pixels[:, 0] == 7).all() == centre
    middle = 0.5 if centre else 0.25
    logits, boxes = np.array([[4.0]], np.float32), np.array([[0.5, middle, 1.0, 0.5]], np.float32)
    found = decode_outputs(logits, boxes, view, ["ball"], 0.1)
    assert tuple(found[0].box) == pytest.approx((0, 0, 200, 100))


def test_a_mirror_image_is_mirrored_back() -> None:
    """A box at its left edge is one at the picture's right edge."""
    straight = View(np.zeros((3, 4, 4), np.uint8), Box(0, 0, 100, 50))
    logits, boxes = np.array([[4.0]], np.float32), np.array([[0.1, 0.5, 0.2, 0.4]], np.float32)
    found = decode_outputs(logits, boxes, mirror(straight), ["ball"], 0.1)
    assert tuple(found[0].box) == pytest.approx((80, 15, 100, 35))


def test_a_slice_s_boxes_lie_where_it_was_cut() -> None:
    """In pixels of the image."""
    part = View(np.zeros((3, 4, 4), np.uint8), Box(300, 200, 400, 300))
    logits, boxes = np.array([[4.0]], np.float32), np.array([[0.5, 0.5, 0.2, 0.2]], np.float32)
    assert tuple(decode_outputs(logits, boxes, part, ["ball"], 0.1)[0].box) == pytest.approx((340, 240, 360, 260))


def test_boxes_outside_the_image_go() -> None:
    """A letterbox's padding holds nothing."""
    inside, outside = (Detection(Box(x, 0, x + 10, 10), 0.5, "ball") for x in (95, 120))
    assert [tuple(each.box) for each in clip([inside, outside], 100, 50)] == [(95, 0, 100, 10)]


@pytest.mark.parametrize("content", ["{", "[]", '{"size": {"shortest_edge": 800}}', '{"size": 3}'])
def test_a_configuration_that_cannot_be_used_is_named(tmp_path: Path, content: str) -> None:
    """With its file."""
    (tmp_path / "preprocessor_config.json").write_text(content)
    assert not stretches(tmp_path)
    with pytest.raises(CheckpointError, match=r"detector\.model: .*preprocessor_config\.json cannot be used"):
        read_preprocessing(tmp_path)


def test_a_configuration_of_one_size_stretches(tmp_path: Path) -> None:
    """That is what D-FINE does."""
    (tmp_path / "preprocessor_config.json").write_text(json.dumps({"size": {"height": 64, "width": 64}}))
    assert stretches(tmp_path)
