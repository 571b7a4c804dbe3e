"""`/admin`: the table of the caller's sites."""

from http import HTTPStatus
from typing import Any

from starlette.responses import Response

from services.api.dashboard.requests.page_request import HOME, PageRequest
from services.api.dashboard.sites import table_view
from services.api.dashboard.sites.table_files import sum_notes, table_file
from services.http.errors import ApiError
from services.model.group import Group, GroupTree
from services.model.site import Site

_FILE_NAME = "sites"


async def sites(page: PageRequest) -> Response:
    """Return the table, of all sites or of a group."""
    tables, who = page.dependencies.tables, page.principal
    tree = await tables.groups.tree()
    visible = await tables.visible(who)
    chosen = page.parameter("group")
    mine = await _chosen(page)
    base: dict[str, Any] = {
        "mine": bool(mine) or bool(await tables.sites(who)),
        "group": chosen,
        "groups": choices(tree, visible),
        "may_see_groups": bool(visible) or who.is_owner,
    }
    try:
        view = await table_view.read(page, mine)
    except ApiError as refusal:
        if refusal.status != HTTPStatus.SERVICE_UNAVAILABLE:
            raise
        names = [(site.name or site.slug, f"{HOME}/sites/{site.slug}") for site in mine]
        search = page.parameter("search")
        return page.render("sites.html", refusal=refusal, away=names, search=search, **base)
    shown = table_view.context(page, view, HOME, is_public=False)
    return page.render("sites.html", notes=sum_notes(view.table, page.t), **base, **shown)


async def file(page: PageRequest) -> Response:
    """Return the same table as a file."""
    return await table_file(page, await _chosen(page), _FILE_NAME, page.t("sites"))


async def _chosen(page: PageRequest) -> list[Site]:
    tables, who, slug = page.dependencies.tables, page.principal, page.parameter("group")
    return await tables.sites(who, await tables.group(slug, who) if slug else None)


def choices(tree: GroupTree, groups: list[Group]) -> list[tuple[str, str]]:
    """Return slug and full path of each group, in the order of the tree."""
    named = [
        (group.slug, " › ".join(one.name or one.slug for one in tree.path(group)))
        for group in groups
    ]
    return sorted(named, key=lambda one: one[1])
