"""Where each file goes, what a collision becomes, and every reason to stay out."""

from collections.abc import Sequence
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from app.domain.flagging import Flag, FlagReason, Labels
from app.domain.images import Side
from app.domain.relocation import (
    Candidate,
    LeftOut,
    Omission,
    Placement,
    decide,
    fold,
    path_below_label,
    plan_placements,
    safe_for_file_name,
)
from app.domain.reviewing import Verdict

LABELS = Labels("football", "background")
FLAG = (Flag(FlagReason.DISAGREEMENT, "because"),)


def candidate(path: str = "background/a.jpg", **values: Any) -> Candidate:
    """An image filed where its path says, scored, agreeing and called by nobody, unless said otherwise."""
    given_side = Side.POSITIVE if "football" in path else Side.NEGATIVE
    known: dict[str, Any] = {
        "image_id": 1,
        "path": path,
        "given": given_side,
        "pattern": LABELS.name(given_side),
        "sha256": "0" * 64,
        "size_bytes": 1,
        "score": 0.2,
        "flags": (),
        "verdict": None,
        "signed_off": False,
        "unreadable": False,
        "missing": False,
    }
    return Candidate(**(known | values))


def destinations(candidates: Sequence[Candidate]) -> list[str]:
    """Where a plan puts them."""
    return [planned.destination for planned in plan_placements(candidates, LABELS) if isinstance(planned, Placement)]


@pytest.mark.parametrize(
    ("values", "decision"),
    [
        ({"verdict": Verdict.POSITIVE}, Side.POSITIVE),
        ({"verdict": Verdict.NEGATIVE}, Side.NEGATIVE),
        ({"signed_off": True}, Side.NEGATIVE),
        ({"verdict": Verdict.POSITIVE, "flags": FLAG}, Side.POSITIVE),
        ({"verdict": Verdict.POSITIVE, "score": None}, Side.POSITIVE),
        ({"unreadable": True, "verdict": Verdict.POSITIVE}, LeftOut.UNREADABLE),
        ({"missing": True, "verdict": Verdict.POSITIVE}, LeftOut.SOURCE_CHANGED),
        ({"verdict": Verdict.UNSURE, "signed_off": True}, LeftOut.UNSURE),
        ({"verdict": Verdict.DISCARD, "signed_off": True}, LeftOut.DISCARDED),
        ({"score": None}, LeftOut.NOT_SCORED),
        ({"flags": FLAG}, LeftOut.UNREVIEWED_FLAG),
        ({}, LeftOut.NOT_SIGNED_OFF),
    ],
)
def test_an_image_is_released_only_on_a_person_s_word(values: dict[str, Any], decision: Side | LeftOut) -> None:
    """A verdict or a sign-off releases it; otherwise the reason why it stays out is the most telling one."""
    assert decide(candidate(**values)) is decision


@pytest.mark.parametrize(
    ("path", "pattern", "below"),
    [
        ("football/x.jpg", "football", "x.jpg"),
        ("football/a/b/x.jpg", "football", "a/b/x.jpg"),
        ("train/football/x.jpg", "*/football", "train/x.jpg"),
        ("train/football/a/x.jpg", "*/football", "train/a/x.jpg"),
        ("2024/train/football/x.jpg", "*/*/football", "2024/train/x.jpg"),
        ("data/football/x.jpg", "data/football", "data/x.jpg"),
    ],
)
def test_the_path_below_the_label_keeps_sub_folders_and_splits(path: str, pattern: str, below: str) -> None:
    """Only the label's own folder is taken out of the path."""
    assert path_below_label(path, pattern) == below


def test_a_split_layout_keeps_its_splits_under_the_final_label() -> None:
    """``train/football/x.jpg`` becomes ``football/train/x.jpg``."""
    found = candidate("train/football/x.jpg", pattern="*/football", verdict=Verdict.POSITIVE)
    assert destinations([found]) == ["football/train/x.jpg"]


