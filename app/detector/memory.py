"""How much of a device's memory this process holds. Importing this module loads no engine."""

import sys
from typing import Any


def device_bytes(device: str) -> int | None:
    """Bytes that this process holds on a CUDA device; None on any other, or where the engine does not say."""
    torch: Any = sys.modules.get("torch")  # an engine that runs on CUDA has loaded it; nobody else should have to
    if torch is None or not device.startswith("cuda"):
        return None
    try:
        return int(torch.cuda.memory_reserved(device))
    except (RuntimeError, ValueError, AssertionError):
        return None  # another library than torch has the device
