"""Other detectors of transformers: they load through their own processor, and say that they are untested."""

import json
from pathlib import Path

import pytest
import torch
from PIL import Image
from transformers import YolosConfig, YolosForObjectDetection

from app.config import DetectorSettings
from app.detector.base import detect_pictures
from app.detector.checkpoints import find_checkpoint
from app.detector.loading import load_detector
from app.errors import DetectorError, UnknownClassError
from app.files.caching import FolderCache
from app.services.detectors import shipped_canaries


@pytest.fixture(scope="module")
def yolos(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A real, tiny YOLOS of random weights, which keeps proportions and pads."""
    torch.manual_seed(3)
    folder = tmp_path_factory.mktemp("yolos")
    config = YolosConfig(
        hidden_size=32,
        num_hidden_layers=2,
        num_attention_heads=4,
        intermediate_size=64,
        image_size=[64, 96],
        patch_size=16,
        num_detection_tokens=10,
        id2label={0: "person", 1: "sports ball"},
        label2id={"person": 0, "sports ball": 1},
    )
    YolosForObjectDetection(config).save_pretrained(folder)
    told = {"image_processor_type": "YolosImageProcessor", "size": {"shortest_edge": 64, "longest_edge": 96}}
    (folder / "preprocessor_config.json").write_text(json.dumps(told))
    return folder


def settings_for(folder: Path, **values: object) -> DetectorSettings:
    """Settings that name it."""
    return DetectorSettings(**{"model": str(folder), "target_classes": ("sports ball",), "floor": 0.01, **values})


def test_it_detects_in_pixels_of_the_picture(yolos: Path, tmp_path: Path) -> None:
    """Above the floor, strongest first, of its own classes, marked untested."""
    assert not find_checkpoint(str(yolos), None).tested
    detector = load_detector(settings_for(yolos), FolderCache(tmp_path), shipped_canaries)
    found = detect_pictures(detector, [Image.new("RGB", size, "green") for size in ((200, 100), (50, 80))])
    for (width, height), detections in zip(((200, 100), (50, 80)), found, strict=True):
        assert detections
        confidences = [each.confidence for each in detections]
        assert confidences == sorted(confidences, reverse=True)
        assert {each.class_name for each in detections} <= {"person", "sports ball"}
        assert all(0 <= each.box.x0 < each.box.x1 <= width for each in detections)
        assert all(0 <= each.box.y0 < each.box.y1 <= height for each in detections)
    assert "untested" in detector.runtime.fingerprint
    assert len(detector.identity.weights_sha256) == 64


@pytest.mark.parametrize(
    ("name", "value"), [("input_size", 640), ("slicing", "always"), ("mirror", True), ("backend", "openvino")]
)
def test_settings_that_it_cannot_follow_are_refused(yolos: Path, tmp_path: Path, name: str, value: object) -> None:
    """Rather than silently not followed."""
    with pytest.raises(DetectorError, match=rf"detector\.{name}: "):
        load_detector(settings_for(yolos, **{name: value}), FolderCache(tmp_path), shipped_canaries)


def test_an_unknown_class_is_refused(yolos: Path, tmp_path: Path) -> None:
    """As with any detector."""
    with pytest.raises(UnknownClassError, match="did you mean 'sports ball'"):
        load_detector(settings_for(yolos, target_classes=("football",)), FolderCache(tmp_path), shipped_canaries)
