"""The commands `luot export …`: raw hits and counters of a site as CSV, through the admin API."""

import sys
from datetime import datetime
from typing import Annotated, Any
from urllib.parse import unquote

import typer

from services.cli.answer import not_luot
from services.cli.connection import Admin, Data, at, connected, reason
from services.cli.terminal import fail, say

app = typer.Typer(
    help="Export what was counted, as CSV on standard output. Talks to the running API (LUOT_URL"
    " and LUOT_TOKEN, or --data).",
    no_args_is_help=True,
)

Site = Annotated[str, typer.Argument(help="Short name of the site, for example mytho.")]


@app.command()
def hits(
    site: Site,
    first: Annotated[
        datetime | None,
        typer.Option("--from", formats=["%Y-%m-%d"], help="First day. [default: all]"),
    ] = None,
    to: Annotated[
        datetime | None, typer.Option("--to", formats=["%Y-%m-%d"], help="Last day.")
    ] = None,
    data: Data = None,
) -> None:
    """Print the raw hits, including bots, as they are stored.

    [bold]luot export hits mytho --from 2026-01-01 > hits.csv[/bold]
    """
    days = {"from": first, "to": to}
    query = {name: f"{day:%Y-%m-%d}" for name, day in days.items() if day is not None}
    with connected(data) as admin:
        _print(admin, at("sites", site, "export", "hits"), query)


@app.command()
def counters(site: Site, data: Data = None) -> None:
    """Print the views and visits of every page and period; an empty path is the whole site.

    They do not include opening balances and corrections, which have ledgers of their own.
    """
    with connected(data) as admin:
        _print(admin, at("sites", site, "export", "counters"), {})


def _print(admin: Admin, path: str, query: dict[str, Any]) -> None:
    """Print all pages of the result, with one header; the number of rows goes to stderr."""
    import httpx

    rows, after = 0, ""
    try:
        while True:
            more = {**query, "after": after} if after else query
            try:
                answer = admin.send("GET", path, params=more)
            except httpx.HTTPError as error:
                fail(f"{admin.url} cannot be reached: {error}; is Luot running there? (LUOT_URL)")
            if not answer.is_success:
                fail(f"{admin.url} answers {answer.status_code}: {reason(answer)}")
            if not answer.headers.get("content-type", "").startswith("text/csv"):
                not_luot(answer, admin.url)
            header, _, lines = answer.text.partition("\n")
            sys.stdout.write(lines if after else f"{header}\n{lines}")
            rows += lines.count("\n")
            after = unquote(answer.headers.get("X-Luot-Next", ""))
            if not after:
                break
        sys.stdout.flush()
    except BrokenPipeError:
        # Otherwise Python would report the broken pipe again when it flushes at exit.
        sys.stdout = None
        return
    say(f"{rows} rows", err=True)
