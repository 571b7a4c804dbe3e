"""`GET /api/v1/reports/{slug}` and `/api/v1/groups/{group}/report`: reports for programs."""

from collections.abc import Callable
from typing import Annotated

from fastapi import APIRouter, Depends, Query, Request

from services.api.access.route import Who, needs, site_of, stats_router
from services.api.sites.groups.routes import OfGroup
from services.api.sites.registry import Registry
from services.api.stats.opening import Opening
from services.api.stats.panels import PanelSource
from services.api.stats.reports.report_query import DEFAULT, REPORT_PERIODS, ReportQuery
from services.api.stats.reports.traffic_report import TrafficReport
from services.api.stats.reports.unit import ReportUnit, ReportUnits
from services.api.stats.site_query import MEASURED
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


def router(
    registry: Callable[[], Registry],
    panels: Callable[[], PanelSource],
    units: Callable[[], ReportUnits],
) -> APIRouter:
    """Return the routes; what they need is looked up for every request."""
    routes = stats_router()
    known = site_of(registry)

    @routes.get(PATH)
    @needs(Role.VIEWER)
    async def report(
        request: Request,
        who: Who,
        site: Annotated[Site, Depends(known)],
        period: ReportPeriod = DEFAULT,
        date: ReportDate = "",
        opening: ReportedOpening = MEASURED.value,
    ) -> TrafficReport:
        """What an office reports of a period: figures, changes, days, months, most read."""
        query = ReportQuery(period, date, opening)
        unit = ReportUnit.of_site(site)
        return await unless_gone(request, panels().report(unit, query, who, request))

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

    return routes
