"""What lies beside the image: neighbours by name, enlargements, a person's boxes and note."""

import io
import shutil
from pathlib import Path

import numpy as np
import pytest
from PIL import Image, ImageEnhance, ImageFilter

from app.domain.reviewing import Verdict
from app.errors import ConflictError, InvalidInputError, NotFoundError
from app.files.budget import PixelBudget
from app.services.desk import Desk, find_draft, view_desk_of, view_enlargements
from app.services.media import cut_original
from app.services.reviews import NewReview, clean_note, give_review
from app.storage.reviews import reviews_of_image
from tests.parts import Workshop, draw, new_request_id

FILES = {f"background/{number}.png": 200 - number for number in range(1, 8)} | {
    "background/4/inner.png": 3,
    "background/4x/inner.png": 4,
    "football/0.png": 250,
    "football/9.png": 250,
}


def desk(workshop: Workshop, path: str) -> Desk:
    """The desk with one image on it."""
    item = workshop.item(workshop.image_id(1, path))
    with workshop.database.read() as session:
        return view_desk_of(session, workshop.settings.review, item)


@pytest.mark.parametrize(
    ("path", "names"),
    [
        ("background/4.png", "1234567"),
        ("background/1.png", "1234"),
        ("background/7.png", "4567"),
        ("football/0.png", "09"),
    ],
)
def test_neighbours_are_of_the_same_folder(workshop: Workshop, path: str, names: str) -> None:
    """Three on each side where there are so many; files of sub-folders and of the other label are none."""
    workshop.ready(FILES)
    frames = desk(workshop, path).frames
    assert [frame.name for frame in frames] == [f"{name}.png" for name in names]
    assert [frame.name for frame in frames if frame.current] == [path.rpartition("/")[2]]


def test_neighbours_tell_score_and_verdict(workshop: Workshop) -> None:
    """As far as there is one; and which are the next on each side."""
    workshop.ready(FILES)
    workshop.call(workshop.image_id(1, "background/3.png"), Verdict.NEGATIVE)
    found = desk(workshop, "background/4.png")
    before = next(frame for frame in found.frames if frame.image_id == found.before_id)
    after = next(frame for frame in found.frames if frame.image_id == found.after_id)
    assert (before.name, before.verdict, before.verdict_text) == ("3.png", "negative", "no football")
    assert (after.name, after.verdict, round(after.score or 0, 2)) == ("5.png", None, round(195 / 255, 2))


def test_neighbours_that_are_gone_or_broken_are_left_out(workshop: Workshop) -> None:
    """There is nothing to see of them."""
    root = workshop.fill(FILES)
    (root / "background" / "5.png").write_bytes(b"no picture")
    workshop.add(root)
    workshop.scan(1)
    (root / "background" / "3.png").unlink()
    workshop.scan(1)
    assert "3.png" not in [frame.name for frame in desk(workshop, "background/4.png").frames]
    assert "5.png" not in [frame.name for frame in desk(workshop, "background/4.png").frames]


def test_boxes_and_note_come_back_with_an_undo(workshop: Workshop) -> None:
    """Who takes a verdict back changes a part of it; the earlier verdict's own come back only with it."""
    workshop.ready(FILES)
    image_id = workshop.image_id(1, "background/4.png")
    new = NewReview(Verdict.POSITIVE, None, "ada", "review", boxes=[(1, 2, 3.5, 4)], note=" half hidden \r\n")
    given = give_review(workshop.database, workshop.clock, image_id, new)
    told = desk(workshop, "background/4.png")
    workshop.take_back(given.review.id)
    after = desk(workshop, "background/4.png")

    assert (told.human_boxes, told.note) == (((1, 2, 3.5, 4),), "half hidden")
    assert (after.human_boxes, after.note) == (told.human_boxes, told.note)
    assert (desk(workshop, "background/5.png").human_boxes, desk(workshop, "background/5.png").note) == (None, "")


def test_a_draft_is_the_verdict_that_was_given_last(workshop: Workshop) -> None:
    """Also where it followed another."""
    workshop.ready(FILES)
    image_id = workshop.image_id(1, "background/4.png")
    workshop.call(image_id, Verdict.UNSURE)
    second = workshop.call(image_id, Verdict.POSITIVE)
    with workshop.database.read() as session:
        assert find_draft(reviews_of_image(session, image_id)) == second.review
    assert find_draft([]) is None


