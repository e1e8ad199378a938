"""What a drawn frame promises."""

import io

import numpy as np
import pytest
from PIL import Image

from app.demo.frames import LARGEST_PX, Frame, draw_frame, encode_jpeg


def draw(seed: int, *, with_ball: bool = True, hard: bool = False) -> Frame:
    """A frame of the tests' own series."""
    return draw_frame(np.random.default_rng([7, seed]), with_ball=with_ball, hard=hard)


def test_same_seed_gives_same_bytes() -> None:
    """A frame is a function of its seed, down to the last byte of its JPEG."""
    first, second = (encode_jpeg(draw(3)) for _ in range(2))
    assert first == second


def test_different_seeds_give_different_bytes() -> None:
    """No two seeds of a sample draw the same frame."""
    assert len({encode_jpeg(draw(seed)) for seed in range(8)}) == 8


def test_frames_are_640_px_colour_jpegs() -> None:
    """A frame decodes to 640 x 640 RGB."""
    image = Image.open(io.BytesIO(encode_jpeg(draw(1))))
    assert (image.format, image.size, image.mode) == ("JPEG", (640, 640), "RGB")


@pytest.mark.parametrize("hard", [False, True])
def test_boxes_lie_in_the_frame_and_have_a_balls_size(hard: bool) -> None:
    """A box has area, stays in the frame and is no larger than the largest ball in motion."""
    for seed in range(6):
        ((x0, y0, x1, y1),) = draw(seed, hard=hard).boxes
        assert 0 <= x0 < x1 <= 640
        assert 0 <= y0 < y1 <= 640
        assert 2 <= max(x1 - x0, y1 - y0) <= LARGEST_PX + 44


def test_an_empty_frame_has_no_boxes() -> None:
    """Without a ball there is no box."""
    assert draw(2, with_ball=False).boxes == ()


def test_the_ball_is_the_only_difference_between_the_classes() -> None:
    """With the same seed, pixels far from the ball are equal whether or not there is one."""
    for seed in range(4):
        with_ball, without = draw(seed), draw(seed, with_ball=False)
        (x0, y0, x1, y1) = with_ball.boxes[0]
        reach = 1.2 * max(x1 - x0, y1 - y0) + 40
        far = np.ones((640, 640), bool)
        top, left = max(0, int(y0 - reach)), max(0, int(x0 - reach))
        far[top : int(y1 + reach), left : int(x1 + reach)] = False
        assert np.array_equal(with_ball.pixels[far], without.pixels[far])
        assert not np.array_equal(with_ball.pixels, without.pixels)
        assert with_ball.quality == without.quality


def test_the_ball_can_be_seen() -> None:
    """Taking the ball away changes the inside of its box clearly."""
    for seed in range(7):
        with_ball, without = draw(seed), draw(seed, with_ball=False)
        x0, y0, x1, y1 = (round(edge) for edge in with_ball.boxes[0])
        change = with_ball.pixels[y0:y1, x0:x1].astype(int) - without.pixels[y0:y1, x0:x1]
        assert np.abs(change).max() > 15


def test_sizes_span_the_range() -> None:
    """Over a sample there are balls below 14 and above 40 pixels, and half lie between 9 and 45."""
    sizes = []
    for seed in range(24):
        ((x0, y0, x1, y1),) = draw(100 + seed).boxes
        sizes.append(max(x1 - x0, y1 - y0))
    assert min(sizes) < 14
    assert max(sizes) > 40
    assert np.mean([9 <= size <= 45 for size in sizes]) > 0.5
