"""Reads the numbers of sites: periods, who is online, and the day's peak."""

import asyncio
import time
from collections.abc import AsyncIterator, Callable, Collection, Iterable, Mapping, Sequence
from functools import reduce
from typing import Any, TypeVar

from services.api.counter import periods, queries
from services.api.counter.body import OnlineNow, SiteNumbers
from services.api.counter.cache import BYTES_A_VALUE, StaleIfErrorCache
from services.api.counter.last_shown import LastShownSites
from services.api.counter.monotonic import Floor
from services.api.counter.online import OnlineReader
from services.api.counter.peaks import PeakReader
from services.api.counter.periods import Key, Periods
from services.api.counter.reading import Reading, Rows
from services.model.calendar import Grain, period_start, previous_month, to_date
from services.model.site import Metric, Site
from services.state.state import State
from services.store.counts import corrections
from services.store.counts.corrections import Taken
from services.store.interface import Store

ITEMS_A_YIELD = 16
HISTORY_SECONDS = 60.0
PAST_SECONDS = 600.0
"""Hits of past months only ever arrive with an import."""
FIRST_DAY_SECONDS = 600.0
RECALL_SECONDS = 5.0
"""How long reading the numbers shown last may take: without them, there are none at all."""
_BYTES_A_ROW = 200

T = TypeVar("T")

CounterKey = tuple[str, Metric]
"""Slug and measure."""


