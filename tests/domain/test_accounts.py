"""The rules of accounts: names, passwords, roles, addresses."""

import pytest

from app.domain.accounts import (
    RULES,
    UNLISTED,
    Identity,
    Right,
    Role,
    address_key,
    check_password,
    clean_name,
    clean_token_name,
    find_rule,
    is_beyond_loopback,
    may,
    name_key,
    parse_role,
)
from app.errors import InvalidInputError


@pytest.mark.parametrize(
    ("name", "cleaned"),
    [(" Ada  Lovelace ", "Ada Lovelace"), ("Zoe\u0308", "Zoë"), ("名前", "名前"), ("a" * 80, "a" * 80)],
)
def test_a_name_is_what_can_be_seen(name: str, cleaned: str) -> None:
    """Trimmed, its letters composed."""
    assert clean_name(name) == cleaned


@pytest.mark.parametrize("name", ["", "  ", "a" * 81, "ada\x00", "a\u200bda", "ada\u202e"])
def test_a_name_with_anything_else_is_refused(name: str) -> None:
    """Empty, too long, or with signs that nobody sees."""
    with pytest.raises(InvalidInputError, match="name"):
        clean_name(name)


@pytest.mark.parametrize("other", ["ADA", " ada ", "\uff21\uff24\uff21", "Ada"])
def test_names_that_look_alike_have_one_key(other: str) -> None:
    """Case, outer spaces and wide letters do not make another person."""
    assert name_key(other) == name_key("ada")


@pytest.mark.parametrize(
    ("password", "said"),
    [("123456789", "at least 10"), ("", "at least 10"), ("x" * 1001, "at most 1000"), ("ADA lovelace", "the name")],
)
def test_a_weak_password_is_refused_with_its_reason(password: str, said: str) -> None:
    """Short, endless, or the name."""
    with pytest.raises(InvalidInputError, match=said):
        check_password(password, "Ada Lovelace")


def test_ten_characters_are_enough() -> None:
    """Of whatever kind."""
    check_password("ten of ten", "ada")


@pytest.mark.parametrize("name", ["", " ", "x" * 81, "a\x07"])
def test_a_token_wants_a_name(name: str) -> None:
    """One that a person can tell it by."""
    with pytest.raises(InvalidInputError, match="what the token is for"):
        clean_token_name(name)
    assert clean_token_name(" nightly  export ") == "nightly export"


def test_there_are_two_roles() -> None:
    """And no third."""
    assert parse_role("admin") is Role.ADMIN
    with pytest.raises(InvalidInputError, match="reviewer, admin"):
        parse_role("root")


@pytest.mark.parametrize(
    ("host", "beyond"),
    [
        ("127.0.0.1", False),
        ("127.8.9.1", False),
        ("localhost", False),
        ("::1", False),
        ("[::1]", False),
        ("0.0.0.0", True),
        ("::", True),
        ("", True),
        ("192.168.1.5", True),
        ("desk.example", True),
    ],
)
def test_loopback_is_told_from_the_rest(host: str, beyond: bool) -> None:
    """What is not surely loopback counts as reachable."""
    assert is_beyond_loopback(host) is beyond


@pytest.mark.parametrize(
    ("address", "key"),
    [
        ("10.0.0.7", "10.0.0.7"),
        ("::ffff:10.0.0.7", "10.0.0.7"),
        ("2001:db8:1:2:3:4:5:6", "2001:db8:1:2::/64"),
        ("2001:db8:1:2:ffff::", "2001:db8:1:2::/64"),
        ("no address", "no address"),
    ],
)
def test_one_sender_has_one_key(address: str, key: str) -> None:
    """A /64 belongs to one holder, who could otherwise come from a new address each time."""
    assert address_key(address) == key


@pytest.mark.parametrize(
    ("right", "reviewer", "admin", "reviewer_token", "admin_token"),
    [
        (Right.OPEN, True, True, True, True),
        (Right.REVIEW, True, True, True, True),
        (Right.ADMINISTER, False, True, False, True),
        (Right.OWN, True, True, False, False),
        (Right.MANAGE, False, True, False, False),
    ],
)
def test_who_has_which_right(
    right: Right, reviewer: bool, admin: bool, reviewer_token: bool, admin_token: bool
) -> None:
    """A token has its account's role, and never reaches accounts."""
    asked = [
        Identity(1, "ada", role, session_id=session, token_id=token)
        for session, token in ((1, None), (None, 1))
        for role in (Role.REVIEWER, Role.ADMIN)
    ]
    assert [may(each, right) for each in asked] == [reviewer, admin, reviewer_token, admin_token]


def test_a_route_that_nobody_listed_wants_an_admin() -> None:
    """Forgetting an entry locks, and does not open."""
    assert find_rule("POST", "/api/everything/delete") is UNLISTED
    assert UNLISTED.right is Right.ADMINISTER


def test_every_change_that_wants_an_admin_is_logged() -> None:
    """By the door, under a word of its own."""
    silent = [
        key
        for key, rule in RULES.items()
        if rule.right is Right.ADMINISTER and key[0] != "GET" and rule.activity is None
    ]
    assert silent == []
