"""Damaged files through real commands and a real worker process: each is named, and the run goes on."""

import csv
import io
import json
import struct
import zlib
from pathlib import Path

import pytest
from PIL import Image

from app.config import Settings
from app.demo.dataset import Contamination
from app.files.decoding import ORIENTATION
from app.services.demo import write_demo
from app.services.images import ImageItem, ImageQuery, list_items
from app.storage.database import Database
from tests.cli.test_commands import document, run

SIDE = 640  #: of the demo's frames
HEIGHT = 400  #: of the frames that are cut from them, so that one on its side has another size
Corners = tuple[float, float, float, float]


def encode(name: str, size: tuple[int, int] = (64, 48)) -> bytes:
    """A picture with something to compress."""
    picture = Image.effect_noise(size, 90).convert("RGB")
    buffer = io.BytesIO()
    picture.save(buffer, name)
    return buffer.getvalue()


def png_claiming(width: int, height: int) -> bytes:
    """A whole PNG but for what its header says of its size."""
    header = struct.pack(">II5B", width, height, 8, 2, 0, 0, 0)
    chunks = [(b"IHDR", header), (b"IDAT", zlib.compress(bytes(1000))), (b"IEND", b"")]
    parts = [
        struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data)) for kind, data in chunks
    ]
    return b"\x89PNG\r\n\x1a\n" + b"".join(parts)


def gif_claiming(width: int, height: int) -> bytes:
    """A GIF whose screen and frame are of this size."""
    content = bytearray(encode("GIF", (4, 4)))
    content[6:10] = struct.pack("<HH", width, height)
    frame = content.index(b"\x2c\x00\x00\x00\x00\x04\x00\x04\x00")
    content[frame + 5 : frame + 9] = struct.pack("<HH", width, height)
    return bytes(content)


#: name -> content, and what its reason says
DAMAGED: dict[str, tuple[bytes, str]] = {
    "cut.jpg": (encode("JPEG")[:900], "truncated"),
    "cut.png": (encode("PNG")[:900], "truncated"),
    "empty.jpg": (b"", "the file is empty"),
    "text.jpg": (b"no picture, but a letter to somebody\n", "no image that Touchline reads"),
    "huge.png": (png_claiming(60_000, 60_000), "60000 x 60000 pixels are more than datasets.max_pixels"),
    "nothing.png": (png_claiming(0, 0), "no image that Touchline reads"),
    "nothing.gif": (gif_claiming(0, 0), "no image that Touchline reads"),
}


def stored(folder: Path) -> dict[str, ImageItem]:
    """What is kept of each image, by path."""
    database = Database(Settings(data_dir=folder / "var").url)
    found = list_items(database, ImageQuery(dataset="frames", order="path", limit=500)).items
    database.dispose()
    return {item.record.path: item for item in found}


def scan(folder: Path) -> None:
    """Register, queue, and let a worker process do what is queued."""
    added = run(folder, "add", "frames")
    assert added.returncode == 0, added.stderr
    assert document(folder, "scan", "frames")["status"] == "queued"
    worked = run(folder, "worker", "--once")
    assert worked.returncode == 0, worked.stderr


@pytest.fixture(scope="module")
def drawn(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A few frames of the demo."""
    folder = tmp_path_factory.mktemp("drawn") / "demo"
    write_demo(folder, 12, 3, Contamination.NONE)
    return folder


def test_damaged_files_are_named_and_the_run_goes_on(tmp_path: Path, drawn: Path) -> None:
    """Each with its reason, at registering already; the whole images among them are scored."""
    root = tmp_path / "frames"
    for label in ("football", "background"):
        (root / label).mkdir(parents=True)
        whole = min((drawn / label).glob("*.jpg"))
        (root / label / "whole.jpg").write_bytes(whole.read_bytes())
    for name, (content, _) in DAMAGED.items():
        (root / "football" / name).write_bytes(content)
    scan(tmp_path)
    found = stored(tmp_path)
    reasons = {path: item.record.unreadable for path, item in found.items() if item.record.unreadable is not None}
    assert set(reasons) == {f"football/{name}" for name in DAMAGED}
    for name, (_, said) in DAMAGED.items():
        assert said in (reasons[f"football/{name}"] or ""), name
    assert [found[f"{label}/whole.jpg"].record.score is not None for label in ("football", "background")] == [True] * 2
    status = document(tmp_path, "status")["datasets"][0]
    assert (status["images"], status["unreadable"]) == (len(DAMAGED) + 2, len(DAMAGED))
    assert status["scan"]["status"] == "done"


def largest_ball(drawn: Path) -> tuple[Path, Corners]:
    """The frame with the largest ball, and where that lies."""
    with (drawn / "truth.csv").open(newline="") as file:
        balls = [(row["path"], tuple(box)) for row in csv.DictReader(file) for box in json.loads(row["boxes"])]
    path, box = max(balls, key=lambda ball: ball[1][2] - ball[1][0])
    return drawn / path, box


def strongest(item: ImageItem) -> Corners:
    """The box that the detector is surest of."""
    box = max(item.boxes, key=lambda box: box.confidence)
    return box.x0, box.y0, box.x1, box.y1


def overlap(one: Corners, other: Corners) -> float:
    """Intersection over union."""
    width = min(one[2], other[2]) - max(one[0], other[0])
    height = min(one[3], other[3]) - max(one[1], other[1])
    shared = max(width, 0.0) * max(height, 0.0)
    areas = [(box[2] - box[0]) * (box[3] - box[1]) for box in (one, other)]
    return shared / (sum(areas) - shared)


def test_boxes_of_a_turned_photograph_lie_where_people_see_them(tmp_path: Path, drawn: Path) -> None:
    """A file that is stored on its side, as phones do: size and boxes are those of the upright picture."""
    path, (x0, y0, x1, y1) = largest_ball(drawn)
    top = min(max(int((y0 + y1) / 2) - 130, 0), SIDE - HEIGHT)  # the ball lies off the middle
    with Image.open(path) as picture:
        upright = picture.crop((0, top, SIDE, top + HEIGHT))
    (tmp_path / "frames" / "football").mkdir(parents=True)
    (tmp_path / "frames" / "background").mkdir()
    upright.save(tmp_path / "frames" / "football" / "upright.jpg", quality=95)
    exif = Image.Exif()
    exif[ORIENTATION] = 6
    stored_as = upright.transpose(Image.Transpose.ROTATE_90)
    stored_as.save(tmp_path / "frames" / "background" / "turned.jpg", quality=95, exif=exif)
    scan(tmp_path)
    found = stored(tmp_path)
    turned, straight = found["background/turned.jpg"], found["football/upright.jpg"]
    assert stored_as.size == (HEIGHT, SIDE)
    assert (turned.record.width, turned.record.height) == (SIDE, HEIGHT)
    assert overlap(strongest(turned), (x0, y0 - top, x1, y1 - top)) > 0.5
    assert overlap(strongest(turned), strongest(straight)) > 0.8
