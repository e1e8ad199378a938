"""The API: the contract's fields, problems, cursors, leases, health and its own documentation."""

from typing import Any
from uuid import UUID, uuid4

import httpx
import pytest

from app.config import Settings
from app.services.relocating import recover_relocations
from app.storage.database import Database
from tests.parts import Browser, SetClock, Workshop, new_request_id, tree

FILES = {"football/yes.png": 250, "football/none.png": 0, "background/no.png": 0, "background/hot.png": 240}
IMAGE = {
    "id", "dataset", "path", "given_label", "sha256", "width", "height", "score", "boxes", "flags", "verdict",
    "review_id", "final_label",
}  # fmt: skip
SCAN = {
    "id", "dataset", "status", "total", "scored", "reused", "unreadable", "images_per_s", "eta_s", "detector",
    "queued_at", "started_at", "finished_at", "error", "paused", "priority", "engine", "telemetry",
}  # fmt: skip


@pytest.fixture
def api(workshop: Workshop, browser: Browser) -> Browser:
    """A signed-in client over a scanned dataset."""
    workshop.ready(FILES)
    browser.sign_in()
    return browser


def problem(response: httpx.Response, status: int) -> dict[str, Any]:
    """A refusal for programs."""
    assert (response.status_code, response.headers["content-type"]) == (status, "application/problem+json")
    found: dict[str, Any] = response.json()
    assert set(found) >= {"type", "title", "status", "detail"}
    assert found["status"] == status
    return found


def give(api: Browser, image_id: int, verdict: str, **values: Any) -> httpx.Response:
    """Give a verdict on an image that nobody has called."""
    return api.post(f"/api/images/{image_id}/reviews", json={"verdict": verdict, "seen_review_id": None, **values})


def test_a_dataset_is_registered_and_listed(workshop: Workshop, browser: Browser) -> None:
    """201 with the contract's fields; a root outside the allowed ones is refused by field."""
    root = workshop.fill(FILES)
    made = browser.post("/api/datasets", json={"root": str(root), "question": "A ball?"})
    assert made.status_code == 201
    wanted = {"id": 1, "name": "frames", "root": str(root), "positive": "football", "negative": "background"}
    assert made.json().items() >= (wanted | {"question": "A ball?", "images": 4, "unreadable": 0}).items()
    assert browser.get("/api/datasets").json() == {"items": [made.json()], "next": None}


@pytest.mark.parametrize("root", ["/etc", "/", "{inside}/../..", "~"])
def test_allowed_roots_bind_http(workshop: Workshop, browser: Browser, root: str) -> None:
    """Neither a root nor a target outside them can be named from a browser, whether it exists or not."""
    path = root.format(inside=workshop.folder)
    refused = problem(browser.post("/api/datasets", json={"root": path}), 422)
    assert (refused["errors"][0]["loc"], "allowed_roots" in refused["detail"]) == ("root", True)
    workshop.ready(FILES)
    target = problem(
        browser.post("/api/relocations", json={"dataset": 1, "to": f"{path}/clean", "mode": "copy", "dry_run": True}),
        422,
    )
    assert target["errors"][0]["loc"] == "to"


def test_a_symlink_does_not_lead_out_of_the_allowed_roots(workshop: Workshop, browser: Browser) -> None:
    """What counts is where a path leads."""
    (workshop.folder / "link").symlink_to("/etc")
    refused = browser.post("/api/datasets", json={"root": str(workshop.folder / "link")})
    assert "allowed_roots" in problem(refused, 422)["detail"]


@pytest.mark.parametrize(
    ("body", "loc"),
    [
        ({}, "root"),
        ({"root": "x", "colour": "red"}, "colour"),
        ({"root": 5}, "root"),
        ({"root": ""}, "root"),
    ],
)
def test_wrong_fields_are_named(browser: Browser, body: dict[str, Any], loc: str) -> None:
    """422 with ``errors`` for each."""
    assert problem(browser.post("/api/datasets", json=body), 422)["errors"][0]["loc"] == loc


