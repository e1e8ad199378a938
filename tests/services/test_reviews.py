"""Verdicts: saved once, undone at any depth, all or none in a batch, in and out as CSV."""

import csv
from pathlib import Path
from threading import Thread

import pytest

from app.domain.reviewing import Verdict
from app.errors import ConflictError, InvalidInputError, NotFoundError, StaleReviewError, TargetExistsError, UsageError
from app.services.overview import get_stats
from app.services.review_files import export_reviews, import_reviews
from app.services.reviews import (
    BatchEntry,
    NewReview,
    clean_reviewer,
    give_batch,
    give_review,
    parse_entries,
    undo_batch,
    undo_latest,
    undo_review,
)
from app.storage.reviews import reviews_of_image
from tests.parts import Workshop, new_request_id

FILES = {
    "football/a.png": 250,
    "football/b.png": 0,
    "background/c.png": 240,
    "background/d.png": 0,
}


@pytest.fixture
def image(workshop: Workshop) -> int:
    """A flagged image of a scanned dataset."""
    workshop.ready(FILES)
    return workshop.image_id(1, "background/c.png")


def history(workshop: Workshop, image_id: int) -> list[tuple[str | None, int | None]]:
    """Every row of an image: verdict and what it undoes."""
    with workshop.database.read() as session:
        return [(row.verdict, row.undoes) for row in reviews_of_image(session, image_id)]


def test_a_verdict_is_stored_with_who_when_and_how_long(workshop: Workshop, image: int) -> None:
    """In one row, which also says which bytes were looked at."""
    new = NewReview(Verdict.POSITIVE, None, "ada", "review", boxes=[(1, 2, 3, 4)], spent_ms=840)
    given = give_review(workshop.database, workshop.clock, image, new)
    review = given.review
    assert (review.verdict, review.reviewer, review.reviewed_at, review.spent_ms, review.boxes) == (
        "positive",
        "ada",
        workshop.clock.now,
        840,
        ((1, 2, 3, 4),),
    )
    assert (given.repeated, given.item.final_label) == (False, "football")


def test_a_stale_card_is_refused_and_told_the_latest(workshop: Workshop, image: int) -> None:
    """Somebody else called the image since: nothing is saved, and the answer names the row to look at."""
    first = workshop.call(image, "positive").review
    for seen in (None, first.id + 5):
        with pytest.raises(StaleReviewError) as caught:
            give_review(workshop.database, workshop.clock, image, NewReview(Verdict.NEGATIVE, seen, "eve", "review"))
        assert caught.value.latest_review_id == first.id
    assert history(workshop, image) == [("positive", None)]


def test_an_undo_makes_older_cards_stale_too(workshop: Workshop, image: int) -> None:
    """The latest row is what a card must have seen, undo rows included."""
    first = workshop.call(image, "positive").review
    undo = workshop.take_back(first.id).review
    with pytest.raises(StaleReviewError) as caught:
        give_review(workshop.database, workshop.clock, image, NewReview(Verdict.NEGATIVE, first.id, "ada", "review"))
    assert caught.value.latest_review_id == undo.id
    again = give_review(workshop.database, workshop.clock, image, NewReview(Verdict.NEGATIVE, undo.id, "ada", "review"))
    assert again.review.verdict == "negative"


def test_the_same_request_twice_is_one_review(workshop: Workshop, image: int) -> None:
    """A request that was sent again after a lost answer gets the same review."""
    new = NewReview(Verdict.POSITIVE, None, "ada", "api", request_id=new_request_id())
    first = give_review(workshop.database, workshop.clock, image, new)
    second = give_review(workshop.database, workshop.clock, image, new)
    assert (first.repeated, second.repeated, first.review.id) == (False, True, second.review.id)
    assert history(workshop, image) == [("positive", None)]


def test_a_request_id_cannot_be_used_for_something_else(workshop: Workshop, image: int) -> None:
    """Another verdict or another image under it is a conflict, not a silent success."""
    request_id = new_request_id()
    give_review(
        workshop.database, workshop.clock, image, NewReview(Verdict.POSITIVE, None, "ada", "api", request_id=request_id)
    )
    other = workshop.image_id(1, "football/a.png")
    for image_id, verdict in ((image, Verdict.NEGATIVE), (other, Verdict.POSITIVE)):
        new = NewReview(verdict, None, "ada", "api", request_id=request_id)
        with pytest.raises(ConflictError, match="was used for another review"):
            give_review(workshop.database, workshop.clock, image_id, new)
    assert history(workshop, other) == []


