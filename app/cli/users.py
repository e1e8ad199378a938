"""``user``: accounts from the command line, for the first one and for when nobody can sign in any more."""

import os
import sys
from getpass import getpass
from typing import Annotated

import typer

from app.cli.common import AsJson, Config, opened, show
from app.domain.accounts import Role, check_password, clean_name, parse_role
from app.errors import InvalidInputError, UsageError
from app.services.accounts import (
    COMMAND_LINE,
    UserView,
    add_user,
    change_role,
    disable_user,
    enable_user,
    find_user_id,
    list_users,
    reset_password,
)
from app.services.clock import utc_now
from app.services.reviews import format_time

VARIABLE = "TOUCHLINE_PASSWORD"
Name = Annotated[str, typer.Argument(metavar="NAME", help="The account's name.")]

user = typer.Typer(
    help="Accounts. As soon as there is one, everybody has to sign in.", no_args_is_help=True, rich_markup_mode=None
)


@user.command("add")
def add(
    name: Name,
    role: Annotated[str, typer.Option(help="reviewer or admin [default: admin for the first, else reviewer].")] = "",
    as_json: AsJson = False,
    config: Config = None,
) -> None:
    """Make an account. The password comes from a prompt, or from TOUCHLINE_PASSWORD.

    Example: touchline user add ada --role admin
    """
    chosen = parse_role(role) if role else None
    cleaned = clean_name(name)
    with opened(config) as parts:
        password = _ask_password(cleaned)
        others = any(each.disabled_at is None for each in list_users(parts.database))
        kind = chosen or (Role.REVIEWER if others else Role.ADMIN)
        made = add_user(parts.database, utc_now, COMMAND_LINE, cleaned, password, kind)
        admins = any(each.role is Role.ADMIN and each.disabled_at is None for each in list_users(parts.database))
    first = "" if others else " From now on everybody has to sign in."
    show(_document(made), as_json, f"{made.name} is {_an(made.role)}.{first}")
    if not admins:
        sys.stderr.write("note: there is no admin yet; `touchline user role NAME admin` makes one\n")


@user.command("list")
def list_command(as_json: AsJson = False, config: Config = None) -> None:
    """Every account, by name.

    Example: touchline user list --json
    """
    with opened(config) as parts:
        users = list_users(parts.database)
    lines = [f"{each.name}: {each.role}{', disabled' if each.disabled_at else ''}" for each in users]
    show(
        {"users": [_document(each) for each in users]},
        as_json,
        "\n".join(lines) or "No accounts: nobody has to sign in on this machine. `touchline user add NAME` makes one.",
    )


@user.command("role")
def role_command(
    name: Name,
    role: Annotated[str, typer.Argument(metavar="ROLE", help="reviewer or admin.")],
    config: Config = None,
) -> None:
    """Give an account another role.

    Example: touchline user role ada admin
    """
    chosen = parse_role(role)
    with opened(config) as parts:
        change_role(parts.database, utc_now, COMMAND_LINE, find_user_id(parts.database, name), chosen)
    show(None, as_json=False, text=f"{name} is {_an(chosen)}.")


@user.command("password")
def password_command(name: Name, config: Config = None) -> None:
    """Give an account another password, from a prompt or from TOUCHLINE_PASSWORD. Its sessions and tokens end.

    Example: touchline user password ada
    """
    with opened(config) as parts:
        user_id = find_user_id(parts.database, name)
        reset_password(parts.database, utc_now, COMMAND_LINE, user_id, _ask_password(name))
    show(None, as_json=False, text=f"{name} has a new password; its sessions and API tokens have ended.")


@user.command("disable")
def disable_command(name: Name, config: Config = None) -> None:
    """Disable an account; its sessions and tokens end. With the last one, nobody has to sign in on this machine.

    Example: touchline user disable ada
    """
    with opened(config) as parts:
        user_id = find_user_id(parts.database, name)
        disable_user(parts.database, utc_now, COMMAND_LINE, user_id, may_be_last=True)
        left = any(each.disabled_at is None for each in list_users(parts.database))
    note = "" if left else " No account is left: nobody has to sign in to a server that only this machine reaches."
    show(None, as_json=False, text=f"{name} is disabled.{note}")


@user.command("enable")
def enable_command(name: Name, config: Config = None) -> None:
    """Enable an account again, with the password that it had.

    Example: touchline user enable ada
    """
    with opened(config) as parts:
        enable_user(parts.database, utc_now, COMMAND_LINE, find_user_id(parts.database, name))
    show(None, as_json=False, text=f"{name} is enabled.")


def _document(view: UserView) -> dict[str, object]:
    return {
        "id": view.id,
        "name": view.name,
        "role": view.role,
        "created_at": format_time(view.created_at),
        "disabled": view.disabled_at is not None,
    }


def _an(role: Role) -> str:
    return "an admin" if role is Role.ADMIN else "a reviewer"


def _ask_password(name: str) -> str:
    given = os.environ.get(VARIABLE)
    if given is None and not sys.stdin.isatty():
        msg = f"a password is wanted: set {VARIABLE}, or run this in a terminal and type it"
        raise UsageError(msg)
    password = getpass("Password: ") if given is None else given
    check_password(password, name)
    if given is None and getpass("The same again: ") != password:
        raise InvalidInputError.on("password", "is not the same password")
    return password
