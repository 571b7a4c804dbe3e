"""`/admin/groups`: groups of sites, each with its table, and `/public/groups/{group}` for anybody.

A public group shows, and adds up, only those of its sites that have a public dashboard.
"""

from collections.abc import Sequence
from typing import Any

from starlette.responses import Response

from services.api.dashboard.requests.page_request import HOME, PageRequest
from services.api.dashboard.sites import table_view
from services.api.dashboard.sites.sites_page import choices
from services.api.dashboard.sites.table_files import sum_notes, table_file
from services.api.dashboard.sites.table_view import asked
from services.model.group import Group
from services.model.site import Site

GROUPS = f"{HOME}/groups"
PUBLIC_GROUPS = "/public/groups"


async def groups(page: PageRequest) -> Response:
    """Return the groups, with the sums of each."""
    tables, who = page.dependencies.tables, page.principal
    tree, visible = await tables.groups.tree(), await tables.visible(who)
    names = dict(choices(tree, visible))
    of_groups = [(group, await tables.sites(who, group)) for group in visible]
    every = {site.kept_as: site for _, of_group in of_groups for site in of_group}
    query, _ = asked(page)
    many = await tables.read(list(every.values()), query, who, page.request)
    rows = [
        row._replace(name=names[group.slug])
        for (group, _), row in zip(of_groups, table_view.groups(page, of_groups, many), strict=True)
    ]
    return page.render(
        "groups.html",
        group_rows=sorted(rows, key=lambda row: row.name),
        **table_view.period(many.scope, GROUPS, page.t),
    )


async def group(page: PageRequest) -> Response:
    """Return a group: the groups directly below it, and the table of all its sites."""
    tables, who = page.dependencies.tables, page.principal
    of = await tables.group(_slug(page), who)
    sites = await tables.sites(who, of)
    tree = await tables.groups.tree()
    view = await table_view.read(page, sites)
    children = [(child, await tables.sites(who, child)) for child in tree.children(of.slug)]
    children = [(child, own) for child, own in children if own or who.is_owner]
    scope = view.many.scope
    return page.render(
        "group.html",
        above=[
            (one.name or one.slug, table_view.address_of(one, scope))
            for one in tree.path(of)[:-1]
            if who.is_owner or await tables.sites(who, one)
        ],
        group_rows=table_view.groups(page, children, view.many),
        others=len(await tables.groups.sites_of(of)) - len(sites),
        public_url=f"{PUBLIC_GROUPS}/{of.slug}" if of.public else "",
        **_shown(page, of, view, f"{GROUPS}/{of.slug}", is_public=False),
    )


async def file(page: PageRequest) -> Response:
    """Return the table of a group as a file."""
    tables = page.dependencies.tables
    of = await tables.group(_slug(page), page.principal)
    sites = await tables.sites(page.principal, of)
    return await table_file(page, sites, of.slug, of.name or of.slug)


async def public_group(page: PageRequest) -> Response:
    """Return a group for anybody."""
    of, sites = await _public(page)
    view = await table_view.read(page, sites, is_public=True)
    base = f"{PUBLIC_GROUPS}/{of.slug}"
    shown = _shown(page, of, view, base, is_public=True)
    return page.render("public_group.html", is_shown=True, **shown)


async def public_file(page: PageRequest) -> Response:
    """Return the table of a public group as a file."""
    of, sites = await _public(page)
    return await table_file(page, sites, of.slug, of.name or of.slug, is_public=True)


async def _public(page: PageRequest) -> tuple[Group, Sequence[Site]]:
    page.dependencies.registry.require_known()
    tables = page.dependencies.tables
    of = await tables.group(_slug(page), None)
    return of, await tables.sites(None, of)


def _shown(
    page: PageRequest, of: Group, found: table_view.ReadSites, base: str, *, is_public: bool
) -> dict[str, Any]:
    return {
        "group": of,
        "mine": True,
        "notes": sum_notes(found.table, page.t),
        **table_view.context(page, found, base, is_public=is_public),
    }


def _slug(page: PageRequest) -> str:
    slug: str = page.request.path_params["group"]
    return slug
