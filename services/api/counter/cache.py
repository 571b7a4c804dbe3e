"""A stale-if-error cache of values that are loaded in batches, with coalesced requests."""

import asyncio
import logging
import math
import time
from collections.abc import Awaitable, Callable, Hashable, Iterable, Mapping, Sequence
from sys import getsizeof
from typing import Generic, NamedTuple, TypeVar

from services.api.counter.loaded import LoadBatch, Loaded, Values
from services.runtime.bounded import BoundedMap, size_of
from services.runtime.outage import span
from services.store.interface import StoreUnavailableError

K = TypeVar("K", bound=Hashable)
V = TypeVar("V")

log = logging.getLogger(__name__)

GIVE_UP_SECONDS = 10.0
"""Nobody waits longer for one load, so that the next one may find the store up again."""
PATIENCE_SECONDS = 30.0
"""How long to wait for a value that was never loaded, through several loads if need be."""
OVERTAKE_SECONDS = 0.25
"""How long a load waits for the previous one, collecting more keys meanwhile."""
RETRY_SECONDS = 1.0
"""The longest time until a failed load is retried, however long the TTL is."""
REFRESH_AFTER = 0.7
"""The share of its TTL after which a popular value is refreshed ahead of expiry."""
MAX_BYTES = 16 << 20
BYTES_A_VALUE = 500
"""Roughly what a small value takes with its bookkeeping."""


class NothingCachedError(Exception):
    """The value cannot be loaded, and there is no earlier one to fall back on."""


class TooManyWaitingError(Exception):
    """Too many unknown values are being waited for already to look for another one."""


class Cached(NamedTuple, Generic[V]):
    """A value, and whether it is the last good one because it could not be loaded now."""

    value: V
    stale: bool


