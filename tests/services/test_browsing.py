"""Browsing: every order, filter and jump, forwards and backwards, against what plain Python makes of the rows."""

from collections.abc import Callable
from typing import Any

import pytest

from app.domain.flagging import disagrees
from app.errors import ConflictError, InvalidInputError, NotFoundError
from app.services.browsing import ImageFilters, delete_filter, read_filters, save_filter
from app.services.datasets import set_threshold
from app.services.images import ImageItem, ImageQuery, list_items
from app.services.neighbours import find_neighbours
from app.storage import browsing
from app.storage.features import write_ranks
from app.storage.fits import end_sweep, find_fit, forget_fit, store_fit
from tests.parts import Workshop

#: ties in score within and across folders, sub-folders, case, characters that LIKE knows, one unreadable, some unscored
FILES = {
    "football/day-1/a.png": 0,
    "football/day-1/b.png": 250,
    "football/day-10/c.png": 250,
    "football/day-2/Match_3.png": 30,
    "football/100%.png": 200,
    "football/e.png": 0,
    "background/day-1/f.png": 0,
    "background/day-1/g.png": 250,
    "background/h.png": 225,
    "background/i.png": 0,
    "background/match-3.png": 128,
    "background/j.png": 0,
}

LABELS = ("football", "background")


@pytest.fixture
def shelf(workshop: Workshop, monkeypatch: pytest.MonkeyPatch) -> Workshop:
    """A scanned dataset with verdicts of two people, and time enough for each page whatever else the machine does."""
    monkeypatch.setattr("app.services.images.BUDGET_S", 60.0)
    workshop.fill(FILES)
    (workshop.folder / "frames" / "football" / "broken.png").write_bytes(b"no image")
    workshop.add(workshop.folder / "frames")
    workshop.scan(1)
    for path, verdict, who in [
        ("football/e.png", "negative", "ada"),
        ("background/h.png", "positive", "Gr\u00e4ce"),
        ("background/i.png", "negative", "ada"),
        ("football/day-1/b.png", "unsure", "Gr\u00e4ce"),
    ]:
        workshop.call(workshop.image_id(1, path), verdict, who)
        workshop.clock.advance(5)
    taken = workshop.call(workshop.image_id(1, "background/j.png"), "discard", "ada")
    workshop.take_back(taken.review.id)
    return workshop


def learn(workshop: Workshop) -> None:
    """Ranks as if learned from verdicts: equal ones within and across what is flagged and called, one image doubted."""
    records = [item.record for item in workshop.items(1).values() if item.record.score is not None]
    rows = [
        {
            "of": record.id,
            "rank_": -(record.id * 7 % 5) / 4,
            "doubted_": record.path == "background/j.png",
            "flagged_": disagrees(record.given, record.score or 0.0, 0.5) or record.path == "background/j.png",
        }
        for record in records
    ]
    with workshop.database.write() as session:
        dataset = workshop.dataset(1)
        write_ranks(session, dataset.detector_id or 0, rows)
        store_fit(session, 1, dataset.detector_id or 0, verdicts=4, report={}, now=workshop.clock())
        end_sweep(session, 1, dataset.threshold)


def ask(workshop: Workshop, order: str = "suspicion", **query: Any) -> Any:
    """One page; by what was ``learned``, that is first."""
    return list_items(workshop.database, ImageQuery(dataset="1", order=meant(workshop, order), **query))


def meant(workshop: Workshop, order: str) -> str:
    """The order as it is asked for."""
    if order != "learned":
        return order
    with workshop.database.read() as session:
        known = find_fit(session, 1)
    if known is None:
        learn(workshop)
    return "suspicion"


def paths(items: tuple[ImageItem, ...]) -> list[str]:
    """Their paths."""
    return [item.record.path for item in items]


def pages(workshop: Workshop, limit: int, **query: Any) -> list[list[str]]:
    """Every page from the first to the last."""
    found, cursor = [], None
    while True:
        page = ask(workshop, limit=limit, cursor=cursor, **query)
        found.append(paths(page.items))
        cursor = page.next
        if cursor is None:
            return found
        assert len(found) < 100


