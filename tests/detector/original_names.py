"""The state dict that D-FINE's own code would save of a model, written down from how its modules are nested.

On purpose no use of what the application knows: this walks transformers' modules and says, for each, what D-FINE calls
it. ``SHAPES`` holds the names and shapes as D-FINE's modules themselves give them, for 80 classes.
"""

from collections.abc import Iterator
from typing import Any

import torch
from torch import Tensor, nn

State = dict[str, Tensor]

#: size -> how many entries a state dict has, SHA-256 of its sorted lines "name [shape]": taken from the public package
#: dfine-seg 0.6.2, whose modules are D-FINE's, built for 80 classes and images of 640 x 640
SHAPES = {
    "n": (674, "0294a398fb392b05f90aa21edb63e1dc6adf30f062bed6e8994c488a15df4545"),
    "s": (794, "4a9c8cf188523c0ad8fa1ac01861ede23c86c538355907d39fdef39748fd0b87"),
    "m": (1053, "0037d08beecbb3335ee9f9549b26015e28aafe8f42f08235f2e49f96c1c8aa6f"),
    "l": (1173, "e13c262af9e886b8cf04b2f4159e71038777b6d180db2bce24f16844a99e59f1"),
    "x": (1441, "94990ea4ccfd21eb68c56e81ea005d66a3542b5d8eff0abe602c583b92ce93db"),
}


def original_state(model: Any, *, counted: bool, side: int = 640) -> State:
    """``counted``: the backbone's norms count batches, which those of L and X, being frozen, do not."""
    entries = [
        *_backbone(model.model.backbone.model, counted=counted),
        *_encoder(model.model),
        *_decoder(model, side),
    ]
    state = dict(entries)
    assert len(state) == len(entries)
    return state


def _all(name: str, module: nn.Module) -> Iterator[tuple[str, Tensor]]:
    for key, tensor in module.state_dict().items():
        yield f"{name}.{key}", tensor


# backbone: src/nn/backbone/hgnetv2.py


def _backbone(backbone: Any, *, counted: bool) -> Iterator[tuple[str, Tensor]]:
    for step in ("stem1", "stem2a", "stem2b", "stem3", "stem4"):
        yield from _conv_bn_act(f"backbone.stem.{step}", getattr(backbone.embedder, step), counted)
    for i, stage in enumerate(backbone.encoder.stages):
        if i:
            yield from _conv_bn_act(f"backbone.stages.{i}.downsample", stage.downsample, counted)
        for j, block in enumerate(stage.blocks):
            name = f"backbone.stages.{i}.blocks.{j}"
            for k, layer in enumerate(block.layers):
                if hasattr(layer, "conv1"):  # a light block: pointwise, then depthwise
                    yield from _conv_bn_act(f"{name}.layers.{k}.conv1", layer.conv1, counted)
                    yield from _conv_bn_act(f"{name}.layers.{k}.conv2", layer.conv2, counted)
                else:
                    yield from _conv_bn_act(f"{name}.layers.{k}", layer, counted)
            for k, layer in enumerate(block.aggregation):
                yield from _conv_bn_act(f"{name}.aggregation.{k}", layer, counted)


def _conv_bn_act(name: str, layer: Any, counted: bool) -> Iterator[tuple[str, Tensor]]:
    yield f"{name}.conv.weight", layer.convolution.weight
    for key in ("weight", "bias", "running_mean", "running_var"):
        yield f"{name}.bn.{key}", getattr(layer.normalization, key)
    if counted:
        yield f"{name}.bn.num_batches_tracked", torch.tensor(1000)
    if isinstance(layer.lab, nn.Identity):
        return
    yield f"{name}.lab.scale", layer.lab.scale
    yield f"{name}.lab.bias", layer.lab.bias


# encoder: src/zoo/dfine/hybrid_encoder.py


def _encoder(core: Any) -> Iterator[tuple[str, Tensor]]:
    for i, (conv, norm) in enumerate(core.encoder_input_proj):
        yield from _all(f"encoder.input_proj.{i}.conv", conv)
        yield from _all(f"encoder.input_proj.{i}.norm", norm)
    for i, aifi in enumerate(core.encoder.aifi):
        for j, layer in enumerate(aifi.layers):
            name = f"encoder.encoder.{i}.layers.{j}"
            yield from _attention(f"{name}.self_attn", layer.self_attn)
            yield from _all(f"{name}.linear1", layer.mlp.layers[0])
            yield from _all(f"{name}.linear2", layer.mlp.layers[1])
            yield from _all(f"{name}.norm1", layer.self_attn_layer_norm)
            yield from _all(f"{name}.norm2", layer.final_layer_norm)
    for i, lateral in enumerate(core.encoder.lateral_convs):
        yield from _all(f"encoder.lateral_convs.{i}.conv", lateral.conv)
        yield from _all(f"encoder.lateral_convs.{i}.norm", lateral.norm)
    for i, down in enumerate(core.encoder.downsample_convs):
        yield from _all(f"encoder.downsample_convs.{i}.0.cv1", down.conv1)
        yield from _all(f"encoder.downsample_convs.{i}.0.cv2", down.conv2)
    for kind in ("fpn_blocks", "pan_blocks"):
        for i, block in enumerate(getattr(core.encoder, kind)):
            yield from _elan(f"encoder.{kind}.{i}", block)


