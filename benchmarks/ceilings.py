"""`python -m benchmarks.ceilings REDIS STORE`: what nobody can do without to fold a log.

Decodes the batches of a log, and inserts the rows that come of it, with the code of the aggregator
and nothing else. The rows are made in between, which is not measured. Prints the seconds of each as
JSON.
"""

import asyncio
import sys
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any, NamedTuple

import msgspec
from redis.asyncio import Redis

from services.aggregator.flush import ALL_COLUMNS, AnyRows, hit_columns, in_c_only, no_rows
from services.aggregator.folding import AnyFolded, choose
from services.aggregator.kernel.entries import ALL_DAYS, columns_between
from services.log import batch, keys
from services.log.redis import entry_fields, entry_ids
from services.model.partition import DEFAULT_PARTITIONS
from services.store.counts import counters, hits
from services.store.interface import Store
from services.store.migrations import migrate
from services.store.open import open_store

FLUSH_HITS = 100_000
"""As many as the aggregator writes at once when it is behind."""
ROWS = 1_000_000
"""More than there are of a partition: none is loaded twice."""


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
    folding, entries = choose("auto"), await _entries(redis_url)
    decode, insert = Cost(), Cost()
    with decode.timed():
        reads = [_read(folding.reads(), entry) for entry in entries]
    folds = {partition: folding.new(partition) for partition in range(DEFAULT_PARTITIONS)}
    folded = [folds[entry.partition].fold(read) for entry, read in zip(entries, reads, strict=True)]
    store = open_store(store_url)
    try:
        await store.prepare()
        await migrate(store)
        await _insert(store, folded, insert)
    finally:
        await store.close()
    return Ceilings(sum(map(len, folded)), decode, insert)


class Entry(NamedTuple):
    """An entry of the log."""

    partition: int
    position: int
    hits: int
    payload: bytes


def _read(reads: Any, entry: Entry) -> Any:
    time_ms = entry_ids.time_ms(entry.position)
    reads.add(entry.position, time_ms, entry.payload, entry.hits, batch.SCHEMA_VERSION)
    return reads


async def _entries(url: str) -> list[Entry]:
    found: list[Entry] = []
    async with Redis.from_url(url) as redis:
        for partition in range(DEFAULT_PARTITIONS):
            entries: Any = await redis.xrange(keys.stream(partition))
            found += [
                _entry(partition, entry_ids.of_entry(entry), *entry_fields.read(fields))
                for entry, fields in entries
            ]
    found.sort(key=lambda entry: entry.position)
    return found


def _entry(partition: int, position: int, headers: dict[str, bytes], payload: bytes) -> Entry:
    return Entry(partition, position, int(headers["n"]), payload)


async def _insert(store: Store, folded: Sequence[AnyFolded], cost: Cost) -> None:
    by_partition: dict[int, AnyRows] = {}
    for flush in _flushes(folded):
        runs: dict[int, list[AnyFolded]] = {}
        for one in flush:
            runs.setdefault(one.partition, []).append(one)
        changed = []
        for partition, some in runs.items():
            rows = by_partition.setdefault(partition, no_rows(some[0]))
            changed.append(await rows.changed(store, some))
            rows.put(changed[-1], ROWS)
        in_c = in_c_only(flush)
        columns = None if in_c else hit_columns([one.in_python for one in flush])
        with cost.timed():
            if columns is None:
                named = columns_between([one.entries for one in in_c], ALL_COLUMNS, ALL_DAYS)
                await hits.write_month(store, named)
            else:
                await hits.write(store, columns)
            first, *others = changed
            await counters.write_columns(store, first.columns_with(others))


def _flushes(folded: Sequence[AnyFolded]) -> Iterator[list[AnyFolded]]:
    flush: list[AnyFolded] = []
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
