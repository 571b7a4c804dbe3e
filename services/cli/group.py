"""The commands `luot group …`: groups of sites, a tree."""

from typing import Annotated, Any

import typer

from services.cli.connection import Data, at, connected
from services.cli.terminal import Json, Yes, confirm_removal, say, show_json, table

app = typer.Typer(
    help="Groups of sites: add, list, edit, remove. Talks to the running API (LUOT_URL and"
    " LUOT_TOKEN, or --data).",
    no_args_is_help=True,
)

OfGroup = Annotated[str, typer.Argument(help="Short name of the group.", metavar="GROUP")]
OptName = Annotated[str | None, typer.Option(help="Display name.")]
OptParent = Annotated[str | None, typer.Option(help="Parent group; '' for none.")]
OptPublic = Annotated[
    bool | None,
    typer.Option(
        "--public/--not-public",
        help="Whether anyone may see the table of those of its sites that are public.",
    ),
]
OptSites = Annotated[
    list[str] | None, typer.Option("--site", help="Short name of a site. Repeatable.")
]
OptPeriod = Annotated[
    str | None,
    typer.Option(
        "--default-period",
        help="Default period for its sites that have none: 30d, month, report_month…; '' for that"
        " of the parent group.",
    ),
]


@app.command()
def add(
    group: OfGroup,
    name: OptName = None,
    parent: OptParent = None,
    sites: OptSites = None,
    public: OptPublic = None,
    default_period: OptPeriod = None,
    data: Data = None,
    as_json: Json = False,
) -> None:
    """Create a group."""
    fields = {"slug": group, **_given(name, parent, sites, public, default_period)}
    with connected(data) as admin:
        made = admin.call("POST", "/groups", fields, has="slug")
    _tell(made, "added", as_json)


@app.command("list")
def list_groups(data: Data = None, as_json: Json = False) -> None:
    """List the groups, with their own sites and the number of sites including subgroups."""
    with connected(data) as admin:
        groups = admin.call("GET", "/groups").rows("groups")
    if as_json:
        show_json(groups)
        return
    table(
        ("group", "name", "part of", "sites", "including subgroups", "opens with"),
        (
            (
                group["slug"],
                group["name"],
                group["parent"],
                ", ".join(group["sites"]),
                str(len(group["all_sites"])),
                group["default_period"],
            )
            for group in groups
        ),
    )


@app.command()
def edit(
    group: OfGroup,
    name: OptName = None,
    parent: OptParent = None,
    sites: OptSites = None,
    public: OptPublic = None,
    default_period: OptPeriod = None,
    no_sites: Annotated[
        bool, typer.Option("--no-sites", help="Leave the group without sites of its own.")
    ] = False,
    data: Data = None,
    as_json: Json = False,
) -> None:
    """Change the given settings of a group; --site replaces its whole list of sites."""
    if no_sites and sites:
        raise typer.BadParameter("--site and --no-sites are mutually exclusive")
    fields = _given(name, parent, [] if no_sites else sites, public, default_period)
    with connected(data) as admin:
        changed = admin.call("PATCH", at("groups", group), fields, has="slug")
    _tell(changed, "changed", as_json)


@app.command()
def remove(group: OfGroup, yes: Yes = False, data: Data = None) -> None:
    """Remove a group that has no subgroups; its sites stay as they are."""
    if not yes:
        confirm_removal("group", group)
    with connected(data) as admin:
        admin.tell("DELETE", at("groups", group))
    say(f"removed {group}")


def _given(
    name: str | None,
    parent: str | None,
    sites: list[str] | None,
    public: bool | None,
    default_period: str | None,
) -> dict[str, Any]:
    fields = {
        "name": name,
        "parent": parent,
        "sites": sites,
        "public": public,
        "default_period": default_period,
    }
    return {key: value for key, value in fields.items() if value is not None}


def _tell(group: dict[str, Any], what: str, as_json: bool) -> None:
    if as_json:
        show_json(group)
    else:
        count = len(group["all_sites"])
        if count == 1:
            say(f"{what} {group['slug']}: 1 site, including subgroups")
        else:
            say(f"{what} {group['slug']}: {count} sites, including subgroups")
