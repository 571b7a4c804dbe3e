"""Counter rows in C become what they become in Python, whatever happens to flushes."""

import asyncio
from collections import deque
from collections.abc import Callable, Mapping, Sequence
from random import Random
from typing import Any

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from services.aggregator import flush
from services.aggregator.flush import Flusher, no_rows
from services.aggregator.folding import Folding
from services.aggregator.kernel.rows import KernelRowColumn
from services.log.batch import Batch
from services.model.calendar import to_day
from services.store.counts.counters import CounterKey, CounterRow
from services.store.drivers.column_types import register
from services.store.drivers.native import NativeFormat
from services.store.interface import InsertColumn, Row, Store, StoreUnavailableError
from services.store.native_column import UnwritableError
from tests.kernel import FOLDS, folding
from tests.unit.test_fold import Log, a_hit, at, batch_of, fold_all, log_of, run

register()

TYPES = {
    "site": "String", "path": "String", "start": "Date", "views": "UInt64", "visits": "UInt64",
    "grain": "Enum8('day' = 1, 'month' = 2, 'year' = 3, 'total' = 4)", "position": "UInt64",
}  # fmt: skip
PARTITIONS = (0, 1)
EVENTS = ("nothing", "nothing", "down", "unsaid", "cancelled", "moved")
"""What happens at a call of the store: it does nothing, or does it and is not heard; the flush is
given up; a partition goes to the other worker, which flushes, too."""


class CounterStore(Store):
    """Rows as ReplacingMergeTree(position) would show them; notes all that is read and written."""

    prepare = close = stream = limited = None  # type: ignore[assignment]

    def __init__(self) -> None:
        self.rows: dict[CounterKey, CounterRow] = {}
        self.noted: list[Any] = []
        self.events: deque[str] = deque()
        self.moved: Callable[[], Any] | None = None
        self._format = NativeFormat()

    async def execute(self, sql: str, parameters: Mapping[str, Any] | None = None) -> list[Row]:
        if parameters is None:
            # How far each site is counted.
            return [(key[0], row[2]) for key, row in self.rows.items() if key[1] == "total"]
        if "keys" not in parameters:
            # It keeps no raw hits.
            return []
        keys = parameters["keys"]
        self.noted.append(keys)
        await self._event()
        named = {key: (key[0], key[1], to_day(key[2]), key[3]) for key in keys}
        return [(*key, *self.rows[own]) for key, own in named.items() if own in self.rows]

    async def insert(self, table: str, columns: Mapping[str, InsertColumn]) -> None:
        if table != "counters":
            return
        types = [(name, TYPES[name]) for name in columns]
        block = self._format.encode(types, list(columns.values()))
        named = [dict(zip(columns, row, strict=True)) for row in self._format.decode(block)]
        self.noted.append(named)
        is_heard = await self._event()
        for each in named:
            key = (each["site"], each["grain"], to_day(each["start"]), each["path"])
            row = (each["views"], each["visits"], each["position"])
            held = self.rows.get(key)
            assert held is None or held[2] != row[2] or held == row, "two rows of one position"
            if held is None or held[2] < row[2]:
                self.rows[key] = row
        if not is_heard:
            raise StoreUnavailableError("written, and not said so")

    async def _event(self) -> bool:
        match self.events.popleft() if self.events else "nothing":
            case "down":
                raise StoreUnavailableError("down")
            case "unsaid":
                return False
            case "cancelled":
                raise asyncio.CancelledError
            case "moved" if (moved := self.moved) is not None:
                self.moved = None
                await moved()
        return True


