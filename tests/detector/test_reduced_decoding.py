"""JPEG's own reduction while decoding: less work, and the same detections."""

import io
import random
from pathlib import Path

import pytest
from PIL import Image

from app.config import DetectorSettings
from app.detector.base import Prepared
from app.detector.dfine import DFine
from app.detector.loading import load_reference
from app.domain.faith import FaithRules, compare_engines
from app.files.caching import FolderCache
from app.files.decoding import decode_file
from app.services.detectors import shipped_canaries

SIDE = 6
COUNT = 4
ALLOWED = FaithRules(("football",), floor=0.05, threshold=0.5, reduced=True)


@pytest.fixture(scope="module")
def detector(tmp_path_factory: pytest.TempPathFactory) -> DFine:
    """The built-in model."""
    return load_reference(DetectorSettings(), FolderCache(tmp_path_factory.mktemp("cache")))


def large_photograph(seed: int) -> bytes:
    """A picture of 2688 x 2688 pixels, sharp to the last of them: 36 canaries side by side."""
    pictures = shipped_canaries()
    chosen = random.Random(seed).sample(pictures, SIDE * SIDE)
    side = chosen[0].width
    mosaic = Image.new("RGB", (SIDE * side, SIDE * side))
    for number, picture in enumerate(chosen):
        mosaic.paste(picture, (number % SIDE * side, number // SIDE * side))
    content = io.BytesIO()
    mosaic.save(content, "JPEG", quality=90)
    return content.getvalue()


def prepare(detector: DFine, folder: Path, name: str, enough_px: int | None) -> tuple[Prepared, int]:
    """An image as the detector takes it, and how wide the picture was that it was made of."""
    decoded = decode_file(folder, name, 100_000_000, enough_px)
    return detector.prepare(decoded.pixels, decoded.width, decoded.height), decoded.pixels.width


def test_reduced_decoding_keeps_scores_and_flags(detector: DFine, tmp_path: Path) -> None:
    """Within what the faith gate allows an engine, with boxes in pixels of the whole image."""
    whole, reduced = [], []
    for seed in range(COUNT):
        (tmp_path / f"{seed}.jpg").write_bytes(large_photograph(seed))
        full, full_width = prepare(detector, tmp_path, f"{seed}.jpg", None)
        small, small_width = prepare(detector, tmp_path, f"{seed}.jpg", detector.enough_px)
        assert (full_width, small_width) == (2688, 1344)
        assert (small.width, small.height) == (2688, 2688)
        whole += detector.detect_all([full], 0.0)
        reduced += detector.detect_all([small], 0.0)
    report = compare_engines(whole, reduced, ALLOWED)
    assert (report.scores_within, report.flags_turned) == (1.0, 0), report
    assert report.seen == COUNT
