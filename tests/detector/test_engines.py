"""Every engine against the reference, and the faith gate that stands between an engine and the scores."""

import importlib.util
import json
import shutil
import subprocess
import sys
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from types import ModuleType

import numpy as np
import onnx
import pytest
import torch
from numpy.typing import NDArray
from PIL import Image
from transformers import DFineForObjectDetection

from app.config import DetectorSettings
from app.detector import gate
from app.detector.base import Runtime, detect_pictures
from app.detector.dfine import DFine, Looks
from app.detector.engines import Candidate, Engine
from app.detector.exporting import find_or_export
from app.detector.loading import load_detector, load_reference
from app.detector.network import FEATURES
from app.detector.preprocessing import read_preprocessing
from app.domain.detections import Detection
from app.domain.faith import MIN_CANARIES, FaithRules
from app.errors import DetectorError
from app.files.caching import FolderCache
from app.services.detectors import shipped_canaries
from tests.detector.conftest import SIDE

ROOT = Path(__file__).resolve().parents[2]
NO_CACHE = FolderCache(ROOT / "var")  # the reference of a folder keeps nothing


def settings_for(folder: Path, **values: object) -> DetectorSettings:
    """Settings that name a checkpoint of random weights, which is unsure of everything."""
    told = {"model": str(folder), "target_classes": ("sports ball",), "floor": 0.001, "threads": 1, **values}
    return DetectorSettings(**told)


@pytest.fixture(scope="module")
def exported(tmp_path_factory: pytest.TempPathFactory, tiny_dfine: Path) -> Path:
    """A cache in which the tiny checkpoint has been exported and every engine was let in."""
    folder = tmp_path_factory.mktemp("cache")
    for backend in ("openvino", "onnxruntime"):
        settings = settings_for(tiny_dfine, backend=backend, precision="float32")
        assert load_detector(settings, FolderCache(folder), shipped_canaries).runtime.backend == backend
    return folder


def no_canaries() -> Sequence[Image.Image]:
    """For where the figures are known already."""
    raise AssertionError("the canaries were asked for")


def strongest(detector: DFine) -> list[Detection]:
    """What a detector is surest of in some of the canaries."""
    found = detect_pictures(detector, shipped_canaries()[:4])
    return [image[0] for image in found]


def test_there_are_enough_canaries() -> None:
    """They ship, they can be opened, and half of them hold a ball that the built-in model sees."""
    assert len(shipped_canaries()) >= MIN_CANARIES


@pytest.mark.parametrize("backend", ["torch", "openvino", "onnxruntime"])
def test_every_engine_sees_what_the_reference_sees(tiny_dfine: Path, exported: Path, backend: str) -> None:
    """The strongest box of an image is the same one, up to rounding."""
    cache = FolderCache(exported)
    settings = settings_for(tiny_dfine, backend=backend, precision="float32")
    detector = load_detector(settings, cache, shipped_canaries)
    assert isinstance(detector, DFine)
    assert (detector.runtime.backend, detector.runtime.precision) == (backend, "float32")
    for one, other in zip(strongest(detector), strongest(load_reference(settings, cache)), strict=True):
        assert one.class_name == other.class_name
        assert one.confidence == pytest.approx(other.confidence, abs=1e-4)
        assert tuple(one.box) == pytest.approx(tuple(other.box), abs=0.05)


@pytest.mark.parametrize("backend", ["torch", "openvino", "onnxruntime"])
def test_every_engine_gives_the_same_features(tiny_dfine: Path, exported: Path, backend: str) -> None:
    """What a scan on one machine stored may be compared with what another one stores."""
    settings = settings_for(tiny_dfine, backend=backend, precision="float32")
    detector = load_detector(settings, FolderCache(exported), shipped_canaries)
    assert isinstance(detector, DFine)
    pixels = np.random.default_rng(5).integers(0, 255, (3, 3, SIDE, SIDE), dtype=np.uint8)
    wanted = load_reference(settings, NO_CACHE).engine.infer(pixels)[2]
    assert wanted.shape == (3, FEATURES)
    assert wanted.std(axis=0).max() > 0
    np.testing.assert_allclose(detector.engine.infer(pixels)[2], wanted, atol=1e-3 * np.abs(wanted).max())


def test_what_is_exported_is_folded(exported: Path) -> None:
    """The graph that OpenVINO and ONNX Runtime read holds convolutions and no batch-norm."""
    kinds = {node.op_type for node in onnx.load(next(exported.rglob("network.onnx"))).graph.node}
    assert "Conv" in kinds
    assert not {kind for kind in kinds if "BatchNorm" in kind}


def test_slices_and_mirror_images_leave_the_features_alone(tiny_dfine: Path) -> None:
    """They are those of the whole image, whatever else is looked at."""
    plain = features_of(load_reference(settings_for(tiny_dfine), NO_CACHE))
    settings = settings_for(tiny_dfine, slicing="always", slice_px=64, mirror=True)
    closer = features_of(load_reference(settings, NO_CACHE))
    np.testing.assert_allclose(closer, plain, atol=1e-2 * np.abs(plain).max())


