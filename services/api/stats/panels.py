"""The numbers of a site's page, by one call: `panels(site, query) -> SitePanels`.

All panels are read at once; each is there as soon as it was read, and may be refused alone.
"""

import asyncio
import logging
from collections.abc import Awaitable, Callable, Coroutine, Mapping, Sequence
from datetime import datetime
from http import HTTPStatus
from typing import Any, Self, TypeVar

from services.api.counter import queries
from services.api.counter.online import OnlineReader
from services.api.stats import answers
from services.api.stats.filters import Filter, Property
from services.api.stats.measures import LENGTHS, Counts, Measure, change
from services.api.stats.panel_results import (
    BreakdownRow,
    CsvFile,
    Figure,
    PanelResult,
    SeriesPoint,
)
from services.api.stats.queries_trends import trends
from services.api.stats.question import Part, Question
from services.api.stats.reader import Reader, Row
from services.api.stats.site_query import CHARTED, Scope, SiteQuery, scope_of
from services.api.stats.spans import Interval, Span
from services.http.errors import ApiError, bad_request, shown, unavailable
from services.model.calendar import local_day, zone
from services.model.site import Site
from services.store.interface import Store, StoreError

BREAKDOWNS: Mapping[str, Property] = {
    by.field: by
    for by in (
        Property.PAGE,
        Property.SOURCE,
        Property.COUNTRY,
        Property.DEVICE,
        Property.BROWSER,
        Property.OS,
    )
}
"""The panels that break the traffic down, by name, in their order on the page."""
DETAILS = (*sorted(LENGTHS), Measure.BOTS)
TIMESERIES = "timeseries"
ROWS = 10
CSV_ROWS = 1000
TREND_DAYS = 30

log = logging.getLogger(__name__)

T = TypeVar("T")


class SitePanels:
    """The panels of a site's page; those of the traffic are read within `async with`."""

    def __init__(
        self,
        site: Site,
        scope: Scope,
        store: Store,
        reader: Reader,
        online: OnlineReader,
        at: float,
    ) -> None:
        """`at` is the moment of the request, in seconds since 1970."""
        self.site = site
        self.scope = scope
        self._store = store
        self._reader = reader
        self._online = online
        self._at = at
        self._tasks: list[asyncio.Task[Any]] = []

    async def __aenter__(self) -> Self:
        """Begin to read every panel."""
        self._summary = self._begin(self._compared(CHARTED))
        self._series = self._begin(self._timeseries())
        self._details = self._begin(self._compared(DETAILS))
        self._breakdowns = {
            name: self._begin(self._breakdown(by)) for name, by in BREAKDOWNS.items()
        }
        return self

    async def __aexit__(self, *_: object) -> None:
        """Abandon what is still being read."""
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)

    async def online(self) -> int | None:
        """Return how many visitors are online; None where that is not known."""
        slug = self.site.slug
        online = (await self._online.now([slug]))[slug]
        return online.visitors if online.is_current else None

    async def is_counted(self) -> bool:
        """Return whether the site has ever been counted. Raises ApiError."""
        slug = self.site.slug
        try:
            return slug in await queries.first_days(self._store, [slug])
        except StoreError as error:
            raise unavailable(f"the store cannot be read: {error}") from error

    async def summary(self) -> PanelResult[list[Figure]]:
        """Return the measures that the chart can show."""
        return _figures(CHARTED, await self._summary())

    async def series(self) -> PanelResult[list[SeriesPoint]]:
        """Return the points of the chart."""
        return await self._series()

    async def details(self) -> PanelResult[list[Figure]]:
        """Return the measures for which raw hits are read."""
        return _figures(DETAILS, await self._details())

    async def breakdown(self, name: str) -> PanelResult[list[BreakdownRow]]:
        """Return the first rows of a panel of BREAKDOWNS."""
        by, result, summary = (
            BREAKDOWNS[name],
            await self._breakdowns[name](),
            await self._summary(),
        )
        if result.value is None:
            return PanelResult(None, result.refusal)
        measure = ordered_by(by)
        counts = [int(row.counts.value(measure) or 0) for row in result.value]
        most = max(counts, default=1)
        whole = 0 if summary.value is None else int(summary.value[0].value(measure) or 0)
        total = max(whole, sum(counts), 1)
        rows = [
            BreakdownRow(
                row.name,
                count,
                count / most,
                round(100 * count / total),
                self.scope.narrowed(Filter(by, ((row.name,),))),
            )
            for row, count in zip(result.value, counts, strict=True)
        ]
        return PanelResult(rows, partial=result.partial)

    async def csv(self, panel: str) -> CsvFile:
        """Return more of a panel than the page shows. Raises ApiError, 404 for no panel."""
        if panel == TIMESERIES:
            question = self._question(CHARTED)
            found = await self._reader.timeseries(question, self.scope.interval)
            table = answers.rows(CHARTED, "date", found.rows)
        elif panel in BREAKDOWNS:
            by = BREAKDOWNS[panel]
            first = ordered_by(by)
            measures = (first, *(measure for measure in CHARTED if measure is not first))
            found = await self._reader.breakdown(self._question(measures), Part(by, CSV_ROWS, 1))
            table = answers.rows(measures, by.field, found.rows)
        else:
            expected = ", ".join((TIMESERIES, *BREAKDOWNS))
            refusal = bad_request("panel", f"{shown(panel)}; expected one of {expected}")
            raise ApiError(HTTPStatus.NOT_FOUND, refusal.errors)
        name = f"{self.site.slug}-{panel}-{str(self.scope.span).replace(' ', '-')}.csv"
        return CsvFile(name, answers.table(table), answers.HEADERS)

    def _begin(
        self, reading: Coroutine[Any, Any, PanelResult[T]]
    ) -> Callable[[], Awaitable[PanelResult[T]]]:
        async def guarded() -> PanelResult[T]:
            try:
                return await reading
            except ApiError as error:
                return PanelResult(None, "; ".join(error.errors.values()))
            except Exception:
                log.exception("a panel of %s cannot be read", self.site.slug)
                return PanelResult(None, "the server failed; its log says why")

        task = asyncio.create_task(guarded())
        self._tasks.append(task)
        return lambda: asyncio.shield(task)

    def _question(self, measures: tuple[Measure, ...]) -> Question:
        """Return a question about the days that have come."""
        return Question(self.site, self.scope.elapsed, measures, self.scope.filters)

    async def _compared(
        self, measures: tuple[Measure, ...]
    ) -> PanelResult[tuple[Counts, Counts | None]]:
        question = self._question(measures)
        now, before = await asyncio.gather(
            self._reader.total(question, partly=True),
            self._reader.total(question.before(), partly=True),
        )
        then = None if before.warnings else before.total()
        return PanelResult((now.total(), then), partial=bool(now.warnings))

    async def _timeseries(self) -> PanelResult[list[SeriesPoint]]:
        scope, interval = self.scope, self.scope.interval
        elapsed = self._question((scope.measure,))
        whole = elapsed
        if interval is not Interval.HOUR:
            whole = Question(self.site, scope.span, elapsed.measures, elapsed.filters)
        now = await self._reader.timeseries(whole, interval)
        before: list[Row] = []
        if interval in (Interval.HOUR, Interval.DATE):
            try:
                before = (await self._reader.timeseries(elapsed.before(), interval)).rows
            except ApiError:
                before = []
        return PanelResult(self._points(now.rows, before), partial=bool(now.warnings))

    def _points(self, rows: Sequence[Row], before: Sequence[Row]) -> list[SeriesPoint]:
        measure = self.scope.measure
        local = datetime.fromtimestamp(self._at, zone(self.site.timezone))
        hourly = self.scope.interval is Interval.HOUR
        latest = local.strftime("%Y-%m-%d %H:00:00" if hourly else "%Y-%m-%d")
        points = []
        for place, row in enumerate(rows):
            value = int(row.counts.value(measure) or 0) if row.name <= latest else None
            was = before[place].counts.value(measure) if place < len(before) else None
            points.append(SeriesPoint(row.name, value, None if was is None else int(was)))
        return points

    async def _breakdown(self, by: Property) -> PanelResult[list[Row]]:
        measure = ordered_by(by)
        found = await self._reader.breakdown(self._question((measure,)), Part(by, ROWS, 1))
        rows = [row for row in found.rows if row.counts.value(measure)]
        return PanelResult(rows, partial=bool(found.warnings))


