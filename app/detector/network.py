"""A checkpoint as a torch module from picture bytes to raw outputs: what every engine runs or is exported from."""

from collections.abc import Sequence
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np
import torch
from safetensors import SafetensorError
from torch import Tensor, nn
from torch.nn.utils.fusion import fuse_conv_bn_eval
from transformers import AutoModelForObjectDetection
from transformers.utils import logging as transformers_logging

from app.detector.preprocessing import Preprocessing
from app.errors import CheckpointError

FEATURES = 256  #: numbers that an image's features are brought down to
SEED = 20_240_807  #: of the projection: to be left alone, or stored features could not be compared with new ones


class Network(nn.Module):
    """Rescaling, normalisation and the model in one graph: bytes ``(n, 3, h, w)`` in, raw outputs out."""

    mean: Tensor
    std: Tensor
    projection: Tensor | None

    def __init__(self, model: Any, preprocessing: Preprocessing) -> None:
        super().__init__()
        self.model = model
        self.scale = preprocessing.scale
        self.plain = not any(preprocessing.mean) and set(preprocessing.std) == {1.0}
        self.register_buffer("mean", torch.tensor(preprocessing.mean)[None, :, None, None], persistent=False)
        self.register_buffer("std", torch.tensor(preprocessing.std)[None, :, None, None], persistent=False)
        self.register_buffer("projection", make_projection(count_pooled(model.config)), persistent=False)

    def forward(self, pixels: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        """Logits ``(n, queries, classes)``, boxes ``(n, queries, 4)`` and features ``(n, at most FEATURES)``."""
        values = pixels.float() * self.scale
        if not self.plain:
            values = (values - self.mean) / self.std
        outputs = self.model(pixel_values=values)
        return outputs.logits, outputs.pred_boxes, self._features(outputs.encoder_last_hidden_state)

    def _features(self, maps: Sequence[Tensor]) -> Tensor:
        """The encoder's maps ``(n, channels, h, w)``, each pooled over space: its mean, and its highest value.

        The mean says what kind of picture it is; a ball of a few pixels is lost in it and not in the highest value.
        """
        pooled = torch.cat([part for each in maps for part in (each.mean((2, 3)), each.amax((2, 3)))], 1).float()
        return pooled if self.projection is None else pooled @ self.projection


def count_pooled(config: Any) -> int:
    """How many numbers pooling the encoder's maps gives."""
    return 2 * len(config.encoder_in_channels) * int(config.encoder_hidden_dim)


def make_projection(pooled: int) -> Tensor | None:
    """A fixed random projection ``(pooled, FEATURES)``, which nearly keeps distances; None where there is no need.

    W. Johnson and J. Lindenstrauss, 1984. numpy's generator keeps its stream over releases, torch's does not.
    """
    if pooled <= FEATURES:
        return None
    drawn = np.random.Generator(np.random.PCG64(SEED)).standard_normal((pooled, FEATURES))
    return torch.from_numpy((drawn / np.sqrt(FEATURES)).astype(np.float32))


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
