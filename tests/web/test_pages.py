"""The pages: each answers whole and as a block, under a strict policy, and works without JavaScript."""

import re
from html import unescape
from urllib.parse import urlsplit

import httpx
import pytest

from app.files.manifests import PUBLISHED
from app.services.exports import claim_export, run_export
from app.services.relocating import recover_relocations
from app.web.forms import safe_next
from tests.parts import Browser, Workshop, tree

FILES = {"football/yes.png": 250, "football/none.png": 0, "background/no.png": 0, "background/hot.png": 240}
ODD = '<img src=x onerror=alert(1)> "quoted" \'n\n.png'
PAGES = ["/", "/review", "/grid", "/images", "/images/1", "/duplicates", "/stats", "/report", "/audit",
         "/scans", "/scans/1", "/scans/compare", "/clean", "/export", "/settings",
         "/datasets", "/datasets/1", "/datasets/1/files", "/datasets/1/guidelines", "/settings/keys",
         "/second", "/conflicts", "/datasets/1/reviewing"]  # fmt: skip
HTMX = {"HX-Request": "true"}


@pytest.fixture
def site(workshop: Workshop, browser: Browser) -> Browser:
    """A signed-in browser over a scanned dataset."""
    workshop.ready(FILES)
    browser.sign_in()
    return browser


def fields(html: str, action: str) -> dict[str, str]:
    """The hidden fields of the form that posts to an address, as a browser without JavaScript would send them."""
    form = re.search(rf'<form[^>]*action="{re.escape(action)}"[^>]*>(.*?)</form>', html, re.DOTALL)
    assert form is not None, f"no form posts to {action}"
    inputs = re.findall(r"<input\b[^>]*>", form.group(1))
    attributes = [dict(re.findall(r'(\w+)="([^"]*)"', each)) for each in inputs]
    return {each["name"]: unescape(each.get("value", "")) for each in attributes if each.get("type") == "hidden"}


def follow(browser: Browser, response: httpx.Response) -> httpx.Response:
    """Go where a form's answer leads."""
    assert response.status_code == 303, response.text
    return browser.get(response.headers["location"])


@pytest.mark.parametrize("url", PAGES)
def test_a_page_is_whole_and_under_a_strict_policy(site: Browser, url: str) -> None:
    """200, HTML with a title and a heading, no inline script or style, nothing kept by caches."""
    response = site.get(url)
    assert (response.status_code, response.headers["content-type"]) == (200, "text/html; charset=utf-8")
    assert re.search(r"<title>[^<]+</title>", response.text)
    assert re.search(r"<h1\b", response.text)
    policy = dict(part.strip().split(" ", 1) for part in response.headers["content-security-policy"].split(";"))
    assert (policy["default-src"], policy["object-src"], policy["frame-ancestors"]) == ("'self'", "'none'", "'none'")
    assert "unsafe" not in response.headers["content-security-policy"]
    assert not re.search(r"<script(?![^>]*\bsrc=)", response.text)
    assert not re.search(r"\bstyle=|<style|\son\w+=", response.text)
    assert (response.headers["cache-control"], response.headers["x-content-type-options"]) == ("no-store", "nosniff")
    assert "HX-Request" in response.headers["vary"]


@pytest.mark.parametrize("url", PAGES)
def test_htmx_gets_the_block_alone(site: Browser, url: str) -> None:
    """A part of the page without its frame."""
    block = site.get(url, headers=HTMX)
    assert (block.status_code, "<html" in block.text) == (200, False)
    assert 0 < len(block.text) < len(site.get(url).text)


