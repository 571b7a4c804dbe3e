"""The numbers of many sites in a period, and in the days that it is compared with.

Each is the same number as on the site's page, in the Stats API and in its report.
"""

import asyncio
from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import NamedTuple

from services.api.counter import queries as counter_queries
from services.api.counter.periods import Key
from services.api.stats.grammar.measures import ENTERED, Counts, Measure, Value, change
from services.api.stats.grammar.site_query import Scope, SiteQuery, scope_of
from services.api.stats.many import queries_many, same_time
from services.api.stats.panels.contents import UncountedSpan
from services.api.stats.periods.comparison import until
from services.api.stats.periods.counted_days import GAP_DAYS, CountedDays
from services.api.stats.periods.opening import NO_OPENING, Opening, OpeningNumbers
from services.api.stats.periods.spans import Period, Span
from services.api.stats.readers.reader import StatsReader
from services.api.stats.readers.results import summed
from services.model.site import Site
from services.store.interface import Store

TREND_POINTS = 31
_WHOLE_SITE = ""


class OwnNumbers(NamedTuple):
    """What was counted under one name, without the sites that are merged into it.

    before   of the days to compare with; None when there are none, or they are not known
    trend    what was counted in each few days of the period so far, in order
    counted  which days were counted; without days to compare with, only the first
    entered  its opening balances, if they were asked for
    """

    now: Counts
    before: Counts | None
    trend: tuple[Counts, ...]
    counted: CountedDays
    entered: OpeningNumbers = NO_OPENING


class ComparedSites(NamedTuple):
    """The sums over those sites for which both periods are known: how many sites, and both sums.

    is_measured  whether all of `before` was counted; if not, only opening balances tell some of it
    """

    sites: int
    now: Counts
    before: Counts
    is_measured: bool = True

    def change(self, measure: Measure, digits: int | None = None) -> Value:
        """Return the change in percent; None when there is none. See measures.change."""
        then = self.before.value(measure) if self.is_measured or measure in ENTERED else None
        return change(measure, self.now.value(measure), then, digits)


class SumOfSites(NamedTuple):
    """The numbers of one site, or of several together.

    now      views, visits, visitors; whoever reads two of several sites counts twice
    before   those of the days to compare with; None when not all of these were counted
    trend    the same as `now` for each few days of the period so far
    counted  which days were counted; without days to compare with, only the first
    uncounted  for one site, why `before` is not known
    unknown  the sites for which `before` is not known, although they were counted at some time
    compared  the others, when some are unknown; None when all are known, or none
    is_measured  whether all of `before` was counted; if not, only opening balances tell some of it
    """

    now: Counts
    before: Counts | None
    trend: tuple[Counts, ...]
    counted: CountedDays
    uncounted: UncountedSpan | None = None
    unknown: tuple[Site, ...] = ()
    compared: ComparedSites | None = None
    is_measured: bool = True

    @property
    def since(self) -> int | None:
        """The first day that was counted; None when none was."""
        return self.counted.first

    @property
    def is_nothing(self) -> bool:
        """Whether nothing was ever counted."""
        return self.counted.first is None and self.now == Counts()

    def value(self, measure: Measure) -> Value:
        """Return a current number; None, not 0, if nothing was ever counted."""
        return None if self.is_nothing else self.now.value(measure)

    def change(self, measure: Measure) -> Value:
        """Return the change in percent; None when there is none."""
        return change(measure, self.now.value(measure), self.value_before(measure))

    def value_before(self, measure: Measure) -> Value:
        """Return a number of the days to compare with; None when it is not known."""
        is_known = self.is_measured or measure in ENTERED
        return None if self.before is None or not is_known else self.before.value(measure)