class CounterReader:
    """Reads many sites together, from the store and from Redis, with one statement of each kind.

    Keeps only what makes the next reading cheaper, and the floor.
    """

    def __init__(
        self,
        store: Store,
        state: State,
        clock: Callable[[], float] = time.time,
        monotonic: Callable[[], float] = time.monotonic,
    ) -> None:
        self._store = store
        self._clock = clock
        self._online = OnlineReader(state, clock, monotonic)
        self._peaks = PeakReader(store, monotonic)
        self._floor = Floor(LastShownSites(state))
        self._history = StaleIfErrorCache(
            self._read_histories, ttl=HISTORY_SECONDS, size=_history_size, clock=monotonic
        )
        self._past = StaleIfErrorCache(
            self._read_past, ttl=PAST_SECONDS, size=_history_size, clock=monotonic
        )
        self._first_days = StaleIfErrorCache(
            self._read_first_days, ttl=FIRST_DAY_SECONDS, clock=monotonic
        )

    async def close(self) -> None:
        """Abandon the reads under way."""
        await self._online.close()
        await self._peaks.close()
        await self._history.close()
        await self._past.close()
        await self._first_days.close()

    async def read(
        self, sites: Mapping[str, Site], counters: Sequence[CounterKey]
    ) -> dict[CounterKey, SiteNumbers]:
        """Return the numbers of counters, ledger included; `sites` are their sites, by slug.

        Numbers that may not be shown are left out. Raises StoreError.
        """
        now_ms = int(self._clock() * 1000)
        today = {slug: site.day_of(now_ms) for slug, site in sites.items()}
        around = {day: Periods.around(day) for day in set(today.values())}
        keys = {day: periods.keys() for day, periods in around.items()}
        counted, (balances, taken), peaks, since, shown, online = await asyncio.gather(
            self._counted(counters, today, frozenset().union(*keys.values())),
            self._ledger(sites),
            self._peaks.read(sites, around),
            self._since(sites),
            self._floor.last_shown(counters),
            self._online.now(list(sites)),
        )
        readings: dict[CounterKey, Reading] = {}
        async for slug, metric in cooperatively(counters):
            day, before = today[slug], shown.readings.get((slug, metric))
            rows = {key: counted[slug, metric].get(key, 0) for key in keys[day]}
            readings[slug, metric] = Reading(
                as_of=now_ms,
                day=day,
                since=since[slug],
                peak=peaks.get((slug, day)),
                counted=self._floor.lift((slug, metric), rows, before.rows if before else {}),
                ledger=_added(
                    balances.get(slug, ()),
                    taken.get((slug, corrections.WHOLE_SITE), {}),
                    metric,
                    keys[day],
                ),
            )
        allowed = await self._floor.show(readings, shown)
        return {
            (slug, metric): SiteNumbers(sites[slug], metric, reading, online[slug])
            async for (slug, metric), reading in cooperatively(allowed.items())
        }

    async def views(self, sites: Mapping[str, Site]) -> dict[str, dict[str, int]]:
        """Return the views of sites by period, ledger included, without the floor.

        Changes nothing that is remembered here. Raises StoreError.
        """
        now_ms = int(self._clock() * 1000)
        around = {slug: Periods.around(site.day_of(now_ms)) for slug, site in sites.items()}
        keys = {slug: periods.keys() for slug, periods in around.items()}
        counted, (balances, taken) = await asyncio.gather(
            queries.rows(self._store, sites, frozenset().union(*keys.values())),
            self._ledger(sites),
        )
        views: dict[str, dict[str, int]] = {}
        async for slug in cooperatively(sites):
            rows = {key: count.views for key, count in counted.get(slug, {}).items()}
            ledger = _added(
                balances.get(slug, ()),
                taken.get((slug, corrections.WHOLE_SITE), {}),
                Metric.VIEWS,
                keys[slug],
            )
            for key, count in ledger.items():
                rows[key] = max(0, rows.get(key, 0) + count)
            views[slug] = around[slug].numbers(rows)
        return views

    def forget(self, site: Site) -> None:
        """Forget everything of a site, so that it is read again: old days were changed, too."""
        today = self.today(site)
        self._first_days.forget(site.kept_as)
        for day in (today - 2, today - 1, today):
            self._history.forget((site.kept_as, day))
            self._past.forget((site.kept_as, previous_month(day)))

    async def recall(
        self, sites: Mapping[str, Site], counters: Sequence[CounterKey]
    ) -> dict[CounterKey, SiteNumbers]:
        """Return the numbers that were shown last, for those sites that have any."""
        recalled = await self._floor.recall(counters, RECALL_SECONDS)
        online = await self._online.now(list(sites))
        return {
            (slug, metric): SiteNumbers(sites[slug], metric, reading, online[slug])
            for (slug, metric), reading in recalled.items()
        }

    async def online(self, sites: Iterable[Site]) -> OnlineNow:
        """Return who is online on sites, as far as known."""
        online = await self._online.now([site.kept_as for site in sites])
        return reduce(OnlineNow.plus, online.values())

    def online_known(self, sites: Sequence[Site]) -> tuple[OnlineNow | None, float]:
        """Return who is online on sites if fresh, and until when, by the clock, it is fresh."""
        names = [site.kept_as for site in sites]
        known, until = self._online.known(names)
        return reduce(OnlineNow.plus, known.values()) if len(known) == len(names) else None, until

    def refresh_online(self, names: Iterable[str]) -> None:
        """Refresh in the background who is online where that will soon be outdated."""
        self._online.refresh(names)

    def today(self, site: Site) -> int:
        """Return the site's current day."""
        return site.day_of(int(self._clock() * 1000))

    async def _ledger(
        self, sites: Collection[str]
    ) -> tuple[dict[str, list[queries.Balance]], dict[tuple[str, str], dict[int, Taken]]]:
        return await asyncio.gather(
            queries.balances(self._store, sites, (corrections.WHOLE_SITE,)),
            corrections.taken(self._store, sites),
        )

    async def _counted(
        self, counters: Sequence[CounterKey], today: Mapping[str, int], keys: frozenset[Key]
    ) -> dict[CounterKey, Rows]:
        stored = {slug for slug, metric in counters if metric is not Metric.VISITORS}
        hashed = {slug: today[slug] for slug, metric in counters if metric is Metric.VISITORS}
        rows, visitors = await asyncio.gather(
            queries.rows(self._store, stored, keys) if stored else _nothing(),
            self._visitors(hashed) if hashed else _nothing(),
        )
        return {
            (slug, metric): visitors[slug]
            if metric is Metric.VISITORS
            else {key: _measure(count, metric) for key, count in rows.get(slug, {}).items()}
            for slug, metric in counters
        }

    async def _visitors(self, today: Mapping[str, int]) -> dict[str, Rows]:
        # Longer periods are sums of days: a visitor is unknown after the site's midnight. Days
        # before last month are only in years and the total, and grow with the store's age.
        until = [(slug, day - 1) for slug, day in today.items()]
        histories, past, recent = await asyncio.gather(
            self._history.get_all(until),
            self._past.get_all([(slug, previous_month(day)) for slug, day in until]),
            queries.visitors(self._store, today, min(today.values()) - 1, max(today.values()) + 2),
        )
        counted = {}
        for slug, first in until:
            counted[slug] = rows = dict(histories[slug, first].value)
            for key, count in past[slug, previous_month(first)].value.items():
                rows[key] = rows.get(key, 0) + count
            for day, count in recent.get(slug, {}).items():
                if first <= day <= first + 2:
                    periods.add(rows, Grain.DAY, day, count)
        return counted

    async def _read_histories(self, keys: Sequence[tuple[str, int]]) -> dict[tuple[str, int], Rows]:
        histories: dict[tuple[str, int], Rows] = {}
        async for end, visitors in self._visitors_until(keys, previous_month):
            # Today is the day after, which has no history yet.
            needed = Periods.around(end + 1).keys()
            for slug, days in visitors.items():
                rows: Rows = {}
                for day, count in days.items():
                    periods.add(rows, Grain.DAY, day, count)
                histories[slug, end] = {key: rows[key] for key in rows.keys() & needed}
        return histories

    async def _read_past(self, keys: Sequence[tuple[str, int]]) -> dict[tuple[str, int], Rows]:
        past: dict[tuple[str, int], Rows] = {}
        async for end, visitors in self._visitors_until(keys, lambda _: 0):
            for slug, days in visitors.items():
                # All days of ten years would fill the memory.
                rows = past[slug, end] = {}
                for day, count in days.items():
                    periods.add(rows, Grain.YEAR, period_start(day, Grain.YEAR), count)
        return past

    async def _visitors_until(
        self, keys: Sequence[tuple[str, int]], first: Callable[[int], int]
    ) -> AsyncIterator[tuple[int, dict[str, dict[int, int]]]]:
        """Yield each end day of the keys, with its sites' visitors on each day before it.

        first  returns the first day to read, given the end
        """
        for end in {end for _, end in keys}:
            slugs = [slug for slug, until in keys if until == end]
            visitors = await queries.visitors(self._store, slugs, first(end), end)
            yield end, {slug: visitors.get(slug, {}) for slug in slugs}

    async def _since(self, sites: Mapping[str, Site]) -> dict[str, str]:
        self._first_days.refresh(sites)
        first = await self._first_days.get_all(list(sites))
        return {
            slug: to_date(
                site.day_of(site.created_at) if (day := first[slug].value) is None else day
            ).isoformat()
            for slug, site in sites.items()
        }

    async def _read_first_days(self, slugs: Sequence[str]) -> dict[str, int | None]:
        days = await queries.first_shown_days(self._store, slugs)
        return {slug: days.get(slug) for slug in slugs}


