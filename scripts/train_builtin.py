"""Train the small D-FINE that ships with Touchline, on drawn frames only.

    MALLOC_MMAP_THRESHOLD_=4294967296 MALLOC_TRIM_THRESHOLD_=8589934592 \
        python scripts/train_builtin.py --work /tmp/touchline-train --out app/demo/checkpoint

Frames are drawn once and kept in the work folder; so are snapshots, so that a run which is cut off still leaves
a model. Give the same arguments to get the same model, up to the order of additions in the machine's kernels.
"""

from __future__ import annotations

import io
import os
import pickle
import time
from dataclasses import dataclass, replace
from functools import partial
from multiprocessing import Pool
from pathlib import Path
from typing import Annotated

import numpy as np
import torch
import typer
from PIL import Image
from torch import distributed
from transformers import DFineConfig, DFineForObjectDetection, HGNetV2Config

from app.demo.balls import Box
from app.demo.dataset import TRAINING_NAMESPACE, VALIDATION_NAMESPACE, draw_training
from app.demo.frames import encode_jpeg
from app.detector.training import FRAME_PX, Averaged, LabelledImage, Stage, prime_decoder, save_checkpoint, train_stage

Packed = tuple[bytes, tuple[Box, ...]]
HELD_OUT = 300


def tiny_config() -> DFineConfig:
    """A D-FINE with the published structure and small widths: about 0.6 million parameters."""
    outputs = [32, 64, 128, 192]
    backbone = HGNetV2Config(
        stem_channels=[3, 16, 16],
        embedding_size=16,
        stage_in_channels=[16, 32, 64, 128],
        stage_mid_channels=[16, 32, 48, 64],
        stage_out_channels=outputs,
        hidden_sizes=outputs,
        depths=[1, 1, 1, 1],
        stage_num_blocks=[1, 1, 1, 1],
        stage_numb_of_layers=[3, 3, 3, 3],
        stage_light_block=[False, False, True, True],
        out_indices=[2, 3, 4],
    )
    return DFineConfig(
        backbone_config=backbone,
        freeze_backbone_batch_norms=False,
        encoder_in_channels=outputs[1:],
        encoder_hidden_dim=64,
        encoder_ffn_dim=128,
        encoder_attention_heads=4,
        hidden_expansion=0.5,
        depth_mult=0.34,
        d_model=64,
        decoder_in_channels=[64, 64, 64],
        decoder_ffn_dim=128,
        decoder_attention_heads=4,
        decoder_layers=2,
        decoder_n_points=[4, 4, 4],
        num_queries=60,
        num_denoising=20,
        label_noise_ratio=0.0,
        lqe_hidden_dim=32,
        id2label={0: "football"},
        label2id={"football": 0},
    )


class PackedFrames:
    """Labelled images kept as JPEG bytes in memory and decoded when asked for."""

    def __init__(self, frames: list[Packed]) -> None:
        self._frames = frames
        self.lures: dict[int, np.ndarray] = {}

    def __len__(self) -> int:
        return len(self._frames)

    def __getitem__(self, index: int, /) -> LabelledImage:
        data, boxes = self._frames[index]
        pixels = np.asarray(Image.open(io.BytesIO(data)).convert("RGB"))
        lures = self.lures.get(index, np.zeros((0, 4), np.float32))
        return LabelledImage(pixels, np.array(boxes, np.float32).reshape(-1, 4), lures)


def draw_packed(index: int, *, namespace: int, seed: int) -> Packed:
    """One training frame as JPEG bytes with its boxes."""
    frame = draw_training(namespace, seed, index)
    return encode_jpeg(frame), frame.boxes


def load_frames(work: Path, namespace: int, seed: int, count: int) -> PackedFrames:
    """The first `count` frames of a namespace, drawn on all cores unless the work folder has them."""
    store = work / f"frames-{namespace:x}-{seed}-{count}.pickle"
    if not store.exists():
        with Pool() as pool:
            draw = partial(draw_packed, namespace=namespace, seed=seed)
            store.write_bytes(pickle.dumps(pool.map(draw, range(count), chunksize=8)))
    return PackedFrames(pickle.loads(store.read_bytes()))  # noqa: S301 - we wrote it ourselves


