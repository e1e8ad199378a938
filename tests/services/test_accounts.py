"""Accounts as services keep them: who may come in, what ends when, and what the log says."""

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from pathlib import Path
from threading import Event, Semaphore

import pytest
from sqlalchemy import text

from app.domain.accounts import SESSION_IDLE, SESSION_LIFE, SETUP_LIFE, TOKEN_PREFIX, Role
from app.errors import (
    ConfigError,
    ConflictError,
    InvalidInputError,
    NotFoundError,
    SignInError,
    TooManyAttemptsError,
    TouchlineError,
)
from app.services.account_pages import view_access, view_activity
from app.services.accounts import (
    COMMAND_LINE,
    By,
    add_first_admin,
    add_user,
    change_role,
    disable_user,
    enable_user,
    list_users,
    reset_password,
    use_setup_link,
)
from app.services.passwords import Door
from app.services.setting_up import is_setup_token, prepare_accounts
from app.services.sign_in import (
    Gate,
    SignedIn,
    Standing,
    Visitor,
    change_password,
    end_session,
    look,
    make_api_token,
    revoke_api_token,
    sign_in,
    sign_out,
)
from tests.parts import Workshop

PASSWORD = "correct horse"
HOME = Visitor("10.0.0.1", "Mozilla/5.0")
LOOPBACK = "127.0.0.1"


@pytest.fixture
def door() -> Door:
    """A door that nobody has come to."""
    return Door()


@pytest.fixture
def ada(workshop: Workshop) -> int:
    """An admin."""
    return add_user(workshop.database, workshop.clock, COMMAND_LINE, "Ada", PASSWORD, Role.ADMIN).id


@pytest.fixture
def come_in(workshop: Workshop, door: Door) -> Callable[..., SignedIn]:
    """Signs in."""

    def come(name: str = "ada", password: str = PASSWORD, visitor: Visitor = HOME, old: str | None = None) -> SignedIn:
        return sign_in(workshop.database, workshop.clock, door, name, password, visitor, old)

    return come


def who(workshop: Workshop, session: str | None = None, token: str | None = None, host: str = LOOPBACK) -> Gate:
    """How a request stands before the door."""
    return look(workshop.database, workshop.clock, host, session, token)


def log_of(workshop: Workshop) -> list[tuple[str | None, str, str]]:
    """The activity log, oldest first: who, what, about what."""
    return [(each.actor, each.action, each.about) for each in reversed(view_activity(workshop.database, None).entries)]


def test_without_accounts_only_others_are_asked(workshop: Workshop) -> None:
    """On loopback nothing is; beyond it nothing is served but the set-up."""
    assert who(workshop) == Gate(Standing.OPEN, None)
    assert who(workshop, host="0.0.0.0").standing is Standing.SETTING_UP


def test_with_an_account_everybody_is_asked(workshop: Workshop, ada: int) -> None:
    """Wherever the server listens; disabling the last account opens loopback again, and nothing else."""
    assert {who(workshop, host=host).standing for host in (LOOPBACK, "0.0.0.0")} == {Standing.SIGN_IN}
    disable_user(workshop.database, workshop.clock, COMMAND_LINE, ada, may_be_last=True)
    assert who(workshop).standing is Standing.OPEN
    assert who(workshop, host="0.0.0.0").standing is Standing.SETTING_UP


def test_a_reviewer_alone_is_no_admin(workshop: Workshop) -> None:
    """Beyond loopback the set-up still waits for one; on loopback the account is asked for."""
    add_user(workshop.database, workshop.clock, COMMAND_LINE, "bob", PASSWORD, Role.REVIEWER)
    assert who(workshop).standing is Standing.SIGN_IN
    assert who(workshop, host="0.0.0.0").standing is Standing.SETTING_UP


