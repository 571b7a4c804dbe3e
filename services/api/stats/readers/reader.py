"""Where the result of a query comes from.

Views and visits of whole days come from the counters and visitors from their sketches, as the
public numbers do. Filters, hours, properties, bots and the length of visits need raw hits.
"""

from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from copy import copy

from msgspec import structs

from services.api.counter import queries as counter_queries
from services.api.stats.grammar.filters import OF_PATHS, Property
from services.api.stats.grammar.measures import COUNTED, LENGTHS, Counts, Measure
from services.api.stats.grammar.query import BreakdownQuery, StatsQuery
from services.api.stats.periods import opening, snapshot
from services.api.stats.periods.counted_days import GAP_DAYS
from services.api.stats.periods.coverage import Coverage
from services.api.stats.periods.opening import Opening
from services.api.stats.periods.snapshot import Snapshot
from services.api.stats.periods.spans import Interval, Span, hours_of
from services.api.stats.queries import coverage as queries_coverage
from services.api.stats.queries import hits
from services.api.stats.queries import visits as queries_visits
from services.api.stats.readers.ending import VisitsKeeper
from services.api.stats.readers.results import (
    NO_HOURS,
    HitsGoneError,
    Row,
    StatsResult,
    entered_of,
    has_aliases,
    hourly,
    in_intervals,
    merge_counts,
    ranked,
    sliced,
    summed,
)
from services.api.stats.readers.turns import NoTurnError, Turns, refusal
from services.api.stats.rows import queries_pages, sources, to_sort
from services.http.errors import ApiError, unavailable
from services.model.kept_apart import kind_of, name_of, site_of
from services.model.site import Site
from services.store.interface import LimitError, Limits, Store, StoreError

LIMITS = Limits(calls=2, threads=2, seconds=20, bytes=400_000_000)
"""For each statement of each process; an old server's profile allows no more than 512 MiB."""
WAIT_SECONDS = 20.0
"""How long a query waits for its turn."""
MOST_WAITING = 256
MOST_WAITING_OF_ONE = 32
"""A dashboard page waits for a dozen turns at once."""

_BOTS = frozenset({Measure.BOTS})
_RAW = LENGTHS | _BOTS