@torch.no_grad()
def score_frames(model: DFineForObjectDetection, frames: PackedFrames) -> tuple[np.ndarray, np.ndarray]:
    """Truth (n,) and the highest confidences (n, 2) of every frame: the decoder's, and before it the encoder's."""
    truth: list[bool] = []
    scores: list[list[float]] = []
    for start in range(0, len(frames), 4):
        images = [frames[k] for k in range(start, min(start + 4, len(frames)))]
        pixels = torch.stack([torch.tensor(image.pixels).permute(2, 0, 1) for image in images]).float() / 255
        outputs = model(pixel_values=pixels.contiguous(memory_format=torch.channels_last))
        both = [part.sigmoid().amax((1, 2)) for part in (outputs.logits, outputs.enc_topk_logits)]
        scores += torch.stack(both, 1).tolist()
        truth += [len(image.boxes) > 0 for image in images]
    return np.array(truth), np.array(scores)


@torch.no_grad()
def mine_lures(
    model: DFineForObjectDetection, frames: PackedFrames, indices: range, count: int
) -> dict[int, np.ndarray]:
    """For the first `count` frames without a ball among `indices`: the three places (3, 4), xyxy pixels, that look most
    like one.
    """
    found: dict[int, np.ndarray] = {}
    for index in indices:
        image = frames[index]
        if len(found) == count:
            break
        if not len(image.boxes):
            pixels = torch.tensor(image.pixels).permute(2, 0, 1)[None].float() / 255
            outputs = model(pixel_values=pixels.contiguous(memory_format=torch.channels_last))
            x, y, width, height = (outputs.enc_topk_bboxes[0, :3] * FRAME_PX).unbind(1)
            corners = [x - width / 2, y - height / 2, x + width / 2, y + height / 2]
            found[index] = torch.stack(corners, 1).numpy()
    return found


def describe_scores(truth: np.ndarray, scores: np.ndarray) -> str:
    """AUC, and the recall at the threshold that flags 5 % of the empty frames, of each column of scores."""
    said = []
    for name, column in zip(("decoder", "encoder"), scores.T, strict=True):
        order = column.argsort().argsort() + 1
        balls = int(truth.sum())
        area = (order[truth].sum() - balls * (balls + 1) / 2) / (balls * (len(truth) - balls))
        threshold = float(np.quantile(column[~truth], 0.95))
        said.append(f"{name} AUC {area:.4f} recall {np.mean(column[truth] > threshold):.3f} at {threshold:.3f}")
    return ", ".join(said)


@dataclass(slots=True)
class Progress:
    """Prints the course of a stage, and saves and checks the averaged model every so often."""

    name: str
    averaged: Averaged
    held_out: PackedFrames
    work: Path
    check_every: int
    started: float = 0.0
    total: float = 0.0

    def __call__(self, step: int, loss: float) -> None:
        """Take note of a step that is done."""
        self.started = self.started or time.perf_counter()
        self.total += loss
        if (step + 1) % 50 == 0:
            spent = time.perf_counter() - self.started
            print(f"{self.name} step {step + 1} loss {self.total / 50:.4f} {spent:.0f} s", flush=True)
            self.total = 0.0
        if (step + 1) % self.check_every == 0:
            save_checkpoint(self.averaged.model, self.work / f"snapshot-{self.name}")
            print(self.name, describe_scores(*score_frames(self.averaged.model, self.held_out)), flush=True)


