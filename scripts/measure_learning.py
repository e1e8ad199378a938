"""How long a fit takes, and how much memory: drawn numbers with features of the usual width, without a database.

Example: python scripts/measure_learning.py --images 100000 --verdicts 1000
"""

import argparse
import json
import resource
from dataclasses import replace
from time import perf_counter

import numpy as np
from numpy.typing import NDArray

from app.learning.fitting import fit
from app.learning.images import FOLDS, TOP, Images, to_share

WIDTH = 256


def draw(images: int, verdicts: int) -> tuple[Images, NDArray[np.float16], NDArray[np.bool_]]:
    """Images, features and the truth; a twelfth of the folders' labels are wrong."""
    random = np.random.default_rng(1)
    truth = random.random(images) < 0.45
    score = to_share(random.normal(np.where(truth, 1.6, -1.6), 1.5))
    features = random.standard_normal((images, WIDTH), np.float32).astype(np.float16)
    features[:, 0] += np.where(truth, 1.2, -1.2).astype(np.float16)
    called = np.zeros(images, np.bool_)
    called[random.choice(images, verdicts, replace=False)] = True
    known = Images(
        positive=truth ^ (random.random(images) < 1 / 12),
        confidences=np.column_stack([score, score / 3, score / 9])[:, :TOP],
        areas=random.random(images) / 50,
        brightness=random.random(images),
        sharpness=random.random(images) / 10,
        pixels=np.full(images, 1e6),
        fold=random.integers(0, FOLDS, images).astype(np.int8),
        called=called,
        called_positive=truth & called,
        drawn=np.full(images, np.nan),
        opinion=np.zeros(images),
    )
    return known, features, truth


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else "")
    parser.add_argument("--images", type=int, default=100_000)
    parser.add_argument("--verdicts", type=int, default=1_000)
    arguments = parser.parse_args()
    images, features, _ = draw(arguments.images, arguments.verdicts)
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    began = perf_counter()
    fitted = fit(replace(images), lambda places: features[places].astype(np.float32), 0.5, 1)
    spent = perf_counter() - began
    grown = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before
    print(
        json.dumps(
            {
                "images": arguments.images,
                "verdicts": arguments.verdicts,
                "fit_s": round(spent, 2),
                "grown_mb": round(grown / 1024),
                "auc": fitted.report["auc"],
                "calibration_error": fitted.report["calibration_error"],
            }
        )
    )


if __name__ == "__main__":
    main()
