"""What is asked of a store again and again, as its age is told by what it costs."""

import time
from collections.abc import AsyncIterator, Sequence
from contextlib import aclosing, asynccontextmanager
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import httpx
import msgspec
from redis import Redis

from benchmarks.processes import cpu_clock
from benchmarks.province import EARLIER_DAYS, Province
from benchmarks.simulation import Clock, Simulation, Used
from benchmarks.stack import TOKEN, Stack
from benchmarks.stats import FILTER, asked
from services.aggregator.drift import DAYS as RECOUNTED_DAYS
from services.aggregator.path_history import HistoryPublisher
from services.api.counter.online import FRESH_SECONDS
from services.api.counter.pages import PageReader
from services.api.counter.reader import HISTORY_SECONDS, CounterReader
from services.backup.folder import FolderWriter
from services.model.calendar import to_date
from services.model.partition import DEFAULT_PARTITIONS
from services.model.site import Metric
from services.state import keys
from services.state.state import State
from services.store.counts import drift
from services.store.dumps.portable import COUNTERS, Piece, dump
from services.store.interface import Store
from services.store.migrations import fix_partitions, migrate
from services.store.open import open_store
from tests.servers.redis import RedisServer

PAGES_A_READ = 10
SITES_READ = 5
ANSWER_SECONDS = 600.0
_START_SECONDS = 120.0

READ_TABLES = ("counters", "peaks")

_SIZES = """
SELECT table, sum(rows), sum(bytes_on_disk), count()
FROM system.parts
WHERE database = currentDatabase() AND active
GROUP BY table
"""
_EVENTS = "SELECT event, value FROM system.events"


class AgedStore:
    """A store of a province, and what is asked of it; `redis` is the shared state beside it."""

    def __init__(
        self,
        url: str,
        server: int,
        redis: str,
        province: Province,
        year: int,
        day: int | None = None,
    ) -> None:
        """Prepare; see Simulation."""
        self.url = url
        self._first_day = year
        self._before = year - EARLIER_DAYS
        self._server = server
        self._redis = redis
        self.province = province
        self.store: Store = open_store(url, answer_seconds=ANSWER_SECONDS)
        self.simulation = Simulation(self.store, server, province, year, day)

    async def prepare(self) -> None:
        """Make the tables, and the sites."""
        await self.store.prepare()
        await migrate(self.store)
        await fix_partitions(self.store, DEFAULT_PARTITIONS)
        known = self.province.sites
        columns: dict[str, list[Any]] = {
            "slug": [site.slug for site in known],
            "version": [1] * len(known),
            "deleted": [0] * len(known),
            "body": [msgspec.json.encode(site).decode() for site in known],
        }
        await self.store.insert("sites", columns)

    async def sizes(self) -> dict[str, tuple[int, int, int]]:
        """Return rows, bytes on the disk and active parts of each table that has any."""
        return {
            name: (rows, size, parts)
            for name, rows, size, parts in await self.store.execute(_SIZES)
        }

    async def merge(self) -> None:
        """Merge what a counter read looks at into one part a table."""
        for table in READ_TABLES:
            await self.store.execute(f"OPTIMIZE TABLE {table} FINAL")

    async def events(self) -> dict[str, int]:
        """Return what the server counts from its start on."""
        return dict(await self.store.execute(_EVENTS))

    async def read(self, metric: Metric) -> Used:
        """Read the numbers of each site alone, as an API does that nobody has asked for a while."""
        clock = _Ticking()
        # What is kept for longer of visitors is read again, too.
        pause = HISTORY_SECONDS + 1 if metric is Metric.VISITORS else FRESH_SECONDS + 1
        state = State.open(self._redis)
        reader = CounterReader(self.store, state, lambda: self.simulation.now, clock)
        by_name = {site.kept_as: site for site in self.province.sites[:SITES_READ]}
        try:
            await reader.read(by_name, [(name, metric) for name in by_name])
            measured = Clock(self._server)
            for name, site in by_name.items():
                clock.now += pause
                await reader.read({name: site}, [(name, metric)])
            return _each(measured.used(), len(by_name))
        finally:
            await reader.close()
            await state.redis.aclose()

    async def read_pages(self) -> Used:
        """Read the views of the newest pages of each site, as a list of articles does."""
        state = State.open(self._redis)
        reader = PageReader(self.store, state, lambda: self.simulation.now)
        try:
            measured = Clock(self._server)
            shares = self.province.shares()
            for site, share in zip(self.province.sites[:SITES_READ], shares, strict=False):
                last = self.province.pages_of(share, self.simulation.day - self._before)
                paths = [
                    f"/tin-tuc/{site.slug}-bai-viet-so-{max(0, last - number)}.html"
                    for number in range(1, PAGES_A_READ + 1)
                ]
                await reader.read({site.kept_as: site}, [(site.kept_as, path) for path in paths])
            return _each(measured.used(), SITES_READ)
        finally:
            await state.redis.aclose()

    async def flush(self, *, first: bool) -> Used:
        """Write what one flush holds; `first`: by an aggregator that has just started."""
        async with self._without_merges():
            if first:
                self.simulation.start_again()
            return await self.simulation.flush()

    async def recount(self) -> Used:
        """Recount the raw hits of the last days, as each aggregator does every hour."""
        measured = Clock(self._server)
        # Of the years before there are no raw hits.
        first_day = max(self._first_day, self.simulation.day - (RECOUNTED_DAYS - 1))
        differ = await drift.recount(self.store, DEFAULT_PARTITIONS, first_day)
        used = measured.used()
        if differ:
            raise RuntimeError(f"counters differ from raw hits: {differ[0]}")
        return used

    async def publish_paths(self) -> Used:
        """Publish which pages have counters, as each aggregator does every hour."""
        publisher = HistoryPublisher(self.store, self._redis, DEFAULT_PARTITIONS)
        try:
            measured = Clock(self._server)
            await publisher.publish(range(DEFAULT_PARTITIONS))
            return measured.used()
        finally:
            await publisher.close()

    async def back_up(self, rows: int) -> tuple[Used, int]:
        """Back up the first so many rows of the counters; return how many there were, too."""
        measured, done = Clock(self._server), 0
        with TemporaryDirectory(prefix="luot-benchmark-") as folder:
            writer = FolderWriter(Path(folder))
            async with aclosing(dump(self.store)) as messages:
                async for message in messages:
                    if isinstance(message, Piece) and message.table == COUNTERS:
                        writer.add(message)
                        done += message.rows
                    elif done:
                        break
                    if done >= rows:
                        break
            writer.close()
        return measured.used(), done

    async def close(self) -> None:
        """Close the connections."""
        await self.store.close()

    @asynccontextmanager
    async def _without_merges(self) -> AsyncIterator[None]:
        """Keep the server from merging, which would be counted at one flush in a hundred."""
        await self.store.execute("SYSTEM STOP MERGES")
        try:
            yield
        finally:
            await self.store.execute("SYSTEM START MERGES")