def stages(dense_steps: int, decoder_steps: int, set_steps: int, frame_rate: float) -> dict[str, Stage]:
    """The recipe: dense supervision on windows of 192 px, the decoder alone, then everything on whole frames."""
    return {
        "windows": Stage(
            steps=dense_steps,
            batch=28,
            peak_rate=2e-3,
            window_px=192,
            windows_per_image=3,
            near_ball=0.8,
            zoom=(0.6, 1.8),
            set_loss=False,
            warm_up=min(200, dense_steps // 3),
            clip=1.0,
            brief=True,
        ),
        "decoder": Stage(
            steps=decoder_steps,
            batch=16,
            peak_rate=2e-3,
            zoom=(1.0, 1.25),
            warm_up=min(30, decoder_steps // 3),
            brief=True,
            decoder_only=True,
        ),
        "frames": Stage(
            steps=set_steps,
            batch=8,
            peak_rate=frame_rate,
            zoom=(1.0, 1.25),
            dense_weight=5.0,
            warm_up=min(15, set_steps // 3),
            brief=True,
        ),
    }


@dataclass(frozen=True, slots=True)
class Job:
    """What every worker needs to know."""

    work: Path
    out: Path
    images: int
    recipe: dict[str, Stage]
    check_every: int
    start: Path | None
    seed: int
    workers: int
    lures: int


def share_gradients(parameters: list[torch.nn.Parameter]) -> None:
    """Average the gradients over all workers."""
    parts = [torch.zeros_like(p) if p.grad is None else p.grad for p in parameters]
    flat = torch.cat([part.flatten() for part in parts])
    distributed.all_reduce(flat)
    flat /= distributed.get_world_size()
    for parameter, part in zip(parameters, torch.split(flat, [p.numel() for p in parameters]), strict=True):
        parameter.grad = part.view_as(parameter)


def run_worker(rank: int, job: Job) -> None:
    """Train with one thread; worker 0 also checks, saves and prints.

    Workers of one thread each lose less time waiting for one another than the threads of one process do.
    """
    torch.set_num_threads(1)
    torch.set_flush_denormal(True)
    torch.manual_seed(job.seed)
    meeting = f"file://{job.work.resolve()}/meeting-{os.getppid()}"
    distributed.init_process_group("gloo", meeting, world_size=job.workers, rank=rank)
    frames = load_frames(job.work, TRAINING_NAMESPACE, job.seed, job.images)
    held_out = load_frames(job.work, VALIDATION_NAMESPACE, job.seed, HELD_OUT)
    model = DFineForObjectDetection.from_pretrained(job.start) if job.start else DFineForObjectDetection(tiny_config())
    model = model.to(memory_format=torch.channels_last)
    if job.start and job.lures:
        frames.lures = mine_lures(model.eval(), frames, range(rank, len(frames), job.workers), job.lures)
    averaged = Averaged(model)
    for name, whole in job.recipe.items():
        if name == "decoder":
            prime_decoder(model)
            prime_decoder(averaged.model)
        stage = replace(whole, batch=whole.batch // job.workers)
        rng = np.random.default_rng([job.seed, stage.window_px, rank])
        report = Progress(name, averaged, held_out, job.work, job.check_every) if rank == 0 else ignore_progress
        train_stage(model, averaged, frames, stage, rng, report, share_gradients)
    if rank == 0:
        save_checkpoint(averaged.model, job.out)
        print(describe_scores(*score_frames(averaged.model, held_out)), flush=True)
    distributed.destroy_process_group()


def ignore_progress(step: int, loss: float) -> None:
    """Say nothing; worker 0 does."""


def main(
    work: Annotated[Path, typer.Option(help="Where drawn frames and snapshots are kept.")],
    out: Annotated[Path, typer.Option(help="Where the checkpoint is written.")],
    images: Annotated[int, typer.Option(help="How many frames to draw.")] = 6000,
    dense_steps: Annotated[int, typer.Option(help="Steps of the dense stage on windows.")] = 4000,
    decoder_steps: Annotated[int, typer.Option(help="Steps of the decoder's own stage.")] = 500,
    set_steps: Annotated[int, typer.Option(help="Steps of the stage on whole frames.")] = 1000,
    frame_rate: Annotated[
        float, typer.Option(help="Peak learning rate on whole frames; lower to go on from a model.")
    ] = 8e-4,
    check_every: Annotated[int, typer.Option(help="Steps between snapshots.")] = 500,
    start: Annotated[Path | None, typer.Option(help="A checkpoint to go on from.")] = None,
    seed: Annotated[int, typer.Option(help="Seed of frames, weights and windows.")] = 0,
    workers: Annotated[int, typer.Option(help="Processes, one for each core.")] = 2,
    lures: Annotated[int, typer.Option(help="With --start: empty frames to search for what fools that model.")] = 0,
) -> None:
    """Draw the frames, train all stages, write the checkpoint."""
    work.mkdir(parents=True, exist_ok=True)
    load_frames(work, TRAINING_NAMESPACE, seed, images)
    load_frames(work, VALIDATION_NAMESPACE, seed, HELD_OUT)
    recipe = {
        name: stage for name, stage in stages(dense_steps, decoder_steps, set_steps, frame_rate).items() if stage.steps
    }
    job = Job(work, out, images, recipe, check_every, start, seed, workers, lures)
    torch.multiprocessing.spawn(run_worker, (job,), nprocs=workers)  # type: ignore[attr-defined,no-untyped-call]


if __name__ == "__main__":
    typer.run(main)
