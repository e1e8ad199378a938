"""From a state dict with D-FINE's own names to one with the names that transformers' checkpoints have.

Pure: tensors in, tensors out. The names are those of the modules of D-FINE (github.com/Peterande/D-FINE, Apache-2.0),
which custom_d_fine and D-FINE-seg (github.com/ArgoHA) share.
"""

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass

import torch
from torch import Tensor

Weights = Mapping[str, Tensor]


@dataclass(frozen=True, slots=True)
class Stage:
    """A stage of the backbone: channels in, within and out, its blocks, and the layers in each."""

    channels_in: int
    channels_mid: int
    channels_out: int
    blocks: int


@dataclass(frozen=True, slots=True)
class Backbone:
    """A PP-HGNetV2."""

    stem: tuple[int, int]  #: channels in the middle and at the end
    stages: tuple[Stage, Stage, Stage, Stage]
    layers: int  #: in each block
    affine: bool  #: a learnable affine block after each activation


@dataclass(frozen=True, slots=True)
class Size:
    """The hyper-parameters in which the published sizes differ."""

    letter: str
    backbone: Backbone
    strides: tuple[int, ...]
    hidden: int  #: channels of the encoder
    encoder_ffn: int
    expansion: float
    depth: float
    decoder_hidden: int
    decoder_ffn: int
    decoder_layers: int
    points: tuple[int, ...]


B0 = Backbone(
    (16, 16),
    (Stage(16, 16, 64, 1), Stage(64, 32, 256, 1), Stage(256, 64, 512, 2), Stage(512, 128, 1024, 1)),
    layers=3,
    affine=True,
)
B2 = Backbone(
    (24, 32),
    (Stage(32, 32, 96, 1), Stage(96, 64, 384, 1), Stage(384, 128, 768, 3), Stage(768, 256, 1536, 1)),
    layers=4,
    affine=True,
)
B4 = Backbone(
    (32, 48),
    (Stage(48, 48, 128, 1), Stage(128, 96, 512, 1), Stage(512, 192, 1024, 3), Stage(1024, 384, 2048, 1)),
    layers=6,
    affine=False,
)
B5 = Backbone(
    (32, 64),
    (Stage(64, 64, 128, 1), Stage(128, 128, 512, 2), Stage(512, 256, 1024, 5), Stage(1024, 512, 2048, 2)),
    layers=6,
    affine=False,
)
COARSE, FINE = (16, 32), (8, 16, 32)
SIZES = (
    Size("n", B0, COARSE, 128, 512, 0.34, 0.5, 128, 512, 3, (6, 6)),
    Size("s", B0, FINE, 256, 1024, 0.5, 0.34, 256, 1024, 3, (3, 6, 3)),
    Size("m", B2, FINE, 256, 1024, 1.0, 0.67, 256, 1024, 4, (3, 6, 3)),
    Size("l", B4, FINE, 256, 1024, 1.0, 1.0, 256, 1024, 6, (3, 6, 3)),
    Size("x", B5, FINE, 384, 2048, 1.0, 1.0, 256, 1024, 6, (3, 6, 3)),
)

BOXES_HEAD = "decoder.enc_score_head.weight"
STEM_IN, STEM_OUT = "backbone.stem.stem1.conv.weight", "backbone.stem.stem4.conv.weight"
PROJECTION = "encoder.input_proj.0.conv.weight"
REG_SCALE, DENOISING = "decoder.reg_scale", "decoder.denoising_class_embed.weight"

#: what boxes and classes do not depend on -> why
NOT_NEEDED = {
    r"backbone\..*\.num_batches_tracked": "a counter of training; the backbone's norms are constants here",
    r"decoder\.decoder\.(up|reg_scale)": "decoder.up and decoder.reg_scale once more: one parameter, two names",
    r"decoder\.(anchors|valid_mask)": "a grid for the size of training; it is made for each input instead",
    r"decoder\.(mask_decoder|pixel_decoder|mask_head)\..*": "draws outlines after boxes and classes are known",
}

