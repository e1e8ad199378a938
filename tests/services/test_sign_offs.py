"""A sign-off covers that moment's agreeing images, by id and hash, and ceases for what changes."""

import os

import pytest

from app.errors import ConflictError, InvalidInputError, NotFoundError
from app.services.certificates import certificate_document, certify
from app.services.datasets import set_threshold
from app.services.sign_offs import SignOffView, find_sign_off, sign_off, withdraw_sign_off
from tests.parts import ColourDetector, Workshop, draw

#: agreeing at 0.5: football/yes, football/likely, background/no; flagged: background/hot
FILES = {"football/yes.png": 250, "football/likely.png": 150, "background/no.png": 0, "background/hot.png": 240}


@pytest.fixture
def signed(workshop: Workshop) -> SignOffView:
    """A sign-off of a scanned dataset."""
    workshop.ready(FILES)
    return sign_off(workshop.database, workshop.clock, 1, "Ada")


def standing(workshop: Workshop) -> SignOffView | None:
    """The sign-off as it stands."""
    dataset = workshop.dataset(1)
    with workshop.database.read() as session:
        return find_sign_off(session, dataset)


def final_labels(workshop: Workshop) -> dict[str, str | None]:
    """Final labels by path."""
    return {path: item.final_label for path, item in workshop.items(1).items()}


def still_holds(workshop: Workshop) -> bool:
    """What the certificate says of it."""
    signed_off = certificate_document(certify(workshop.database, workshop.clock, 1))["signed_off"]
    assert (signed_off["why_not"] is None) is signed_off["still_holds"]
    return bool(signed_off["still_holds"])


def test_it_covers_the_unreviewed_images_without_a_flag(workshop: Workshop, signed: SignOffView) -> None:
    """They get their folder's label; the flagged one stays without."""
    assert (signed.by, signed.at, signed.images, signed.still_holding) == ("Ada", workshop.clock.now, 3, 3)
    assert final_labels(workshop) == {
        "football/yes.png": "football",
        "football/likely.png": "football",
        "background/no.png": "background",
        "background/hot.png": None,
    }
    assert still_holds(workshop)


def test_until_there_is_an_audit_its_bound_is_none(signed: SignOffView) -> None:
    """It is said in so many words."""
    assert signed.bound == "none"


def test_what_comes_to_agree_later_is_not_covered(workshop: Workshop, signed: SignOffView) -> None:
    """A new file, and a flag that a higher threshold takes away, were not there to be accepted."""
    draw(workshop.folder / "frames/background/new.png", 5)
    workshop.scan(1)
    set_threshold(workshop.database, 1, 0.95)
    labels = final_labels(workshop)
    assert (labels["background/new.png"], labels["background/hot.png"]) == (None, None)


def test_it_ceases_for_an_image_that_gets_a_flag(workshop: Workshop, signed: SignOffView) -> None:
    """The others stay covered."""
    set_threshold(workshop.database, 1, 0.7)
    assert final_labels(workshop)["football/likely.png"] is None
    assert final_labels(workshop)["football/yes.png"] == "football"
    assert not still_holds(workshop)


def test_it_ceases_for_an_image_whose_bytes_change(workshop: Workshop, signed: SignOffView) -> None:
    """The new picture agrees as well, but nobody accepted it."""
    draw(workshop.folder / "frames/football/yes.png", 251, size=(30, 20))
    workshop.scan(1)
    assert workshop.items(1)["football/yes.png"].flags == ()
    assert final_labels(workshop)["football/yes.png"] is None
    assert (standing(workshop) or signed).still_holding == signed.images - 1
    assert not still_holds(workshop)


@pytest.mark.parametrize(("verdict", "label"), [("negative", "background"), ("unsure", None), ("discard", None)])
def test_it_ceases_for_an_image_that_is_called_otherwise(
    workshop: Workshop, signed: SignOffView, verdict: str, label: str | None
) -> None:
    """A person's verdict wins, and the sign-off no longer holds for all that it covered."""
    workshop.call_paths(1, {"football/yes.png": verdict})
    assert final_labels(workshop)["football/yes.png"] == label
    assert not still_holds(workshop)


