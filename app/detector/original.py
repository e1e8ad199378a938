"""Original checkpoints of D-FINE, custom_d_fine and D-FINE-seg, rewritten in the format of transformers.

What these files are is read off their authors' public code: a state dict by itself (custom_d_fine), or one inside a
larger record of a training run (D-FINE).
"""

import json
import pickle
import warnings
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from functools import cache
from pathlib import Path
from typing import Any

import structlog
import torch
from safetensors import SafetensorError
from safetensors.torch import save_file
from torch import Tensor
from transformers import DFineConfig, DFineForObjectDetection, HGNetV2Config
from transformers.utils import logging as transformers_logging

from app.detector import converting
from app.detector.converting import Size, Weights
from app.detector.recipes import PLAIN, Recipe, read_recipe
from app.errors import CheckpointError

log = structlog.get_logger()

#: where a record keeps its state dict, the best first: the average over training is what its authors publish
NESTINGS = (("ema", "module"), ("ema",), ("model",), ("state_dict",))
WRAPPERS = ("module.", "_orig_mod.")  #: what parallel training and torch.compile put before each name
CLASS_LISTS = {80: "coco", 366: "objects365"}  #: how many classes a published head has -> whose they are
CLASSES = Path(__file__).with_name("classes")
IMAGENET_MEAN, IMAGENET_STD = (0.485, 0.456, 0.406), (0.229, 0.224, 0.225)


def convert_checkpoint(file: Path, recipe_file: Path | None, folder: Path) -> None:
    """Write what is in ``file`` to ``folder`` as transformers would have it, and check that nothing is lost.

    Raises:
        CheckpointError: ``file`` is no whole D-FINE, or holds more than tensors. Nothing in it is run.
    """
    log.info("converting an original checkpoint, which is done once", checkpoint=str(file))
    weights = read_weights(file)
    size = _size_of(file, weights)
    recipe = read_recipe(recipe_file) if recipe_file else PLAIN
    names = _class_names(file, size, converting.count_classes(weights), recipe)
    try:
        converted = converting.convert_weights(weights)
        if converted.unused:
            raise _refused(file, "holds weights that a D-FINE has no place for", converted.unused)
        if broken := [name for name, tensor in converted.weights.items() if not torch.isfinite(tensor).all()]:
            raise _refused(file, "holds weights that are no finite numbers, so its training went wrong", broken)
        make_config(size, names, weights).save_pretrained(folder)
        _write_preprocessing(recipe, folder)
        save_file(converted.weights, folder / "model.safetensors", {"format": "pt"})
        _check(file, folder)
    except (OSError, RuntimeError, ValueError, TypeError, SafetensorError) as error:
        msg = f"detector.model: {file} cannot be converted: {' '.join(str(error).split())}"
        raise CheckpointError(msg) from error


def read_weights(file: Path) -> dict[str, Tensor]:
    """The state dict in a ``.pth`` or ``.pt`` file: the averaged one where there are several.

    Raises:
        CheckpointError: it cannot be read, or would run code to be read.
    """
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # about old formats, which is what these files are in
            record = torch.load(file, map_location="cpu", weights_only=True)
    except pickle.UnpicklingError as error:
        wants_code = "GLOBAL" in str(error)
        why = "holds more than tensors, and to read that is to run code" if wants_code else "is no file of torch.save"
        msg = f"detector.model: {file} {why}; have a state_dict saved by torch.save"
        raise CheckpointError(msg) from error
    except Exception as error:  # the bytes are a stranger's: what torch raises on them has no bounds
        msg = f"detector.model: {file} is cut short or no file of torch.save ({type(error).__name__})"
        raise CheckpointError(msg) from error
    return _unwrapped(file, record)


def _unwrapped(file: Path, record: object) -> dict[str, Tensor]:
    for path in (*NESTINGS, ()):
        found = record
        for key in path:
            found = found.get(key) if isinstance(found, dict) else None
        if state := _state_dict(found):
            return {_bare(name): tensor for name, tensor in state.items()}
    msg = f"detector.model: {file} holds no state dict, alone or under ema, model or state_dict"
    raise CheckpointError(msg)


def _state_dict(found: object) -> dict[str, Tensor]:
    if not isinstance(found, dict):
        return {}
    whole = all(isinstance(name, str) and isinstance(tensor, Tensor) for name, tensor in found.items())
    return found if whole else {}


def _bare(name: str) -> str:
    for wrapper in WRAPPERS:
        name = name.removeprefix(wrapper)
    return name


def _size_of(file: Path, weights: Weights) -> Size:
    size = converting.find_size(weights)
    if size is None or not converting.count_classes(weights):
        raise _refused(file, "is no detector of D-FINE in one of the sizes n, s, m, l or x", tuple(weights))
    channels = weights[converting.STEM_IN].shape[1] if converting.STEM_IN in weights else 3
    if channels != 3:
        msg = f"detector.model: {file} takes images of {channels} channels; Touchline has red, green and blue"
        raise CheckpointError(msg)
    return size