def test_passwords_and_tokens_are_stored_as_hashes(
    workshop: Workshop, ada: int, come_in: Callable[..., SignedIn]
) -> None:
    """Argon2id of the one, SHA-256 of the other; no column holds either."""
    signed_in = come_in()
    identity = who(workshop, signed_in.token).identity
    assert identity is not None
    token = make_api_token(workshop.database, workshop.clock, identity, "nightly", "")
    with workshop.database.read() as session:
        rows = [
            str(row)
            for name in ("users", "sessions", "api_tokens", "activity")
            for row in session.execute(text(f"SELECT * FROM {name}"))  # noqa: S608
        ]
    stored = "\n".join(rows)
    assert "$argon2id$" in stored
    assert not [
        secret for secret in (PASSWORD, signed_in.token, token, token.removeprefix(TOKEN_PREFIX)) if secret in stored
    ]


def test_what_a_hash_costs(
    workshop: Workshop, ada: int, come_in: Callable[..., SignedIn], monkeypatch: pytest.MonkeyPatch
) -> None:
    """64 MiB and three passes; a hash that was cheaper is made anew at the next sign-in."""
    monkeypatch.undo()
    come_in()
    with workshop.database.read() as session:
        found = str(session.execute(text("SELECT password_hash FROM users")).scalar_one())
    assert found.startswith("$argon2id$v=19$m=65536,t=3,p=4$")
    assert come_in().name == "Ada"


@pytest.mark.parametrize("name", ["ada", "ADA", " Ada "])
def test_names_differ_by_more_than_case(workshop: Workshop, ada: int, name: str) -> None:
    """Also from that of a disabled account, whose name stands under verdicts."""
    add_user(workshop.database, workshop.clock, COMMAND_LINE, "grace", PASSWORD, Role.ADMIN)
    disable_user(workshop.database, workshop.clock, COMMAND_LINE, ada)
    with pytest.raises(InvalidInputError, match="there is an account"):
        add_user(workshop.database, workshop.clock, COMMAND_LINE, name, PASSWORD, Role.REVIEWER)


def test_signing_in_gives_a_session(workshop: Workshop, ada: int, come_in: Callable[..., SignedIn]) -> None:
    """By name in any case; the token is new each time, and the one before ends."""
    first = come_in("ADA")
    second = come_in(old=first.token)
    assert first.token != second.token
    assert who(workshop, first.token).identity is None
    found = who(workshop, second.token).identity
    assert found is not None
    assert (found.user_id, found.name, found.role) == (ada, "Ada", Role.ADMIN)


@pytest.mark.parametrize("token", [None, "", "x", "a" * 5000, "tl_x", "\xff"])
def test_a_token_that_was_never_given_is_nobody(workshop: Workshop, ada: int, token: str | None) -> None:
    """Whatever it looks like."""
    assert who(workshop, token).identity is None
    assert who(workshop, None, token or "").identity is None