def features_of(detector: DFine) -> NDArray[np.float32]:
    """Features of some of the canaries, ``(4, k)``."""
    sights = detector.look([detector.prepare(each, each.width, each.height) for each in shipped_canaries()[:4]])
    return np.stack([np.frombuffer(sight.features or b"", "<f2").astype(np.float32) for sight in sights])


def test_the_figures_are_kept_for_the_next_start(tiny_dfine: Path, exported: Path) -> None:
    """No canary is looked at again, and the figures come with the engine."""
    settings = settings_for(tiny_dfine, backend="openvino", precision="float32")
    detector = load_detector(settings, FolderCache(exported), no_canaries)
    assert detector.runtime.gate is not None
    assert detector.runtime.gate["canaries"] >= MIN_CANARIES
    assert detector.runtime.gate["detections"] > 0
    assert detector.runtime.gate["min_iou"] > 0.95
    assert "openvino" in detector.runtime.fingerprint


def test_another_threshold_or_target_is_judged_anew(tiny_dfine: Path, exported: Path) -> None:
    """The verdict was on flags at one threshold; at another they may turn."""
    settings = settings_for(tiny_dfine, backend="openvino", precision="float32", threshold=0.3)
    with pytest.raises(AssertionError, match="canaries were asked for"):
        load_detector(settings, FolderCache(exported), no_canaries)


def test_too_few_canaries_let_nobody_in(tiny_dfine: Path, tmp_path: Path, exported: Path) -> None:
    """The reference itself does the work then, and says why."""
    cache = FolderCache(copy_networks(exported, tmp_path))
    settings = settings_for(tiny_dfine, backend="openvino", precision="float32")
    detector = load_detector(settings, cache, lambda: shipped_canaries()[:10])
    assert detector.runtime.backend == "torch"
    assert "only 10 canary images" in detector.runtime.refused[0]


class OnCuda:
    """A real engine that passes for one on a GPU."""

    def __init__(self, engine: Engine) -> None:
        self._engine = engine
        self.parallel = engine.parallel
        self.infer = engine.infer

    @property
    def runtime(self) -> Runtime:
        """See :class:`app.detector.engines.Engine`."""
        return replace(self._engine.runtime, device="cuda")