#: what a page without a dataset is for, in its own words; those that need no dataset are missing
WELCOMES = {
    "/": "Touchline reads a folder with one sub-folder per label, and changes nothing in it.",
    "/review": "Register a folder that holds one sub-folder per label, and its flags will be shown here one at a time.",
    "/grid": "Register a folder that holds one sub-folder per label, and its flags will be shown here many at a time.",
    "/images": "Register a folder, and each of its images can be found here.",
    "/duplicates": "Register a folder and scan it; then its duplicates are listed here.",
    "/stats": "Register a folder and scan it, and its numbers stand here.",
    "/report": "Register a folder, scan it and call its flags; then a report tells what was found.",
    "/audit": "Register a folder and scan it; then draws at random bound what is still wrong in it.",
    "/scans": "Register a folder first, then scan it.",
    "/clean": "Register a folder, scan it and call its flags; then a cleaned folder is planned here.",
    "/export": "Register a folder, scan it and call its flags; then the result can be exported here.",
    "/second": "What one person calls in it can then be shown to a second.",
    "/conflicts": "What people disagree on in it will be settled here.",
}
#: pages that are of use all the same -> what a person finds there
USEFUL = {
    "/settings": 'action="/settings/reviewer"',
    "/settings/keys": 'action="/settings/keys"',
    "/datasets": 'action="/datasets"',
    "/scans/compare": "Set detector.model to another detector and scan again: then the two can be compared here.",
}


@pytest.mark.parametrize("url", [url for url in PAGES if "/1" not in url])
def test_a_page_without_a_dataset_says_what_to_do(browser: Browser, url: str) -> None:
    """What it is for, and one button that leads to registering a folder; other pages do their own work."""
    response = browser.get(url)
    assert response.status_code == 200
    if url in USEFUL:
        assert USEFUL[url] in response.text
        return
    found = re.search(r'<div class="empty">(.*?)</div>\s*</div>', response.text, re.DOTALL)
    assert found is not None
    assert WELCOMES[url] in unescape(found.group(1))
    assert re.search(r'<a class="btn btn-primary" href="/datasets">Register a dataset</a>', found.group(1))


@pytest.mark.parametrize(
    "url", ["/images/999", "/review?image=999", "/?dataset=nothing", "/nowhere", "/clean?relocation=9"]
)
def test_what_does_not_exist_is_a_page_for_people(site: Browser, url: str) -> None:
    """404 with the same policy and a way back; for htmx the reason alone."""
    page = site.get(url, headers={"accept": "text/html"})
    assert (page.status_code, page.headers["content-type"]) == (404, "text/html; charset=utf-8")
    assert "default-src 'self'" in page.headers["content-security-policy"]
    block = site.get(url, headers=HTMX | {"accept": "text/html"})
    assert (block.status_code, "<html" in block.text) == (404, False)


def test_an_odd_file_name_is_text_everywhere(workshop: Workshop, browser: Browser) -> None:
    """On every page that shows it, markup in a name stays a name."""
    root = workshop.fill({f"background/{ODD}": 240, "football/a.png": 250})
    (root / "football" / f"{ODD}.txt").write_text("ignored")
    (root / "football" / f"broken {ODD[:-4]}.jpg").write_bytes(b"")
    workshop.add(root, name="<b>name</b>", question="Is <i>it</i> there?")
    workshop.scan(1)
    browser.sign_in("<u>ada</u>")
    workshop.call(workshop.image_id(1, f"background/{ODD}"), "positive", reviewer="<u>ada</u>")
    shown = [browser.get(url).text for url in [*PAGES, "/images/2", "/images/3"]]
    for html in shown:
        for markup in ("<img src=x", "<b>name", "<i>it", "<u>ada"):
            assert markup not in html
    assert sum("&lt;img src=x" in html for html in shown) >= 3


def test_a_whole_review_by_forms(workshop: Workshop, site: Browser) -> None:
    """Without JavaScript: each verdict is a form, its answer leads to the next card, until none is left."""
    page = site.get("/review?dataset=1")
    called = []
    while 'name="verdict"' in page.text:
        action = re.search(r'action="(/review/\d+)"', page.text)
        assert action is not None
        values = fields(page.text, action.group(1))
        called.append(int(action.group(1).rpartition("/")[2]))
        page = follow(site, site.post(action.group(1), data=values | {"verdict": "positive"}))
    assert sorted(called) == sorted(workshop.image_id(1, path) for path in ("football/none.png", "background/hot.png"))
    items = workshop.items(1)
    assert {path: item.record.verdict for path, item in items.items() if item.record.verdict} == {
        "football/none.png": "positive",
        "background/hot.png": "positive",
    }


