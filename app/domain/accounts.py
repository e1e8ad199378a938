"""Who may do what: names, passwords, roles, and the one table of rights over the routes."""

import unicodedata
from dataclasses import dataclass
from datetime import timedelta
from enum import StrEnum
from ipaddress import ip_address, ip_network

from app.errors import InvalidInputError

SHORTEST_PASSWORD = 10
LONGEST_PASSWORD = 1000  #: more is no stronger, and is work for the server
LONGEST_NAME = 80
LONGEST_TOKEN_NAME = 80
TOKEN_PREFIX = "tl_"  # noqa: S105 (what every API token begins with)

SESSION_IDLE = timedelta(days=14)  #: a session that nobody uses for so long has ended
SESSION_LIFE = timedelta(days=90)  #: and so has one that began so long ago
SEEN_EVERY = timedelta(minutes=1)  #: how often the use of a session or a token is noted
SETUP_LIFE = timedelta(hours=1)  #: of the one-time link of the first start


class Role(StrEnum):
    """What a person is here for."""

    REVIEWER = "reviewer"  #: gives verdicts and looks at everything
    ADMIN = "admin"  #: besides changes datasets and files, and keeps the accounts


class Right(StrEnum):
    """What a route asks of whoever calls it."""

    OPEN = "open"  #: nothing: probes, assets, signing in
    REVIEW = "review"  #: any account
    ADMINISTER = "administer"  #: an admin
    OWN = "own"  #: any account, signed in by password: an API token may not change who may sign in
    MANAGE = "manage"  #: an admin, signed in by password


class Activity(StrEnum):
    """What the activity log tells."""

    SIGNED_IN = "signed in"
    SIGN_IN_FAILED = "sign-in failed"
    SIGNED_OUT = "signed out"
    SESSION_ENDED = "session ended"
    USER_ADDED = "account added"
    USER_DISABLED = "account disabled"
    USER_ENABLED = "account enabled"
    ROLE_CHANGED = "role changed"
    PASSWORD_CHANGED = "password changed"  # noqa: S105
    PASSWORD_RESET = "password reset"  # noqa: S105
    TOKEN_MADE = "token made"  # noqa: S105
    TOKEN_REVOKED = "token revoked"  # noqa: S105
    DATASET_REGISTERED = "dataset registered"
    DATASET_CHANGED = "dataset changed"
    DATASET_REMOVED = "dataset removed"
    THRESHOLD_MOVED = "threshold moved"
    SIGNED_OFF = "signed off"
    SIGN_OFF_WITHDRAWN = "sign-off withdrawn"
    SCAN_REQUESTED = "scan requested"
    SCAN_CHANGED = "scan changed"
    RELOCATION_PLANNED = "relocation planned"
    RELOCATION_APPLIED = "relocation applied"
    RELOCATION_UNDONE = "relocation undone"
    EXPORT_REQUESTED = "export requested"
    EXPORT_DOWNLOADED = "export downloaded"
    REPORT_DOWNLOADED = "report downloaded"
    OTHER = "administered"  #: a change whose route has no word of its own


@dataclass(frozen=True, slots=True)
class Rule:
    """What one route asks, and the word under which a change through it is logged."""

    right: Right
    activity: Activity | None = None


_OPEN = Rule(Right.OPEN)
_REVIEW = Rule(Right.REVIEW)
_ADMIN = Rule(Right.ADMINISTER)
_OWN = Rule(Right.OWN)
_MANAGE = Rule(Right.MANAGE)


def _admin(activity: Activity) -> Rule:
    return Rule(Right.ADMINISTER, activity)


