"""Scans over HTTP: held, ranked, retried, compared and watched, by programs and by forms."""

import re
from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import httpx
import pytest
from sqlalchemy import update

from app.detector.base import Prepared
from app.domain.detections import Detection
from app.services.scanning import claim_scan
from app.services.scans import request_scan
from app.storage.engines import find_or_insert_engine
from app.storage.scans import update_scan
from app.storage.tables import ScoreRow
from tests.parts import Browser, ColourDetector, Workshop

FILES = {"football/yes.png": 250, "football/none.png": 0, "background/no.png": 0, "background/hot.png": 240}
HTMX = {"HX-Request": "true"}
TELEMETRY: dict[str, Any] = {
    "samples": [[1.0, 1], [2.0, 3]],
    "shares": {"decode": 1.0, "model": 3.0, "write": 0.1, "waiting_for": "model"},
    "rss_bytes": 800,
    "refused": ["openvino in bf16: it turns the flag of 3 of 72 canary images"],
}


class PalerDetector(ColourDetector):
    """Another model, half as sure."""

    def __init__(self) -> None:
        super().__init__("b" * 64)

    def detect(self, prepared: Sequence[Prepared]) -> list[list[Detection]]:
        """See :class:`app.detector.base.Detector`."""
        found = super().detect(prepared)
        return [[replace(each, confidence=each.confidence / 2) for each in image] for image in found]


@pytest.fixture
def api(workshop: Workshop, browser: Browser) -> Browser:
    """A client over a scanned dataset."""
    workshop.ready(FILES)
    return browser


def problem(response: httpx.Response, status: int) -> None:
    """A refusal as problem+json."""
    assert (response.status_code, response.headers["content-type"]) == (status, "application/problem+json")


def test_metrics_tell_how_a_scan_goes(workshop: Workshop, browser: Browser) -> None:
    """The figures of its page while it runs, and what waits behind it."""
    for name in ("frames", "more", "rest"):
        workshop.add(workshop.fill(FILES, name))
        browser.post("/scan", json={"dataset": name})
    browser.post("/api/scans/3/pause")
    claimed = claim_scan(workshop.database, workshop.settings, workshop.clock, workshop.worker())
    assert claimed is not None
    with workshop.database.write() as session:
        values: dict[str, Any] = {"total": 60, "scored": 2, "reused": 7, "unreadable": 1, "images_per_s": 12.5}
        update_scan(session, claimed.id, **values, telemetry=TELEMETRY)
    text = browser.get("/metrics").text
    assert 'touchline_scan_seconds_left{dataset="more"' not in text
    for name, value in {
        "images_per_second": 12.5,
        "seconds_left": 4.0,
        "images": 60.0,
        "images_finished": 10.0,
        "images_scored": 2.0,
        "images_reused": 7.0,
        "images_unreadable": 1.0,
        "rss_bytes": 800.0,
        "engines_refused": 1.0,
        "engines_failed": 0.0,
    }.items():
        assert f'touchline_scan_{name}{{dataset="frames",scan="1"}} {value}' in text
    assert 'touchline_scan_stage_seconds_total{dataset="frames",scan="1",stage="model"} 3.0' in text
    assert "touchline_scan_device_bytes{" not in text
    assert "touchline_scan_queue_length 1.0" in text
    assert "touchline_scans_paused 1.0" in text
    assert 'touchline_unreadable{dataset="more"} 0.0' in text


def test_a_scan_is_held_ranked_and_let_go(workshop: Workshop, browser: Browser) -> None:
    """Each answer is the scan as it is then."""
    workshop.add(workshop.fill(FILES))
    first = browser.post("/scan", json={"dataset": "frames", "priority": 4}).json()
    assert (first["paused"], first["priority"], first["engine"], first["telemetry"]) == (False, 4, None, None)
    held = browser.post("/api/scans/1/pause").json()
    assert (held["status"], held["paused"]) == ("queued", True)
    assert browser.post("/api/scans/1/priority", json={"priority": -2}).json()["priority"] == -2
    problem(browser.post("/api/scans/1/priority", json={"priority": 1001}), 422)
    problem(browser.post("/api/scans/1/priority", json={}), 422)
    assert browser.post("/api/scans/1/resume").json()["paused"] is False
    browser.post("/api/scans/1/cancel")
    for action in ("pause", "resume"):
        problem(browser.post(f"/api/scans/1/{action}"), 409)
    problem(browser.post("/api/scans/1/priority", json={"priority": 1}), 409)


