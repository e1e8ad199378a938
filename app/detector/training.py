"""Train a one-class D-FINE on boxes, from scratch or from a checkpoint.

D-FINE's own set loss gives each ball one query, so a network that knows nothing yet gets very little
signal from an image. Here every token of the encoder whose centre lies on a ball also learns to say so
(one-to-many supervision, as Co-DETR does with auxiliary heads: Zong et al., arXiv 2211.12860), with the
focal loss of Lin et al. (arXiv 1708.02002) and GIoU (Rezatofighi et al., arXiv 1902.09630). A first stage
uses this dense loss alone, on small windows of the frames, which is several times faster; a second stage adds
the set loss on whole frames. A window keeps the place and the scale it has in the whole frame: D-FINE's
anchors are relative to the image, so without this the boxes would have to be learnt anew.

Boxes are xyxy pixels of the image they belong to, until `cut_window` turns them into cxcywh shares of the frame.
"""

from __future__ import annotations

import copy
import math
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Protocol

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor
from torch.nn import functional
from transformers import DFineForObjectDetection, RTDetrImageProcessor

FRAME_PX = 640
_LEAST_VISIBLE = 0.15  # a ball cut off further than this by a window's edge is no label
_ANCHOR_SHARE = 0.05  # D-FINE's anchor side on the finest level, as a share of the image

# The ball sizes in pixels of the frame that each level (by stride) answers for. They overlap on purpose.
_FITTING_PX = {8: (0.0, 48.0), 16: (28.0, 128.0), 32: (88.0, math.inf)}


@dataclass(frozen=True, slots=True)
class LabelledImage:
    """`pixels` (height, width, 3) RGB bytes and the true `boxes` (n, 4), xyxy pixels.

    `lures` (m, 4), in the same form, are places that an earlier model took for a ball and that are none: a stage on
    windows goes there for its empty ones, which teaches more than windows taken anywhere (hard negatives).
    """

    pixels: NDArray[np.uint8]
    boxes: NDArray[np.float32]
    lures: NDArray[np.float32] = field(default_factory=lambda: np.zeros((0, 4), np.float32))


class LabelledImages(Protocol):
    """Anything that has labelled images by number: drawn frames, or a person's reviewed boxes."""

    def __len__(self) -> int:
        """How many images there are."""
        ...

    def __getitem__(self, index: int, /) -> LabelledImage:
        """The image of that number."""
        ...


@dataclass(frozen=True, slots=True)
class Stage:
    """One leg of the training.

    `window_px` is the side of what the network sees, in pixels of the 640 px frame; `windows_per_image` are cut
    from each image read. `near_ball` of the windows are put around a ball or lure where there is one. `zoom` bounds the
    random enlargement. `set_loss` adds D-FINE's own loss to the dense one, which then weighs `dense_weight`. `brief`
    computes in bfloat16 where autocast deems it safe; the weights and the dense loss stay float32. `decoder_only`
    leaves backbone and encoder as they are, which makes a step two to three times as fast.
    """

    steps: int
    batch: int
    peak_rate: float
    window_px: int = FRAME_PX
    windows_per_image: int = 1
    near_ball: float = 0.5
    zoom: tuple[float, float] = (1.0, 1.5)
    set_loss: bool = True
    dense_weight: float = 1.0
    warm_up: int = 100
    clip: float = 0.5
    weight_decay: float = 1e-4
    floor_rate: float = 0.02
    brief: bool = False
    decoder_only: bool = False


@dataclass(frozen=True, slots=True)
class Window:
    """Part of a frame: `pixels` (3, side, side) in 0..1, `boxes` (n, 4) cxcywh shares of the whole frame.

    `origin` is the frame pixel (x, y) of its top left corner.
    """

    pixels: Tensor
    boxes: Tensor
    origin: tuple[int, int]


# --- windows -------------------------------------------------------------------------------------------------------


