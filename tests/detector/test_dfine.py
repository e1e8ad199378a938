"""A real, tiny D-FINE through the reference engine, from a checkpoint folder to stored scores."""

from pathlib import Path

import numpy as np
import pytest
import torch
from numpy.typing import NDArray
from PIL import Image, ImageDraw
from transformers import AutoImageProcessor, DFineForObjectDetection

from app.config import Settings
from app.detector.backends.torch import TorchEngine
from app.detector.base import detect_pictures
from app.detector.checkpoints import find_checkpoint
from app.detector.decoding import Outputs
from app.detector.dfine import DFine
from app.detector.engines import Candidate
from app.detector.loading import load_reference
from app.detector.network import load_network
from app.detector.preprocessing import read_preprocessing
from app.domain.detections import Detection
from app.domain.scoring import image_score
from app.errors import DetectorError, UnknownClassError
from app.files.caching import FolderCache
from tests.detector.conftest import SIDE
from tests.parts import Workshop


def settings_of(settings: Settings, folder: Path, **values: object) -> Settings:
    """Settings that name the tiny checkpoint."""
    detector = {
        "model": str(folder),
        "target_classes": ("sports ball",),
        "device": "cpu",
        "floor": 0.001,
        "threads": 1,
        **values,
    }
    return settings.model_copy(update={"detector": settings.detector.model_copy(update=detector)})


@pytest.fixture(scope="module")
def cache(tmp_path_factory: pytest.TempPathFactory) -> FolderCache:
    """Where nothing has to be kept: the reference is not exported."""
    return FolderCache(tmp_path_factory.mktemp("cache"))


@pytest.fixture(scope="module")
def detector(tiny_dfine: Path, cache: FolderCache) -> DFine:
    """The reference with the tiny checkpoint; a floor so low that random weights give boxes."""
    return load_reference(settings_of(Settings(), tiny_dfine).detector, cache)


def pictures() -> list[Image.Image]:
    """Three pictures of different sizes."""
    found = []
    for number, size in enumerate([(160, 90), (50, 200), (128, 128)]):
        picture = Image.new("RGB", size, (40, 120 + 30 * number, 50))
        ImageDraw.Draw(picture).ellipse((10, 10, 40, 40), "white")
        found.append(picture)
    return found


def flat(found: list[list[Detection]]) -> list[list[float]]:
    """Numbers of detections, to compare."""
    return [[value for each in image for value in (*each.box, each.confidence)] for image in found]


def test_the_detector_says_who_it_is(detector: DFine, tiny_dfine: Path) -> None:
    """Identity by weights, preprocessing and input size; classes in the model's own order."""
    assert detector.class_names == ("person", "sports ball")
    assert (detector.identity.model, detector.identity.input_size) == (str(tiny_dfine), 128)
    assert detector.identity.weights_sha256 == find_checkpoint(str(tiny_dfine), None).weights_sha256()
    assert (detector.runtime.backend, detector.runtime.device, detector.runtime.precision) == (
        "torch",
        "cpu",
        "float32",
    )


def test_boxes_lie_in_their_picture_strongest_first(detector: DFine) -> None:
    """In pixels of each picture, clipped to it, with a confidence above the floor and a class of the model."""
    found = detect_pictures(detector, pictures())
    assert len(found) == 3
    for image, detections in zip(pictures(), found, strict=True):
        assert detections
        confidences = [each.confidence for each in detections]
        assert confidences == sorted(confidences, reverse=True)
        assert all(0.001 <= each.confidence <= 1 and each.class_name in detector.class_names for each in detections)
        assert all(0 <= each.box.x0 < each.box.x1 <= image.width for each in detections)
        assert all(0 <= each.box.y0 < each.box.y1 <= image.height for each in detections)


def test_no_pictures_are_no_work(detector: DFine) -> None:
    """A batch in which nothing could be decoded does not reach the model."""
    assert detector.detect([]) == []


def test_the_batch_does_not_change_a_score(detector: DFine) -> None:
    """Alone or together an image scores the same, so a halved batch and a resumed scan agree."""
    together = detect_pictures(detector, pictures())
    alone = [detect_pictures(detector, [picture])[0] for picture in pictures()]
    for one, other in zip(together, alone, strict=True):
        for target in (("person",), ("sports ball",)):
            assert image_score(one, target) == pytest.approx(image_score(other, target), abs=1e-5)


def test_the_same_picture_gives_the_same_answer(detector: DFine) -> None:
    """Twice, to the last digit."""
    assert flat(detect_pictures(detector, pictures())) == flat(detect_pictures(detector, pictures()))


def test_the_floor_keeps_weak_boxes_out(
    detector: DFine, tiny_dfine: Path, settings: Settings, cache: FolderCache
) -> None:
    """With a higher floor there are fewer boxes, and it is another identity."""
    strict = load_reference(settings_of(settings, tiny_dfine, floor=1.0).detector, cache)
    assert detect_pictures(strict, pictures()) == [[], [], []]
    assert strict.identity.key != detector.identity.key


