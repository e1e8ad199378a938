"""Write docs/settings.md and docs/commands.md from the code, so that they are what the code says.

python scripts/write_reference.py            writes both
python scripts/write_reference.py --check    exit 1 if one of them is out of date
"""

import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import typer
import typer.main

from app.__main__ import make_app
from app.config import describe_type, environment_name, setting_fields

SETTINGS_INTRO = (
    "Settings come from `config.yaml` (or the file that `--config` names), then from the environment, which wins: "
    "`TOUCHLINE_` and the key in capitals, nested keys joined by `__`, lists as JSON. An unknown key, a value of the "
    "wrong type or a folder that is missing ends the start with one line that names the key, and exit status 2. "
    "`touchline settings` shows the values in force."
)
NO_SETTINGS = (
    "Read elsewhere, on purpose no settings: `TOUCHLINE_PASSWORD` (the password of a new account), "
    "`TOUCHLINE_TEST_BROWSER` (the browser that the tests drive), `TOUCHLINE_CRASH_POINT` and `TOUCHLINE_LONG` (tests)."
)
COMMANDS_INTRO = (
    "`touchline` lies in `.venv/bin`; `python -m app` is the same. Exit status: 0 done; 1 failed (a planned move, an "
    "image, a scan); 2 wrong usage, bad configuration, a missing folder, an existing target, with one line on stderr. "
    "`--json` prints one JSON document on stdout and nothing else; logs go to stderr."
)
DOCS = Path(__file__).resolve().parents[1] / "docs"
MACHINE_DEPENDENT = {"datasets.allowed_roots": "home and working folder"}


def describe_settings() -> str:
    """The reference of settings."""
    lines = [
        "# Settings",
        "",
        SETTINGS_INTRO,
        "",
        "| key | type | default | what it is | variable |",
        "| --- | --- | --- | --- | --- |",
    ]
    for key, info in setting_fields():
        default = MACHINE_DEPENDENT.get(key) or _default(info.get_default(call_default_factory=True))
        kind = describe_type(info.annotation).replace("|", "\\|")
        lines.append(f"| `{key}` | {kind} | {default} | {info.description} | `{environment_name(key)}` |")
    lines += [
        "",
        NO_SETTINGS,
        "",
    ]
    return "\n".join(lines)


def _default(value: object) -> str:
    if value is None:
        return "none"
    if isinstance(value, tuple):
        return "`[" + ", ".join(f'"{item}"' for item in value) + "]`"
    return f"`{value}`"


def describe_commands() -> str:
    """The reference of commands: each one's real ``--help``."""
    group = typer.main.get_command(make_app())
    lines = [
        "# Commands",
        "",
        COMMANDS_INTRO,
        "",
    ]
    for name, command in sorted(_flat(group), key=lambda pair: pair[0]):
        context = typer.Context(command, info_name=f"touchline {name}", terminal_width=100, max_content_width=100)
        lines += [f"## `touchline {name}`", "", "```text", command.get_help(context).rstrip(), "```", ""]
    return "\n".join(lines)


def _flat(group: Any, before: str = "") -> Iterator[tuple[str, Any]]:
    """Every command below a group, by its whole name."""
    for name, command in getattr(group, "commands", {}).items():
        if hasattr(command, "commands"):
            yield from _flat(command, f"{before}{name} ")
        else:
            yield before + name, command


REFERENCES: dict[str, Callable[[], str]] = {"settings.md": describe_settings, "commands.md": describe_commands}


def main() -> int:
    """Write or check every reference; 1 if one is out of date."""
    check = "--check" in sys.argv[1:]
    stale = [name for name, describe in REFERENCES.items() if _is_stale(DOCS / name, describe())]
    for name in stale:
        if check:
            print(f"docs/{name} is out of date: run `python scripts/write_reference.py`")
        else:
            (DOCS / name).write_text(REFERENCES[name](), encoding="utf-8")
    return 1 if check and stale else 0


def _is_stale(path: Path, wanted: str) -> bool:
    return not path.is_file() or path.read_text(encoding="utf-8") != wanted


if __name__ == "__main__":
    sys.exit(main())