def _elan(name: str, block: Any) -> Iterator[tuple[str, Tensor]]:
    yield from _all(f"{name}.cv1", block.conv1)
    yield from _all(f"{name}.cv2.0", block.csp_rep1)
    yield from _all(f"{name}.cv2.1", block.conv2)
    yield from _all(f"{name}.cv3.0", block.csp_rep2)
    yield from _all(f"{name}.cv3.1", block.conv3)
    yield from _all(f"{name}.cv4", block.conv4)


def _attention(name: str, attention: Any) -> Iterator[tuple[str, Tensor]]:
    """torch.nn.MultiheadAttention has one matrix for query, key and value."""
    parts = (attention.q_proj, attention.k_proj, attention.v_proj)
    yield f"{name}.in_proj_weight", torch.cat([part.weight for part in parts])
    yield f"{name}.in_proj_bias", torch.cat([part.bias for part in parts])
    yield from _all(f"{name}.out_proj", attention.o_proj)


# decoder: src/zoo/dfine/dfine_decoder.py


def _decoder(model: Any, side: int) -> Iterator[tuple[str, Tensor]]:
    core, decoder = model.model, model.model.decoder
    for i, projection in enumerate(core.decoder_input_proj):
        if not isinstance(projection, nn.Identity):
            yield from _all(f"decoder.input_proj.{i}.conv", projection[0])
            yield from _all(f"decoder.input_proj.{i}.norm", projection[1])
    for name in ("up", "reg_scale"):  # the outer module and the inner one hold the same parameter
        yield f"decoder.{name}", getattr(decoder, name)
        yield f"decoder.decoder.{name}", getattr(decoder, name)
    for i, layer in enumerate(decoder.layers):
        yield from _decoder_layer(f"decoder.decoder.layers.{i}", layer)
        yield from _all(f"decoder.decoder.lqe_layers.{i}", decoder.lqe_layers[i])
        yield from _all(f"decoder.dec_score_head.{i}", model.class_embed[i])
        yield from _all(f"decoder.dec_bbox_head.{i}", model.bbox_embed[i])
    yield from _all("decoder.denoising_class_embed", core.denoising_class_embed)
    yield from _all("decoder.query_pos_head", decoder.query_pos_head)
    yield from _all("decoder.pre_bbox_head", decoder.pre_bbox_head)
    yield from _all("decoder.enc_output.proj", core.enc_output[0])
    yield from _all("decoder.enc_output.norm", core.enc_output[1])
    yield from _all("decoder.enc_score_head", core.enc_score_head)
    yield from _all("decoder.enc_bbox_head", core.enc_bbox_head)
    tokens = sum((side // stride) ** 2 for stride in model.config.feat_strides)
    yield "decoder.anchors", torch.zeros(1, tokens, 4)
    yield "decoder.valid_mask", torch.ones(1, tokens, 1, dtype=torch.bool)


def _decoder_layer(name: str, layer: Any) -> Iterator[tuple[str, Tensor]]:
    yield from _attention(f"{name}.self_attn", layer.self_attn)
    yield from _all(f"{name}.norm1", layer.self_attn_layer_norm)
    yield from _all(f"{name}.cross_attn", layer.encoder_attn)
    yield from _all(f"{name}.gateway", layer.gateway)
    yield from _all(f"{name}.linear1", layer.mlp.layers[0])
    yield from _all(f"{name}.linear2", layer.mlp.layers[1])
    yield from _all(f"{name}.norm3", layer.final_layer_norm)


def randomize(model: nn.Module) -> None:
    """Fill every weight so that each matters and none blows up; layers that start alike end up different."""
    generator = torch.Generator().manual_seed(11)
    with torch.no_grad():
        for name, tensor in model.state_dict(keep_vars=True).items():
            if not tensor.is_floating_point() or name.endswith((".up", "reg_scale", "num_points_scale")):
                continue
            if tensor.dim() > 1:
                tensor.normal_(0, tensor[0].numel() ** -0.5, generator=generator)
            elif name.endswith(("weight", "running_var", "scale")):
                tensor.uniform_(0.7, 1.3, generator=generator)
            else:
                tensor.uniform_(-0.1, 0.1, generator=generator)
