"""Flushes of few hits, with the fold in C and in Python; and how many bytes are folded at once."""

import asyncio
import time
from collections.abc import Iterator, Sequence

from benchmarks import aggregator, backlog, longer_runs, portals
from benchmarks.batches import cut
from benchmarks.measure import Result, runs, summary
from benchmarks.stack import SERVER, stack
from services.aggregator.flush import Flusher
from services.aggregator.folding import Folding, FoldName, choose
from services.log import batch
from services.log.redis import entry_ids
from services.model.hit import Hit
from services.model.partition import DEFAULT_PARTITIONS
from services.store.interface import Store
from services.store.migrations import migrate
from services.store.open import open_store

SIZES = (1, 8, 64, 512, 4_096)
"""Hits a flush, over all partitions; at 8, there is one in most."""
FLUSHES = 40
VIEWS = FLUSHES * SIZES[-1]
HOT_ROWS = 10_000_000
"""All of them, whatever is measured: no flush reads rows from the store."""
RUNS = (32, 128)
"""KiB of entries that are folded at once; the first is what an aggregator does."""
HITS = 1_500_000
RUNS_OF_RUNS = 3

NAMES: dict[FoldName, str] = {"python": "in Python", "c": "in C"}


def measure(*, quick: bool) -> Iterator[Result]:
    """Measure the processor time of a process that flushes, that of its store apart."""
    with stack() as running:
        url = running.clickhouse().url
        yield from asyncio.run(_small(url, runs(quick)))
    yield from _runs(HITS // (4 if quick else 1), 1 if quick else RUNS_OF_RUNS)


async def _small(url: str, count: int) -> list[Result]:
    hits = backlog.hits(int(time.time() * 1000), portals.views(VIEWS))
    ways = {name: await _Way.open(url, choose(name)) for name in NAMES}
    for way in ways.values():
        # From here on, an aggregator has all rows in its memory.
        await way.flush(cut(hits, SIZES[-1]))
    results: list[Result] = []
    for size in SIZES:
        groups = cut(hits[: FLUSHES * size], size)
        timed: dict[str, list[float]] = {_named(name, size): [] for name in ways}
        for _ in range(count):
            for name, way in ways.items():
                timed[_named(name, size)].append(await way.flush(groups))
        results += [
            summary(what, values, timed, _named("python", size), "ms")
            for what, values in timed.items()
        ]
    for way in ways.values():
        await way.store.close()
    return results


def _named(name: FoldName, size: int) -> str:
    return f"a flush of {size}, {NAMES[name]}"


class _Way:
    """One kind of fold, with a store of its own."""

    def __init__(self, store: Store, folding: Folding) -> None:
        self.store = store
        self._folding = folding
        self._flusher = Flusher(store, HOT_ROWS)
        self._folds = {number: folding.new(number) for number in range(DEFAULT_PARTITIONS)}
        self._entries = 0

    @classmethod
    async def open(cls, url: str, folding: Folding) -> "_Way":
        """Open a store in a database that is named after the kind."""
        store = open_store(url.replace("/luot", f"/luot_{folding.name}"))
        await migrate(store)
        return cls(store, folding)

    async def flush(self, groups: Sequence[Sequence[Hit]]) -> float:
        """Fold and flush groups of hits, a flush each; return the milliseconds of one."""
        flushes = [self._encoded(group) for group in groups]
        started = time.process_time()
        for flush in flushes:
            folded = []
            for partition, entries in flush.items():
                reads, size = self._folding.reads(), 0
                for position, time_ms, hits, payload in entries:
                    reads.add(position, time_ms, payload, hits, batch.SCHEMA_VERSION)
                    size += len(payload)
                folded.append(self._folds[partition].fold(reads, size))
            await self._flusher.flush(folded, (), ())
        return (time.process_time() - started) * 1e3 / len(groups)

    def _encoded(self, group: Sequence[Hit]) -> dict[int, list[tuple[int, int, int, bytes]]]:
        """Return entries by partition: position, time of the log, hits, payload."""
        encoded: dict[int, list[tuple[int, int, int, bytes]]] = {}
        for partition, hits in backlog.by_partition(list(group)).items():
            for entry in cut(hits, aggregator.ORDINARY):
                self._entries += 1
                at = entry[-1].at
                position = entry_ids.encode(at, self._entries)
                payload = batch.encode(entry)
                encoded.setdefault(partition, []).append((position, at, len(entry), payload))
        return encoded


def _runs(count: int, repeats: int) -> Iterator[Result]:
    """Measure an aggregator by the bytes that it folds at once."""
    views = portals.views(backlog.DISTINCT)
    used: dict[str, list[float]] = {f"runs of {size} KiB": [] for size in RUNS}
    for _ in range(repeats):
        for size, values in zip(RUNS, used.values(), strict=True):
            with stack() as running:
                redis = running.redis()
                url, server = running.store(SERVER)
                module, told = longer_runs.__name__, {longer_runs.KIBIBYTES: str(size)}
                folded = aggregator.folded(
                    running, redis, url, server, aggregator.ORDINARY, count, views, module, **told
                )
                values.append(folded.cpu * 1e6 / folded.hits)
    for what, values in used.items():
        yield summary(what, values, used, f"runs of {RUNS[0]} KiB")