class _Ticking:
    """A monotonic clock that is set."""

    def __init__(self) -> None:
        self.now = 0.0

    def __call__(self) -> float:
        return self.now


def _each(used: Used, count: int) -> Used:
    return Used(used.own / count, used.server / count)


def restart(
    running: Stack, redis: RedisServer, url: str, server: int, sites: Sequence[str]
) -> Used:
    """Start an aggregator, until it is ready and has published the paths of these sites."""
    with redis.client() as client:
        client.flushall()
        before = cpu_clock(server)
        service = running.service(
            "aggregator", LUOT_REDIS_URL=redis.url, LUOT_CLICKHOUSE_URL=url, LUOT_HITS_DAYS="3650"
        )
        deadline = time.monotonic() + _START_SECONDS
        while _published(client, sites) < len(sites):
            if time.monotonic() > deadline:
                raise RuntimeError(f"no paths were published: {service.log.read_text()[-2000:]}")
            time.sleep(0.05)
        used = Used(cpu_clock(service.pid), cpu_clock(server) - before)
        service.stop()
    return used


def _published(client: Redis, sites: Sequence[str]) -> int:
    """Return of how many sites the paths are published."""
    return sum(bool(client.exists(keys.path_history(site))) for site in sites)


def panels(running: Stack, redis: RedisServer, url: str, server: int, day: int) -> dict[str, float]:
    """Ask for the slowest panel of the largest site; return processor time in ms by period."""
    query = {"site_id": "portal-0", "property": "visit:channel", "date": f"{to_date(day)}"}
    query |= {"metrics": "visits", **FILTER}
    api = running.service(
        "api", LUOT_REDIS_URL=redis.url, LUOT_CLICKHOUSE_URL=url, LUOT_ADMIN_TOKEN=TOKEN
    )
    headers = {"Authorization": f"Bearer {TOKEN}"}
    found = {}
    with httpx.Client(base_url=api.url, headers=headers, timeout=ANSWER_SECONDS) as client:
        for period in ("month", "year"):
            of_period = {**query, "period": period}
            _, used = asked(client, "/api/v1/stats/breakdown", of_period, [api.pid, server])
            found[period] = used
    api.stop()
    return found
