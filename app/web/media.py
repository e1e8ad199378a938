"""Pictures by opaque id, never by path; the file's name stays here."""

from typing import Annotated

from fastapi import APIRouter, Header, Path, Query
from starlette.background import BackgroundTask
from starlette.responses import FileResponse, Response, StreamingResponse

from app.files.renditions import RenditionSize
from app.services.media import cut_original, get_rendition, open_original
from app.web.context import GivenParts
from app.web.problems import responses

router = APIRouter(tags=["media"])
CHUNK = 1 << 18
Window = Annotated[
    str,
    Path(
        pattern=r"^[0-9]{1,6}-[0-9]{1,6}-(1024|10[01][0-9]|102[0-3]|[1-9][0-9]{0,2})$",
        description="`x-y-side` in pixels of the upright image; a side of at most 1,024",
    ),
]
IfNoneMatch = Annotated[str | None, Header()]
Version = Annotated[str | None, Query(max_length=64)]


def _headers(sha256: str, version: str | None, suffix: str = "") -> dict[str, str]:
    # Only a URL that names the very bytes may be kept for ever; without ?v= the same URL can mean other bytes later.
    immutable = version is not None and version == sha256
    return {
        "ETag": f'"{sha256}{suffix}"',
        "Cache-Control": "private, max-age=31536000, immutable" if immutable else "no-cache",
        # A picture is shown, never run: an SVG or HTML file that calls itself .jpg stays inert.
        "Content-Security-Policy": "default-src 'none'; sandbox",
    }


@router.get("/images/{image_id}/file", response_class=StreamingResponse, responses=responses(404, 422))
def get_file(parts: GivenParts, image_id: int, v: Version = None, if_none_match: IfNoneMatch = None) -> Response:
    """The original bytes."""
    original = open_original(parts.database, image_id)
    headers = _headers(original.sha256, v)
    if if_none_match == headers["ETag"]:
        original.file.close()
        return Response(status_code=304, headers=headers)
    headers["Content-Length"] = str(original.size_bytes)
    return StreamingResponse(
        iter(lambda: original.file.read(CHUNK), b""),
        media_type=original.media_type,
        headers=headers,
        background=BackgroundTask(original.file.close),
    )


@router.get("/images/{image_id}/rendition/{size}", response_class=FileResponse, responses=responses(404, 422))
def get_smaller(
    parts: GivenParts, image_id: int, size: RenditionSize, v: Version = None, if_none_match: IfNoneMatch = None
) -> Response:
    """An upright JPEG or WebP: kept from the scan, made on demand, or the image itself where it fits."""
    rendition = get_rendition(parts.database, parts.settings, parts.decoding, image_id, size)
    headers = _headers(rendition.sha256, v, f"-{size}")
    if if_none_match == headers["ETag"]:
        return Response(status_code=304, headers=headers)
    if isinstance(rendition.kept, bytes):
        return Response(rendition.kept, media_type=rendition.media_type, headers=headers)
    return FileResponse(rendition.kept, media_type=rendition.media_type, headers=headers)


@router.get("/images/{image_id}/crop/{window}", responses=responses(404, 422))
def get_crop(
    parts: GivenParts, image_id: int, window: Window, v: Version = None, if_none_match: IfNoneMatch = None
) -> Response:
    """A square of the original's own pixels, upright, as PNG: for enlarging what a rendition has shrunk."""
    x, y, side = (int(part) for part in window.split("-"))
    content, sha256 = cut_original(parts.database, parts.settings, parts.decoding, image_id, (x, y, side))
    headers = _headers(sha256, v, f"-{window}")
    if if_none_match == headers["ETag"]:
        return Response(status_code=304, headers=headers)
    return Response(content, media_type="image/png", headers=headers)
