"""Reads the panels concurrently; each is available as soon as it is read, and fails by itself."""

import asyncio
import contextlib
import logging
from collections.abc import Awaitable, Callable, Collection, Coroutine, Mapping, Sequence
from typing import Any, TypeVar

import msgspec

from services.api.stats.grammar.filters import Filter, Property
from services.api.stats.grammar.measures import ENTERED, LENGTHS, Counts, Measure
from services.api.stats.grammar.query import BreakdownQuery, StatsQuery
from services.api.stats.grammar.site_query import CHARTED, Scope
from services.api.stats.panels import apart, heat
from services.api.stats.panels.breakdowns import (
    BREAKDOWNS,
    filtered_by,
    ordered_by,
    question_of,
    shown_breakdowns,
)
from services.api.stats.panels.contents import (
    BreakdownRow,
    EnteredNumbers,
    Figure,
    KeptHits,
    PanelResult,
    SeriesPoint,
    TrafficMeans,
    UncountedDays,
)
from services.api.stats.panels.figures import ComparedTotals, figures_of
from services.api.stats.panels.kept import kept_of
from services.api.stats.panels.means import gaps_of, known_days, means_of
from services.api.stats.periods.counted_days import CountedDays
from services.api.stats.periods.opening import NO_OPENING, Opening, OpeningNumbers
from services.api.stats.periods.spans import Interval, Span
from services.api.stats.readers.reader import StatsReader
from services.api.stats.readers.results import HitsGoneError, Row
from services.http.errors import ApiError
from services.model.site import Site

_OF_SOME = (Property.UTM_CAMPAIGN, Property.UTM_MEDIUM)
"""Properties that most visits lack: shown only if there are any."""
DETAILS = (*sorted(LENGTHS), Measure.BOTS)
ROWS = 10

log = logging.getLogger(__name__)

T = TypeVar("T")

_ReadTotals = tuple[Counts, Counts | None]