def test_a_session_slides_and_ends(workshop: Workshop, ada: int, come_in: Callable[..., SignedIn]) -> None:
    """Used, it goes on for as long as a session lives at most; unused it ends sooner."""
    token = come_in().token
    step = SESSION_IDLE.total_seconds() - 60
    for _ in range(int(SESSION_LIFE.total_seconds() // step)):
        workshop.clock.advance(step)
        assert who(workshop, token).identity is not None
    workshop.clock.advance(step)
    assert who(workshop, token).identity is None
    idle = come_in().token
    workshop.clock.advance(SESSION_IDLE.total_seconds() + 1)
    assert who(workshop, idle).identity is None


def test_signing_out_ends_the_session(workshop: Workshop, ada: int, come_in: Callable[..., SignedIn]) -> None:
    """And no other; twice does no harm."""
    one, other = come_in().token, come_in().token
    for _ in range(2):
        sign_out(workshop.database, workshop.clock, one, "")
    assert who(workshop, one).identity is None
    assert who(workshop, other).identity is not None


def _own_password(workshop: Workshop, door: Door, ada: int, session: str) -> None:
    identity = who(workshop, session).identity
    assert identity is not None
    change_password(workshop.database, workshop.clock, door, identity, PASSWORD, "battery staple", HOME)


def _reset(workshop: Workshop, door: Door, ada: int, session: str) -> None:
    reset_password(workshop.database, workshop.clock, COMMAND_LINE, ada, "battery staple")


def _disable(workshop: Workshop, door: Door, ada: int, session: str) -> None:
    disable_user(workshop.database, workshop.clock, COMMAND_LINE, ada, may_be_last=True)
    enable_user(workshop.database, workshop.clock, COMMAND_LINE, ada)


@pytest.mark.parametrize("what", [_own_password, _reset, _disable])
def test_sessions_and_tokens_end(
    workshop: Workshop,
    door: Door,
    ada: int,
    come_in: Callable[..., SignedIn],
    what: Callable[[Workshop, Door, int, str], None],
) -> None:
    """With a new password, one's own or from an admin, and with disabling, also where it is enabled again."""
    sessions = [come_in().token, come_in().token]
    identity = who(workshop, sessions[0]).identity
    assert identity is not None
    token = make_api_token(workshop.database, workshop.clock, identity, "nightly", "")
    assert who(workshop, None, token).identity is not None
    what(workshop, door, ada, sessions[0])
    assert [who(workshop, each).identity for each in sessions] == [None, None]
    assert who(workshop, None, token).identity is None


def test_a_new_password_wants_the_present_one(
    workshop: Workshop, door: Door, ada: int, come_in: Callable[..., SignedIn]
) -> None:
    """Whoever finds a browser open cannot take the account; guessing is limited there too."""
    token = come_in().token
    identity = who(workshop, token).identity
    assert identity is not None
    given = (workshop.database, workshop.clock, door, identity)
    with pytest.raises(InvalidInputError, match="at least 10"):
        change_password(*given, PASSWORD, "short", HOME)
    for _ in range(5):
        with pytest.raises(InvalidInputError, match="present password is wrong"):
            change_password(*given, "wrong", "battery staple", HOME)
    with pytest.raises(TooManyAttemptsError):
        change_password(*given, PASSWORD, "battery staple", HOME)
    assert who(workshop, token).identity is not None
    workshop.clock.advance(61)
    change_password(*given, PASSWORD, "battery staple", HOME)
    workshop.clock.advance(300)
    with pytest.raises(SignInError):
        come_in()
    assert come_in(password="battery staple").name == "Ada"


@pytest.mark.parametrize("name", ["ada", "nobody", "", "x" * 500, "a\x00b", "disabled"])
def test_a_wrong_sign_in_says_the_same_for_everybody(
    workshop: Workshop, ada: int, come_in: Callable[..., SignedIn], name: str
) -> None:
    """Wrong password, no such account, disabled: one sentence."""
    user = add_user(workshop.database, workshop.clock, COMMAND_LINE, "disabled", PASSWORD, Role.REVIEWER)
    disable_user(workshop.database, workshop.clock, COMMAND_LINE, user.id)
    password = PASSWORD if name == "disabled" else "wrong password"
    with pytest.raises(SignInError, match=r"^name or password is wrong$"):
        come_in(name, password)


def test_an_unknown_name_costs_as_much(
    workshop: Workshop, ada: int, come_in: Callable[..., SignedIn], monkeypatch: pytest.MonkeyPatch
) -> None:
    """One comparison with a hash of the same costs, one line in the log: known, unknown or disabled."""
    compared: list[str] = []
    genuine = Door.is_right.__globals__["_verify"]

    def noting(password_hash: str, password: str) -> bool:
        compared.append(password_hash.rpartition("$")[0].rpartition("$")[0])
        return bool(genuine(password_hash, password))

    monkeypatch.setitem(Door.is_right.__globals__, "_verify", noting)
    for name in ("ada", "nobody"):
        with pytest.raises(SignInError):
            come_in(name, "wrong password")
    assert len(compared) == 2
    assert len(set(compared)) == 1
    assert [action for _, action, _ in log_of(workshop)].count("sign-in failed") == 2


def test_guessing_is_slowed_down(workshop: Workshop, ada: int, come_in: Callable[..., SignedIn]) -> None:
    """Five wrong ones, then one a minute, also with the right password; what is refused does not count."""
    for _ in range(5):
        with pytest.raises(SignInError):
            come_in(password="wrong password")
    for _ in range(20):
        with pytest.raises(TooManyAttemptsError) as caught:
            come_in()
    assert 0 < caught.value.retry_after_s <= 60
    workshop.clock.advance(60)
    assert come_in().name == "Ada"


def test_many_names_from_one_address_are_slowed_down(
    workshop: Workshop, ada: int, come_in: Callable[..., SignedIn]
) -> None:
    """One common password against many names; another address is not touched."""
    for number in range(20):
        with pytest.raises(SignInError):
            come_in(f"name {number}", "password123")
    with pytest.raises(TooManyAttemptsError):
        come_in("one more", "password123")
    assert come_in(visitor=Visitor("10.0.0.2")).name == "Ada"


def test_guessing_from_everywhere_shuts_nobody_out(
    workshop: Workshop, ada: int, come_in: Callable[..., SignedIn]
) -> None:
    """A name is limited over all addresses, except for those that it was signed in from before."""
    come_in()
    for number in range(30):
        with pytest.raises(SignInError):
            come_in(password="wrong password", visitor=Visitor(f"192.0.2.{number}"))
    with pytest.raises(TooManyAttemptsError):
        come_in(visitor=Visitor("192.0.2.200"))
    assert come_in().name == "Ada"


def test_parallel_guesses_count_too(workshop: Workshop, ada: int, come_in: Callable[..., SignedIn]) -> None:
    """An attempt is counted before the password is compared."""

    def guess(_number: int) -> type[TouchlineError]:
        with pytest.raises((SignInError, TooManyAttemptsError)) as caught:
            come_in(password="wrong password")
        return caught.type

    with ThreadPoolExecutor(12) as pool:
        found = list(pool.map(guess, range(12)))
    assert found.count(SignInError) == 5


def test_a_flood_does_not_take_the_threads(door: Door, monkeypatch: pytest.MonkeyPatch) -> None:
    """Two passwords are compared at a time and eight wait; of twelve that come two are told at once to come later."""
    refused, going = Semaphore(0), Event()

    def slow(_hash: str, _password: str) -> bool:
        return going.wait(30)

    def come(_number: int) -> bool:
        try:
            return door.is_right("hash", PASSWORD)
        except TooManyAttemptsError:
            refused.release()
            return False

    monkeypatch.setitem(Door.is_right.__globals__, "_verify", slow)
    monkeypatch.setitem(Door.is_right.__globals__, "PATIENCE_S", 30)
    with ThreadPoolExecutor(12) as pool:
        found = pool.map(come, range(12))
        assert all(refused.acquire(timeout=30) for _ in range(2))  # while the ten are in
        going.set()
        assert sorted(found) == [False] * 2 + [True] * 10


def test_a_log_keeps_no_password_typed_as_a_name(
    workshop: Workshop, ada: int, come_in: Callable[..., SignedIn]
) -> None:
    """What was typed as a name is logged only where it is one."""
    for name in ("ada", "my secret password"):
        with pytest.raises(SignInError):
            come_in(name, "wrong password")
    assert [about for _, action, about in log_of(workshop) if action == "sign-in failed"] == [
        "Ada",
        "a name that no account has",
    ]


def test_the_last_admin_stays(workshop: Workshop, ada: int) -> None:
    """Neither disabled nor made a reviewer, as long as there is nobody else to make another."""
    bob = add_user(workshop.database, workshop.clock, COMMAND_LINE, "bob", PASSWORD, Role.REVIEWER).id
    for refused in (
        lambda: disable_user(workshop.database, workshop.clock, COMMAND_LINE, ada, may_be_last=True),
        lambda: change_role(workshop.database, workshop.clock, COMMAND_LINE, ada, Role.REVIEWER),
    ):
        with pytest.raises(ConflictError, match="last enabled admin"):
            refused()
    change_role(workshop.database, workshop.clock, COMMAND_LINE, bob, Role.ADMIN)
    change_role(workshop.database, workshop.clock, COMMAND_LINE, ada, Role.REVIEWER)
    assert [(each.name, each.role) for each in list_users(workshop.database)] == [("Ada", "reviewer"), ("bob", "admin")]


def test_two_admins_cannot_remove_each_other(workshop: Workshop, ada: int) -> None:
    """At the same moment: one of the two is refused."""
    bob = add_user(workshop.database, workshop.clock, COMMAND_LINE, "bob", PASSWORD, Role.ADMIN).id

    def demote(user_id: int) -> bool:
        try:
            change_role(workshop.database, workshop.clock, COMMAND_LINE, user_id, Role.REVIEWER)
        except ConflictError:
            return False
        return True

    with ThreadPoolExecutor(2) as pool:
        assert sorted(pool.map(demote, (ada, bob))) == [False, True]


def test_a_role_counts_from_the_next_request(workshop: Workshop, ada: int, come_in: Callable[..., SignedIn]) -> None:
    """Also in sessions that are open."""
    add_user(workshop.database, workshop.clock, COMMAND_LINE, "bob", PASSWORD, Role.ADMIN)
    token = come_in().token
    change_role(workshop.database, workshop.clock, COMMAND_LINE, ada, Role.REVIEWER)
    assert who(workshop, token).administers is False


def test_one_ends_only_what_is_ones_own(workshop: Workshop, ada: int, come_in: Callable[..., SignedIn]) -> None:
    """A session or token of another is not there."""
    bob = add_user(workshop.database, workshop.clock, COMMAND_LINE, "bob", PASSWORD, Role.REVIEWER).id
    identity = who(workshop, come_in().token).identity
    assert identity is not None
    assert identity.session_id is not None
    make_api_token(workshop.database, workshop.clock, identity, "nightly", "")
    by = By("bob", None)
    token_id = view_access(workshop.database, workshop.clock, None).tokens[0].id
    for wrong in (identity.session_id, 999, 0, -1, 1 << 70):
        with pytest.raises(NotFoundError):
            end_session(workshop.database, workshop.clock, by, wrong, of_user=bob)
    with pytest.raises(NotFoundError):
        revoke_api_token(workshop.database, workshop.clock, by, token_id, of_user=bob)
    end_session(workshop.database, workshop.clock, by, identity.session_id, of_user=ada)
    revoke_api_token(workshop.database, workshop.clock, by, token_id, of_user=ada)
    with pytest.raises(NotFoundError):
        revoke_api_token(workshop.database, workshop.clock, by, token_id, of_user=ada)


def test_the_set_up_link_works_once(workshop: Workshop) -> None:
    """For an hour, until it is used or another is made; a refused password does not use it up."""
    given = (workshop.database, workshop.clock)
    first = prepare_accounts(*given, "0.0.0.0", None)
    second = prepare_accounts(*given, "0.0.0.0", None)
    assert first is not None
    assert second is not None
    assert not is_setup_token(*given, first)
    with pytest.raises(InvalidInputError):
        use_setup_link(*given, COMMAND_LINE, second, "ada", "short")
    workshop.clock.advance(SETUP_LIFE.total_seconds() - 1)
    assert use_setup_link(*given, COMMAND_LINE, second, "ada", PASSWORD).role is Role.ADMIN
    with pytest.raises(ConflictError):
        use_setup_link(*given, COMMAND_LINE, second, "eve", PASSWORD)
    assert prepare_accounts(*given, "0.0.0.0", None) is None


@pytest.mark.parametrize("token", ["", "x", "' OR 1=1 --"])
def test_a_wrong_or_old_link_makes_nobody(workshop: Workshop, token: str) -> None:
    """Nor one that has run out."""
    given = (workshop.database, workshop.clock)
    link = prepare_accounts(*given, "0.0.0.0", None)
    assert link is not None
    workshop.clock.advance(timedelta(hours=1).total_seconds())
    for wrong in (token, link):
        with pytest.raises(ConflictError):
            use_setup_link(*given, COMMAND_LINE, wrong, "eve", PASSWORD)
    assert list_users(workshop.database) == ()


def test_a_link_is_used_by_one_of_two(workshop: Workshop) -> None:
    """Who come at the same moment."""
    link = prepare_accounts(workshop.database, workshop.clock, "0.0.0.0", None)
    assert link is not None

    def use(name: str) -> bool:
        try:
            use_setup_link(workshop.database, workshop.clock, COMMAND_LINE, link, name, PASSWORD)
        except ConflictError:
            return False
        return True

    with ThreadPoolExecutor(2) as pool:
        assert sorted(pool.map(use, ("ada", "eve"))) == [False, True]


def test_loopback_gets_no_link(workshop: Workshop) -> None:
    """Nobody else can come."""
    assert prepare_accounts(workshop.database, workshop.clock, LOOPBACK, None) is None


def test_the_first_account_is_an_admins(workshop: Workshop, ada: int) -> None:
    """And made so only once."""
    with pytest.raises(ConflictError, match="already"):
        add_first_admin(workshop.database, workshop.clock, COMMAND_LINE, "eve", PASSWORD)


def test_a_password_file_makes_the_admin(workshop: Workshop, come_in: Callable[..., SignedIn]) -> None:
    """Once; its last line end is no part of the password, and it is not read again."""
    file = workshop.folder / "secret"
    file.write_text(PASSWORD + "\n")
    assert prepare_accounts(workshop.database, workshop.clock, "0.0.0.0", str(file)) is None
    file.unlink()
    assert prepare_accounts(workshop.database, workshop.clock, "0.0.0.0", str(file)) is None
    assert come_in("admin").name == "admin"


@pytest.mark.parametrize(
    ("content", "said"),
    [
        (None, "cannot read .*No such file"),
        (b"", "is empty"),
        (b"\n", "is empty"),
        (b"short", "at least 10"),
        (b"\xff" * 12, "cannot read"),
    ],
)
def test_a_bad_password_file_is_named_in_one_line(
    tmp_path: Path, workshop: Workshop, content: bytes | None, said: str
) -> None:
    """Which variable, which file, and what to do; nobody is made."""
    file = tmp_path / "secret"
    if content is not None:
        file.write_bytes(content)
    with pytest.raises(ConfigError, match=f"TOUCHLINE_ADMIN_PASSWORD_FILE: .*{said}") as caught:
        prepare_accounts(workshop.database, workshop.clock, "0.0.0.0", str(file))
    assert "\n" not in str(caught.value)
    assert list_users(workshop.database) == ()


def test_the_log_tells_who_did_what(workshop: Workshop, ada: int, come_in: Callable[..., SignedIn]) -> None:
    """In order, page by page, without repeats."""
    come_in()
    by = By("Ada", "10.0.0.1")
    bob = add_user(workshop.database, workshop.clock, by, "bob", PASSWORD, Role.REVIEWER).id
    change_role(workshop.database, workshop.clock, by, bob, Role.ADMIN)
    change_role(workshop.database, workshop.clock, by, bob, Role.ADMIN)
    disable_user(workshop.database, workshop.clock, by, bob)
    assert log_of(workshop) == [
        (None, "account added", "Ada (admin)"),
        ("Ada", "signed in", "Ada"),
        ("Ada", "account added", "bob (reviewer)"),
        ("Ada", "role changed", "bob (reviewer to admin)"),
        ("Ada", "account disabled", "bob"),
    ]
    for _ in range(60):
        enable_user(workshop.database, workshop.clock, by, bob)
        disable_user(workshop.database, workshop.clock, by, bob)
    first = view_activity(workshop.database, None)
    second = view_activity(workshop.database, first.entries[-1].id)
    assert (len(first.entries), len(second.entries), first.first_url) == (50, 50, None)
    assert first.entries[-1].id == second.entries[0].id + 1
    assert first.next_url == f"/admin/activity?before={first.entries[-1].id}"
