"""The checkpoint that ships with Touchline: its form, and that it finds balls."""

import io
import json
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image
from safetensors import safe_open
from sqlalchemy import text
from transformers import DFineForObjectDetection

from app.config import DetectorSettings
from app.demo.dataset import FOOTBALL, Contamination, draw_planned, plan_demo
from app.detector.loading import load_reference
from app.detector.network import FEATURES
from app.files.caching import FolderCache
from tests.parts import Workshop

CHECKPOINT = Path(__file__).parents[2] / "app" / "demo" / "checkpoint"


@pytest.fixture(scope="module")
def model() -> DFineForObjectDetection:
    """The checkpoint as transformers loads it, with no option given."""
    return DFineForObjectDetection.from_pretrained(CHECKPOINT).eval()


def test_the_checkpoint_is_small() -> None:
    """Everything that ships stays within 16 MB."""
    assert sum(path.stat().st_size for path in CHECKPOINT.iterdir()) <= 16_000_000


def test_the_checkpoint_is_a_one_class_d_fine() -> None:
    """It is D-FINE by its configuration, and its only class is `football`."""
    config = json.loads((CHECKPOINT / "config.json").read_text("utf-8"))
    assert (config["model_type"], config["architectures"]) == ("d_fine", ["DFineForObjectDetection"])
    assert config["id2label"] == {"0": "football"}
    assert (config["eval_size"], config["anchor_image_size"]) == (None, None)


def test_weights_are_stored_in_half_precision_and_loaded_in_single(model: DFineForObjectDetection) -> None:
    """The file holds fp16; the loaded model computes in fp32, because fp16 gives NaN on a CPU."""
    with safe_open(CHECKPOINT / "model.safetensors", "pt") as weights:
        stored = {str(weights.get_tensor(name).dtype) for name in weights.keys()}  # noqa: SIM118 - not a dict
    assert "torch.float16" in stored
    assert "torch.float32" not in stored
    assert {parameter.dtype for parameter in model.parameters()} == {torch.float32}


def test_the_processor_resizes_to_640_and_does_not_normalise() -> None:
    """The network was trained on values 0 to 1 at 640 x 640."""
    processor = json.loads((CHECKPOINT / "preprocessor_config.json").read_text("utf-8"))
    assert processor["size"] == {"height": 640, "width": 640}
    assert (processor["do_resize"], processor["do_rescale"], processor["do_normalize"]) == (True, True, False)


def test_a_model_card_says_where_the_weights_come_from() -> None:
    """The card names the licence, the data and the commands."""
    card = (CHECKPOINT / "README.md").read_text("utf-8")
    for needed in ("Apache-2.0", "scripts/train_builtin.py", "scripts/evaluate_builtin.py", "Limits"):
        assert needed in card


@pytest.fixture(scope="module")
def judged(model: DFineForObjectDetection) -> tuple[np.ndarray, np.ndarray, list[bool]]:
    """Truth and scores of sixty demo frames, and for each ball whether the best box is on it."""
    truth, scores, placed = [], [], []
    for plan in plan_demo(60, 777, Contamination.SEED):
        data, boxes = draw_planned(plan)
        pixels = torch.tensor(np.asarray(Image.open(io.BytesIO(data)))).permute(2, 0, 1)[None].float() / 255
        with torch.inference_mode():
            outputs = model(pixel_values=pixels)
        best = int(outputs.logits[0, :, 0].argmax())
        truth.append(plan.true_label == FOOTBALL)
        scores.append(float(outputs.logits[0, best, 0].sigmoid()))
        if boxes:
            x, y = (outputs.pred_boxes[0, best, :2] * 640).tolist()
            (x0, y0, x1, y1) = boxes[0]
            placed.append(x0 - 3 <= x <= x1 + 3 and y0 - 3 <= y <= y1 + 3)
    return np.array(truth), np.array(scores), placed


def test_scores_tell_balls_from_empty_frames(judged: tuple[np.ndarray, np.ndarray, list[bool]]) -> None:
    """Of a ball and an empty frame the ball's scores higher in more than 93 of 100 pairs."""
    truth, scores, _ = judged
    pairs = scores[truth][:, None] - scores[~truth][None]
    assert np.mean((pairs > 0) + 0.5 * (pairs == 0)) > 0.93


def test_the_best_box_lies_on_the_ball(judged: tuple[np.ndarray, np.ndarray, list[bool]]) -> None:
    """The centre of the most confident box is on the ball in most frames."""
    assert np.mean(judged[2]) > 0.75


def test_a_scan_with_the_checkpoint_stores_features_of_every_image(workshop: Workshop, tmp_path: Path) -> None:
    """Half a kilobyte each, unlike each other, and those that were stored are those that the detector gives."""
    root = tmp_path / "frames"
    for number, planned in enumerate(plan_demo(4, 3, Contamination.NONE)):
        path = root / (FOOTBALL if number % 2 else "background") / f"{number}.jpg"
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(draw_planned(planned)[0])
    detector = load_reference(DetectorSettings(), FolderCache(tmp_path / "cache"))
    workshop.add(root)
    assert workshop.scan(1, detector).scored == 4
    with workshop.database.read() as session:
        rows = session.execute(text("SELECT vector, brightness, sharpness FROM features ORDER BY image_id")).all()
    vectors = np.stack([np.frombuffer(row.vector, "<f2").astype(np.float32) for row in rows])
    assert vectors.shape == (4, FEATURES)
    assert np.isfinite(vectors).all()
    assert np.abs(vectors[0] - vectors[1]).max() > 0.05
    assert all(0 < row.brightness < 1 and 0 < row.sharpness < 1 for row in rows)
