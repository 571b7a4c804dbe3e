"""What a hit takes: in Redis by the size of its entry, in the raw table and in the counters."""

import asyncio
import time
from collections.abc import Iterator

from benchmarks import backlog, portals, tables
from benchmarks.history import History
from benchmarks.measure import Result, exact
from benchmarks.stack import Stack, stack, stores
from services.aggregator.flush import COLUMNS
from services.log import keys
from services.log.redis import entry_ids
from services.model.partition import DEFAULT_PARTITIONS
from services.store.counts import hits
from services.store.interface import Store
from services.store.migrations import migrate
from services.store.open import open_store

ENTRIES = (1, 4, 8, 20, 50, 200, 500)
IN_REDIS = 50_000
IN_TABLE = 1_000_000
AT_ONCE = 100_000
DAY_MS = 24 * 3_600_000
_U64 = (1 << 64) - 1
ORDINARY = 8
"""Hits an entry; as in benchmarks/aggregator.py."""


def measure(*, quick: bool) -> Iterator[Result]:
    """Measure what realistic hits take after all merges."""
    part = 10 if quick else 1
    with stack() as running:
        yield from _redis(running, IN_REDIS // part)
    for kind in stores():
        with stack() as running:
            url, _ = running.store(kind)
            yield from asyncio.run(_tables(url, kind, IN_TABLE // part))


def _redis(running: Stack, count: int) -> Iterator[Result]:
    redis = running.redis()
    views = portals.views(backlog.DISTINCT)[:count]
    for size in ENTRIES:
        with redis.client() as client:
            client.delete(*map(keys.stream, range(DEFAULT_PARTITIONS)))
        total = asyncio.run(backlog.append(redis.url, count, size, views))
        with redis.client() as client:
            used = sum(
                client.memory_usage(keys.stream(partition), samples=0) or 0
                for partition in range(DEFAULT_PARTITIONS)
            )
        yield exact(
            f"Redis, {size} hits an entry", used / total, "bytes/hit", curve="Redis", at=size
        )


async def _tables(url: str, kind: str, count: int) -> list[Result]:
    await History(sites=portals.SITES, days=365).write(url)
    store = open_store(url)
    try:
        await migrate(store)
        await _write_hits(store, count)
        results = []
        for table, unit in (("hits", "bytes/hit"), ("counters", "bytes/row")):
            await tables.merge(store, table)
            rows, size = await tables.size(store, table)
            results.append(exact(f"{kind}, table {table}", size / rows, unit))
            if table == "hits":
                results += [
                    exact(f"{kind}, column {name} of hits", used / rows, unit)
                    for name, used in (await tables.columns(store, table)).items()
                    if used  # small parts keep all columns in one file
                ]
        return results
    finally:
        await store.close()


async def _write_hits(store: Store, count: int) -> None:
    """Write a day of hits, in the order in which they came."""
    midnight = int(time.time() * 1000) // DAY_MS * DAY_MS - DAY_MS
    made = backlog.hits(midnight, portals.views(backlog.DISTINCT))
    for first in range(0, count, AT_ONCE):
        # Other visitors each time, or else they would compress too well.
        round_of = first // len(made)
        chunk = [made[number % len(made)] for number in range(first, first + AT_ONCE)]
        times = [midnight + number * DAY_MS // count for number in range(first, first + AT_ONCE)]
        columns = {name: [getattr(hit, name) for hit in chunk] for name in COLUMNS}
        columns["at"] = times
        columns["visitor"] = [(hit.visitor ^ round_of * 0x9E3779B97F4A7C15) & _U64 for hit in chunk]
        columns["visit"] = [1 + (number % 3 > 0) for number in range(first, first + AT_ONCE)]
        # One entry has one position.
        columns["position"] = [
            entry_ids.encode(times[number - number % ORDINARY], 0) for number in range(AT_ONCE)
        ]
        columns["idx"] = [number % ORDINARY for number in range(AT_ONCE)]
        await hits.write(store, columns)