#: (method, path as the route is declared) -> what it asks. A route that is missing here wants an admin.
RULES: dict[tuple[str, str], Rule] = {
    ("GET", "/healthz"): _OPEN,
    ("GET", "/readyz"): _OPEN,
    ("GET", "/login"): _OPEN,
    ("POST", "/login"): _OPEN,
    ("GET", "/setup"): _OPEN,
    ("POST", "/setup"): _OPEN,
    ("POST", "/logout"): _OPEN,  # with nobody signed in it does nothing
    ("GET", "/metrics"): _REVIEW,
    # Looking.
    ("GET", "/"): _REVIEW,
    ("GET", "/images"): _REVIEW,
    ("GET", "/images/{image_id}"): _REVIEW,
    ("GET", "/images/{image_id}/file"): _REVIEW,
    ("GET", "/images/{image_id}/rendition/{size}"): _REVIEW,
    ("GET", "/images/{image_id}/crop/{window}"): _REVIEW,
    ("GET", "/duplicates"): _REVIEW,
    ("GET", "/api/images/{image_id}/duplicates"): _REVIEW,
    ("GET", "/stats"): _REVIEW,
    ("GET", "/report"): _REVIEW,
    ("GET", "/audit"): _REVIEW,
    ("GET", "/scans"): _REVIEW,
    ("GET", "/scans/compare"): _REVIEW,
    ("GET", "/scans/{scan_id}"): _REVIEW,
    ("GET", "/datasets"): _REVIEW,
    ("GET", "/datasets/{dataset_id}/files"): _REVIEW,
    ("GET", "/datasets/{dataset_id}/guidelines"): _REVIEW,
    ("POST", "/images/filters"): _REVIEW,
    ("POST", "/images/filters/{filter_id}/delete"): _REVIEW,
    ("GET", "/api/datasets"): _REVIEW,
    ("GET", "/api/datasets/{dataset}/stats"): _REVIEW,
    ("GET", "/api/datasets/{dataset}/agreement"): _REVIEW,
    ("GET", "/api/datasets/{dataset}/certificate"): _REVIEW,
    ("GET", "/api/images"): _REVIEW,
    ("GET", "/api/images/{image_id}"): _REVIEW,
    ("GET", "/api/scans"): _REVIEW,
    ("GET", "/api/scans/compare"): _REVIEW,
    ("GET", "/api/scans/{scan_id}"): _REVIEW,
    # Giving verdicts.
    ("GET", "/review"): _REVIEW,
    ("POST", "/review/undo"): _REVIEW,
    ("POST", "/review/{image_id}"): _REVIEW,
    ("POST", "/reviews/{review_id}/undo"): _REVIEW,
    ("GET", "/grid"): _REVIEW,
    ("POST", "/grid"): _REVIEW,
    ("POST", "/grid/undo"): _REVIEW,
    ("POST", "/grid/preview"): _REVIEW,
    ("GET", "/second"): _REVIEW,
    ("POST", "/second/undo"): _REVIEW,
    ("POST", "/second/{image_id}"): _REVIEW,
    ("GET", "/conflicts"): _REVIEW,
    ("POST", "/conflicts/undo"): _REVIEW,
    ("POST", "/conflicts/{image_id}"): _REVIEW,
    ("POST", "/duplicates/carry"): _REVIEW,
    ("POST", "/duplicates/carry/undo"): _REVIEW,
    ("POST", "/api/images/{image_id}/carry"): _REVIEW,
    ("POST", "/api/images/{image_id}/carry/undo"): _REVIEW,
    ("GET", "/api/next"): _REVIEW,
    ("POST", "/api/images/{image_id}/reviews"): _REVIEW,
    ("POST", "/api/reviews/{review_id}/undo"): _REVIEW,
    ("GET", "/settings"): _REVIEW,
    ("POST", "/settings/reviewer"): _REVIEW,
    ("POST", "/settings/theme"): _REVIEW,
    ("POST", "/settings/hotkeys"): _REVIEW,
    ("GET", "/settings/keys"): _REVIEW,
    ("POST", "/settings/keys"): _REVIEW,
    # Datasets and scans.
    ("POST", "/datasets"): _admin(Activity.DATASET_REGISTERED),
    ("POST", "/api/datasets"): _admin(Activity.DATASET_REGISTERED),
    ("POST", "/datasets/{dataset_id}/threshold"): _admin(Activity.THRESHOLD_MOVED),
    ("POST", "/api/datasets/{dataset}/threshold"): _admin(Activity.THRESHOLD_MOVED),
    ("GET", "/datasets/{dataset_id}"): _ADMIN,
    ("GET", "/datasets/{dataset_id}/reviewing"): _ADMIN,
    ("POST", "/datasets/{dataset_id}/reviewing"): _admin(Activity.DATASET_CHANGED),
    ("POST", "/datasets/{dataset_id}/reviewing/apply"): _admin(Activity.DATASET_CHANGED),
    ("POST", "/datasets/{dataset_id}/reviewing/continue"): _admin(Activity.DATASET_CHANGED),
    ("GET", "/datasets/{dataset_id}/verdicts.csv"): _ADMIN,
    ("PATCH", "/api/datasets/{dataset}"): _admin(Activity.DATASET_CHANGED),
    ("DELETE", "/api/datasets/{dataset}"): _admin(Activity.DATASET_REMOVED),
    ("POST", "/api/datasets/{dataset}/relink"): _admin(Activity.DATASET_CHANGED),
    ("POST", "/datasets/{dataset_id}/edit"): _admin(Activity.DATASET_CHANGED),
    ("POST", "/datasets/{dataset_id}/guidelines"): _admin(Activity.DATASET_CHANGED),
    ("POST", "/datasets/{dataset_id}/archive"): _admin(Activity.DATASET_CHANGED),
    ("POST", "/datasets/{dataset_id}/relink"): _admin(Activity.DATASET_CHANGED),
    ("POST", "/datasets/{dataset_id}/remove"): _admin(Activity.DATASET_REMOVED),
    ("POST", "/datasets/{dataset_id}/renditions/clear"): _admin(Activity.DATASET_CHANGED),
    ("POST", "/scan"): _admin(Activity.SCAN_REQUESTED),
    ("POST", "/scans/{scan_id}/cancel"): _admin(Activity.SCAN_CHANGED),
    ("POST", "/scans/{scan_id}/pause"): _admin(Activity.SCAN_CHANGED),
    ("POST", "/scans/{scan_id}/resume"): _admin(Activity.SCAN_CHANGED),
    ("POST", "/scans/{scan_id}/priority"): _admin(Activity.SCAN_CHANGED),
    ("POST", "/scans/{scan_id}/retry"): _admin(Activity.SCAN_REQUESTED),
    ("POST", "/api/scans/{scan_id}/cancel"): _admin(Activity.SCAN_CHANGED),
    ("POST", "/api/scans/{scan_id}/pause"): _admin(Activity.SCAN_CHANGED),
    ("POST", "/api/scans/{scan_id}/resume"): _admin(Activity.SCAN_CHANGED),
    ("POST", "/api/scans/{scan_id}/priority"): _admin(Activity.SCAN_CHANGED),
    ("POST", "/api/scans/{scan_id}/retry"): _admin(Activity.SCAN_REQUESTED),
    # What leaves the house: sign-off, relocation, export.
    ("POST", "/datasets/{dataset_id}/sign-off"): _admin(Activity.SIGNED_OFF),
    ("POST", "/datasets/{dataset_id}/sign-off/withdraw"): _admin(Activity.SIGN_OFF_WITHDRAWN),
    ("POST", "/api/datasets/{dataset}/sign-off"): _admin(Activity.SIGNED_OFF),
    ("DELETE", "/api/datasets/{dataset}/sign-off"): _admin(Activity.SIGN_OFF_WITHDRAWN),
    ("GET", "/clean"): _ADMIN,
    ("POST", "/clean/plan"): _admin(Activity.RELOCATION_PLANNED),
    ("POST", "/clean/{relocation_id}/apply"): _admin(Activity.RELOCATION_APPLIED),
    ("POST", "/clean/{relocation_id}/undo"): _admin(Activity.RELOCATION_UNDONE),
    ("POST", "/api/relocations"): _admin(Activity.RELOCATION_PLANNED),
    ("GET", "/api/relocations/{relocation_id}"): _ADMIN,
    ("GET", "/api/relocations/{relocation_id}/moves"): _ADMIN,
    ("POST", "/api/relocations/{relocation_id}/apply"): _admin(Activity.RELOCATION_APPLIED),
    ("POST", "/api/relocations/{relocation_id}/undo"): _admin(Activity.RELOCATION_UNDONE),
    ("GET", "/export"): _ADMIN,
    ("POST", "/export"): _admin(Activity.EXPORT_REQUESTED),
    ("POST", "/api/exports"): _admin(Activity.EXPORT_REQUESTED),
    ("GET", "/api/exports/{export_id}"): _ADMIN,
    ("GET", "/api/exports/{export_id}/download"): _admin(Activity.EXPORT_DOWNLOADED),
    ("GET", "/report/download"): _admin(Activity.REPORT_DOWNLOADED),
    # Accounts; these log for themselves what was done to whom.
    ("GET", "/account"): _OWN,
    ("POST", "/account/password"): _OWN,
    ("POST", "/account/tokens"): _OWN,
    ("POST", "/account/tokens/{token_id}/revoke"): _OWN,
    ("POST", "/account/sessions/{session_id}/end"): _OWN,
    ("GET", "/admin"): _MANAGE,
    ("GET", "/admin/access"): _MANAGE,
    ("GET", "/admin/activity"): _MANAGE,
    ("POST", "/admin/users"): _MANAGE,
    ("POST", "/admin/users/{user_id}/role"): _MANAGE,
    ("POST", "/admin/users/{user_id}/password"): _MANAGE,
    ("POST", "/admin/users/{user_id}/disable"): _MANAGE,
    ("POST", "/admin/users/{user_id}/enable"): _MANAGE,
    ("POST", "/admin/tokens/{token_id}/revoke"): _MANAGE,
    ("POST", "/admin/sessions/{session_id}/end"): _MANAGE,
}
UNLISTED = _admin(Activity.OTHER)  #: safe where somebody forgot an entry


