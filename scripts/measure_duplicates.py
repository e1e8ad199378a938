"""The search for near duplicates: time, memory, and recall against comparing all pairs.

    python scripts/measure_duplicates.py --images 100000

A dataset of 5,000 hashes: drawn frames, and of each eleven versions that were resized, recompressed, cropped a little
or brightened. Then the same among random hashes up to ``--images``, and with crowds: a tenth of the images is one
still scene a few bits apart, another tenth one and the same hash. Recall is over the eight nearest of each image; in
the larger sets that of 5,000 images against all others. Prints one JSON document.
"""

import io
import json
import resource
from collections import Counter
from collections.abc import Iterator
from multiprocessing import Pool
from time import perf_counter
from typing import Annotated, Any

import numpy as np
import typer
from numpy.typing import NDArray
from PIL import Image

from app.demo.frames import draw_frame
from app.domain.duplicates import DISTANCE, NEIGHBOURS, Neighbours, as_hashes, find_neighbours
from app.services.scan_looking import hash_picture

SAMPLE = 5_000
VERSIONS = 12  #: of each frame, itself among them
Hashes = NDArray[np.uint64]


def versions(picture: Image.Image) -> Iterator[Image.Image]:
    """A picture, and what becomes of it on its way through other tools."""
    width, height = picture.size
    yield picture
    for part in (0.25, 0.5, 0.75):
        yield picture.resize((round(width * part), round(height * part)), Image.Resampling.LANCZOS)
    for quality in (20, 40, 70):
        buffer = io.BytesIO()
        picture.save(buffer, "JPEG", quality=quality)
        yield Image.open(buffer).convert("RGB")
    for part in (0.005, 0.01, 0.02):
        edge = round(width * part)
        yield picture.crop((edge, edge, width - edge, height - edge))
    for factor in (0.8, 1.2):
        lookup = [min(255, round(value * factor)) for value in range(256)] * 3
        yield picture.point(lookup)


def draw_hashes(seed: int) -> list[int]:
    """The hashes of one frame's versions."""
    frame = draw_frame(np.random.default_rng(seed), with_ball=seed % 2 == 0)
    return [hash_picture(version) for version in versions(Image.fromarray(frame.pixels))]


def unrelated(random: np.random.Generator, number: int) -> Hashes:
    """Random hashes."""
    return random.integers(0, 1 << 64, number, dtype=np.uint64)


def crowd(random: np.random.Generator, number: int, turned: int) -> Hashes:
    """Hashes of one still scene, at most ``turned`` bits away from one."""
    hashes = np.full(number, unrelated(random, 1)[0])
    for _ in range(turned):
        hashes ^= np.uint64(1) << random.integers(0, 64, number).astype(np.uint64)
    return hashes


def recall(hashes: Hashes, found: Neighbours, chosen: NDArray[np.int64]) -> dict[str, Any]:
    """Of the nearest that comparing with all others gives, the share that was found, by distance.

    Which of several that are equally far is found does not matter.
    """
    wanted, got = Counter[int](), Counter[int]()
    for image in chosen:
        apart = np.bitwise_count(hashes ^ hashes[image])
        apart[image] = DISTANCE + 1
        nearest = Counter(np.sort(apart[apart <= DISTANCE])[:NEIGHBOURS].tolist())
        wanted += nearest
        got += nearest & Counter(found.distances[image].tolist())
    return {
        "compared": len(chosen),
        "neighbours": wanted.total(),
        "recall": round(got.total() / max(1, wanted.total()), 5),
        "images_with_none_found": int((found.positions[chosen, 0] < 0).sum()),
    }


def measure(name: str, hashes: Hashes, chosen: NDArray[np.int64]) -> dict[str, Any]:
    """One search, timed, and its recall."""
    began = perf_counter()
    found = find_neighbours(hashes)
    spent = perf_counter() - began
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    return {
        "set": name,
        "images": len(hashes),
        "seconds": round(spent, 2),
        "peak_mb_of_process": round(peak),
        **recall(hashes, found, chosen),
    }


def main(
    images: Annotated[int, typer.Option(help="Size of the larger sets.")] = 100_000,
    workers: Annotated[int, typer.Option(help="Processes that draw frames.")] = 2,
) -> None:
    """Draw, search, compare, print."""
    random = np.random.default_rng(4)
    with Pool(workers) as pool:
        drawn = pool.map(draw_hashes, range(-(-SAMPLE // VERSIONS)))
    signed = np.array(drawn, np.int64)
    real = as_hashes(signed.ravel()[:SAMPLE])
    frames = as_hashes(signed.ravel()).reshape(-1, VERSIONS)
    within = np.bitwise_count(frames[:, 1:] ^ frames[:, :1]) <= DISTANCE
    first = np.arange(SAMPLE)
    tenth = images // 10
    spread = np.concatenate([real, unrelated(random, images - SAMPLE)])
    crowded = np.concatenate(
        [real, crowd(random, tenth, 5), crowd(random, tenth, 0), unrelated(random, images - SAMPLE - 2 * tenth)]
    )
    everywhere = random.choice(images, SAMPLE, replace=False)
    rows = [
        measure("frames and their versions", real, first),
        measure("among random hashes", spread, first),
        measure("with crowds, the frames", crowded, first),
        measure("with crowds, any image", crowded, everywhere),
    ]
    print(json.dumps({"versions_within_reach": round(float(within.mean()), 4), "rows": rows}, indent=1))


if __name__ == "__main__":
    typer.run(main)