def test_a_scan_is_queued_once(workshop: Workshop, browser: Browser) -> None:
    """202 with its address, then 200 and the same scan; its threshold is taken."""
    workshop.add(workshop.fill(FILES))
    first = browser.post("/scan", json={"dataset": "frames", "threshold": 0.3})
    second = browser.post("/scan", json={"dataset": 1})
    assert (first.status_code, second.status_code, first.headers["location"]) == (202, 200, "/api/scans/1")
    assert set(first.json()) == SCAN
    assert first.json() == second.json() == browser.get("/api/scans/1").json()
    assert (first.json()["status"], first.json()["detector"]) == ("queued", None)
    assert browser.get("/api/datasets/1/stats").json()["threshold"] == 0.3
    assert browser.post("/api/scans/1/cancel").json()["status"] == "cancelled"
    problem(browser.post("/api/scans/1/cancel"), 409)


def test_a_finished_scan_tells_its_detector(api: Browser) -> None:
    """Times are ISO 8601 in UTC, and the total adds up."""
    scan = api.get("/api/scans").json()["items"][0]
    assert scan["total"] == scan["scored"] + scan["reused"] + scan["unreadable"] == 4
    assert (scan["status"], scan["finished_at"]) == ("done", "2026-03-01T12:00:00Z")
    assert set(scan["detector"]) >= {
        "model",
        "revision",
        "weights_sha256",
        "backend",
        "device",
        "precision",
        "input_size",
    }


def test_an_image_has_the_contract_s_fields(workshop: Workshop, api: Browser) -> None:
    """Boxes in pixels, flags with reasons, and with its history when it is asked for alone."""
    image_id = workshop.image_id(1, "background/hot.png")
    listed = next(item for item in api.get("/api/images").json()["items"] if item["id"] == image_id)
    assert set(listed) == IMAGE
    assert listed["boxes"] == [{"xyxy": [0, 0, 8, 12], "confidence": 240 / 255, "class_name": "football"}]
    assert [flag["reason"] for flag in listed["flags"]] == ["disagreement"]
    review = give(api, image_id, "positive").json()
    api.post(f"/api/reviews/{review['review_id']}/undo")
    full = api.get(f"/api/images/{image_id}").json()
    assert set(full) == IMAGE | {"reviews", "moves"}
    assert [(row["verdict"], row["undoes"]) for row in full["reviews"]] == [
        ("positive", None),
        (None, review["review_id"]),
    ]
    assert (full["verdict"], full["review_id"]) == (None, full["reviews"][-1]["review_id"])


@pytest.mark.parametrize(
    ("query", "paths"),
    [
        ("flag=disagreement", {"football/none.png", "background/hot.png"}),
        ("flag=unreadable", set()),
        ("flag=second_opinion", set()),
        ("reviewed=true", {"football/yes.png"}),
        ("reviewed=false&given=football", {"football/none.png"}),
        ("given=background", {"background/no.png", "background/hot.png"}),
        ("verdict=positive", {"football/yes.png"}),
        ("verdict=negative", set()),
    ],
)
def test_lists_are_filtered(workshop: Workshop, api: Browser, query: str, paths: set[str]) -> None:
    """Each filter, and two together."""
    workshop.call_paths(1, {"football/yes.png": "positive"})
    items = api.get(f"/api/images?dataset=frames&{query}").json()["items"]
    assert {item["path"] for item in items} == paths


@pytest.mark.parametrize("order", ["suspicion", "score", "path", "reviewed_at"])
def test_cursors_never_repeat(workshop: Workshop, browser: Browser, order: str) -> None:
    """Page by page every image comes exactly once, equal scores included, in the order asked for."""
    workshop.ready({f"{label}/{n:02}.png": 10 * (n % 4) for label in ("football", "background") for n in range(10)})
    workshop.call_paths(1, {"football/03.png": "positive", "background/07.png": "negative"})
    seen: list[dict[str, Any]] = []
    cursor: str | None = None
    while True:
        query = {"dataset": 1, "order": order, "limit": 3} | ({"cursor": cursor} if cursor else {})
        page = browser.get("/api/images", params=query).json()
        seen += page["items"]
        cursor = page["next"]
        if cursor is None:
            break
    assert len(seen) == len({item["id"] for item in seen}) == 20
    whole = browser.get("/api/images", params={"dataset": 1, "order": order, "limit": 500}).json()["items"]
    assert [item["id"] for item in seen] == [item["id"] for item in whole]
    if order == "path":
        assert [item["path"] for item in seen] == sorted(item["path"] for item in seen)
    if order == "score":
        assert [item["score"] for item in seen] == sorted((item["score"] for item in seen), reverse=True)
    if order == "reviewed_at":
        assert [item["path"] for item in seen[:2]] == ["background/07.png", "football/03.png"]