@dataclass(frozen=True, slots=True)
class Identity:
    """Who is asking: an account, by a session or by an API token."""

    user_id: int
    name: str
    role: Role
    session_id: int | None = None
    token_id: int | None = None

    @property
    def is_admin(self) -> bool:
        """Whether the account is an admin's."""
        return self.role is Role.ADMIN


def find_rule(method: str, path: str) -> Rule:
    """What a route, by its declared path, asks."""
    return RULES.get((method, path), UNLISTED)


def may(identity: Identity, right: Right) -> bool:
    """Whether somebody who is signed in has a right."""
    by_password = identity.token_id is None
    return {
        Right.OPEN: True,
        Right.REVIEW: True,
        Right.ADMINISTER: identity.is_admin,
        Right.OWN: by_password,
        Right.MANAGE: by_password and identity.is_admin,
    }[right]


def clean_name(name: str) -> str:
    """An account's name, trimmed.

    Raises:
        InvalidInputError: empty, too long, or of characters that cannot be seen.
    """
    cleaned = " ".join(unicodedata.normalize("NFC", name).split())
    if not cleaned:
        raise InvalidInputError.on("name", "give a name")
    if len(cleaned) > LONGEST_NAME:
        raise InvalidInputError.on("name", f"has at most {LONGEST_NAME} characters")
    if not cleaned.isprintable():
        raise InvalidInputError.on("name", "may hold only characters that can be seen")
    return cleaned