def _history_size(_: tuple[str, int], rows: Rows) -> int:
    return BYTES_A_VALUE + _BYTES_A_ROW * len(rows)


async def cooperatively(items: Iterable[T]) -> AsyncIterator[T]:
    """Yield items, and let the event loop run every few items, so that requests are answered."""
    for number, item in enumerate(items, 1):
        yield item
        if number % ITEMS_A_YIELD == 0:
            await asyncio.sleep(0)


async def _nothing() -> dict[str, Any]:
    return {}


def _added(
    balances: Iterable[queries.Balance],
    taken: Mapping[int, Taken],
    metric: Metric,
    keys: frozenset[Key],
) -> Rows:
    """Return what the ledger adds to each row, or subtracts."""
    rows: Rows = {}
    # An old counter showed independent numbers: an entry counts only for its own period.
    if metric is not Metric.VISITORS:
        for balance in balances:
            key = (balance.grain, balance.start)
            rows[key] = rows.get(key, 0) + _measure(balance, metric)
    for day, of_day in taken.items():
        periods.add(rows, Grain.DAY, day, -of_day.of(metric))
    return {key: count for key, count in rows.items() if count and key in keys}


def _measure(count: queries.Count | queries.Balance, metric: Metric) -> int:
    return count.views if metric is Metric.VIEWS else count.visits