def test_a_scan_tells_its_course(workshop: Workshop, api: Browser) -> None:
    """Speed, shares, memory and refused engines as they were recorded."""
    with workshop.database.write() as session:
        update_scan(session, 1, telemetry=TELEMETRY)
    told = api.get("/api/scans/1").json()["telemetry"]
    assert told == {**TELEMETRY, "device_bytes": None, "batch_size": None, "failed": []}


def test_a_scan_shows_its_own_gate(workshop: Workshop, api: Browser) -> None:
    """An engine passes one for each detector; what it measured for another says nothing of this scan."""
    with workshop.database.write() as session:
        engine_id = find_or_insert_engine(
            session,
            fingerprint="openvino 2026.4.1 cpu float32",
            backend="openvino",
            device="cpu",
            precision="float32",
            gate={"canaries": 64, "min_iou": 0.97},
            now=workshop.clock(),
        )
        session.execute(update(ScoreRow).values(engine_id=engine_id))
    record(workshop, 1, telemetry=TELEMETRY)
    assert api.get("/api/scans/1").json()["engine"]["gate"] == {"canaries": 64, "min_iou": 0.97}
    record(workshop, 1, telemetry={**TELEMETRY, "gate": {"canaries": 96, "min_iou": 0.99997}})
    assert api.get("/api/scans/1").json()["engine"]["gate"]["canaries"] == 96
    assert "0.99997" in api.get("/scans/1").text


def test_unreadable_images_are_retried(workshop: Workshop, browser: Browser) -> None:
    """202 and the scan that will look again, 200 where it is queued already, 409 where there is none."""
    root = workshop.fill(FILES)
    (root / "football" / "broken.jpg").write_bytes(b"no image")
    workshop.scan(workshop.add(root).id)
    image_id = workshop.image_id(1, "football/broken.jpg")
    first = browser.post("/api/scans/1/retry", json={"images": [image_id]})
    assert (first.status_code, first.headers["location"], first.json()["id"]) == (202, "/api/scans/2", 2)
    again = browser.post("/api/scans/1/retry")
    assert (again.status_code, again.json()["id"]) == (200, 2)
    problem(browser.post("/api/scans/1/retry", json={"images": [999]}), 409)
    problem(browser.post("/api/scans/1/retry", json={"images": []}), 422)


def test_two_detectors_are_compared(workshop: Workshop, api: Browser) -> None:
    """Counts, and what changed, page by page; the same detector twice is refused in words."""
    workshop.scan(1, PalerDetector())
    whole = api.get("/api/scans/compare?a=1&b=2").json()
    assert (whole["a"]["id"], whole["b"]["id"], whole["dataset"], whole["threshold"]) == (1, 2, 1, 0.5)
    assert set(whole["per_label"]) == {"football", "background"}
    assert (whole["counts"]["images"], whole["only_scored_by_a"], whole["only_scored_by_b"]) == (4, 0, 0)
    assert [abs(item["change"]) for item in whole["items"]] == sorted(
        (abs(item["change"]) for item in whole["items"]), reverse=True
    )
    first = api.get("/api/scans/compare?a=1&b=2&limit=3").json()
    rest = api.get(f"/api/scans/compare?a=1&b=2&limit=3&cursor={first['next']}").json()
    assert first["items"] + rest["items"] == whole["items"]
    assert rest["next"] is None
    assert api.get(whole["items"][0]["thumbnail"]).status_code == 200
    workshop.scan(1, PalerDetector())
    refused = api.get("/api/scans/compare?a=2&b=3")
    problem(refused, 422)
    assert "the same detector" in refused.json()["detail"]
    problem(api.get("/api/scans/compare?a=1&b=2&cursor=what"), 422)
    problem(api.get("/api/scans/compare?a=1"), 422)


# Pages