def test_an_unknown_target_class_is_refused_with_the_nearest(
    tiny_dfine: Path, settings: Settings, cache: FolderCache
) -> None:
    """``football`` at a model of COCO's classes leads to ``sports ball``."""
    with pytest.raises(
        UnknownClassError, match=r"detector\.target_classes: the model has no class 'football'.*'sports ball'"
    ):
        load_reference(settings_of(settings, tiny_dfine, target_classes=("football",)).detector, cache)


@pytest.mark.skipif(torch.cuda.is_available(), reason="there is a GPU")
def test_a_gpu_that_is_not_there_is_said(tiny_dfine: Path, settings: Settings, cache: FolderCache) -> None:
    """``detector.device: cuda`` without one names the key and what to set."""
    with pytest.raises(DetectorError, match=r"detector\.device: cuda is asked for.*set it to auto or cpu"):
        load_reference(settings_of(settings, tiny_dfine, device="cuda").detector, cache)


class OutOfMemoryAt(TorchEngine):
    """The engine on a device that holds only so many pictures at once."""

    holds = 1

    def _infer_at_once(self, pixels: NDArray[np.uint8]) -> Outputs:
        if len(pixels) > self.holds:
            msg = "CUDA out of memory"
            raise torch.OutOfMemoryError(msg)
        return super()._infer_at_once(pixels)


@pytest.fixture
def cramped(tiny_dfine: Path) -> OutOfMemoryAt:
    """The tiny checkpoint on a device with hardly any memory."""
    network = load_network(tiny_dfine, read_preprocessing(tiny_dfine))
    return OutOfMemoryAt(network, Candidate("torch", "cpu", "float32"), reference=True)


def pixels() -> NDArray[np.uint8]:
    """Three inputs of the tiny checkpoint."""
    return np.random.default_rng(3).integers(0, 255, (3, 3, SIDE, SIDE), dtype=np.uint8)


def test_out_of_memory_halves_the_batch_and_goes_on(cramped: OutOfMemoryAt, detector: DFine) -> None:
    """The answers are in their order, as if nothing had happened."""
    expected = [detector.engine.infer(each[None]) for each in pixels()]
    for found, parts in zip(cramped.infer(pixels()), zip(*expected, strict=True), strict=True):
        np.testing.assert_allclose(found, np.concatenate(parts), atol=1e-6)


def test_out_of_memory_with_a_single_picture_says_so(cramped: OutOfMemoryAt) -> None:
    """There is nothing left to halve."""
    cramped.holds = 0
    with pytest.raises(DetectorError, match="out of memory on cpu with a single image"):
        cramped.infer(pixels())


def in_order(boxes: list[list[float]]) -> list[list[float]]:
    """By place: random weights give boxes of the same confidence, whose order means nothing."""
    return sorted(boxes, key=lambda box: [round(value, 1) for value in box])


def test_the_reference_is_what_transformers_gives(detector: DFine, tiny_dfine: Path) -> None:
    """Our preprocessing, graph and decoding against its processor, model and post-processing."""
    processor = AutoImageProcessor.from_pretrained(tiny_dfine, backend="pil")
    model = DFineForObjectDetection.from_pretrained(tiny_dfine).eval()
    for picture, found in zip(pictures(), detect_pictures(detector, pictures()), strict=True):
        with torch.inference_mode():
            outputs = model(**processor(images=picture, return_tensors="pt"))
        size = torch.tensor([picture.size[::-1]])
        wanted = processor.post_process_object_detection(outputs, threshold=0.001, target_sizes=size)[0]
        assert [each.confidence for each in found] == pytest.approx(wanted["scores"].tolist(), abs=1e-5)
        boxes = [list(each.box) for each in found]
        expected = wanted["boxes"].clamp(min=0).minimum(torch.tensor([*picture.size] * 2)).tolist()
        np.testing.assert_allclose(in_order(boxes), in_order(expected), atol=1e-3)


def test_a_scan_with_a_real_d_fine(workshop: Workshop, detector: DFine, tiny_dfine: Path) -> None:
    """Scores, boxes and the detector's identity are stored; a second scan reuses them."""
    for number, picture in enumerate(pictures()):
        for label in ("football", "background"):
            path = workshop.folder / "frames" / label / f"{number}.png"
            path.parent.mkdir(parents=True, exist_ok=True)
            picture.save(path)
    workshop.add(workshop.folder / "frames")
    chosen = settings_of(workshop.settings, tiny_dfine)
    first = workshop.scan(1, detector, chosen)
    second = workshop.scan(1, detector, chosen)
    assert (first.status, first.scored, second.scored, second.reused) == ("done", 6, 0, 6)
    assert first.detector is not None
    assert first.detector.weights_sha256 == detector.identity.weights_sha256
    expected = image_score(detect_pictures(detector, pictures())[0], ("sports ball",))
    item = workshop.items(1)["football/0.png"]
    assert item.record.score == pytest.approx(expected, abs=1e-5)
    assert len(item.boxes) == len(detect_pictures(detector, pictures())[0])