def test_undo_by_a_form_shows_the_image_again(workshop: Workshop, site: Browser) -> None:
    """The verdict is taken back and the card is there to be called once more."""
    image_id = workshop.image_id(1, "background/hot.png")
    workshop.call(image_id, "negative")
    page = follow(site, site.post("/review/undo", data={"dataset": "1"}))
    assert f'action="/review/{image_id}"' in page.text
    assert workshop.item(image_id).record.verdict is None
    assert site.post("/review/undo", data={"dataset": "1"}).status_code == 303


def test_a_stale_card_gets_the_present_one(workshop: Workshop, site: Browser) -> None:
    """409 with the card as it is now and what has happened; nothing is saved."""
    image_id = workshop.image_id(1, "background/hot.png")
    workshop.call(image_id, "negative", reviewer="eve")
    form = {"dataset": "1", "verdict": "positive", "seen_review_id": ""}
    response = site.post(f"/review/{image_id}", data=form, headers=HTMX)
    assert (response.status_code, "has been reviewed since" in response.text) == (409, True)
    assert workshop.item(image_id).record.verdict == "negative"


def test_htmx_gets_the_next_card_with_what_was_said(workshop: Workshop, site: Browser) -> None:
    """One round trip a verdict."""
    first, second = (workshop.image_id(1, path) for path in ("football/none.png", "background/hot.png"))
    form = {"dataset": "1", "verdict": "negative", "seen_review_id": ""}
    response = site.post(f"/review/{first}", data=form, headers=HTMX)
    assert (response.status_code, f'action="/review/{second}"' in response.text) == (200, True)
    assert "no football: none.png" in response.text


def test_without_a_name_nothing_is_saved(workshop: Workshop, browser: Browser) -> None:
    """422 says where a name is given."""
    workshop.ready(FILES)
    form = {"dataset": "1", "verdict": "positive", "seen_review_id": ""}
    response = browser.post("/review/1", data=form, headers={"accept": "text/html"})
    assert (response.status_code, "TOUCHLINE_REVIEWER" in response.text) == (422, True)


def test_the_name_of_the_settings_stands_in(workshop: Workshop) -> None:
    """Without a cookie TOUCHLINE_REVIEWER counts, and a cookie goes before it."""
    workshop.ready(FILES)
    browser = Browser(workshop, workshop.settings.model_copy(update={"reviewer": "desk 4"}))
    body = {"verdict": "positive", "seen_review_id": None}
    first = browser.post("/api/images/1/reviews", json=body).json()
    browser.sign_in("Ada \u4e2d")
    second = browser.post("/api/images/2/reviews", json=body).json()
    browser.close()
    assert (first["reviewer"], second["reviewer"]) == ("desk 4", "Ada \u4e2d")


def test_the_desk_never_shows_the_truth_or_preselects(site: Browser) -> None:
    """Both answers cost one key, and none is marked beforehand."""
    page = site.get("/review").text
    assert "Is there a football?" in page
    assert "checked" not in page
    assert "truth" not in page.lower()


def test_the_threshold_moves_by_a_form(workshop: Workshop, site: Browser) -> None:
    """A plain form, and a block of counts for the slider."""
    follow(site, site.post("/datasets/1/threshold", data={"threshold": "0.95"}))
    assert workshop.dataset(1).threshold == 0.95
    block = site.post(
        "/datasets/1/threshold", data={"threshold": "0.4"}, headers=HTMX | {"HX-Target": "overview_stats"}
    )
    assert (block.status_code, "<html" in block.text) == (200, False)
    refused = site.post("/datasets/1/threshold", data={"threshold": "high"})
    assert (refused.status_code, refused.json()["errors"][0]["loc"]) == (422, "threshold")