class Worker:
    """Folds the partitions that it owns, and flushes them."""

    def __init__(self, kind: Folding, store: CounterStore, hot_rows: int) -> None:
        self._folding = kind
        self.flusher = Flusher(store, hot_rows)
        self.folds: dict[int, Any] = {}
        self.read: dict[int, int] = {}
        self.runs: list[Any] = []

    def own(self, partition: int, before: Log) -> None:
        fold = self.folds[partition] = self._folding.new(partition)
        if before:
            fold.rebuild(run(*before))
        self.read[partition] = len(before)

    def lose(self, partition: int) -> None:
        del self.folds[partition], self.read[partition]
        self.runs = [each for each in self.runs if each.partition != partition]
        self.flusher.forget({partition})

    def fold(self, partition: int, entries: Log) -> None:
        if entries and partition in self.folds:
            self.runs.append(self.folds[partition].fold(run(*entries)))
            self.read[partition] += len(entries)

    def __repr__(self) -> str:
        return repr({partition: len(rows) for partition, rows in self.flusher._rows.items()})


class World:
    """Two workers that share a log of two partitions, and one store."""

    def __init__(self, kind: Folding, logs: Sequence[Log], hot_rows: int) -> None:
        self.logs = logs
        self.store = CounterStore()
        self.workers = [Worker(kind, self.store, hot_rows) for _ in range(2)]
        self.owner = [0 for _ in PARTITIONS]
        self.committed = [0 for _ in PARTITIONS]
        for partition in PARTITIONS:
            self.workers[0].own(partition, [])

    def read(self, partition: int, count: int) -> None:
        worker = self.workers[self.owner[partition]]
        first = worker.read[partition]
        worker.fold(partition, self.logs[partition][first : first + count])

    def move(self, partition: int) -> None:
        self.workers[self.owner[partition]].lose(partition)
        self.owner[partition] ^= 1
        before = self.logs[partition][: self.committed[partition]]
        self.workers[self.owner[partition]].own(partition, before)

    async def flush(self, number: int, events: Sequence[str], partition: int, count: int) -> None:
        """Flush one worker; where the partition moves meanwhile, the other reads so many on it."""
        worker = self.workers[number]

        async def moved() -> None:
            if self.owner[partition] == number:
                self.move(partition)
                self.read(partition, count)
                await self._flush(self.workers[number ^ 1])

        self.store.events, self.store.moved = deque(events), moved
        await self._flush(worker)
        self.store.events.clear()

    async def _flush(self, worker: Worker) -> None:
        runs, worker.runs = worker.runs, []
        folds, read = dict(worker.folds), dict(worker.read)
        try:
            await worker.flusher.flush(runs, [], [])
        except asyncio.CancelledError:
            runs = [each for each in runs if worker.folds.get(each.partition) is not None]
            # One that came back meanwhile reads them again.
            worker.runs[:0] = [e for e in runs if worker.folds[e.partition] is folds[e.partition]]
            return
        for partition, fold in folds.items():
            if worker.folds.get(partition) is fold:
                self.committed[partition] = max(self.committed[partition], read[partition])


Step = tuple[str, int, int, int, list[str]]


def steps_of(chance: Random) -> list[Step]:
    """Return what happens: its name, a worker, a partition, how many entries, events."""
    return [
        (
            chance.choice(["read", "read", "read", "flush", "flush", "move"]),
            chance.randrange(2),
            chance.choice(PARTITIONS),
            chance.randint(1, 8),
            [chance.choice(EVENTS) for _ in range(chance.randint(0, 4))],
        )
        for _ in range(chance.randint(4, 30))
    ]


async def lived(kind: Folding, logs: Sequence[Log], hot_rows: int, steps: list[Step]) -> World:
    world = World(kind, logs, hot_rows)
    for name, worker, partition, count, events in steps:
        match name:
            case "read":
                world.read(partition, count)
            case "flush":
                await world.flush(worker, events, partition, count)
            case _:
                world.move(partition)
        world.store.noted.append(repr(world.workers))
    for partition, log in enumerate(logs):
        world.read(partition, len(log))
    for worker in range(2):
        await world.flush(worker, [], 0, 0)
    return world


