"""Where the result of a query comes from.

Views and visits of whole days come from the counters and visitors from their sketches, as the
public numbers do. What filters, hours, properties, bots or the length of visits need is counted
from raw hits.
"""

from collections.abc import AsyncIterator, Iterable, Mapping
from contextlib import AsyncExitStack, asynccontextmanager
from copy import copy
from http import HTTPStatus
from typing import NamedTuple, TypeVar

from services.api.stats import queries_hits, queries_visits, snapshot
from services.api.stats.measures import COUNTED, LENGTHS, Counts, Measure
from services.api.stats.queries_hits import Coverage
from services.api.stats.query import BreakdownQuery, StatsQuery
from services.api.stats.snapshot import Snapshot
from services.api.stats.spans import Hours, Interval, Span, hours_of, label_of
from services.api.stats.turns import NoTurnError, Turns
from services.http.errors import ApiError, unavailable
from services.model.site import Site
from services.store.interface import LimitError, Limits, Store, StoreError

LIMITS = Limits(calls=2, threads=2, seconds=20, bytes=400_000_000)
"""For each statement of each process; an old server takes no more than 512 MiB by its profile."""
WAIT_SECONDS = 20.0
"""How long a query waits for its turn."""
MOST_WAITING = 256
MOST_WAITING_OF_ONE = 32
"""A page of the dashboard waits for a dozen turns at once."""
RETRY_SECONDS = 5

_BOTS = frozenset({Measure.BOTS})
_RAW = LENGTHS | _BOTS

K = TypeVar("K")


class Row(NamedTuple):
    """One row of a result, and its name."""

    name: str
    counts: Counts


class StatsResult(NamedTuple):
    """What was counted, and what must be said about it."""

    rows: list[Row]
    warnings: list[str]

    def total(self) -> Counts:
        """Return the sum of all rows."""
        return _sum(row.counts for row in self.rows)


