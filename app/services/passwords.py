"""Passwords and secrets: Argon2id hashes of the one, SHA-256 of the other, and limits on guessing."""

import hashlib
import math
import secrets
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import datetime
from threading import BoundedSemaphore, Lock

from argon2 import PasswordHasher
from argon2.exceptions import InvalidHashError, VerificationError

from app.domain.limiting import Buckets
from app.errors import TooManyAttemptsError

AT_ONCE = 2  #: hashes at a time: each takes 64 MiB and a tenth of a second of four threads, whoever asks
WAITING = 8  #: who may wait for that; more would take the threads of those who work
PATIENCE_S = 3.0


#: what a hash costs: the second choice of RFC 9106, for machines whose memory is shared with other work
COSTS = {"time_cost": 3, "memory_cost": 65_536, "parallelism": 4}


def new_secret() -> str:
    """A token of 256 random bits, as text that fits a URL, a cookie and a header."""
    return secrets.token_urlsafe(32)


def digest(secret: str) -> str:
    """What is stored of a token. It is random, so a plain hash is enough."""
    return hashlib.sha256(secret.encode()).hexdigest()


def hash_password(password: str) -> str:
    """An Argon2id hash, with its salt and costs."""
    return _hasher().hash(password)


class Door:
    """Compares passwords, a few at a time, and slows guessing down. One per server process.

    Three limits, each a bucket that fills again: on a name from one address, on an address whatever the name, and on
    a name from addresses that it was never signed in to from. The last does not bind a person at a known address, so
    nobody can shut a person out of it by guessing from elsewhere.
    """

    def __init__(self) -> None:
        self._lock = Lock()
        self._room = BoundedSemaphore(AT_ONCE + WAITING)
        self._slots = BoundedSemaphore(AT_ONCE)
        self._pairs = Buckets(size=5, refill_s=60)
        self._senders = Buckets(size=20, refill_s=15)
        self._names = Buckets(size=30, refill_s=60)
        self._nobody: str | None = None

    def enter(self, key: str, sender: str, now: datetime, *, known: bool) -> None:
        """Use up an attempt for a name from an address; it is counted before the password is looked at.

        Raises:
            TooManyAttemptsError: there is none left. An attempt that is refused is not counted.
        """
        at = now.timestamp()
        limits = self._limits(key, sender, known=known)
        with self._lock:
            wait_s = max(buckets.wait_s(entry, at) for buckets, entry in limits)
            if wait_s > 0:
                raise TooManyAttemptsError(math.ceil(wait_s))
            for buckets, entry in limits:
                buckets.take(entry, at)

    def welcome(self, key: str, sender: str, now: datetime, *, known: bool) -> None:
        """Give the attempt back: the password was right."""
        with self._lock:
            for buckets, entry in self._limits(key, sender, known=known):
                buckets.give_back(entry, now.timestamp())

    def is_right(self, password_hash: str | None, password: str) -> bool:
        """Whether a password fits; without an account (None) it takes as long and is wrong.

        Raises:
            TooManyAttemptsError: the server is busy with other passwords.
        """
        with _held(self._room, 0), _held(self._slots, PATIENCE_S):
            nobody = self._hash_of_nobody()
            return _verify(password_hash or nobody, password) and password_hash is not None

    def _hash_of_nobody(self) -> str:
        # Made at the first attempt, whoever that is for: a name's existence does not show in its time.
        if self._nobody is None:
            self._nobody = hash_password(new_secret())
        return self._nobody

    def _limits(self, key: str, sender: str, *, known: bool) -> list[tuple[Buckets, str]]:
        # Digests: the sender chooses how long a name is, and a bucket remembers thousands of them.
        limits = [(self._pairs, digest(f"{key}\n{sender}")), (self._senders, digest(sender))]
        return limits if known else [*limits, (self._names, digest(key))]


@contextmanager
def _held(places: BoundedSemaphore, patience_s: float) -> Iterator[None]:
    if not places.acquire(timeout=patience_s):
        raise TooManyAttemptsError(math.ceil(PATIENCE_S))
    try:
        yield
    finally:
        places.release()


def needs_rehash(password_hash: str) -> bool:
    """Whether a hash was made with lower costs than those of today."""
    return _hasher().check_needs_rehash(password_hash)


def _hasher() -> PasswordHasher:
    return PasswordHasher(
        time_cost=COSTS["time_cost"], memory_cost=COSTS["memory_cost"], parallelism=COSTS["parallelism"]
    )


def _verify(password_hash: str, password: str) -> bool:
    try:
        return PasswordHasher().verify(password_hash, password)
    except (VerificationError, InvalidHashError):
        return False
