"""Looking at one image of a scan: read, hash, decode, and from that one picture everything else."""

from dataclasses import dataclass, replace
from pathlib import Path, PurePosixPath
from time import perf_counter

import numpy as np
from PIL import Image

from app.detector.base import Detector, Prepared
from app.domain.perceptual import SIDE_PX, perceptual_hash
from app.errors import ImageUnreadableError
from app.files.budget import PixelBudget
from app.files.decoding import hash_bytes, open_bytes, read_inside
from app.files.scanning import NAME_NOT_UTF8
from app.services.renditions import ScanRenditions
from app.storage.scans import PendingImage


@dataclass(frozen=True, slots=True)
class Facts:
    """What decoding an image says of it."""

    sha256: str
    width: int  #: upright, of the whole image
    height: int
    phash: int
    brightness: float  #: mean, 0..1
    sharpness: float  #: mean step between neighbouring pixels of what the model gets, 0..1: low where it is blurred


@dataclass(frozen=True, slots=True)
class Looked:
    """A pending image, ready for the model; or with the reason why not; or found unchanged since it was scored."""

    image: PendingImage
    facts: Facts | None = None
    prepared: Prepared | None = None
    unreadable: str | None = None
    held: int = 0  #: pixels of the budget that it holds until it is scored
    busy_s: float = 0.0

    @property
    def unchanged(self) -> bool:
        """Touched, but with the bytes that were scored: the score stays."""
        return self.facts is None and self.unreadable is None

    @property
    def outdates_scores(self) -> bool:
        """Whether what is stored of the image, by any detector, speaks of bytes that are gone."""
        if self.facts is None:
            return not self.unchanged
        known = {self.image.sha256, self.image.scored_sha256} - {None}
        return bool(known - {self.facts.sha256})


class Looker:
    """Looks at images for a detector. Safe in any number of threads, which share the budget."""

    def __init__(
        self, root: Path, max_pixels: int, detector: Detector, renditions: ScanRenditions, budget: PixelBudget
    ) -> None:
        self._root = root
        self._max_pixels = max_pixels
        self._detector = detector
        self._renditions = renditions
        self._budget = budget

    def look(self, image: PendingImage) -> Looked:
        """Look at one image.

        Raises:
            BudgetClosedError: the scan is being stopped.
        """
        began = perf_counter()
        if image.unreadable == NAME_NOT_UTF8:
            return Looked(image, unreadable=NAME_NOT_UTF8)  # its name cannot even be passed to the system
        try:
            looked, waited_s = self._decode(image)
        except ImageUnreadableError as error:
            looked, waited_s = Looked(image, unreadable=str(error)), 0.0
        except MemoryError:
            looked, waited_s = Looked(image, unreadable="too large to decode in memory"), 0.0
        return replace(looked, busy_s=perf_counter() - began - waited_s)

    def _decode(self, image: PendingImage) -> tuple[Looked, float]:
        content = read_inside(self._root, image.path)
        sha256 = hash_bytes(content)
        if sha256 == image.scored_sha256:
            return Looked(image), 0.0
        undecoded = open_bytes(content, PurePosixPath(image.path).suffix, self._max_pixels)
        sizes = self._renditions.choose(undecoded, sha256)
        if self._detector.enough_px is not None:
            undecoded.reduce(self._detector.enough_px, self._renditions.least_px(sizes))
        held = undecoded.pixels
        began = perf_counter()
        self._budget.take(held)
        waited_s = perf_counter() - began
        try:
            picture, width, height = undecoded.decode()
            self._renditions.make(picture, sha256, sizes)
            prepared = self._detector.prepare(picture, width, height)
            facts = Facts(sha256, width, height, hash_picture(picture), *measure_quality(prepared))
        except BaseException:
            self._budget.change(-held)
            raise
        kept = _pixels_of(prepared)
        self._budget.change(kept - held)
        return Looked(image, facts, prepared, held=kept), waited_s


def hash_picture(picture: Image.Image) -> int:
    """The perceptual hash of an upright RGB picture."""
    small = picture.resize((SIDE_PX, SIDE_PX), Image.Resampling.BOX, reducing_gap=1.0)
    return perceptual_hash(np.asarray(small.convert("L")))


def measure_quality(prepared: Prepared) -> tuple[float, float]:
    """Brightness and sharpness of what the model gets, of its green; zeros where its input is not made here.

    Every fourth row is enough, and takes a tenth of a millisecond.
    """
    if not prepared.views:
        return 0.0, 0.0
    green = prepared.views[0].pixels[1, ::4].astype(np.float32) / 255
    steps = np.abs(np.diff(green, axis=1))
    return float(green.mean()), float(steps.mean()) if steps.size else 0.0


def _pixels_of(prepared: Prepared) -> int:
    """What a prepared image still holds in memory."""
    source = 0 if prepared.source is None else prepared.source.width * prepared.source.height
    return source + sum(view.pixels.size // 3 for view in prepared.views)
