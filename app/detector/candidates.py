"""Which engines are worth trying on this machine, and in which order."""

from collections.abc import Iterator
from importlib.util import find_spec

from app.config import DetectorSettings
from app.detector.engines import Candidate, Precision
from app.detector.machine import may_have_cuda
from app.errors import DetectorError


def find_candidates(settings: DetectorSettings) -> Iterator[Candidate]:
    """Engines to try, fastest first; the float32 reference, which needs no gate, comes after all of them.

    Raises:
        DetectorError: ``detector.device`` or ``detector.backend`` is not to be had here.
    """
    if settings.backend in ("auto", "torch"):
        yield from _torch_candidates(settings)
    if settings.backend in ("auto", "openvino"):
        yield from _openvino_candidates(settings)
    if settings.backend == "onnxruntime":
        yield from _onnxruntime_candidates(settings)


def _torch_candidates(settings: DetectorSettings) -> Iterator[Candidate]:
    """On CUDA in half precision first; on the CPU only if it is asked for: openvino is faster there."""
    if settings.device == "gpu":
        return
    if settings.backend == "auto" and settings.device == "cpu":
        return
    if settings.backend == "auto" and settings.device == "auto" and not may_have_cuda():
        return
    from app.detector.backends.torch import find_device

    device = find_device(settings.device)
    if device == "cuda" or settings.backend == "torch":
        for precision in _precisions(
            settings, ("bfloat16", "float16", "float32") if device == "cuda" else ("float32",)
        ):
            yield Candidate("torch", device, precision)


def _openvino_candidates(settings: DetectorSettings) -> Iterator[Candidate]:
    if settings.device == "cuda":
        if settings.backend == "openvino":
            raise DetectorError("detector.backend: openvino does not run on cuda; set detector.device to auto")
        return
    if find_spec("openvino") is None:
        if settings.backend == "openvino":
            msg = "detector.backend: openvino is not installed; `pip install openvino`, or set it to auto"
            raise DetectorError(msg)
        return
    from app.detector.backends.openvino import can_run

    device = "gpu" if settings.device == "gpu" else "cpu"
    wanted: tuple[Precision, ...] = ("float16", "float32") if device == "gpu" else ("bfloat16", "float32")
    for precision in _precisions(settings, wanted):
        if can_run(device, precision) or settings.precision != "auto" or device == "gpu":  # then it says what it lacks
            yield Candidate("openvino", device, precision)


def _onnxruntime_candidates(settings: DetectorSettings) -> Iterator[Candidate]:
    if find_spec("onnxruntime") is None:
        msg = (
            "detector.backend: onnxruntime is not installed; `pip install 'touchline[onnxruntime]'`, or set it to auto"
        )
        raise DetectorError(msg)
    if settings.precision not in ("auto", "float32") or settings.device == "gpu":
        raise DetectorError(
            "detector.backend: onnxruntime runs in float32 on cpu or cuda; take precision or device back"
        )
    devices = ("tensorrt", "cuda") if settings.device == "cuda" else ("cpu",)
    for device in devices:
        yield Candidate("onnxruntime", device, "float32")


def _precisions(settings: DetectorSettings, wanted: tuple[Precision, ...]) -> tuple[Precision, ...]:
    """The wanted ones; or that of the settings and, in case it is refused, float32."""
    return wanted if settings.precision == "auto" else tuple(dict.fromkeys((settings.precision, "float32")))
