"""Slices and mirror images through the built-in model: where boxes land, how batches fill, which images want it."""

import io
from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

import numpy as np
import pytest
from numpy.typing import NDArray
from PIL import Image

from app.config import DetectorSettings
from app.demo.dataset import FOOTBALL, Contamination, draw_planned, plan_demo
from app.detector.base import Runtime, detect_pictures
from app.detector.decoding import Outputs
from app.detector.dfine import DFine, Looks
from app.detector.engines import Engine
from app.detector.loading import load_reference
from app.detector.preprocessing import Preprocessing, read_preprocessing
from app.domain.detections import Box, Detection
from app.domain.faith import iou
from app.files.caching import FolderCache

CHECKPOINT = Path(__file__).parents[2] / "app" / "demo" / "checkpoint"
BATCH = 4
SIDE = 640


class Counting:
    """An engine that remembers how many inputs came at a time."""

    def __init__(self, engine: Engine) -> None:
        self._engine = engine
        self.parallel = engine.parallel
        self.batches: list[int] = []

    @property
    def runtime(self) -> Runtime:
        """See :class:`app.detector.engines.Engine`."""
        return self._engine.runtime

    def infer(self, pixels: NDArray[np.uint8]) -> Outputs:
        """See :class:`app.detector.engines.Engine`."""
        self.batches.append(len(pixels))
        return self._engine.infer(pixels)


class Frames(NamedTuple):
    """Two drawn frames of 640 x 640: one with a ball that the model is sure of, one that it takes for empty."""

    ball: Image.Image
    where: Box
    empty: Image.Image


@pytest.fixture(scope="module")
def reference(tmp_path_factory: pytest.TempPathFactory) -> DFine:
    """The built-in model as torch computes it."""
    return load_reference(DetectorSettings(device="cpu"), FolderCache(tmp_path_factory.mktemp("cache")))


@pytest.fixture(scope="module")
def frames(reference: DFine) -> Frames:
    """The first of their kind among a few."""
    balls, empties = [], []
    for plan in plan_demo(24, 7, Contamination.NONE)[::2]:
        data, boxes = draw_planned(plan)
        picture = Image.open(io.BytesIO(data)).convert("RGB")
        score = top(detect_pictures(reference, [picture])[0]).confidence
        if plan.true_label == FOOTBALL and score > 0.7:
            balls.append((picture, Box(*boxes[0])))
        elif plan.true_label != FOOTBALL and score < 0.1:
            empties.append(picture)
    return Frames(*balls[0], empties[0])


def top(found: Sequence[Detection]) -> Detection:
    """The strongest; nothing is no confidence."""
    return found[0] if found else Detection(Box(0, 0, 0, 0), 0.0, "football")


def looking(reference: DFine, looks: Looks) -> tuple[DFine, Counting]:
    """The same model with other looks, and its engine, which counts."""
    engine = Counting(reference.engine)
    preprocessing: Preprocessing = read_preprocessing(CHECKPOINT)
    detector = DFine(engine, preprocessing, reference.class_names, reference.identity, ("football",), looks, BATCH)
    return detector, engine


def beside(left: Image.Image, right: Image.Image) -> Image.Image:
    """Two frames as one picture, twice as wide as the model's input: large."""
    picture = Image.new("RGB", (left.width + right.width, left.height))
    picture.paste(left, (0, 0))
    picture.paste(right, (left.width, 0))
    return picture


def flat(found: Sequence[Detection]) -> NDArray[np.float64]:
    """Numbers of detections, ``(n, 5)``, to compare."""
    return np.array([(*each.box, each.confidence) for each in found]).reshape(-1, 5)


@pytest.mark.parametrize("slicing", ["always", "selective"])
@pytest.mark.parametrize("mirrored", [False, True])
def test_a_slice_s_box_lies_on_the_ball_in_the_whole_image(
    reference: DFine, frames: Frames, slicing: str, mirrored: bool
) -> None:
    """The ball stands in the right half, which is a slice of its own: its box is moved there."""
    detector, _ = looking(reference, Looks(slicing, SIDE, (0.15, 0.6), mirrored))
    found = detect_pictures(detector, [beside(frames.empty, frames.ball)])[0]
    where = Box(*(edge + (SIDE if k % 2 == 0 else 0) for k, edge in enumerate(frames.where)))
    assert iou(top(found).box, where) > 0.5
    alone = top(detect_pictures(reference, [frames.ball])[0])
    assert top(found).confidence >= alone.confidence - 1e-4
    assert all(0 <= each.box.x0 < each.box.x1 <= 2 * SIDE and each.box.y1 <= SIDE for each in found)


def test_batches_span_images(reference: DFine, frames: Frames) -> None:
    """Five inputs an image, four at a time: only the last batch is not full, and each image gets its own boxes."""
    looks = Looks("always", 384)
    detector, engine = looking(reference, looks)
    pictures = [frames.ball, frames.empty, frames.ball]
    together = detect_pictures(detector, pictures)
    assert engine.batches == [4, 4, 4, 3]
    for picture, found in zip(pictures, together, strict=True):
        alone = detect_pictures(looking(reference, looks)[0], [picture])[0]
        np.testing.assert_allclose(flat(found), flat(alone), atol=1e-2)


def test_selective_looks_closer_only_where_the_score_is_undecided(reference: DFine, frames: Frames) -> None:
    """A sure ball and a sure nothing cost one input each; an undecided one costs four more, as always would."""
    pictures = [frames.ball, frames.empty]
    plain = detect_pictures(reference, pictures)
    detector, engine = looking(reference, Looks("selective", 384, (0.15, 0.6)))
    found = detect_pictures(detector, pictures)
    assert engine.batches == [2]
    for one, other in zip(found, plain, strict=True):
        np.testing.assert_allclose(flat(one), flat(other), atol=1e-2)
    detector, engine = looking(reference, Looks("selective", 384, (0.0, 0.15)))
    found = detect_pictures(detector, pictures)
    assert engine.batches == [2, 4]
    np.testing.assert_allclose(flat(found[0]), flat(plain[0]), atol=1e-2)
    always = detect_pictures(looking(reference, Looks("always", 384))[0], [frames.empty])[0]
    np.testing.assert_allclose(flat(found[1]), flat(always), atol=1e-2)


def test_selective_looks_closer_at_large_images_however_sure(reference: DFine, frames: Frames) -> None:
    """Of a picture twice the model's input too much is lost in the whole look to trust its score."""
    detector, engine = looking(reference, Looks("selective", SIDE, (0.5, 0.5)))
    detect_pictures(detector, [frames.ball, beside(frames.empty, frames.ball)])
    assert engine.batches == [2, 3]
