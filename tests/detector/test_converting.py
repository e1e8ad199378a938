"""Original checkpoints come out of the conversion as the same function, whoever saved them and in whatever wrapping."""

import hashlib
import json
from pathlib import Path
from typing import Any

import pytest
import torch
from transformers import AutoImageProcessor, DFineForObjectDetection

from app.detector.converting import SIZES, Size, convert_weights, find_size
from app.detector.original import class_list, convert_checkpoint, make_config
from tests.detector.original_names import SHAPES, State, original_state, randomize

SIDE = 256  #: enough places for 300 queries at stride 16 and 32
FROZEN = ("l", "x")  #: sizes whose backbones D-FINE trains with constant norms


def build(size: Size, classes: int) -> Any:
    """A D-FINE of random weights, in transformers."""
    model = DFineForObjectDetection(make_config(size, class_list(classes), PUBLISHED[size.letter]))
    randomize(model)
    return model.eval()


#: what the weights themselves tell of a size's configuration
PUBLISHED = {
    size.letter: {
        "decoder.reg_scale": torch.tensor([8.0 if size.letter == "x" else 4.0]),
        "decoder.denoising_class_embed.weight": torch.zeros(1),
    }
    for size in SIZES
}


def state_of(model: Any, size: Size) -> State:
    """The same weights as D-FINE would save them."""
    return original_state(model, counted=size.letter not in FROZEN)


@pytest.mark.parametrize("size", SIZES, ids=lambda size: size.letter)
def test_converted_weights_give_the_same_outputs(size: Size, tmp_path: Path) -> None:
    """For each size: the names and shapes are D-FINE's own, nothing is lost, and no output moves by one bit."""
    model = build(size, 80)
    state = state_of(model, size)
    lines = sorted(f"{name} {list(tensor.shape)}" for name, tensor in state.items())
    assert (len(lines), hashlib.sha256("\n".join(lines).encode()).hexdigest()) == SHAPES[size.letter]
    torch.save({"model": state}, tmp_path / "dfine.pth")

    convert_checkpoint(tmp_path / "dfine.pth", None, tmp_path / "converted")

    loaded = DFineForObjectDetection.from_pretrained(tmp_path / "converted").eval()
    pixels = torch.rand(1, 3, SIDE, SIDE, generator=torch.Generator().manual_seed(3))
    with torch.inference_mode():
        before, after = model(pixel_values=pixels), loaded(pixel_values=pixels)
    assert before.logits.std() > 0.01
    assert torch.equal(before.logits, after.logits)
    assert torch.equal(before.pred_boxes, after.pred_boxes)
    assert loaded.config.id2label[32] == "sports ball"


@pytest.fixture(scope="module")
def small() -> tuple[Any, State]:
    """The smallest size with seven classes."""
    model = build(SIZES[0], 7)
    return model, state_of(model, SIZES[0])


def test_every_weight_is_used(small: tuple[Any, State]) -> None:
    """Under one new name each, but for what a list names with its reason."""
    model, state = small
    converted = convert_weights(state)
    assert converted.unused == ()
    tied = {name for name in model.state_dict() if name.startswith(("class_embed.", "bbox_embed."))}
    assert len(converted.weights) == len(model.state_dict()) - len(tied)
    assert all(tensor.dtype == torch.float32 for tensor in converted.weights.values() if tensor.is_floating_point())


def test_a_size_is_known_by_its_shapes(small: tuple[Any, State]) -> None:
    """Not by the name of its file; what is cut off is of no size."""
    _, state = small
    assert find_size(state) == SIZES[0]
    assert find_size({}) is None
    assert find_size({name: torch.zeros(()) for name in state}) is None


@pytest.mark.parametrize(
    "wrap",
    [
        lambda state, other: state,
        lambda state, other: {"model": state},
        lambda state, other: {"model": other, "ema": {"module": state, "updates": 5}, "date": "2026-01-01"},
        lambda state, other: {"state_dict": {f"module.{name}": tensor for name, tensor in state.items()}},
        lambda state, other: {f"_orig_mod.{name}": tensor for name, tensor in state.items()},
    ],
    ids=["bare", "release", "training run", "parallel", "compiled"],
)
def test_wrappings_come_off(small: tuple[Any, State], tmp_path: Path, wrap: Any) -> None:
    """Of a training run the averaged weights are taken, as its authors publish them."""
    _, state = small
    other = {name: torch.zeros_like(tensor) for name, tensor in state.items()}
    torch.save(wrap(state, other), tmp_path / "dfine.pth")
    convert_checkpoint(tmp_path / "dfine.pth", None, tmp_path / "converted")
    loaded = DFineForObjectDetection.from_pretrained(tmp_path / "converted")
    assert torch.equal(loaded.class_embed[2].weight, state["decoder.dec_score_head.2.weight"])


