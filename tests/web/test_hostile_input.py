"""What comes in over HTTP with bad intent or by accident: refused with a reason, and nothing is stored."""

import base64
import json
from collections.abc import AsyncIterator
from typing import Any
from uuid import uuid4

import httpx
import pytest

from app.storage.queue import leased_to
from app.storage.reviews import reviews_of_image
from app.web.forms import safe_next
from app.web.security import MAX_BODY
from tests.parts import Browser, Workshop, draw, new_request_id

FILES = {
    "football/a.png": 250,
    "football/b.png": 0,
    "football/c.png": 10,
    "background/d.png": 240,
    "background/e.png": 0,
}
LONG = "9" * 5000
HALF = '"\\ud800"'  #: JSON of one half of a surrogate pair: a string that no UTF-8 can hold
JSON = {"content-type": "application/json"}
PAGE = {"accept": "text/html"}
CROSS = {"sec-fetch-site": "cross-site"}


@pytest.fixture
def signed(workshop: Workshop, browser: Browser) -> Browser:
    """A browser with a reviewer's name, over one scanned dataset."""
    workshop.ready(FILES)
    browser.sign_in()
    return browser


def verdicts(workshop: Workshop, path: str, dataset: int = 1) -> list[str | None]:
    """Every row of an image's history, by verdict; None takes one back."""
    image_id = workshop.image_id(dataset, path)
    with workshop.database.read() as session:
        return [row.verdict for row in reviews_of_image(session, image_id)]


def entry(workshop: Workshop, path: str, dataset: int = 1) -> str:
    """An image without a verdict, as a tile of the grid posts it."""
    return f"{workshop.image_id(dataset, path)}:"


def batch(images: list[str], verdict: str = "negative", batch_id: str = "", dataset: str = "1") -> dict[str, Any]:
    """The grid's form."""
    return {"dataset": dataset, "batch_id": batch_id or str(uuid4()), "verdict": verdict, "image": images}


def desk(verdict: str = "negative", **values: str) -> dict[str, str]:
    """The desk's form on an image without a verdict."""
    return {
        "dataset": "1",
        "verdict": verdict,
        "seen_review_id": "",
        "request_id": new_request_id(),
        **values,
    }


def cursor_of(text: str) -> str:
    """A cursor with some JSON in it."""
    return base64.urlsafe_b64encode(text.encode()).decode().rstrip("=")


def assert_problem(response: httpx.Response, status: int, loc: str | None = None) -> None:
    """A refusal for programs, which names the field."""
    assert response.status_code == status, response.text[:400]
    assert response.headers["content-type"] == "application/problem+json"
    if loc is not None:
        assert [error["loc"] for error in response.json()["errors"]] == [loc]


# Batches


@pytest.mark.parametrize(("images", "verdict"), [(["football/c.png"], "negative"), (["football/b.png"], "positive")])
def test_a_batch_id_stands_for_one_batch(workshop: Workshop, signed: Browser, images: list[str], verdict: str) -> None:
    """With other images or another verdict it is refused, and a fresh grid with a new batch id comes back."""
    batch_id = str(uuid4())
    first = batch([entry(workshop, "football/b.png")], batch_id=batch_id)
    assert signed.post("/grid", data=first).status_code == 303
    other = batch([entry(workshop, path) for path in images], verdict, batch_id)
    response = signed.post("/grid", data=other, headers=PAGE)
    assert response.status_code == 409
    assert "Nothing was saved" in response.text
    assert "other images or another verdict" in response.text
    assert batch_id not in response.text.partition('id="grid-form"')[2].partition("</form>")[0]
    assert verdicts(workshop, "football/b.png") == ["negative"]
    assert verdicts(workshop, "football/c.png") == []


def test_the_same_batch_again_is_saved_already(workshop: Workshop, signed: Browser) -> None:
    """In whichever order its images come."""
    images = [entry(workshop, path) for path in ("football/b.png", "football/c.png")]
    form = batch(images)
    assert signed.post("/grid", data=form).status_code == 303
    again = signed.post("/grid", data=form | {"image": images[::-1]}, headers={"hx-request": "true"})
    assert "Saved for 2 images" in again.text
    assert verdicts(workshop, "football/b.png") == ["negative"]


