"""The commands `luot titles …`: the titles of a site's pages."""

import time
from pathlib import Path
from typing import Annotated, Any

import typer

from services.cli.connection import Data, at, connected
from services.cli.language import said
from services.cli.terminal import Json, fail, say, show_json, table, when
from services.http.errors import ApiError
from services.runtime.reasons import reason

app = typer.Typer(
    help="Titles of pages: fetch from the portal, set, import, list, remove. Talks to the running"
    " API (LUOT_URL and LUOT_TOKEN, or --data).",
    no_args_is_help=True,
)
_AT_ONCE = 500
_LOOK_SECONDS = 2.0
_WRONG_SHOWN = 20

OfSite = Annotated[str, typer.Argument(help="Short name of the site.", metavar="SITE")]
OfPage = Annotated[str, typer.Argument(help="Path of the page, or its full URL.", metavar="PAGE")]


@app.command()
def fetch(
    site: OfSite,
    sitemap: Annotated[
        str | None, typer.Option(help="Address of the sitemap; '' for the one in robots.txt.")
    ] = None,
    daily: Annotated[
        bool | None,
        typer.Option("--daily/--not-daily", help="Whether to read it once a day from now on."),
    ] = None,
    in_top: Annotated[
        bool | None,
        typer.Option(
            "--in-top/--not-in-top",
            help="Whether to show titles in the public list of most read pages.",
        ),
    ] = None,
    pages: Annotated[
        int, typer.Option(min=0, max=500, help="Maximum number of pages to fetch titles from.")
    ] = 500,
    wait: Annotated[
        bool, typer.Option("--wait/--no-wait", help="Wait until it has finished.")
    ] = True,
    stop: Annotated[bool, typer.Option("--stop", help="Stop the run in progress.")] = False,
    data: Data = None,
    as_json: Json = False,
) -> None:
    """Read the portal's sitemaps, and the titles of its most read pages.

    The API does this in the background, at most one page a second, on hosts of the site only.
    """
    address = at("sites", site, "titles", "fetch")
    given = {"sitemap": sitemap, "daily": daily, "in_top": in_top}
    changes = {name: value for name, value in given.items() if value is not None}
    with connected(data) as admin:
        if changes:
            admin.call("PATCH", at("sites", site, "titles", "plan"), changes, has="daily")
        run = (
            admin.call("DELETE", address) if stop else admin.call("POST", address, {"pages": pages})
        )
        while wait and run["state"] == "running":
            time.sleep(_LOOK_SECONDS)
            run = admin.call("GET", address)
    if as_json:
        show_json(run)
    else:
        say(_told(run))
    if run["state"] in ("failed", "lost"):
        raise typer.Exit(1)


@app.command("set")
def set_title(
    site: OfSite,
    page: OfPage,
    title: Annotated[str, typer.Argument(help="Title of the page.")],
    data: Data = None,
) -> None:
    """Set the title of a page; fetching from the portal no longer changes it."""
    with connected(data) as admin:
        answer = admin.call("PUT", at("sites", site, "titles"), {"path": page, "title": title})
    say("written" if answer["written"] else "it has this title already")


@app.command("import")
def import_titles(
    site: OfSite,
    file: Annotated[
        Path, typer.Argument(help="CSV or XLSX file: path and title of a page on each line.")
    ],
    data: Data = None,
) -> None:
    """Set titles from a file, 500 lines at a time; lines already written are skipped."""
    titles = _lines(file)
    written = 0
    with connected(data) as admin:
        for first in range(0, len(titles), _AT_ONCE):
            body = {"titles": titles[first : first + _AT_ONCE]}
            written += admin.call("POST", at("sites", site, "titles", "import"), body)["written"]
    say(f"{written} written, {len(titles) - written} already known")


@app.command("list")
def list_titles(
    site: OfSite,
    search: Annotated[str, typer.Option(help="Words in the title or path, in this order.")] = "",
    limit: Annotated[int, typer.Option(min=1, max=500, help="Maximum number of titles.")] = 100,
    data: Data = None,
    as_json: Json = False,
) -> None:
    """List titles, ordered by path."""
    query: dict[str, Any] = {"search": search, "limit": limit}
    with connected(data) as admin:
        answer = admin.call("GET", at("sites", site, "titles"), query=query)
        titles = answer.rows("titles")
    if as_json:
        show_json(answer)
        return
    table(
        ("page", "title", "from"),
        (
            (one["path"], one["title"], "written" if one["by_hand"] else "the portal")
            for one in titles
        ),
    )
    if answer["has_more"]:
        say("there are more; search, or raise --limit")


@app.command()
def remove(site: OfSite, page: OfPage, data: Data = None) -> None:
    """Remove the title of a page; fetching from the portal does not bring it back."""
    with connected(data) as admin:
        admin.tell("DELETE", at("sites", site, "titles"), query={"path": page})
    say(f"removed the title of {page}")


def _lines(file: Path) -> list[dict[str, str]]:
    """Return the lines of a file, read as the dashboard does; the first may be a header."""
    from services.api.sites.titles.title_file import lines_of

    try:
        lines = lines_of(file.read_bytes())
    except OSError as error:
        fail(f"{file} cannot be read: {reason(error)}")
    except ApiError as error:
        fail(f"{file}: {said(error.errors['file'])}")
    if wrong := [line for line in lines if line.lacks]:
        for line in wrong[:_WRONG_SHOWN]:
            say(f"line {line.number} is refused: {said(line.lacks)}", err=True)
        fail(f"{file}: {len(wrong)} of {len(lines)} lines are refused, and nothing was written")
    return [{"path": line.page, "title": line.title} for line in lines]


def _told(run: dict[str, Any]) -> str:
    counts = said(
        f"{run['sitemaps']} sitemaps, {run['named']} new pages, {run['asked']} pages fetched,"
        f" {run['found']} new titles"
    )
    ended = f" {when(run['ended'])}" if run["ended"] else ""
    problem = "; " + said(f"the last problem: {run['problem']}") if run["problem"] else ""
    return f"{said(run['state'])}{ended}: {counts}{problem}"
