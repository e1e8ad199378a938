"""What machine this is, as far as it decides which engines are tried and whose verdicts hold."""

import platform
import subprocess
from pathlib import Path
from shutil import which

#: what an NVIDIA driver leaves: its devices, its version, and the device of Windows' own Linux
CUDA_SIGNS = (
    Path("/dev/nvidia0"),
    Path("/dev/nvidiactl"),
    Path("/proc/driver/nvidia/version"),
    Path("/dev/dxg"),
)
GPU_QUERY = ("--query-gpu=name,driver_version", "--format=csv,noheader")
PATIENCE_S = 20


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


def describe_gpu() -> str:
    """NVIDIA's GPUs and their driver, as torch, the driver and its tool tell them: each may be missing."""
    return "|".join([_torch_gpu(), _read(Path("/proc/driver/nvidia/version")).strip(), _ask_tool()])


def _torch_gpu() -> str:
    import torch

    if not torch.cuda.is_available():
        return ""  # an engine of another library may have the GPU all the same
    return f"{torch.cuda.get_device_name()} {torch.cuda.get_device_capability()} cuda {torch.version.cuda}"


def _ask_tool() -> str:
    tool = which("nvidia-smi")
    if tool is None:
        return ""
    try:
        told = subprocess.run([tool, *GPU_QUERY], capture_output=True, text=True, check=False, timeout=PATIENCE_S)
    except (OSError, subprocess.TimeoutExpired):
        return ""
    return told.stdout.strip()


def _read(path: Path) -> str:
    try:
        return path.read_text(encoding="utf-8")
    except OSError:
        return ""