class PanelSource:
    """Where the dashboard has the traffic of sites from."""

    def __init__(
        self, store: Store, reader: Reader, online: OnlineReader, clock: Callable[[], float]
    ) -> None:
        self._store = store
        self._reader = reader
        self._online = online
        self._clock = clock

    def panels(self, site: Site, query: SiteQuery) -> SitePanels:
        """Return the panels of a site. Raises ApiError, which names the parameter."""
        at = self._clock()
        scope = scope_of(query, local_day(int(at * 1000), site.timezone))
        return SitePanels(site, scope, self._store, self._reader, self._online, at)

    async def trends(self, sites: Sequence[Site]) -> dict[str, list[int]]:
        """Return the daily views of each site's last days, by slug; {} if they cannot be read."""
        now_ms = int(self._clock() * 1000)
        days = {site.slug: local_day(now_ms, site.timezone) for site in sites}
        if not days:
            return {}
        # Zones differ by a day at most: one reading has the days of all.
        first, last = min(days.values()) - TREND_DAYS + 1, max(days.values())
        try:
            views = await trends(self._store, days, Span(first, last))
        except StoreError:
            return {}
        return {
            slug: views[slug][today - TREND_DAYS + 1 - first : today - first + 1]
            for slug, today in days.items()
        }


def ordered_by(by: Property) -> Measure:
    """Return what a breakdown is ordered by."""
    return Measure.PAGEVIEWS if by is Property.PAGE else Measure.VISITS


def _figures(
    measures: Sequence[Measure], result: PanelResult[tuple[Counts, Counts | None]]
) -> PanelResult[list[Figure]]:
    if result.value is None:
        return PanelResult(None, result.refusal)
    now, before = result.value
    figures = []
    for measure in measures:
        value = now.value(measure)
        was = None if before is None else before.value(measure)
        figures.append(Figure(measure.value, value, change(measure, value, was)))
    return PanelResult(figures, partial=result.partial)
