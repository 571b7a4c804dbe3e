"""The commands `luot correct …`: take back counted views, through the admin API."""

import re
from collections.abc import Mapping
from typing import Annotated, Any

import typer

from services.cli.connection import Data, at, connected
from services.cli.language import before_after, said, signed
from services.cli.terminal import Json, fail, say, show_json, table, when
from services.model.filter_text import escaped

app = typer.Typer(
    help="Corrections: take back what should not have been counted. Talks to the running API"
    " (LUOT_URL and LUOT_TOKEN, or --data).",
    no_args_is_help=True,
)

PAGE = 500
ANSWER_SECONDS = 180.0
"""A correction on a large site reads its raw hits several times."""
_AGE = re.compile(r"(\d{1,6})([smhd])")
_SECONDS = {"s": 1, "m": 60, "h": 3600, "d": 86_400}
_WHICH = "Which views"
_PROPERTIES = {
    "path": "event:page",
    "host": "event:hostname",
    "source": "visit:source",
    "country": "visit:country",
    "device": "visit:device",
    "browser": "visit:browser",
    "os": "visit:os",
}

Site = Annotated[str, typer.Argument(help="Short name of the site, for example mytho.")]
Reason = Annotated[str, typer.Option(help="Reason, for the ledger.")]


def _any_of(what: str) -> Any:
    return typer.Option(
        help=f"{what}; * matches any text. Repeat it to match any of several.",
        rich_help_panel=_WHICH,
    )


@app.command()
def views(
    site: Site,
    since: Annotated[
        str,
        typer.Option(
            "--from",
            help="Start, in the site's time zone (2026-01-31T08:00) or with an offset, or as an"
            " age: 90m, 6h, 2d.",
            rich_help_panel=_WHICH,
        ),
    ],
    until: Annotated[
        str | None,
        typer.Option("--to", help="End, exclusive. [default: now]", rich_help_panel=_WHICH),
    ] = None,
    path: Annotated[list[str] | None, _any_of("Path of the page")] = None,
    country: Annotated[list[str] | None, _any_of("Country, such as VN")] = None,
    source: Annotated[list[str] | None, _any_of("Host that the reader came from")] = None,
    host: Annotated[list[str] | None, _any_of("Host name of the page")] = None,
    browser: Annotated[list[str] | None, _any_of("Browser")] = None,
    device: Annotated[list[str] | None, _any_of("Device")] = None,
    os: Annotated[list[str] | None, _any_of("System")] = None,
    other: Annotated[
        list[str] | None,
        typer.Option(
            "--filter",
            help="A filter of the Stats API, such as 'visit:country!=VN'. Repeatable.",
            rich_help_panel=_WHICH,
        ),
    ] = None,
    more_than: Annotated[
        int,
        typer.Option(
            min=0,
            help="Only visitors with more than this many of these views on one day.",
            rich_help_panel=_WHICH,
        ),
    ] = 0,
    reason: Annotated[str, typer.Option(help="Reason; required with --yes.")] = "",
    yes: Annotated[
        bool, typer.Option("--yes", "-y", help="Take them back; without it, only show them.")
    ] = False,
    data: Data = None,
    as_json: Json = False,
) -> None:
    """Show what a correction would take back and, with --yes, take it back.

    Conditions of different kinds must all hold. The public numbers follow within two seconds; the
    correction stays in the ledger, and can be reversed.
    """
    if yes and not reason:
        fail("--yes without --reason; give the reason why these views are taken back")
    values = {
        "path": path,
        "host": host,
        "source": source,
        "country": country,
        "device": device,
        "browser": browser,
        "os": os,
    }
    query: dict[str, Any] = {"from": _moment(since), "filters": _filters(values, other or [])}
    query |= {"more_than": more_than} | ({"to": _moment(until)} if until else {})
    with connected(data, ANSWER_SECONDS) as admin:
        preview = admin.call(
            "POST", at("sites", site, "corrections", "preview"), query, has="views"
        )
        if not yes or not preview["views"]:
            _preview(preview, as_json)
            if not as_json:
                say(_hint(preview))
            return
        made = admin.call(
            "POST",
            at("sites", site, "corrections"),
            {name: preview[name] for name in ("id", "query", "up_to", "views")}
            | {"reason": reason},
            has="id",
        )
    if as_json:
        show_json(made)
        return
    _preview(preview, as_json=False)
    say(f"taken back as {made['id']}; to reverse it: luot correct reverse {site} {made['id']}")


@app.command("list")
def list_corrections(site: Site, data: Data = None, as_json: Json = False) -> None:
    """List corrections and reversals, newest first."""
    rows: list[dict[str, Any]] = []
    with connected(data, ANSWER_SECONDS) as admin:
        while True:
            query = {"offset": len(rows), "limit": PAGE}
            answer = admin.call("GET", at("sites", site, "corrections"), query=query)
            rows += answer.rows("corrections")
            if not answer["corrections"] or len(rows) >= answer["total"]:
                break
    _corrections(rows, as_json)