def queue(workshop: Workshop, name: str = "frames") -> None:
    """A dataset with a queued scan."""
    view = workshop.add(workshop.fill(FILES, name))
    request_scan(workshop.database, workshop.settings.worker, workshop.clock, view.id)


def record(workshop: Workshop, scan_id: int, **values: Any) -> None:
    """What a worker would have recorded of a scan."""
    with workshop.database.write() as session:
        update_scan(session, scan_id, **values)


def buttons(html: str) -> list[str]:
    """What the forms of a page would do."""
    return re.findall(r'<form[^>]*action="(/scans/[^"]+)"', html)


def test_a_queued_scan_is_held_by_a_form(workshop: Workshop, browser: Browser) -> None:
    """And let go by another; a plain browser comes back to the page that it was on."""
    queue(workshop)
    assert "/scans/1/pause" in buttons(browser.get("/scans/1").text)
    response = browser.post("/scans/1/pause", data={"next": "/scans/1"})
    assert (response.status_code, response.headers["location"]) == (303, "/scans/1")
    page = browser.get("/scans/1").text
    assert "/scans/1/resume" in buttons(page)
    assert "/scans/1/pause" not in buttons(page)
    assert "paused" in page
    assert browser.post("/scans/1/resume", data={"next": "https://evil.example"}).headers["location"] == "/?dataset=1"
    assert browser.get("/api/scans/1").json()["paused"] is False


@pytest.mark.parametrize("block", ["scan_list", "scan_detail", "scan_progress"])
@pytest.mark.parametrize("action", ["pause", "resume", "cancel", "priority"])
def test_a_form_gets_the_block_that_it_stands_in(workshop: Workshop, browser: Browser, block: str, action: str) -> None:
    """Each page swaps its own."""
    queue(workshop)
    headers = HTMX | {"HX-Target": f"div#{block}"}
    response = browser.post(f"/scans/1/{action}", data={"priority": "1"}, headers=headers)
    assert response.status_code == 200
    assert f'id="{block}"' in response.text
    assert "<html" not in response.text


def test_the_queue_is_shown_in_the_order_of_its_turns(workshop: Workshop, browser: Browser) -> None:
    """Of all datasets, since one worker serves them; what is held comes last, and says so."""
    for name in ("one", "two", "three"):
        queue(workshop, name)
    browser.post("/scans/3/priority", data={"priority": "1"})
    browser.post("/scans/1/pause", data={})
    html = browser.get("/scans?dataset=1").text
    assert re.findall(r'id="queued-(\d)"', html) == ["3", "2", "1"]


@pytest.mark.parametrize("priority", ["x", "", "1001", "9" * 5000])
def test_a_priority_that_cannot_be_is_refused(workshop: Workshop, browser: Browser, priority: str) -> None:
    """And the scan keeps its own."""
    queue(workshop)
    problem(browser.post("/scans/1/priority", data={"priority": priority}), 422)
    assert browser.get("/api/scans/1").json()["priority"] == 0


def test_a_form_on_a_scan_that_has_ended_shows_it(api: Browser) -> None:
    """The page was made before; that it ended says enough."""
    response = api.post("/scans/1/pause", headers=HTMX | {"HX-Target": "div#scan_detail"})
    assert (response.status_code, "done" in response.text, buttons(response.text)) == (200, True, [])


def test_the_page_tells_how_a_scan_goes(workshop: Workshop, api: Browser) -> None:
    """Speed in words and as a table, the stage that holds it up, memory, and engines that were refused."""
    record(workshop, 1, telemetry={**TELEMETRY, "device_bytes": 4_000_000, "batch_size": 16})
    html = api.get("/scans/1").text
    assert "Images a second over 1 s: 2.0 at first, 2.0 at the end" in html
    assert "The scan waits for the model" in html
    assert "73.2 %" in html
    assert "4.0 MB" in html
    assert "16 images" in html
    assert "1 engine was refused" in html
    assert "openvino in bf16: it turns the flag of 3 of 72 canary images" in html


