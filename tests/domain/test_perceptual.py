"""The hash that pictures share when they look the same."""

import io

import numpy as np
import pytest
from PIL import Image, ImageFilter

from app.domain.perceptual import hash_distance, perceptual_hash
from app.services.scan_looking import hash_picture


def scene(seed: int) -> Image.Image:
    """Soft blobs, as a photograph has them."""
    noise = np.random.default_rng(seed).integers(0, 256, (12, 16, 3), np.uint8)
    return Image.fromarray(noise).resize((640, 480), Image.Resampling.BICUBIC).filter(ImageFilter.GaussianBlur(3))


def encoded(picture: Image.Image, quality: int) -> Image.Image:
    """A picture after JPEG of some quality."""
    buffer = io.BytesIO()
    picture.save(buffer, "JPEG", quality=quality)
    return Image.open(buffer)


@pytest.mark.parametrize("seed", range(5))
def test_a_picture_in_another_size_or_compression_has_nearly_the_same_hash(seed: int) -> None:
    """At most a few of the 64 bits turn."""
    picture = scene(seed)
    known = hash_picture(picture)
    for other in (encoded(picture, 95), encoded(picture, 40), picture.resize((320, 240)), picture.resize((1280, 960))):
        assert hash_distance(known, hash_picture(other)) <= 6


def test_other_pictures_have_other_hashes() -> None:
    """About half of the bits differ between any two."""
    hashes = [hash_picture(scene(seed)) for seed in range(20)]
    distances = [hash_distance(one, other) for at, one in enumerate(hashes) for other in hashes[:at]]
    assert min(distances) > 12


@pytest.mark.parametrize("grey", [0, 1, 128, 255])
def test_a_picture_of_one_colour_has_the_hash_0(grey: int) -> None:
    """Rounding errors are no detail."""
    assert perceptual_hash(np.full((32, 32), grey, np.uint8)) == 0


def test_a_hash_is_a_signed_number_of_64_bits() -> None:
    """As every database has it, with the highest bit in use."""
    hashes = [hash_picture(scene(seed)) for seed in range(40)]
    assert all(-(1 << 63) <= each < 1 << 63 for each in hashes)
    assert any(each < 0 for each in hashes)
    assert hash_distance(-1, 0) == 64
