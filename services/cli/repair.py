"""The commands `luot repair …`: repair numbers from the raw hits."""

from collections.abc import Sequence
from datetime import datetime
from typing import Annotated, Any

import typer

from services.cli.connection import Data, at, connected
from services.cli.terminal import Json, Yes, confirm, say, show_json, table

app = typer.Typer(
    help="Repair numbers from the raw hits. Talks to the running API (LUOT_URL and LUOT_TOKEN, or"
    " --data).",
    no_args_is_help=True,
)

AT_ONCE = 100
LISTED = 1_000


@app.callback()
def group() -> None:
    """Keep `paths` a subcommand, even though it is the only one."""


@app.command()
def paths(
    site: Annotated[str, typer.Argument(help="Short name of the site, for example mytho.")],
    day: Annotated[
        datetime, typer.Option(formats=["%Y-%m-%d"], help="Day, in the site's time zone.")
    ],
    path: Annotated[
        list[str] | None,
        typer.Option(
            help="Path of a page, from the / on. [default: all that have counters of their own by"
            " now]"
        ),
    ] = None,
    undo: Annotated[
        bool, typer.Option("--undo", help="Count the views of --path under (other) again.")
    ] = False,
    dry_run: Annotated[
        bool, typer.Option("--dry-run", help="Say what would happen, and change nothing.")
    ] = False,
    yes: Yes = False,
    as_json: Json = False,
    data: Data = None,
) -> None:
    """Move views that were counted under (other) to their pages.

    A page not seen before, opened from an address that had already opened too many new ones, counts
    under (other) until readers at other addresses have seen it too. Once it has a counter of its
    own, this moves its earlier views to it, exactly, as the raw hits have them. Running the same
    command twice changes nothing more.
    """
    where = at("sites", site, "other-views")
    date = f"{day:%Y-%m-%d}"
    named = list(path or [])
    if undo and not named:
        raise typer.BadParameter("--undo needs the pages: give --path")
    returned: dict[str, int] = {}
    with connected(data) as admin:
        if not undo:
            query = {"day": date, "path": named, "limit": LISTED}
            pages = admin.call("GET", where, query=query).rows("pages")
            named = [page["path"] for page in pages]
            if not as_json:
                _show(pages, date)
        if named and not dry_run:
            if not yes:
                confirm(
                    "Count them under (other) again?"
                    if undo
                    else "Move these views to their pages?"
                )
            for begin in range(0, len(named), AT_ONCE):
                body = {"day": date, "paths": named[begin : begin + AT_ONCE], "undo": undo}
                returned |= admin.call("POST", where, body).part("views")
    if as_json:
        show_json({"day": date, "pages": named, "returned": returned})
    elif undo and returned:
        say(f"{len(named)} pages of {date} count under (other) again, as before.")
    elif returned:
        views = sum(returned.values())
        say(f"{len(named)} pages of {date} got {views} views back from (other).")
    if len(named) == LISTED and not as_json:
        say("There may be more: run the same command again.")


def _show(pages: Sequence[dict[str, Any]], date: str) -> None:
    if not pages:
        say(f"No views of {date} wait under (other).")
        return
    columns = ("path", "waiting", "views", "visits", "readers")
    heads = ("page", "moved now", "views under (other)", "visits", "readers")
    table(heads, ([str(page[name]) for name in columns] for page in pages))