def test_a_verdict_that_agrees_with_the_folder_does_not_touch_it(workshop: Workshop, signed: SignOffView) -> None:
    """Who confirms what was accepted takes nothing back."""
    workshop.call_paths(1, {"football/yes.png": "positive"})
    assert final_labels(workshop)["football/yes.png"] == "football"
    assert still_holds(workshop)


def test_a_scan_that_changes_nothing_does_not_touch_it(workshop: Workshop, signed: SignOffView) -> None:
    """Nor does a file that is only touched."""
    os.utime(workshop.folder / "frames/football/yes.png", (1, 1))
    workshop.scan(1)
    assert still_holds(workshop)
    assert standing(workshop) == signed


def test_another_detector_that_disagrees_ends_it_for_what_it_flags(workshop: Workshop, signed: SignOffView) -> None:
    """Flags are of the detector whose scores count."""
    workshop.scan(1, ColourDetector(weights="b" * 64, floor=0.7))
    assert final_labels(workshop)["football/likely.png"] is None
    assert not still_holds(workshop)


def test_withdrawing_takes_every_label_back_that_came_from_it(workshop: Workshop, signed: SignOffView) -> None:
    """Verdicts stay; a second withdrawal finds nothing."""
    workshop.call_paths(1, {"background/hot.png": "positive"})
    assert withdraw_sign_off(workshop.database, workshop.clock, 1) == 1
    assert withdraw_sign_off(workshop.database, workshop.clock, 1) == 0
    assert standing(workshop) is None
    assert [label for label in final_labels(workshop).values() if label] == ["football"]


def test_a_second_sign_off_takes_the_place_of_the_first(workshop: Workshop, signed: SignOffView) -> None:
    """It covers what agrees now, under the new name."""
    set_threshold(workshop.database, 1, 0.95)
    again = sign_off(workshop.database, workshop.clock, 1, "  Eve   Doe ")
    assert (again.by, again.images) == ("Eve Doe", 3)
    assert final_labels(workshop)["background/hot.png"] == "background"


@pytest.mark.parametrize("name", ["", "   ", "x" * 201])
def test_it_wants_a_name(workshop: Workshop, name: str) -> None:
    """Somebody has to stand for it."""
    workshop.ready(FILES)
    with pytest.raises(InvalidInputError, match="by: give the name"):
        sign_off(workshop.database, workshop.clock, 1, name)
    assert standing(workshop) is None


def test_there_is_nothing_to_sign_before_a_scan(workshop: Workshop) -> None:
    """Nobody knows yet what agrees; an unknown dataset is not found."""
    workshop.add(workshop.fill(FILES))
    with pytest.raises(ConflictError, match="has not been scanned"):
        sign_off(workshop.database, workshop.clock, 1, "Ada")
    with pytest.raises(NotFoundError):
        sign_off(workshop.database, workshop.clock, "nothing", "Ada")


def test_the_certificate_counts_what_would_be_released(workshop: Workshop) -> None:
    """Settled by verdict, agreeing and not looked at, errors found; per label and in all, and it is not valid."""
    workshop.ready(FILES)
    workshop.call_paths(1, {"background/hot.png": "positive", "football/yes.png": "positive"})
    document = certificate_document(certify(workshop.database, workshop.clock, 1, risk=0.1))
    assert (document["valid"], document["audit"], document["signed_off"], document["risk"]) == (False, None, None, 0.1)
    assert document["invalid_reasons"] == [
        "no audit has been drawn: nothing is known of the images nobody has looked at"
    ]
    overall = document["overall"]
    assert (overall["images"], overall["settled"], overall["errors_found"], overall["errors_upper"]) == (4, 2, 1, 2)
    assert {label: row["images"] for label, row in document["per_label"].items()} == {"football": 2, "background": 2}


@pytest.mark.parametrize("risk", [0.0, 1.0, -1.0, float("nan")])
def test_a_risk_lies_between_0_and_1(workshop: Workshop, risk: float) -> None:
    """Anything else is refused by field."""
    workshop.ready(FILES)
    with pytest.raises(InvalidInputError, match="risk"):
        certify(workshop.database, workshop.clock, 1, risk)