def test_two_people_at_once_leave_one_verdict(workshop: Workshop, image: int) -> None:
    """Both saw the same card: one is saved, the other is told that it is stale."""
    outcomes: list[str] = []

    def give(reviewer: str) -> None:
        try:
            give_review(workshop.database, workshop.clock, image, NewReview(Verdict.POSITIVE, None, reviewer, "review"))
        except StaleReviewError:
            outcomes.append("stale")
        else:
            outcomes.append("saved")

    threads = [Thread(target=give, args=(name,)) for name in ("ada", "eve", "joe")]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(outcomes) == ["saved", "stale", "stale"]
    assert len(history(workshop, image)) == 1


@pytest.mark.parametrize(
    ("box", "reason"),
    [
        ((3, 0, 3, 4), "must be"),
        ((0, 5, 4, 4), "must be"),
        ((-1, 0, 4, 4), "must be"),
        ((float("nan"), 0, 4, 4), "must be"),
        ((0, 0, 17, 4), "reaches beyond the image of 16 x 12 pixels"),
    ],
)
def test_a_box_that_cannot_be_is_refused_by_its_place(
    workshop: Workshop, image: int, box: tuple[float, float, float, float], reason: str
) -> None:
    """The error says which of the boxes it is; nothing is saved."""
    new = NewReview(Verdict.POSITIVE, None, "ada", "api", boxes=[(0, 0, 1, 1), box])
    with pytest.raises(InvalidInputError, match=reason) as caught:
        give_review(workshop.database, workshop.clock, image, new)
    assert caught.value.errors[0].loc == "boxes.1"
    assert history(workshop, image) == []


def test_an_unknown_image_or_review_is_not_found(workshop: Workshop, image: int) -> None:
    """Whatever the number, also one that no database could hold."""
    for unknown in (image + 1000, 0, -1, 1 << 70):
        with pytest.raises(NotFoundError):
            give_review(workshop.database, workshop.clock, unknown, NewReview(Verdict.POSITIVE, None, "ada", "api"))
        with pytest.raises(NotFoundError):
            undo_review(workshop.database, workshop.clock, unknown, "ada")


def test_undo_goes_to_any_depth(workshop: Workshop, image: int) -> None:
    """Three verdicts are taken back one after the other; each time the one before counts again."""
    given = [workshop.call(image, verdict).review for verdict in ("positive", "unsure", "negative")]
    seen = []
    for review in reversed(given):
        workshop.take_back(review.id)
        seen.append(workshop.item(image).record.verdict)
    assert seen == ["unsure", "positive", None]
    assert [undoes for _, undoes in history(workshop, image)[3:]] == [review.id for review in reversed(given)]


def test_only_the_verdict_that_counts_can_be_undone_and_only_once(workshop: Workshop, image: int) -> None:
    """An earlier one, one that is undone and an undo itself are conflicts."""
    first = workshop.call(image, "positive").review
    second = workshop.call(image, "negative").review
    with pytest.raises(ConflictError, match="is not the verdict that counts"):
        workshop.take_back(first.id)
    undo = workshop.take_back(second.id).review
    for review_id in (second.id, undo.id):
        with pytest.raises(ConflictError, match="is not the verdict that counts"):
            workshop.take_back(review_id)


def test_the_same_undo_request_twice_is_one_undo(workshop: Workshop, image: int) -> None:
    """The second gets the row that the first one made."""
    review = workshop.call(image, "positive").review
    request_id = new_request_id()
    first = undo_review(workshop.database, workshop.clock, review.id, "ada", request_id)
    second = undo_review(workshop.database, workshop.clock, review.id, "ada", request_id)
    assert (second.repeated, first.review.id) == (True, second.review.id)
    assert (first.review.verdict, first.review.undoes) == (None, review.id)


def test_undo_of_mine_takes_my_latest_and_nobody_else_s(workshop: Workshop, image: int) -> None:
    """Key U goes back through one's own verdicts, image by image, until none is left."""
    mine = [workshop.call(image, "positive").review.image_id]
    mine.append(workshop.call(workshop.image_id(1, "football/a.png"), "positive").review.image_id)
    eves = workshop.call(workshop.image_id(1, "football/b.png"), "negative", reviewer="eve").review
    undone = [undo_latest(workshop.database, workshop.clock, 1, "ada") for _ in range(3)]
    assert [given.review.image_id if given else None for given in undone] == [*reversed(mine), None]
    assert workshop.item(eves.image_id).record.verdict == "negative"


