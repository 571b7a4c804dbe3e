"""Reads a site's numbers: periods, who is online, the day's peak, and the views of pages."""

import asyncio
import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from datetime import datetime

import msgspec
from redis.asyncio import Redis
from redis.exceptions import RedisError

from services.api import periods, queries
from services.api.cache import LastGood
from services.api.etag import weak
from services.api.highwater import HighWater
from services.api.periods import Key, Periods
from services.log import keys
from services.model.calendar import Grain, local_day, to_date, zone
from services.model.site import Metric, Site
from services.store.interface import Store

ONLINE_SECONDS = 15
"""How long the number of visitors online is believed after the aggregator said it."""
REDIS_SECONDS = 1.0
HISTORY_SECONDS = 60.0
FIRST_DAY_SECONDS = 600.0

_json = msgspec.json.Encoder()


class Answer(msgspec.Struct, frozen=True):
    """The numbers of a site as they are sent; `etag` says nothing of when they were read."""

    body: bytes
    stale_body: bytes
    etag: str
    stale_etag: str

    @classmethod
    def of(cls, numbers: Mapping[str, object]) -> "Answer":
        """Encode numbers once, as read now and as the last good ones."""
        stale = {**numbers, "stale": True}
        return cls(_json.encode(numbers), _json.encode(stale), _etag(numbers), _etag(stale))


def _etag(numbers: Mapping[str, object]) -> str:
    return weak(_json.encode({**numbers, "as_of": None}))


class PathViews(msgspec.Struct, frozen=True):
    """The views of one page."""

    views: int
    today: int


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
        self._redis = redis
        self._clock = clock
        self._highest = HighWater()
        self._highest_of_paths = HighWater()
        self._online: dict[str, int] = {}
        self._history = LastGood(
            self._read_histories, ttl=HISTORY_SECONDS, limit=1000, clock=monotonic
        )
        self._first_days = LastGood(
            self._read_first_days, ttl=FIRST_DAY_SECONDS, limit=10_000, clock=monotonic
        )

    async def close(self) -> None:
        """Abandon the readings under way."""
        await self._history.close()
        await self._first_days.close()

    async def answer(self, site: Site, metric: Metric) -> Answer:
        """Return the numbers of a site, opening balances included. Raises StoreError."""
        now_ms = int(self._clock() * 1000)
        today = local_day(now_ms, site.timezone)
        around = Periods.around(today)
        counted, balances, peak, since, (online, is_current) = await asyncio.gather(
            self._rows(site.slug, metric, around),
            self._balances(site.slug, metric),
            queries.peak(self._store, site.slug, today),
            self._since(site),
            self._online_now(site.slug, now_ms),
        )
        rows = {
            key: self._highest.raised((site.slug, metric, key), count)
            for key, count in counted.items()
        }
        for balance in balances:
            periods.add(rows, balance.grain, balance.start, _measure(balance, metric))
        return Answer.of(
            {
                "site": site.slug,
                "as_of": _iso(now_ms, site.timezone),
                "timezone": site.timezone,
                "metric": metric,
                "stale": not is_current,
                "since": since,
                "online": online,
                **around.numbers(rows),
                "peak": {
                    "online": peak.online if peak else 0,
                    "at": _iso(peak.at, site.timezone) if peak else None,
                },
            }
        )

    async def paths(self, site: Site, paths: Sequence[str]) -> dict[str, PathViews]:
        """Return the views of pages, opening balances included. Raises StoreError."""
        today = local_day(int(self._clock() * 1000), site.timezone)
        found, balances = await asyncio.gather(
            queries.path_views(self._store, site.slug, paths, today),
            queries.balances(self._store, site.slug, paths),
        )
        rows: dict[str, dict[Key, int]] = {}
        for path in paths:
            rows[path] = {
                key: self._highest_of_paths.raised(
                    (site.slug, path, key), found.get((path, key[0]), 0)
                )
                for key in ((Grain.TOTAL, 0), (Grain.DAY, today))
            }
        for balance in balances:
            periods.add(rows[balance.path], balance.grain, balance.start, balance.views)
        return {
            path: PathViews(views=of_path[Grain.TOTAL, 0], today=of_path[Grain.DAY, today])
            for path, of_path in rows.items()
        }

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

    async def _online_now(self, slug: str, now_ms: int) -> tuple[int, bool]:
        """Return visitors online, and whether Redis could be asked; the last answer if not."""
        try:
            async with asyncio.timeout(REDIS_SECONDS):
                said = await self._redis.hget(keys.ONLINE, slug)
        except (RedisError, OSError, TimeoutError):
            return self._online.get(slug, 0), False
        self._online[slug] = _believed(said, now_ms)
        return self._online[slug], True


def _believed(said: bytes | str | None, now_ms: int) -> int:
    text = said.decode() if isinstance(said, bytes) else said or ""
    count, _, at_ms = text.partition(":")
    if not (count.isdecimal() and at_ms.isdecimal()):
        return 0
    return int(count) if now_ms - int(at_ms) <= ONLINE_SECONDS * 1000 else 0


def _measure(count: queries.Count | queries.Balance, metric: Metric) -> int:
    return count.views if metric is Metric.VIEWS else count.visits


def _iso(at_ms: int, timezone: str) -> str:
    return datetime.fromtimestamp(at_ms // 1000, zone(timezone)).isoformat()
