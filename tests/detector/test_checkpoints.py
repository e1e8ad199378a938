"""Finding a checkpoint, and what is said when it cannot be had."""

import json
import shutil
from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file, save_file
from transformers import DFineForObjectDetection

from app.detector.checkpoints import check_target_classes, find_checkpoint
from app.detector.converting import SIZES
from app.detector.network import load_model
from app.detector.original import make_config
from app.errors import CheckpointError, UnknownClassError
from app.files.caching import FolderCache
from tests.detector.original_names import original_state

COCO = ("person", "bicycle", "sports ball", "kite", "baseball bat", "tennis racket")


@pytest.fixture
def copy(tiny_dfine: Path, tmp_path: Path) -> Path:
    """A copy of the tiny checkpoint, to be spoilt."""
    return shutil.copytree(tiny_dfine, tmp_path / "dfine")


def test_a_folder_is_a_checkpoint(copy: Path) -> None:
    """Its hash is over what it holds, so its place does not matter."""
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


def test_other_class_names_have_another_hash(copy: Path) -> None:
    """Detections kept from before carry the old ones; which release wrote the configuration does not matter."""
    before = find_checkpoint(str(copy), None).weights_sha256()
    config = json.loads((copy / "config.json").read_text())
    (copy / "config.json").write_text(json.dumps(config | {"transformers_version": "9.9"}))
    assert find_checkpoint(str(copy), None).weights_sha256() == before
    (copy / "config.json").write_text(json.dumps(config | {"id2label": {"0": "person", "1": "football"}}))
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
        (json.dumps({"model_type": "bert"}), "is of type 'bert', which is no object detector that transformers knows"),
        (json.dumps({"model_type": ["d_fine"]}), "is no object detector"),
        ("{}", "is of type None"),
        ("{broken", "cannot be read"),
        ("[]", "cannot be read"),
        ("[" * 100_000, "cannot be read"),
    ],
)
def test_what_detects_nothing_is_refused(copy: Path, content: str, reason: str) -> None:
    """Its own word for what it is decides."""
    (copy / "config.json").write_text(content)
    with pytest.raises(CheckpointError, match=reason):
        find_checkpoint(str(copy), None)


@pytest.mark.parametrize("kind", ["rt_detr_v2", "detr", "yolos"])
def test_other_detectors_are_found_and_marked(copy: Path, kind: str) -> None:
    """Only D-FINE is tested."""
    assert find_checkpoint(str(copy), None).tested
    (copy / "config.json").write_text(json.dumps({"model_type": kind}))
    found = find_checkpoint(str(copy), None)
    assert (found.kind, found.tested) == (kind, False)


@pytest.fixture
def original(tmp_path: Path) -> Path:
    """The weights of a small D-FINE as its authors' code saves them."""
    size = SIZES[0]
    weights = {"decoder.denoising_class_embed.weight": torch.zeros(1)}
    model = DFineForObjectDetection(make_config(size, ("football", "player"), weights))
    file = tmp_path / "run" / "model.pt"
    file.parent.mkdir()
    torch.save(original_state(model, counted=True), file)
    return file


def test_an_original_checkpoint_is_converted_once(original: Path, tmp_path: Path) -> None:
    """From then on it is a folder like any other; its hash is that of the converted weights."""
    cache = FolderCache(tmp_path / "cache")
    first = find_checkpoint(str(original), None, cache=cache)
    written = first.weights[0].stat()
    again = find_checkpoint(str(original), None, cache=cache)
    assert (first.model, first.revision, first.kind) == (str(original), None, "d_fine")
    assert first == again
    assert again.weights[0].stat().st_mtime_ns == written.st_mtime_ns
    assert first.folder.is_relative_to(tmp_path / "cache" / "converted")
    assert first.weights_sha256() == find_checkpoint(str(first.folder), None).weights_sha256()


def test_the_folder_of_a_training_run_is_an_original_checkpoint(original: Path, tmp_path: Path) -> None:
    """Its config.yaml says what the classes are called; another one is another checkpoint."""
    cache = FolderCache(tmp_path / "cache")
    recipe = original.with_name("config.yaml")
    plain = find_checkpoint(str(original.parent), None, cache=cache)
    recipe.write_text("model_name: n\ntrain: {label_to_name: {0: football, 1: player}, keep_ratio: True}\n")
    named = find_checkpoint(str(original.parent), None, cache=cache)
    assert labels(plain.folder) == {"0": "class_0", "1": "class_1"}
    assert labels(named.folder) == {"0": "football", "1": "player"}
    assert plain.weights_sha256() != named.weights_sha256()


def test_other_configurations_beside_weights_are_left_alone(original: Path, tmp_path: Path) -> None:
    """Touchline's own is called config.yaml too, and D-FINE's .pth never have one of custom_d_fine."""
    cache = FolderCache(tmp_path / "cache")
    recipe = original.with_name("config.yaml")
    recipe.write_text("detector: {threshold: 0.5}\n")
    assert labels(find_checkpoint(str(original), None, cache=cache).folder)["0"] == "class_0"
    recipe.write_text("model_name: n\ntrain: {label_to_name: {0: football, 1: player}}\n")
    renamed = original.rename(original.with_suffix(".pth"))
    assert labels(find_checkpoint(str(renamed), None, cache=cache).folder)["0"] == "class_0"


def labels(folder: Path) -> dict[str, str]:
    """Class names as the configuration in a folder has them."""
    names: dict[str, str] = json.loads((folder / "config.json").read_text(encoding="utf-8"))["id2label"]
    return names


def test_a_file_that_cannot_be_converted_leaves_nothing(tmp_path: Path) -> None:
    """The next try starts afresh."""
    (tmp_path / "dfine.pth").write_bytes(b"not found")
    for _ in range(2):
        with pytest.raises(CheckpointError, match=r"dfine\.pth .*torch\.save"):
            find_checkpoint(str(tmp_path / "dfine.pth"), None, cache=FolderCache(tmp_path / "cache"))
    assert [path for path in (tmp_path / "cache").rglob("*") if path.is_file()] == []


def test_a_conversion_wants_a_place(original: Path) -> None:
    """Where there is none it says so, and converts nothing."""
    with pytest.raises(CheckpointError, match="has to be converted first"):
        find_checkpoint(str(original), None)


def test_truncated_weights_are_refused(copy: Path) -> None:
    """A download that broke off is no model of random numbers."""
    path = copy / "model.safetensors"
    path.write_bytes(path.read_bytes()[:1000])
    with pytest.raises(CheckpointError, match=r"detector\.model: .* cannot be loaded"):
        load_model(copy)


def test_weights_that_lack_a_part_are_refused(copy: Path) -> None:
    """The missing part would be random, and every score noise."""
    tensors = load_file(copy / "model.safetensors")
    kept = {name: tensor for name, tensor in tensors.items() if "backbone" not in name}
    assert 0 < len(kept) < len(tensors)
    save_file(kept, copy / "model.safetensors", {"format": "pt"})
    with pytest.raises(CheckpointError, match="lacks weights, among them"):
        load_model(copy)


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