ORDERS = ["suspicion", "learned", "score", "path", "reviewed_at"]
FILTERS: dict[str, tuple[dict[str, Any], Callable[[ImageItem], bool]]] = {
    "all": ({}, lambda item: True),
    "folder": ({"folder": "football/day-1"}, lambda item: item.record.path.startswith("football/day-1/")),
    "folder with slashes": ({"folder": "/football/"}, lambda item: item.record.path.startswith("football/")),
    "text": ({"text": "MATCH"}, lambda item: "match" in item.record.path.lower()),
    "text of LIKE": ({"text": "_3"}, lambda item: "_3" in item.record.path),
    "percent": ({"text": "0%"}, lambda item: "0%" in item.record.path),
    "band": (
        {"min_score": 0.5, "max_score": 0.9},
        lambda item: item.record.score is not None and 0.5 <= item.record.score <= 0.9,
    ),
    "flag": ({"flag": "disagreement"}, lambda item: "disagreement" in [flag.reason for flag in item.flags]),
    "unreadable": ({"flag": "unreadable"}, lambda item: item.record.unreadable is not None),
    "given": ({"given": "football"}, lambda item: item.given_label == "football"),
    "verdict": ({"verdict": "negative"}, lambda item: item.record.verdict == "negative"),
    "reviewed": ({"reviewed": True}, lambda item: item.record.verdict is not None),
    "open": ({"reviewed": False}, lambda item: item.record.verdict is None),
    "reviewer": (
        {"reviewer": "Gr\u00e4ce"},
        lambda item: item.record.path in ("background/h.png", "football/day-1/b.png"),
    ),
    "reviewer who took it back": (
        {"reviewer": "ada", "given": "background"},
        lambda item: item.record.path == "background/i.png",
    ),
    "together": (
        {"text": "png", "folder": "background", "max_score": 0.2, "reviewed": False},
        lambda item: item.record.path in ("background/day-1/f.png", "background/j.png"),
    ),
    "nobody": ({"reviewer": "'; DROP TABLE images; --"}, lambda item: False),
}


@pytest.mark.parametrize("order", ORDERS)
def test_a_filter_lists_what_it_says(shelf: Workshop, monkeypatch: pytest.MonkeyPatch, order: str) -> None:
    """Each image once, in the same order whatever the size of a page; small chunks take every turn of the walk."""
    meant(shelf, order)
    items = shelf.items(1)
    whole = {name: pages(shelf, 500, order=order, **query) for name, (query, _) in FILTERS.items()}
    monkeypatch.setattr(browsing, "CHUNK", 3)
    monkeypatch.setattr(browsing, "SEARCHED", 2)
    monkeypatch.setattr(browsing, "ASKED", 2)
    monkeypatch.setattr(browsing, "FEW", 1)
    for name, (query, belongs) in FILTERS.items():
        assert len(whole[name]) == 1
        listed = whole[name][0]
        assert sorted(listed) == sorted(path for path, item in items.items() if belongs(item)), name
        assert [path for part in pages(shelf, 2, order=order, **query) for path in part] == listed, name


@pytest.mark.parametrize("order", ORDERS)
def test_an_order_is_one(shelf: Workshop, order: str) -> None:
    """Falling scores or suspicion, rising paths, latest verdict first; what has no value comes last, by path."""
    items = ask(shelf, order=order, limit=500).items
    keys = {
        "suspicion": lambda item: item.record.score if item.record.given == "negative" else 1 - item.record.score,
        "learned": lambda item: -item.record.rank,
        "score": lambda item: item.record.score,
        "reviewed_at": lambda item: item.record.effective_review_id,
    }
    if order == "path":
        assert paths(items) == sorted(paths(items))
        return
    known = [item for item in items if (item.record.effective_review_id or item.record.score) is not None]
    if order == "reviewed_at":
        known = [item for item in items if item.record.effective_review_id is not None]
    values = [keys[order](item) for item in known]
    assert values == sorted(values, reverse=True)
    rest = paths(items)[len(known) :]
    assert rest == sorted(rest)
    assert paths(items)[: len(known)] == paths(tuple(known))


