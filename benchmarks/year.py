"""A province for a year: what its store costs as it grows older, against an empty one.

Two years of paths are there when the year begins. BENCHMARK_YEAR_SHARE=0.1 makes it a tenth of the
hits, pages and flushes, for a machine that has not hours to itself.
"""

import asyncio
import os
import sys
import time
from collections.abc import Callable, Coroutine, Iterator, Mapping, Sequence
from datetime import date
from typing import Any

import msgspec
import pytest

from benchmarks import ageing
from benchmarks.ageing import AgedStore
from benchmarks.measure import Result
from benchmarks.processes import memory, spread
from benchmarks.province import Province, write_earlier_years
from benchmarks.simulation import Clock, Used
from benchmarks.stack import SERVER, Stack, stack, stores
from benchmarks.stats import settle
from services.model.calendar import to_day
from services.model.site import Metric
from services.store.counts import page_digests
from services.store.interface import StoreUnavailableError
from tests.servers.clickhouse import ClickHouseServer
from tests.servers.redis import RedisServer

MONTHS = (1, 3, 6, 12)
QUICK_MONTHS = (1,)
QUICK_SHARE = 0.002
ROUNDS = 5
READS = 20
"""Of the numbers of a site, which have a goal."""
STARTS = 3
TRIES = 5
BACKED_UP_ROWS = 2_000_000
EMPTY = "empty store"
TABLES = {"hits": "hits", "counters": "counters", "visitors": "daily_visitors"}
"""What is shown of tables, by its name in the results."""
YEAR = 2025
FIRST_DAY = to_day(date(YEAR, 1, 1))

READ = "counter read"
Work = Callable[[AgedStore], Coroutine[Any, Any, Used]]
WORKS: Mapping[str, Work] = {
    READ: lambda store: store.read(Metric.VISITS),
    "counter read, of visitors": lambda store: store.read(Metric.VISITORS),
    "read of ten pages": lambda store: store.read_pages(),
    "flush": lambda store: store.flush(first=False),
    "first flush after a start": lambda store: store.flush(first=True),
    "recount of three days": lambda store: store.recount(),
    "publishing the paths": lambda store: store.publish_paths(),
}
"""What is compared with an empty store."""
MERGED = "counter read, with one part a table"
RESTART = "start of an aggregator"


def measure(*, quick: bool) -> Iterator[Result]:
    """Measure a store at the beginning of the year, and after some of its months."""
    if SERVER not in stores():
        pytest.skip("clickhouse-server is not installed")
    share = QUICK_SHARE if quick else float(os.environ.get("BENCHMARK_YEAR_SHARE", "1"))
    with stack() as running, asyncio.Runner() as runner:
        year = Year(running, runner, Province().times(share), quick=quick)
        try:
            yield from year.measure(QUICK_MONTHS if quick else MONTHS)
        finally:
            runner.run(year.aged.close())


