"""OpenVINO: the fastest on CPUs, two to three times torch in float32, and on Intel GPUs."""

from pathlib import Path
from threading import local
from typing import Any

import numpy as np
import openvino
from numpy.typing import NDArray

from app.detector.base import Runtime
from app.detector.decoding import Outputs
from app.detector.engines import Candidate, Precision
from app.errors import DetectorError

HINTS: dict[Precision, str] = {"float32": "f32", "bfloat16": "bf16", "float16": "f16"}
CAPABILITIES: dict[Precision, str] = {"float32": "FP32", "bfloat16": "BF16", "float16": "FP16"}


class OpenVinoEngine:
    """An exported network run by OpenVINO, an image at a time on each of its streams.

    Larger batches bring nothing on a CPU: the streams are what keeps it busy.
    """

    def __init__(self, exported: Path, candidate: Candidate, *, threads: int = 0) -> None:
        if not can_run(candidate.device, candidate.precision):
            msg = f"openvino finds no {candidate.device} here that computes in {candidate.precision} by itself"
            raise DetectorError(msg)
        settings: dict[str, Any] = {
            "PERFORMANCE_HINT": "THROUGHPUT",
            "INFERENCE_PRECISION_HINT": HINTS[candidate.precision],
        }
        if threads and candidate.device == "cpu":
            settings["INFERENCE_NUM_THREADS"] = threads
        try:
            self._compiled = openvino.Core().compile_model(exported, candidate.device.upper(), settings)
            self._streams = int(self._compiled.get_property("OPTIMAL_NUMBER_OF_INFER_REQUESTS"))
        except RuntimeError as error:
            msg = f"openvino cannot run the model on {candidate.device}: {_one_line(error)}"
            raise DetectorError(msg) from error
        self._requests = local()
        version = openvino.get_version().partition("-")[0]
        self._runtime = Runtime("openvino", candidate.device, candidate.precision, version)
        self._warm_up()

    def _warm_up(self) -> None:
        """Infer once before any other thread does.

        The first access to a tensor's data in a process builds a table behind a C++ static guard and lets go of the
        GIL meanwhile (pybind11's npy_api, OpenVINO 2026.4): a second thread that gets there then waits for the guard
        while it holds the GIL, and both wait for ever.
        """
        self.infer(np.zeros(tuple(self._compiled.inputs[0].shape), np.uint8))

    @property
    def runtime(self) -> Runtime:
        """See :class:`app.detector.engines.Engine`."""
        return self._runtime

    @property
    def parallel(self) -> int:
        """One thread for each stream."""
        return self._streams

    def infer(self, pixels: NDArray[np.uint8]) -> Outputs:
        """See :class:`app.detector.engines.Engine`."""
        request = self._request()
        parts: tuple[list[NDArray[np.float32]], ...] = ([], [], [])
        try:
            for image in pixels:
                found = request.infer([image[None]])
                for output, part in zip(self._compiled.outputs, parts, strict=True):
                    part.append(found[output].copy())
        except RuntimeError as error:
            msg = f"the detector failed in openvino: {_one_line(error)}"
            raise DetectorError(msg) from error
        logits, boxes, features = (np.concatenate(part) for part in parts)
        return logits, boxes, features

    def _request(self) -> Any:
        """This thread's own request: one must not be used by two threads at once."""
        if not hasattr(self._requests, "request"):
            self._requests.request = self._compiled.create_infer_request()
        return self._requests.request


def can_run(device: str, precision: Precision) -> bool:
    """Whether this machine's device is there and computes in that precision by itself."""
    core = openvino.Core()
    name = device.upper()
    if name not in {each.partition(".")[0] for each in core.available_devices}:
        return False
    return CAPABILITIES[precision] in core.get_property(name, "OPTIMIZATION_CAPABILITIES")


def _one_line(error: Exception) -> str:
    return " ".join(str(error).split())
