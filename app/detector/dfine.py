"""D-FINE and models with the same kind of outputs, on any engine.

D-FINE: Peng et al., 2024, arXiv 2410.13842.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray
from PIL.Image import Image

from app.config import DetectorSettings
from app.detector.base import Prepared, Runtime, View
from app.detector.decoding import clip, decode_outputs
from app.detector.engines import Engine
from app.detector.preprocessing import Preprocessing
from app.domain.detections import Box, Detection, DetectorIdentity, Sight
from app.domain.merging import average_mirrored, merge_slices
from app.domain.slicing import plan_slices

MIRROR_FLOOR = 0.001  #: what one look sees below the floor counts in the mean of two
HIGHEST = 65_504.0  #: that float16 holds
LARGE = 2  #: an image this many times the model's input is looked at in slices by ``selective``


@dataclass(frozen=True, slots=True)
class Looks:
    """How often and how closely an image is looked at."""

    slicing: str = "off"
    slice_px: int = 384
    undecided: tuple[float, float] = (0.15, 0.6)
    mirror: bool = False

    @classmethod
    def of(cls, settings: DetectorSettings) -> "Looks":
        """As the settings have it."""
        return cls(settings.slicing, settings.slice_px, settings.undecided, settings.mirror)

    def __str__(self) -> str:
        """For the detector's identity."""
        text = self.slicing if self.slicing == "off" else f"{self.slicing}:{self.slice_px}"
        if self.slicing == "selective":
            text += f":{self.undecided[0]:g}-{self.undecided[1]:g}"
        return text + ("+mirror" if self.mirror else "")


class _Glance(NamedTuple):
    """One pass of the network: detections down to some floor, and features ``(k,)``."""

    detections: list[Detection]
    features: NDArray[np.float32]


