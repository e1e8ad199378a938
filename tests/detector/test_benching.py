"""What is measured beside Touchline runs where it runs, with batches that suit the device."""

from dataclasses import replace
from pathlib import Path

import pytest

from app.detector.base import BATCH_ON_GPU
from app.detector.benching import device_beside, limit_batches, pipeline_batches
from app.detector.loading import load_reference
from app.files.caching import FolderCache
from tests.detector.test_engines import settings_for


@pytest.mark.parametrize(
    ("device", "beside"), [("cpu", "cpu"), ("gpu", "cpu"), ("cuda", "cuda"), ("cuda:0", "cuda"), ("tensorrt", "cuda")]
)
def test_torch_runs_where_the_engine_does(tiny_dfine: Path, tmp_path: Path, device: str, beside: str) -> None:
    """Transformers has no engine on an Intel GPU: there it is compared on the CPU."""
    detector = load_reference(settings_for(tiny_dfine, device="cpu"), FolderCache(tmp_path))
    assert device_beside(detector.vetted(replace(detector.runtime, device=device))) == beside


def test_cuda_is_tried_with_larger_batches() -> None:
    """Up to that of a scan: a limit that a scan could exceed would be none. A CPU keeps its small ones."""
    assert (limit_batches("cpu"), pipeline_batches("cpu")) == ((1, 4, 8), (1, 2, 4, 8))
    assert {16, 32, 64, BATCH_ON_GPU} < set(limit_batches("cuda"))
    assert {16, 32, 64} < set(pipeline_batches("cuda"))
