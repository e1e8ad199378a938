"""Which engines are tried, and in which order. Only the GPU is made up: signs of one, and what torch says of it."""

from collections.abc import Callable
from pathlib import Path

import pytest
import torch

from app.config import DetectorSettings
from app.detector import candidates, machine
from app.detector.candidates import find_candidates
from app.errors import DetectorError

Gpu = Callable[..., None]
ON_CUDA = [("torch", "cuda", precision) for precision in ("bfloat16", "float16", "float32")]


@pytest.fixture
def gpu(monkeypatch: pytest.MonkeyPatch) -> Gpu:
    """Say whether there are signs of a GPU, and whether torch sees one; None: torch must not be asked."""

    def say(*, signs: bool, seen: bool | None) -> None:
        def is_available() -> bool:
            assert seen is not None, "torch was asked, which takes seconds"
            return seen

        monkeypatch.setattr(candidates, "may_have_cuda", lambda: signs)
        monkeypatch.setattr(torch.cuda, "is_available", is_available)

    return say


def order(**values: object) -> list[tuple[str, str, str]]:
    """The candidates for some settings."""
    found = find_candidates(DetectorSettings(**values))
    return [(each.backend, each.device, each.precision) for each in found]


def test_auto_takes_cuda_before_anything_else(gpu: Gpu) -> None:
    """In half precision first; OpenVINO on the CPU is what is left if the gate lets none of them in."""
    gpu(signs=True, seen=True)
    found = order()
    assert found[:3] == ON_CUDA
    assert found[3:] != []
    assert {(backend, device) for backend, device, _ in found[3:]} == {("openvino", "cpu")}


def test_signs_of_a_gpu_that_torch_does_not_see_lead_to_openvino(gpu: Gpu) -> None:
    """As with the CPU build of torch on a machine with a GPU."""
    gpu(signs=True, seen=False)
    assert {(backend, device) for backend, device, _ in order()} == {("openvino", "cpu")}


def test_without_signs_of_a_gpu_torch_is_not_asked(gpu: Gpu) -> None:
    """The start of most scans does not wait for it; float32 comes last, after what is faster."""
    gpu(signs=False, seen=None)
    found = order()
    assert {(backend, device) for backend, device, _ in found} == {("openvino", "cpu")}
    assert found[-1][2] == "float32"


def test_the_cpu_is_taken_where_it_is_asked_for(gpu: Gpu) -> None:
    """Although there is a GPU."""
    gpu(signs=True, seen=None)
    assert {(backend, device) for backend, device, _ in order(device="cpu")} == {("openvino", "cpu")}
    gpu(signs=True, seen=True)
    assert order(device="cpu", backend="torch") == [("torch", "cpu", "float32")]


def test_cuda_is_taken_where_it_is_asked_for(gpu: Gpu) -> None:
    """Whatever the signs say; nothing on the CPU comes after it, and a GPU that torch does not see is said."""
    gpu(signs=False, seen=True)
    assert order(device="cuda") == ON_CUDA
    assert order(device="cuda", backend="torch", precision="float16") == [ON_CUDA[1], ON_CUDA[2]]
    gpu(signs=False, seen=False)
    with pytest.raises(DetectorError, match=r"detector\.device: cuda is asked for"):
        order(device="cuda")


@pytest.mark.parametrize("name", ["nvidia0", "version", "dxg"])
def test_a_container_without_the_tool_has_signs_of_a_gpu(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, name: str
) -> None:
    """Any device or driver of NVIDIA's is one, and so is the device of Windows' own Linux."""
    monkeypatch.setenv("PATH", str(tmp_path))
    assert {sign.name for sign in machine.CUDA_SIGNS} >= {name}
    monkeypatch.setattr(machine, "CUDA_SIGNS", tuple(tmp_path / sign.name for sign in machine.CUDA_SIGNS))
    assert machine.may_have_cuda() is False
    (tmp_path / name).touch()
    assert machine.may_have_cuda() is True


def test_the_tool_alone_is_a_sign(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Where the devices have other names."""
    monkeypatch.setattr(machine, "CUDA_SIGNS", ())
    monkeypatch.setenv("PATH", str(tmp_path))
    tool = tmp_path / "nvidia-smi"
    tool.write_text("#!/bin/sh\n")
    tool.chmod(0o755)
    assert machine.may_have_cuda() is True
