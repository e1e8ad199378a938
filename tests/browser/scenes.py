"""Pictures of a few scenes, flagged at once, behind a server whose database a test can fill while it runs."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import numpy as np
from PIL import Image

from app.config import Settings
from app.storage.database import Database
from app.storage.datasets import list_datasets
from app.storage.migrating import migrate
from tests.browser.conftest import Server, serving
from tests.parts import SetClock, Workshop

SIZE = (64, 48)
MakeDataset = Callable[[dict[str, tuple[int, int]]], int]  #: path -> (scene, red), gives the dataset's id


def draw_scene(path: Path, scene: int, red: int, number: int) -> None:
    """A picture that looks like all others of its scene; ``red`` / 255 is what the detector of the tests answers."""
    blocks = np.random.default_rng(scene).integers(40, 216, (6, 8, 3), dtype=np.uint8)
    pixels = np.array(Image.fromarray(blocks).resize(SIZE, Image.Resampling.BICUBIC))
    pixels[-1, -1] = (number % 256, number // 256, scene)
    pixels[0, 0] = (red, 0, 0)
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.fromarray(pixels).save(path)


@contextmanager
def filling(folder: Path) -> Iterator[tuple[Server, Workshop]]:
    """A server without a worker, and a workshop on the same database."""
    settings = Settings(data_dir=folder / "var", datasets={"allowed_roots": (folder,)})
    settings.data_dir.mkdir()
    database = Database(settings.url)
    migrate(database)
    with serving(folder, "--no-worker") as server:
        yield server, Workshop(folder, database, settings, SetClock())
    database.dispose()


def make_dataset(workshop: Workshop, pictures: dict[str, tuple[int, int]]) -> int:
    """Draw, register and scan a dataset of its own; its id."""
    with workshop.database.read() as session:
        name = f"scenes-{len(list_datasets(session)) + 1}"
    for number, (path, (scene, red)) in enumerate(pictures.items()):
        draw_scene(workshop.folder / name / path, scene, red, number)
    view = workshop.add(workshop.folder / name)
    workshop.scan(view.id)
    return view.id