def cut_window(image: LabelledImage, stage: Stage, rng: np.random.Generator) -> Window:
    """Cut a random window, enlarged and mirrored at random, and set it down anywhere in the frame."""
    pixels, boxes, lures = _stretched(image)
    zoom = math.exp(rng.uniform(math.log(stage.zoom[0]), math.log(stage.zoom[1])))
    side = round(min(FRAME_PX, stage.window_px / zoom))
    left, top = _choose_corner(torch.cat([boxes, lures]), side, stage.near_ball, rng)
    cut = pixels[:, top : top + side, left : left + side].float() / 255.0
    boxes = _cut_boxes(boxes, left, top, side) * (stage.window_px / side)
    if side != stage.window_px:
        size = (stage.window_px, stage.window_px)
        cut = functional.interpolate(cut[None], size, mode="bilinear", antialias=side > stage.window_px)[0]
    if rng.random() < 0.5:
        cut = cut.flip(2)
        boxes = boxes[:, [2, 1, 0, 3]] * boxes.new_tensor([-1, 1, -1, 1]) + boxes.new_tensor(
            [stage.window_px, 0, stage.window_px, 0]
        )
    origin = (_choose_origin(stage, rng), _choose_origin(stage, rng))
    return Window(jitter_colours(cut, rng).clamp(0, 1), _to_shares(boxes + boxes.new_tensor(origin * 2)), origin)


def _stretched(image: LabelledImage) -> tuple[Tensor, Tensor, Tensor]:
    """The image as the detector gets it, 640 x 640, proportions lost: bytes, and boxes and lures in its pixels."""
    pixels = torch.from_numpy(np.array(image.pixels)).permute(2, 0, 1)
    boxes, lures = (torch.from_numpy(np.array(part, np.float32).reshape(-1, 4)) for part in (image.boxes, image.lures))
    height, width = pixels.shape[1:]
    if (height, width) != (FRAME_PX, FRAME_PX):
        size = (FRAME_PX, FRAME_PX)
        pixels = functional.interpolate(pixels[None].float(), size, mode="bilinear", antialias=True)[0].byte()
        scale = boxes.new_tensor([FRAME_PX / width, FRAME_PX / height] * 2)
        boxes, lures = boxes * scale, lures * scale
    return pixels, boxes, lures


def _choose_corner(places: Tensor, side: int, near_ball: float, rng: np.random.Generator) -> tuple[int, int]:
    """The window's top left corner in the frame: around a random place, or anywhere."""
    room = FRAME_PX - side
    x, y = rng.uniform(0, room + 1, 2)
    if len(places) and rng.random() < near_ball:
        x0, y0, x1, y1 = places[int(rng.integers(len(places)))].tolist()
        x, y = np.array([(x0 + x1) / 2, (y0 + y1) / 2]) - rng.uniform(0.08, 0.92, 2) * side
    return int(np.clip(x, 0, room)), int(np.clip(y, 0, room))