def of_partition(log: Log, partition: int) -> Log:
    def named(batch: Batch) -> Batch:
        return msgspec.structs.replace(batch, site=[f"{site}{partition}" for site in batch.site])

    return [(where, named(batch)) for where, batch in log]


@settings(max_examples=150, deadline=None)
@given(seed=st.integers(0, (1 << 32) - 1), entries=st.integers(1, 40))
def test_rows_are_read_held_and_written_alike(seed: int, entries: int) -> None:
    chance = Random(seed)
    logs = [of_partition(log_of(seed ^ partition, entries), partition) for partition in PARTITIONS]
    steps, hot_rows = steps_of(chance), chance.choice([2, 20, 80, 1000])
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(flush, "_FIRST_PAUSE", 0)
        one, other = (asyncio.run(lived(folding(name), logs, hot_rows, steps)) for name in FOLDS)
    assert other.store.noted == one.store.noted
    assert other.store.rows == one.store.rows
    assert one.store.rows == fold_all(logs[0]) | fold_all(logs[1])


def many_pages(chance: Random, entries: int) -> Log:
    """A log whose pages come and go, more of them than names are kept of rows that are gone."""
    return [
        (
            at(number),
            batch_of(
                *(
                    a_hit(
                        number,
                        visitor=chance.randint(0, 99),
                        path=f"/tin-tức/{chance.randint(4 * number, 4 * number + 60)}".ljust(
                            90, "x"
                        ),
                        day=20_454 + number // 50,
                    )
                    for _ in range(chance.randint(1, 30))
                )
            ),
        )
        for number in range(entries)
    ]


async def test_many_pages_that_come_and_go_are_held_alike() -> None:
    chance = Random(7)
    log = many_pages(chance, 400)
    worlds = []
    for name in FOLDS:
        store = CounterStore()
        worker = Worker(folding(name), store, 500)
        worker.own(0, [])
        for entry in log:
            worker.fold(0, [entry])
            await worker.flusher.flush(worker.runs, [], [])
            worker.runs = []
            store.noted.append(repr(worker))
        worlds.append(store)
    one, other = worlds
    assert other.noted == one.noted
    assert other.rows == one.rows == fold_all(log)


async def test_periods_of_all_days_begin_alike() -> None:
    days = [*range(0, 1 << 16, 17), *range(10_900, 11_400), *range(47_400, 47_900), (1 << 16) - 1]
    hits = [a_hit(0, visitor=0, day=day) for day in days]
    log = [(at(n), batch_of(*hits[n : n + 500])) for n in range(0, len(hits), 500)]
    store = CounterStore()
    worker = Worker(folding("c"), store, 1000)
    worker.own(0, [])
    worker.fold(0, log)
    await worker.flusher.flush(worker.runs, [], [])
    assert store.rows == fold_all(log)


async def test_flushes_side_by_side_are_held_alike() -> None:
    """Nothing flushes a partition twice at a time; if it did, memory would have to stay whole."""
    held: list[list[Any]] = []
    for name in FOLDS:
        fold, store = folding(name).new(0), CounterStore()
        runs = [
            fold.fold(
                run(
                    (
                        at(number),
                        batch_of(*(a_hit(0, path=f"/{number}-{page}") for page in range(40))),
                    )
                )
            )
            for number in range(3)
        ]
        rows = no_rows(runs[0])
        changed = [await rows.changed(store, [each]) for each in runs]
        for each in (*changed, *reversed(changed)):
            rows.put(each, 100)
            store.noted.append(len(rows))
        await rows.changed(store, runs)
        held.append(store.noted)
    assert held[0] == held[1]


def test_a_column_of_rows_is_written_only_as_its_type() -> None:
    for name, of_type in (("grain", "Enum8('day' = 1)"), ("site", "UInt64"), ("views", "UInt32")):
        with pytest.raises(UnwritableError, match=name):
            KernelRowColumn([], name).native(of_type, 0)
