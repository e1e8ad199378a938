"""A real, tiny D-FINE through the reference engine, from a checkpoint folder to stored scores."""

from collections.abc import Sequence
from pathlib import Path

import pytest
import torch
from PIL import Image, ImageDraw

from app.config import Settings
from app.detector.base import Prepared, detect_pictures
from app.detector.checkpoints import find_checkpoint
from app.detector.dfine import TorchDFine, load_detector
from app.domain.detections import Detection
from app.domain.scoring import image_score
from app.errors import DetectorError, UnknownClassError
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
def detector(tiny_dfine: Path) -> TorchDFine:
    """The engine with the tiny checkpoint; a floor so low that random weights give boxes."""
    return load_detector(settings_of(Settings(), tiny_dfine).detector)


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


def test_the_detector_says_who_it_is(detector: TorchDFine, tiny_dfine: Path) -> None:
    """Identity by weights, preprocessing and input size; classes in the model's own order."""
    assert detector.class_names == ("person", "sports ball")
    assert (detector.identity.model, detector.identity.input_size) == (str(tiny_dfine), 128)
    assert detector.identity.weights_sha256 == find_checkpoint(str(tiny_dfine), None).weights_sha256()
    assert (detector.runtime.backend, detector.runtime.device, detector.runtime.precision) == (
        "torch",
        "cpu",
        "float32",
    )


def test_boxes_lie_in_their_picture_strongest_first(detector: TorchDFine) -> None:
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


def test_no_pictures_are_no_work(detector: TorchDFine) -> None:
    """A batch in which nothing could be decoded does not reach the model."""
    assert detector.detect([]) == []


def test_the_batch_does_not_change_a_score(detector: TorchDFine) -> None:
    """Alone or together an image scores the same, so a halved batch and a resumed scan agree."""
    together = detect_pictures(detector, pictures())
    alone = [detect_pictures(detector, [picture])[0] for picture in pictures()]
    for one, other in zip(together, alone, strict=True):
        for target in (("person",), ("sports ball",)):
            assert image_score(one, target) == pytest.approx(image_score(other, target), abs=1e-5)


def test_the_same_picture_gives_the_same_answer(detector: TorchDFine) -> None:
    """Twice, to the last digit."""
    assert flat(detect_pictures(detector, pictures())) == flat(detect_pictures(detector, pictures()))


def test_the_floor_keeps_weak_boxes_out(detector: TorchDFine, tiny_dfine: Path, settings: Settings) -> None:
    """With a higher floor there are fewer boxes, and it is another identity."""
    strict = load_detector(settings_of(settings, tiny_dfine, floor=1.0).detector)
    assert detect_pictures(strict, pictures()) == [[], [], []]
    assert strict.identity.key != detector.identity.key


def test_an_unknown_target_class_is_refused_with_the_nearest(tiny_dfine: Path, settings: Settings) -> None:
    """``football`` at a model of COCO's classes leads to ``sports ball``."""
    with pytest.raises(
        UnknownClassError, match=r"detector\.target_classes: the model has no class 'football'.*'sports ball'"
    ):
        load_detector(settings_of(settings, tiny_dfine, target_classes=("football",)).detector)


@pytest.mark.skipif(torch.cuda.is_available(), reason="there is a GPU")
def test_a_gpu_that_is_not_there_is_said(tiny_dfine: Path, settings: Settings) -> None:
    """``detector.device: cuda`` without one names the key and what to set."""
    with pytest.raises(DetectorError, match=r"detector\.device: cuda is asked for.*set it to auto or cpu"):
        load_detector(settings_of(settings, tiny_dfine, device="cuda").detector)


class OutOfMemoryAt(TorchDFine):
    """The engine on a device that holds only so many pictures at once."""

    holds = 1

    def _detect_at_once(self, prepared: Sequence[Prepared]) -> list[list[Detection]]:
        if len(prepared) > self.holds:
            msg = "CUDA out of memory"
            raise torch.OutOfMemoryError(msg)
        return super()._detect_at_once(prepared)


@pytest.fixture
def cramped(tiny_dfine: Path, settings: Settings) -> OutOfMemoryAt:
    """The tiny checkpoint on a device with hardly any memory."""
    return OutOfMemoryAt(find_checkpoint(str(tiny_dfine), None), settings_of(settings, tiny_dfine).detector)


def test_out_of_memory_halves_the_batch_and_goes_on(cramped: OutOfMemoryAt, detector: TorchDFine) -> None:
    """The answers are in their order, as if nothing had happened."""
    expected = [detect_pictures(detector, [picture])[0] for picture in pictures()]
    assert flat(detect_pictures(cramped, pictures())) == flat(expected)


def test_out_of_memory_with_a_single_picture_says_so(cramped: OutOfMemoryAt) -> None:
    """There is nothing left to halve."""
    cramped.holds = 0
    with pytest.raises(DetectorError, match="out of memory on cpu with a single image"):
        detect_pictures(cramped, pictures())


def test_a_scan_with_a_real_d_fine(workshop: Workshop, detector: TorchDFine, tiny_dfine: Path) -> None:
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