@pytest.mark.parametrize("batch_id", ["1", "", "x" * 5000, "-" * 100 + str(uuid4())])
def test_a_batch_id_is_a_uuid(workshop: Workshop, signed: Browser, batch_id: str) -> None:
    """Anything else could be chosen twice."""
    form = batch([entry(workshop, "football/b.png")]) | {"batch_id": batch_id}
    assert_problem(signed.post("/grid", data=form), 422, "batch_id")
    assert verdicts(workshop, "football/b.png") == []


@pytest.mark.parametrize("url", ["/review/{}", "/reviews/{}/undo", "/api/images/{}/reviews", "/api/reviews/{}/undo"])
def test_a_verdict_on_no_image_is_not_found(signed: Browser, url: str) -> None:
    """Nor where its number is one that no database could hold."""
    body = {"verdict": "negative", "seen_review_id": None}
    for number in ("999", "9" * 30):
        place = url.format(number)
        if place.startswith("/api"):
            response = signed.post(place, json=body if "images" in place else {})
        else:
            response = signed.post(place, data=desk(), headers=PAGE)
        assert response.status_code == 404


def test_a_request_id_of_the_desk_is_a_uuid(workshop: Workshop, signed: Browser) -> None:
    """As the API has it."""
    image_id = workshop.image_id(1, "football/b.png")
    assert_problem(signed.post(f"/review/{image_id}", data=desk(request_id="1")), 422, "request_id")


# Bodies


async def stream(part: bytes, times: int) -> AsyncIterator[bytes]:
    """A body in parts, whose length nobody says."""
    for _ in range(times):
        yield part


