"""The commands `luot token …`: what programs use instead of a password."""

import re
from typing import Annotated

import typer

from services.cli.connection import Data, at, connected
from services.cli.language import said
from services.cli.terminal import Json, fail, say, show_json, table, when
from services.cli.user import OfGroups, Sites, places

app = typer.Typer(
    help="Tokens for programs: add, list, revoke. Talks to the running API (LUOT_URL and"
    " LUOT_TOKEN, or --data).",
    no_args_is_help=True,
)

_LIFETIME = re.compile(r"([1-9][0-9]{0,4})d")
_DATE = re.compile(r"\d{4}-\d{2}-\d{2}")


@app.command()
def add(
    role: Annotated[
        str,
        typer.Option(
            help="owner, editor, viewer, send (hits from a server) or backup (luot backup)."
        ),
    ] = "viewer",
    sites: Sites = None,
    groups: OfGroups = None,
    note: Annotated[str, typer.Option(help="What it is for.")] = "",
    expires: Annotated[
        str | None,
        typer.Option(help="Lifetime (90d), or last day (2027-01-31, UTC). [default: never]"),
    ] = None,
    data: Data = None,
    as_json: Json = False,
) -> None:
    """Create a token, and print it: it is not shown again."""
    fields = {
        "role": role,
        "sites": places(sites, groups),
        "note": note,
        "expires_at": _expiry(expires),
    }
    with connected(data) as admin:
        made = admin.call("POST", "/tokens", fields, has="token")
    if as_json:
        show_json(made)
        return
    typer.echo(made["token"])
    # On stderr, so that a script can use standard output as it is.
    say(f"token {made['id']} is shown once; keep it safe", err=True)


@app.command("list")
def list_tokens(data: Data = None, as_json: Json = False) -> None:
    """List the tokens, without their secrets."""
    with connected(data) as admin:
        tokens = admin.call("GET", "/tokens").rows("tokens")
    if as_json:
        show_json(tokens)
        return
    table(
        ("id", "role", "sites", "note", "made", "by", "expires", "last used"),
        (
            (
                token["id"],
                token["role"],
                ", ".join(token["sites"]),
                token["note"],
                when(token["created_at"]),
                token["created_by"],
                said("has expired")
                if token["expired"]
                else when(token["expires_at"], said("never")),
                when(token["used_at"], ""),
            )
            for token in tokens
        ),
    )


@app.command()
def revoke(
    token: Annotated[str, typer.Argument(help="ID of the token; see `luot token list`.")],
    data: Data = None,
) -> None:
    """Revoke a token: it stops working within a second."""
    if token.startswith("luot_"):
        fail("that is the token itself; expected its ID, see `luot token list`")
    with connected(data) as admin:
        admin.tell("DELETE", at("tokens", token))
    say(f"revoked {token}")


def _expiry(text: str | None) -> str | None:
    """Return the moment, given as `90d` or as a day, in ISO 8601."""
    if text is None:
        return None
    from datetime import UTC, date, datetime, time, timedelta

    if days := _LIFETIME.fullmatch(text):
        return (datetime.now(UTC) + timedelta(days=int(days[1]))).isoformat()
    try:
        if not _DATE.fullmatch(text):
            raise ValueError
        last = date.fromisoformat(text)
    except ValueError:
        fail(f"--expires {text!r} is not a time; expected for example 90d or 2027-01-31")
    return datetime.combine(last, time.max, UTC).isoformat()
