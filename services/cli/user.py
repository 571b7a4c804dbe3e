"""The commands `luot user …`: who may sign in, through the admin API."""

import sys
from typing import Annotated, Any

import typer

from services.cli.connection import Data, at, connected
from services.cli.language import said
from services.cli.terminal import (
    Json,
    Yes,
    confirm,
    confirm_removal,
    fail,
    say,
    show_json,
    table,
    when,
)
from services.model.group import GROUP_PLACE

app = typer.Typer(
    help="Users: add, list, edit, passwd, reset-second-factor, remove. Talks to the running API"
    " (LUOT_URL and LUOT_TOKEN, or --data).",
    no_args_is_help=True,
)

Name = Annotated[str, typer.Argument(help="Name to sign in with, for example lan@mytho.example.")]
Role = Annotated[
    str | None,
    typer.Option(help="owner: everything. editor: settings of their sites. viewer: numbers."),
]
Sites = Annotated[
    list[str] | None,
    typer.Option("--site", help="Site that it applies to; '*' for all. Repeatable."),
]
OfGroups = Annotated[
    list[str] | None,
    typer.Option(
        "--group",
        help="Group that it applies to: all sites in it and its subgroups, now and later."
        " Repeatable.",
    ),
]
FromStdin = Annotated[
    bool, typer.Option("--password-stdin", help="Read the password from standard input.")
]
Required = Annotated[
    bool | None,
    typer.Option(
        "--require-second-factor/--second-factor-optional",
        help="Whether they must turn on a second factor before they can do anything else.",
    ),
]
Generate = Annotated[bool, typer.Option("--generate", help="Generate a password, and print it.")]


@app.command()
def add(
    name: Name,
    role: Role = None,
    sites: Sites = None,
    groups: OfGroups = None,
    required: Required = None,
    from_stdin: FromStdin = False,
    generate: Generate = False,
    data: Data = None,
    as_json: Json = False,
) -> None:
    """Add a user; without --role, a viewer. Asks for the password."""
    password = _password(from_stdin, generate)
    fields = _fields(role, places(sites, groups), required)
    with connected(data) as admin:
        body = {"name": name, "password": password, **fields}
        user = admin.call("POST", "/users", body, has="name")
    if generate:
        user["password"] = password
    _show([user], as_json)
    if generate and not as_json:
        say(f"password (shown once): {password}")


@app.command("list")
def list_users(data: Data = None, as_json: Json = False) -> None:
    """List the users."""
    with connected(data) as admin:
        _show(admin.call("GET", "/users").rows("users"), as_json, many=True)


@app.command()
def edit(
    name: Name,
    role: Role = None,
    sites: Sites = None,
    groups: OfGroups = None,
    required: Required = None,
    data: Data = None,
    as_json: Json = False,
) -> None:
    """Change a user; the sites and groups given replace the previous ones."""
    fields = _fields(role, places(sites, groups), required)
    if not fields:
        fail(
            f"nothing to change on {name}: give --role, --site, --group or --require-second-factor"
        )
    with connected(data) as admin:
        _show([admin.call("PATCH", at("users", name), fields, has="name")], as_json)


@app.command()
def passwd(
    name: Name, from_stdin: FromStdin = False, generate: Generate = False, data: Data = None
) -> None:
    """Set the password of a user, and sign them out everywhere."""
    password = _password(from_stdin, generate)
    with connected(data) as admin:
        admin.tell("PUT", at("users", name, "password"), {"password": password})
    say(f"password of {name} (shown once): {password}" if generate else "changed")


@app.command("reset-second-factor")
def reset_second_factor(name: Name, yes: Yes = False, data: Data = None) -> None:
    """Reset the second factor of a user who lost their phone, and sign them out."""
    if not yes:
        confirm(
            f"Reset the second factor of {name}? Their password alone will then open the account."
        )
    with connected(data) as admin:
        admin.tell("DELETE", at("users", name, "second-factor"))
    say(f"reset the second factor of {name}")


@app.command()
def remove(name: Name, yes: Yes = False, data: Data = None) -> None:
    """Remove a user, and sign them out at once. Their changes stay."""
    if not yes:
        confirm_removal("user", name)
    with connected(data) as admin:
        admin.tell("DELETE", at("users", name))
    say(f"removed {name}")


def places(sites: list[str] | None, groups: list[str] | None) -> list[str]:
    """Return the scope of a right as the API expects it: sites, and groups as `group/slug`."""
    # Typer gives an empty list for an option that was not used.
    return [*(sites or ()), *(f"{GROUP_PLACE}{group}" for group in groups or ())]


def _fields(role: str | None, sites: list[str], required: bool | None) -> dict[str, Any]:
    given = {"role": role, "sites": sites or None, "second_factor_required": required}
    return {field: value for field, value in given.items() if value is not None}


def _password(from_stdin: bool, generate: bool) -> str:
    if from_stdin and generate:
        fail("--password-stdin and --generate are both given; expected only one")
    if generate:
        from services.runtime.passphrases import generate_password

        return generate_password()
    if from_stdin:
        line = sys.stdin.readline().rstrip("\r\n")
        if not line:
            fail("--password-stdin: standard input is empty; expected the password on one line")
        return line
    if not sys.stdin.isatty():
        fail(
            "standard input is not a terminal, so nobody can be asked for a password; give"
            " --password-stdin or --generate"
        )
    again = said("Repeat for confirmation")
    return str(typer.prompt(said("Password"), hide_input=True, confirmation_prompt=again))


def _show(users: list[dict[str, Any]], as_json: bool, many: bool = False) -> None:
    if as_json:
        show_json(users if many else users[0])
        return
    table(
        ("name", "role", "sites", "second factor", "added", "password set"),
        (
            (
                user["name"],
                user["role"],
                ", ".join(user["sites"]),
                _second_factor(user),
                when(user["created_at"]),
                when(user["password_at"]),
            )
            for user in users
        ),
    )


def _second_factor(user: dict[str, Any]) -> str:
    if user.get("second_factor"):
        return said("turned on")
    return said("required, not yet on" if user.get("second_factor_required") else "off")
