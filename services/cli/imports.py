"""The command `luot imports`: lists the imports into a site, and undoes them."""

from http import HTTPStatus
from typing import Annotated, Any

import typer

from services.cli.connection import Admin, Data, at, connected
from services.cli.language import before_after, grouped, said
from services.cli.terminal import Json, Yes, confirm, fail, say, show_json, table, when

app = typer.Typer(help="List the access logs that were imported into a site, and undo imports.")

ANSWER_SECONDS = 300.0
"""How long an answer may take: one request undoes an import of millions of views."""
COUNTED_SECONDS = 300.0
"""How long to wait for the aggregator to count what the log holds of an import."""
_ID_LETTERS = 12
_AWAY = (HTTPStatus.BAD_GATEWAY, HTTPStatus.SERVICE_UNAVAILABLE, HTTPStatus.GATEWAY_TIMEOUT)

Site = Annotated[str, typer.Option("--site", help="Short name of the site.")]


@app.callback(invoke_without_command=True)
def imports(
    context: typer.Context,
    slug: Annotated[str, typer.Option("--site", help="Short name of the site.")] = "",
    data: Data = None,
    as_json: Json = False,
) -> None:
    """List the access logs that were imported into a site, the oldest first, and undo imports."""
    if context.invoked_subcommand is not None:
        return
    if not slug:
        fail("--site is missing; expected the short name of a site")
    with connected(data) as admin:
        rows = _listed(admin, slug)
    if as_json:
        show_json(rows)
        return
    table(
        ("id", "file", "first line", "last line", "lines", "hits", "state", "by", "when"),
        (
            (
                one["digest"][:_ID_LETTERS],
                one["file"],
                when(one["first_at"]),
                when(one["last_at"]),
                grouped(one["lines"]),
                grouped(one["hits"]),
                _state(one),
                one["author"],
                when(one["begun_at"]),
            )
            for one in rows
        ),
    )


@app.command()
def undo(
    name: Annotated[
        str, typer.Argument(metavar="ID", help="ID as listed, or its beginning, or the file name.")
    ],
    slug: Site,
    yes: Yes = False,
    data: Data = None,
    as_json: Json = False,
) -> None:
    """Undo an import as a whole, with everything that it counted.

    Shows what will be removed, and asks for confirmation. If it is interrupted, run the same
    command again to continue. Afterwards, the same file may be imported again.

    [bold]luot imports undo 1f0c37a2 --site mytho[/bold]
    """
    with connected(data, ANSWER_SECONDS) as admin:
        one = _found(_listed(admin, slug), name)
        path = at("sites", slug, "imports", one["digest"], "undo")
        if one["state"] not in ("undoing", "undone"):
            _preview(admin.call("GET", path), as_json)
            if not yes:
                confirm(f"Undo the import of {one['file']}?")
        undone = admin.until(
            lambda answer: answer["state"] == "undone",
            path,
            seconds=COUNTED_SECONDS,
            away=_AWAY,
            waiting="no more of it is accepted, but the aggregator has not yet counted what is in"
            " the log; is it running?",
            again="to continue",
        )
    if as_json:
        show_json(undone)
        return
    say(f"{undone['file']} was undone; it may be imported again")


def _listed(admin: Admin, slug: str) -> list[dict[str, Any]]:
    return admin.call("GET", at("sites", slug, "imports")).rows("imports")


def _found(imports: list[dict[str, Any]], name: str) -> dict[str, Any]:
    matching = [one for one in imports if one["digest"].startswith(name) or one["file"] == name]
    if not matching:
        fail(f"{name!r} is not an import of this site; `luot imports` lists them")
    if len(matching) > 1:
        fail(f"{name!r} matches {len(matching)} imports; give more of the ID")
    return matching[0]


def _state(one: dict[str, Any]) -> str:
    match one["state"]:
        case "begun":
            return said(f"begun, line {one['taken']:,}")
        case "undoing":
            return said(f"undo begun by {one['undone_by']} but not finished: run it again")
        case "undone":
            return said(f"undone by {one['undone_by']}, {when(one['undone_at'])}")
        case state:
            return said(state if one["can_be_undone"] else f"{state}, by an older version")


def _preview(found: dict[str, Any], as_json: bool) -> None:
    if as_json:
        return
    days = found["days"]
    span = f", {days[0]['day']} – {days[-1]['day']}" if days else ""
    say(f"{found['file']}: -{found['views']:,} views, -{found['visits']:,} visits{span}")
    if found["pages"]:
        gone = [(one["path"], f"-{grouped(one['views'])}") for one in found["pages"]]
        table(("page", "views"), gone)
    measures = list(found["numbers"])
    table(
        ("shown", *measures),
        [
            (said(line), *(before_after(found["numbers"][measure][line]) for measure in measures))
            for line in next(iter(found["numbers"].values()))
        ],
    )