class Year:
    """The store that grows older, and the servers beside it."""

    def __init__(
        self, running: Stack, runner: asyncio.Runner, province: Province, *, quick: bool
    ) -> None:
        self._quick = quick
        self._running = running
        self._run = runner.run
        self._server: ClickHouseServer = running.clickhouse()
        self._redis: RedisServer = running.redis()
        for pid in (self._server.pid, self._redis.pid):
            spread(pid)
        self._province = province
        self._month = 0
        self._share = province.hits / Province().hits
        self.aged = self._opened(self._server.url, 1)

    def measure(self, months: Sequence[int]) -> Iterator[Result]:
        """Write the years before, then go on month by month."""
        self._run(self.aged.prepare())
        self._run(self._write_earlier_years())
        yield from self._point(None, is_last=False)
        for month in months:
            yield from self._go_on(month, is_last=month == months[-1])

    def _go_on(self, month: int, *, is_last: bool) -> Iterator[Result]:
        simulation = self.aged.simulation
        end = to_day(date(YEAR + month // 12, month % 12 + 1, 1))
        whole, hits = Clock(self._server.pid), simulation.hits
        before = self._run(self.aged.events())
        used = Used()
        while simulation.day < end:
            self._tell(f"day {simulation.day - FIRST_DAY + 1} of 365, {simulation.hits:,} hits")
            used = used.plus(self._run(simulation.until(min(end, simulation.day + 10))))
        self._run(settle(self.aged.store))
        flushed, server = simulation.hits - hits, whole.used().server
        self._month = month
        yield self._result("hit, aggregator's flush", used.own * 1e6 / flushed, "µs")
        yield self._result("hit, server with all merges", server * 1e6 / flushed, "µs")
        events = self._run(self.aged.events())
        merged, inserted = (
            events[name] - before.get(name, 0) for name in ("MergedRows", "InsertedRows")
        )
        yield self._result("rows merged for a row inserted", merged / inserted, "rows")
        yield from self._point(end - 1, is_last=is_last)

    def _point(self, last_day: int | None, *, is_last: bool) -> Iterator[Result]:
        """Measure the store as it is; `last_day` is that of its last month."""
        yield from self._noted(self._costs(last_day, is_last=is_last))

    def _noted(self, results: Iterator[Result]) -> Iterator[Result]:
        for result in results:
            times = "" if result.times is None else f", {result.times:.2f} × that of an {EMPTY}"
            self._tell(f"{result.curve}: {result.value:.4g} {result.unit}{times}")
            yield result

    def _costs(self, last_day: int | None, *, is_last: bool) -> Iterator[Result]:
        yield from self._sizes()
        empty = self._opened(self._server.url.replace("/luot", f"/empty_{self._month}"), 2)
        self._run(empty.prepare())
        try:
            for name, work in WORKS.items():
                yield self._compared(name, work, empty)
            if last_day is None or is_last:
                yield from self._restarts(empty)
            yield self._backup()
            if last_day is not None:
                yield from self._panels(last_day)
            if is_last:
                self._tell("merging all parts")
                self._run(self.aged.merge())
                yield self._compared(MERGED, WORKS[READ], empty)
        finally:
            self._run(empty.store.execute(f"DROP DATABASE empty_{self._month}"))
            self._run(empty.close())

    def _backup(self) -> Result:
        rows = int(BACKED_UP_ROWS * min(1, 4 * self._share))
        self._tell("a backup")
        used, done = self._run(self.aged.back_up(rows))
        return self._result("backup, a million counter rows", used.both * 1e6 / done, "s")

    def _compared(self, name: str, work: Work, empty: AgedStore) -> Result:
        self._tell(name)
        pairs = [
            (self._used(work, empty), self._used(work, self.aged))
            for _ in range(self._times(READS if work is WORKS[READ] else ROUNDS))
        ]
        return self._against(name, pairs)

    def _used(self, work: Work, store: AgedStore) -> Used:
        """Return what a work uses; tried again where a machine was too busy to answer in time."""
        for _ in range(TRIES - 1):
            try:
                return self._run(work(store))
            except StoreUnavailableError as late:
                self._tell(f"once more: {late}")
        return self._run(work(store))

    def _restarts(self, empty: AgedStore) -> Iterator[Result]:
        pairs = []
        for _ in range(self._times(STARTS)):
            self._tell(RESTART)
            pairs.append((self._started(empty), self._started(self.aged)))
        yield self._against(RESTART, pairs)

    def _started(self, store: AgedStore) -> Used:
        sites = list(self._run(page_digests.page_counts(store.store)))
        return ageing.restart(self._running, self._redis, store.url, self._server.pid, sites)

    def _panels(self, day: int) -> Iterator[Result]:
        self._tell("panels")
        asked = ageing.panels(self._running, self._redis, self.aged.url, self._server.pid, day)
        for period, used in asked.items():
            yield self._result(f"slowest panel, {period}", used, "ms")

    def _sizes(self) -> Iterator[Result]:
        sizes = self._run(self.aged.sizes())
        yield self._result("hits of the year", self.aged.simulation.hits, "hits")
        for name, table in TABLES.items():
            rows, size, parts = sizes.get(table, (0, 0, 0))
            yield self._result(f"rows of {name}", rows, "rows")
            yield self._result(f"disk of {name}", size / 1e6, "MB")
            yield self._result(f"active parts of {name}", parts, "parts")
        everything = sum(size for _, size, _ in sizes.values())
        yield self._result("disk of all tables", everything / 1e6, "MB")
        yield self._result("memory of the server", memory(self._server.pid).resident / 1e6, "MB")

    def _against(self, name: str, pairs: Sequence[tuple[Used, Used]]) -> Result:
        of_empty, aged = (sum(pair[index].both for pair in pairs) for index in (0, 1))
        result = self._result(name, aged * 1000 / len(pairs), "ms")
        each = [pair[1].both * 1000 for pair in pairs]
        return msgspec.structs.replace(
            result,
            low=min(each),
            high=max(each),
            runs=len(pairs),
            times=aged / of_empty,
            ceiling=EMPTY,
        )

    def _times(self, count: int) -> int:
        return 1 if self._quick else count

    def _result(self, what: str, value: float, unit: str) -> Result:
        named = f"{self._month} months: {what}"
        return Result(
            what=named, value=value, unit=unit, low=value, high=value, curve=what, at=self._month
        )

    def _opened(self, url: str, database: int) -> AgedStore:
        redis = self._redis.url.removesuffix("0") + str(database)
        day = None if database == 1 else self.aged.simulation.day
        return AgedStore(url, self._server.pid, redis, self._province, FIRST_DAY, day)

    async def _write_earlier_years(self) -> None:
        async for part in write_earlier_years(self.aged.store, self._province, FIRST_DAY):
            self._tell(f"the years before: {part:.0%}")
        await settle(self.aged.store)

    def _tell(self, what: str) -> None:
        print(
            f"{time.strftime('%T')} year, {self._month} months: {what}", file=sys.stderr, flush=True
        )
