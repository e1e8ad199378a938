"""Batch-norms are folded into the convolutions before them: none is left, and nothing else changes."""

from copy import deepcopy
from pathlib import Path

import numpy as np
import pytest
import torch
from torch import nn

from app.detector.backends.torch import TorchEngine
from app.detector.engines import Candidate
from app.detector.network import Network, fold_batch_norms, load_network
from app.detector.preprocessing import read_preprocessing
from tests.detector.test_dfine import pixels

ON_CPU = Candidate("torch", "cpu", "float32")


@pytest.fixture
def network(tiny_dfine: Path) -> Network:
    """The tiny checkpoint with norms that have seen data: fresh ones change nothing, folded or not."""
    loaded = load_network(tiny_dfine, read_preprocessing(tiny_dfine))
    generator = torch.Generator().manual_seed(2)
    for norm in norms(loaded):
        norm.running_mean.uniform_(-0.2, 0.2, generator=generator)
        norm.running_var.uniform_(0.5, 2.0, generator=generator)
    return loaded


def norms(network: nn.Module) -> list[nn.Module]:
    """The batch-norms of a network, frozen ones too."""
    return [module for module in network.modules() if "BatchNorm" in type(module).__name__]


def queries(logits: torch.Tensor, boxes: torch.Tensor, _: torch.Tensor) -> torch.Tensor:
    """What each query says, ``(images, queries, classes + 4)``."""
    return torch.cat([logits, boxes], 2)


def test_no_batch_norm_is_left_and_the_outputs_are_the_same(network: Network) -> None:
    """Logits, boxes and features, up to rounding, which may let two near-tied queries swap places."""
    folded = deepcopy(network)
    fold_batch_norms(folded)
    assert len(norms(network)) > 20
    assert norms(folded) == []
    with torch.inference_mode():
        found, wanted = (each(torch.from_numpy(pixels())) for each in (folded, network))
    np.testing.assert_allclose(found[2].numpy(), wanted[2].numpy(), atol=1e-4 * float(wanted[2].abs().max()))
    for one, other in zip(queries(*found), queries(*wanted), strict=True):
        apart = (one[:, None] - other[None]).abs().amax(2)  # of each query from each of the other's
        assert apart.amin(0).max() < 1e-3
        assert apart.amin(1).max() < 1e-3


def test_engines_fold_and_the_reference_does_not(network: Network) -> None:
    """What others are compared with is the network as it was trained."""
    TorchEngine(network, ON_CPU, reference=True)
    assert norms(network)
    TorchEngine(network, ON_CPU)
    assert norms(network) == []
