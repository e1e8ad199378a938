"""Engines that torch runs: the float32 reference, and faster ones on the CPU and on CUDA."""

import ctypes

import numpy as np
import torch
from numpy.typing import NDArray

from app.detector.base import Runtime
from app.detector.decoding import Outputs
from app.detector.engines import Candidate, Precision
from app.detector.network import Network, fold_batch_norms
from app.errors import DetectorError

DTYPES: dict[Precision, torch.dtype] = {
    "float32": torch.float32,
    "bfloat16": torch.bfloat16,
    "float16": torch.float16,
}
M_TRIM_THRESHOLD, M_MMAP_THRESHOLD = -1, -3  #: of mallopt(3)


class TorchEngine:
    """A network run by torch; ``reference`` leaves it exactly as it was loaded."""

    def __init__(self, network: Network, candidate: Candidate, *, threads: int = 0, reference: bool = False) -> None:
        keep_memory()
        if threads:
            torch.set_num_threads(threads)
        torch.backends.cudnn.allow_tf32 = False  # or convolutions in "float32" keep ten bits of the mantissa on CUDA
        self._device = torch.device(candidate.device)
        self._precision = candidate.precision
        if not reference:
            fold_batch_norms(network)
        self._network = network.to(self._device)
        self._network.to(memory_format=torch.channels_last)  # type: ignore[call-overload]
        kind = "reference" if reference else "folded"
        self._runtime = Runtime("torch", candidate.device, candidate.precision, f"{torch.__version__} {kind}")

    @property
    def runtime(self) -> Runtime:
        """See :class:`app.detector.engines.Engine`."""
        return self._runtime

    @property
    def parallel(self) -> int:
        """One on the CPU, where a batch spreads over all cores; two on CUDA: one batch travels, another computes."""
        return 2 if self._device.type == "cuda" else 1

    def infer(self, pixels: NDArray[np.uint8]) -> Outputs:
        """See :class:`app.detector.engines.Engine`. Out of memory halves the batch and goes on."""
        try:
            return self._infer_at_once(pixels)
        except torch.OutOfMemoryError as error:
            if len(pixels) == 1:
                msg = f"out of memory on {self._device} with a single image: take a smaller model or another device"
                raise DetectorError(msg) from error
        except RuntimeError as error:
            msg = f"the detector failed on {self._device}: {' '.join(str(error).split())}"
            raise DetectorError(msg) from error
        if self._device.type == "cuda":
            torch.cuda.empty_cache()
        half = len(pixels) // 2
        halves = self.infer(pixels[:half]), self.infer(pixels[half:])
        logits, boxes, features = (np.concatenate(parts) for parts in zip(*halves, strict=True))
        return logits, boxes, features

    def _infer_at_once(self, pixels: NDArray[np.uint8]) -> Outputs:
        tensor = torch.from_numpy(pixels)
        if self._device.type == "cuda":
            tensor = tensor.pin_memory().to(self._device, non_blocking=True)
        tensor = tensor.contiguous(memory_format=torch.channels_last)
        dtype = DTYPES[self._precision]
        # Autocast, not a cast of the whole model: that gives NaN in grid_sample on the CPU (torch 2.13).
        with torch.inference_mode(), torch.autocast(self._device.type, dtype, enabled=dtype != torch.float32):
            logits, boxes, features = self._network(tensor)
        return logits.float().cpu().numpy(), boxes.float().cpu().numpy(), features.float().cpu().numpy()


def find_device(wanted: str) -> str:
    """``cuda`` or ``cpu``.

    Raises:
        DetectorError: ``cuda`` is asked for and torch sees no GPU.
    """
    present = torch.cuda.is_available()
    if wanted == "cuda" and not present:
        msg = "detector.device: cuda is asked for, but torch sees no GPU; set it to auto or cpu"
        raise DetectorError(msg)
    return "cuda" if present and wanted != "cpu" else "cpu"


def keep_memory() -> None:
    """Keep freed memory in the process.

    glibc gives large blocks back to the system after every batch and takes them again for the next, which makes
    torch on the CPU up to three times slower.
    """
    try:
        mallopt = ctypes.CDLL(None).mallopt
    except (OSError, AttributeError):
        return  # not glibc
    mallopt(M_MMAP_THRESHOLD, 1 << 30)
    mallopt(M_TRIM_THRESHOLD, (1 << 31) - 1)