class StatsReader:
    """Runs queries, a few at a time, with limits on time and memory.

    who  is asking: one client's many queries do not keep another client's waiting
    """

    def __init__(
        self,
        store: Store,
        limits: Limits = LIMITS,
        parts: Callable[[Site], Sequence[Site]] = lambda site: (site,),
        keeper: VisitsKeeper | None = None,
    ) -> None:
        """`parts` returns a site and those merged into it; `keeper` is offered what is found."""
        self._parts = parts
        self._keeper = keeper
        self._store = store.limited(limits)
        self._limits = limits
        self._turns = Turns(limits.calls, MOST_WAITING, MOST_WAITING_OF_ONE)
        self.who = ""

    def asked_by(self, who: str) -> "StatsReader":
        """Return the same reader for one client, so that turns can be shared fairly."""
        reader = copy(self)
        reader.who = who
        return reader

    async def close(self) -> None:
        """Close the sessions."""
        await self._store.close()

    async def snapshot(self, site: Site, span: Span, *, with_opening: bool = False) -> Snapshot:
        """Return the snapshot from which queries about these days can be answered.

        It also knows which of these were counted, see CountedDays.
        """
        async with self.turn():
            return await self._taken(site, span, with_opening=with_opening)

    async def _taken(self, site: Site, span: Span, *, with_opening: bool) -> Snapshot:
        wide = span.widened(GAP_DAYS)
        first, *others = [
            await snapshot.take(self._store, part.kept_as, wide, with_opening=with_opening)
            for part in self.parts(site)
        ]
        return first._replace(parts=others)

    async def first_day(self, site: Site) -> int | None:
        """Return the first day of a site that was counted; None when none was."""
        async with self.turn():
            names = [part.kept_as for part in self.parts(site)]
            return min(
                (await counter_queries.first_shown_days(self._store, names)).values(), default=None
            )

    def parts(self, site: Site) -> list[Site]:
        """Return a site and those merged into it, all of the kind of the site if kept apart."""
        if (kind := kind_of(site.kept_as)) is None:
            return list(self._parts(site))
        parts = self._parts(structs.replace(site, kept_as=site_of(site.kept_as)))
        return [structs.replace(part, kept_as=name_of(part.kept_as, kind)) for part in parts]

    def of_parts(self, query: StatsQuery) -> list[StatsQuery]:
        """Return the query for each part of its site: their counts add up."""
        question = query.of_addresses()
        return [
            question if part.slug == query.site.slug else structs.replace(question, site=part)
            for part in self.parts(query.site)
        ]

    async def total(self, query: StatsQuery, *, partly: bool = False) -> StatsResult:
        """Return one row for all days; with `partly`, even when all raw hits it needs are gone."""
        async with self.turn():
            query = query.as_of(await self._moment(query))
            days, warnings = await self._measured(query, partly=partly)
        total, entered = summed(days.values()), entered_of(query, query.span)
        if query.until_ms is not None and entered != Counts():
            warnings = [*warnings, NO_HOURS]
        total.add(entered)
        return StatsResult([Row("", total)], warnings)

    async def timeseries(self, query: StatsQuery, interval: Interval) -> StatsResult:
        """Return a row for every interval of the span, including empty ones."""
        async with self.turn():
            if interval is Interval.HOUR:
                return await self._by_hour(query)
            query = query.as_of(await self._moment(query))
            days, warnings = await self._measured(query)
        result = in_intervals(query, days, interval)
        return StatsResult(result.rows, [*warnings, *result.warnings])

    async def breakdown(self, query: StatsQuery, breakdown: BreakdownQuery) -> StatsResult:
        """Return a row per value of a property, as many as the breakdown says."""
        async with self.turn():
            brought = await self.brought(query, breakdown.by)
            if query.opening is Opening.ONLY:
                return StatsResult(ranked(query, breakdown, {}, brought), [])
            parts = self.of_parts(query)
            if len(parts) == 1 and not has_aliases(query.site, breakdown.by):
                rows, warnings = await self._broken_down(query, breakdown, more=len(brought))
            else:
                rows, warnings = await self._broken_down_in_parts(
                    parts, breakdown, more=len(brought)
                )
        if brought:
            return StatsResult(ranked(query, breakdown, rows, brought), warnings)
        return StatsResult(
            [Row(breakdown.by.shown(name), counts) for name, counts in rows.items()], warnings
        )

    async def brought(self, query: StatsQuery, by: Property) -> dict[str, tuple[int, int]]:
        """Return the opening balances of pages, for a breakdown by page that asks for them."""
        if query.opening is Opening.EXCLUDE or not queries_pages.are_counted(query, by):
            return {}
        names = [part.kept_as for part in self.parts(query.site)]
        site, days = query.site, (query.span, query.today)
        return await opening.of_pages_of(self._store, names, site.page_of, *days)

    async def _measured(
        self, query: StatsQuery, *, partly: bool = False
    ) -> tuple[dict[int, Counts], list[str]]:
        """Return what was measured on each day, if that is asked for."""
        if query.opening is Opening.ONLY:
            return {}, []
        return await self._by_day(query, partly=partly)

    async def _broken_down_in_parts(
        self, parts: Sequence[StatsQuery], breakdown: BreakdownQuery, *, more: int = 0
    ) -> tuple[dict[str, Counts], list[str]]:
        """Add up the rows of each part, reading as many from each as may be among those requested.

        If a part has more, a value that is just below the limit in every part is missed. With
        `more` additional rows wanted, all that were read are returned.
        """
        rows: dict[str, Counts] = {}
        warnings: list[str] = []
        site, each = parts[0].site, to_sort.of_each_part(parts[0], breakdown)
        for part in parts:
            of_part, of_warnings = await self._broken_down(part, each, more=more)
            for name, counts in of_part.items():
                page = site.page_of(name) if breakdown.by in OF_PATHS else name
                rows.setdefault(page, Counts()).add(counts)
            warnings += of_warnings
        if more:
            return rows, warnings
        return sliced(rows, parts[0].measures[0], breakdown), list(dict.fromkeys(warnings))

    async def _broken_down(
        self, query: StatsQuery, breakdown: BreakdownQuery, *, more: int = 0
    ) -> tuple[dict[str, Counts], list[str]]:
        counted = sources.can_be_counted(query, breakdown.by)
        if counted and query.is_apart:
            source = sources.of_counters(query)
            return await sources.first(self._store, query, source, breakdown, more), []
        coverage, warnings = await self.hits(query, await self.known(query), partly=counted)
        source = sources.of_hits(query, coverage, breakdown.by)
        if warnings and counted:
            source, warnings = sources.of_counters(query), sources.said(query, warnings)
        read = to_sort.read_for(query, breakdown)
        rows = await sources.first(self._store, query, source, read, more)
        if query.wants(LENGTHS):
            lengths = await queries_visits.of_values(
                self._store, query, coverage, breakdown.by, rows
            )
            merge_counts(rows, lengths)
        warnings = [*warnings, *to_sort.missing(query, rows)]
        return rows if more else to_sort.sorted_by(query, breakdown, rows), warnings

    async def _by_day(
        self, query: StatsQuery, *, partly: bool = False
    ) -> tuple[dict[int, Counts], list[str]]:
        days: dict[int, Counts] = {}
        warnings: list[str] = []
        for part in self.of_parts(query):
            of_part, more = await self.days_of_one(part, partly=partly)
            merge_counts(days, of_part)
            warnings += more
        return days, warnings

    async def days_of_one(
        self, query: StatsQuery, *, partly: bool = False
    ) -> tuple[dict[int, Counts], list[str]]:
        """Return the days of a site without those merged into it; the caller holds a turn."""
        days: dict[int, Counts] = {}
        warnings: list[str] = []
        counted = await self.known(query)
        if query.is_of_hits or query.wants(_RAW):
            of_pages = bool(query.filters) and sources.are_views(query)
            coverage, warnings = await self.hits(query, counted, partly=partly or of_pages)
            if query.is_of_hits or query.wants(_BOTS):
                days = await hits.by_day(self._store, query, coverage)
            if warnings and of_pages:
                of_days = await queries_pages.by_day(self._store, query)
                return {day: Counts(pageviews=of_day) for day, of_day in of_days.items()}, []
            if query.wants(LENGTHS):
                merge_counts(days, await queries_visits.by_day(self._store, query, coverage))
        if query.is_of_hits:
            return days, warnings
        for counts in days.values():
            counts.pageviews = counts.visits = counts.visitors = 0
        if query.wants(COUNTED):
            for day, (views, visits) in counted.within(query.span).items():
                merge_counts(days, {day: Counts(pageviews=views, visits=visits)})
        if Measure.VISITORS in query.measures:
            for day, visitors in (await counted.visitors(self._store, query.span)).items():
                merge_counts(days, {day: Counts(visitors=visitors)})
        return days, warnings

    async def _by_hour(self, query: StatsQuery) -> StatsResult:
        hours = hours_of(query.span, query.site)
        if query.opening is Opening.ONLY:
            return StatsResult(hourly(hours, {}), [])
        counts: dict[int, Counts] = {}
        warnings: list[str] = []
        for part in self.of_parts(query):
            coverage, more = await self.hits(part, await self.known(part))
            merge_counts(counts, await hits.by_hour(self._store, part, coverage, hours))
            if part.wants(LENGTHS):
                merge_counts(
                    counts, await queries_visits.by_hour(self._store, part, coverage, hours)
                )
            warnings += more
        return StatsResult(hourly(hours, counts), warnings)

    async def _moment(self, query: StatsQuery) -> Snapshot:
        """Return the snapshot of a query, for all parts of its site."""
        with_opening = query.opening is not Opening.EXCLUDE
        return query.snapshot or await self._taken(
            query.site, query.span, with_opening=with_opening
        )

    async def known(self, query: StatsQuery) -> Snapshot:
        """Return the snapshot of a query, for its site alone."""
        known = query.snapshot and query.snapshot.of(query.site.kept_as)
        return known or await snapshot.take(self._store, query.site.kept_as, query.span)

    async def hits(
        self, query: StatsQuery, counted: Snapshot, *, partly: bool = False
    ) -> tuple[Coverage, list[str]]:
        """Return which raw hits exist. Raises HitsGoneError when all counted ones are gone.

        A day is held when it has as many raw views as its counter says.
        """
        found = await queries_coverage.found(self._store, query.site.kept_as, query.span, counted)
        if self._keeper is not None:
            self._keeper.offer(query.site, query.span, counted, found)
        gone, left = found.gone(counted.within(query.span))
        if gone and not found.coverage.months and not partly:
            raise HitsGoneError(gone)
        return found.coverage, [f"{gone}{left}"] if gone else []

    @asynccontextmanager
    async def turn(self) -> AsyncIterator[Store]:
        """Wait for a turn; yields the store with its limits. Raises ApiError when refused."""
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
        try:
            await turn.enter_async_context(self._turns.turn(self.who, WAIT_SECONDS))
        except (TimeoutError, NoTurnError) as error:
            raise refusal(self._limits.calls, error) from None
