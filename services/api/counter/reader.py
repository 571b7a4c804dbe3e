"""Reads the numbers of sites: periods, who is online, and the day's peak."""

import asyncio
import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any

from services.api.counter import periods, queries
from services.api.counter.body import Numbers
from services.api.counter.cache import LastGood
from services.api.counter.last_shown import Kept
from services.api.counter.monotonic import Guard, news
from services.api.counter.online import OnlineReader
from services.api.counter.periods import Key, Periods
from services.api.counter.reading import Reading, Rows
from services.api.turns import in_turns
from services.model.calendar import Grain, local_day, to_date
from services.model.site import Metric, Site
from services.state.state import State
from services.store.interface import Store

HISTORY_SECONDS = 60.0
FIRST_DAY_SECONDS = 600.0

Wanted = tuple[str, Metric]
"""Slug and measure."""


class CounterReader:
    """Reads sites together, from the store and from Redis, with one statement of each kind.

    Remembers only what makes the next reading cheaper, and what was shown.
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
        self._guard = Guard()
        self._online = OnlineReader(state, clock, monotonic)
        self._kept = Kept(state)
        self._history = LastGood(
            self._read_histories, ttl=HISTORY_SECONDS, limit=1000, clock=monotonic
        )
        self._first_days = LastGood(
            self._read_first_days, ttl=FIRST_DAY_SECONDS, limit=10_000, clock=monotonic
        )

    async def close(self) -> None:
        """Abandon the readings under way."""
        await self._online.close()
        await self._history.close()
        await self._first_days.close()

    async def read(
        self, sites: Mapping[str, Site], wanted: Sequence[Wanted]
    ) -> dict[Wanted, Numbers]:
        """Return the numbers of sites, opening balances included; `sites` are theirs, by slug.

        What may not be shown is left out. Raises StoreError.
        """
        now_ms = int(self._clock() * 1000)
        today = {slug: local_day(now_ms, site.timezone) for slug, site in sites.items()}
        around = {day: Periods.around(day) for day in set(today.values())}
        keys = {day: periods.keys() for day, periods in around.items()}
        counted, balances, peaks, since, shown, online = await asyncio.gather(
            self._counted(wanted, today, frozenset().union(*keys.values())),
            queries.balances(self._store, sites, ("",)),
            queries.peaks(self._store, sites, around),
            self._since(sites),
            self._kept.numbers(wanted),
            self._online.now(list(sites)),
        )
        before = self._guard.before(shown)
        readings: dict[Wanted, Reading] = {}
        async for slug, metric in in_turns(wanted):
            day, held = today[slug], before.get((slug, metric))
            rows = {key: counted[slug, metric].get(key, 0) for key in keys[day]}
            readings[slug, metric] = Reading(
                as_of=now_ms,
                day=day,
                since=since[slug],
                peak=peaks.get((slug, day)),
                counted=self._raised(slug, metric, rows, held.counted if held else {}),
                balances=_added(balances.get(slug, ()), metric, keys[day]),
            )
        fresh = news(readings, before)
        kept = shown is not None and await self._kept.keep(fresh)
        readings = self._guard.show(
            readings, lambda key: kept or (shown is not None and key not in fresh)
        )
        return {
            (slug, metric): Numbers(sites[slug], metric, reading, online[slug])
            async for (slug, metric), reading in in_turns(readings.items())
        }

    async def recall(
        self, sites: Mapping[str, Site], wanted: Sequence[Wanted]
    ) -> dict[Wanted, Numbers]:
        """Return the last good numbers that are kept, of those sites that have any."""
        before = self._guard.before(await self._kept.numbers(wanted))
        online = await self._online.now(list(sites))
        recalled = {}
        for slug, metric in wanted:
            reading = before.get((slug, metric))
            if reading is not None:
                self._raised(slug, metric, {}, reading.counted)
                recalled[slug, metric] = Numbers(sites[slug], metric, reading, online[slug])
        return recalled

    async def online(self, site: Site) -> int:
        """Return the visitors online, as far as is known."""
        return (await self._online.now([site.slug]))[site.slug].visitors

    def today(self, site: Site) -> int:
        """Return the site's day of this moment."""
        return local_day(int(self._clock() * 1000), site.timezone)

    def _raised(self, slug: str, metric: Metric, counted: Rows, before: Rows) -> Rows:
        """Return the rows, none lower than it was ever shown; rows of nothing are left out."""
        raised = {}
        for key in counted.keys() | before.keys():
            highest = max(counted.get(key, 0), before.get(key, 0))
            count = self._guard.highest.raised((slug, metric, key), highest)
            if count and key in counted:
                raised[key] = count
        return raised

    async def _counted(
        self, wanted: Sequence[Wanted], today: Mapping[str, int], keys: frozenset[Key]
    ) -> dict[Wanted, Rows]:
        stored = {slug for slug, metric in wanted if metric is not Metric.VISITORS}
        hashed = {slug: today[slug] for slug, metric in wanted if metric is Metric.VISITORS}
        rows, visitors = await asyncio.gather(
            queries.rows(self._store, stored, keys) if stored else _nothing(),
            self._visitors(hashed) if hashed else _nothing(),
        )
        return {
            (slug, metric): visitors[slug]
            if metric is Metric.VISITORS
            else {key: _measure(count, metric) for key, count in rows.get(slug, {}).items()}
            for slug, metric in wanted
        }

    async def _visitors(self, today: Mapping[str, int]) -> dict[str, Rows]:
        # Longer periods are sums of days: a visitor means nothing after the site's midnight.
        asked = [(slug, day - 1) for slug, day in today.items()]
        histories, recent = await asyncio.gather(
            self._history.get_all(asked),
            queries.visitors(self._store, today, min(today.values()) - 1, max(today.values()) + 2),
        )
        counted = {}
        for slug, first in asked:
            counted[slug] = rows = dict(histories[slug, first].value)
            for day, count in recent.get(slug, {}).items():
                if first <= day <= first + 2:
                    periods.add(rows, Grain.DAY, day, count)
        return counted

    async def _read_histories(
        self, wanted: Sequence[tuple[str, int]]
    ) -> dict[tuple[str, int], Rows]:
        histories: dict[tuple[str, int], Rows] = {}
        for end in {end for _, end in wanted}:
            slugs = [slug for slug, until in wanted if until == end]
            found = await queries.visitors(self._store, slugs, 0, end)
            for slug in slugs:
                rows: Rows = {}
                histories[slug, end] = rows
                for day, count in found.get(slug, {}).items():
                    periods.add(rows, Grain.DAY, day, count)
        return histories

    async def _since(self, sites: Mapping[str, Site]) -> dict[str, str]:
        self._first_days.renew(sites)
        first = await self._first_days.get_all(list(sites))
        return {
            slug: to_date(
                local_day(site.created_at, site.timezone)
                if (day := first[slug].value) is None
                else day
            ).isoformat()
            for slug, site in sites.items()
        }

    async def _read_first_days(self, slugs: Sequence[str]) -> dict[str, int | None]:
        found = await queries.first_days(self._store, slugs)
        return {slug: found.get(slug) for slug in slugs}


async def _nothing() -> dict[str, Any]:
    return {}


def _added(balances: Iterable[queries.Balance], metric: Metric, wanted: frozenset[Key]) -> Rows:
    if metric is Metric.VISITORS:
        return {}
    # An old counter showed each number for itself: an entry adds to its own period only.
    rows: Rows = {}
    for balance in balances:
        key = (balance.grain, balance.start)
        rows[key] = rows.get(key, 0) + _measure(balance, metric)
    return {key: count for key, count in rows.items() if count and key in wanted}


def _measure(count: queries.Count | queries.Balance, metric: Metric) -> int:
    return count.views if metric is Metric.VIEWS else count.visits
