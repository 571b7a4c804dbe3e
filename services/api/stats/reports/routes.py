"""`GET /api/v1/reports/{slug}` and `/api/v1/groups/{group}/report`: reports for programs."""

from collections.abc import Callable
from typing import Annotated

from fastapi import APIRouter, Depends, Path, Query, Request

from services.api.access.route import Who, needs, stats_router
from services.api.sites.groups.routes import OfGroup
from services.api.sites.registry import Registry
from services.api.stats.grammar.site_query import MEASURED
from services.api.stats.known_route import KnownRoute
from services.api.stats.panels.site_panels import PanelSource
from services.api.stats.periods.opening import Opening
from services.api.stats.reports.report_query import DEFAULT, REPORT_PERIODS, ReportQuery
from services.api.stats.reports.traffic_report import TrafficReport
from services.api.stats.reports.unit import ReportUnit, ReportUnits
from services.api.stats.sites import principal_of, readable_by_slug
from services.http.departures import unless_gone
from services.model.account import Role
from services.model.site import Site

PATH = "/api/v1/reports/{slug}"
GROUP_PATH = "/api/v1/groups/{group}/report"

ReportPeriod = Annotated[
    str,
    Query(
        description="of the calendar, or of reports: these end on the 14th",
        json_schema_extra={"enum": list(REPORT_PERIODS)},
    ),
]
ReportDate = Annotated[
    str,
    Query(
        description="a day of the period; the last period that is over if none."
        " 2024-01-01,2024-01-31 for a custom period"
    ),
]
ReportedOpening = Annotated[
    str,
    Query(
        description="whether opening balances are in the figures",
        json_schema_extra={"enum": list(Opening)},
    ),
]


class _SiteRoute(KnownRoute):
    """The report of one site, which takes no parameters of other queries."""

    taken_everywhere = frozenset()


def router(
    registry: Callable[[], Registry],
    panels: Callable[[], PanelSource],
    units: Callable[[], ReportUnits],
) -> APIRouter:
    """Return the routes; what they need is looked up for every request."""
    routes = stats_router()
    # Who may read depends on the requested site.
    of_site = stats_router(route_class=_SiteRoute)

    async def site_of(
        request: Request, slug: Annotated[str, Path(description="the site's name in addresses")]
    ) -> Site:
        return await readable_by_slug(request, registry(), slug)

    @of_site.get(PATH)
    async def report(
        request: Request,
        site: Annotated[Site, Depends(site_of)],
        period: ReportPeriod = DEFAULT,
        date: ReportDate = "",
        opening: ReportedOpening = MEASURED.value,
    ) -> TrafficReport:
        """What an office reports of a period: figures, changes, days, months, most read."""
        query = ReportQuery(period, date, opening)
        unit = ReportUnit.of_site(site)
        return await unless_gone(
            request, panels().report(unit, query, principal_of(request), request)
        )

    @routes.get(GROUP_PATH)
    @needs(Role.VIEWER)
    async def group_report(
        request: Request,
        who: Who,
        group: OfGroup,
        period: ReportPeriod = DEFAULT,
        date: ReportDate = "",
        opening: ReportedOpening = MEASURED.value,
    ) -> TrafficReport:
        """The same of a group of sites, added up; 403 for one of which not all sites are yours."""
        registry().require_loaded()
        unit = await units().group(group, who)
        query = ReportQuery(period, date, opening)
        return await unless_gone(request, panels().report(unit, query, who, request))

    routes.include_router(of_site)
    return routes