@pytest.mark.parametrize("order", ORDERS)
def test_back_leads_where_one_came_from(shelf: Workshop, monkeypatch: pytest.MonkeyPatch, order: str) -> None:
    """The page before, image for image; before the first there is none."""
    monkeypatch.setattr(browsing, "CHUNK", 3)
    monkeypatch.setattr(browsing, "SEARCHED", 2)
    monkeypatch.setattr(browsing, "ASKED", 2)
    monkeypatch.setattr(browsing, "FEW", 1)
    for name in ("all", "text", "open", "given", "reviewed", "verdict", "reviewer", "folder"):
        for limit in (1, 3, 5):
            forward, backward = there_and_back(shelf, limit, order=order, **FILTERS[name][0])
            assert backward == forward, (name, limit)


def there_and_back(workshop: Workshop, limit: int, **query: Any) -> tuple[list[list[str]], list[list[str]]]:
    """All pages but the last, on the way to the last and on the way back."""
    forward, cursor = [], None
    while True:
        page = ask(workshop, limit=limit, cursor=cursor, **query)
        forward.append(paths(page.items))
        if page.next is None:
            break
        cursor = page.next
    backward = []
    while page.previous is not None:
        page = ask(workshop, limit=limit, cursor=page.previous, backwards=True, **query)
        backward.append(paths(page.items))
        assert len(backward) < 100
    return forward[:-1], backward[::-1]


@pytest.mark.parametrize(
    ("order", "query"),
    [
        ("suspicion", {}),
        ("learned", {}),
        ("score", {"given": "background"}),
        ("score", {"min_score": 0.1}),
        ("path", {"folder": "football"}),
    ],
)
def test_a_number_is_counted_in_the_list(shelf: Workshop, order: str, query: dict[str, Any]) -> None:
    """Number n is the n-th of the whole list; beyond the last scored one there is no number."""
    whole = list(ask(shelf, order=order, limit=500, **query).items)
    counted = whole if order == "path" else [item for item in whole if item.record.score is not None]
    for number in range(1, len(counted) + 1):
        page = ask(shelf, order=order, limit=2, number=number, **query)
        assert paths(page.items) == paths(tuple(whole[number - 1 : number + 1])), number
    assert ask(shelf, order="path", number=1_000_000).items == ()


@pytest.mark.parametrize("order", ["suspicion", "score"])
@pytest.mark.parametrize("given", [None, "football", "background"])
def test_a_number_is_counted_from_whole_bins_of_scores(workshop: Workshop, order: str, given: str | None) -> None:
    """Also where two labels' suspicions are equal on the edge of a bin, and where most images share one score."""
    greys = [0, 0, 0, 51, 51, 102, 127, 153, 204, 204, 255, 255, 26, 77, 230]
    workshop.fill({f"{label}/{number}.png": grey for label in LABELS for number, grey in enumerate(greys)})
    workshop.add(workshop.folder / "frames")
    workshop.scan(1)
    whole = paths(ask(workshop, order=order, given=given, limit=500).items)
    assert len(whole) == len(greys) * (2 if given is None else 1)
    for number in range(1, len(whole) + 1):
        page = ask(workshop, order=order, given=given, limit=3, number=number)
        assert paths(page.items) == whole[number - 1 : number + 2], number


def test_a_score_is_gone_to(shelf: Workshop) -> None:
    """The first image of at most that score, in the order of scores."""
    for score in (1.0, 250 / 255, 0.5, 0.0):
        page = ask(shelf, order="score", at_score=score, limit=1)
        assert page.items[0].record.score == max(
            item.record.score
            for item in shelf.items(1).values()
            if item.record.score is not None and item.record.score <= score
        )
    with pytest.raises(InvalidInputError, match="needs the order score"):
        ask(shelf, order="path", at_score=0.5)


def test_a_search_that_is_late_says_how_far_it_came(shelf: Workshop, monkeypatch: pytest.MonkeyPatch) -> None:
    """Nothing is left out: the next page goes on from there."""
    monkeypatch.setattr("app.services.images.BUDGET_S", -1.0)
    monkeypatch.setattr(browsing, "SEARCHED", 2)
    monkeypatch.setattr(browsing, "ASKED", 2)
    monkeypatch.setattr(browsing, "CHUNK", 2)
    found, passed, cursor, asked = [], 0, None, 0
    while True:
        page = ask(shelf, order="path", text="match-3", limit=1, cursor=cursor)
        found += paths(page.items)
        passed, asked, cursor = passed + page.passed, asked + 1, page.next
        if cursor is None:
            break
    assert found == ["background/match-3.png"]
    assert asked > 2
    assert passed >= 10