class ManySites:
    """What was read of many sites at one time.

    scope  the period as for most of the sites: in other time zones it may be another day already
    """

    def __init__(
        self,
        scope: Scope,
        scopes: Mapping[int, Scope],
        at_ms: int,
        parts: Callable[[Site], Sequence[Site]],
        own: Mapping[str, OwnNumbers],
    ) -> None:
        """`scopes` has the period by what day is today; `own` the numbers by `kept_as`."""
        self.scope = scope
        self._scopes = scopes
        self._at_ms = at_ms
        self._parts = parts
        self._own = own
        self._sums: dict[str, SumOfSites] = {}

    def of(self, site: Site) -> SumOfSites:
        """Return the numbers of a site, with those of the sites that are merged into it."""
        if site.kept_as not in self._sums:
            self._sums[site.kept_as] = self._sum(site)
        return self._sums[site.kept_as]

    def _sum(self, site: Site) -> SumOfSites:
        known = [self._own[part.kept_as] for part in self._parts(site)]
        scope = self._scopes[site.day_of(self._at_ms)]
        counted = CountedDays.together((one.counted for one in known), scope.today)
        entered = self._own[site.kept_as].entered
        compared = scope.before
        uncounted = compared and counted.uncounted(compared, entered.covered(compared, scope.today))
        missing = compared is None or uncounted or any(one.before is None for one in known)
        now = summed(one.now for one in known)
        before = None if missing else summed(one.before for one in known if one.before)
        is_something = counted.first is not None or now != Counts()
        unknown = (site,) if compared and missing and is_something else ()
        return SumOfSites(
            now,
            before,
            _together(known),
            counted,
            uncounted,
            unknown,
            is_measured=before is None or compared is None or not counted.uncounted(compared),
        )

    def together(self, sites: Sequence[Site]) -> SumOfSites:
        """Return the sums over some of the sites: what is counted under one name counts once.

        A site that is merged into another one is in that one's numbers and in its own row: in the
        sum of both, it counts once. There is a `before` if it is known for every site that was
        ever counted.
        """
        rows = {site.kept_as: self.of(site) for site in sites}
        unknown = tuple(site for row in rows.values() for site in row.unknown)
        names = {part.kept_as for site in sites for part in self._parts(site)}
        known = [self._own[name] for name in sorted(names)]
        is_known = self.scope.before is not None and not unknown
        both = [site for site in sites if rows[site.kept_as].before is not None]
        return SumOfSites(
            summed(one.now for one in known),
            summed(one.before for one in known if one.before) if is_known else None,
            _together(known),
            CountedDays.together((one.counted for one in known), self.scope.today),
            unknown=unknown,
            compared=self._compared(both) if unknown and both else None,
            is_measured=all(row.is_measured for row in rows.values()),
        )

    def _compared(self, sites: Sequence[Site]) -> ComparedSites:
        """Return the sums over sites for which both periods are known."""
        names = {part.kept_as for site in sites for part in self._parts(site)}
        known = [self._own[name] for name in sorted(names)]
        before = summed(one.before for one in known if one.before)
        is_measured = all(self.of(site).is_measured for site in sites)
        return ComparedSites(len(sites), summed(one.now for one in known), before, is_measured)


