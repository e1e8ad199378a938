"""Finding a checkpoint, and what is said when it cannot be had."""

import json
import shutil
from pathlib import Path

import pytest
from safetensors.torch import load_file, save_file

from app.config import Settings
from app.detector.checkpoints import check_target_classes, find_checkpoint
from app.detector.dfine import load_detector
from app.errors import CheckpointError, UnknownClassError

COCO = ("person", "bicycle", "sports ball", "kite", "baseball bat", "tennis racket")


@pytest.fixture
def copy(tiny_dfine: Path, tmp_path: Path) -> Path:
    """A copy of the tiny checkpoint, to be spoilt."""
    return shutil.copytree(tiny_dfine, tmp_path / "dfine")


def load(settings: Settings, folder: Path) -> None:
    """Load the checkpoint in a folder."""
    detector = settings.detector.model_copy(
        update={"model": str(folder), "target_classes": ("person",), "device": "cpu"}
    )
    load_detector(detector)


def test_a_folder_is_a_checkpoint(copy: Path) -> None:
    """Its hash is over the weights alone, so its place does not matter."""
    here = find_checkpoint(str(copy), None)
    moved = copy.rename(copy.with_name("elsewhere"))
    there = find_checkpoint(str(moved), None)
    assert (there.folder, len(there.weights), there.revision) == (moved, 1, None)
    assert len(there.weights_sha256()) == 64
    with pytest.raises(FileNotFoundError):
        here.weights_sha256()


def test_other_weights_have_another_hash(copy: Path) -> None:
    """One number in one tensor is enough."""
    before = find_checkpoint(str(copy), None).weights_sha256()
    tensors = load_file(copy / "model.safetensors")
    name = next(name for name, tensor in tensors.items() if tensor.is_floating_point())
    tensors[name] = tensors[name] + 1e-3
    save_file(tensors, copy / "model.safetensors", {"format": "pt"})
    assert find_checkpoint(str(copy), None).weights_sha256() != before


@pytest.mark.parametrize("name", ["config.json", "preprocessor_config.json"])
def test_a_missing_file_is_named(copy: Path, name: str) -> None:
    """With the folder it should be in."""
    (copy / name).unlink()
    with pytest.raises(CheckpointError, match=f"detector.model: .* holds no {name}"):
        find_checkpoint(str(copy), None)


def test_missing_weights_are_named(copy: Path) -> None:
    """Pickled weights do not count: they could run code."""
    (copy / "model.safetensors").rename(copy / "pytorch_model.bin")
    with pytest.raises(CheckpointError, match=r"holds no \*\.safetensors"):
        find_checkpoint(str(copy), None)


@pytest.mark.parametrize(
    ("content", "reason"),
    [
        (json.dumps({"model_type": "detr"}), "is of type 'detr'; Touchline runs D-FINE"),
        ("{broken", "cannot be read"),
        ("[]", "cannot be read"),
    ],
)
def test_another_model_is_refused(copy: Path, content: str, reason: str) -> None:
    """Its own word for what it is decides."""
    (copy / "config.json").write_text(content)
    with pytest.raises(CheckpointError, match=reason):
        find_checkpoint(str(copy), None)


def test_truncated_weights_are_refused(copy: Path, settings: Settings) -> None:
    """A download that broke off is no model of random numbers."""
    path = copy / "model.safetensors"
    path.write_bytes(path.read_bytes()[:1000])
    with pytest.raises(CheckpointError, match=r"detector\.model: .* cannot be loaded"):
        load(settings, copy)


def test_weights_that_lack_a_part_are_refused(copy: Path, settings: Settings) -> None:
    """The missing part would be random, and every score noise."""
    tensors = load_file(copy / "model.safetensors")
    kept = {name: tensor for name, tensor in tensors.items() if "backbone" not in name}
    assert 0 < len(kept) < len(tensors)
    save_file(kept, copy / "model.safetensors", {"format": "pt"})
    with pytest.raises(CheckpointError, match="lacks weights, among them"):
        load(settings, copy)


def test_an_unknown_built_in_model_names_the_one_there_is() -> None:
    """There is one so far."""
    with pytest.raises(CheckpointError, match="'builtin:tennis' does not ship with Touchline; builtin:football does"):
        find_checkpoint("builtin:tennis", None)


def test_what_is_neither_a_folder_nor_a_hub_id_is_refused() -> None:
    """Without asking any network."""
    with pytest.raises(CheckpointError, match="is neither a folder nor a hub id"):
        find_checkpoint("no such folder at all", None)


@pytest.mark.parametrize(
    ("wanted", "near"),
    [
        ("football", "'sports ball'"),
        ("sport ball", "'sports ball'"),
        ("Person", "'person'"),
        ("xyzzy", "it knows person"),
    ],
)
def test_an_unknown_class_leads_to_the_nearest(wanted: str, near: str) -> None:
    """By spelling or by a shared word; otherwise the list begins."""
    with pytest.raises(UnknownClassError, match=f"the model has no class '{wanted}'") as caught:
        check_target_classes((wanted,), COCO)
    assert near in str(caught.value)


def test_known_classes_pass() -> None:
    """Each of several."""
    assert check_target_classes(("person", "kite"), COCO) is None