@app.command()
def reverse(
    site: Site,
    correction: Annotated[str, typer.Argument(help="ID of the correction.")],
    reason: Reason,
    data: Data = None,
    as_json: Json = False,
) -> None:
    """Reverse a correction, giving back what it took: both stay in the ledger."""
    with connected(data, ANSWER_SECONDS) as admin:
        made = admin.call(
            "POST",
            at("sites", site, "corrections", correction, "reverse"),
            {"reason": reason},
            has="id",
        )
    _corrections([made], as_json, many=False)


@app.command()
def peak(
    site: Site,
    reason: Reason,
    day: Annotated[str, typer.Option(help="A date such as 2026-01-31.")] = "today",
    restore: Annotated[
        bool, typer.Option("--restore", help="Show the peak as measured again.")
    ] = False,
    data: Data = None,
    as_json: Json = False,
) -> None:
    """Reset a day's peak of visitors online to what the remaining views give."""
    what = "restore" if restore else "reset"
    with connected(data, ANSWER_SECONDS) as admin:
        address = at("sites", site, "peaks", day, what)
        made = admin.call("POST", address, {"reason": reason}, has="measured")
    if as_json:
        show_json(made)
        return
    shown = made["recounted"] if made["reset"] else made["measured"]
    say(f"{made['day']}: the peak shown is {shown} (measured: {made['measured']})")


def _moment(text: str) -> str:
    """Return a moment as the API expects it; an age is converted to a time."""
    from datetime import UTC, datetime, timedelta

    if age := _AGE.fullmatch(text):
        ago = timedelta(seconds=int(age[1]) * _SECONDS[age[2]])
        try:
            return (datetime.now(UTC) - ago).isoformat(timespec="seconds")
        except OverflowError:
            fail(f"{text} is too long ago; expected for example 90m, 6h or 2d")
    return text


def _filters(values: Mapping[str, list[str] | None], others: list[str]) -> str:
    terms = [
        f"{_PROPERTIES[name]}=={'|'.join(escaped(value, special='*') for value in given)}"
        for name, given in values.items()
        if given
    ]
    return ";".join([*terms, *others])


def _hint(found: Mapping[str, Any]) -> str:
    if not found["views"]:
        return "no counted view matches; nothing to take back"
    return "nothing has changed yet; add --yes and --reason to take these views back"


def _preview(found: dict[str, Any], as_json: bool) -> None:
    if as_json:
        show_json(found)
        return
    query = found["query"]
    typer.echo(f"{query['from']} to {query['to']}  {query['filters']}".rstrip())
    heads = ("views", "visits", "visitors")
    days = [(one["day"], *(signed(-one[head]) for head in heads)) for one in found["days"]]
    total = (said("in all"), *(signed(-found[head]) for head in heads))
    table(("day", *heads), [*days, total])
    if found["pages"]:
        table(
            ("page", "views", "visits", "total"),
            [
                (
                    one["path"],
                    signed(-one["views"]),
                    signed(-one["visits"]),
                    before_after(one["total"]),
                )
                for one in found["pages"]
            ],
        )
    if (more := found["pages_in_all"] - len(found["pages"])) > 0:
        say(f"and {more:,} more pages")
    measures = list(found["numbers"])
    lines = list(next(iter(found["numbers"].values())))
    if any(one["visits"] < 0 for one in found["pages"]):
        say(
            "visits with a +: the view they began with is taken back, so they now begin on that"
            " page"
        )
    table(
        ("shown", *measures),
        [
            (said(line), *(before_after(found["numbers"][one][line]) for one in measures))
            for line in lines
        ],
    )
    if found["unknown"]:
        say(
            f"{found['unknown']:,} of these views are by readers without a visitor hash: of their"
            " visits, only those that begin with one of these views are taken back"
        )


def _corrections(rows: list[dict[str, Any]], as_json: bool, many: bool = True) -> None:
    if as_json:
        show_json(rows if many else rows[0])
        return
    table(
        ("id", "days", "views", "visits", "visitors", "made", "by", "reason", "query"),
        [
            (
                one["id"] + (f" {said('(reversed)')}" if one["reversed_by"] else ""),
                one["first"] if one["first"] == one["last"] else f"{one['first']} {one['last']}",
                *(signed(-one[name]) for name in ("views", "visits", "visitors")),
                when(one["at"]),
                one["author"],
                one["reason"],
                f"{one['query']['from']} {one['query']['filters']}",
            )
            for one in rows
        ],
    )