@pytest.mark.parametrize("url", ["/api/datasets", "/api/scans", "/api/relocations/1/moves"])
def test_every_list_goes_on_where_it_ended(workshop: Workshop, browser: Browser, url: str) -> None:
    """One item a page, each once."""
    for name in ("one", "two", "three"):
        workshop.ready(FILES, name)
    workshop.call_paths("one", dict.fromkeys(list(FILES)[:3], "positive"))
    to = {"dataset": "one", "to": str(workshop.folder / "clean"), "mode": "copy", "dry_run": True}
    assert browser.post("/api/relocations", json=to).status_code == 200
    seen, cursor = [], ""
    while cursor is not None:
        page = browser.get(f"{url}?limit=1{cursor and '&cursor=' + cursor}").json()
        seen += page["items"]
        cursor = page["next"]
    assert len(seen) == 3
    assert all(seen.count(item) == 1 for item in seen)


@pytest.mark.parametrize(
    "query", ["limit=0", "limit=501", "limit=x", "order=colour", "flag=odd", "given=ball", "verdict=yes", "cursor=%21",
              "reviewed=perhaps"]
)  # fmt: skip
def test_a_wrong_query_is_named(api: Browser, query: str) -> None:
    """422 with the parameter's name."""
    found = problem(api.get(f"/api/images?dataset=1&{query}"), 422)
    assert found["errors"][0]["loc"] == query.partition("=")[0]


def test_a_cursor_belongs_to_its_order(api: Browser) -> None:
    """One of another list is refused rather than misread."""
    cursor = api.get("/api/images?order=path&limit=1").json()["next"]
    problem(api.get(f"/api/images?order=score&cursor={cursor}"), 422)


def test_a_verdict_and_its_undo(workshop: Workshop, api: Browser) -> None:
    """201 with the contract's fields, then 201 with the row that takes it back, then 409."""
    image_id = workshop.image_id(1, "background/hot.png")
    given = give(api, image_id, "positive", boxes=[[1, 2, 3, 4]])
    assert given.status_code == 201
    body = given.json()
    assert body.items() >= {
        "image_id": image_id, "verdict": "positive", "final_label": "football", "reviewer": "ada",
        "reviewed_at": "2026-03-01T12:00:00Z", "ask_again": None,
    }.items()  # fmt: skip
    undone = api.post(f"/api/reviews/{body['review_id']}/undo")
    assert (undone.status_code, undone.json()["verdict"], undone.json()["undoes"]) == (201, None, body["review_id"])
    problem(api.post(f"/api/reviews/{body['review_id']}/undo"), 409)


def test_the_same_request_id_is_the_same_review(workshop: Workshop, api: Browser) -> None:
    """201 once, then 200 with the same body, for verdicts and for undos."""
    image_id, request_id = workshop.image_id(1, "background/hot.png"), new_request_id()
    first, second = (give(api, image_id, "positive", request_id=request_id) for _ in range(2))
    assert (first.status_code, second.status_code, first.json()) == (201, 200, second.json())
    undo = {"request_id": new_request_id()}
    url = f"/api/reviews/{first.json()['review_id']}/undo"
    one, two = api.post(url, json=undo), api.post(url, json=undo)
    assert (one.status_code, two.status_code, one.json()) == (201, 200, two.json())


def test_a_stale_verdict_is_told_the_latest(workshop: Workshop, api: Browser) -> None:
    """409 with the row to look at."""
    image_id = workshop.image_id(1, "background/hot.png")
    latest = give(api, image_id, "positive").json()["review_id"]
    assert problem(give(api, image_id, "negative"), 409)["latest_review_id"] == latest


@pytest.mark.parametrize(
    ("values", "loc"),
    [
        ({"verdict": "maybe"}, "verdict"),
        ({"boxes": [[0, 0, 1]]}, "boxes.0"),
        ({"boxes": [[0, 0, 99, 99]]}, "boxes.0"),
        ({"request_id": "1"}, "request_id"),
        ({"seen_review_id": "x"}, "seen_review_id"),
    ],
)
def test_a_wrong_verdict_is_named_by_field(api: Browser, values: dict[str, Any], loc: str) -> None:
    """422, and nothing is saved."""
    body = {"verdict": "positive", "seen_review_id": None} | values
    found = problem(api.post("/api/images/1/reviews", json=body), 422)
    assert found["errors"][0]["loc"].startswith(loc)
    assert api.get("/api/images/1").json()["reviews"] == []


