"""The ONNX file that OpenVINO and ONNX Runtime read, made once for each detector."""

import logging
import os
import warnings
from importlib.metadata import version
from pathlib import Path

import structlog

from app.detector.base import Cache
from app.detector.preprocessing import Preprocessing
from app.errors import DetectorError

log = structlog.get_logger()
EXPORT = "2"  #: to be counted up when the same checkpoint comes to be exported otherwise
OPSET = 18  #: from 17 on LayerNorm is one operator, which does not overflow in half precision


def find_or_export(checkpoint: Path, preprocessing: Preprocessing, cache: Cache, key: str) -> Path:
    """The exported network, ``(1, 3, height, width)`` bytes in; ``key`` says which detector's it is.

    Raises:
        CheckpointError: the checkpoint cannot be loaded.
        DetectorError: torch cannot export it.
    """
    return cache.find_or_make(f"{key}/{_version()}/network.onnx", lambda path: _export(checkpoint, preprocessing, path))


def _version() -> str:
    """What else an export depends on: a later release must not trust what an earlier one has made."""
    return f"export-{EXPORT}-torch-{version('torch')}-transformers-{version('transformers')}"


def _export(checkpoint: Path, preprocessing: Preprocessing, path: Path) -> None:
    log.info("exporting the detector, which is done once", checkpoint=str(checkpoint))
    os.environ.setdefault("TRANSFORMERS_DISABLE_TORCH_CHECK", "1")  # or transformers' own checks end up in the graph
    logging.getLogger("torch.onnx").setLevel(logging.ERROR)  # it warns of operators of libraries that nobody uses here
    import torch

    from app.detector.network import fold_batch_norms, load_network

    network = load_network(checkpoint, preprocessing)
    fold_batch_norms(network)
    size = (1, 3, preprocessing.height, preprocessing.width)
    try:
        with warnings.catch_warnings(), torch.inference_mode():
            warnings.simplefilter("ignore")  # of the exporter about its own insides
            torch.onnx.export(
                network,
                (torch.zeros(size, dtype=torch.uint8),),
                path,
                dynamo=True,
                opset_version=OPSET,
                input_names=["pixels"],
                output_names=["logits", "boxes", "features"],
                external_data=False,
                verbose=False,
            )
    except Exception as error:  # the exporter raises whatever its stages raise
        msg = f"torch cannot export {checkpoint}: {' '.join(str(error).split())[:300]}"
        raise DetectorError(msg) from error
