"""Pictures over HTTP: the very bytes, named by id alone, and kept only where their hash is in the URL."""

import hashlib
import io
from pathlib import Path

import pytest
from PIL import Image

from tests.files.test_decoding import STORED, corners, exif_block, quarters
from tests.parts import Browser, Workshop, draw

ODD = "secret name <b>.jpg"


@pytest.fixture
def path(workshop: Workshop) -> Path:
    """An image on its side, with an odd name, registered as image 1."""
    root = workshop.folder / "frames"
    draw(root / "football" / "other.png", 250)
    (root / "background").mkdir()
    path = root / "background" / ODD
    STORED[6](quarters((640, 320))).save(path, quality=95, exif=exif_block(6))
    workshop.add(root)
    return path


def image_id(workshop: Workshop) -> int:
    """The id of that image."""
    return workshop.image_id(1, f"background/{ODD}")


def test_the_file_is_served_byte_by_byte_without_its_name(workshop: Workshop, browser: Browser, path: Path) -> None:
    """Its hash is its ETag; neither a header nor the address tells the name."""
    response = browser.get(f"/images/{image_id(workshop)}/file")
    assert response.content == path.read_bytes()
    assert response.headers["etag"] == f'"{hashlib.sha256(path.read_bytes()).hexdigest()}"'
    assert (response.headers["content-type"], response.headers["content-length"]) == (
        "image/jpeg",
        str(path.stat().st_size),
    )
    assert "secret" not in str(response.headers)


def test_what_a_browser_has_is_not_sent_again(workshop: Workshop, browser: Browser, path: Path) -> None:
    """304 for the same bytes, 200 once they changed."""
    for url in (f"/images/{image_id(workshop)}/file", f"/images/{image_id(workshop)}/rendition/tile"):
        etag = browser.get(url).headers["etag"]
        again = browser.get(url, headers={"if-none-match": etag})
        assert (again.status_code, again.content) == (304, b"")
    draw(path, 7, size=(30, 30))
    changed = browser.get(f"/images/{image_id(workshop)}/file", headers={"if-none-match": etag})
    assert changed.status_code == 200


@pytest.mark.parametrize("kind", ["file", "rendition/tile", "rendition/screen"])
def test_only_a_url_with_the_hash_may_be_kept_for_ever(
    workshop: Workshop, browser: Browser, path: Path, kind: str
) -> None:
    """Without it, or with another, the browser asks again."""
    url = f"/images/{image_id(workshop)}/{kind}"
    sha256 = hashlib.sha256(path.read_bytes()).hexdigest()
    kept = [
        browser.get(url + query).headers["cache-control"] for query in ("", "?v=1", f"?v={'0' * 64}", f"?v={sha256}")
    ]
    assert kept == ["no-cache", "no-cache", "no-cache", "private, max-age=31536000, immutable"]


@pytest.mark.parametrize(("size", "side"), [("tile", 320), ("screen", 640)])
def test_a_rendition_is_upright_and_bounded(
    workshop: Workshop, browser: Browser, path: Path, size: str, side: int
) -> None:
    """A JPEG that stands as the picture was taken, of at most the size's side."""
    response = browser.get(f"/images/{image_id(workshop)}/rendition/{size}")
    with Image.open(io.BytesIO(response.content)) as picture:
        assert (picture.size, corners(picture)) == ((side, side // 2), "rgbw")
    assert response.headers["content-type"] == "image/jpeg"
    assert "secret" not in str(response.headers)


def test_an_upright_jpeg_that_fits_the_screen_is_its_own_screen_picture(workshop: Workshop, browser: Browser) -> None:
    """The very bytes, without the name; a thumbnail of it is smaller all the same."""
    root = workshop.folder / "frames"
    content = draw(root / "football" / "plain.jpg", 200, size=(640, 320)).read_bytes()
    draw(root / "background" / "b.png", 1)
    workshop.add(root)
    url = f"/images/{workshop.image_id(1, 'football/plain.jpg')}/rendition"
    screen, tile = browser.get(f"{url}/screen"), browser.get(f"{url}/tile")
    assert (screen.status_code, screen.content, screen.headers["content-type"]) == (200, content, "image/jpeg")
    assert "plain" not in str(screen.headers)
    assert tile.content != content
    etag = {"if-none-match": screen.headers["etag"]}
    assert browser.get(f"{url}/screen", headers=etag).status_code == 304


def test_a_picture_is_shown_and_never_run(workshop: Workshop, browser: Browser, path: Path) -> None:
    """HTML that calls itself .jpg is sent as plain bytes in a sandbox."""
    path.write_bytes(b"<html><script>alert(1)</script></html>")
    response = browser.get(f"/images/{image_id(workshop)}/file")
    assert response.headers["content-type"] == "application/octet-stream"
    assert response.headers["x-content-type-options"] == "nosniff"
    assert "sandbox" in response.headers["content-security-policy"]


def test_a_file_that_is_gone_or_broken_is_not_found(workshop: Workshop, browser: Browser, path: Path) -> None:
    """404 with a reason that tells no path."""
    found = image_id(workshop)
    path.write_bytes(b"broken")
    broken = browser.get(f"/images/{found}/rendition/screen")
    path.unlink()
    gone = browser.get(f"/images/{found}/file")
    assert (broken.status_code, gone.status_code) == (404, 404)
    assert "secret" not in broken.text + gone.text


def test_a_symlink_that_took_a_file_s_place_is_not_followed_out(
    workshop: Workshop, browser: Browser, path: Path, tmp_path: Path
) -> None:
    """No byte from outside the root leaves the server."""
    found = image_id(workshop)
    (tmp_path / "passwd").write_text("root:x:0:0")
    path.unlink()
    path.symlink_to(tmp_path / "passwd")
    for kind in ("file", "rendition/tile"):
        response = browser.get(f"/images/{found}/{kind}")
        assert (response.status_code, "root:x" in response.text) == (404, False)


@pytest.mark.parametrize("url", ["/images/1/rendition/huge", "/images/x/file", "/images/1/file/../../etc"])
def test_sizes_and_ids_are_no_paths(browser: Browser, path: Path, url: str) -> None:
    """What is neither is refused."""
    assert browser.get(url).status_code in (404, 422)