def test_a_verdict_does_not_outlive_the_gpu(tiny_dfine: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Another card or driver is judged anew, the one of before is remembered; on a CPU nobody asks for a GPU."""
    asked: list[int] = []

    def canaries() -> Sequence[Image.Image]:
        asked.append(1)
        return shipped_canaries()[:2]  # too few to pass, which is a verdict like any other

    def times_asked(gpu: str, engine: Engine) -> int:
        monkeypatch.setattr(gate, "describe_gpu", lambda: gpu)
        judge = gate.Gate(canaries, lambda: reference, rules, FolderCache(tmp_path), "tiny")
        before = len(asked)
        judge.judge(on_engine(reference, engine))
        return len(asked) - before

    reference = load_reference(settings_for(tiny_dfine, device="cpu"), NO_CACHE)
    rules = FaithRules(("sports ball",), 0.001, 0.5, reduced=False)
    on_cuda = OnCuda(reference.engine)
    cards = ["H100, driver 570", "H200, driver 570", "H200, driver 580", "H100, driver 570"]
    assert [times_asked(card, on_cuda) for card in cards] == [1, 1, 1, 0]
    assert [times_asked(card, reference.engine) for card in cards] == [1, 0, 0, 0]


def on_engine(detector: DFine, engine: Engine) -> DFine:
    """A detector of the tiny checkpoint on another engine."""
    preprocessing = read_preprocessing(Path(detector.identity.model))
    return DFine(engine, preprocessing, detector.class_names, detector.identity, ("sports ball",), Looks(), 2)


def copy_networks(exported: Path, tmp_path: Path) -> Path:
    """A cache with the exported networks and none of the verdicts."""
    return shutil.copytree(exported, tmp_path / "copy", ignore=shutil.ignore_patterns("gate-*"))


def sabotage(tiny_dfine: Path, folder: Path) -> Path:
    """The checkpoint with its class heads turned down: an engine made of it sees almost nothing."""
    model = DFineForObjectDetection.from_pretrained(tiny_dfine)
    with torch.no_grad():
        for head in model.class_embed:
            head.bias -= 8
    broken = shutil.copytree(tiny_dfine, folder)
    model.save_pretrained(broken)
    return broken


@pytest.mark.parametrize("backend", ["openvino", "onnxruntime"])
def test_a_sabotaged_engine_is_refused(tiny_dfine: Path, tmp_path: Path, exported: Path, backend: str) -> None:
    """It is named with its figures, and the reference does the work."""
    cache = FolderCache(copy_networks(exported, tmp_path))
    broken = sabotage(tiny_dfine, tmp_path / "broken")
    other = find_or_export(broken, read_preprocessing(broken), FolderCache(tmp_path / "other"), "other")
    for network in (tmp_path / "copy").rglob("network.onnx"):
        shutil.copyfile(other, network)
    settings = settings_for(tiny_dfine, backend=backend, precision="float32")
    detector = load_detector(settings, cache, shipped_canaries)
    assert (detector.runtime.backend, detector.runtime.gate) == ("torch", None)
    assert detector.runtime.refused[0].startswith(f"{backend} on cpu in float32: ")
    figures = [json.loads(path.read_text("utf-8")) for path in (tmp_path / "copy").rglob("gate-*.json")]
    assert [each["reason"] is None for each in figures] == [False]


def test_an_engine_that_cannot_read_its_network_is_passed_over(
    tiny_dfine: Path, tmp_path: Path, exported: Path
) -> None:
    """A damaged file is a reason like any other; the scan goes on."""
    cache = FolderCache(copy_networks(exported, tmp_path))
    for network in (tmp_path / "copy").rglob("network.onnx"):
        network.write_bytes(b"no network")
    detector = load_detector(settings_for(tiny_dfine, backend="openvino"), cache, shipped_canaries)
    assert detector.runtime.backend == "torch"
    assert "openvino cannot run the model" in detector.runtime.failed[-1]


def test_a_precision_that_the_processor_lacks_is_said(tiny_dfine: Path, exported: Path) -> None:
    """And float32 on the same engine takes its place, not the slow reference."""
    settings = settings_for(tiny_dfine, backend="openvino", precision="float16")
    runtime = load_detector(settings, FolderCache(exported), shipped_canaries).runtime
    assert (runtime.backend, runtime.precision) == ("openvino", "float32")
    assert "openvino on cpu in float16: openvino finds no cpu here" in runtime.failed[0]
    assert runtime.refused == ()


@pytest.fixture(scope="module")
def script() -> ModuleType:
    """``scripts/measure_engines.py`` as a module."""
    spec = importlib.util.spec_from_file_location("measure_engines", ROOT / "scripts" / "measure_engines.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def row_of(script: ModuleType, settings: DetectorSettings, candidate: Candidate, cache: Path) -> dict[str, str]:
    """The row of an engine in the table that the script prints."""
    row = script.measure(settings, candidate, FolderCache(cache))
    return dict(zip(script.HEADS, (cell.strip() for cell in row[1:-1].split("|")), strict=True))


def test_an_engine_that_does_not_run_has_no_figures(script: ModuleType, tiny_dfine: Path, exported: Path) -> None:
    """Float32 on the same engine, which a scan would take, does not stand in for it."""
    candidate = Candidate("openvino", "cpu", "float16")
    row = row_of(script, settings_for(tiny_dfine, device="cpu"), candidate, exported)
    assert row.pop("engine") == "openvino float16"
    assert row.pop("verdict").startswith("does not run here: openvino finds no cpu here")
    assert set(row.values()) == {""}


def test_a_refused_engine_has_its_own_figures(
    script: ModuleType, tiny_dfine: Path, tmp_path: Path, exported: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """And its own speed: no other engine's stand in its row. Too few canaries refuse it here."""
    monkeypatch.setattr(script, "shipped_canaries", lambda: shipped_canaries()[:10])
    candidate = Candidate("openvino", "cpu", "float32")
    row = row_of(script, settings_for(tiny_dfine, device="cpu"), candidate, copy_networks(exported, tmp_path))
    assert (row["engine"], row["canaries"]) == ("openvino float32", "10")
    assert row["verdict"] == "refused: only 10 canary images; 64 are needed"
    assert float(row["least IoU"]) > 0.9
    assert float(row["images/s"]) > 0


#: the very first inferences of a process, in several threads at the same moment
AT_ONCE = """
import sys, threading
from pathlib import Path
import numpy as np
from app.detector.backends.openvino import OpenVinoEngine
from app.detector.engines import Candidate

engine = OpenVinoEngine(Path(sys.argv[1]), Candidate("openvino", "cpu", "float32"))
pixels = np.zeros((1, 3, int(sys.argv[2]), int(sys.argv[2])), np.uint8)
ready = threading.Barrier(8)
sys.setswitchinterval(1e-6)

def look():
    ready.wait()
    engine.infer(pixels)

threads = [threading.Thread(target=look, daemon=True) for _ in range(8)]
for thread in threads:
    thread.start()
for thread in threads:
    thread.join()
"""


@pytest.mark.parametrize("process", range(3))
def test_the_first_inferences_of_a_process_may_come_at_once(exported: Path, process: int) -> None:
    """Where the figures of the gate are known, nothing has been inferred before the threads of a scan begin."""
    network = next(exported.rglob("network.onnx"))
    subprocess.run([sys.executable, "-c", AT_ONCE, str(network), str(SIDE)], cwd=ROOT, check=True, timeout=120)


@pytest.mark.parametrize(
    "values",
    [
        {"backend": "openvino", "device": "cuda"},
        {"backend": "onnxruntime", "precision": "bfloat16"},
        {"backend": "onnxruntime", "device": "gpu"},
    ],
)
def test_settings_that_contradict_each_other_are_refused(
    tiny_dfine: Path, exported: Path, values: dict[str, str]
) -> None:
    """Rather than silently not followed."""
    with pytest.raises(DetectorError, match=r"detector\.backend: "):
        load_detector(settings_for(tiny_dfine, **values), FolderCache(exported), no_canaries)