def test_the_same_request_with_another_note_is_another_verdict(workshop: Workshop) -> None:
    """Sent twice it is kept once; with other words it is refused, not dropped."""
    workshop.ready(FILES)
    image_id = workshop.image_id(1, "background/4.png")
    new = NewReview(Verdict.POSITIVE, None, "ada", "review", request_id=new_request_id(), note="seen")
    first = give_review(workshop.database, workshop.clock, image_id, new)
    again = give_review(workshop.database, workshop.clock, image_id, new)
    other = NewReview(Verdict.POSITIVE, None, "ada", "review", request_id=new.request_id, note="other")

    assert (again.review.id, again.repeated) == (first.review.id, True)
    with pytest.raises(ConflictError):
        give_review(workshop.database, workshop.clock, image_id, other)


def test_a_note_has_its_limit() -> None:
    """2,000 characters; nothing is no note."""
    assert clean_note("  \r\n ") is None
    assert clean_note("a" * 2000 + "\n") == "a" * 2000
    with pytest.raises(InvalidInputError):
        clean_note("a" * 2001)


def test_an_image_larger_than_the_screen_is_enlarged_from_the_original(workshop: Workshop, tmp_path: Path) -> None:
    """A rendition has lost what an 8-pixel ball is made of; the window holds the original's own pixels."""
    root = workshop.folder / "frames"
    draw(root / "background" / "large.png", 240, size=(3000, 60))
    draw(root / "football" / "other.png", 250)
    workshop.add(root)
    workshop.scan(1)
    item = workshop.item(workshop.image_id(1, "background/large.png"))
    large = view_enlargements(item, 2048)[0]
    small = view_enlargements(item, 4096)[0]

    assert (large.whole, small.whole) == (False, True)
    assert f"/images/{item.record.id}/crop/" in large.url
    x, y, side = (int(part) for part in large.url.rpartition("/")[2].partition("?")[0].split("-"))
    given = (workshop.database, workshop.settings, PixelBudget(10**9), item.record.id)
    content, sha256 = cut_original(*given, (x, y, side))
    picture = Image.open(io.BytesIO(content))
    assert (picture.size, sha256) == ((side, side), item.record.sha256)
    assert picture.getpixel((0, 0)) == (240, 0, 0)
    with pytest.raises(NotFoundError):
        cut_original(*given, (3000, 0, 10))


def video(root: Path) -> None:
    """Twelve frames of one scene, of which two lie in the other folder, a copy there, and a picture unlike them."""
    noise = np.random.default_rng(7).integers(0, 256, (9, 12, 3), np.uint8)
    scene = Image.fromarray(noise).resize((320, 240), Image.Resampling.BICUBIC).filter(ImageFilter.GaussianBlur(3))
    for folder in ("background", "football"):
        (root / folder).mkdir(parents=True)
    for number in range(12):
        folder = "football" if number in (3, 9) else "background"
        ImageEnhance.Brightness(scene).enhance(1 + number / 100).save(root / folder / f"{number:02}.png")
    shutil.copy(root / "background/00.png", root / "football/copy.png")
    draw(root / "background/unlike.png", 200, size=(320, 240))


def test_what_looks_alike_lies_beside_it(workshop: Workshop, tmp_path: Path) -> None:
    """The copy first, then the nearest; none that the strip of file names shows, and each says where it is filed."""
    video(tmp_path / "video")
    workshop.add(tmp_path / "video")
    workshop.scan(1)
    workshop.call(workshop.image_id(1, "football/copy.png"), Verdict.POSITIVE)
    found = desk(workshop, "background/00.png")
    assert [frame.name for frame in found.frames] == ["00.png", "01.png", "02.png", "04.png"]
    assert len(found.similar) == 4
    first = found.similar[0]
    assert (first.name, first.likeness, first.elsewhere) == ("copy.png", "the same file, filed as football", True)
    assert first.verdict_text == "football"
    assert not {frame.image_id for frame in found.similar} & {frame.image_id for frame in found.frames}
    assert {frame.name for frame in found.similar} <= {f"{number:02}.png" for number in range(12)} | {"copy.png"}
    for frame in found.similar[1:]:
        filed = "football" if frame.name in ("03.png", "09.png") else "background"
        assert (frame.likeness, frame.elsewhere) == (f"looks alike, filed as {filed}", filed == "football")
    assert desk(workshop, "background/unlike.png").similar == ()


def test_what_is_gone_looks_like_nothing(workshop: Workshop, tmp_path: Path) -> None:
    """A strip shows only what is there to be opened."""
    root = tmp_path / "video"
    video(root)
    workshop.add(root)
    workshop.scan(1)
    (root / "football/copy.png").unlink()
    workshop.scan(1)
    assert "copy.png" not in [frame.name for frame in desk(workshop, "background/00.png").similar]
