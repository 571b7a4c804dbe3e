"""`GET /api/v1/table`: the table of sites, for programs."""

import datetime
from collections.abc import Callable
from typing import Annotated, Any

from fastapi import APIRouter, Query, Request
from pydantic import BaseModel, Field

from services.api.access.route import Who, needs, stats_router
from services.api.stats.grammar.measures import Counts, Measure, Value
from services.api.stats.grammar.site_query import (
    CHARTED,
    LONG_PERIODS,
    MEASURED,
    PERIODS,
    REPORTS,
    SiteQuery,
)
from services.api.stats.many.many_sites import SumOfSites
from services.api.stats.many.table import ORDERS, SORTS, SitesTable, TableQuery
from services.api.stats.many.tables import SiteTables
from services.api.stats.periods.comparison import Comparison
from services.api.stats.periods.opening import Opening
from services.api.stats.periods.spans import DEFAULT_PERIOD, Period, Span
from services.http.departures import unless_gone
from services.model.account import Role
from services.model.calendar import to_date

PATH = "/api/v1/table"
TABLE_PERIODS = (*PERIODS, *LONG_PERIODS, *REPORTS, Period.CUSTOM.value)


class TableCounts(BaseModel):
    """What was counted; of several sites, a visitor of two is two."""

    pageviews: int
    visits: int
    visitors: int | None = Field(
        description="null for days compared with of which some are known from opening balances"
        " alone: these have no visitors"
    )


class TableChanges(BaseModel):
    """From the days compared with, in percent; null where there is nothing to tell."""

    pageviews: Value
    visits: Value
    visitors: Value


class TableNumbers(BaseModel):
    """The numbers of a site, or of several together."""

    now: TableCounts
    before: TableCounts | None = Field(
        description="of the days compared with; null where not all of these were counted"
    )
    change: TableChanges
    trend: list[int] = Field(description="of the measure, for each few days that have come")
    counted_since: datetime.date | None


class TableSite(TableNumbers):
    """A site of the table."""

    rank: int = Field(description="by the measure, among all sites of the table")
    site: str
    name: str
    online: int | None = Field(description="visitors of now; null where that is not known")
    silent_since: datetime.datetime | None = Field(
        description="when the last view was, of a site that had some every day and fell silent"
    )


class TableDays(BaseModel):
    """Days from first to last, both included."""

    first: datetime.date
    last: datetime.date


class TableOut(BaseModel):
    """Sites with their numbers in a period, and the sums of those that were found."""

    days: TableDays
    before: TableDays | None
    measure: str
    sum: TableNumbers
    unknown_before: list[str] = Field(
        description="sites of which not all days to compare with were counted, so that the sums"
        " have no change"
    )
    sites: list[TableSite]


def _one_of(*names: str) -> dict[str, list[str]]:
    return {"enum": list(names)}


TablePeriod = Annotated[
    str, Query(description="as at a site's page", json_schema_extra=_one_of(*TABLE_PERIODS))
]
TableDate = Annotated[
    str,
    Query(description="a day of the period; today if none. 2024-01-01,2024-01-31 for custom"),
]
TableCompare = Annotated[
    str,
    Query(description=f"{', '.join(Comparison)}, or two dates: 2024-01-01,2024-01-31"),
]
TableMeasure = Annotated[
    str,
    Query(description="what ranks and trends are of", json_schema_extra=_one_of(*CHARTED)),
]
TableOpening = Annotated[
    str,
    Query(
        description="whether opening balances are in the numbers",
        json_schema_extra=_one_of(*Opening),
    ),
]
TableSort = Annotated[
    str, Query(description="the measure if none", json_schema_extra=_one_of("", *SORTS))
]
TableOrder = Annotated[
    str,
    Query(
        description="if none, names from A and numbers from the highest on",
        json_schema_extra=_one_of("", *ORDERS),
    ),
]


def router(tables: Callable[[], SiteTables]) -> APIRouter:
    """Return the route; `tables` is called for every request."""
    routes = stats_router()

    @routes.get(PATH)
    @needs(Role.VIEWER)
    async def sites_table(
        request: Request,
        who: Who,
        group: Annotated[str, Query(description="slug of a group; all sites if none")] = "",
        period: TablePeriod = DEFAULT_PERIOD,
        date: TableDate = "",
        compare: TableCompare = Comparison.PREVIOUS_PERIOD.value,
        measure: TableMeasure = Measure.PAGEVIEWS.value,
        opening: TableOpening = MEASURED.value,
        sort: TableSort = "",
        order: TableOrder = "",
        search: Annotated[
            str, Query(description="in name, slug or host, with or without diacritics")
        ] = "",
    ) -> TableOut:
        """All sites that one's user or token can read, with numbers, changes, ranks and sums."""
        source = tables()
        of = await source.group(group, who) if group else None
        query = SiteQuery(period, date, measure, "", compare, opening)

        async def read() -> SitesTable:
            sites = await source.sites(who, of)
            many = await source.read(sites, query, who, request)
            return await source.table(sites, many, TableQuery(sort, order, search), who)

        return _out(await unless_gone(request, read()))

    return routes


def _out(table: SitesTable) -> TableOut:
    scope = table.scope
    return TableOut(
        days=_days(scope.span),
        before=_days(scope.before) if scope.before else None,
        measure=scope.measure.value,
        sum=TableNumbers(**_numbers(table.total, scope.measure)),
        unknown_before=[site.slug for site in table.total.unknown],
        sites=[
            TableSite(
                **_numbers(row.numbers, scope.measure),
                rank=row.rank,
                site=row.site.slug,
                name=row.site.name,
                online=row.online,
                silent_since=_moment(row.silent),
            )
            for row in table.rows
        ],
    )


def _numbers(of: SumOfSites, measure: Measure) -> dict[str, Any]:
    return {
        "now": _counts(of.now),
        "before": None if of.before is None else _counts_before(of, of.before),
        "change": TableChanges(**{each.value: of.change(each) for each in CHARTED}),
        "trend": [int(counts.value(measure) or 0) for counts in of.trend],
        "counted_since": None if of.since is None else to_date(of.since),
    }


def _counts(of: Counts) -> TableCounts:
    return TableCounts(pageviews=of.pageviews, visits=of.visits, visitors=of.visitors)


def _counts_before(of: SumOfSites, before: Counts) -> TableCounts:
    visitors = None if of.value_before(Measure.VISITORS) is None else before.visitors
    return TableCounts(pageviews=before.pageviews, visits=before.visits, visitors=visitors)


def _days(span: Span) -> TableDays:
    return TableDays(first=to_date(span.first), last=to_date(span.last))


def _moment(at_ms: int | None) -> datetime.datetime | None:
    return None if at_ms is None else datetime.datetime.fromtimestamp(at_ms / 1000, datetime.UTC)
