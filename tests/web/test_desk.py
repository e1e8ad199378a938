"""Keys, guidelines, notes and boxes over HTTP, by plain forms and as the API has them."""

import io
import json

import pytest
from PIL import Image

from app.domain.keys import DEFAULTS
from app.web.markdown import render_markdown
from tests.parts import Browser, Workshop, new_request_id

FILES = {"football/yes.png": 250, "football/none.png": 0, "background/no.png": 0, "background/hot.png": 240}


@pytest.fixture
def site(workshop: Workshop, browser: Browser) -> Browser:
    """A signed-in browser over a scanned dataset."""
    workshop.ready(FILES)
    browser.sign_in()
    return browser


def typed(**keys: str) -> dict[str, str]:
    """The form of keys with some of them changed."""
    return {f"key_{name}": key for name, key in (DEFAULTS | keys).items()}


def test_chosen_keys_are_on_the_buttons_and_in_the_list(site: Browser) -> None:
    """They belong to the reviewer: another one has the first ones, and a reset brings them back."""
    saved = site.post("/settings/keys", data=typed(positive="Q", undo=""))
    assert (saved.status_code, saved.headers["location"]) == (303, "/settings/keys?said=saved")
    page = site.get("/review").text
    assert 'data-hotkey="q" aria-keyshortcuts="Q"' in page
    assert 'data-hotkey="u"' not in page
    assert "<kbd>Q</kbd></td><td>Yes" in page

    site.sign_in("grace")
    assert 'data-hotkey="q"' not in site.get("/review").text
    site.sign_in("ada")
    assert site.post("/settings/keys", data={"do": "reset"}).status_code == 303
    assert 'data-hotkey="1"' in site.get("/review").text


def test_double_and_unusable_keys_are_refused(site: Browser) -> None:
    """Nothing is saved; each field says what is wrong with it, and keeps what was typed."""
    answer = site.post("/settings/keys", data=typed(positive="u", note="Tab", zoom="zz"))
    assert answer.status_code == 422
    assert answer.text.count('aria-invalid="true"') == 4
    assert 'value="zz"' in answer.text
    assert "also the key of: Undo my last verdict" in answer.text
    assert 'data-hotkey="1"' in site.get("/review").text


def test_without_a_name_keys_are_kept_in_the_browser(workshop: Workshop, browser: Browser) -> None:
    """A cookie suffices; one that is not ours changes nothing."""
    workshop.ready(FILES)
    browser.post("/settings/keys", data=typed(positive="q"))
    assert 'name="key_positive" value="q"' in browser.get("/settings/keys").text
    for broken in ("%7B", "%5B1%5D", "%7B%22positive%22%3A7%7D"):
        browser.client.cookies.delete("touchline_keys")
        page = browser.get("/settings/keys", headers={"cookie": f"touchline_keys={broken}"})
        assert 'name="key_negative" value="2"' in page.text


def test_guidelines_are_previewed_and_saved(site: Browser) -> None:
    """A preview keeps nothing; what is saved stands beside the image."""
    text = "# What counts\r\n\r\n- a ball *in play*"
    preview = site.post("/datasets/1/guidelines", data={"guidelines": text, "do": "preview"})
    assert "<h3>What counts</h3>" in preview.text
    assert "Write guidelines" in site.get("/review").text
    assert site.post("/datasets/1/guidelines", data={"guidelines": text}).status_code == 303
    assert "<em>in play</em>" in site.get("/review").text
    assert "<em>in play</em>" in site.get("/datasets/1/guidelines").text


def test_guidelines_have_a_limit_and_a_dataset(site: Browser) -> None:
    """Too long: nothing saved, nothing lost of what was typed. Unknown dataset: 404."""
    answer = site.post("/datasets/1/guidelines", data={"guidelines": "a" * 20_001})
    assert answer.status_code == 422
    assert "a" * 20_001 in answer.text
    assert site.get("/datasets/77/guidelines").status_code == 404
    assert site.post("/datasets/77/guidelines", data={"guidelines": "x"}).status_code == 404


@pytest.mark.parametrize(
    ("source", "wanted", "forbidden"),
    [
        ("<script>alert(1)</script>", "&lt;script&gt;", "<script"),
        ("<b onclick=x>b</b>", "&lt;b onclick=x&gt;", "<b "),
        ("[a](javascript:alert(1))", "javascript", "<a"),
        ("[a](data:text/html,x)", "data:", "<a"),
        ("[a](vbscript:x)", "vbscript", "<a"),
        ("[a](//evil.example)", "evil", "<a"),
        ("![a](https://evil.example/x.png)", "a</a>", "<img"),
        ("[a](https://good.example)", 'href="https://good.example" rel="noopener', "target"),
        ("[a](/images/1)", 'href="/images/1" rel="noopener', "target"),
        ("<https://good.example>", 'href="https://good.example"', "<script"),
        ('[a](https://x.example "t&quot; onload=x")', "<a", ' onload="'),
        ("# One\n## Two", "<h4>Two</h4>", "<h1>"),
    ],
)
def test_markdown_can_do_nothing(source: str, wanted: str, forbidden: str) -> None:
    """No raw HTML, no picture from elsewhere, no link that runs."""
    html = str(render_markdown(source))
    assert wanted in html
    assert forbidden not in html