async def read_many(
    reader: StatsReader,
    sites: Sequence[Site],
    query: SiteQuery,
    at_ms: int,
    *,
    of_whole_days: bool = False,
) -> ManySites:
    """Read the views, visits and visitors of sites, with a few statements for all of them.

    query  its filters are ignored: the counters of whole sites have no properties
    at_ms  the current time, in ms since 1970: sites may be on different days
    of_whole_days  compare even today alone with a whole day, as reports do

    Raises ApiError, which names the parameter; 422 where it is too much to read.
    """
    days = Counter(site.day_of(at_ms) for site in sites)
    most = max(days, key=lambda today: days[today], default=0)
    own: dict[str, OwnNumbers] = {}
    async with reader.turn() as store:
        since = None
        if query.period == Period.ALL:
            names = {part.kept_as for site in sites for part in reader.parts(site)}
            known = await counter_queries.first_shown_days(store, sorted(names)) if names else {}
            since = _first(known.values())
        scopes = {today: scope_of(query, today, since) for today in days}
        for today, scope in scopes.items():
            named = {
                part.kept_as: part
                for site in sites
                if site.day_of(at_ms) == today
                for part in reader.parts(site)
            }
            moments = {} if of_whole_days else _moments(named, scope, at_ms)
            own |= await _read(reader, store, named, scope, moments)
    scope = scopes.get(most) or scope_of(query, at_ms // 86_400_000, since)
    usual = [] if of_whole_days else [site for site in sites if site.day_of(at_ms) == most]
    if usual:
        scope = scope.by_the_clock(usual[0], at_ms)
    return ManySites(scope, scopes, at_ms, reader.parts, own)


def _moments(sites: Mapping[str, Site], scope: Scope, at_ms: int) -> dict[str, int]:
    """Return the time up to which the day compared with today counts, by name, unless all of it."""
    known = {name: until(site, scope.span, scope.before, at_ms) for name, site in sites.items()}
    return {name: moment for name, moment in known.items() if moment is not None}


async def _read(
    reader: StatsReader,
    store: Store,
    sites: Mapping[str, Site],
    scope: Scope,
    moments: Mapping[str, int],
) -> dict[str, OwnNumbers]:
    names = sorted(sites)
    days = scope.elapsed
    width = -(-days.days // TREND_POINTS)
    trends, whole = await asyncio.gather(
        queries_many.sums(store, names, days, width), _before(store, names, scope)
    )
    before: dict[str, Counts | None] = dict.fromkeys(names)
    if scope.before:
        before |= whole
        if moments:
            before |= await same_time.read(reader, store, sites, moments, scope.before, whole)
    first = await counter_queries.first_shown_days(store, names) if names else {}
    counted: Mapping[str, frozenset[int]] = {}
    if scope.before:
        around = [days.widened(GAP_DAYS), scope.before.widened(GAP_DAYS)]
        counted = await queries_many.counted_days(store, names, around)
    entered = await openings_of(store, names) if scope.opening is not Opening.EXCLUDE else {}
    return {
        name: _own(
            scope,
            trends[name],
            before[name],
            CountedDays(first.get(name), counted.get(name, frozenset()), scope.today),
            entered.get(name, NO_OPENING),
            is_whole=not moments,
        )
        for name in names
    }


async def _before(store: Store, names: Sequence[str], scope: Scope) -> Mapping[str, Counts]:
    if scope.before is None:
        return {}
    sums = await queries_many.sums(store, names, scope.before, scope.before.days)
    return {name: counts for name, (counts,) in sums.items()}


async def openings_of(store: Store, names: Sequence[str]) -> dict[str, OpeningNumbers]:
    """Read what the ledger holds for whole sites, by the names that have any. Raises StoreError."""
    entered = {}
    for name, entries in (await counter_queries.balances(store, names, [_WHOLE_SITE])).items():
        counts: dict[Key, tuple[int, int]] = {}
        for entry in entries:
            views, visits = counts.get((entry.grain, entry.start), (0, 0))
            counts[entry.grain, entry.start] = (views + entry.views, visits + entry.visits)
        entered[name] = OpeningNumbers(counts)
    return entered


def _own(
    scope: Scope,
    trend: Sequence[Counts],
    before: Counts | None,
    counted: CountedDays,
    entered: OpeningNumbers,
    *,
    is_whole: bool,
) -> OwnNumbers:
    """Return the numbers of a name, with its opening balances if asked for."""
    is_measured = scope.opening is not Opening.ONLY
    now = summed(trend) if is_measured else Counts()
    now.add(_within(entered, scope.elapsed, scope.today))
    if before is not None and scope.before is not None:
        before = before if is_measured else Counts()
        of_before = _within(entered, scope.before, scope.today)
        before.add(of_before)
        if not is_whole and of_before != Counts():
            before = None  # nothing says which hours that covers
    return OwnNumbers(now, before, tuple(trend), counted, entered)


def _within(entered: OpeningNumbers, span: Span, today: int) -> Counts:
    views, visits = entered.within(span, today)
    return Counts(pageviews=views, visits=visits)


def _first(days: Iterable[int | None]) -> int | None:
    return min((day for day in days if day is not None), default=None)


def _together(known: Sequence[OwnNumbers]) -> tuple[Counts, ...]:
    """Return the sum of several trends, aligned by their last days."""
    size = max((len(one.trend) for one in known), default=0)
    sums = [Counts() for _ in range(size)]
    for one in known:
        for place, counts in enumerate(one.trend, size - len(one.trend)):
            sums[place].add(counts)
    return tuple(sums)
