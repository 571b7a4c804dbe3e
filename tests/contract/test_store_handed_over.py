"""A partition that goes to another worker and comes back is gone on from what is in the store."""

import asyncio
from collections.abc import Mapping
from typing import Any, cast

import pytest

from services.aggregator.flush import Flusher
from services.aggregator.folding import Folding
from services.log.batch import decode, encode
from services.model.hit import Hit
from services.model.partition import partition_of
from services.store.counts import counters
from services.store.interface import Store
from tests.kernel import FOLDS, folding

AT = 1_790_000_000_000
PARTITION = partition_of("mytho", 8)


class SlowStore:
    """Holds each insert up until it may go on."""

    def __init__(self, store: Store) -> None:
        self._store = store
        self.waits = asyncio.Event()
        self.may_go_on = asyncio.Event()

    def __getattr__(self, name: str) -> Any:
        return getattr(self._store, name)

    async def insert(self, table: str, columns: Mapping[str, Any]) -> None:
        self.waits.set()
        await self.may_go_on.wait()
        await self._store.insert(table, columns)


class Worker:
    """Folds and writes the entries of one log, one a position."""

    def __init__(self, store: Store, folding: Folding) -> None:
        self.flusher = Flusher(store, 1000)
        self.folding = folding
        self.fold = folding.new(PARTITION)

    async def write(self, *positions: int) -> None:
        await self.flusher.flush([self._folded(position) for position in positions], [], [])

    def _folded(self, position: int) -> Any:
        hit = Hit(site="mytho", path="/", at=AT + position, day=20_717, visitor=1)
        return self.fold.fold([(position, AT + position, decode(encode([hit])))])

    def lose(self) -> None:
        self.flusher.forget({PARTITION})
        self.fold = self.folding.new(PARTITION)


@pytest.mark.parametrize("fold", FOLDS)
async def test_a_flush_that_the_partition_went_away_from_leaves_no_rows_behind(
    store: Store, fold: str
) -> None:
    slow = SlowStore(store)
    one, other = (Worker(each, folding(fold)) for each in (cast("Store", slow), store))
    flushing = asyncio.create_task(one.write(1, 2))
    await slow.waits.wait()
    one.lose()
    slow.may_go_on.set()
    await flushing
    await other.write(3, 4, 5)
    await one.write(6)
    key = ("mytho", "total", 0, "/")
    views, _, position = (await counters.load(store, [key]))[key]
    assert (views, position) == (6, 6)


@pytest.mark.parametrize("fold", FOLDS)
async def test_how_far_was_counted_is_asked_again_of_a_partition_that_comes_back(
    store: Store, fold: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    ask, asked, may_go_on = counters.positions, asyncio.Event(), asyncio.Event()

    async def slowly(store: Store) -> Mapping[str, int]:
        positions = await ask(store)
        asked.set()
        await may_go_on.wait()
        return positions

    monkeypatch.setattr(counters, "positions", slowly)
    one, other = (Worker(store, folding(fold)) for _ in range(2))
    may_go_on.set()
    await other.write(1)
    asked.clear()
    may_go_on.clear()
    flushing = asyncio.create_task(one.write(2))
    await asked.wait()
    one.lose()
    may_go_on.set()
    await flushing
    await other.write(2, 3)
    await one.write(3, 4)
    # What was counted before is not written again: it may have been given its page's path since.
    assert await store.execute("SELECT count() FROM hits WHERE position = 3") == [(1,)]