@pytest.mark.parametrize("order", ORDERS)
def test_neighbours_follow_the_list(shelf: Workshop, order: str) -> None:
    """From each image the one before and the one after, and back to the list."""
    ids = [item.record.id for item in ask(shelf, order=order, limit=500).items]
    dataset, order = shelf.dataset(1), meant(shelf, order)
    for at, image_id in enumerate(ids):
        around = find_neighbours(shelf.database, dataset, image_id, ImageFilters(order=order))
        before, after = (
            None if url is None else int(url.partition("?")[0].rpartition("/")[2])
            for url in (around.previous_url, around.next_url)
        )
        assert before == (ids[at - 1] if at else None)
        assert after == (ids[at + 1] if at + 1 < len(ids) else None)
        assert around.list_url == f"/images?dataset=1&order={order}"


def test_a_list_goes_on_in_the_order_in_which_it_began(shelf: Workshop) -> None:
    """What is learned between two pages neither repeats an image nor leaves one out; the next list has its order."""
    whole = paths(ask(shelf, limit=500).items)
    first = ask(shelf, limit=4)
    learn(shelf)
    assert paths(first.items) + paths(ask(shelf, limit=500, cursor=first.next).items) == whole
    relearned = paths(ask(shelf, limit=500).items)
    assert sorted(relearned) == sorted(whole)
    assert relearned != whole
    begun = ask(shelf, limit=4)
    with shelf.database.write() as session:
        forget_fit(session, 1)
    assert paths(begun.items) + paths(ask(shelf, limit=500, cursor=begun.next).items) == relearned


def test_a_band_of_scores_is_listed_by_the_detectors_suspicion(shelf: Workshop) -> None:
    """Only the index of scores finds a band; learning does not change that list."""
    before = paths(ask(shelf, min_score=0.1, limit=500).items)
    learn(shelf)
    assert paths(ask(shelf, min_score=0.1, limit=500).items) == before


def test_flags_are_found_while_what_was_learned_follows_a_threshold(shelf: Workshop) -> None:
    """Between the move and the sweep flags there are those of before."""
    learn(shelf)
    set_threshold(shelf.database, 1, 0.15)
    flagged = {path for path, item in shelf.items(1).items() if "disagreement" in [flag.reason for flag in item.flags]}
    assert set(paths(ask(shelf, flag="disagreement", limit=500).items)) == flagged


def test_a_list_of_every_dataset_knows_no_such_filter(shelf: Workshop) -> None:
    """It says which one needs a dataset."""
    with pytest.raises(InvalidInputError, match="text: needs a dataset"):
        list_items(shelf.database, ImageQuery(text="x"))


def test_a_saved_filter_is_a_name_for_a_list(shelf: Workshop) -> None:
    """Of what is known of the query only; a name is taken once, and free again when it is deleted."""
    query = "dataset=7&text=a%26b&flag=&order=path&cursor=xyz&evil=%3Cb%3E"
    saved = save_filter(shelf.database, shelf.clock, 1, "  odd   ones ", query, "ada")
    assert (saved.name, saved.query, saved.made_by) == ("odd ones", "text=a%26b&order=path", "ada")
    assert read_filters(saved.query) == ImageFilters(text="a&b", order="path")
    with pytest.raises(ConflictError, match="already"):
        save_filter(shelf.database, shelf.clock, 1, "odd ones", "", "eve")
    delete_filter(shelf.database, saved.id)
    with pytest.raises(NotFoundError):
        delete_filter(shelf.database, saved.id)
    save_filter(shelf.database, shelf.clock, 1, "odd ones", "", "eve")


@pytest.mark.parametrize("name", ["", "   ", "x" * 81])
def test_a_saved_filter_has_a_name(shelf: Workshop, name: str) -> None:
    """Of some length."""
    with pytest.raises(InvalidInputError, match="give a name"):
        save_filter(shelf.database, shelf.clock, 1, name, "", "ada")