class PanelReading:
    """Starts reading every panel; await each with the method of its name."""

    def __init__(
        self,
        reader: StatsReader,
        site: Site,
        scope: Scope,
        at: float,
        *,
        is_public: bool = False,
        first_day: int | None = None,
    ) -> None:
        """Start reading.

        at         the time of the request, in seconds since 1970, see SitePanels
        first_day  the first counted day, if it was read before
        """
        self._is_public = is_public
        self._reader = reader
        self._site = site
        self._scope = scope
        self._at = at
        days = scope.span.with_those(scope.elapsed)
        if scope.before:
            days = days.with_those(scope.before)
        self._moment = asyncio.create_task(reader.snapshot(site, days, with_opening=True))
        self._first_day = asyncio.create_task(self._counted_from(first_day))
        self._tasks: list[asyncio.Task[Any]] = [self._moment, self._first_day]
        self._summary = self._begin(self._compared(CHARTED))
        self._today = self._begin(self._running_day())
        self._series = self._begin(self._timeseries())
        self._details = self._begin(self._compared(DETAILS))
        self._heat = self._begin(self._week())
        # Read only when something is missing.
        self._kept: Callable[[], Awaitable[PanelResult[KeptHits]]] | None = None
        self._apart = self._begin(apart.first_rows(reader, site, scope, is_public=is_public))
        self._breakdowns = {
            name: self._begin(self._breakdown(by)) for name, by in shown_breakdowns(scope).items()
        }

    async def close(self) -> None:
        """Abandon what is still being read."""
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)

    async def summary(self) -> PanelResult[list[Figure]]:
        """Return the measures that the chart can show."""
        result = await self._known(await self._summary())
        return figures_of(CHARTED, result, await self._unknown_before())

    async def series(self) -> PanelResult[list[SeriesPoint]]:
        """Return the points of the chart."""
        return await self._series()

    async def details(self) -> PanelResult[list[Figure]]:
        """Return the measures for which raw hits are read."""
        return figures_of(DETAILS, await self._known(await self._details()))

    async def means(self) -> Sequence[TrafficMeans]:
        """Return the means of what the chart can show; none when raw hits are missing."""
        now, today = await self._summary(), (await self._today()).value
        if now.value is None or now.partial or today is None:
            return []
        try:
            counted, opening = await self._counted(), await self._opening()
        except ApiError:
            return []
        days = {one: known_days(self._scope, counted, [opening], one) for one in CHARTED}
        return [means_of(self._scope, days[one], one, now.value[0], today) for one in CHARTED]

    async def kept(self) -> KeptHits | None:
        """Return what is kept of the raw hits of the period; None when that cannot be read."""
        if self._kept is None:
            self._kept = self._begin(self._kept_hits())
        return (await self._kept()).value

    async def breakdown(self, name: str) -> PanelResult[list[BreakdownRow]]:
        """Return the first rows of a panel of `shown_breakdowns`."""
        by, result = BREAKDOWNS[name], await self._breakdowns[name]()
        summary = await self._summary()
        if result.value is None:
            return PanelResult(None, result.refusal, gone=result.gone)
        measure = ordered_by(by)
        counts = [int(row.counts.value(measure) or 0) for row in result.value]
        most = max(counts, default=1)
        whole = 0 if summary.value is None else int(summary.value[0].value(measure) or 0)
        if result.partial and not self._scope.filters and (hits := await self.kept()):
            # A share of what these rows cover, not of days for which there are no hits.
            whole = hits.visits
        total = max(whole, sum(counts), 1)
        rows = [
            BreakdownRow(
                row.name,
                count,
                count / most,
                round(100 * count / total),
                self._scope.narrowed(Filter(filtered_by(by), ((row.name,),))),
            )
            for row, count in zip(result.value, counts, strict=True)
        ]
        return PanelResult(rows, partial=result.partial)

    async def heat(self) -> PanelResult[list[list[int]]]:
        """Return the views of each hour of the week, 24 for each weekday from Monday on."""
        return await self._heat()

    async def apart(self) -> Mapping[str, PanelResult[list[BreakdownRow]]]:
        """Return the first rows of what is counted apart from views, if there are any."""
        return (await self._apart()).value or {}

    async def uncounted(self) -> UncountedDays:
        """Return what was not counted in this period and in the days to compare with."""
        try:
            return await self._missing()
        except ApiError:
            return UncountedDays(None, [])

    async def entered(self) -> EnteredNumbers:
        """Return the opening balances of the period, and whether there are any to compare with."""
        scope = self._scope
        try:
            moment = await asyncio.shield(self._moment)
        except ApiError:
            return EnteredNumbers(0, 0, is_compared=False)
        views, visits = moment.entered(scope.elapsed, scope.today)
        before = scope.before
        compared = before is not None and any(moment.entered(before, scope.today))
        return EnteredNumbers(views, visits, is_compared=compared)

    def _begin(
        self, reading: Coroutine[Any, Any, PanelResult[T]]
    ) -> Callable[[], Awaitable[PanelResult[T]]]:
        async def guarded() -> PanelResult[T]:
            try:
                return await reading
            except ApiError as error:
                is_gone = isinstance(error, HitsGoneError)
                return PanelResult(None, "; ".join(error.errors.values()), gone=is_gone)
            except Exception:
                log.exception("a panel of %s cannot be read", self._site.slug)
                return PanelResult(None, "the server failed; its log says why")

        task = asyncio.create_task(guarded())
        self._tasks.append(task)
        return lambda: asyncio.shield(task)

    async def _question(self, measures: tuple[Measure, ...]) -> StatsQuery:
        """Return a query; all panels are as of one moment."""
        snapshot = await asyncio.shield(self._moment)
        return question_of(self._site, self._scope, measures).as_of(snapshot)

    async def _counted_from(self, first_day: int | None) -> int | None:
        return await self._reader.first_day(self._site) if first_day is None else first_day

    async def _counted(self) -> CountedDays:
        first_day = await asyncio.shield(self._first_day)
        return CountedDays.of(first_day, await asyncio.shield(self._moment), self._scope.today)

    async def _opening(self) -> OpeningNumbers:
        """Return the opening balances that are in the numbers."""
        # Filtered numbers include none.
        if self._scope.opening is Opening.EXCLUDE or self._scope.filters:
            return NO_OPENING
        return (await asyncio.shield(self._moment)).opening

    async def _missing(self, measure: Measure = Measure.PAGEVIEWS) -> UncountedDays:
        """Return the days of which a measure is not known."""
        scope, counted = self._scope, await self._counted()
        opening = await self._opening() if measure in ENTERED else NO_OPENING
        gaps = gaps_of(scope, scope.elapsed, counted, [opening])
        if scope.before is None:
            return UncountedDays(None, gaps)
        filled = opening.covered(scope.before, scope.today)
        return UncountedDays(counted.uncounted(scope.before, filled), gaps)

    async def _unknown_before(self) -> Collection[Measure]:
        """Return the measures that are not known of the days to compare with."""
        try:
            return [one for one in CHARTED if (await self._missing(one)).before]
        except ApiError:
            return CHARTED

    async def _compared(self, measures: tuple[Measure, ...]) -> PanelResult[_ReadTotals]:
        question = await self._question(measures)
        now, then = await asyncio.gather(
            self._reader.total(question, partly=True), self._before(question)
        )
        return PanelResult((now.total(), then), partial=bool(now.warnings))

    async def _known(self, result: PanelResult[_ReadTotals]) -> PanelResult[ComparedTotals]:
        """Return the result, or an empty one when no hits are kept that could tell."""
        if result.partial and (hits := await self.kept()) and not hits.visits:
            return PanelResult((None, None), partial=True)
        return PanelResult(*result)

    async def _running_day(self) -> PanelResult[Counts]:
        """Return what was counted today, if that is the unfinished last day of the period."""
        if not self._scope.is_running:
            return PanelResult(Counts())
        today = Span(self._scope.today, self._scope.today)
        result = await self._reader.total((await self._question(CHARTED)).about(today), partly=True)
        return PanelResult(result.total())

    async def _kept_hits(self) -> PanelResult[KeptHits]:
        return PanelResult(await kept_of(self._reader, await self._question((Measure.VISITS,))))

    async def _before(self, question: StatsQuery) -> Counts | None:
        """Return what was counted on the days to compare with; None when none of it is known."""
        against = self._scope.before
        if against is None or all(
            [(await self._missing(measure)).before for measure in question.measures]
        ):
            return None
        earlier = question.about(against, self._scope.until_ms)
        before = await self._reader.total(earlier, partly=True)
        return None if before.warnings else before.total()

    async def _timeseries(self) -> PanelResult[list[SeriesPoint]]:
        scope, interval = self._scope, self._scope.interval
        elapsed = await self._question((scope.measure,))
        whole = elapsed
        if interval is not Interval.HOUR:
            whole = msgspec.structs.replace(elapsed, span=scope.span)
        now = await self._reader.timeseries(whole, interval)
        before: list[Row] = []
        # Weeks begin on Monday, so those of two periods do not line up.
        is_known = scope.before and not (await self._missing(scope.measure)).before
        if scope.before and is_known and interval is not Interval.WEEK:
            # A rate whose raw hits are gone has no line, which is not an error.
            with contextlib.suppress(ApiError):
                earlier = elapsed.about(scope.before)
                before = (await self._reader.timeseries(earlier, interval)).rows
        return PanelResult(self._points(now.rows, before), partial=bool(now.warnings))

    def _points(self, rows: Sequence[Row], before: Sequence[Row]) -> list[SeriesPoint]:
        measure = self._scope.measure
        local = self._site.local(int(self._at * 1000))
        hourly = self._scope.interval is Interval.HOUR
        latest = local.strftime("%Y-%m-%d %H:00:00" if hourly else "%Y-%m-%d")
        points = []
        for place, row in enumerate(rows):
            value = int(row.counts.value(measure) or 0) if row.name <= latest else None
            was = before[place].counts.value(measure) if place < len(before) else None
            points.append(SeriesPoint(row.name, value, None if was is None else int(was)))
        return points

    async def _week(self) -> PanelResult[list[list[int]]]:
        return await heat.read(self._reader, await self._question((Measure.PAGEVIEWS,)))

    async def _breakdown(self, by: Property) -> PanelResult[list[Row]]:
        measure = ordered_by(by)
        question = await self._question((measure,))
        if self._is_public:
            question = question.of_shown_pages(by, self._reader.parts(question.site))
        breakdown = await self._reader.breakdown(question, BreakdownQuery(by, ROWS, 1))
        rows = [
            row
            for row in breakdown.rows
            if row.counts.value(measure) and not (by in _OF_SOME and row.name == by.unknown)
        ]
        return PanelResult(rows, partial=bool(breakdown.warnings))