def test_seen_review_id_has_to_be_said(api: Browser) -> None:
    """Null is said, not left out."""
    found = problem(api.post("/api/images/1/reviews", json={"verdict": "positive"}), 422)
    assert found["errors"][0]["loc"] == "seen_review_id"


def test_without_a_reviewer_a_verdict_is_refused(workshop: Workshop, browser: Browser) -> None:
    """422 that says so."""
    workshop.ready(FILES)
    assert problem(give(browser, 1, "positive"), 422)["errors"][0]["loc"] == "reviewer"


@pytest.mark.parametrize(
    ("method", "url"),
    [
        ("GET", "/api/images/999"),
        ("GET", "/api/scans/999"),
        ("GET", "/api/relocations/999"),
        ("GET", "/api/exports/999"),
        ("GET", "/api/datasets/nothing/stats"),
        ("GET", "/api/images?dataset=nothing"),
        ("GET", "/api/next?dataset=nothing"),
        ("GET", "/api/datasets/nothing/certificate"),
        ("GET", "/api/relocations/999/moves"),
        ("GET", "/api/exports/999/download"),
        ("GET", "/api/nowhere"),
        ("POST", "/api/reviews/999/undo"),
        ("POST", "/api/relocations/999/apply"),
        ("POST", "/api/relocations/999/undo"),
        ("POST", "/api/scans/999/cancel"),
        ("POST", "/api/scans/999/pause"),
        ("POST", "/api/scans/999/resume"),
        ("POST", "/api/scans/999/retry"),
        ("GET", "/api/scans/compare?a=1&b=999"),
        ("DELETE", "/api/datasets/nothing/sign-off"),
        ("GET", "/images/999/file"),
        ("GET", "/images/999/rendition/tile"),
    ],
)
def test_what_does_not_exist_is_a_problem(api: Browser, method: str, url: str) -> None:
    """404 as problem+json."""
    problem(api.request(method, url), 404)


def test_next_leases_to_one_tab(api: Browser) -> None:
    """The same tab gets the same, another the next; nothing left is 204."""
    tabs = [UUID(int=number) for number in range(3)]
    url = "/api/next?dataset=1&queue=flagged&n=1"
    first = api.get(f"{url}&client={tabs[0]}").json()["items"]
    again = api.get(f"{url}&client={tabs[0]}").json()["items"]
    other = api.get(f"{url}&client={tabs[1]}").json()["items"]
    assert (first, first[0]["path"], other[0]["path"]) == (again, "football/none.png", "background/hot.png")
    assert set(first[0]) == IMAGE
    assert api.get(f"{url}&client={tabs[2]}").status_code == 204
    [drawn] = api.get("/api/next?dataset=1&queue=audit").json()["items"]
    assert (set(drawn), drawn["path"]) == (IMAGE, None)


@pytest.mark.parametrize("query", ["n=11", "n=0", "queue=best", "client=me"])
def test_a_wrong_question_for_the_next_is_named(api: Browser, query: str) -> None:
    """422 with the parameter's name."""
    assert problem(api.get(f"/api/next?dataset=1&{query}"), 422)["errors"][0]["loc"] == query.partition("=")[0]


def test_sign_off_and_certificate(api: Browser) -> None:
    """201, then the certificate names it; 204 takes it back; not valid without an audit."""
    made = api.post("/api/datasets/1/sign-off", json={"by": "Ada"})
    assert (made.status_code, made.json()["images"]) == (201, 2)
    certificate = api.get("/api/datasets/frames/certificate?risk=0.1").json()
    assert (certificate["valid"], certificate["risk"], certificate["signed_off"]["by"]) == (False, 0.1, "Ada")
    assert certificate["invalid_reasons"]
    assert api.request("DELETE", "/api/datasets/1/sign-off").status_code == 204
    assert api.get("/api/datasets/1/certificate").json()["signed_off"] is None
    problem(api.get("/api/datasets/1/certificate?risk=1"), 422)


def test_a_sign_off_before_a_scan_is_a_conflict(workshop: Workshop, browser: Browser) -> None:
    """There is nothing to accept yet."""
    workshop.add(workshop.fill(FILES))
    problem(browser.post("/api/datasets/1/sign-off", json={"by": "Ada"}), 409)