def test_scanning_by_forms(workshop: Workshop, browser: Browser) -> None:
    """Queue, see it on the page, cancel."""
    workshop.add(workshop.fill(FILES))
    page = follow(browser, browser.post("/scan", data={"dataset": "1"}))
    assert "queued" in page.text.lower()
    follow(browser, browser.post("/scans/1/cancel"))
    assert browser.get("/api/scans/1").json()["status"] == "cancelled"


@pytest.mark.parametrize("url", ["/", "/scans", "/scans/1", "/clean", "/export"])
def test_without_a_worker_the_page_says_how_to_start_one(workshop: Workshop, browser: Browser, url: str) -> None:
    """A scan, a relocation or an export that is asked for there would wait for ever."""
    said = "nothing is scanned, copied or exported: <code>touchline worker</code> starts one"
    workshop.add(workshop.fill(FILES))
    browser.post("/scan", data={"dataset": "1"})
    assert browser.get(url).text.count(said) == 1
    workshop.worker()
    assert said not in browser.get(url).text


def test_registering_by_a_form_keeps_what_was_typed(workshop: Workshop, browser: Browser) -> None:
    """A wrong field is named beside the form as it was sent; a right one leads to the overview."""
    root = workshop.fill(FILES)
    wrong = browser.post("/datasets", data={"root": str(root), "positive": "ball<s>", "name": "kept name"})
    assert (wrong.status_code, "kept name" in wrong.text, "there is no folder" in wrong.text) == (422, True, True)
    assert "ball<s>" not in wrong.text
    page = follow(browser, browser.post("/datasets", data={"root": str(root)}))
    assert "frames" in page.text


def test_a_grid_batch_by_forms(workshop: Workshop, site: Browser) -> None:
    """Chosen images get one verdict together and lose it together."""
    values = fields(site.get("/grid").text, "/grid")
    ids = [workshop.image_id(1, path) for path in ("football/none.png", "background/hot.png")]
    form = values | {"verdict": "discard", "image": [f"{image_id}:" for image_id in ids]}
    page = follow(site, site.post("/grid", data=form))
    assert [workshop.item(image_id).record.verdict for image_id in ids] == ["discard"] * 2
    undo = fields(page.text, "/grid/undo")
    follow(site, site.post("/grid/undo", data=undo))
    assert [workshop.item(image_id).record.verdict for image_id in ids] == [None] * 2


def work(workshop: Workshop) -> None:
    """What a worker does with files."""
    worker_id = workshop.worker()
    recover_relocations(workshop.database, workshop.settings.worker, workshop.clock, worker_id)
    export = claim_export(workshop.database, workshop.settings.worker, workshop.clock, worker_id)
    if export is not None:
        run_export(workshop.database, workshop.clock, export)


def test_cleaning_by_forms(workshop: Workshop, site: Browser) -> None:
    """Sign off, plan, apply, undo; nothing is touched before the plan is applied."""
    clean = workshop.folder / "clean"
    follow(site, site.post("/datasets/1/sign-off", data={"by": "Ada"}))
    page = follow(site, site.post("/clean/plan", data={"dataset": "1", "to": str(clean), "mode": "copy"}))
    assert ("yes.png" in page.text, clean.exists()) == (True, False)
    follow(site, site.post("/clean/1/apply"))
    work(workshop)
    assert set(tree(clean)) == {"football/yes.png", "background/no.png", *PUBLISHED}
    assert "Ada" in site.get("/clean").text
    follow(site, site.post("/clean/1/undo"))
    work(workshop)
    assert not clean.exists()
    follow(site, site.post("/datasets/1/sign-off/withdraw"))
    assert site.get("/api/datasets/1/certificate").json()["signed_off"] is None


def test_a_refused_plan_is_said_on_the_page(workshop: Workshop, site: Browser) -> None:
    """With what was typed still in the form."""
    target = workshop.folder / "frames" / "football"
    response = site.post("/clean/plan", data={"dataset": "1", "to": str(target), "mode": "copy"})
    assert (response.status_code, "inside a source folder" in response.text, str(target) in response.text) == (
        422,
        True,
        True,
    )


