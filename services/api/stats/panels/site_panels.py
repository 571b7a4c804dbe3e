"""What the dashboard shows of sites: the panels of a page, as CSV too, and reports."""

from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from contextlib import asynccontextmanager, suppress
from http import HTTPStatus
from itertools import zip_longest

from starlette.requests import Request

from services.api.access.principal import Principal
from services.api.counter import queries
from services.api.counter.online import OnlineReader
from services.api.stats import answers
from services.api.stats.answers import Cell
from services.api.stats.grammar.measures import ENTERED, Measure
from services.api.stats.grammar.query import BreakdownQuery, StatsQuery
from services.api.stats.grammar.site_query import CHARTED, Scope, SiteQuery, scope_of
from services.api.stats.many.many_sites import ManySites, read_many
from services.api.stats.panels import heat
from services.api.stats.panels.apart import NAMED, PANELS
from services.api.stats.panels.breakdowns import (
    BREAKDOWNS,
    measured_by,
    ordered_by,
    question_of,
    shown_breakdowns,
)
from services.api.stats.panels.contents import CsvFile
from services.api.stats.panels.reading import PanelReading
from services.api.stats.periods.counted_days import CountedDays
from services.api.stats.periods.opening import Opening
from services.api.stats.periods.spans import Interval, Period
from services.api.stats.readers.callers import StatsReaders
from services.api.stats.readers.reader import StatsReader
from services.api.stats.reports.making import make_report
from services.api.stats.reports.report_query import ReportQuery
from services.api.stats.reports.traffic_report import TrafficReport
from services.api.stats.reports.unit import ReportUnit
from services.api.stats.rows.panel_rows import PanelRows, TitlesOf
from services.http.errors import ApiError, bad_request, shown, unavailable
from services.model.site import Site
from services.store.interface import Store, StoreError

TIMESERIES = "timeseries"
HEAT = "heat"
CSV_ROWS = 1000
_COLUMNS = ("date", *(measure.value for measure in CHARTED))
_NO_DAY: Mapping[str, Cell] = dict.fromkeys(_COLUMNS, "")
"""The cells next to a day to compare with that has no counterpart in the period: 31 January's."""
_NONE_BEFORE: Mapping[str, Cell] = dict.fromkeys([f"{name}_before" for name in _COLUMNS], "")
"""The same the other way round."""


