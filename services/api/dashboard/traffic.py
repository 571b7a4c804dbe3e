"""The numbers of a site's page: all panels are read at once, and each may be refused alone."""

import asyncio
import logging
from collections.abc import Awaitable, Callable, Coroutine
from typing import Any, Generic, NamedTuple, TypeVar

from services.api.dashboard.asking import Asking
from services.api.stats.filters import Property
from services.api.stats.measures import LENGTHS, Counts, Measure
from services.api.stats.query import BreakdownQuery, StatsQuery
from services.api.stats.reader import Row, StatsReader
from services.api.stats.spans import Interval, Span
from services.http.errors import ApiError

PANELS = {
    of.field: of
    for of in (
        Property.PAGE,
        Property.SOURCE,
        Property.COUNTRY,
        Property.DEVICE,
        Property.BROWSER,
        Property.OS,
    )
}
ROWS = 10
SUMMARY = (Measure.PAGEVIEWS, Measure.VISITS, Measure.VISITORS)
DETAILS = (*sorted(LENGTHS), Measure.BOTS)

log = logging.getLogger(__name__)

T = TypeVar("T")


class Got(NamedTuple, Generic[T]):
    """An answer, or why there is none."""

    value: T | None
    refusal: str = ""
    partial: bool = False


class Compared(NamedTuple):
    """What was counted in a period, and in the one before."""

    now: Counts
    before: Counts | None


class Line(NamedTuple):
    """A measure over time, and in the period before."""

    now: list[Row]
    before: list[Row]


class Traffic:
    """Begins to read every panel; ask for each with the method of its name."""

    def __init__(self, reader: StatsReader, asking: Asking) -> None:
        self._reader = reader
        self._asking = asking
        self._tasks: list[asyncio.Task[Any]] = []
        self.summary = self._begin(self._compared(SUMMARY))
        self.line = self._begin(self._line())
        self.details = self._begin(self._compared(DETAILS))
        self.panels = {name: self._begin(self._breakdown(of)) for name, of in PANELS.items()}

    async def close(self) -> None:
        """Abandon what is still being read."""
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)

    def _begin(self, reading: Coroutine[Any, Any, Got[T]]) -> Callable[[], Awaitable[Got[T]]]:
        async def guarded() -> Got[T]:
            try:
                return await reading
            except ApiError as error:
                return Got(None, "; ".join(error.errors.values()))
            except Exception:
                log.exception("a panel of %s cannot be read", self._asking.site.slug)
                return Got(None, "the server failed; its log says why")

        task = asyncio.create_task(guarded())
        self._tasks.append(task)
        return lambda: asyncio.shield(task)

    async def _compared(self, measures: tuple[Measure, ...]) -> Got[Compared]:
        asked = question(self._asking, measures)
        found, before = await asyncio.gather(
            self._reader.total(asked, partly=True),
            self._reader.total(asked.before(), partly=True),
        )
        then = None if before.warnings else before.total()
        return Got(Compared(found.total(), then), partial=bool(found.warnings))

    async def _line(self) -> Got[Line]:
        asking = self._asking
        asked = question(asking, (asking.measure,))
        whole = asked if asking.interval is Interval.HOUR else spanning(asked, asking.span)
        found = await self._reader.timeseries(whole, asking.interval)
        before: list[Row] = []
        if asking.interval in (Interval.HOUR, Interval.DATE):
            try:
                before = (await self._reader.timeseries(asked.before(), asking.interval)).rows
            except ApiError:
                before = []
        return Got(Line(found.rows, before), partial=bool(found.warnings))

    async def _breakdown(self, by: Property) -> Got[list[Row]]:
        measure = measure_of(by)
        found = await self._reader.breakdown(
            question(self._asking, (measure,)), BreakdownQuery(by, ROWS, 1)
        )
        rows = [row for row in found.rows if row.counts.value(measure)]
        return Got(rows, partial=bool(found.warnings))


def measure_of(by: Property) -> Measure:
    """Return what a panel is ordered by."""
    return Measure.PAGEVIEWS if by is Property.PAGE else Measure.VISITS


def question(asking: Asking, measures: tuple[Measure, ...]) -> StatsQuery:
    """Return what the page asks, about the days that have come."""
    return StatsQuery(asking.site, asking.seen, measures, asking.filters)


def spanning(asked: StatsQuery, span: Span) -> StatsQuery:
    """Return the same question about other days."""
    return StatsQuery(asked.site, span, asked.measures, asked.filters)
