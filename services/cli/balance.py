"""The commands `luot balance …`: opening balances of a site, through the admin API."""

from typing import Annotated, Any

import typer

from services.cli.balance_file import SECONDS, find_bulk, import_balances
from services.cli.connection import Data, at, connected
from services.cli.language import said
from services.cli.terminal import Json, fail, say

app = typer.Typer(
    help="Opening balances: counts carried over from a portal's old counter. Talks to the running"
    " API (LUOT_URL and LUOT_TOKEN, or --data).",
    no_args_is_help=True,
)

PAGE = 500

Site = Annotated[str, typer.Argument(help="Short name of the site, for example mytho.")]
Reason = Annotated[str, typer.Option(help="Reason: where the number comes from.")]


@app.command()
def add(
    site: Site,
    grain: Annotated[
        str,
        typer.Argument(help="The only number it adds to: total, year, month or day."),
    ],
    reason: Reason,
    start: Annotated[
        str | None,
        typer.Option(help="Which year, month or day: 2025, 2025-07 or 2025-07-20."),
    ] = None,
    visits: Annotated[int, typer.Option(help="Visits to add.")] = 0,
    views: Annotated[int, typer.Option(help="Views to add.")] = 0,
    path: Annotated[
        str, typer.Option(help="Path of a page, from the / on. [default: whole site]")
    ] = "",
    name: Annotated[
        str | None,
        typer.Option(
            "--id",
            help="ID of the entry; entered twice, it counts once. [default: derived from grain,"
            " start and path]",
        ),
    ] = None,
    data: Data = None,
    as_json: Json = False,
) -> None:
    """Add what the old counter showed.

    Running the same command twice changes nothing more. To correct an entry, reverse it and add the
    right one under another --id.
    """
    first = _first_day(grain, start)
    entry = {
        "id": name or _default_id(grain, start, path),
        "path": path,
        "grain": grain,
        "start": first,
        "views": views,
        "visits": visits,
        "reason": reason,
    }
    _enter(site, entry, data, as_json)


@app.command()
def reverse(
    site: Site,
    entry: Annotated[str, typer.Argument(help="ID of the entry to reverse.")],
    reason: Reason,
    data: Data = None,
    as_json: Json = False,
) -> None:
    """Reverse an entry by adding an opposite one: both stay in the ledger.

    A file that was entered as one entry is reversed as a whole.
    """
    with connected(data, SECONDS) as admin:
        if (bulk := find_bulk(admin, site, entry)) is not None:
            answer = admin.call(
                "POST",
                at("sites", site, "balances", "bulk", entry, "reverse"),
                {"reason": reason},
                has="lines",
            )
            _show_reversed(answer, as_json, was_reversed=bulk["reversed"])
            return
        reversed_entry = admin.call("GET", at("sites", site, "balances", entry))
    reversal = {
        **{field: reversed_entry[field] for field in ("path", "grain", "start")},
        "id": f"reversal:{entry}",
        "views": -reversed_entry["views"],
        "visits": -reversed_entry["visits"],
        "reason": reason,
    }
    _enter(site, reversal, data, as_json)


app.command("import")(import_balances)


@app.command("list")
def list_balances(site: Site, data: Data = None, as_json: Json = False) -> None:
    """List the ledger, oldest entry first."""
    entries: list[dict[str, Any]] = []
    with connected(data) as admin:
        while True:
            query = {"offset": len(entries), "limit": PAGE}
            answer = admin.call("GET", at("sites", site, "balances"), query=query)
            entries += answer.rows("entries")
            if not answer["entries"] or len(entries) >= answer["total"]:
                break
    _show(entries, as_json)


def _enter(site: str, entry: dict[str, Any], data: Any, as_json: bool) -> None:
    with connected(data) as admin:
        answer = admin.call("POST", at("sites", site, "balances"), {"entries": [entry]})
        shown = "views" if entry["path"] else admin.call("GET", at("sites", site))["metric"]
    _show(answer.rows("entries"), as_json)
    if as_json:
        return
    if not answer["added"]:
        say("already entered; nothing changed")
    if not entry.get(shown):
        where = said("a page") if entry["path"] else said(f"the site {site}")
        say(f"note: {where} shows {shown}, and this entry has none")


def _show_reversed(answer: dict[str, Any], as_json: bool, *, was_reversed: bool) -> None:
    if as_json:
        import json

        typer.echo(json.dumps(answer, ensure_ascii=False, indent=2))
        return
    say(
        f"{answer['id']}: reversed {answer['lines']} entries with {answer['visits']} visits,"
        f" {answer['views']} views"
    )
    if was_reversed:
        say("already reversed; nothing changed")


def _first_day(grain: str, start: str | None) -> str | None:
    """Return the first day of a period given as 2025, 2025-07 or a full date."""
    if start is None:
        return None
    missing = {"year": "-01-01", "month": "-01"}.get(grain, "")
    parts = {"year": 1, "month": 2}.get(grain, 3)
    if grain != "total" and len(start.split("-")) == parts:
        return start + missing
    if len(start.split("-")) != 3:
        fail(f"--start {start!r} is not a {grain}; expected 2025, 2025-07 or 2025-07-20")
    return start


def _default_id(grain: str, start: str | None, path: str) -> str:
    from hashlib import blake2b

    name = f"{grain}:{start}" if start else grain
    return f"{name}:{blake2b(path.encode(), digest_size=6).hexdigest()}" if path else name


def _show(entries: list[dict[str, Any]], as_json: bool) -> None:
    if as_json:
        import json

        typer.echo(json.dumps(entries, ensure_ascii=False, indent=2))
        return
    from datetime import UTC, datetime

    from rich.console import Console
    from rich.table import Table

    heads = ("id", "period", "page", "visits", "views", "entered", "by", "reason")
    table = Table(*map(said, heads))
    for entry in entries:
        entered = datetime.fromtimestamp(entry["at"] / 1000, UTC)
        table.add_row(
            entry["id"],
            " ".join(filter(None, (entry["grain"], entry["start"], entry["last"]))),
            said(f"{entry['lines']} lines") if entry["lines"] else entry["path"],
            str(entry["visits"]),
            str(entry["views"]),
            f"{entered:%Y-%m-%d %H:%M} UTC",
            entry["author"],
            entry["reason"],
        )
    Console().print(table)
