"""The commands `luot site …`: sites of a running Luot, through its admin API."""

from collections.abc import Mapping
from typing import Annotated, Any

import typer

from services.cli import display
from services.cli.connection import Data, connected
from services.cli.options import with_options
from services.cli.terminal import Json, Yes, confirm_removal, fail

app = typer.Typer(
    help="Sites: add, list, edit, remove. Talks to the running API (LUOT_URL and LUOT_TOKEN,"
    " or --data).",
    no_args_is_help=True,
)

Slug = Annotated[str, typer.Argument(help="Short name of the site, for example mytho.")]
Name = Annotated[str | None, typer.Option(help="Name shown to people.")]
Timezone = Annotated[
    str | None, typer.Option(help="IANA name; days turn at its midnight. Asia/Ho_Chi_Minh.")
]
Hosts = Annotated[
    list[str] | None,
    typer.Option(
        "--host", help="Host name it may be counted from; *.x for all below x, * for any. Repeat."
    ),
]
Metric = Annotated[str | None, typer.Option(help="What it shows: views, visits or visitors.")]
Significant = Annotated[
    list[str] | None,
    typer.Option("--significant", help="Query parameter that names a page (tabid, nv). Repeat."),
]
HonourDnt = Annotated[
    bool | None,
    typer.Option("--honour-dnt/--ignore-dnt", help="No visitor hash for DNT and GPC browsers."),
]
ViewsOnly = Annotated[
    bool | None,
    typer.Option(
        "--views-only/--with-visits", help="No visitor hash for anybody: everything shows views."
    ),
]
PublicTop = Annotated[
    bool | None,
    typer.Option("--public-top/--private-top", help="Whether anyone may see its top pages."),
]

PublicDashboard = Annotated[
    bool | None,
    typer.Option(
        "--public-dashboard/--private-dashboard",
        help="Whether anyone may see the traffic behind its numbers.",
    ),
]

OPTIONS: dict[str, Any] = {
    "name": Name,
    "timezone": Timezone,
    "hosts": Hosts,
    "metric": Metric,
    "significant": Significant,
    "honour_dnt": HonourDnt,
    "views_only": ViewsOnly,
    "public_top": PublicTop,
    "public_dashboard": PublicDashboard,
}
"""By the name of the field in the API; `add` and `edit` have all of them."""


@app.command()
@with_options(OPTIONS | display.OPTIONS)
def add(slug: Slug, data: Data = None, as_json: Json = False, **given: Any) -> None:
    """Add a site."""
    fields = _fields(given)
    with connected(data) as admin:
        _show([admin.call("POST", "/sites", {"slug": slug, **fields})], as_json)


@app.command("list")
def list_sites(data: Data = None, as_json: Json = False) -> None:
    """List the sites."""
    with connected(data) as admin:
        _show(admin.call("GET", "/sites")["sites"], as_json, many=True)


@app.command()
@with_options(OPTIONS | display.OPTIONS | {"reset": display.Reset})
def edit(slug: Slug, data: Data = None, as_json: Json = False, **given: Any) -> None:
    """Change the settings of a site that are given, and no other."""
    fields = _fields(given)
    if not fields:
        fail(f"nothing to change on {slug}: give at least one option, see luot site edit --help")
    with connected(data) as admin:
        _show([admin.call("PATCH", f"/sites/{slug}", fields)], as_json)


@app.command()
def remove(slug: Slug, yes: Yes = False, data: Data = None) -> None:
    """Remove a site: it is no longer counted or shown. Its counts stay in the store."""
    if not yes:
        confirm_removal("site", slug)
    with connected(data) as admin:
        admin.call("DELETE", f"/sites/{slug}")
    typer.echo(f"removed {slug}")


def _fields(given: Mapping[str, Any]) -> dict[str, Any]:
    """Return the fields of the API that the options set."""
    # Typer gives an empty list for an option that was not used.
    fields = {name: given[name] for name in OPTIONS if given[name] not in (None, [])}
    if shown := display.fields(given):
        fields["display"] = shown
    return fields


def _show(sites: list[dict[str, Any]], as_json: bool, many: bool = False) -> None:
    if as_json:
        import json

        typer.echo(json.dumps(sites if many else sites[0], ensure_ascii=False, indent=2))
        return
    from rich.console import Console
    from rich.table import Table

    table = Table("site", "name", "hosts", "time zone", "shows", "significant")
    for site in sites:
        table.add_row(
            site["slug"],
            site["name"],
            ", ".join(site["hosts"]) or "(none)",
            site["timezone"],
            "views only" if site.get("views_only") else site["metric"],
            ", ".join(site["significant"]),
        )
    Console().print(table)