def test_an_engine_that_does_not_run_was_not_found_unfaithful(workshop: Workshop, api: Browser) -> None:
    """Nobody knows what it would see: the page says that it does not run, on each page of the scan."""
    reason = "openvino on cpu in float16: openvino finds no cpu here"
    record(workshop, 1, telemetry={"failed": [reason]})
    html = api.get("/scans/1").text
    assert "1 engine does not run here" in html
    assert reason in html
    assert "not see the same" not in html
    assert "1 engine does not run here" in api.get("/?dataset=1").text
    record(workshop, 1, telemetry={**TELEMETRY, "failed": [reason, reason]})
    html = api.get("/scans/1").text
    assert ("1 engine was refused" in html, "2 engines do not run here" in html) == (True, True)


@pytest.mark.parametrize("telemetry", [None, {}, {"samples": []}, {"shares": None}, {"samples": [[1.0, 5]]}])
def test_a_page_without_telemetry_says_so(workshop: Workshop, api: Browser, telemetry: Any) -> None:
    """Scans of earlier releases have none, and a new one has little."""
    record(workshop, 1, telemetry=telemetry)
    assert "This scan left no record of its speed." in api.get("/scans/1").text


def test_what_a_scan_takes_on_the_disk_is_said_before_it(workshop: Workshop, browser: Browser) -> None:
    """On the overview and on the page of scans, not in the block that asks again and again."""
    view = workshop.add(workshop.fill(FILES))
    for url in ("/?dataset=1", "/scans?dataset=1"):
        assert "copies" in browser.get(url).text
    assert "of disk" not in browser.get("/scans?dataset=1", headers=HTMX).text
    workshop.scan(view.id)
    assert "of disk" not in browser.get("/").text
    assert "will add no thumbnail or copy to the disk" in browser.get("/scans?dataset=1").text


def test_unreadable_images_are_retried_by_forms(workshop: Workshop, browser: Browser) -> None:
    """One by its own button, the others by one for all; each says that it waits."""
    root = workshop.fill(FILES)
    for name in ("x", "y"):
        (root / "football" / f"{name}.jpg").write_bytes(b"no image")
    workshop.scan(workshop.add(root).id)
    image_id = workshop.image_id(1, "football/x.jpg")
    response = browser.post(
        "/scans/1/retry", data={"image": str(image_id)}, headers=HTMX | {"HX-Target": "scan_detail"}
    )
    assert "1 to be looked at again by scan 2" in response.text
    assert response.text.count("waits for a scan") == 1
    assert browser.post("/scans/1/retry", data={"next": "/scans/1"}).headers["location"] == "/scans/1"
    assert browser.get("/scans/1").text.count("waits for a scan") == 2
    problem(browser.post("/scans/1/retry", data={"image": "../1"}), 422)


def test_the_log_of_unreadable_images_goes_on(workshop: Workshop, browser: Browser) -> None:
    """A hundred at a time."""
    root = workshop.fill(FILES)
    for number in range(103):
        (root / "football" / f"{number}.jpg").write_bytes(b"no image")
    workshop.scan(workshop.add(root).id)
    first = browser.get("/scans/1").text
    more = re.search(r'href="(/scans/1\?after=\d+)"', first)
    assert more is not None
    rest = browser.get(more.group(1)).text
    assert (first.count('name="image"'), rest.count('name="image"')) == (100, 3)


def test_two_detectors_side_by_side(workshop: Workshop, api: Browser) -> None:
    """Offered once there are two; each image leads to its page."""
    assert "One detector so far" in api.get("/scans/compare").text
    assert "Compare detectors" not in api.get("/scans").text
    workshop.scan(1, PalerDetector())
    assert "/scans/compare?a=1&amp;b=2" in api.get("/scans").text
    html = api.get("/scans/compare?a=1&b=2").text
    assert html.count('class="change"') == 4
    assert re.search(r'href="/images/\d+\?dataset=1"', html)


def test_a_comparison_that_cannot_be_is_said_on_the_page(workshop: Workshop, api: Browser) -> None:
    """With the choice of others; a scan that is not there is not found."""
    workshop.scan(1)
    response = api.get("/scans/compare?a=1&b=2", headers={"accept": "text/html"})
    assert response.status_code == 422
    assert "Scans 1 and 2 had the same detector, so there is nothing to compare" in response.text
    assert api.get("/scans/compare?a=1&b=99").status_code == 404
    assert api.get("/scans/99").status_code == 404