@pytest.mark.parametrize(
    ("url", "content_type"),
    [
        ("/scan", "application/json"),
        ("/scan", "application/x-www-form-urlencoded"),
        ("/grid", "multipart/form-data; boundary=x"),
        ("/api/datasets", "application/json"),
        ("/api/images/1/reviews", "application/json"),
    ],
)
def test_a_body_of_unknown_length_is_cut_off(signed: Browser, url: str, content_type: str) -> None:
    """It ends with 413 as soon as the limit is passed."""
    start = b'--x\r\nContent-Disposition: form-data; name="f"; filename="f"\r\n\r\n'
    part = start + b"a" * (MAX_BODY // 4)
    response = signed.post(url, content=stream(part, 5), headers={"content-type": content_type})
    assert_problem(response, 413)


@pytest.mark.parametrize("length", ["²", "-1", LONG, str(MAX_BODY + 1)])
def test_a_length_that_is_too_long_or_none_is_refused(browser: Browser, length: str) -> None:
    """Before anything of the body is read."""
    headers = [(b"content-length", length.encode("latin-1")), (b"content-type", b"application/json")]
    assert_problem(browser.post("/scan", headers=headers), 413)


def test_a_body_within_the_limit_passes_without_its_length(signed: Browser) -> None:
    """What counts is what comes."""
    response = signed.post("/scan", content=stream(b'{"dataset": 1}', 1), headers=JSON)
    assert response.status_code == 202


# Input that must not end in 500

LONG_NAME = "n" * 300
BAD_FOLDERS: list[tuple[dict[str, str], str]] = [
    ({"root": f"{{here}}/{LONG_NAME}"}, "root"),
    ({"root": "{here}/" + "d/" * 2045}, "root"),
    ({"root": "{here}/a\0b"}, "root"),
    ({"root": "{root}", "positive": "**a"}, "positive"),
    ({"root": "{root}", "positive": "a**/b"}, "positive"),
    ({"root": "{root}", "positive": "a\0b"}, "positive"),
    ({"root": "{root}", "negative": "n" * 256 + "*", "positive": "football"}, "negative"),
    ({"root": "{root}", "negative": "n" * 190 + "é" * 10, "positive": "é" * 200}, "positive"),
    ({"root": "{root}", "name": "2024"}, "name"),
]


@pytest.mark.parametrize(("values", "loc"), BAD_FOLDERS)
@pytest.mark.parametrize("api", [True, False], ids=["api", "form"])
def test_a_folder_that_cannot_be_is_named(
    workshop: Workshop, browser: Browser, values: dict[str, str], loc: str, *, api: bool
) -> None:
    """Over-long names, null bytes, patterns that are none, names that would pass for ids."""
    root = workshop.fill(FILES)
    body = {name: value.format(here=workshop.folder, root=root) for name, value in values.items()}
    if api:
        response = browser.post("/api/datasets", json=body)
        if len(body.get("negative", "")) <= 200:
            assert_problem(response, 422, loc)
    else:
        response = browser.post("/datasets", data=body, headers=PAGE)
    assert response.status_code == 422
    assert browser.get("/api/datasets").json()["items"] == []


@pytest.mark.parametrize("to", [f"/{LONG_NAME}", "/" + "d/" * 2045, "/a\0b", f"/{LONG_NAME}/.."])
@pytest.mark.parametrize("url", ["/api/relocations", "/clean/plan"])
def test_a_destination_that_cannot_be_is_refused_at_once(
    workshop: Workshop, signed: Browser, url: str, to: str
) -> None:
    """Not only when the worker tries to make it."""
    body = {"dataset": 1, "to": f"{workshop.folder}{to}", "mode": "copy", "dry_run": True}
    if url.startswith("/api"):
        assert_problem(signed.post(url, json=body), 422, "to")
    else:
        assert signed.post(url, data=body, headers=PAGE).status_code == 422


@pytest.mark.parametrize(
    ("url", "status"),
    [
        (f"/api/datasets/{LONG}/stats", 404),
        (f"/?dataset={LONG}", 404),
        (f"/review?dataset={LONG}", 404),
        (f"/api/images?dataset={LONG}", 404),
        (f"/api/next?dataset={LONG}", 404),
        ("/datasets/1/files?after=99999999999999999999", 200),
        ("/datasets/1/files?after=-99999999999999999999", 200),
        (f"/datasets/1/files?after={LONG}", 422),
        (f"/datasets/{LONG}/files", 422),
        (f"/review?image={LONG}", 422),
        (f"/review?image={'9' * 30}", 404),
        (f"/clean?relocation={'9' * 30}", 404),
        (f"/images/{'9' * 30}", 404),
        (f"/images/{'9' * 30}/file", 404),
        (f"/api/images/{'9' * 30}", 404),
        (f"/api/scans/{'9' * 30}", 404),
        (f"/api/scans/compare?a={'9' * 30}&b=1", 404),
        (f"/api/scans/compare?a=1&b={LONG}", 422),
        (f"/scans/{'9' * 30}", 404),
        (f"/scans/{LONG}", 422),
        (f"/scans/1?after={'9' * 30}", 200),
        (f"/scans/1?after=-{'9' * 30}", 200),
        (f"/scans/compare?a={'9' * 30}&b=1", 404),
        (f"/api/exports/{'9' * 30}", 404),
        (f"/api/relocations/{'9' * 30}", 404),
        (f"/api/relocations/{'9' * 30}/moves", 404),
        ("/api/datasets/1/certificate?risk=nan", 422),
        (f"/api/scans?cursor={LONG}", 422),
    ],
)
def test_a_number_out_of_range_is_an_answer(signed: Browser, url: str, status: int) -> None:
    """Of as many digits as one likes."""
    assert signed.get(url, headers=PAGE).status_code == status


@pytest.mark.parametrize(
    "cursor",
    [
        cursor_of(f'["suspicion", {10**29}, 1]'),
        cursor_of(f'["suspicion", {LONG}, 1]'),
        cursor_of('["suspicion", true, 1]'),
        cursor_of('["suspicion", 0.5, true]'),
        cursor_of('["suspicion", NaN, 1]'),
        cursor_of('["suspicion", Infinity, 1]'),
        cursor_of('["suspicion", 1e400, 1]'),
        cursor_of('["path", "\\ud800", 1]'),
        cursor_of("[" * 6000),
        cursor_of("[" * 9000),
        cursor_of("1"),
        "\ud83d\ude00".encode("utf-16", "surrogatepass").decode("utf-16"),
        "=",
    ],
)
@pytest.mark.parametrize("url", ["/images", "/api/images"])
def test_a_cursor_that_no_list_has_given_is_refused(signed: Browser, url: str, cursor: str) -> None:
    """Whatever is packed into it."""
    order = "path" if cursor == cursor_of('["path", "\\ud800", 1]') else "suspicion"
    response = signed.get(url, params={"dataset": 1, "order": order, "cursor": cursor})
    assert_problem(response, 422, "cursor")


@pytest.mark.parametrize(
    "cursor", [cursor_of('["path", "x", 1]'), cursor_of('["change", "x", 1]'), cursor_of('["change", NaN, 1]'), "="]
)
def test_a_cursor_of_a_comparison_is_its_own(signed: Browser, cursor: str) -> None:
    """Refused before anything is compared, for programs and people."""
    response = signed.get("/api/scans/compare", params={"a": 1, "b": 1, "cursor": cursor})
    assert_problem(response, 422, "cursor")
    assert signed.get("/scans/compare", params={"a": 1, "b": 1, "cursor": cursor}, headers=PAGE).status_code == 422


def test_a_cursor_that_a_list_has_given_is_taken(signed: Browser) -> None:
    """In each order, number or text."""
    for order in ("suspicion", "score", "path", "reviewed_at"):
        seen: list[int] = []
        following: str | None = ""
        while following is not None:
            params = {"dataset": 1, "order": order, "limit": 2} | ({"cursor": following} if following else {})
            page = signed.get("/api/images", params=params).json()
            seen += [item["id"] for item in page["items"]]
            following = page["next"]
        assert len(seen) == len(set(seen)) == len(FILES)


@pytest.mark.parametrize(
    "body",
    [
        "[]",
        '"x"',
        "null",
        "",
        "{",
        "[" * 100_000,
        '{"dataset": ' + "[" * 100_000,
        f'{{"dataset": {LONG}}}',
        f'{{"dataset": -{LONG}}}',
        f'{{"dataset": {"9" * 4000}}}',
        f'{{"dataset": 1, "threshold": {LONG}}}',
        '{"dataset": 1, "threshold": NaN}',
        f'{{"dataset": {HALF}}}',
        f'{{"dataset": 1, {HALF}: 1}}',
        '{"dataset": 1.5}',
    ],
)
@pytest.mark.parametrize("headers", [{}, PAGE], ids=["program", "browser"])
def test_a_scan_is_asked_for_in_proper_json(signed: Browser, body: str, headers: dict[str, str]) -> None:
    """Other JSON, or none, is refused with what is wrong."""
    response = signed.post("/scan", content=body, headers=JSON | headers)
    assert response.status_code == 422
    if not headers:
        assert all(error["loc"] and error["msg"] for error in response.json()["errors"])


@pytest.mark.parametrize(
    ("method", "url"),
    [
        ("POST", "/api/datasets"),
        ("POST", "/api/datasets/1/threshold"),
        ("POST", "/api/datasets/1/sign-off"),
        ("POST", "/api/images/1/reviews"),
        ("POST", "/api/reviews/1/undo"),
        ("POST", "/api/relocations"),
        ("POST", "/api/exports"),
        ("POST", "/scan"),
    ],
)
@pytest.mark.parametrize("nest", ["[", '{"a":'])
def test_deep_nesting_is_a_problem(signed: Browser, method: str, url: str, nest: str) -> None:
    """JSON that no parser's stack can hold is refused as any other wrong body is."""
    body = (nest * 100_000).encode()
    response = signed.request(method, url, content=body, headers=JSON)
    assert response.status_code in (400, 422)
    assert response.headers["content-type"] == "application/problem+json"


@pytest.mark.parametrize("body", [b'{"dataset": "\xff"}', b"\xff\xfe", b'{"dataset": "\xed\xa0\x80"}'])
def test_a_scan_is_asked_for_in_utf8(signed: Browser, body: bytes) -> None:
    """As the contract says of all JSON."""
    assert_problem(signed.post("/scan", content=body, headers=JSON), 422)


HALVES = [
    ("/api/datasets", {"root": "HALF"}, "root"),
    ("/api/datasets", {"root": "/tmp", "name": "HALF"}, "name"),
    ("/api/datasets", {"root": "/tmp", "question": "HALF"}, "question"),
    ("/api/datasets", {"root": "/tmp", "positive": "HALF"}, "positive"),
    ("/api/datasets/1/sign-off", {"by": "HALF"}, "by"),
    ("/api/relocations", {"dataset": "HALF", "to": "/tmp/x", "dry_run": True}, None),
    ("/api/relocations", {"dataset": 1, "to": "HALF", "dry_run": True}, "to"),
    ("/api/relocations", {"dataset": 1, "to": "/tmp/x", "mode": "HALF", "dry_run": True}, "mode"),
    ("/api/exports", {"dataset": 1, "format": "HALF"}, "format"),
    ("/api/exports", {"dataset": "HALF", "format": "csv"}, None),
    ("/api/images/1/reviews", {"verdict": "HALF", "seen_review_id": None}, "verdict"),
    ("/api/images/1/reviews", {"verdict": "positive", "seen_review_id": None, "request_id": "HALF"}, "request_id"),
]


@pytest.mark.parametrize(("url", "body", "loc"), HALVES)
def test_text_that_is_no_text_is_refused(signed: Browser, url: str, body: dict[str, Any], loc: str | None) -> None:
    """Half of a surrogate pair is valid JSON, and cannot be stored, shown or sent."""
    content = json.dumps(body).replace('"HALF"', HALF)
    assert_problem(signed.post(url, content=content, headers=JSON), 422, loc)


@pytest.mark.parametrize("url", ["/api/datasets", "/api/relocations", "/api/images/1/reviews"])
def test_a_field_name_that_is_no_text_is_refused(signed: Browser, url: str) -> None:
    """The answer repeats the name, so it must be able to."""
    assert_problem(signed.post(url, content=f"{{{HALF}: 1}}", headers=JSON), 422)


@pytest.mark.parametrize("value", [f"1:{LONG}", f"{LONG}:", f"{'9' * 30}:1", "x:1", "1:²"])
def test_a_tile_that_no_grid_has_shown_is_refused(signed: Browser, value: str) -> None:
    """Its numbers are bounded."""
    assert_problem(signed.post("/grid", data=batch([value])), 422, "image")


@pytest.mark.parametrize("name", ["dataset", "verdict", "batch_id", "image"])
@pytest.mark.parametrize("charset", ["unicode_escape", "undefined", "utf-7", "idna", "punycode", "rot13"])
def test_a_form_in_an_odd_encoding_is_no_bug(workshop: Workshop, signed: Browser, name: str, charset: str) -> None:
    """A charset of the sender's choice can make text that is none; whatever it makes, nothing is stored."""
    fields = {"dataset": "1", "batch_id": str(uuid4()), "verdict": "positive"}
    fields |= {"image": entry(workshop, "football/b.png"), name: "\\ud800"}
    parts = [f'--x\r\nContent-Disposition: form-data; name="{key}"\r\n\r\n{value}\r\n' for key, value in fields.items()]
    headers = {"content-type": f"multipart/form-data; boundary=x; charset={charset}"}
    response = signed.post("/grid", content="".join(parts) + "--x--\r\n", headers=headers)
    assert response.status_code in (404, 422)
    assert verdicts(workshop, "football/b.png") == []


@pytest.mark.parametrize(
    "url", ["/datasets", "/settings/reviewer", "/settings/theme", "/scan", "/clean/plan", "/export"]
)
def test_a_form_holds_no_half_of_a_pair(signed: Browser, url: str) -> None:
    """In any field of any form, nor in a field's name."""
    for part in ('name="name"\r\n\r\n\\ud800', 'name="\\ud800"\r\n\r\nx', 'name="next"\r\n\r\n/\\ud800'):
        content = f"--x\r\nContent-Disposition: form-data; {part}\r\n--x--\r\n"
        headers = {"content-type": "multipart/form-data; boundary=x; charset=unicode_escape"}
        assert signed.post(url, content=content, headers=headers | PAGE).status_code == 422


def test_a_form_holds_no_file(signed: Browser) -> None:
    """A file where text is wanted is not turned into text."""
    assert_problem(signed.post("/settings/reviewer", files={"name": ("ada.txt", b"ada")}), 422, "name")


@pytest.mark.parametrize("url", ["//[", "http://[", "/\\evil", "//evil", "https://evil/", "/a\nb", "review"])
def test_a_form_leads_nowhere_else(signed: Browser, url: str) -> None:
    """A `next` that is no path of this site, or no URL at all, is passed over."""
    assert safe_next(url) == "/"
    response = signed.post("/settings/theme", data={"theme": "dark", "next": url})
    assert response.headers["location"] == "/settings"


# Other sites


@pytest.mark.parametrize(
    "origin",
    ["http://[", "null", "https://127.0.0.1:8000", "http://127.0.0.1:8001", "http://evil", "127.0.0.1:8000", ""],
)
def test_a_write_from_another_origin_is_refused(signed: Browser, origin: str) -> None:
    """Another scheme or port is another origin, and so is what is none."""
    assert_problem(signed.post("/scan", json={"dataset": 1}, headers={"origin": origin}), 403)


def test_a_write_from_this_origin_is_taken(signed: Browser) -> None:
    """Scheme, host and port are the same."""
    headers = {"origin": "http://127.0.0.1:8000"}
    assert signed.post("/scan", json={"dataset": 1}, headers=headers).status_code == 202


@pytest.mark.parametrize(
    "headers",
    [
        {"sec-fetch-mode": "no-cors", "sec-fetch-dest": "image"},
        {"sec-fetch-mode": "cors", "sec-fetch-dest": "empty"},
        {"sec-fetch-mode": "navigate", "sec-fetch-dest": "iframe"},
        {},
    ],
    ids=["image", "fetch", "frame", "bare"],
)
@pytest.mark.parametrize("url", ["/review", "/grid", "/api/next?dataset=1", "/api/images", "/api/datasets"])
def test_another_site_takes_no_lease(workshop: Workshop, signed: Browser, url: str, headers: dict[str, str]) -> None:
    """A page elsewhere that asks for the desk as a picture or in a frame would use up the queue."""
    client = str(uuid4())
    signed.client.cookies.set("touchline_client", client)
    assert_problem(signed.get(url, headers=CROSS | headers), 403)
    with workshop.database.read() as session:
        assert leased_to(session, 1, client, workshop.clock()) == []


def test_a_link_from_another_site_leads_here(signed: Browser) -> None:
    """A person who follows one navigates, and may."""
    headers = CROSS | {"sec-fetch-mode": "navigate", "sec-fetch-dest": "document"}
    assert signed.get("/review", headers=headers | PAGE).status_code == 200


# Images of another dataset


@pytest.fixture
def other(workshop: Workshop, signed: Browser) -> Browser:
    """The browser, with a second dataset whose image is another's."""
    draw(workshop.folder / "more" / "football" / "z.png", 3)
    draw(workshop.folder / "more" / "background" / "y.png", 3, noise=1)
    workshop.scan(workshop.add(workshop.folder / "more").id)
    return signed


def test_the_desk_judges_images_of_its_dataset_alone(workshop: Workshop, other: Browser) -> None:
    """An image of another is refused, and nothing is stored."""
    image_id = workshop.image_id(2, "football/z.png")
    assert_problem(other.post(f"/review/{image_id}", data=desk()), 422, "image")
    assert verdicts(workshop, "football/z.png", 2) == []


def test_a_batch_judges_images_of_its_dataset_alone(workshop: Workshop, other: Browser) -> None:
    """One of another and none of the batch is saved."""
    images = [entry(workshop, "football/b.png"), entry(workshop, "football/z.png", 2)]
    assert_problem(other.post("/grid", data=batch(images)), 422, "image")
    assert verdicts(workshop, "football/b.png") == verdicts(workshop, "football/z.png", 2) == []


def test_an_undo_takes_back_verdicts_of_its_dataset_alone(workshop: Workshop, other: Browser) -> None:
    """The desk that comes back would be another's."""
    given = workshop.call(workshop.image_id(2, "football/z.png"), "negative")
    response = other.post("/review/undo", data={"dataset": "1", "review_id": str(given.review.id)})
    assert_problem(response, 422, "image")
    assert verdicts(workshop, "football/z.png", 2) == ["negative"]


def test_a_batch_is_taken_back_by_its_dataset_alone(workshop: Workshop, other: Browser) -> None:
    """The grid that comes back would be another's."""
    form = batch([entry(workshop, "football/z.png", 2)], dataset="2")
    assert other.post("/grid", data=form).status_code == 303
    undo = {"dataset": "1", "batch_id": form["batch_id"]}
    assert_problem(other.post("/grid/undo", data=undo), 422, "image")
    assert verdicts(workshop, "football/z.png", 2) == ["negative"]
    assert other.post("/grid/undo", data=undo | {"dataset": "2"}).status_code == 303
    assert verdicts(workshop, "football/z.png", 2) == ["negative", None]


def test_an_image_that_is_not_there_fails_a_batch(workshop: Workshop, signed: Browser) -> None:
    """As it fails a single verdict."""
    images = [entry(workshop, "football/b.png"), "999:"]
    assert signed.post("/grid", data=batch(images)).status_code == 404
    assert verdicts(workshop, "football/b.png") == []


# Boxes


@pytest.mark.parametrize("number", ["Infinity", "-Infinity", "NaN", "1e999"])
@pytest.mark.parametrize("place", range(4))
def test_a_box_has_finite_corners(workshop: Workshop, signed: Browser, number: str, place: int) -> None:
    """JSON of Python's kind can say more than numbers."""
    corners = ["1", "1", "5", "5"]
    corners[place] = number
    image_id = workshop.image_id(1, "football/b.png")
    content = f'{{"verdict": "positive", "seen_review_id": null, "boxes": [[{", ".join(corners)}]]}}'
    response = signed.post(f"/api/images/{image_id}/reviews", content=content, headers=JSON)
    assert response.status_code == 422
    assert response.json()["errors"][0]["loc"].startswith("boxes.0")
    assert verdicts(workshop, "football/b.png") == []


def test_a_box_needs_an_image_of_known_size(workshop: Workshop, signed: Browser) -> None:
    """On one that cannot be decoded it could lie anywhere; the verdict without boxes is taken."""
    broken = workshop.folder / "frames" / "football" / "broken.png"
    broken.write_bytes(b"no picture")
    workshop.scan(1)
    url = f"/api/images/{workshop.image_id(1, 'football/broken.png')}/reviews"
    body = {"verdict": "positive", "seen_review_id": None}
    refused = signed.post(url, json=body | {"boxes": [[0, 0, 5, 5]]})
    assert_problem(refused, 422, "boxes")
    assert "size" in refused.json()["detail"]
    assert signed.post(url, json=body).status_code == 201


# Requests that come twice


def test_an_undo_sent_twice_takes_one_verdict_back(workshop: Workshop, signed: Browser) -> None:
    """The form names the verdict; the second time it says that it was taken back already."""
    workshop.call_paths(1, {"football/b.png": "negative", "football/c.png": "negative"})
    page = signed.get("/review?dataset=1", headers=PAGE).text
    form = page.partition('action="/review/undo"')[2].partition("</form>")[0]
    review_id = form.partition('name="review_id" value="')[2].partition('"')[0]
    data = {"dataset": "1", "review_id": review_id}
    for _ in range(2):
        assert signed.post("/review/undo", data=data).status_code == 303
    assert verdicts(workshop, "football/c.png") == ["negative", None]
    assert verdicts(workshop, "football/b.png") == ["negative"]
    again = signed.post("/review/undo", data=data, headers={"hx-request": "true"})
    assert again.status_code == 200
    assert "taken back already" in again.text


def test_an_undo_that_names_no_verdict_takes_the_latest(workshop: Workshop, signed: Browser) -> None:
    """As it did when pages did not name one."""
    workshop.call_paths(1, {"football/b.png": "negative"})
    assert signed.post("/review/undo", data={"dataset": "1"}).status_code == 303
    assert verdicts(workshop, "football/b.png") == ["negative", None]


@pytest.mark.parametrize("review_id", ["9999", "999999999999999"])
def test_an_undo_of_no_verdict_is_not_found(workshop: Workshop, signed: Browser, review_id: str) -> None:
    """And takes none back."""
    workshop.call_paths(1, {"football/b.png": "negative"})
    response = signed.post("/review/undo", data={"dataset": "1", "review_id": review_id})
    assert_problem(response, 404)
    assert verdicts(workshop, "football/b.png") == ["negative"]


@pytest.mark.parametrize("boxes", [None, [], [[1, 1, 5, 6]]])
def test_a_request_id_stands_for_one_verdict(workshop: Workshop, signed: Browser, boxes: Any) -> None:
    """With other boxes it is another, and is refused."""
    url = f"/api/images/{workshop.image_id(1, 'football/b.png')}/reviews"
    body = {"verdict": "positive", "seen_review_id": None, "request_id": new_request_id(), "boxes": [[1, 1, 5, 5]]}
    assert signed.post(url, json=body).status_code == 201
    assert signed.post(url, json=body).status_code == 200
    response = signed.post(url, json=body | {"boxes": boxes})
    assert_problem(response, 409)
    assert body["request_id"] in response.json()["detail"]
    assert verdicts(workshop, "football/b.png") == ["positive"]


def test_an_undo_does_not_share_its_request_id(workshop: Workshop, signed: Browser) -> None:
    """The id of a verdict, or of another undo, is refused by name."""
    request_id = new_request_id()
    url = f"/api/images/{workshop.image_id(1, 'football/b.png')}/reviews"
    body = {"verdict": "positive", "seen_review_id": None, "request_id": request_id}
    review_id = signed.post(url, json=body).json()["review_id"]
    response = signed.post(f"/api/reviews/{review_id}/undo", json={"request_id": request_id})
    assert_problem(response, 409)
    assert f"request_id {request_id} was used for another review" in response.json()["detail"]
    undo = {"request_id": new_request_id()}
    assert signed.post(f"/api/reviews/{review_id}/undo", json=undo).status_code == 201
    assert signed.post(f"/api/reviews/{review_id}/undo", json=undo).status_code == 200


# Caches and names


@pytest.mark.parametrize(
    "url", ["/api/datasets", "/api/images?dataset=1", "/api/images/999", "/metrics", "/nowhere", "/review"]
)
def test_what_the_server_knows_is_kept_nowhere(signed: Browser, url: str) -> None:
    """No cache holds an answer that is not a picture or an asset."""
    assert signed.get(url).headers["cache-control"] == "no-store"


def test_pictures_keep_what_they_say_of_caching(workshop: Workshop, signed: Browser) -> None:
    """They are the heavy part, and named by their bytes."""
    image_id = workshop.image_id(1, "football/b.png")
    assert signed.get(f"/images/{image_id}/file").headers["cache-control"] == "no-cache"


def test_a_folder_named_by_digits_needs_a_name(workshop: Workshop, browser: Browser) -> None:
    """Its own name would pass for the id of another dataset."""
    root = workshop.fill(FILES, "2024")
    assert_problem(browser.post("/api/datasets", json={"root": str(root)}), 422, "name")
    named = browser.post("/api/datasets", json={"root": str(root), "name": "season 2024"})
    assert named.status_code == 201
