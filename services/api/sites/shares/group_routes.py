"""`/api/admin/groups/{group}/shares`: links that show a report of a group without signing in."""

from collections.abc import Callable
from http import HTTPStatus

from fastapi import APIRouter
from pydantic import Field

from services.api.access.route import Who, admin_router, needs
from services.api.sites.groups.routes import OfGroup
from services.api.sites.registry import Registry
from services.api.sites.shares.routes import (
    NewShareOut,
    OfLink,
    SharedReportFields,
    ShareFields,
    ShareList,
    made_out,
    share_out,
)
from services.api.sites.shares.service import ShareLinks
from services.api.stats.reports.unit import ReportUnit, ReportUnits
from services.model.account import Role


class GroupShareFields(ShareFields):
    """A link of a group that is to be made."""

    report: SharedReportFields = Field(description="which report of the group it shows")


def router(
    registry: Callable[[], Registry],
    units: Callable[[], ReportUnits],
    links: Callable[[], ShareLinks],
) -> APIRouter:
    """Return the routes; what they need is looked up for every request."""
    routes = admin_router("/groups/{group}/shares")

    async def unit_of(slug: str, who: Who) -> ReportUnit:
        registry().require_loaded()
        return await units().group(slug, who)

    @routes.get("")
    @needs(Role.EDITOR)
    async def list_group_shares(slug: OfGroup, who: Who) -> ShareList:
        """The links to reports of a group; 403 where not all of its sites are yours."""
        of_group = await links().of(await unit_of(slug, who))
        return ShareList(shares=[share_out(one) for one in of_group])

    @routes.post("", status_code=HTTPStatus.CREATED)
    @needs(Role.EDITOR)
    async def make_group_share(slug: OfGroup, new: GroupShareFields, who: Who) -> NewShareOut:
        """Make a link to a report; it takes an owner, unless LUOT_EDITORS_PUBLISH is on."""
        unit = await unit_of(slug, who)
        return made_out(await links().make(who, unit, new.name, new.report.query))

    @routes.delete("/{id}", status_code=HTTPStatus.NO_CONTENT)
    @needs(Role.EDITOR)
    async def withdraw_group_share(slug: OfGroup, id_: OfLink, who: Who) -> None:
        """Withdraw a link: within a second it shows nothing any more."""
        await links().withdraw(who, await unit_of(slug, who), id_)

    return routes