def test_the_newcomer_of_a_collision_is_named_after_its_folder() -> None:
    """The file that came over gets ``__from_<given label>`` before its extension; the one that stays keeps its name."""
    stays = candidate("football/a.jpg", image_id=1, verdict=Verdict.POSITIVE)
    comes = candidate("background/a.jpg", image_id=2, verdict=Verdict.POSITIVE)
    planned = list(plan_placements([stays, comes], LABELS))
    assert [(each.destination, each.collision) for each in planned if isinstance(each, Placement)] == [
        ("football/a.jpg", False),
        ("football/a__from_background.jpg", True),
    ]


def test_further_collisions_are_numbered() -> None:
    """Where that name is taken as well, ``__2``, ``__3`` follow it."""
    taken = [
        candidate(f"football/a{ending}.jpg", verdict=Verdict.POSITIVE)
        for ending in ("", "__from_background", "__from_background__2")
    ]
    comes = candidate("background/a.jpg", verdict=Verdict.POSITIVE)
    assert destinations([*taken, comes])[-1] == "football/a__from_background__3.jpg"


@pytest.mark.parametrize(
    ("first", "second", "renamed"),
    [
        ("football/A.jpg", "football/a.JPG", "football/a__2.JPG"),
        ("football/stra\u00dfe.jpg", "football/STRASSE.jpg", "football/STRASSE__2.jpg"),
        ("football/caf\u00e9.jpg", "football/cafe\u0301.jpg", "football/cafe\u0301__2.jpg"),
        ("football/sub/a.jpg", "football/SUB/a.jpg", "football/SUB/a__2.jpg"),
    ],
    ids=["case", "sharp s", "composed and decomposed", "folder"],
)
def test_names_that_some_file_systems_hold_for_one_are_a_collision(first: str, second: str, renamed: str) -> None:
    """Two names of one folder that differ in case or in Unicode form only do not overwrite each other anywhere."""
    both = [candidate(path, verdict=Verdict.POSITIVE) for path in (first, second)]
    assert destinations(both) == [first, renamed]


def test_a_name_without_extension_or_with_many_dots_is_renamed_at_its_end() -> None:
    """Only the last extension counts as one."""
    stays = [candidate(f"football/{name}", verdict=Verdict.POSITIVE) for name in ("a.b.jpg", "README")]
    comes = [candidate(f"background/{name}", verdict=Verdict.POSITIVE) for name in ("a.b.jpg", "README")]
    assert destinations([*stays, *comes])[2:] == [
        "football/a.b__from_background.jpg",
        "football/README__from_background",
    ]


NAMES = st.sampled_from(
    ["a.jpg", "A.jpg", "a__2.jpg", "a__from_background.jpg", "a__from_football.jpg", "e\u0301.jpg", "\u00e9.jpg", "b"]
)
CANDIDATES = st.lists(
    st.tuples(
        st.sampled_from(list(Side)),
        NAMES,
        st.sampled_from([None, *Verdict]),
        st.booleans(),
        st.booleans(),
        st.sampled_from([None, 0.1]),
    ),
    max_size=25,
)


@given(CANDIDATES)
def test_destinations_are_unique_and_every_image_appears_once(
    drawn: list[tuple[Side, str, Verdict | None, bool, bool, float | None]],
) -> None:
    """Whatever the names and verdicts: no two files share a place, and placed and left out together are all."""
    candidates = [
        candidate(
            f"{LABELS.name(side)}/{number}/{name}" if number % 3 else f"{LABELS.name(side)}/{name}",
            image_id=number,
            verdict=verdict,
            signed_off=signed,
            unreadable=broken,
            score=score,
        )
        for number, (side, name, verdict, signed, broken, score) in enumerate(drawn)
    ]
    planned = list(plan_placements(candidates, LABELS))
    folded = [fold(each.destination) for each in planned if isinstance(each, Placement)]
    assert len(folded) == len(set(folded))
    assert [each.candidate.image_id for each in planned] == [each.image_id for each in candidates]
    assert all(isinstance(each, Omission) == isinstance(decide(each.candidate), LeftOut) for each in planned)


@pytest.mark.parametrize(
    ("text", "safe"), [("frames 2024/a", "frames-2024-a"), ("../../etc", "etc"), ("\u2603", "dataset"), ("", "dataset")]
)
def test_a_dataset_s_name_is_made_fit_for_a_file_name(text: str, safe: str) -> None:
    """Nothing of it can lead to another folder."""
    assert safe_for_file_name(text) == safe
