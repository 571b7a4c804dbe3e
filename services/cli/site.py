"""The commands `luot site …`: sites of a running Luot, through its admin API."""

import sys
import time
from collections.abc import Mapping
from typing import Annotated, Any

import typer

from services.cli import display
from services.cli.connection import Admin, Data, at, connected
from services.cli.language import said
from services.cli.options import with_options
from services.cli.site_options import OPTIONS
from services.cli.terminal import Json, Yes, ask, confirm_removal, fail, say, when

app = typer.Typer(
    help="Sites: add, list, edit, remove. Talks to the running API (LUOT_URL and LUOT_TOKEN,"
    " or --data).",
    no_args_is_help=True,
)

Slug = Annotated[str, typer.Argument(help="Short name of the site, for example mytho.")]
_INGEST_SECONDS = 6
"""How long `add` waits for ingest, which reads the sites every two seconds."""


@app.command()
@with_options(OPTIONS | display.OPTIONS)
def add(slug: Slug, data: Data = None, as_json: Json = False, **given: Any) -> None:
    """Add a site, and say whether ingest counts it yet."""
    fields = _fields(given)
    with connected(data) as admin:
        made = admin.call("POST", "/sites", {"slug": slug, **fields}, has="slug")
        _show([made], as_json)
        if not as_json:
            if made.get("removed_before"):
                say(f"a site {slug} was removed before; this one starts at zero")
            say(_counted(admin, slug))


@app.command("list")
def list_sites(data: Data = None, as_json: Json = False) -> None:
    """List the sites."""
    with connected(data) as admin:
        _show(admin.call("GET", "/sites").rows("sites"), as_json, many=True)


@app.command()
@with_options(OPTIONS | display.OPTIONS | {"reset": display.Reset})
def edit(
    slug: Slug, yes: Yes = False, data: Data = None, as_json: Json = False, **given: Any
) -> None:
    """Change the given settings of a site, and no others.

    A new time zone takes effect at the next midnight in it, so that no number goes down. The
    command first says what happens to the days until then and, at a terminal, asks for
    confirmation.
    """
    fields = _fields(given)
    if not fields:
        fail(f"nothing to change on {slug}: give at least one option; see luot site edit --help")
    with connected(data) as admin:
        if "timezone" in fields:
            _announce_zone(admin, slug, fields["timezone"], yes)
        _show([admin.call("PATCH", at("sites", slug), fields, has="slug")], as_json)


Erase = Annotated[
    bool, typer.Option("--erase", help="Delete everything that was counted for it, for good.")
]


@app.command()
def remove(slug: Slug, erase: Erase = False, yes: Yes = False, data: Data = None) -> None:
    """Remove a site: it is no longer counted or shown. `luot site restore` brings it back.

    With --erase, everything that was counted for it is deleted for good, even if the site was
    removed before. Either way, a new site with the same name starts at zero.
    """
    if not yes and not erase:
        confirm_removal("site", slug)
    with connected(data) as admin:
        if erase:
            from services.cli.erase import erase as erased

            erased(admin, slug, yes)
            return
        admin.tell("DELETE", at("sites", slug))
    say(f"removed {slug}; its counts are kept, and luot site restore {slug} brings it back")


@app.command()
def rename(
    slug: Slug,
    to: Annotated[str, typer.Argument(help="New short name.")],
    data: Data = None,
    as_json: Json = False,
) -> None:
    """Change the short name of a site. Its numbers stay, and the old snippet still counts."""
    with connected(data) as admin:
        renamed = admin.call("POST", at("sites", slug, "rename"), {"slug": to}, has="slug")
        _show([renamed], as_json)


@app.command()
def merge(
    slug: Slug,
    into: Annotated[str, typer.Argument(help="Site whose numbers will include them.")],
    data: Data = None,
    as_json: Json = False,
) -> None:
    """Add the numbers of a site, including those of past years, to those of another.

    Both are still counted, each with its old snippet. `luot site part` separates them again.
    """
    with connected(data) as admin:
        merged = admin.call("POST", at("sites", slug, "merge"), {"into": into}, has="slug")
        _show([merged], as_json)


@app.command()
def part(slug: Slug, data: Data = None, as_json: Json = False) -> None:
    """Separate a site from the one it was merged into."""
    with connected(data) as admin:
        _show([admin.call("DELETE", at("sites", slug, "merge"), has="slug")], as_json)