def call(browser: Browser, image_id: int, **fields: str) -> int:
    """Post a verdict as the form does; the status."""
    data = {"dataset": "1", "verdict": "positive", "seen_review_id": "", "request_id": new_request_id()} | fields
    return browser.post(f"/review/{image_id}", data=data).status_code


def test_boxes_and_note_go_along_with_a_verdict(site: Browser, workshop: Workshop) -> None:
    """They stand in the history, on the page of the image and in the API; nothing is said where nothing was drawn."""
    image_id = workshop.image_id(1, "background/hot.png")
    assert call(site, image_id, boxes="[[1,2,8.5,9]]", note="half <hidden>") == 303
    review = site.get(f"/api/images/{image_id}").json()["reviews"][0]
    page = site.get(f"/images/{image_id}").text
    assert (review["boxes"], review["note"]) == ([[1.0, 2.0, 8.5, 9.0]], "half <hidden>")
    assert "half &lt;hidden&gt;" in page
    assert "human-box" in page
    assert "human-box" in site.get(f"/review?image={image_id}").text

    other = workshop.image_id(1, "football/none.png")
    assert call(site, other) == 303
    review = site.get(f"/api/images/{other}").json()["reviews"][0]
    assert (review["boxes"], review["note"]) == (None, None)


@pytest.mark.parametrize(
    ("verdict", "kept"), [("positive", True), ("unsure", True), ("negative", False), ("discard", False)]
)
def test_boxes_are_kept_where_the_object_may_be(site: Browser, workshop: Workshop, verdict: str, kept: bool) -> None:
    """A box around what is not there would be trained on."""
    image_id = workshop.image_id(1, "background/hot.png")
    assert call(site, image_id, verdict=verdict, boxes="[[1,2,8,9]]") == 303
    review = site.get(f"/api/images/{image_id}").json()["reviews"][0]
    assert (review["boxes"] is not None) == kept


@pytest.mark.parametrize(
    "boxes", ["{", "7", "[7]", "[[1,2,3]]", '[["a",1,2,3]]', "[[1,2,NaN,4]]", "[[1,2,99,4]]", "[[5,2,1,4]]", "[" * 5000,
              json.dumps([[1, 2, 3, 4]] * 1001), "[[1e999,1,2,3]]"]
)  # fmt: skip
def test_boxes_that_are_none_are_refused(site: Browser, workshop: Workshop, boxes: str) -> None:
    """422, and no verdict is stored."""
    image_id = workshop.image_id(1, "background/hot.png")
    assert call(site, image_id, boxes=boxes) == 422
    assert site.get(f"/api/images/{image_id}").json()["reviews"] == []


def test_a_long_note_is_refused_everywhere(site: Browser, workshop: Workshop) -> None:
    """By the form and by the API alike."""
    image_id = workshop.image_id(1, "background/hot.png")
    assert call(site, image_id, note="a" * 2001) == 422
    body = {"verdict": "positive", "seen_review_id": None, "note": "a" * 2001}
    assert site.post(f"/api/images/{image_id}/reviews", json=body).status_code == 422
    assert site.post(f"/api/images/{image_id}/reviews", json=body | {"note": "short"}).status_code == 201


def test_a_form_and_the_api_are_one_request(site: Browser, workshop: Workshop) -> None:
    """A verdict that the form sent and the page sends again by the API arrives once."""
    image_id = workshop.image_id(1, "background/hot.png")
    request_id = new_request_id()
    assert call(site, image_id, request_id=request_id, boxes="[[1.25,2,8.5,9]]", note="a\r\nb ") == 303
    body = {
        "verdict": "positive",
        "seen_review_id": None,
        "request_id": request_id,
        "boxes": [[1.25, 2, 8.5, 9]],
        "note": "a\nb ",
    }
    assert site.post(f"/api/images/{image_id}/reviews", json=body).status_code == 200
    assert len(site.get(f"/api/images/{image_id}").json()["reviews"]) == 1


def test_a_window_of_the_original(site: Browser, workshop: Workshop) -> None:
    """PNG, kept for ever only with the hash in its address; outside the image 404, no window at all 422."""
    item = workshop.items(1)["background/hot.png"]
    url = f"/images/{item.record.id}/crop"
    answer = site.get(f"{url}/4-2-8?v={item.record.sha256}")
    assert (answer.status_code, answer.headers["content-type"]) == (200, "image/png")
    assert Image.open(io.BytesIO(answer.content)).size == (8, 8)
    assert "immutable" in answer.headers["cache-control"]
    assert site.get(f"{url}/4-2-8", headers={"If-None-Match": answer.headers["etag"]}).status_code == 304
    assert site.get(f"{url}/12-2-8").status_code == 200
    assert [site.get(f"{url}/{window}").status_code for window in ("16-0-8", "0-0-0", "0-0-1025", "a-b-c")] == [
        404,
        422,
        422,
        422,
    ]
    assert site.get("/images/77/crop/0-0-8").status_code == 404


def test_the_desk_goes_on_after_an_image(site: Browser, workshop: Workshop) -> None:
    """``after`` leads to the next open flag, and says why when it was saved late."""
    first = workshop.image_id(1, "football/none.png")
    page = site.get(f"/review?dataset=1&after={first}&said=later").text
    assert f'data-image="{workshop.image_id(1, "background/hot.png")}"' in page
    assert "Saved after all" in page
