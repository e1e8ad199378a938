"""ONNX Runtime: CPU, CUDA and TensorRT, whichever of its packages is installed."""

from pathlib import Path

import numpy as np
import onnxruntime
from numpy.typing import NDArray

from app.detector.base import Runtime
from app.detector.decoding import Outputs
from app.detector.engines import Candidate
from app.errors import DetectorError

PROVIDERS = {"cpu": "CPUExecutionProvider", "cuda": "CUDAExecutionProvider", "tensorrt": "TensorrtExecutionProvider"}


class OnnxRuntimeEngine:
    """An exported network run by ONNX Runtime, an image at a time on all threads."""

    def __init__(self, exported: Path, candidate: Candidate, *, threads: int = 0) -> None:
        options = onnxruntime.SessionOptions()
        options.intra_op_num_threads = threads
        options.log_severity_level = 3
        provider = PROVIDERS[candidate.device]
        if provider not in onnxruntime.get_available_providers():
            msg = f"onnxruntime has no {provider} here; for GPUs install onnxruntime-gpu in place of onnxruntime"
            raise DetectorError(msg)
        try:
            self._session = onnxruntime.InferenceSession(exported, options, providers=[provider])
        except Exception as error:  # its own exceptions have no public base class
            msg = f"onnxruntime cannot run the model on {candidate.device}: {' '.join(str(error).split())}"
            raise DetectorError(msg) from error
        self._session.disable_fallback()  # a vetted engine must not be replaced by another without a word
        if self._session.get_providers()[0] != provider:
            msg = f"onnxruntime could not start {provider} and took another"
            raise DetectorError(msg)
        self._runtime = Runtime("onnxruntime", candidate.device, candidate.precision, onnxruntime.__version__)

    @property
    def runtime(self) -> Runtime:
        """See :class:`app.detector.engines.Engine`."""
        return self._runtime

    @property
    def parallel(self) -> int:
        """One: a single image spreads over all cores."""
        return 1

    def infer(self, pixels: NDArray[np.uint8]) -> Outputs:
        """See :class:`app.detector.engines.Engine`."""
        try:
            found = [self._session.run(None, {"pixels": image[None]}) for image in pixels]
        except Exception as error:  # its own exceptions have no public base class
            msg = f"the detector failed in onnxruntime: {' '.join(str(error).split())}"
            raise DetectorError(msg) from error
        logits, boxes, features = (np.concatenate([each[place] for each in found]) for place in range(3))
        return logits, boxes, features