def name_key(name: str) -> str:
    """What is equal for two names that differ in case, spaces or compatible forms of a letter alone."""
    return " ".join(unicodedata.normalize("NFKC", name).casefold().split())


def check_password(password: str, name: str, loc: str = "password") -> None:
    """Refuse a password that is too short, too long or the name itself.

    Raises:
        InvalidInputError: says which.
    """
    if len(password) < SHORTEST_PASSWORD:
        raise InvalidInputError.on(loc, f"must have at least {SHORTEST_PASSWORD} characters")
    if len(password) > LONGEST_PASSWORD:
        raise InvalidInputError.on(loc, f"has at most {LONGEST_PASSWORD} characters")
    if name_key(password) == name_key(name):
        raise InvalidInputError.on(loc, "must not be the name of the account")


def clean_token_name(name: str) -> str:
    """What a token is for, trimmed.

    Raises:
        InvalidInputError: empty, too long, or of characters that cannot be seen.
    """
    cleaned = " ".join(name.split())
    if not 1 <= len(cleaned) <= LONGEST_TOKEN_NAME or not cleaned.isprintable():
        raise InvalidInputError.on("token", f"say in 1 to {LONGEST_TOKEN_NAME} characters what the token is for")
    return cleaned


def parse_role(text: str) -> Role:
    """A role by its word.

    Raises:
        InvalidInputError: there is no such role.
    """
    try:
        return Role(text)
    except ValueError as error:
        raise InvalidInputError.on("role", f"must be one of {', '.join(Role)}") from error


def is_beyond_loopback(host: str) -> bool:
    """Whether a server that listens on ``host`` can be reached from another machine; a name counts as reachable."""
    if host.lower() == "localhost":
        return False
    try:
        return not ip_address(host.strip("[]")).is_loopback
    except ValueError:
        return True


def address_key(address: str) -> str:
    """What counts as one sender: an IPv4 address, or the /64 that one holder of IPv6 addresses has."""
    try:
        parsed = ip_address(address)
    except ValueError:
        return address[:80]
    if parsed.version == 4:
        return str(parsed)
    mapped = parsed.ipv4_mapped
    return str(mapped) if mapped else str(ip_network((parsed, 64), strict=False))
