"""The references in `docs/` are what the code says: each setting's row, each command's real `--help`."""

import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any, get_args

import pytest
import typer
import typer.main

from app.__main__ import make_app
from app.config import environment_name, setting_fields

DOCS = Path(__file__).parents[2] / "docs"
MACHINE_DEPENDENT = {"datasets.allowed_roots": "home and working folder"}


def flat(group: Any, before: str = "") -> Iterator[tuple[str, Any]]:
    """Every command below a group, by its whole name."""
    for name, command in getattr(group, "commands", {}).items():
        if hasattr(command, "commands"):
            yield from flat(command, f"{before}{name} ")
        else:
            yield before + name, command


ALL = dict(flat(typer.main.get_command(make_app())))


def bare(text: str) -> str:
    """Without white space: where a line is broken says nothing."""
    return "".join(text.split())


@pytest.mark.parametrize("name", ALL)
def test_the_help_of_a_command_is_the_real_one(name: str) -> None:
    """Under its heading, whatever a person has written below it."""
    sections = re.split(r"^## ", (DOCS / "commands.md").read_text(encoding="utf-8"), flags=re.MULTILINE)
    found = [section for section in sections if section.startswith(f"`touchline {name}`\n")]
    context = typer.Context(ALL[name], info_name=f"touchline {name}", terminal_width=100, max_content_width=100)
    assert len(found) == 1
    block = re.search(r"```text\n(.*?)```", found[0], re.DOTALL)
    assert block is not None
    assert bare(block.group(1)) == bare(ALL[name].get_help(context))


def test_no_command_is_described_that_is_gone() -> None:
    """Each heading names one that there is."""
    headings = re.findall(r"^## `touchline ([^`]+)`$", (DOCS / "commands.md").read_text(encoding="utf-8"), re.MULTILINE)
    assert sorted(headings) == sorted(ALL)


def describe_type(annotation: Any) -> str:
    """A field's type in words a user of ``config.yaml`` understands."""
    arguments = get_args(annotation)
    if arguments and all(isinstance(argument, str) for argument in arguments):
        return " or ".join(arguments)
    return str(getattr(annotation, "__name__", annotation)).replace("pathlib.", "")


def describe_default(value: object) -> str:
    """A default as the table has it."""
    if value is None:
        return "none"
    return "`[" + ", ".join(f'"{item}"' for item in value) + "]`" if isinstance(value, tuple) else f"`{value}`"


def test_the_table_of_settings_is_the_code() -> None:
    """Type, default, description and variable of every key, in the code's order."""
    wanted = []
    for key, info in setting_fields():
        default = MACHINE_DEPENDENT.get(key) or describe_default(info.get_default(call_default_factory=True))
        kind = describe_type(info.annotation).replace("|", "\\|")
        wanted.append(f"| `{key}` | {kind} | {default} | {info.description} | `{environment_name(key)}` |")
    lines = (DOCS / "settings.md").read_text(encoding="utf-8").splitlines()
    assert [line for line in lines if line.startswith("| `")] == wanted