@app.command()
def restore(slug: Slug, data: Data = None, as_json: Json = False) -> None:
    """Restore a site that was removed but not erased, with its settings and counts."""
    with connected(data) as admin:
        _show([admin.call("POST", at("sites", slug, "restore"), has="slug")], as_json)
        if not as_json:
            say(_counted(admin, slug))


Pages = Annotated[
    list[str],
    typer.Argument(help="Paths, for example /tin-tuc/1, or /tin-tuc/* for everything below."),
]


@app.command()
def hide(slug: Slug, pages: Pages, data: Data = None, as_json: Json = False) -> None:
    """Hide pages from all public lists of pages, at once.

    They are still counted, and each still shows its own views.
    """
    with connected(data) as admin:
        hidden = admin.call("GET", at("sites", slug))["hidden_pages"]
        _hidden(admin, slug, [*hidden, *pages], as_json)


@app.command()
def unhide(slug: Slug, pages: Pages, data: Data = None, as_json: Json = False) -> None:
    """Show hidden pages in public lists again."""
    with connected(data) as admin:
        hidden = admin.call("GET", at("sites", slug))["hidden_pages"]
        if unknown := [page for page in pages if page not in hidden]:
            fail(f"{unknown[0]} is not hidden; hidden pages: {', '.join(hidden) or 'none'}")
        _hidden(admin, slug, [page for page in hidden if page not in pages], as_json)


def _hidden(admin: Admin, slug: str, pages: list[str], as_json: bool) -> None:
    site = admin.call("PATCH", at("sites", slug), {"hidden_pages": pages}, has="slug")
    if as_json:
        _show([site], as_json)
        return
    say(f"hidden pages of {slug}: {', '.join(site['hidden_pages']) or 'none'}")


def _announce_zone(admin: Admin, slug: str, timezone: str, yes: bool) -> None:
    """Say what a new time zone does to the numbers; at a terminal, ask for confirmation."""
    change = admin.call("GET", at("sites", slug, "timezone"), query={"to": timezone})
    if change["at_once"]:
        return
    say(change["text"], err=True)
    if not yes and sys.stdin.isatty():
        ask("Change it?", err=True)


def _counted(admin: Admin, slug: str) -> str:
    """Wait until ingest knows a site; return whether it counts the site, or what is missing."""
    query = {"wait": _INGEST_SECONDS}
    status = admin.call("GET", at("sites", slug, "ingest"), query=query)
    if status["counts"]:
        return f"ingest now counts {slug}"
    return f"{slug} is not counted yet: {status['missing']}"


def _fields(given: Mapping[str, Any]) -> dict[str, Any]:
    """Return the fields of the API that the options set."""
    # Typer gives an empty list for an option that was not used.
    fields = {name: given[name] for name in OPTIONS if given[name] not in (None, [])}
    for name in ("excluded_pages", "download_endings", "search_parameters", "frame_hosts"):
        if name in fields:
            fields[name] = [value for value in fields[name] if value]
    if "page_aliases" in fields:
        fields["page_aliases"] = [_alias(given) for given in fields["page_aliases"] if given]
    if shown := display.fields(given):
        fields["display"] = shown
    return fields


def _alias(given: str) -> dict[str, str]:
    # A path may contain '=' in its query.
    address, mark, page = given.partition("=/")
    if not mark:
        fail(f"{given!r} is not an alias; expected for example '/tin-cu/1=/tin/1'")
    return {"address": address, "page": f"/{page}"}


def _zone(site: Mapping[str, Any]) -> str:
    """Return the time zone of a site, and the next one if a change is pending."""
    begins = site.get("timezone_from", 0)
    if begins <= time.time() * 1000:
        return str(site["timezone"])
    return said(f"{site['timezone_before']}; {site['timezone']} from {when(begins)}")


def _show(sites: list[dict[str, Any]], as_json: bool, many: bool = False) -> None:
    if as_json:
        import json

        typer.echo(json.dumps(sites if many else sites[0], ensure_ascii=False, indent=2))
        return
    from rich.console import Console
    from rich.table import Table

    heads = ("site", "name", "hosts", "time zone", "shows", "significant")
    table = Table(*map(said, heads))
    for site in sites:
        table.add_row(
            site["slug"],
            site["name"],
            ", ".join(site["hosts"]) or said("(none)"),
            _zone(site),
            said("views only" if site.get("views_only") else site["metric"]),
            ", ".join(site["significant"]),
        )
    Console().print(table)
