"""`python -m benchmarks.ceilings REDIS STORE`: what nobody can do without to fold a log.

Decodes the batches of a log, and inserts the rows that come of it, and nothing else. The rows are
made in between, which is not measured. Prints the seconds of each as JSON.
"""

import asyncio
import sys
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any

import msgspec
from redis.asyncio import Redis

from services.aggregator.flush import hit_columns
from services.aggregator.fold import Folded, PartitionFold, apply, changes
from services.log import batch, keys
from services.log.redis import entry_ids
from services.model.partition import DEFAULT_PARTITIONS
from services.store import counters, hits
from services.store.counters import CounterKey, CounterRow
from services.store.interface import Store
from services.store.migrations import migrate
from services.store.open import open_store

FLUSH_HITS = 100_000
"""As many as the aggregator writes at once when it is behind."""


class Cost(msgspec.Struct):
    """Seconds that passed, and processor time of this process."""

    seconds: float = 0.0
    cpu: float = 0.0

    @contextmanager
    def timed(self) -> Iterator[None]:
        """Add what the body of a `with` takes."""
        started, used = time.perf_counter(), time.process_time()
        yield
        self.seconds += time.perf_counter() - started
        self.cpu += time.process_time() - used


class Ceilings(msgspec.Struct):
    """What each part costs for `hits` hits."""

    hits: int
    decode: Cost
    insert: Cost


async def measure(redis_url: str, store_url: str) -> Ceilings:
    """Measure with the whole log of a Redis, into an empty store."""
    entries = await _entries(redis_url)
    decode, insert = Cost(), Cost()
    with decode.timed():
        batches = [batch.decode(payload) for _, _, payload in entries]
    folds = {partition: PartitionFold(partition) for partition in range(DEFAULT_PARTITIONS)}
    folded = [
        folds[partition].fold([(at, entry_ids.time_ms(at), decoded)])
        for (partition, at, _), decoded in zip(entries, batches, strict=True)
    ]
    store = open_store(store_url)
    try:
        await store.prepare()
        await migrate(store)
        await _insert(store, folded, insert)
    finally:
        await store.close()
    return Ceilings(sum(len(one) for one in batches), decode, insert)


async def _entries(url: str) -> list[tuple[int, int, bytes]]:
    found: list[tuple[int, int, bytes]] = []
    async with Redis.from_url(url) as redis:
        for partition in range(DEFAULT_PARTITIONS):
            entries: Any = await redis.xrange(keys.stream(partition))
            found += [
                (partition, entry_ids.of_entry(entry), fields[b"b"]) for entry, fields in entries
            ]
    found.sort(key=lambda entry: entry[1])
    return found


async def _insert(store: Store, folded: Sequence[Folded], cost: Cost) -> None:
    rows: dict[CounterKey, CounterRow] = {}
    for flush in _flushes(folded):
        columns, changed = hit_columns(flush), apply(rows, changes(flush))
        rows |= changed
        with cost.timed():
            await hits.write(store, columns)
            await counters.write(store, changed)


def _flushes(folded: Sequence[Folded]) -> Iterator[list[Folded]]:
    flush: list[Folded] = []
    waiting = 0
    for one in folded:
        flush.append(one)
        waiting += len(one)
        if waiting >= FLUSH_HITS:
            yield flush
            flush, waiting = [], 0
    if flush:
        yield flush


if __name__ == "__main__":
    print(msgspec.json.encode(asyncio.run(measure(*sys.argv[1:3]))).decode())