def test_exporting_by_forms(workshop: Workshop, site: Browser) -> None:
    """Queue, wait for the worker, download."""
    workshop.call_paths(1, {"background/hot.png": "positive"})
    follow(site, site.post("/export", data={"dataset": "1", "format": "csv"}))
    waiting = site.get("/api/exports/1/download")
    work(workshop)
    ready = site.get("/api/exports/1/download")
    assert (waiting.status_code, ready.status_code) == (409, 200)
    assert ready.text.splitlines()[0].startswith("path,sha256,source_path")
    assert "attachment" in ready.headers["content-disposition"]


@pytest.mark.parametrize(
    ("url", "lands"),
    [
        ("/grid?dataset=1", "/grid?dataset=1"),
        ("https://evil.example/", "/"),
        ("//evil.example/", "/"),
        ("/\\evil.example", "/"),
        ("javascript:alert(1)", "/"),
        ("grid", "/"),
        ("", "/"),
        ("/a\nSet-Cookie: x=1", "/"),
    ],
)
def test_a_form_leads_nowhere_else(url: str, lands: str) -> None:
    """Only a path of this site is followed."""
    assert safe_next(url) == lands


def test_choices_are_kept_in_cookies_of_this_site(browser: Browser) -> None:
    """Theme and keys; a theme that does not exist is refused."""
    response = browser.post("/settings/theme", data={"theme": "light", "next": "/stats"})
    assert (response.status_code, response.headers["location"]) == (303, "/stats")
    cookie = response.headers["set-cookie"].lower()
    assert ("httponly" in cookie, "samesite=lax" in cookie) == (True, True)
    assert browser.post("/settings/theme", data={"theme": "pink"}).status_code == 422


def test_static_files_are_kept_only_under_their_hash(browser: Browser) -> None:
    """Every asset that a page names carries its hash; without it a browser asks again."""
    page = browser.get("/settings").text
    assets = re.findall(r'(?:src|href)="(/static/[^"]+)"', page)
    assert len(assets) >= 3
    for asset in assets:
        assert "?v=" in asset
        assert "immutable" in browser.get(asset).headers["cache-control"]
        assert browser.get(urlsplit(asset).path).headers["cache-control"] == "no-cache"
    assert browser.get("/static/../app/config.py").status_code == 404
    assert browser.get("/static/%2e%2e/app/config.py").status_code == 404


def test_settings_show_no_password(workshop: Workshop) -> None:
    """The database's URL is shown without it."""
    hidden = workshop.settings.model_copy(update={"database_url": "postgresql://touch:line-secret@db/x"})
    browser = Browser(workshop, hidden)
    page = browser.get("/settings").text
    browser.close()
    assert ("line-secret" in page, "touch:***@db" in page) == (False, True)


def test_links_of_a_page_lead_somewhere(site: Browser, workshop: Workshop) -> None:
    """Every address that the pages name answers."""
    found = {
        unescape(url).partition("#")[0]
        for page in PAGES
        for url in re.findall(r'(?:href|src)="(/[^"]*)"', site.get(page).text)
    }
    broken = [url for url in sorted(found) if site.get(url).status_code not in (200, 303)]
    assert len(found) > 15
    assert broken == []


def test_the_pages_work_where_images_are_gone(workshop: Workshop, site: Browser) -> None:
    """A folder that vanished takes no page with it."""
    (workshop.folder / "frames").rename(workshop.folder / "away")
    assert {site.get(url).status_code for url in PAGES} == {200}


def test_the_overview_lists_every_dataset_where_there_are_several(workshop: Workshop, browser: Browser) -> None:
    """Each with its counts and its scan, also one that was never scanned."""
    workshop.ready({"football/a.png": 250, "background/b.png": 240}, root="first")
    workshop.add(workshop.fill({"football/a.png": 1, "background/b.png": 2}, root="second"))
    page = browser.get("/?dataset=1").text
    assert "All datasets" in page
    assert '<a href="/?dataset=2">second</a>' in page
    assert "never scanned" in page