class DFine:
    """A checkpoint on an engine. Knows no file."""

    def __init__(
        self,
        engine: Engine,
        preprocessing: Preprocessing,
        labels: Sequence[str],
        identity: DetectorIdentity,
        targets: Sequence[str],
        looks: Looks,
        batch_size: int,
    ) -> None:
        self._engine = engine
        self._preprocessing = preprocessing
        self._labels = tuple(labels)
        self._identity = identity
        self._targets = tuple(targets)
        self._looks = looks
        self._batch_size = batch_size
        self._runtime = engine.runtime

    @property
    def identity(self) -> DetectorIdentity:
        """See :class:`app.detector.base.Detector`."""
        return self._identity

    @property
    def runtime(self) -> Runtime:
        """See :class:`app.detector.base.Detector`."""
        return self._runtime

    @property
    def engine(self) -> Engine:
        """What computes."""
        return self._engine

    @property
    def class_names(self) -> tuple[str, ...]:
        """See :class:`app.detector.base.Detector`."""
        return self._labels

    @property
    def parallel(self) -> int:
        """See :class:`app.detector.base.Detector`."""
        return self._engine.parallel

    @property
    def enough_px(self) -> int | None:
        """See :class:`app.detector.base.Detector`. Slices want every pixel."""
        return self._preprocessing.enough_px if self._looks.slicing == "off" else None

    def vetted(self, runtime: Runtime) -> "DFine":
        """The same detector, with what the faith gate has said of its engine."""
        self._runtime = runtime
        return self

    def prepare(self, picture: Image, width: int, height: int) -> Prepared:
        """See :class:`app.detector.base.Detector`."""
        views = self._views(picture, Box(0, 0, width, height))
        if self._looks.slicing == "always":
            views += self._sliced(picture, width, height)
        source = picture if self._looks.slicing == "selective" else None
        return Prepared(width, height, tuple(views), source)

    def detect(self, prepared: Sequence[Prepared]) -> list[list[Detection]]:
        """See :class:`app.detector.base.Detector`."""
        return [sight.detections for sight in self.look(prepared)]

    def look(self, prepared: Sequence[Prepared]) -> list[Sight]:
        """See :class:`app.detector.base.Detector`. Features are those of the whole image, unmirrored."""
        floor = self._identity.floor
        glances = self._glance(prepared, floor)
        found = self._look_closer(prepared, [glance.detections for glance in glances], floor)
        return [
            Sight([each for each in detections if each.confidence >= floor], _as_bytes(glance.features))
            for detections, glance in zip(found, glances, strict=True)
        ]

    def detect_all(self, prepared: Sequence[Prepared], floor: float) -> list[list[Detection]]:
        """As :meth:`detect`, down to another floor: the faith gate compares what lies below it too."""
        glances = self._glance(prepared, floor)
        return self._look_closer(prepared, [glance.detections for glance in glances], floor)

    def _look_closer(
        self, prepared: Sequence[Prepared], found: list[list[Detection]], floor: float
    ) -> list[list[Detection]]:
        if self._looks.slicing != "selective":
            return found
        again = [k for k, each in enumerate(prepared) if self._wants_slices(each, found[k])]
        closer = [self._slices_of(prepared[k]) for k in again]
        for k, parts in zip(again, self._glance_at_views(closer, floor), strict=True):
            slices = [part.detections for part in parts]
            found[k] = clip(merge_slices(found[k], slices), prepared[k].width, prepared[k].height)
        return found

    def _glance(self, prepared: Sequence[Prepared], floor: float) -> list[_Glance]:
        looks = 2 if self._looks.mirror else 1
        low = min(floor, MIRROR_FLOOR) if self._looks.mirror else floor
        found = []
        groups = self._glance_at_views([each.views for each in prepared], low)
        for each, parts in zip(prepared, groups, strict=True):
            detections = [part.detections for part in parts]
            merged = self._merge(detections[:looks], detections[looks:])
            found.append(_Glance(clip(merged, each.width, each.height), parts[0].features))
        return found

    def _merge(self, whole: list[list[Detection]], slices: list[list[Detection]]) -> list[Detection]:
        merged = average_mirrored(*whole) if len(whole) == 2 else whole[0]
        return merge_slices(merged, slices) if slices else merged

    def _glance_at_views(self, groups: Sequence[Sequence[View]], floor: float) -> list[list[_Glance]]:
        """Each view of each group; the engine's batches span groups."""
        flat = [view for views in groups for view in views]
        found: list[_Glance] = []
        for start in range(0, len(flat), self._batch_size):
            part = flat[start : start + self._batch_size]
            logits, boxes, features = self._engine.infer(np.stack([view.pixels for view in part]))
            found += [
                _Glance(decode_outputs(logits[k], boxes[k], view, self._labels, floor), features[k])
                for k, view in enumerate(part)
            ]
        waiting = iter(found)
        return [[next(waiting) for _ in views] for views in groups]

    def _views(self, picture: Image, shown: Box) -> list[View]:
        views = [self._preprocessing.view(picture, shown)]
        return [*views, mirror(views[0])] if self._looks.mirror else views

    def _sliced(self, picture: Image, width: int, height: int) -> list[View]:
        return [
            self._preprocessing.view(picture.crop(part), part)
            for part in plan_slices(width, height, self._looks.slice_px)
        ]

    def _slices_of(self, prepared: Prepared) -> list[View]:
        if prepared.source is None:
            return []
        return self._sliced(prepared.source, prepared.width, prepared.height)

    def _wants_slices(self, prepared: Prepared, found: Sequence[Detection]) -> bool:
        score = max((each.confidence for each in found if each.class_name in self._targets), default=0.0)
        low, high = self._looks.undecided
        large = max(prepared.width, prepared.height) >= LARGE * self._preprocessing.width
        return large or low <= score <= high


def _as_bytes(features: NDArray[np.float32]) -> bytes | None:
    """Features as they are stored; None where they are no numbers, as when a half-precision engine overflows."""
    if not len(features) or not np.isfinite(features).all():
        return None
    return np.clip(features, -HIGHEST, HIGHEST).astype("<f2").tobytes()


def mirror(view: View) -> View:
    """The mirror image of a view."""
    return View(np.ascontiguousarray(view.pixels[:, :, ::-1]), view.region, mirrored=not view.mirrored)
