"""The routes of the Stats API."""

import time
from collections.abc import Callable, Sequence
from typing import Annotated

import msgspec
from fastapi import APIRouter, Depends, Query, Request, Response

from services.api.access.route import stats_router
from services.api.counter.online import OnlineReader
from services.api.counter.parameters import one_of
from services.api.sites.registry import Registry
from services.api.stats import answers
from services.api.stats.grammar import names
from services.api.stats.grammar.filters import OF_PATHS, Property
from services.api.stats.grammar.query import (
    DEFAULT_LIMIT,
    MAX_LIMIT,
    MAX_PAGE,
    StatsQuery,
    parse_breakdown,
    parse_query,
)
from services.api.stats.known_route import KnownRoute
from services.api.stats.periods.comparison import Comparison, against
from services.api.stats.periods.opening import Opening
from services.api.stats.periods.spans import DEFAULT_PERIOD, Interval, Period, interval_of
from services.api.stats.readers.callers import StatsReaders
from services.api.stats.readers.changes import BothQueries, both
from services.api.stats.readers.reader import StatsReader
from services.api.stats.readers.results import Row, StatsResult
from services.api.stats.sites import principal_of, readable, refuse_strangers, summed
from services.api.stats.v1 import described
from services.http.departures import unless_gone
from services.http.errors import bad_request, shown, unavailable
from services.model.site import Site
from services.state.state import State
from services.store.interface import Store, StoreError
from services.store.records import titles as kept_titles

VERSION = "/api/v1/"
"""Paths below it are those of Plausible's API."""
PREFIX = f"{VERSION}stats"

SiteId = Annotated[str | None, Query(description="required: the site's slug, or one of its hosts")]
PeriodName = Annotated[
    str,
    Query(
        description=f"days that end with `date`, or in which it lies; `{Period.CUSTOM}` needs two",
        json_schema_extra={"enum": list(Period)},
    ),
]
Dates = Annotated[
    str | None,
    Query(description="the site's today unless given; 2024-01-01,2024-01-31 for a custom period"),
]
Metrics = Annotated[
    str | None,
    Query(description=f"some of {', '.join(described.MEASURES)}, with commas; visitors if none"),
]
Filters = Annotated[
    str | None,
    Query(
        description="event:page==/blog/*;visit:country!=FR|DE: ; is and, | is or, * is any text,"
        " a backslash takes their meaning from them"
    ),
]

WithOpening = Annotated[
    str | None,
    Query(
        alias="opening",
        description="whether opening balances are in the numbers; exclude if none",
        json_schema_extra={"enum": list(Opening)},
    ),
]


class Stats:
    """What the routes need, from start to stop."""

    def __init__(
        self,
        registry: Registry,
        store: Store,
        state: State,
        clock: Callable[[], float] = time.time,
        monotonic: Callable[[], float] = time.monotonic,
    ) -> None:
        self.registry = registry
        self._store = store
        self.readers = StatsReaders(store, parts=registry.parts)
        self.online = OnlineReader(state, clock, monotonic)
        self._clock = clock

    async def close(self) -> None:
        """Close what this opened."""
        await self.online.close()
        await self.readers.close()

    async def titles(self, site: Site, pages: Sequence[str]) -> dict[str, str]:
        """Return the titles of those pages that have one. Raises ApiError, 503."""
        names = [part.kept_as for part in self.registry.parts(site)]
        try:
            return await kept_titles.of_paths(self._store, names, pages)
        except StoreError as error:
            raise unavailable(f"the store cannot be read: {error}") from error

    def today(self, site: Site) -> int:
        """Return the site's current day."""
        return site.day_of(self.now_ms())

    def now_ms(self) -> int:
        """Return the current time, in ms since 1970."""
        return int(self._clock() * 1000)


