"""What a fit knows of images, as columns."""

from dataclasses import dataclass, fields, replace

import numpy as np
from numpy.typing import NDArray

Reals = NDArray[np.float64]
Bools = NDArray[np.bool_]
TOP = 3  #: confidences of target classes that count
FOLDS = 5
HIGHEST_LOGIT = 7.0  #: of a confidence: past 0.999 a detector's certainty says nothing more


@dataclass(frozen=True, slots=True)
class Images:
    """Columns of equal length ``n``.

    ``opinion`` is the second opinion, the log odds that the object is there by a classifier that has not seen the
    image's label; 0, which says nothing, where there are no features.
    """

    positive: Bools  #: the given label is the positive one
    confidences: Reals  #: ``(n, TOP)``: the highest of target classes, 0 where there are fewer boxes
    areas: Reals  #: of the strongest box as a share of the image, 0 without one
    brightness: Reals  #: 0..1
    sharpness: Reals  #: 0..1
    pixels: Reals  #: of the image
    fold: NDArray[np.int8]  #: 0..FOLDS-1, the same for exact copies
    called: Bools  #: somebody said what is there, positive or negative
    called_positive: Bools  #: and it was positive; False where not called
    drawn: Reals  #: the known probability with which an audit drew a called image; NaN: it was hunted, or not called
    opinion: Reals

    def __len__(self) -> int:
        """How many images there are."""
        return len(self.positive)

    @property
    def labels(self) -> Bools:
        """Positive by the verdict where there is one, else by the given label."""
        return np.where(self.called, self.called_positive, self.positive)

    @property
    def wrong(self) -> Bools:
        """The given label is wrong by the verdict; False where there is none."""
        wrong: Bools = self.called & (self.called_positive != self.positive)
        return wrong

    def take(self, places: NDArray[np.int64] | Bools) -> "Images":
        """Some of them."""
        return Images(**{each.name: getattr(self, each.name)[places] for each in fields(self)})

    def with_opinion(self, opinion: Reals) -> "Images":
        """The same with a second opinion."""
        return replace(self, opinion=opinion)


def fold_of(sha256: str) -> int:
    """The fold of an image by the hash of its bytes, so that copies are never on both sides of a split."""
    return int(sha256[:12], 16) % FOLDS


def log_odds(share: Reals) -> Reals:
    """``log(p / (1 - p))``, kept within +-HIGHEST_LOGIT."""
    low = 1 / (1 + np.exp(HIGHEST_LOGIT))
    inside = np.clip(share, low, 1 - low)
    result: Reals = np.log(inside / (1 - inside))
    return result


def to_share(odds: Reals) -> Reals:
    """The inverse: a share in 0..1."""
    result: Reals = 1 / (1 + np.exp(-np.clip(odds, -40, 40)))
    return result