def test_a_relocation_by_the_api(workshop: Workshop, api: Browser) -> None:
    """Dry run 200 and nothing touched; apply 202; the worker does it; undo 202."""
    workshop.call_paths(1, {"background/hot.png": "positive"})
    clean = workshop.folder / "clean"
    body = {"dataset": "frames", "to": str(clean), "mode": "copy", "dry_run": True}
    planned = api.post("/api/relocations", json=body)
    assert (planned.status_code, clean.exists()) == (200, False)
    assert planned.json().items() >= {
        "id": 1, "status": "planned", "moves": {"planned": 1, "done": 0, "failed": 0, "skipped": 0}, "collisions": 0,
    }.items()  # fmt: skip
    assert api.post("/api/relocations/1/apply").status_code == 202
    recover_relocations(workshop.database, workshop.settings.worker, workshop.clock, workshop.worker())
    assert "football/hot.png" in tree(clean)
    moves = api.get("/api/relocations/1/moves").json()["items"]
    assert [(move["source"], move["destination"], move["state"]) for move in moves] == [
        ("background/hot.png", "football/hot.png", "done")
    ]
    assert api.get(f"/api/images/{moves[0]['image_id']}").json()["moves"][0]["destination"] == "football/hot.png"
    problem(api.post("/api/relocations/1/apply"), 409)
    assert api.post("/api/relocations/1/undo").status_code == 202


@pytest.mark.parametrize("mode", ["teleport", "move"])
def test_a_mode_that_cannot_be_had_is_named(workshop: Workshop, api: Browser, mode: str) -> None:
    """Unknown, or of a later release."""
    body = {"dataset": 1, "to": str(workshop.folder / "clean"), "mode": mode, "dry_run": True}
    assert problem(api.post("/api/relocations", json=body), 422)["errors"][0]["loc"] == "mode"


@pytest.mark.parametrize("form", ["gold", "coco"])
def test_a_format_that_cannot_be_had_is_named(api: Browser, form: str) -> None:
    """Unknown, or of a later release."""
    found = problem(api.post("/api/exports", json={"dataset": 1, "format": form}), 422)
    assert found["errors"][0]["loc"] == "format"


@pytest.mark.parametrize("host", ["evil.example", "127.0.0.1.evil.example", "", "localhost@evil.example"])
def test_a_foreign_host_is_misdirected(browser: Browser, host: str) -> None:
    """421, except for the probes."""
    assert problem(browser.get("/", headers={"host": host}), 421)["title"] == "Misdirected Request"
    assert browser.get("/healthz", headers={"host": host}).status_code == 200
    assert browser.get("/readyz", headers={"host": host}).status_code == 200


@pytest.mark.parametrize("host", ["127.0.0.1:8000", "localhost", "LOCALHOST:1", "[::1]:8000"])
def test_this_machine_s_names_are_served(browser: Browser, host: str) -> None:
    """With any port, in any case."""
    assert browser.get("/", headers={"host": host}).status_code == 200


@pytest.mark.parametrize(
    ("headers", "status"),
    [
        ({"sec-fetch-site": "cross-site"}, 403),
        ({"sec-fetch-site": "same-site"}, 403),
        ({"origin": "https://evil.example"}, 403),
        ({"origin": "null"}, 403),
        ({"sec-fetch-site": "same-origin", "origin": "http://127.0.0.1:8000"}, 202),
        ({"origin": "http://127.0.0.1:8000"}, 202),
        ({}, 202),
    ],
)
def test_a_write_from_another_site_is_refused(
    workshop: Workshop, browser: Browser, headers: dict[str, str], status: int
) -> None:
    """By Sec-Fetch-Site, then by Origin; a link from there may be followed."""
    workshop.add(workshop.fill(FILES))
    response = browser.post("/scan", json={"dataset": 1}, headers=headers)
    assert response.status_code == status
    followed = {"sec-fetch-mode": "navigate", "sec-fetch-dest": "document"}
    assert browser.get("/", headers=headers | followed).status_code == 200
    assert len(browser.get("/api/scans").json()["items"]) == (status == 202)


def test_a_large_body_is_refused(browser: Browser) -> None:
    """413 before it is read."""
    problem(browser.post("/api/datasets", content=b"x" * ((1 << 20) + 1)), 413)