class SitePanels:
    """The panels of a site's page, and what else it says about the site.

    named       the panels of what is counted apart, and what their rows are named by
    """

    named: Mapping[str, str] = {name: NAMED[kind] for name, kind in PANELS.items()}

    def __init__(
        self,
        site: Site,
        scope: Scope,
        store: Store,
        reader: StatsReader,
        online: OnlineReader,
        at: float,
        *,
        is_public: bool,
    ) -> None:
        """Prepare the panels.

        at         the time of the request, in seconds since 1970
        is_public  whether strangers see them: then hidden pages are left out
        """
        self.site = site
        self.scope = scope
        self._is_public = is_public
        self._store = store
        self._reader = reader
        self._online = online
        self._at = at
        self._first_day: int | None = None

    @property
    def breakdowns(self) -> Mapping[str, str]:
        """The panels that break the traffic down, and the measure each is ordered by."""
        return {name: ordered_by(by).value for name, by in shown_breakdowns(self.scope).items()}

    async def online(self) -> int | None:
        """Return how many visitors are online; None when not known."""
        online = (await self._online.now(self._names())).values()
        if not all(of_part.is_current for of_part in online):
            return None
        return sum(of_part.visitors for of_part in online)

    def _names(self) -> list[str]:
        """Return the names that the site and those merged into it are kept under."""
        return [part.kept_as for part in self._reader.parts(self.site)]

    async def is_counted(self) -> bool:
        """Return whether the site has ever been counted. Raises ApiError."""
        try:
            days = await queries.first_shown_days(self._store, self._names())
        except StoreError as error:
            raise unavailable(f"the store cannot be read: {error}") from error
        self._first_day = min(days.values(), default=None)
        return self._first_day is not None

    @property
    def rows(self) -> PanelRows:
        """The reader of all rows of a panel."""
        return PanelRows(self._reader, self.site, self.scope, is_public=self._is_public)

    @asynccontextmanager
    async def reading(self) -> AsyncIterator[PanelReading]:
        """Read every panel at once; abandon what is still being read at the end."""
        reading = PanelReading(
            self._reader,
            self.site,
            self.scope,
            self._at,
            is_public=self._is_public,
            first_day=self._first_day,
        )
        try:
            yield reading
        finally:
            await reading.close()

    async def csv(
        self,
        panel: str,
        heading: Callable[[str], str],
        titles: TitlesOf | None = None,
        weekdays: Sequence[str] = (),
    ) -> CsvFile:
        """Return more of a panel than the page shows, with column headings from `heading`.

        titles    returns the titles of pages; None when the values are not pages
        weekdays  their names, from Monday: the lines of HEAT

        Raises ApiError, 404 for no panel.
        """
        warnings: Sequence[str]
        columns: Sequence[str] = ()
        if panel == HEAT:
            table, warnings = await self._week(weekdays)
        elif panel == TIMESERIES:
            question = question_of(self.site, self.scope, CHARTED)
            result = await self._reader.timeseries(question, self.scope.interval)
            warnings = result.warnings
            table = answers.rows(CHARTED, "date", result.rows)
            if before := await self._rows_before(question):
                table = [
                    {**(row or _NO_DAY), **(was or _NONE_BEFORE)}
                    for row, was in zip_longest(table, before)
                ]
        elif panel in BREAKDOWNS:
            by = BREAKDOWNS[panel]
            measures = measured_by(by)
            question = question_of(self.site, self.scope, measures)
            if self._is_public:
                question = question.of_shown_pages(by, self._reader.parts(question.site))
            result = await self._reader.breakdown(question, BreakdownQuery(by, CSV_ROWS, 1))
            warnings, columns = result.warnings, (by.field, *measures)
            table = answers.rows(measures, by.field, result.rows)
            known = await titles([name for name, _ in result.rows]) if titles else {}
            if known:
                table = [answers.with_title(row, by.field, known) for row in table]
        else:
            expected = ", ".join((TIMESERIES, HEAT, *BREAKDOWNS))
            refusal = bad_request("panel", f"{shown(panel)}; expected one of {expected}")
            raise ApiError(HTTPStatus.NOT_FOUND, refusal.errors)
        name = f"{self.site.slug}-{panel}-{str(self.scope.span).replace(' ', '-')}.csv"
        text = answers.table(table, heading, columns)
        return CsvFile(name, text, answers.csv_headers(warnings))

    async def _week(
        self, weekdays: Sequence[str]
    ) -> tuple[Sequence[Mapping[str, Cell]], Sequence[str]]:
        """Return a line of hourly views for each weekday, and what is missing from them."""
        week = await heat.read(
            self._reader, question_of(self.site, self.scope, (Measure.PAGEVIEWS,))
        )
        table: list[dict[str, Cell]] = [
            {"weekday": name, **{f"{hour:02}:00": views for hour, views in enumerate(of_day)}}
            for name, of_day in zip(weekdays, week.value or [], strict=True)
        ]
        return table, ["the raw hits of some days are gone"] if week.partial else []

    async def _rows_before(self, question: StatsQuery) -> list[dict[str, Cell]]:
        """Return the earlier period behind the chart's line, row by row; [] when there is none."""
        before, interval = self.scope.before, self.scope.interval
        # Weeks begin on Monday, so those of two periods do not line up.
        if before is None or interval is Interval.WEEK:
            return []
        days, today = self.scope.elapsed.with_those(before), self.scope.today
        # Filtered numbers include no opening balances.
        has_opening = question.opening is not Opening.EXCLUDE and not question.filters
        moment = await self._reader.snapshot(self.site, days, with_opening=has_opening)
        counted = CountedDays.of(await self._reader.first_day(self.site), moment, today)
        if counted.uncounted(before, moment.opening.covered(before, today)):
            return []
        unknown = [
            measure
            for measure in CHARTED
            if measure not in ENTERED and counted.uncounted(before) is not None
        ]
        # A rate whose raw hits are gone has no line, which is not an error.
        with suppress(ApiError):
            rows = (await self._reader.timeseries(question.about(before), interval)).rows
            return [
                {f"{name}_before": None if name in unknown else cell for name, cell in row.items()}
                for row in answers.rows(CHARTED, "date", rows)
            ]
        return []


class PanelSource:
    """Where the dashboard gets the traffic of sites from."""

    def __init__(
        self, store: Store, readers: StatsReaders, online: OnlineReader, clock: Callable[[], float]
    ) -> None:
        self._store = store
        self._readers = readers
        self._online = online
        self._clock = clock

    async def panels(
        self, site: Site, query: SiteQuery, who: Principal | None, request: Request
    ) -> SitePanels:
        """Return a site's panels for the caller. Raises ApiError, which names the parameter."""
        at = self._clock()
        at_ms = int(at * 1000)
        reader = self._readers.of(who, request)
        since = await reader.first_day(site) if query.period == Period.ALL else None
        scope = scope_of(query, site.day_of(at_ms), since).by_the_clock(site, at_ms)
        is_public = who is None or not who.has(site.slug)
        return SitePanels(site, scope, self._store, reader, self._online, at, is_public=is_public)

    async def report(
        self, unit: ReportUnit, query: ReportQuery, who: Principal | None, request: Request
    ) -> TrafficReport:
        """Return a report for the caller. Raises ApiError, which names the parameter."""
        is_public = who is None or not unit.is_of(who)
        reader = self._readers.of(who, request)
        at_ms = int(self._clock() * 1000)
        return await make_report(reader, unit, query, at_ms, is_public=is_public)

    async def many(
        self, sites: Sequence[Site], query: SiteQuery, who: Principal | None, request: Request
    ) -> ManySites:
        """Return the numbers of many sites, for the caller. Raises ApiError, see `read_many`."""
        return await read_many(
            self._readers.of(who, request), sites, query, int(self._clock() * 1000)
        )