def test_a_batch_is_saved_whole_and_once(workshop: Workshop, image: int) -> None:
    """The same batch again changes nothing, and one undo takes it back."""
    ids = [image, workshop.image_id(1, "football/b.png")]
    entries = [BatchEntry(image_id, None) for image_id in ids]
    for _ in range(2):
        assert give_batch(workshop.database, workshop.clock, entries, Verdict.DISCARD, "ada", "batch-1") == 2
    assert [history(workshop, image_id) for image_id in ids] == [[("discard", None)]] * 2
    assert undo_batch(workshop.database, workshop.clock, "batch-1", "ada") == 2
    assert undo_batch(workshop.database, workshop.clock, "batch-1", "ada") == 0
    assert [workshop.item(image_id).record.verdict for image_id in ids] == [None, None]


def test_a_batch_with_one_stale_image_saves_none(workshop: Workshop, image: int) -> None:
    """All or nothing, whichever of them it is."""
    other = workshop.image_id(1, "football/b.png")
    workshop.call(other, "positive")
    entries = [BatchEntry(image, None), BatchEntry(other, None)]
    with pytest.raises(StaleReviewError):
        give_batch(workshop.database, workshop.clock, entries, Verdict.NEGATIVE, "ada", "batch-1")
    assert history(workshop, image) == []


def test_undoing_a_batch_leaves_what_was_called_again(workshop: Workshop, image: int) -> None:
    """A later verdict on one of its images stays."""
    other = workshop.image_id(1, "football/b.png")
    entries = [BatchEntry(image, None), BatchEntry(other, None)]
    give_batch(workshop.database, workshop.clock, entries, Verdict.DISCARD, "ada", "batch-1")
    workshop.call(other, "positive", reviewer="eve")
    assert undo_batch(workshop.database, workshop.clock, "batch-1", "ada") == 1
    assert workshop.item(other).record.verdict == "positive"


@pytest.mark.parametrize("size", [0, 501])
def test_a_batch_is_bounded(workshop: Workshop, image: int, size: int) -> None:
    """None and too many are refused before anything is read."""
    entries = [BatchEntry(image, None)] * size
    with pytest.raises(InvalidInputError, match="choose between 1 and 500 images"):
        give_batch(workshop.database, workshop.clock, entries, Verdict.DISCARD, "ada", "batch-1")


def test_an_unknown_batch_is_not_found(workshop: Workshop) -> None:
    """There is nothing to take back."""
    with pytest.raises(NotFoundError):
        undo_batch(workshop.database, workshop.clock, "nothing", "ada")


@pytest.mark.parametrize("value", ["", "a:1", "1:b", "-1:", "1:\u0662", ":", "1:2:3"])
def test_fields_of_the_grid_have_one_form(value: str) -> None:
    """Anything else is refused by the field's name."""
    with pytest.raises(InvalidInputError, match="is not of the form image:review"):
        parse_entries([value])


def test_fields_of_the_grid_are_image_and_review() -> None:
    """``12:34``, or ``12:`` where nobody has called the image yet."""
    assert parse_entries(["12:34", "5:"]) == [BatchEntry(12, 34), BatchEntry(5, None)]


@pytest.mark.parametrize(
    ("name", "clean"), [(" Ada  Lovelace\n", "Ada Lovelace"), ("\u4e2d", "\u4e2d"), ("x" * 200, "x" * 200)]
)
def test_a_reviewer_s_name_is_trimmed(name: str, clean: str) -> None:
    """Blanks around and between are of no meaning."""
    assert clean_reviewer(name) == clean


@pytest.mark.parametrize("name", [None, "", "  \n", "x" * 201])
def test_no_name_or_too_long_a_name_is_refused(name: str | None) -> None:
    """The error names the field, and for no name says where one is given."""
    with pytest.raises(InvalidInputError) as caught:
        clean_reviewer(name)
    assert caught.value.errors[0].loc == "reviewer"


def read_csv(path: Path) -> list[dict[str, str]]:
    """Rows of a CSV file."""
    with path.open(encoding="utf-8", newline="") as file:
        return list(csv.DictReader(file))