def _choose_origin(stage: Stage, rng: np.random.Generator) -> int:
    return 8 * int(rng.integers(0, (FRAME_PX - stage.window_px) // 8 + 1))


def _cut_boxes(boxes: Tensor, left: int, top: int, side: int) -> Tensor:
    """The boxes in the window's pixels, clipped, without those that are hardly in it."""
    moved = boxes - boxes.new_tensor([left, top, left, top])
    clipped = moved.clamp(0, side)
    visible = _area(clipped) / _area(moved).clamp(min=1e-6)
    lasting = (clipped[:, 2:] - clipped[:, :2]).amin(1) >= 2.0
    return clipped[(visible > _LEAST_VISIBLE) & lasting]


def _area(boxes: Tensor) -> Tensor:
    return (boxes[:, 2] - boxes[:, 0]) * (boxes[:, 3] - boxes[:, 1])


def _to_shares(boxes: Tensor) -> Tensor:
    """Pixels xyxy of the frame to shares cxcywh."""
    centre, size = (boxes[:, :2] + boxes[:, 2:]) / 2, boxes[:, 2:] - boxes[:, :2]
    return torch.cat([centre, size], 1) / FRAME_PX


def jitter_colours(pixels: Tensor, rng: np.random.Generator) -> Tensor:
    """Vary light, contrast and tint of pixels (3, h, w); now and then without colour or in low resolution."""
    mean = pixels.mean()
    gain = torch.tensor(rng.uniform(0.8, 1.2) * rng.normal(1, 0.05, 3), dtype=torch.float32)[:, None, None]
    varied = ((pixels - mean) * rng.uniform(0.7, 1.3) + mean) * gain + rng.uniform(-0.06, 0.06)
    if rng.random() < 0.08:
        varied = varied.mean(0, keepdim=True).expand(3, -1, -1)
    if rng.random() < 0.08:
        coarse = functional.interpolate(varied[None], scale_factor=0.6, mode="bilinear", antialias=True)
        varied = functional.interpolate(coarse, varied.shape[1:], mode="bilinear")[0]
    return varied


def batches(images: LabelledImages, stage: Stage, rng: np.random.Generator) -> Iterator[list[Window]]:
    """Endless batches of windows; every image comes once before any comes twice.

    The windows of as many images as a batch has are mixed, so that few in a batch are from the same image.
    """
    pending: list[Window] = []
    while True:
        for index in rng.permutation(len(images)):
            image = images[int(index)]
            pending += [cut_window(image, stage, rng) for _ in range(stage.windows_per_image)]
            if len(pending) == stage.batch * stage.windows_per_image:
                mixed = [pending[int(k)] for k in rng.permutation(len(pending))]
                yield from (mixed[k : k + stage.batch] for k in range(0, len(mixed), stage.batch))
                pending = []


# --- the dense loss ------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Tokens:
    """Where the encoder's tokens lie: `centres` (t, 2) in pixels of the window, `strides` (t,), `levels` (t,)."""

    centres: Tensor
    strides: Tensor
    levels: Tensor


def lay_tokens(window_px: int, strides: tuple[int, ...]) -> Tokens:
    """The tokens of a square window, level after level, row after row, as D-FINE orders them."""
    parts: list[tuple[Tensor, Tensor, Tensor]] = []
    for level, stride in enumerate(strides):
        line = (torch.arange(math.ceil(window_px / stride)) + 0.5) * stride
        y, x = torch.meshgrid(line, line, indexing="ij")
        flat = torch.stack([x.flatten(), y.flatten()], 1)
        parts.append((flat, torch.full((len(flat),), float(stride)), torch.full((len(flat),), level)))
    centres, spans, levels = (torch.cat(column) for column in zip(*parts, strict=True))
    return Tokens(centres, spans, levels)


def place_anchors(tokens: Tokens, origins: Tensor) -> Tensor:
    """D-FINE's anchors (b, t, 4) in logits for windows whose corners (b, 2) lie at these frame pixels."""
    centres = (tokens.centres[None] + origins[:, None]) / FRAME_PX
    sides = (_ANCHOR_SHARE * 2.0**tokens.levels)[None, :, None].expand(len(origins), -1, 2)
    return torch.logit(torch.cat([centres, sides], 2).clamp(1e-3, 1 - 1e-3))


def assign_tokens(tokens: Tokens, window: Window) -> tuple[Tensor, Tensor]:
    """What each token of a window should say: labels (t,) and boxes (t, 4).

    A label is 1 near the middle of a ball of a size that the level answers for, 0 off every ball, and -1 (no
    opinion asked) elsewhere on a ball. The middle reaches from three quarters of a stride to one and a half, so
    that a large ball does not drown the small ones.
    """
    boxes = window.boxes * FRAME_PX
    if not len(boxes):
        return torch.zeros(len(tokens.strides)), torch.zeros(len(tokens.strides), 4)
    local = boxes[:, :2] - boxes.new_tensor(window.origin)
    offset = (tokens.centres[None] - local[:, None]).abs()
    span = tokens.strides[None, :, None]
    reach = torch.maximum(boxes[:, None, 2:] / 2, 0.75 * span)
    inside = (offset <= reach).all(2)
    wanted = (offset <= reach.minimum(1.5 * span)).all(2) & _fits(tokens.strides, boxes[:, 2:].prod(1).sqrt())
    owner = torch.where(wanted, boxes[:, 2:].prod(1)[:, None], math.inf).argmin(0)
    labels = torch.where(wanted.any(0), 1.0, torch.where(inside.any(0), -1.0, 0.0))
    return labels, window.boxes[owner]


def _fits(strides: Tensor, sizes: Tensor) -> Tensor:
    """Whether a level of each stride (t,) answers for a ball of each size (n,): (n, t)."""
    fitting = torch.zeros(len(sizes), len(strides), dtype=torch.bool)
    for stride, (low, high) in _FITTING_PX.items():
        fitting |= (strides[None] == stride) & (sizes[:, None] >= low) & (sizes[:, None] < high)
    return fitting


def dense_loss(logits: Tensor, boxes: Tensor, labels: Tensor, targets: Tensor) -> Tensor:
    """Focal loss of all tokens plus L1 and GIoU of those on a ball.

    `logits` and `labels` are (b, t); `boxes` and `targets` (b, t, 4), cxcywh shares. The focal loss is divided by
    the number of tokens on a ball, but at least by three an image: without that bound the odd batch with hardly a
    ball would outweigh all others.
    """
    positive = labels == 1
    count = positive.sum().clamp(min=3 * len(labels))
    share = logits.sigmoid()
    missed = torch.where(positive, 1 - share, share)
    entropy = functional.binary_cross_entropy_with_logits(logits, labels.clamp(min=0), reduction="none")
    focal = (missed**2 * entropy * (labels >= 0)).sum() / count
    if not positive.any():
        return focal
    found, wanted = boxes[positive], targets[positive]
    distance = (found - wanted).abs().sum(1).mean()
    return focal + 2 * distance + (1 - overlap(found, wanted)).mean()


def overlap(found: Tensor, wanted: Tensor) -> Tensor:
    """Generalised IoU (n,) of boxes (n, 4), cxcywh."""
    low_f, high_f = found[:, :2] - found[:, 2:] / 2, found[:, :2] + found[:, 2:] / 2
    low_w, high_w = wanted[:, :2] - wanted[:, 2:] / 2, wanted[:, :2] + wanted[:, 2:] / 2
    common = (torch.minimum(high_f, high_w) - torch.maximum(low_f, low_w)).clamp(min=0).prod(1)
    union = found[:, 2:].prod(1) + wanted[:, 2:].prod(1) - common
    hull = (torch.maximum(high_f, high_w) - torch.minimum(low_f, low_w)).prod(1)
    return common / union.clamp(min=1e-9) - (hull - union) / hull.clamp(min=1e-9)


# --- the loop ------------------------------------------------------------------------------------------------------


class Averaged:
    """An exponential moving average of a model's weights, which scores better than the last step's."""

    def __init__(self, model: DFineForObjectDetection, decay: float = 0.998) -> None:
        self.model = copy.deepcopy(model).eval().requires_grad_(requires_grad=False)
        self._decay = decay
        self._updates = 0

    @torch.no_grad()
    def update(self, model: DFineForObjectDetection) -> None:
        """Take in the weights after one more step."""
        self._updates += 1
        decay = min(self._decay, self._updates / (self._updates + 20))
        for mine, theirs in zip(self.model.state_dict().values(), model.state_dict().values(), strict=True):
            if mine.is_floating_point():
                mine.lerp_(theirs, 1 - decay)
            else:
                mine.copy_(theirs)


def train_stage(
    model: DFineForObjectDetection,
    averaged: Averaged,
    images: LabelledImages,
    stage: Stage,
    rng: np.random.Generator,
    report: Callable[[int, float], None],
    share: Callable[[list[torch.nn.Parameter]], None] | None = None,
) -> None:
    """Train `model` in place and keep `averaged` up to date; `report` gets each step's number and loss.

    `share` may exchange gradients with other workers before each step. A step whose gradients are not finite
    is left out; a hundred of them in a row raise FloatingPointError.
    """
    model.train()
    learning = choose_parameters(model, stage)
    optimiser = torch.optim.AdamW(learning, lr=stage.peak_rate, weight_decay=stage.weight_decay)
    failures = 0
    for step, windows in zip(range(stage.steps), batches(images, stage, rng), strict=False):
        for group in optimiser.param_groups:
            group["lr"] = stage.peak_rate * rate_share(step, stage)
        optimiser.zero_grad(set_to_none=True)
        loss = batch_loss(model, windows, stage)
        loss.backward()  # type: ignore[no-untyped-call]
        if share is not None:
            share(learning)
        norm = torch.nn.utils.clip_grad_norm_(learning, stage.clip)
        failures = 0 if torch.isfinite(norm) else failures + 1
        if failures > 100:
            raise FloatingPointError(f"the gradients were not finite for 100 steps up to step {step}")
        if failures == 0:
            optimiser.step()
            averaged.update(model)
        report(step, float(loss.detach()))


def choose_parameters(model: DFineForObjectDetection, stage: Stage) -> list[torch.nn.Parameter]:
    """What a stage trains; in a decoder-only stage everything before the decoder is frozen, its statistics too."""
    model.requires_grad_(not stage.decoder_only)
    if stage.decoder_only:
        for name, part in model.model.named_children():
            part.train(name == "decoder")
        model.model.decoder.requires_grad_(requires_grad=True)
        model.model.denoising_class_embed.requires_grad_(requires_grad=True)
    model.model.decoder.reg_scale.requires_grad_(requires_grad=False)
    model.model.decoder.up.requires_grad_(requires_grad=False)
    return [parameter for parameter in model.parameters() if parameter.requires_grad]


def rate_share(step: int, stage: Stage) -> float:
    """The learning rate as a share of its peak: a linear warm-up, then half a cosine."""
    if step < stage.warm_up:
        return (step + 1) / stage.warm_up
    progress = (step - stage.warm_up) / max(1, stage.steps - stage.warm_up)
    return stage.floor_rate + (1 - stage.floor_rate) * (1 + math.cos(math.pi * progress)) / 2


def batch_loss(model: DFineForObjectDetection, windows: list[Window], stage: Stage) -> Tensor:
    """The loss of one batch: dense only, or the set loss of whole frames with the dense one beside it."""
    pixels = torch.stack([window.pixels for window in windows]).contiguous(memory_format=torch.channels_last)
    tokens = lay_tokens(stage.window_px, tuple(model.config.feat_strides))
    assigned = [assign_tokens(tokens, window) for window in windows]
    labels, targets = (torch.stack(column) for column in zip(*assigned, strict=True))
    if not stage.set_loss:
        with torch.autocast("cpu", torch.bfloat16, enabled=stage.brief):
            logits, offsets = score_tokens(model, pixels)
        anchors = place_anchors(tokens, torch.tensor([window.origin for window in windows]))
        return dense_loss(logits.float(), torch.sigmoid(offsets.float() + anchors), labels, targets)
    wanted = [{"class_labels": torch.zeros(len(w.boxes), dtype=torch.long), "boxes": w.boxes} for w in windows]
    with torch.autocast("cpu", torch.bfloat16, enabled=stage.brief):
        outputs = model(pixel_values=pixels, labels=wanted)
    boxes = torch.sigmoid(outputs.enc_outputs_coord_logits.float())
    dense = dense_loss(outputs.enc_outputs_class[..., 0].float(), boxes, labels, targets)
    total: Tensor = outputs.loss + stage.dense_weight * dense
    return total


def score_tokens(model: DFineForObjectDetection, pixels: Tensor) -> tuple[Tensor, Tensor]:
    """Backbone, encoder and its two heads, without the decoder: logits (b, t) and box offsets (b, t, 4)."""
    core = model.model
    maps = core.backbone(pixels, torch.ones(len(pixels), *pixels.shape[2:]))
    projected = [project(source) for project, (source, _) in zip(core.encoder_input_proj, maps, strict=True)]
    levels = core.encoder(projected).last_hidden_state
    flat = [project(level).flatten(2) for project, level in zip(core.decoder_input_proj, levels, strict=True)]
    memory = core.enc_output(torch.cat(flat, 2).transpose(1, 2))
    return core.enc_score_head(memory)[..., 0], core.enc_bbox_head(memory)


@torch.no_grad()
def prime_decoder(model: DFineForObjectDetection) -> None:
    """Start the decoder's class heads from the encoder's, whose tokens are the decoder's first queries."""
    taught = model.model.enc_score_head
    for head in model.class_embed:
        head.weight.copy_(taught.weight)
        head.bias.copy_(taught.bias)


def save_checkpoint(model: DFineForObjectDetection, folder: Path) -> None:
    """Write config.json, model.safetensors (fp16) and preprocessor_config.json.

    The configuration says float32, so `from_pretrained` widens the weights again when it loads them.
    """
    slim = copy.deepcopy(model).eval().half()
    slim.config.dtype = torch.float32
    slim.save_pretrained(folder)
    slim.config.dtype = torch.float32
    slim.config.save_pretrained(folder)
    processor = RTDetrImageProcessor(size={"height": FRAME_PX, "width": FRAME_PX}, do_normalize=False)
    processor.save_pretrained(folder)