def _refused(file: Path, why: str, names: Sequence[str]) -> CheckpointError:
    shown = ", ".join(names[:3])
    more = f" and {len(names) - 3} more" if len(names) > 3 else ""
    return CheckpointError(f"detector.model: {file} {why}: {shown}{more}")


def _class_names(file: Path, size: Size, classes: int, recipe: Recipe) -> tuple[str, ...]:
    if recipe.size and recipe.size != size.letter:
        msg = (
            f"detector.model: {recipe.file} is of size {recipe.size}, {file} of size {size.letter}: they do not belong"
        )
        raise CheckpointError(f"{msg} together")
    if recipe.names and len(recipe.names) != classes:
        msg = f"detector.model: {recipe.file} names {len(recipe.names)} classes, {file} tells {classes} apart"
        raise CheckpointError(msg)
    return recipe.names or class_list(classes)


@cache
def class_list(classes: int) -> tuple[str, ...]:
    """The names that heads of this many classes are published with; ``class_0`` ... where there are none."""
    if classes not in CLASS_LISTS:
        return tuple(f"class_{index}" for index in range(classes))
    return tuple(json.loads((CLASSES / f"{CLASS_LISTS[classes]}.json").read_text(encoding="utf-8")))


def make_config(size: Size, names: Sequence[str], weights: Weights) -> DFineConfig:
    """The configuration of a published size; what the weights themselves know is taken from them."""
    reg_scale = weights.get(converting.REG_SCALE)
    return DFineConfig(
        backbone_config=_backbone_config(size),
        encoder_in_channels=[stage.channels_out for stage in size.backbone.stages[-len(size.strides) :]],
        feat_strides=list(size.strides),
        encoder_hidden_dim=size.hidden,
        encoder_ffn_dim=size.encoder_ffn,
        encode_proj_layers=[len(size.strides) - 1],
        hidden_expansion=size.expansion,
        depth_mult=size.depth,
        d_model=size.decoder_hidden,
        decoder_in_channels=[size.hidden] * len(size.strides),
        decoder_ffn_dim=size.decoder_ffn,
        decoder_layers=size.decoder_layers,
        decoder_n_points=list(size.points),
        num_feature_levels=len(size.strides),
        num_denoising=100 if converting.DENOISING in weights else 0,
        reg_scale=float(reg_scale.flatten()[0]) if reg_scale is not None and reg_scale.numel() else 4.0,
        id2label=dict(enumerate(names)),
        label2id={name: index for index, name in enumerate(names)},
    )


def _backbone_config(size: Size) -> HGNetV2Config:
    backbone, stages = size.backbone, size.backbone.stages
    return HGNetV2Config(
        embedding_size=backbone.stem[1],
        stem_channels=[3, *backbone.stem],
        depths=[stage.blocks for stage in stages],
        hidden_sizes=[stage.channels_out for stage in stages],
        stage_in_channels=[stage.channels_in for stage in stages],
        stage_mid_channels=[stage.channels_mid for stage in stages],
        stage_out_channels=[stage.channels_out for stage in stages],
        stage_num_blocks=[stage.blocks for stage in stages],
        stage_numb_of_layers=[backbone.layers] * len(stages),
        use_learnable_affine_block=backbone.affine,
        out_indices=[2, 3, 4][-len(size.strides) :],
    )


def _write_preprocessing(recipe: Recipe, folder: Path) -> None:
    """None of the origins normalises: the means are there because the format has them."""
    values: dict[str, Any] = {
        "image_processor_type": "RTDetrImageProcessor",
        "do_resize": True,
        "size": {"height": recipe.height, "width": recipe.width},
        "resample": recipe.resample,
        "do_rescale": True,
        "rescale_factor": 1 / 255,
        "do_normalize": False,
        "image_mean": IMAGENET_MEAN,
        "image_std": IMAGENET_STD,
        "do_pad": False,
    }
    if recipe.keep_ratio:
        values["letterbox"] = {"centre": True, "value": 114}
    (folder / "preprocessor_config.json").write_text(json.dumps(values, indent=2), encoding="utf-8")


def _check(file: Path, folder: Path) -> None:
    """Load what was written: every weight has its place, every place its weight, and the shapes agree."""
    with _quiet():
        _, report = DFineForObjectDetection.from_pretrained(
            folder, local_files_only=True, dtype=torch.float32, output_loading_info=True, ignore_mismatched_sizes=True
        )
    for key, why in (
        ("missing_keys", "lacks weights that a D-FINE of its size has"),
        ("unexpected_keys", "holds weights that a D-FINE of its size has no place for"),
        ("mismatched_keys", "holds weights of other shapes than a D-FINE of its size has"),
    ):
        if report[key]:
            raise _refused(file, why, sorted(str(name[0] if isinstance(name, tuple) else name) for name in report[key]))


@contextmanager
def _quiet() -> Iterator[None]:
    """Keep transformers from telling on stderr what our own message says in a line."""
    verbosity = transformers_logging.get_verbosity()
    transformers_logging.disable_progress_bar()
    transformers_logging.set_verbosity_error()
    try:
        yield
    finally:
        transformers_logging.set_verbosity(verbosity)
