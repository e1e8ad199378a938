"""Files of strangers: each that is no whole D-FINE is refused in one sentence, and nothing in it is run."""

import os
import pickle
import zipfile
from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors.torch import load_file

from app.detector.converting import SIZES
from app.detector.original import class_list, convert_checkpoint, make_config, read_weights
from app.errors import CheckpointError
from tests.detector.original_names import State, original_state


class Trap:
    """A pickle that makes a folder when it is read by a careless reader."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    def __reduce__(self) -> tuple[Any, ...]:
        return os.mkdir, (str(self.folder),)


@pytest.fixture(scope="module")
def state() -> State:
    """The weights of the smallest size."""
    from transformers import DFineForObjectDetection

    weights = {"decoder.denoising_class_embed.weight": torch.zeros(1)}
    return original_state(DFineForObjectDetection(make_config(SIZES[0], class_list(3), weights)), counted=True)


def refusal(file: Path, recipe: Path | None = None) -> str:
    """What is said of a file; always one line, which names it."""
    with pytest.raises(CheckpointError) as caught:
        convert_checkpoint(file, recipe, file.with_name("converted"))
    said = str(caught.value)
    assert said.startswith("detector.model: ")
    assert str(file) in said
    assert "\n" not in said
    return said


def test_code_in_a_pickle_is_not_run(tmp_path: Path) -> None:
    """Neither in a bare pickle nor in one as torch packs it, alone or beside weights."""
    trap, sprung = Trap(tmp_path / "sprung"), tmp_path / "sprung"
    (tmp_path / "bare.pth").write_bytes(pickle.dumps(trap))
    (tmp_path / "old.pth").write_bytes(pickle.dumps({"model": trap}, protocol=2))
    torch.save({"model": {"backbone.stem.stem1.conv.weight": torch.zeros(3)}, "hook": trap}, tmp_path / "packed.pth")
    torch.save({"model": trap}, tmp_path / "legacy.pth", _use_new_zipfile_serialization=False)
    for name in ("old", "packed", "legacy"):
        assert "holds more than tensors, and to read that is to run code" in refusal(tmp_path / f"{name}.pth"), name
    assert "have a state_dict saved by torch.save" in refusal(tmp_path / "bare.pth")
    assert not sprung.exists()
    pickle.loads((tmp_path / "bare.pth").read_bytes())  # noqa: S301 the trap works
    assert sprung.exists()


def test_whole_models_are_refused(tmp_path: Path) -> None:
    """Saved as an object, a model brings its class along, which may be anything."""
    torch.save(torch.nn.Linear(2, 2), tmp_path / "model.pt")
    assert "have a state_dict saved by torch.save" in refusal(tmp_path / "model.pt")


def test_broken_files_are_refused(tmp_path: Path, state: State) -> None:
    """Cut short at any place, empty, text, or an archive of something else."""
    torch.save({"model": state}, tmp_path / "whole.pth")
    whole = (tmp_path / "whole.pth").read_bytes()
    torch.save({"model": dict(list(state.items())[:5])}, tmp_path / "old.pth", _use_new_zipfile_serialization=False)
    old = (tmp_path / "old.pth").read_bytes()
    with zipfile.ZipFile(tmp_path / "archive.pt", "w") as archive:
        archive.writestr("readme.txt", "hello")
    contents = {
        "empty": b"",
        "text": b"these are not the weights\n" * 40,
        "page": b"<!DOCTYPE html><html><body>404</body></html>",
        "half": whole[: len(whole) // 2],
        "nearly": whole[:-100],
        "start": whole[:10],
        "old half": old[: len(old) // 2],
        "noise": os.urandom(5000),
    }
    for name, content in contents.items():
        (tmp_path / f"{name}.pth").write_bytes(content)
        assert "torch.save" in refusal(tmp_path / f"{name}.pth"), name
    refusal(tmp_path / "archive.pt")


@pytest.mark.parametrize(
    ("record", "said"),
    [
        ({}, "holds no state dict, alone or under ema, model or state_dict"),
        ([1, 2], "holds no state dict"),
        ({"model": {"a": 1}}, "holds no state dict"),
        ({"model": {1: torch.zeros(1)}}, "holds no state dict"),
        ({"conv1.weight": torch.zeros(2, 2)}, r"is no detector of D-FINE in one of the sizes .*: conv1\.weight"),
    ],
)
def test_other_records_are_refused(tmp_path: Path, record: Any, said: str) -> None:
    """With what was looked for."""
    torch.save(record, tmp_path / "other.pth")
    with pytest.raises(CheckpointError, match=said):
        convert_checkpoint(tmp_path / "other.pth", None, tmp_path / "converted")


def without(state: State, *names: str) -> State:
    """All but some weights."""
    return {name: tensor for name, tensor in state.items() if name not in names}


@pytest.mark.parametrize(
    ("name", "renamed"),
    [
        ("decoder.decoder.layers.1.gateway.gate.weight", "model.decoder.layers.1.gateway.gate.weight"),
        ("decoder.dec_score_head.1.weight", "model.decoder.class_embed.1.weight"),
        ("decoder.dec_bbox_head.2.layers.0.bias", "model.decoder.bbox_embed.2.layers.0.bias"),
        ("decoder.up", "model.decoder.up"),
        ("backbone.stages.2.blocks.1.aggregation.0.lab.scale", "encoder.stages.2.blocks.1.aggregation.0.lab.scale"),
    ],
)
def test_a_missing_weight_is_named(tmp_path: Path, state: State, name: str, renamed: str) -> None:
    """Loaded all the same, it would be a random number, or that of the head before it."""
    torch.save(without(state, name), tmp_path / "dfine.pth")
    said = refusal(tmp_path / "dfine.pth")
    assert "lacks weights that a D-FINE of its size has: " in said
    assert renamed in said


def test_a_weight_too_many_is_named(tmp_path: Path, state: State) -> None:
    """Whether no rule knows it or only this size has no place for it, as with a decoder of four layers."""
    torch.save(state | {"decoder.something_new.weight": torch.zeros(2)}, tmp_path / "new.pth")
    assert "has no place for: decoder.something_new.weight" in refusal(tmp_path / "new.pth")
    torch.save(state | {"decoder.dec_score_head.3.bias": torch.zeros(3)}, tmp_path / "deeper.pth")
    assert "of its size has no place for: model.decoder.class_embed.3.bias" in refusal(tmp_path / "deeper.pth")


def test_another_shape_is_named(tmp_path: Path, state: State) -> None:
    """Transformers would put random numbers there."""
    changed = state | {"encoder.lateral_convs.0.conv.weight": torch.zeros(64, 128, 1, 1)}
    torch.save(changed, tmp_path / "dfine.pth")
    assert "of other shapes than a D-FINE of its size has: model.encoder.lateral_convs.0.conv.weight" in refusal(
        tmp_path / "dfine.pth"
    )


@pytest.mark.parametrize("number", [float("nan"), float("inf"), -float("inf")])
def test_a_weight_that_is_no_number_is_named(tmp_path: Path, state: State, number: float) -> None:
    """One is enough to see nothing anywhere; what is left out, like grids, may hold infinity, and does."""
    grids = state | {"decoder.anchors": torch.full((1, 4, 4), float("inf"))}
    torch.save(grids, tmp_path / "whole.pth")
    convert_checkpoint(tmp_path / "whole.pth", None, tmp_path / "whole")
    weight = state["decoder.enc_output.proj.weight"].clone()
    weight[3, 5] = number
    torch.save(grids | {"decoder.enc_output.proj.weight": weight}, tmp_path / "dfine.pth")
    said = refusal(tmp_path / "dfine.pth")
    assert "holds weights that are no finite numbers, so its training went wrong: model.enc_output.0.weight" in said


@pytest.mark.parametrize(
    "tensor",
    [
        torch.eye(128).to_sparse(),
        torch.zeros(128, 128, dtype=torch.complex64),
        torch.zeros(128, 128, device="meta"),
        torch.zeros(()),
    ],
    ids=["sparse", "complex", "of no place", "a single number"],
)
@pytest.mark.filterwarnings("ignore")
def test_tensors_of_other_kinds_are_refused(tmp_path: Path, state: State, tensor: torch.Tensor) -> None:
    """They are tensors, so that they can be read, but no weights of a D-FINE."""
    torch.save(state | {"decoder.enc_output.proj.weight": tensor}, tmp_path / "dfine.pth")
    refusal(tmp_path / "dfine.pth")


def test_weights_that_share_memory_are_parted(tmp_path: Path, state: State) -> None:
    """Heads that are one and the same in training are two in the new format."""
    shared = state["decoder.dec_bbox_head.0.layers.0.weight"]
    torch.save(state | {"decoder.dec_bbox_head.1.layers.0.weight": shared}, tmp_path / "dfine.pth")
    convert_checkpoint(tmp_path / "dfine.pth", None, tmp_path / "converted")
    written = load_file(tmp_path / "converted" / "model.safetensors")
    assert torch.equal(written["model.decoder.bbox_embed.1.layers.0.weight"], shared)


def test_images_of_four_channels_are_refused(tmp_path: Path, state: State) -> None:
    """D-FINE-seg can be trained on them."""
    torch.save(state | {"backbone.stem.stem1.conv.weight": torch.zeros(16, 4, 3, 3)}, tmp_path / "model.pt")
    assert "takes images of 4 channels" in refusal(tmp_path / "model.pt")


@pytest.mark.parametrize(
    ("recipe", "said"),
    [
        ("model_name: s\ntrain: {label_to_name: [a, b, c]}", "is of size s, .* of size n: they do not belong together"),
        ("model_name: n\ntrain: {label_to_name: [a, b]}", "names 2 classes, .* tells 3 apart"),
    ],
)
def test_a_recipe_of_another_checkpoint_is_refused(tmp_path: Path, state: State, recipe: str, said: str) -> None:
    """Its class names would be put on the wrong boxes."""
    torch.save(state, tmp_path / "model.pt")
    (tmp_path / "config.yaml").write_text(recipe)
    with pytest.raises(CheckpointError, match=said):
        convert_checkpoint(tmp_path / "model.pt", tmp_path / "config.yaml", tmp_path / "converted")


def test_a_record_of_a_whole_training_run_is_read(tmp_path: Path) -> None:
    """Optimizer, dates and counters beside the weights are no code."""
    layer = torch.nn.Linear(2, 2)
    optimizer = torch.optim.AdamW(layer.parameters())
    layer(torch.ones(1, 2)).sum().backward()
    optimizer.step()
    kept = {
        "model": layer,
        "optimizer": optimizer,
        "lr_scheduler": torch.optim.lr_scheduler.MultiStepLR(optimizer, [5, 9]),
        "scaler": torch.amp.GradScaler("cpu"),
    }
    record = {"date": "2026-01-01T00:00:00", "last_epoch": 3} | {name: part.state_dict() for name, part in kept.items()}
    torch.save(record, tmp_path / "last.pth")
    assert sorted(read_weights(tmp_path / "last.pth")) == ["bias", "weight"]