def test_verdicts_go_out_and_come_in_again(workshop: Workshop, image: int) -> None:
    """Into another data folder the same verdicts, names and times are taken; a second time nothing changes."""
    workshop.call(image, "positive", reviewer='Ada "the" \u4e2d, Countess')
    workshop.clock.advance(1.5)
    workshop.call(workshop.image_id(1, "football/b.png"), "discard")
    taken_back = workshop.call(workshop.image_id(1, "football/a.png"), "negative").review
    workshop.take_back(taken_back.id)
    out = workshop.folder / "verdicts.csv"
    assert export_reviews(workshop.database, 1, out) == 2
    assert read_csv(out) == [
        {
            "path": "background/c.png",
            "verdict": "positive",
            "reviewer": 'Ada "the" \u4e2d, Countess',
            "reviewed_at": "2026-03-01T12:00:00Z",
        },
        {
            "path": "football/b.png",
            "verdict": "discard",
            "reviewer": "ada",
            "reviewed_at": "2026-03-01T12:00:01.500000Z",
        },
    ]
    workshop.add(workshop.fill(FILES, "copy"))
    first = import_reviews(workshop.database, workshop.clock, "copy", out)
    second = import_reviews(workshop.database, workshop.clock, "copy", out)
    assert (first.imported, first.unchanged, second.imported, second.unchanged) == (2, 0, 0, 2)
    again = workshop.folder / "again.csv"
    export_reviews(workshop.database, "copy", again)
    assert again.read_bytes() == out.read_bytes()


def test_verdicts_are_never_written_over_a_file(workshop: Workshop, image: int) -> None:
    """An existing file is refused and stays."""
    out = workshop.folder / "mine.csv"
    out.write_text("mine")
    with pytest.raises(TargetExistsError):
        export_reviews(workshop.database, 1, out)
    assert out.read_text() == "mine"


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("path,verdict\nbackground/c.png,maybe\n", r"line 2: 'maybe' is not a valid Verdict; verdicts are positive"),
        ("path,verdict\nbackground/c.png,positive\nfootball/a.png\n", "line 3"),
        ("path,verdict,reviewed_at\nbackground/c.png,positive,yesterday\n", "line 2.*times ISO 8601"),
        ("file,verdict\nbackground/c.png,positive\n", "the header lacks path"),
        ("", "the header lacks path, verdict"),
    ],
)
def test_one_wrong_row_is_named_and_nothing_is_taken(workshop: Workshop, image: int, text: str, reason: str) -> None:
    """All of a file or none of it."""
    path = workshop.folder / "verdicts.csv"
    path.write_text(text, encoding="utf-8")
    with pytest.raises(UsageError, match=reason):
        import_reviews(workshop.database, workshop.clock, 1, path)
    assert history(workshop, image) == []


@pytest.mark.parametrize("content", [None, b"\xff\xfe\x00"], ids=["missing", "not UTF-8"])
def test_a_file_that_cannot_be_read_is_named(workshop: Workshop, image: int, content: bytes | None) -> None:
    """A missing file and one of other text are wrong usage."""
    path = workshop.folder / "verdicts.csv"
    if content is not None:
        path.write_bytes(content)
    with pytest.raises(UsageError, match=r"verdicts\.csv: cannot be read"):
        import_reviews(workshop.database, workshop.clock, 1, path)


def test_paths_that_the_dataset_lacks_are_told(workshop: Workshop, image: int) -> None:
    """The rest is taken; a spreadsheet's byte order mark and a time without a zone do no harm."""
    path = workshop.folder / "verdicts.csv"
    path.write_text(
        "\ufeffpath,verdict,reviewed_at\nnowhere.png,positive,\nbackground/c.png,positive,2026-01-02T03:04:05\n",
        encoding="utf-8",
    )
    result = import_reviews(workshop.database, workshop.clock, 1, path)
    assert (result.imported, result.unknown) == (1, ("nowhere.png",))
    assert workshop.item(image).record.reviewed_at is not None
    assert str(workshop.item(image).record.reviewed_at) == "2026-01-02 03:04:05+00:00"


def test_the_counts_follow_the_verdicts(workshop: Workshop, image: int) -> None:
    """TP, FP, FN and TN of the given labels come from verdicts alone; the rest is unknown."""
    workshop.call_paths(
        1,
        {"football/a.png": "positive", "football/b.png": "negative", "background/c.png": "positive"},
    )
    stats = get_stats(workshop.database, 1)
    given = stats.given
    assert (given.tp, given.fp, given.fn, given.tn, given.unknown) == (1, 1, 1, 0, 1)
    assert (stats.images, stats.scored, stats.flagged, stats.reviewed, stats.open_flags) == (4, 4, 2, 3, 0)
    assert (stats.upheld, stats.overruled, stats.unsure, stats.discarded) == (2, 0, 0, 0)
    workshop.call_paths(1, {"background/c.png": "negative", "background/d.png": "unsure", "football/b.png": "discard"})
    stats = get_stats(workshop.database, 1)
    given = stats.given
    assert (given.tp, given.fp, given.fn, given.tn, given.unknown) == (1, 0, 0, 1, 2)
    assert (stats.upheld, stats.overruled, stats.unsure, stats.discarded) == (0, 1, 1, 1)
