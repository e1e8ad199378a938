"""What is told of a GPU: everything that can be had, and nothing that cannot."""

from pathlib import Path

import pytest
import torch

from app.detector import machine


def test_a_gpu_is_told_by_name_and_driver(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """By the driver's tool where torch does not see the GPU, as with its CPU build beside onnxruntime-gpu."""
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    monkeypatch.setenv("PATH", str(tmp_path))
    tool = tmp_path / "nvidia-smi"
    tool.write_text('#!/bin/sh\n[ "$1" = --query-gpu=name,driver_version ] && echo "NVIDIA T4, 570.1"\n')
    tool.chmod(0o755)
    told = machine.describe_gpu()
    assert "NVIDIA T4, 570.1" in told
    tool.write_text('#!/bin/sh\necho "NVIDIA T4, 580.2"\n')
    assert machine.describe_gpu() != told


def test_a_machine_without_a_gpu_tells_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """And fails nothing: whoever asks has an engine that runs somewhere."""
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    monkeypatch.setattr(machine, "_read", lambda path: "")
    monkeypatch.setenv("PATH", str(tmp_path))
    assert machine.describe_gpu() == "||"