def test_health_says_what_works(workshop: Workshop, browser: Browser) -> None:
    """Up, ready with or without a worker, and a worker is told."""
    assert browser.get("/healthz").json() == {"status": "ok"}
    assert browser.get("/readyz").json()["worker"] is False
    workshop.worker()
    assert browser.get("/readyz").json() == {"status": "ok", "worker": True}


def test_an_old_schema_is_not_ready(workshop: Workshop, settings: Settings, clock: SetClock) -> None:
    """503 with the reason."""
    database = Database(f"sqlite:///{workshop.folder / 'empty.db'}")
    browser = Browser(Workshop(workshop.folder, database, settings, clock))
    found = problem(browser.get("/readyz"), 503)
    browser.close()
    database.dispose()
    assert "the schema is at nothing" in found["detail"]


def test_metrics_are_prometheus_text(workshop: Workshop, api: Browser) -> None:
    """Counts by dataset, whatever its name."""
    workshop.ready(FILES, 'odd "name"')
    text = api.get("/metrics").text
    assert 'touchline_images{dataset="frames"} 4.0' in text
    assert 'touchline_open_flags{dataset="odd \\"name\\""} 2.0' in text
    assert 'touchline_scans{status="done"} 2.0' in text
    assert "touchline_worker_alive 1.0" in text


def test_openapi_documents_every_route(browser: Browser) -> None:
    """Each /api route with a summary, the shape of its answer and its problems."""
    document = browser.get("/openapi.json").json()
    routes = {
        (method, path)
        for path, methods in document["paths"].items()
        for method in methods
        if path.startswith("/api/") or path == "/scan"
    }
    assert routes == {
        ("get", "/api/datasets"),
        ("post", "/api/datasets"),
        ("post", "/scan"),
        ("get", "/api/scans"),
        ("get", "/api/scans/{scan_id}"),
        ("get", "/api/scans/compare"),
        ("post", "/api/scans/{scan_id}/cancel"),
        ("post", "/api/scans/{scan_id}/pause"),
        ("post", "/api/scans/{scan_id}/priority"),
        ("post", "/api/scans/{scan_id}/resume"),
        ("post", "/api/scans/{scan_id}/retry"),
        ("get", "/api/images"),
        ("get", "/api/images/{image_id}"),
        ("get", "/api/images/{image_id}/duplicates"),
        ("post", "/api/images/{image_id}/carry"),
        ("post", "/api/images/{image_id}/carry/undo"),
        ("post", "/api/images/{image_id}/reviews"),
        ("post", "/api/reviews/{review_id}/undo"),
        ("get", "/api/next"),
        ("patch", "/api/datasets/{dataset}"),
        ("delete", "/api/datasets/{dataset}"),
        ("post", "/api/datasets/{dataset}/relink"),
        ("get", "/api/datasets/{dataset}/stats"),
        ("post", "/api/datasets/{dataset}/threshold"),
        ("post", "/api/datasets/{dataset}/sign-off"),
        ("delete", "/api/datasets/{dataset}/sign-off"),
        ("get", "/api/datasets/{dataset}/agreement"),
        ("get", "/api/datasets/{dataset}/certificate"),
        ("post", "/api/relocations"),
        ("get", "/api/relocations/{relocation_id}"),
        ("get", "/api/relocations/{relocation_id}/moves"),
        ("post", "/api/relocations/{relocation_id}/apply"),
        ("post", "/api/relocations/{relocation_id}/undo"),
        ("post", "/api/exports"),
        ("get", "/api/exports/{export_id}"),
        ("get", "/api/exports/{export_id}/download"),
    }
    for method, path in routes:
        described = document["paths"][path][method]
        assert described["summary"]
        assert "422" in described["responses"]
        if "{" in path:
            assert "404" in described["responses"]


def test_an_unknown_method_is_a_problem(browser: Browser) -> None:
    """405 names what is allowed."""
    response = browser.request("DELETE", "/api/datasets")
    problem(response, 405)
    assert "GET" in response.headers["allow"]


def test_each_tab_without_an_id_is_a_tab_of_its_own(api: Browser) -> None:
    """Two programs that name no client get different images."""
    paths = [api.get("/api/next?dataset=1&queue=flagged").json()["items"][0]["path"] for _ in range(2)]
    assert len(set(paths)) == 2
    assert api.get(f"/api/next?dataset=1&queue=flagged&client={uuid4()}").status_code == 204
