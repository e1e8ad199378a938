"""A checkpoint as a torch module from picture bytes to raw outputs: what every engine runs or is exported from."""

from itertools import pairwise
from pathlib import Path
from typing import Any

import torch
from safetensors import SafetensorError
from torch import Tensor, nn
from torch.nn.utils.fusion import fuse_conv_bn_eval
from transformers import AutoModelForObjectDetection
from transformers.utils import logging as transformers_logging

from app.detector.preprocessing import Preprocessing
from app.errors import CheckpointError


class Network(nn.Module):
    """Rescaling, normalisation and the model in one graph: bytes ``(n, 3, h, w)`` in, logits and boxes out."""

    mean: Tensor
    std: Tensor

    def __init__(self, model: Any, preprocessing: Preprocessing) -> None:
        super().__init__()
        self.model = model
        self.scale = preprocessing.scale
        self.plain = not any(preprocessing.mean) and set(preprocessing.std) == {1.0}
        self.register_buffer("mean", torch.tensor(preprocessing.mean)[None, :, None, None], persistent=False)
        self.register_buffer("std", torch.tensor(preprocessing.std)[None, :, None, None], persistent=False)

    def forward(self, pixels: Tensor) -> tuple[Tensor, Tensor]:
        """Logits ``(n, queries, classes)`` and boxes ``(n, queries, 4)``."""
        values = pixels.float() * self.scale
        if not self.plain:
            values = (values - self.mean) / self.std
        outputs = self.model(pixel_values=values)
        return outputs.logits, outputs.pred_boxes


def load_network(folder: Path, preprocessing: Preprocessing) -> Network:
    """A checkpoint's network in float32 on the CPU, as it was trained: the reference.

    Raises:
        CheckpointError: it cannot be loaded, or lacks weights.
    """
    return Network(load_model(folder), preprocessing).eval()


def load_model(folder: Path) -> Any:
    """A checkpoint's model, see :func:`load_network`."""
    transformers_logging.disable_progress_bar()  # our own progress is about images, not about weights
    try:
        model, report = AutoModelForObjectDetection.from_pretrained(
            folder, local_files_only=True, dtype=torch.float32, output_loading_info=True
        )
    except (OSError, ValueError, KeyError, RuntimeError, AttributeError, ImportError, SafetensorError) as error:
        msg = f"detector.model: {folder} cannot be loaded: {' '.join(str(error).split())}"
        raise CheckpointError(msg) from error
    if report["missing_keys"]:
        # Loaded all the same, the missing parts would be random numbers and every score would be noise.
        msg = f"detector.model: {folder} lacks weights, among them {sorted(report['missing_keys'])[0]}"
        raise CheckpointError(msg)
    return model.eval()


def fold_batch_norms(module: nn.Module) -> None:
    """Fold each batch-norm into the convolution before it, in place: fewer passes over memory, the same function.

    D-FINE keeps the two as neighbours under one parent; a norm without such a neighbour stays.
    """
    children = list(module.named_children())
    for (name, child), (after, norm) in pairwise(children):
        if isinstance(child, nn.Conv2d) and _is_batch_norm(norm):
            setattr(module, name, fuse_conv_bn_eval(child, _as_batch_norm(norm)))
            setattr(module, after, nn.Identity())
    for child in module.children():
        fold_batch_norms(child)


def _is_batch_norm(module: nn.Module) -> bool:
    return isinstance(module, nn.BatchNorm2d) or type(module).__name__.endswith("FrozenBatchNorm2d")


def _as_batch_norm(norm: Any) -> nn.BatchNorm2d:
    if isinstance(norm, nn.BatchNorm2d):
        return norm
    plain = nn.BatchNorm2d(len(norm.weight), eps=getattr(norm, "eps", 1e-5)).eval()
    plain.load_state_dict(
        {name: getattr(norm, name) for name in ("weight", "bias", "running_mean", "running_var")}, strict=False
    )
    return plain
