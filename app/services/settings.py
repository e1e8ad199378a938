"""The settings as a page shows them."""

from dataclasses import dataclass

from pydantic_core import PydanticUndefined

from app import __version__
from app.config import Settings, environment_name, setting_fields


@dataclass(frozen=True, slots=True)
class SettingRow:
    """One key."""

    key: str
    value: str
    default: str
    description: str
    changed: bool
    env: str


@dataclass(frozen=True, slots=True)
class SettingsPage:
    """The page of settings."""

    rows: tuple[SettingRow, ...]
    reviewer: str | None
    reviewer_fixed: bool
    theme: str
    hotkeys: bool
    data_dir: str
    version: str


def list_settings(settings: Settings) -> tuple[SettingRow, ...]:
    """Every key with its value; a password in the database's URL is not shown."""
    rows = []
    for key, info in setting_fields():
        value: object = settings
        for part in key.split("."):
            value = getattr(value, part)
        default = info.get_default(call_default_factory=True)
        if default is PydanticUndefined:
            default = None
        shown = _hide_password(value) if key == "database_url" else _show(value)
        rows.append(
            SettingRow(key, shown, _show(default), info.description or "", value != default, environment_name(key))
        )
    return tuple(rows)


def _show(value: object) -> str:
    if value is None:
        return "not set"
    if isinstance(value, tuple):
        return ", ".join(str(item) for item in value) or "none"
    return str(value)


def _hide_password(value: object) -> str:
    if value is None:
        return "not set"
    scheme, separator, rest = str(value).partition("://")
    account, at, place = rest.rpartition("@")  # first: a password may hold a question mark
    user = f"{account.partition(':')[0]}:***" if at else ""
    place, question, query = place.partition("?")
    return f"{scheme}{separator}{user}{at}{place}{question}{'&'.join(map(_hide_in_query, query.split('&')))}"


def _hide_in_query(part: str) -> str:
    """A password may stand in the query too: ``?host=/run/postgresql&user=a&password=b``."""
    name, equals, _ = part.partition("=")
    return f"{name}{equals}***" if "pass" in name.lower() else part


def view_settings(settings: Settings, reviewer: str | None, *, theme: str, hotkeys: bool) -> SettingsPage:
    """The page of settings."""
    return SettingsPage(
        rows=list_settings(settings),
        reviewer=reviewer,
        reviewer_fixed=settings.reviewer is not None,
        theme=theme,
        hotkeys=hotkeys,
        data_dir=str(settings.data_dir.resolve()),
        version=__version__,
    )