def router(stats: Callable[[], Stats]) -> APIRouter:
    """Return the routes; `stats` is called for every request."""
    # Who may read depends on the requested site.
    routes = stats_router(PREFIX, route_class=KnownRoute)

    async def site_of(request: Request, site_id: SiteId = None) -> Site:
        return await readable(request, stats().registry, site_id)

    def notes(site: Site) -> list[str]:
        return summed(site, stats().registry)

    def reader_of(request: Request) -> StatsReader:
        return stats().readers.of(principal_of(request), request)

    async def query_of(
        request: Request,
        site: Annotated[Site, Depends(site_of)],
        period: PeriodName = DEFAULT_PERIOD,
        date: Dates = None,
        metrics: Metrics = None,
        filters: Filters = None,
        opening: WithOpening = None,
    ) -> StatsQuery:
        everything = period == Period.ALL
        query = parse_query(
            site,
            stats().today(site),
            period=period,
            dates=date,
            metrics=metrics,
            filters=filters,
            opening=opening,
            since=await reader_of(request).first_day(site) if everything else None,
        )
        refuse_strangers(request, query.site)
        return query

    @routes.get("/realtime/visitors", responses=described.ONLINE)
    async def realtime_visitors(site: Annotated[Site, Depends(site_of)]) -> Response:
        """Visitors seen in the last five minutes, as a plain number."""
        parts = [part.kept_as for part in stats().registry.parts(site)]
        online = (await stats().online.now(parts)).values()
        if not all(of_part.is_current for of_part in online):
            raise unavailable("Redis, which knows who is online, cannot be asked")
        return Response(
            msgspec.json.encode(sum(of_part.visitors for of_part in online)),
            media_type=answers.JSON,
            headers=answers.HEADERS,
        )

    @routes.get("/aggregate", responses=described.AGGREGATE)
    async def aggregate(
        request: Request,
        query: Annotated[StatsQuery, Depends(query_of)],
        period: PeriodName = DEFAULT_PERIOD,
        compare: Annotated[
            str | None,
            Query(
                description="adds the change in percent (of a rate: in points) from the period"
                f" before, or {', '.join(Comparison)}, or two dates: 2024-01-01,2024-01-31; today"
                " is compared with the other day up to the same time",
                json_schema_extra={"examples": list(Comparison)},
            ),
        ] = None,
    ) -> Response:
        """Metrics of a period, one value each."""
        reader = reader_of(request)
        compared = against(compare, period, query.span, stats().today(query.site))

        async def read() -> tuple[StatsResult, StatsResult | None, BothQueries | None]:
            if compared is None:
                return await reader.total(query), None, None
            two = await both(reader, query, compared, stats().now_ms())
            before = two.told(await reader.total(two.before, partly=True))
            return await reader.total(two.now), before, two

        result, before, two = await unless_gone(request, read())
        return answers.respond(
            request,
            answers.aggregate(query.measures, result, before, two.unknown if two else ()),
            [
                *notes(query.site),
                *result.warnings,
                *(before.warnings if before else ()),
                *([two.reason] if two and two.reason else ()),
                *query.not_entered(),
            ],
            f"{query.site.slug}-aggregate",
        )

    @routes.get("/timeseries", responses=described.TIMESERIES)
    async def timeseries(
        request: Request,
        query: Annotated[StatsQuery, Depends(query_of)],
        period: PeriodName = DEFAULT_PERIOD,
        interval: Annotated[
            str | None,
            Query(
                description="unless given: hour for a day, month for 6mo, 12mo and year, or date",
                json_schema_extra={"enum": list(Interval)},
            ),
        ] = None,
    ) -> Response:
        """Metrics of a period by hour, date, week or month; also of intervals without a hit."""
        by = interval_of(interval, period, query.span)
        result = await unless_gone(request, reader_of(request).timeseries(query, by))
        return answers.respond(
            request,
            answers.rows(query.measures, "date", result.rows),
            [
                *notes(query.site),
                *result.warnings,
                *query.not_entered(is_told_apart=by is Interval.HOUR),
            ],
            f"{query.site.slug}-timeseries",
        )

    @routes.get("/breakdown", responses=described.BREAKDOWN)
    async def breakdown(
        request: Request,
        query: Annotated[StatsQuery, Depends(query_of)],
        property: Annotated[  # noqa: A002  # its name in the address
            str | None,
            Query(description="required", json_schema_extra={"enum": list(Property)}),
        ] = None,
        limit: Annotated[
            str | None, Query(description=f"rows a page, 1 to {MAX_LIMIT}; {DEFAULT_LIMIT} if none")
        ] = None,
        page: Annotated[str | None, Query(description=f"1 to {MAX_PAGE}")] = None,
        titles: Annotated[
            str | None,
            Query(
                description="true adds the title of each page, '' where none is known",
                json_schema_extra={"enum": ["true", "false"]},
            ),
        ] = None,
    ) -> Response:
        """Metrics of a period by page, source, country…, the highest first metric first."""
        rows = parse_breakdown(query, property, limit, page)
        who = principal_of(request)
        if who is None or not who.has(query.site.slug):
            query = query.of_shown_pages(rows.by, reader_of(request).parts(query.site))
        is_titled = one_of("titles", titles or "false", ("true", "false")) == "true"
        if is_titled and rows.by not in OF_PATHS:
            raise bad_request("titles", f"{shown(rows.by.value)} has no titles; pages have")
        result = await unless_gone(request, reader_of(request).breakdown(query, rows))
        called = [Row(names.written(rows.by, name), counts) for name, counts in result.rows]
        table = answers.rows(query.measures, rows.by.field, called)
        if is_titled:
            known = await stats().titles(query.site, [name for name, _ in result.rows])
            table = [answers.with_title(row, rows.by.field, known) for row in table]
        return answers.respond(
            request,
            table,
            [*notes(query.site), *result.warnings, *_not_entered(query, rows.by)],
            f"{query.site.slug}-{rows.by.field}",
            [rows.by.field, *(["title"] if is_titled else []), *query.measures],
        )

    return routes


def _not_entered(query: StatsQuery, by: Property) -> list[str]:
    pages_alone = by is Property.PAGE and all(of.by is Property.PAGE for of in query.filters)
    return [] if pages_alone else query.not_entered(is_told_apart=True)
