"""Every format and every way to be broken, with real files."""

import hashlib
import io
import struct
import zlib
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from PIL import Image, ImageDraw, TiffImagePlugin

from app.errors import ImageUnreadableError
from app.files.decoding import decode_bytes, decode_file, open_bytes, sniff_media_type

MAX_PIXELS = 200_000_000
FORMATS = {
    ".jpg": "JPEG",
    ".png": "PNG",
    ".webp": "WEBP",
    ".bmp": "BMP",
    ".gif": "GIF",
    ".tif": "TIFF",
    ".avif": "AVIF",
}


def quarters(size: tuple[int, int] = (64, 32)) -> Image.Image:
    """Red, green, blue and white quarters: turned or mirrored in any way it looks different."""
    width, height = size
    picture = Image.new("RGB", size, "white")
    pen = ImageDraw.Draw(picture)
    pen.rectangle((0, 0, width // 2 - 1, height // 2 - 1), "red")
    pen.rectangle((width // 2, 0, width - 1, height // 2 - 1), (0, 255, 0))
    pen.rectangle((0, height // 2, width // 2 - 1, height - 1), "blue")
    return picture


def encode(picture: Image.Image, name: str, **options: object) -> bytes:
    """A picture as a file's bytes."""
    buffer = io.BytesIO()
    picture.save(buffer, name, **options)
    return buffer.getvalue()


def corners(picture: Image.Image) -> str:
    """The colours of the four quarters by their letters, row by row."""
    letters = {"red": (255, 0, 0), "green": (0, 255, 0), "blue": (0, 0, 255), "white": (255, 255, 255)}
    found = ""
    for y in (0.25, 0.75):
        for x in (0.25, 0.75):
            pixel = picture.getpixel((int(x * picture.width), int(y * picture.height)))
            found += min(letters, key=lambda name: sum(abs(a - b) for a, b in zip(pixel, letters[name], strict=True)))[
                0
            ]
    return found


@pytest.mark.parametrize(("extension", "name"), FORMATS.items())
def test_every_format_is_read(tmp_path: Path, extension: str, name: str) -> None:
    """The picture is what was written, with the hash and the size of the file's own bytes."""
    content = encode(quarters(), name)
    (tmp_path / f"a{extension}").write_bytes(content)
    decoded = decode_file(tmp_path, f"a{extension}", MAX_PIXELS)
    assert (decoded.pixels.mode, decoded.width, decoded.height) == ("RGB", 64, 32)
    assert corners(decoded.pixels) == "rgbw"
    assert (decoded.sha256, decoded.size_bytes) == (hashlib.sha256(content).hexdigest(), len(content))


@pytest.mark.parametrize("extension", [".jpg", ".JPG", ".jpeg", ".jpe", ".jfif"])
def test_an_extension_in_any_spelling_is_that_format(extension: str) -> None:
    """Names of old cameras and of browsers are JPEGs too."""
    assert decode_bytes(encode(quarters(), "JPEG"), extension, MAX_PIXELS).size == (64, 32)


def test_the_first_frame_of_an_animation_is_the_picture() -> None:
    """What comes later in a GIF is not looked at."""
    frames = [quarters(), Image.new("RGB", (64, 32), "black")]
    content = encode(frames[0], "GIF", save_all=True, append_images=frames[1:])
    assert corners(decode_bytes(content, ".gif", MAX_PIXELS)) == "rgbw"


@pytest.mark.parametrize(
    ("picture", "extension", "name", "expected"),
    [
        (Image.new("L", (4, 4), 100), ".png", "PNG", (100, 100, 100)),
        (Image.new("1", (4, 4), 1), ".png", "PNG", (255, 255, 255)),
        (Image.new("P", (4, 4), 0), ".png", "PNG", (0, 0, 0)),
        (Image.new("LA", (4, 4), (100, 0)), ".png", "PNG", (255, 255, 255)),
        (Image.new("RGBA", (4, 4), (255, 0, 0, 0)), ".png", "PNG", (255, 255, 255)),
        (Image.new("RGBA", (4, 4), (0, 0, 0, 255)), ".webp", "WEBP", (0, 0, 0)),
        (Image.new("CMYK", (4, 4), (0, 0, 0, 255)), ".tif", "TIFF", (0, 0, 0)),
        (Image.fromarray(np.full((4, 4), 0x80FF, np.uint16)), ".png", "PNG", (128, 128, 128)),
        (Image.fromarray(np.full((4, 4), 0x80FF, np.uint16)), ".tif", "TIFF", (128, 128, 128)),
        (Image.fromarray(np.full((4, 4), 0.5, np.float32)), ".tif", "TIFF", (128, 128, 128)),
    ],
    ids=[
        "grey",
        "black and white",
        "palette",
        "grey with alpha",
        "transparent",
        "opaque",
        "CMYK TIFF",
        "16-bit PNG",
        "16-bit TIFF",
        "float TIFF",
    ],
)
def test_every_kind_of_pixel_becomes_rgb(
    picture: Image.Image, extension: str, name: str, expected: tuple[int, int, int]
) -> None:
    """Alpha lies on white, and of 16 bits the upper 8 are kept."""
    found = decode_bytes(encode(picture, name), extension, MAX_PIXELS)
    assert (found.mode, found.getpixel((1, 1))) == ("RGB", expected)


def test_half_transparent_lies_on_white() -> None:
    """Black at half opacity is grey."""
    found = decode_bytes(encode(Image.new("RGBA", (4, 4), (0, 0, 0, 128)), "PNG"), ".png", MAX_PIXELS)
    assert found.getpixel((0, 0)) == (127, 127, 127)


def test_a_transparent_palette_lies_on_white() -> None:
    """A palette colour that is marked transparent is white."""
    content = encode(Image.new("P", (4, 4), 0), "PNG", transparency=0)
    assert decode_bytes(content, ".png", MAX_PIXELS).getpixel((0, 0)) == (255, 255, 255)


def test_a_cmyk_jpeg_is_read_the_right_way_round() -> None:
    """Adobe's inverted inks come out as the colours that were meant."""
    found = decode_bytes(encode(quarters().convert("CMYK"), "JPEG", quality=95), ".jpg", MAX_PIXELS)
    assert corners(found) == "rgbw"


#: EXIF orientation -> how a picture is stored so that this orientation turns it upright again
STORED: dict[int, Callable[[Image.Image], Image.Image]] = {
    1: lambda picture: picture,
    2: lambda picture: picture.transpose(Image.Transpose.FLIP_LEFT_RIGHT),
    3: lambda picture: picture.transpose(Image.Transpose.ROTATE_180),
    4: lambda picture: picture.transpose(Image.Transpose.FLIP_TOP_BOTTOM),
    5: lambda picture: picture.transpose(Image.Transpose.TRANSPOSE),
    6: lambda picture: picture.transpose(Image.Transpose.ROTATE_90),
    7: lambda picture: picture.transpose(Image.Transpose.TRANSVERSE),
    8: lambda picture: picture.transpose(Image.Transpose.ROTATE_270),
}


def exif_block(orientation: int, *entries: tuple[int, int, int, bytes]) -> bytes:
    """A little-endian EXIF block with an orientation and further ``(tag, type, count, value)`` entries, unchecked."""
    rows = [(0x0112, 3, 1, struct.pack("<HH", orientation, 0)), *entries]
    packed = b"".join(struct.pack("<HHI", tag, kind, count) + value for tag, kind, count, value in rows)
    return b"Exif\0\0II*\0\x08\0\0\0" + struct.pack("<H", len(rows)) + packed + b"\0\0\0\0"


@pytest.mark.parametrize("orientation", range(1, 9))
def test_every_exif_orientation_is_turned_upright(tmp_path: Path, orientation: int) -> None:
    """As a camera writes it: the pixels lie on their side in the file and stand upright once read."""
    stored = STORED[orientation](quarters())
    stored.save(tmp_path / "a.jpg", quality=95, exif=exif_block(orientation))
    with Image.open(tmp_path / "a.jpg") as written:
        assert written.size == ((32, 64) if orientation >= 5 else (64, 32))
    decoded = decode_file(tmp_path, "a.jpg", MAX_PIXELS)
    assert (decoded.width, decoded.height) == (64, 32)
    assert corners(decoded.pixels) == "rgbw"


@pytest.mark.parametrize("orientation", [0, 9, 255])
def test_an_orientation_that_does_not_exist_changes_nothing(orientation: int) -> None:
    """Values outside 1..8 are ignored."""
    content = encode(quarters(), "JPEG", quality=95, exif=exif_block(orientation))
    assert corners(decode_bytes(content, ".jpg", MAX_PIXELS)) == "rgbw"


@pytest.mark.filterwarnings("ignore:Corrupt EXIF data")
@pytest.mark.parametrize(
    "exif",
    [
        b"Exif\0\0garbage that is no TIFF header",
        b"Exif\0\0II*\0\xff\xff\xff\x7f",
        exif_block(1)[:20],
        exif_block(1, (0x8769, 4, 1, struct.pack("<I", 0x7FFFFFFF))),
    ],
    ids=["garbage", "offset beyond the end", "cut off", "pointer beyond the end"],
)
def test_broken_exif_takes_nothing_from_the_picture(exif: bytes) -> None:
    """Metadata that cannot be read leaves the picture as it is stored."""
    assert corners(decode_bytes(encode(quarters(), "JPEG", quality=95, exif=exif), ".jpg", MAX_PIXELS)) == "rgbw"


@pytest.mark.filterwarnings("ignore:Corrupt EXIF data")
@pytest.mark.parametrize(
    "entry",
    [
        (0x010F, 3, 1, b"\x01\0\0\0"),  # Make as a number
        (0x011A, 2, 4, b"abc\0"),  # XResolution as text
        (0x8769, 2, 4, b"abc\0"),  # pointer to the Exif IFD as text
        (0x8825, 3, 2, b"\x01\0\x02\0"),  # pointer to the GPS IFD as two numbers
    ],
)
def test_an_orientation_counts_though_other_tags_are_broken(entry: tuple[int, int, int, bytes]) -> None:
    """The picture is turned even where the rest of the block could not be written again."""
    content = encode(STORED[6](quarters()), "JPEG", quality=95, exif=exif_block(6, entry))
    assert corners(decode_bytes(content, ".jpg", MAX_PIXELS)) == "rgbw"


@pytest.mark.filterwarnings("ignore::UserWarning")
@pytest.mark.parametrize(("extension", "name"), FORMATS.items())
def test_a_truncated_file_is_unreadable(extension: str, name: str) -> None:
    """Half a file of any format is refused with a reason, not shown half grey."""
    noise = np.random.default_rng(5).integers(0, 256, (64, 96, 3), np.uint8)
    content = encode(Image.fromarray(noise), name)
    with pytest.raises(ImageUnreadableError, match=r"\w"):
        decode_bytes(content[: len(content) // 2], extension, MAX_PIXELS)


@pytest.mark.filterwarnings("ignore::UserWarning")
@pytest.mark.parametrize("kept", [1, 2, 10, 30])
@pytest.mark.parametrize(("extension", "name"), FORMATS.items())
def test_the_first_bytes_of_a_file_are_unreadable(extension: str, name: str, kept: int) -> None:
    """A header that breaks off anywhere is a reason, never a crash."""
    with pytest.raises(ImageUnreadableError, match=r"\w"):
        decode_bytes(encode(quarters(), name)[:kept], extension, MAX_PIXELS)


@pytest.mark.parametrize(
    ("content", "extension", "reason"),
    [
        (b"", ".jpg", "the file is empty"),
        (b"this is no picture", ".jpg", r"the content is no image that Touchline reads \(first bytes 74 68"),
        (b"<svg xmlns='http://www.w3.org/2000/svg'/>", ".png", "the content is no image"),
        (encode(quarters(), "PNG"), ".jpg", "the name says .jpg, the content is PNG: rename the file"),
        (encode(quarters(), "JPEG"), ".png", "the name says .png, the content is JPEG: rename the file"),
        (encode(quarters(), "BMP"), ".gif", "the name says .gif, the content is BMP"),
    ],
    ids=["empty", "text", "svg", "PNG named jpg", "JPEG named png", "BMP named gif"],
)
def test_what_is_no_image_says_why(content: bytes, extension: str, reason: str) -> None:
    """The reason is what a person reads in the list of unreadable files."""
    with pytest.raises(ImageUnreadableError, match=reason):
        decode_bytes(content, extension, MAX_PIXELS)


def png_header(width: int, height: int) -> bytes:
    """A PNG that claims a size and holds no pixel."""
    header = struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0)

    def chunk(kind: bytes, content: bytes) -> bytes:
        return struct.pack(">I", len(content)) + kind + content + struct.pack(">I", zlib.crc32(kind + content))

    return b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", header) + chunk(b"IDAT", zlib.compress(b"")) + chunk(b"IEND", b"")


def tiff_header(width: int, height: int) -> bytes:
    """A TIFF that claims a size and holds a few bytes."""
    buffer = io.BytesIO()
    directory = TiffImagePlugin.ImageFileDirectory_v2()
    for tag, value in ((256, width), (257, height), (258, 8), (259, 1), (262, 1), (273, 8), (277, 1), (278, height)):
        directory[tag] = value
    directory[279] = 4
    buffer.write(b"II*\0\x08\0\0\0")
    directory.save(buffer)
    return buffer.getvalue()


@pytest.mark.parametrize(
    ("content", "extension"), [(png_header(60_000, 60_000), ".png"), (tiff_header(60_000, 60_000), ".tif")]
)
def test_a_huge_picture_is_refused_by_its_header(content: bytes, extension: str) -> None:
    """60,000 x 60,000 pixels are refused before a single one is decoded; the key that allows more is named."""
    with pytest.raises(ImageUnreadableError, match=r"60000 x 60000 pixels are more than datasets\.max_pixels"):
        decode_bytes(content, extension, MAX_PIXELS)


def test_the_limit_is_the_setting_s() -> None:
    """A picture of exactly as many pixels as allowed is read, one with fewer allowed is not."""
    content = encode(Image.new("RGB", (10, 10)), "PNG")
    assert decode_bytes(content, ".png", 100).size == (10, 10)
    with pytest.raises(ImageUnreadableError, match="10 x 10"):
        decode_bytes(content, ".png", 99)


@pytest.mark.parametrize(
    ("content", "extension"),
    [(png_header(0, 10), ".png"), (encode(Image.new("RGB", (1, 1)), "GIF")[:6] + bytes(20), ".gif")],
    ids=["PNG", "GIF"],
)
def test_a_picture_without_pixels_is_unreadable(content: bytes, extension: str) -> None:
    """A width or height of zero is no picture."""
    with pytest.raises(ImageUnreadableError, match=r"\w"):
        decode_bytes(content, extension, MAX_PIXELS)


@pytest.mark.filterwarnings("ignore::UserWarning")
def test_a_damaged_file_of_any_kind_ends_in_a_picture_or_a_reason() -> None:
    """A thousand files with bytes changed at random: never anything but a picture or a named reason."""
    random = np.random.default_rng(11)
    outcomes = set()
    for extension, name in FORMATS.items():
        whole = bytearray(encode(quarters((24, 16)), name))
        for _ in range(150):
            damaged = bytearray(whole)
            for place in random.integers(0, len(whole), 4):
                damaged[place] = random.integers(0, 256)
            outcomes.add(outcome_of(bytes(damaged), extension))
    assert outcomes == {"RGB", "a reason"}


def outcome_of(content: bytes, extension: str) -> str:
    """The mode of the decoded picture, or that there was a reason; any other error is the test's failure."""
    try:
        return decode_bytes(content, extension, 1_000_000).mode
    except ImageUnreadableError as error:
        return "a reason" if str(error) else "no reason"


@pytest.mark.parametrize(
    ("extension", "kind"),
    [
        (".jpg", "image/jpeg"),
        (".png", "image/png"),
        (".webp", "image/webp"),
        (".bmp", "image/bmp"),
        (".gif", "image/gif"),
        (".tif", "image/tiff"),
        (".avif", "image/avif"),
    ],
)
def test_the_media_type_comes_from_the_content(extension: str, kind: str) -> None:
    """The first bytes decide what a browser is told, not the name."""
    assert sniff_media_type(encode(quarters(), FORMATS[extension])[:32]) == kind


def test_what_is_no_image_has_no_type_that_a_browser_runs() -> None:
    """HTML that calls itself .jpg is sent as plain bytes."""
    assert sniff_media_type(b"<html><script>alert(1)</script>") == "application/octet-stream"


def big_jpeg(size: tuple[int, int] = (1600, 1200), orientation: int = 1) -> bytes:
    """A JPEG as a camera writes it."""
    return encode(STORED[orientation](quarters(size)), "JPEG", quality=90, exif=exif_block(orientation))


@pytest.mark.parametrize("orientation", range(1, 9))
def test_a_reduced_jpeg_keeps_its_full_width_and_height(tmp_path: Path, orientation: int) -> None:
    """Fewer pixels are decoded, upright all the same, and the image is as large as it is."""
    (tmp_path / "a.jpg").write_bytes(big_jpeg(orientation=orientation))
    decoded = decode_file(tmp_path, "a.jpg", MAX_PIXELS, enough_px=400)
    assert (decoded.width, decoded.height, decoded.pixels.size) == (1600, 1200, (400, 300))
    assert corners(decoded.pixels) == "rgbw"


@pytest.mark.parametrize(
    ("shorter", "longer", "expected"),
    [
        (1200, 0, (1600, 1200)),
        (601, 0, (1600, 1200)),
        (600, 0, (800, 600)),
        (300, 0, (400, 300)),
        (300, 801, (1600, 1200)),
        (150, 800, (800, 600)),
        (1, 1, (200, 150)),
        (5000, 0, (1600, 1200)),
    ],
)
def test_a_jpeg_is_reduced_no_further_than_asked(shorter: int, longer: int, expected: tuple[int, int]) -> None:
    """Both sides have at least the pixels that somebody needs of them."""
    undecoded = open_bytes(big_jpeg(), ".jpg", MAX_PIXELS)
    undecoded.reduce(shorter, longer)
    assert undecoded.pixels == expected[0] * expected[1]
    assert undecoded.decode()[0].size == expected


def test_odd_sides_are_rounded_up_never_below_what_is_needed() -> None:
    """1,601 pixels halved are 801, and the full size stays what it was."""
    undecoded = open_bytes(big_jpeg((1601, 1203)), ".jpg", MAX_PIXELS)
    undecoded.reduce(600, 0)
    picture, width, height = undecoded.decode()
    assert (picture.size, width, height) == ((801, 602), 1601, 1203)


def test_other_formats_are_decoded_whole() -> None:
    """Only JPEG can be reduced on the way."""
    undecoded = open_bytes(encode(quarters((640, 320)), "PNG"), ".png", MAX_PIXELS)
    undecoded.reduce(32, 32)
    assert undecoded.decode()[0].size == (640, 320)


def test_a_truncated_jpeg_is_unreadable_though_it_is_reduced() -> None:
    """Every byte is read all the same."""
    noise = np.random.default_rng(5).integers(0, 256, (600, 800, 3), np.uint8)
    content = encode(Image.fromarray(noise), "JPEG")
    undecoded = open_bytes(content[: len(content) * 9 // 10], ".jpg", MAX_PIXELS)
    undecoded.reduce(75, 100)
    with pytest.raises(ImageUnreadableError, match="truncated"):
        undecoded.decode()


def test_what_is_made_of_a_picture_carries_nothing_of_its_metadata() -> None:
    """Neither a comment nor a profile goes into a rendition."""
    content = encode(quarters(), "JPEG", comment=b"secret", icc_profile=b"profile", exif=exif_block(1))
    assert decode_bytes(content, ".jpg", MAX_PIXELS).info == {}


@pytest.mark.parametrize(
    ("content", "extension", "expected"),
    [
        (encode(quarters(), "JPEG"), ".jpg", "image/jpeg"),
        (encode(quarters().convert("L"), "JPEG"), ".jpg", "image/jpeg"),
        (encode(quarters(), "WEBP"), ".webp", "image/webp"),
        (encode(quarters().convert("CMYK"), "JPEG"), ".jpg", None),
        (encode(quarters(), "JPEG", exif=exif_block(3)), ".jpg", None),
        (encode(quarters(), "WEBP", save_all=True, append_images=[Image.new("RGB", (64, 32))]), ".webp", None),
        (encode(quarters().convert("RGBA"), "WEBP", lossless=True), ".webp", "image/webp"),
        (encode(quarters(), "PNG"), ".png", None),
    ],
    ids=["JPEG", "grey JPEG", "WebP", "CMYK", "upside down", "animation", "WebP without alpha", "PNG"],
)
def test_only_what_browsers_show_as_we_do_is_shown_as_it_is(
    content: bytes, extension: str, expected: str | None
) -> None:
    """An upright still JPEG or WebP in usual colours."""
    assert open_bytes(content, extension, MAX_PIXELS).media_type == expected
