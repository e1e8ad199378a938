"""RT-DETR and RT-DETR v2, which our own engines run too: they load, find boxes, and are marked untested."""

import subprocess
from pathlib import Path

import pytest
import torch
from transformers import (
    RTDetrConfig,
    RTDetrForObjectDetection,
    RTDetrImageProcessor,
    RTDetrResNetConfig,
    RTDetrV2Config,
    RTDetrV2ForObjectDetection,
)

from app.config import Settings
from app.detector.base import detect_pictures
from app.detector.dfine import DFine
from app.detector.loading import load_detector
from app.files.caching import FolderCache
from app.services.detectors import shipped_canaries
from tests.cli.test_commands import run
from tests.parts import Browser, Workshop

SIDE = 128
KINDS = {
    "rt_detr": (RTDetrConfig, RTDetrForObjectDetection),
    "rt_detr_v2": (RTDetrV2Config, RTDetrV2ForObjectDetection),
}
FILES = {"football/yes.png": 250, "background/no.png": 0}


@pytest.fixture(scope="module", params=KINDS)
def folder(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A checkpoint folder of random weights, as small as its configuration allows, with two classes."""
    torch.manual_seed(5)
    make_config, make_model = KINDS[request.param]
    config = make_config(
        backbone_config=RTDetrResNetConfig(
            embedding_size=8,
            hidden_sizes=[8, 16, 32, 64],
            depths=[1, 1, 1, 1],
            layer_type="basic",
            out_features=["stage2", "stage3", "stage4"],
        ),
        encoder_hidden_dim=32,
        encoder_in_channels=[16, 32, 64],
        encoder_ffn_dim=32,
        encoder_attention_heads=4,
        decoder_in_channels=[32, 32, 32],
        d_model=32,
        decoder_layers=2,
        decoder_ffn_dim=32,
        decoder_attention_heads=4,
        num_queries=20,
        num_denoising=0,
        id2label={0: "person", 1: "sports ball"},
        label2id={"person": 0, "sports ball": 1},
    )
    model = make_model(config)
    give_opinion(model)
    made = tmp_path_factory.mktemp(request.param)
    model.save_pretrained(made)
    RTDetrImageProcessor(size={"height": SIDE, "width": SIDE}, do_normalize=False).save_pretrained(made)
    return made


@torch.no_grad()
def give_opinion(model: torch.nn.Module) -> None:
    """Fresh weights find all places of an image alike: which of them become queries would be rounding's choice."""
    for name, parameter in model.named_parameters():
        if parameter.dim() > 1 and ("enc_score_head" in name or "class_embed" in name):
            torch.nn.init.normal_(parameter)


def settings_for(settings: Settings, folder: Path) -> Settings:
    """Settings that name it, on an engine that need not export it."""
    told = {"model": str(folder), "target_classes": ("sports ball",), "backend": "torch", "device": "cpu"}
    told |= {"precision": "float32", "floor": 0.001, "threads": 1}
    return settings.model_copy(update={"detector": settings.detector.model_copy(update=told)})


def test_it_runs_on_our_own_engines(folder: Path, settings: Settings, tmp_path: Path) -> None:
    """Through the faith gate like D-FINE; boxes in pixels of the picture, above the floor."""
    chosen = settings_for(settings, folder).detector
    detector = load_detector(chosen, FolderCache(tmp_path / "cache"), shipped_canaries)
    assert isinstance(detector, DFine)
    picture = shipped_canaries()[0]
    found = detect_pictures(detector, [picture])[0]
    assert found
    assert all(0 <= each.box.x0 < each.box.x1 <= picture.width for each in found)
    assert {each.class_name for each in found} <= {"person", "sports ball"}
    assert detector.runtime.tested is False


def test_the_pages_and_the_api_mark_it(folder: Path, workshop: Workshop, browser: Browser) -> None:
    """Wherever its scan is shown; a scan with a detector that is tested carries no mark."""
    workshop.ready(FILES)
    assert browser.get("/api/scans/1").json()["detector"]["tested"] is True
    pages = ("/scans/1", "/scans?dataset=1", "/?dataset=1", "/report?dataset=1")
    assert [page for page in pages if "untested" in browser.get(page).text.lower()] == []
    chosen = settings_for(workshop.settings, folder)
    detector = load_detector(chosen.detector, FolderCache(chosen.data_dir / "cache"), shipped_canaries)
    assert workshop.scan(1, detector, chosen).status == "done"
    image_id = workshop.image_id(1, "football/yes.png")
    pages = ("/scans/2", "/scans?dataset=1", "/?dataset=1", "/report?dataset=1", f"/images/{image_id}")
    assert [page for page in (*pages, "/scans/compare?a=1&b=2") if "(untested" not in browser.get(page).text] == []
    assert browser.get("/api/scans/2").json()["detector"]["tested"] is False


@pytest.mark.parametrize("folder", ["rt_detr_v2"], indirect=True)
def test_the_command_says_it_after_a_scan(folder: Path, workshop: Workshop, tmp_path: Path) -> None:
    """In the line that tells how the scan ended."""
    root = workshop.fill(FILES)
    told = settings_for(workshop.settings, folder).detector
    environment = {
        "TOUCHLINE_DETECTOR__MODEL": str(folder),
        "TOUCHLINE_DETECTOR__TARGET_CLASSES": '["sports ball"]',
        "TOUCHLINE_DETECTOR__BACKEND": told.backend,
        "TOUCHLINE_DETECTOR__DEVICE": told.device,
    }
    run(tmp_path, "add", str(root))
    ended: subprocess.CompletedProcess[str] = run(tmp_path, "scan", "frames", "--wait", **environment)
    assert ended.returncode == 0, ended.stderr
    assert "its detector is untested" in ended.stdout