class StatsReader:
    """Runs queries, a few at a time, with limits of time and memory.

    who  asks: nobody's many queries keep another's one waiting
    """

    def __init__(self, store: Store, limits: Limits = LIMITS) -> None:
        self._store = store.limited(limits)
        self._limits = limits
        self._turns = Turns(limits.calls, MOST_WAITING, MOST_WAITING_OF_ONE)
        self.who = ""

    def asked_by(self, who: str) -> "StatsReader":
        """Return the same reader for one client, whom it tells from others when they wait."""
        reader = copy(self)
        reader.who = who
        return reader

    async def close(self) -> None:
        """Close the sessions."""
        await self._store.close()

    async def snapshot(self, site: Site, span: Span) -> Snapshot:
        """Return the moment as of which queries about these days can be answered."""
        async with self.turn():
            return await snapshot.take(self._store, site.slug, span)

    async def total(self, query: StatsQuery, *, partly: bool = False) -> StatsResult:
        """Return one row, of all days; `partly` also where all raw hits that it needs are gone."""
        async with self.turn():
            days, warnings = await self._by_day(query, partly=partly)
        return StatsResult([Row("", _sum(days.values()))], warnings)

    async def timeseries(self, query: StatsQuery, interval: Interval) -> StatsResult:
        """Return a row for every interval of the span, also where there was nothing."""
        async with self.turn():
            if interval is Interval.HOUR:
                return await self._by_hour(query)
            days, warnings = await self._by_day(query)
        rows: dict[str, Counts] = {}
        for day in range(query.span.first, query.span.last + 1):
            label = label_of(day, interval, query.span)
            rows.setdefault(label, Counts()).add(days.get(day, Counts()))
        return StatsResult([Row(*row) for row in rows.items()], warnings)

    async def breakdown(self, query: StatsQuery, breakdown: BreakdownQuery) -> StatsResult:
        """Return a row for each value of a property, as many as the breakdown says."""
        async with self.turn():
            coverage, warnings = await self._hits(query, await self._snapshot(query))
            rows = await queries_hits.breakdown(self._store, query, coverage, breakdown)
            if query.wants(LENGTHS):
                lengths = await queries_visits.of_values(
                    self._store, query, coverage, breakdown.by, rows
                )
                _merge(rows, lengths)
        return StatsResult(
            [Row(breakdown.by.shown(name), counts) for name, counts in rows.items()], warnings
        )

    async def _by_day(
        self, query: StatsQuery, *, partly: bool = False
    ) -> tuple[dict[int, Counts], list[str]]:
        days: dict[int, Counts] = {}
        warnings: list[str] = []
        counted = await self._snapshot(query)
        if query.filters or query.wants(_RAW):
            coverage, warnings = await self._hits(query, counted, partly=partly)
            if query.filters or query.wants(_BOTS):
                days = await queries_hits.by_day(self._store, query, coverage)
            if query.wants(LENGTHS):
                _merge(days, await queries_visits.by_day(self._store, query, coverage))
        if query.filters:
            return days, warnings
        for counts in days.values():
            counts.pageviews = counts.visits = counts.visitors = 0
        if query.wants(COUNTED):
            for day, (views, visits) in counted.within(query.span).items():
                _merge(days, {day: Counts(pageviews=views, visits=visits)})
        if Measure.VISITORS in query.measures:
            for day, visitors in (await counted.visitors(self._store, query.span)).items():
                _merge(days, {day: Counts(visitors=visitors)})
        return days, warnings

    async def _by_hour(self, query: StatsQuery) -> StatsResult:
        hours = hours_of(query.span, query.site)
        coverage, warnings = await self._hits(query, await self._snapshot(query))
        counts = await queries_hits.by_hour(self._store, query, coverage, hours)
        if query.wants(LENGTHS):
            _merge(counts, await queries_visits.by_hour(self._store, query, coverage, hours))
        return StatsResult(_hourly(hours, counts), warnings)

    async def _snapshot(self, query: StatsQuery) -> Snapshot:
        return query.snapshot or await snapshot.take(self._store, query.site.slug, query.span)

    async def _hits(
        self, query: StatsQuery, counted: Snapshot, *, partly: bool = False
    ) -> tuple[Coverage, list[str]]:
        """Return which raw hits there are. Raises ApiError when all that were counted are gone.

        A day is held when its raw views are as many as its counter says.
        """
        slug, span = query.site.slug, query.span
        coverage = await queries_hits.coverage_of(self._store, slug, span, counted)
        views = {day: of_day for day, (of_day, _) in counted.within(span).items() if of_day}
        held = await queries_hits.views(self._store, slug, span, coverage)
        missing = [day for day in views.keys() | held.keys() if views.get(day) != held.get(day)]
        if not missing:
            return coverage, []
        gone = f"the raw hits of {Span(min(missing), max(missing))}, which this needs, are gone"
        if not coverage.months and not partly:
            raise ApiError(422, {"date": f"{gone}; expected a later period, or no filter"})
        left = sum(held.get(day, 0) for day in missing)
        if not left:
            return coverage, [f"{gone}; they count nothing here"]
        whole = sum(views.get(day, 0) for day in missing)
        return coverage, [f"{gone} in part: {left} of {whole} views of these days count here"]

    @asynccontextmanager
    async def turn(self) -> AsyncIterator[Store]:
        """Wait for a turn; gives the store with its limits. Raises ApiError for what it refuses."""
        try:
            async with AsyncExitStack() as turn:
                await self._begin(turn)
                yield self._store
        except LimitError as error:
            raise ApiError(
                422,
                {
                    "query": f"it takes more than {self._limits.seconds} s or"
                    f" {self._limits.bytes // 1_000_000} MB; ask for a shorter period or fewer"
                    f" metrics ({error})"
                },
            ) from error
        except StoreError as error:
            raise unavailable(f"the store cannot be read: {error}") from error

    async def _begin(self, turn: AsyncExitStack) -> None:
        under_way = f"{self._limits.calls} queries of traffic are under way"
        try:
            await turn.enter_async_context(self._turns.turn(self.who, WAIT_SECONDS))
        except TimeoutError:
            raise unavailable(f"{under_way}; try again later") from None
        except NoTurnError:
            raise ApiError(
                HTTPStatus.TOO_MANY_REQUESTS,
                {"query": f"{under_way}, and too many wait for their turn; try again later"},
                {"Retry-After": str(RETRY_SECONDS)},
            ) from None


def _hourly(hours: Hours, counts: Mapping[int, Counts]) -> list[Row]:
    return [Row(label, counts.get(hour, Counts())) for hour, label in enumerate(hours.labels)]


def _merge(into: dict[K, Counts], more: Mapping[K, Counts]) -> None:
    for key, counts in more.items():
        into.setdefault(key, Counts()).add(counts)


def _sum(of: Iterable[Counts]) -> Counts:
    total = Counts()
    for counts in of:
        total.add(counts)
    return total