def test_half_precision_and_the_head_for_outlines_change_nothing(small: tuple[Any, State], tmp_path: Path) -> None:
    """D-FINE-seg's outlines are drawn after boxes and classes are known."""
    model, state = small
    halved = {name: tensor.half() if tensor.is_floating_point() else tensor for name, tensor in state.items()}
    outlines = {"decoder.mask_head.layers.0.weight": torch.zeros(2, 2), "decoder.mask_decoder.bn1.bias": torch.zeros(2)}
    torch.save(halved | outlines, tmp_path / "model.pt")
    convert_checkpoint(tmp_path / "model.pt", None, tmp_path / "converted")
    loaded = DFineForObjectDetection.from_pretrained(tmp_path / "converted")
    assert loaded.dtype == torch.float32
    assert torch.equal(loaded.class_embed[0].weight, model.class_embed[0].weight.half().float())


RECIPE = """
model_name: n
task: detect
exp: baseline_${now_dir}
train:
  label_to_name: {0: ball, 1: player, 2: referee, 3: goal, 4: corner flag, 5: bench, 6: crowd}
  img_size: [320, 320]
  keep_ratio: True
"""


def test_custom_d_fine_brings_its_names_and_its_padding(small: tuple[Any, State], tmp_path: Path) -> None:
    """As its own inference has it: the picture in the middle of grey 114, by area, in 0..1 and not normalised."""
    model, state = small
    torch.save(state, tmp_path / "model.pt")
    (tmp_path / "config.yaml").write_text(RECIPE)
    convert_checkpoint(tmp_path / "model.pt", tmp_path / "config.yaml", tmp_path / "converted")

    loaded = DFineForObjectDetection.from_pretrained(tmp_path / "converted").eval()
    pixels = torch.rand(1, 3, SIDE, SIDE, generator=torch.Generator().manual_seed(3))
    with torch.inference_mode():
        assert torch.equal(model(pixel_values=pixels).logits, loaded(pixel_values=pixels).logits)
    assert [loaded.config.id2label[index] for index in range(3)] == ["ball", "player", "referee"]
    written = json.loads((tmp_path / "converted" / "preprocessor_config.json").read_text())
    assert (written["size"], written["letterbox"]) == ({"height": 320, "width": 320}, {"centre": True, "value": 114})
    assert (written["resample"], written["do_normalize"], written["rescale_factor"]) == (4, False, 1 / 255)


def test_d_fine_stretches(small: tuple[Any, State], tmp_path: Path) -> None:
    """To 640 x 640, bilinear, in 0..1; transformers' own processor reads what is written."""
    _, state = small
    torch.save({"model": state}, tmp_path / "dfine.pth")
    convert_checkpoint(tmp_path / "dfine.pth", None, tmp_path / "converted")
    written = json.loads((tmp_path / "converted" / "preprocessor_config.json").read_text())
    assert "letterbox" not in written
    processor = AutoImageProcessor.from_pretrained(tmp_path / "converted", backend="pil")
    assert (processor.size["height"], processor.size["width"], int(processor.resample)) == (640, 640, 2)
    assert (processor.do_rescale, processor.do_normalize) == (True, False)


def test_classes_of_the_published_heads_have_names() -> None:
    """Objects365 counts from 1, so that its head has a place 0 that stands for nothing; others get numbers."""
    coco, objects = class_list(80), class_list(366)
    assert (len(set(coco)), coco[0], coco[32], coco[79]) == (80, "person", "sports ball", "toothbrush")
    assert (len(set(objects)), objects[0], objects[1], objects[365]) == (366, "None", "Person", "Table Tennis")
    assert class_list(2) == ("class_0", "class_1")


@pytest.mark.parametrize(
    ("coco", "place"),
    [("bicycle", 46), ("train", 116), ("zebra", 178), ("kite", 154), ("cake", 97), ("toothbrush", 226)],
)
def test_objects365_is_in_the_order_that_d_fine_learnt(coco: str, place: int) -> None:
    """D-FINE's solver says at which place of Objects365, counted from 0, it finds each class of COCO."""
    assert class_list(366)[place + 1].lower() == coco