#: a module's name in D-FINE -> its name in transformers; the first rule that fits a beginning is the one
MODULES = tuple(
    (re.compile(pattern), replacement)
    for pattern, replacement in (
        (r"backbone\.stem\.", r"model.backbone.model.embedder."),
        (r"backbone\.stages\.", r"model.backbone.model.encoder.stages."),
        (r"encoder\.input_proj\.(\d+)\.conv\.", r"model.encoder_input_proj.\1.0."),
        (r"encoder\.input_proj\.(\d+)\.norm\.", r"model.encoder_input_proj.\1.1."),
        (r"encoder\.encoder\.", r"model.encoder.encoder."),
        (r"encoder\.lateral_convs\.", r"model.encoder.lateral_convs."),
        (r"encoder\.downsample_convs\.(\d+)\.0\.cv([12])\.", r"model.encoder.downsample_convs.\1.conv\2."),
        (r"encoder\.((?:fpn|pan)_blocks\.\d+)\.cv([14])\.", r"model.encoder.\1.conv\2."),
        (r"encoder\.((?:fpn|pan)_blocks\.\d+)\.cv2\.0\.", r"model.encoder.\1.csp_rep1."),
        (r"encoder\.((?:fpn|pan)_blocks\.\d+)\.cv3\.0\.", r"model.encoder.\1.csp_rep2."),
        (r"encoder\.((?:fpn|pan)_blocks\.\d+)\.cv([23])\.1\.", r"model.encoder.\1.conv\2."),
        (r"decoder\.decoder\.layers\.(\d+)\.cross_attn\.", r"model.decoder.layers.\1.encoder_attn."),
        (r"decoder\.decoder\.(layers|lqe_layers)\.", r"model.decoder.\1."),
        (r"decoder\.dec_score_head\.", r"model.decoder.class_embed."),
        (r"decoder\.dec_bbox_head\.", r"model.decoder.bbox_embed."),
        (r"decoder\.(pre_bbox_head|query_pos_head)\.", r"model.decoder.\1."),
        (r"decoder\.(up|reg_scale)$", r"model.decoder.\1"),
        (r"decoder\.input_proj\.(\d+)\.conv\.", r"model.decoder_input_proj.\1.0."),
        (r"decoder\.input_proj\.(\d+)\.norm\.", r"model.decoder_input_proj.\1.1."),
        (r"decoder\.enc_output\.proj\.", r"model.enc_output.0."),
        (r"decoder\.enc_output\.norm\.", r"model.enc_output.1."),
        (r"decoder\.(enc_score_head|enc_bbox_head|denoising_class_embed)\.", r"model.\1."),
    )
)

#: where a name begins like this in transformers -> a part of the name after it in D-FINE, and in transformers
PARTS = (
    ("model.backbone.", ((".conv.", ".convolution."), (".bn.", ".normalization."))),
    (
        "model.encoder.encoder.",
        (
            (".linear1.", ".fc1."),
            (".linear2.", ".fc2."),
            (".norm1.", ".self_attn_layer_norm."),
            (".norm2.", ".final_layer_norm."),
        ),
    ),
    (
        "model.decoder.layers.",
        (
            (".linear1.", ".fc1."),
            (".linear2.", ".fc2."),
            (".norm1.", ".self_attn_layer_norm."),
            (".norm3.", ".final_layer_norm."),
        ),
    ),
)

PACKED = re.compile(r"(.*\.self_attn\.)in_proj_(weight|bias)")  #: query, key and value of torch's own attention


@dataclass(frozen=True, slots=True)
class Converted:
    """Weights under the names of transformers, and the names of those that have no place there."""

    weights: dict[str, Tensor]
    unused: tuple[str, ...]


def find_size(weights: Weights) -> Size | None:
    """Which published size these are the weights of, by the widths of its stem and its encoder."""
    widths = (_width(weights, STEM_OUT), _width(weights, PROJECTION))
    return next((size for size in SIZES if (size.backbone.stem[1], size.hidden) == widths), None)


def count_classes(weights: Weights) -> int:
    """How many classes the head for boxes tells apart; 0 if there is none."""
    return _width(weights, BOXES_HEAD)


def _width(weights: Weights, name: str) -> int:
    return int(weights[name].shape[0]) if name in weights and weights[name].dim() > 1 else 0


def convert_weights(weights: Weights) -> Converted:
    """All weights under their new names, in float32; integers, which are counters, as they are."""
    converted: dict[str, Tensor] = {}
    unused: list[str] = []
    for name, tensor in weights.items():
        if any(re.fullmatch(pattern, name) for pattern in NOT_NEEDED):
            continue
        renamed = rename(name) if _is_plain(tensor) else None
        if renamed is None:
            unused.append(name)
        else:
            # Copied, because two names may hold one piece of memory, which the new format does not do.
            dtype = torch.float32 if tensor.is_floating_point() else tensor.dtype
            converted.update(_unpack(renamed, tensor.to(dtype, copy=True).contiguous()))
    return Converted(converted, tuple(unused))


def _is_plain(tensor: Tensor) -> bool:
    return tensor.layout == torch.strided and not (tensor.is_complex() or tensor.is_meta or tensor.is_quantized)


def rename(name: str) -> str | None:
    """A weight's name in transformers; None for one that no rule knows."""
    for pattern, replacement in MODULES:
        if pattern.match(name):
            renamed = pattern.sub(replacement, name, count=1)
            break
    else:
        return None
    for start, parts in PARTS:
        if renamed.startswith(start):
            for theirs, ours in parts:
                renamed = renamed.replace(theirs, ours)
    return renamed


def _unpack(name: str, tensor: Tensor) -> Iterator[tuple[str, Tensor]]:
    packed = PACKED.fullmatch(name)
    if packed is None:
        yield name, tensor
        return
    for part, rows in zip("qkv", tensor.chunk(3), strict=False):
        yield f"{packed[1]}{part}_proj.{packed[2]}", rows.contiguous()