class StaleIfErrorCache(Generic[K, V]):
    """Caches values that are loaded in batches.

    Expiry. A value is fresh for `ttl` seconds, or until the time that `expiry` gives for it, and
    for `grace` seconds more while it is refreshed in the background.

    Memory. Above `max_bytes`, by `size`, the least recently loaded values are dropped. Those
    without `worth` have a quarter of that for themselves, so that they push out none of the others.

    Coalescing. All requests for a value that is not fresh wait for the same load. Keys that are
    requested during a load, or less than `pause` seconds after its start, are loaded together after
    it, at most `batch` at a time. Keys of different groups, by `group`, do not wait for each other.
    At most `waiting` keys wait; above that, unknown ones raise TooManyWaitingError.

    Errors. Nobody waits longer than `budget` seconds after the start of a load: then, or when it
    fails, the last good value is returned, marked as stale. If there is none, `fallback` may supply
    one; it leaves out keys that it does not know. A failed load is retried after `ttl` seconds, or
    one second if that is sooner. `load` may leave out a key that cannot be read; the others are
    still good.

    Slowness. A load that takes too long counts as failed, but continues: a store with a slow, cold
    disk would otherwise be queried again and again without ever getting to answer. Only one such
    load continues at a time; its result is used unless something newer is known by then.
    """

    def __init__(
        self,
        load: Callable[[Sequence[K]], Awaitable[Mapping[K, V]]],
        *,
        fallback: Callable[[Sequence[K]], Awaitable[Mapping[K, V]]] | None = None,
        ttl: float = 1.0,
        grace: float = 0.0,
        budget: float = 2.0,
        max_bytes: int = MAX_BYTES,
        size: Callable[[K, V], int] = lambda *_: BYTES_A_VALUE,
        worth: Callable[[V], bool] = lambda _: True,
        waiting: float = math.inf,
        batch: int = 1000,
        pause: float = 0.0,
        group: Callable[[K], Hashable] = lambda _: None,
        expiry: Callable[[K, Loaded[V]], float] | None = None,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._load = load
        self._fallback = fallback
        self._ttl = ttl
        self._grace = grace
        self._expiry = expiry or (lambda _, entry: entry.loaded_at + ttl)
        self._retry = min(ttl, RETRY_SECONDS)
        self._budget = budget
        self._waiting = waiting
        self._batch = batch
        self._pause = pause
        self._group = group
        self._clock = clock
        self._values: Values[K, V] = Values(max_bytes, size, worth)
        self._batches: dict[K, LoadBatch[K]] = {}
        self._last_batches: dict[Hashable, LoadBatch[K]] = {}
        self._load_times: dict[Hashable, float] = {}
        self._failed_at: BoundedMap[K, float] = BoundedMap(max_bytes // 4)
        self._failing, self._failing_since = False, 0.0
        self._late: LoadBatch[K] | None = None
        """The load that continues although it was given up on."""

    def fresh(self, key: K) -> V | None:
        """Return the value if it is fresh, else None."""
        entry = self.loaded(key)
        return entry.value if entry is not None and self._is_fresh(key, self._clock()) else None

    def expires_at(self, key: K) -> float:
        """Return the time, by the clock, until which the value is fresh, without grace."""
        entry = self.loaded(key)
        return -math.inf if entry is None else self._expiry(key, entry)

    def loaded(self, key: K) -> Loaded[V] | None:
        """Return the value with the time of its load, fresh or not, else None."""
        return self._values.get(key)

    def is_refreshing(self, key: K) -> bool:
        """Tell whether the value is being refreshed in the background."""
        batch = self._batches.get(key)
        return batch is not None and batch.in_background

    def refresh(self, keys: Iterable[K]) -> None:
        """Refresh in the background those values that expire soon."""
        now = self._clock()
        due = now + self._ttl * (1 - REFRESH_AFTER)
        expiring = [key for key in dict.fromkeys(keys) if self.expires_at(key) <= due]
        # In a separate batch: requests must not wait for these.
        self._schedule(
            [key for key in expiring if self._may_load(key, now)], now, in_background=True
        )

    def forget(self, key: K) -> None:
        """Drop a value that is known to be outdated."""
        self._values.pop(key)

    async def get(self, key: K) -> Cached[V]:
        """Return one value; raises NothingCachedError.

        If nothing is cached, waits even for a slow first load: late is better than nothing.
        """
        return (await self.get_all((key,)))[key]

    async def get_all(self, keys: Sequence[K]) -> dict[K, Cached[V]]:
        """Return the values of all keys; raises NothingCachedError. Waits as `get` does."""
        loop = asyncio.get_running_loop()
        until = loop.time() + PATIENCE_SECONDS
        cached = await self.get_many(keys)
        while missing := [key for key in keys if key not in cached]:
            loads = self._loads_of(missing)
            left = until - loop.time()
            if not loads or left <= 0:
                raise NothingCachedError(missing[0])
            left = min(left, GIVE_UP_SECONDS)
            await asyncio.wait(loads, timeout=left, return_when=asyncio.FIRST_COMPLETED)
            cached = await self.get_many(keys)
        return cached

    async def get_many(self, keys: Sequence[K]) -> dict[K, Cached[V]]:
        """Return the values that are known; those that are not fresh are loaded together first.

        Raises TooManyWaitingError.
        """
        asked_at = self._clock()
        expired = [key for key in dict.fromkeys(keys) if not self._is_fresh(key, asked_at)]
        due = [key for key in expired if self._may_load(key, asked_at)]
        if len(self._batches) + len(due) > self._waiting and not all(map(self.loaded, due)):
            raise TooManyWaitingError
        self._schedule(due, asked_at)
        for batch in {self._batches[key] for key in expired if key in self._batches}:
            left = batch.started + self._budget - self._clock()
            await asyncio.wait({batch.task}, timeout=left)
        await self._fall_back([key for key in expired if self.loaded(key) is None])
        return {
            key: Cached(entry.value, stale=key in expired and entry.loaded_at < asked_at)
            for key in keys
            if (entry := self.loaded(key)) is not None
        }

    async def close(self) -> None:
        """Abandon the loads under way."""
        tasks = self._loads_of(self._batches)
        if self._late is not None:
            tasks.add(self._late.task)
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)

    def _loads_of(self, keys: Iterable[K]) -> set[asyncio.Task[None]]:
        """Return the running loads that include any of these keys."""
        loads = {self._batches[key].task for key in keys if key in self._batches}
        if self._late is not None and not set(self._late.keys).isdisjoint(keys):
            loads.add(self._late.task)
        return loads

    def _is_fresh(self, key: K, now: float) -> bool:
        grace = self._grace if self.is_refreshing(key) else 0.0
        return now < self.expires_at(key) + grace

    def _may_load(self, key: K, now: float) -> bool:
        failed_at = self._failed_at.get(key)
        return key not in self._batches and (failed_at is None or now - failed_at >= self._retry)

    def _schedule(self, keys: Sequence[K], now: float, *, in_background: bool = False) -> None:
        for key in keys:
            group = (in_background, self._group(key))
            batch = self._last_batches.get(group)
            if batch is None or batch.closed or len(batch.keys) >= self._batch:
                before = None if batch is None else batch.task
                batch = LoadBatch(now, in_background=in_background)
                batch.task = asyncio.create_task(self._run(batch, group, before))
                self._last_batches[group] = batch
            batch.keys.append(key)
            self._batches[key] = batch

    async def _run(
        self, batch: LoadBatch[K], group: Hashable, before: asyncio.Task[None] | None
    ) -> None:
        try:
            if before is not None and not before.done():
                await asyncio.wait({before}, timeout=OVERTAKE_SECONDS)
            if self._pause:
                await self._pause_after_last(group)
            batch.closed = True
            giving_up = asyncio.get_running_loop().call_later(
                GIVE_UP_SECONDS, self._give_up, batch, group
            )
            try:
                await self._load_values(batch)
            finally:
                giving_up.cancel()
        finally:
            self._end(batch, group)
            if self._late is batch:
                self._late = None

    def _end(self, batch: LoadBatch[K], group: Hashable) -> None:
        """Let the keys of a batch be loaded again."""
        if self._last_batches.get(group) is batch:
            del self._last_batches[group]
        for key in batch.keys:
            if self._batches.get(key) is batch:
                del self._batches[key]

    def _give_up(self, batch: LoadBatch[K], group: Hashable) -> None:
        self._log(TimeoutError(f"not within {GIVE_UP_SECONDS:g} s"), len(batch.keys))
        self._fail(batch.keys)
        self._end(batch, group)
        if self._late is None:
            self._late = batch
        else:
            batch.task.cancel()

    async def _pause_after_last(self, group: Hashable) -> None:
        loop = asyncio.get_running_loop()
        at = max(loop.time(), self._load_times.get(group, -math.inf) + self._pause)
        self._load_times[group] = at
        await asyncio.sleep(at - loop.time())

    async def _load_values(self, batch: LoadBatch[K]) -> None:
        began = self._clock()
        try:
            values = await self._load(batch.keys)
        except Exception as error:  # whatever the error, the last good values are served
            self._log(error, len(batch.keys))
            self._fail(batch.keys)
            return
        if self._failing:
            self._failing = False
            lasted = span(time.monotonic() - self._failing_since)
            log.warning("values can be read again, after %s", lasted)
        if self._late is batch:
            # It may be older than what is known; if nothing is known, it is as good as new.
            older = {key: value for key, value in values.items() if self._is_older(key, began)}
            self._store(older, began, began)
        else:
            self._store(values, began, self._clock())
            self._fail([key for key in batch.keys if key not in values])

    def _is_older(self, key: K, than: float) -> bool:
        entry = self.loaded(key)
        return entry is None or entry.loaded_at < than

    async def _fall_back(self, missing: Sequence[K]) -> None:
        if missing and self._fallback is not None:
            values = await self._fallback(missing)
            # A load that finished meanwhile is newer.
            unloaded = {key: values[key] for key in values if self.loaded(key) is None}
            self._store(unloaded, -math.inf, -math.inf)

    def _store(self, values: Mapping[K, V], began: float, loaded_at: float) -> None:
        for key, value in values.items():
            self._failed_at.pop(key)
            self._values.put(key, Loaded(value, began, loaded_at))

    def _log(self, error: Exception, size: int) -> None:
        """Log a fault when it begins, not at every load that fails."""
        expected = isinstance(error, StoreUnavailableError | TimeoutError | NothingCachedError)
        level = logging.DEBUG if self._failing and expected else logging.WARNING
        log.log(level, "cannot read %d values: %r", size, error, exc_info=not expected)
        if not self._failing:
            self._failing, self._failing_since = True, time.monotonic()

    def _fail(self, keys: Sequence[K]) -> None:
        now = self._clock()
        for key in keys:
            texts = key if isinstance(key, tuple) else ()
            self._failed_at.put(key, now, BYTES_A_VALUE + getsizeof(key) + size_of(*texts))
