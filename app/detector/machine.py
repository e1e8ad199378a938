"""What machine this is, as far as it decides which engines are tried and whose verdicts hold."""

import platform
from pathlib import Path
from shutil import which

#: what an NVIDIA driver leaves: its devices, its version, and the device of Windows' own Linux
CUDA_SIGNS = (
    Path("/dev/nvidia0"),
    Path("/dev/nvidiactl"),
    Path("/proc/driver/nvidia/version"),
    Path("/dev/dxg"),
)


def may_have_cuda() -> bool:
    """Whether it is worth the seconds to ask torch.

    A container has the devices and often not the tool ``nvidia-smi``.
    """
    return which("nvidia-smi") is not None or any(sign.exists() for sign in CUDA_SIGNS)


def describe_machine() -> str:
    """The processor with what it can do, as far as the system tells."""
    lines = _read(Path("/proc/cpuinfo")).splitlines()
    told = sorted({line for line in lines if line.startswith(("model name", "flags", "Features", "stepping"))})
    return "|".join([platform.node(), platform.machine(), platform.processor(), *told])


def _read(path: Path) -> str:
    try:
        return path.read_text(encoding="utf-8")
    except OSError:
        return ""
