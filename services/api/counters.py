"""Reads a site's numbers: periods, who is online, the day's peak, and the views of pages."""

import asyncio
import time
from collections.abc import Callable, Iterable, Sequence
from typing import TypeVar

from redis.asyncio import Redis

from services.api import periods, queries
from services.api.answers import Numbers
from services.api.cache import LastGood
from services.api.highwater import HighWater
from services.api.kept import Kept, Shown
from services.api.online import OnlineReader
from services.api.periods import Key, Periods
from services.api.reading import PageReading, Reading, Rows
from services.model.calendar import Grain, local_day, to_date
from services.model.site import Metric, Site
from services.store.interface import Store, StoreUnavailableError

KEEP_SECONDS = 60.0
"""How old the time of numbers that do not change may be where they are kept."""
HISTORY_SECONDS = 60.0
FIRST_DAY_SECONDS = 600.0
REMEMBERED = 100_000

_TOTAL: Key = (Grain.TOTAL, 0)

R = TypeVar("R", Reading, PageReading)


class CounterReader:
    """Reads from the store and from Redis; remembers only what makes the next reading cheaper."""

    def __init__(
        self,
        store: Store,
        redis: Redis,
        clock: Callable[[], float] = time.time,
        monotonic: Callable[[], float] = time.monotonic,
    ) -> None:
        self._store = store
        self._clock = clock
        self._highest = HighWater()
        self._highest_of_paths = HighWater()
        self._online = OnlineReader(redis, clock, monotonic)
        self._kept = Kept(redis)
        self._ever_shown: set[tuple[str, str]] = set()
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

    async def numbers(self, site: Site, metric: Metric) -> Numbers:
        """Return the numbers of a site, opening balances included. Raises StoreError."""
        now_ms = int(self._clock() * 1000)
        today = local_day(now_ms, site.timezone)
        around = Periods.around(today)
        counted, balances, peak, since, shown, online = await asyncio.gather(
            self._rows(site.slug, metric, around),
            self._balances(site.slug, metric),
            queries.peak(self._store, site.slug, today),
            self._since(site),
            self._kept.numbers(site.slug, metric),
            self._online.now(site.slug),
        )
        before = self._guard(site.slug, shown, metric)
        reading = Reading(
            as_of=now_ms,
            day=today,
            since=since,
            peak=peak,
            counted=self._raised(site.slug, metric, counted, before.counted if before else {}),
            balances=_added(balances, metric, around),
        )
        kept = shown is not None
        if kept and _is_news(reading, before):
            kept = await self._kept.keep(site.slug, metric, reading)
        self._show(site.slug, [metric], kept=kept)
        return Numbers(site, metric, reading, online)

    async def recall_numbers(self, site: Site, metric: Metric) -> Numbers | None:
        """Return the last good numbers that are kept, if any are."""
        shown = await self._kept.numbers(site.slug, metric)
        before = self._guard(site.slug, shown, metric)
        if before is None:
            return None
        self._raised(site.slug, metric, {}, before.counted)
        return Numbers(site, metric, before, await self._online.now(site.slug))

    async def online(self, site: Site) -> int:
        """Return the visitors online, as far as is known."""
        return (await self._online.now(site.slug)).visitors

    def today(self, site: Site) -> int:
        """Return the site's day of this moment."""
        return local_day(int(self._clock() * 1000), site.timezone)

    async def pages(self, site: Site, paths: Sequence[str]) -> dict[str, PageReading]:
        """Return the views of pages, opening balances included. Raises StoreError."""
        now_ms = int(self._clock() * 1000)
        today = local_day(now_ms, site.timezone)
        found, balances, shown = await asyncio.gather(
            queries.path_views(self._store, site.slug, paths, today),
            queries.balances(self._store, site.slug, paths),
            self._kept.pages(site.slug, paths),
        )
        added: dict[str, dict[Key, int]] = {path: {} for path in paths}
        for balance in balances:
            held, key = added[balance.path], (balance.grain, balance.start)
            held[key] = held.get(key, 0) + balance.views
        readings, news = {}, {}
        for path in paths:
            before = self._guard(site.slug, shown, path)
            total = self._highest_of_paths.raised(
                (site.slug, path, _TOTAL), found.get((path, Grain.TOTAL), 0)
            )
            of_day = self._highest_of_paths.raised(
                (site.slug, path, (Grain.DAY, today)), found.get((path, Grain.DAY), 0)
            )
            if before is not None:
                total = max(total, before.views)
                of_day = max(of_day, before.today if before.day == today else 0)
            readings[path] = reading = PageReading(
                as_of=now_ms,
                day=today,
                views=total,
                today=of_day,
                balance=added[path].get(_TOTAL, 0),
                balance_today=added[path].get((Grain.DAY, today), 0),
            )
            if (reading.views or reading.balance) and _is_news(reading, before):
                news[path] = reading
        kept = shown is not None and await self._kept.keep_pages(site.slug, news)
        self._show(site.slug, paths, kept=kept)
        return readings

    async def recall_pages(self, site: Site, paths: Sequence[str]) -> dict[str, PageReading]:
        """Return the last good views that are kept, of those pages that have any."""
        shown = await self._kept.pages(site.slug, paths)
        found = {path: self._guard(site.slug, shown, path) for path in paths}
        return {path: reading for path, reading in found.items() if reading is not None}

    def _show(self, slug: str, names: Sequence[str], *, kept: bool) -> None:
        """Refuse to show what cannot be kept, once something was shown: StoreUnavailableError.

        After a restart while the store is away, what is kept would be less than what was shown.
        Nothing is lost by it: while Redis is away, no new hits are counted.
        """
        keys = {(slug, name) for name in names}
        if not kept and not keys.isdisjoint(self._ever_shown):
            raise StoreUnavailableError("Redis cannot keep what would be shown")
        if len(self._ever_shown) > REMEMBERED:
            self._ever_shown.clear()
        self._ever_shown |= keys

    def _guard(self, slug: str, shown: Shown[R] | None, key: str) -> R | None:
        """Return what was shown last, once what an operator reset is forgotten."""
        if shown is None:
            return None
        self._highest.reset(slug, shown.reset_at)
        self._highest_of_paths.reset(slug, shown.reset_at)
        return shown.readings.get(key)

    def _raised(self, slug: str, metric: Metric, counted: Rows, before: Rows) -> Rows:
        """Return the rows, none lower than it was ever shown; rows of nothing are left out."""
        raised = {}
        for key in counted.keys() | before.keys():
            highest = max(counted.get(key, 0), before.get(key, 0))
            count = self._highest.raised((slug, metric, key), highest)
            if count and key in counted:
                raised[key] = count
        return raised

    async def _rows(self, slug: str, metric: Metric, around: Periods) -> dict[Key, int]:
        wanted = around.keys()
        if metric is Metric.VISITORS:
            found = await self._visitor_rows(slug, around.today)
        else:
            counts = await queries.rows(self._store, slug, wanted)
            found = {key: _measure(count, metric) for key, count in counts.items()}
        return {key: found.get(key, 0) for key in wanted}

    async def _visitor_rows(self, slug: str, today: int) -> dict[Key, int]:
        # Longer periods are sums of days: a visitor means nothing after the site's midnight.
        recent = today - 1
        history, days = await asyncio.gather(
            self._history.get((slug, recent)),
            queries.visitors(self._store, slug, recent, today + 2),
        )
        rows = dict(history.value)
        for day, count in days.items():
            periods.add(rows, Grain.DAY, day, count)
        return rows

    async def _read_histories(
        self, wanted: Sequence[tuple[str, int]]
    ) -> dict[tuple[str, int], dict[Key, int]]:
        histories = {}
        for slug, end in wanted:
            rows: dict[Key, int] = {}
            for day, count in (await queries.visitors(self._store, slug, 0, end)).items():
                periods.add(rows, Grain.DAY, day, count)
            histories[slug, end] = rows
        return histories

    async def _balances(self, slug: str, metric: Metric) -> Iterable[queries.Balance]:
        if metric is Metric.VISITORS:
            return ()
        return await queries.balances(self._store, slug, ("",))

    async def _since(self, site: Site) -> str:
        first = (await self._first_days.get(site.slug)).value
        if first is None:
            first = local_day(site.created_at, site.timezone)
        return to_date(first).isoformat()

    async def _read_first_days(self, slugs: Sequence[str]) -> dict[str, int | None]:
        return {slug: await queries.first_day(self._store, slug) for slug in slugs}


def _added(balances: Iterable[queries.Balance], metric: Metric, around: Periods) -> Rows:
    # An old counter showed each number for itself: an entry adds to its own period only.
    rows: Rows = {}
    for balance in balances:
        key = (balance.grain, balance.start)
        rows[key] = rows.get(key, 0) + _measure(balance, metric)
    wanted = around.keys()
    return {key: count for key, count in rows.items() if count and key in wanted}


def _is_news(reading: R, before: R | None) -> bool:
    """Tell whether a reading must be kept: it says something else, or what is kept grows old."""
    return (
        before is None
        or reading.as_of - before.as_of > KEEP_SECONDS * 1000
        or not reading.says_the_same(before)
    )


def _measure(count: queries.Count | queries.Balance, metric: Metric) -> int:
    return count.views if metric is Metric.VIEWS else count.visits
