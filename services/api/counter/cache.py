"""Answers kept for a moment, read once for everybody who waits, and served again on a fault."""

import asyncio
import logging
import math
import time
from collections import OrderedDict
from collections.abc import Awaitable, Callable, Hashable, Iterable, Mapping, Sequence
from typing import Generic, NamedTuple, TypeVar

from services.store.interface import StoreUnavailableError

K = TypeVar("K", bound=Hashable)
V = TypeVar("V")

log = logging.getLogger(__name__)

GIVE_UP_SECONDS = 10.0
"""A read that takes this long is abandoned, so that the next one can find a store that is back."""
OVERTAKE_SECONDS = 0.25
"""How long a read waits for the one before it to end, and meanwhile takes more keys along."""
RETRY_SECONDS = 1.0
"""How long after a failed read the next try comes at the latest, however long values are fresh."""
RENEW_SHARE = 0.7
"""The share of its time after which a value that is asked for all the time is read again."""


class NothingKnownError(Exception):
    """The value cannot be read, and was never read before."""


class Held(NamedTuple, Generic[V]):
    """A value, and whether it is the last good one because it could not be read now."""

    value: V
    stale: bool


class _Entry(NamedTuple, Generic[V]):
    value: V
    read_at: float


class _Flight(Generic[K]):
    """Keys that are read together; until it departs, more may join."""

    def __init__(self, started: float, *, in_background: bool) -> None:
        self.started = started
        self.in_background = in_background
        self.keys: list[K] = []
        self.departed = False
        self.task: asyncio.Task[None]


class LastGood(Generic[K, V]):
    """A cache of values that are read in batches.

    A value is fresh for `ttl` seconds, and while it is renewed in the background, for `grace`
    seconds more. Then the next request reads it again, and whoever asks meanwhile waits for that
    same read, but never beyond `budget` seconds after its start: then, or when the read fails, the
    last good value is the answer, marked as stale; where there is none,
    `recall` is asked for one, and says nothing of keys it does not know. After a failed read the
    next try comes `ttl` seconds later, or after one second where that is sooner. Values are kept
    for ever, or, with a `limit`, until they are the longest not read.

    Keys that are asked for while a read is under way, or less than `pause` seconds after its start,
    are read together after it, `batch` of them at most. Keys of different groups, as `group` names
    them, do not wait for each other. `load` may leave out a key that cannot be read; the others are
    good nevertheless.
    """

    def __init__(
        self,
        load: Callable[[Sequence[K]], Awaitable[Mapping[K, V]]],
        *,
        recall: Callable[[Sequence[K]], Awaitable[Mapping[K, V]]] | None = None,
        ttl: float = 1.0,
        grace: float = 0.0,
        budget: float = 2.0,
        limit: int | None = None,
        batch: int = 1000,
        pause: float = 0.0,
        group: Callable[[K], Hashable] = lambda _: None,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._load = load
        self._recall = recall
        self._ttl = ttl
        self._grace = grace
        self._retry = min(ttl, RETRY_SECONDS)
        self._budget = budget
        self._limit = limit
        self._batch = batch
        self._pause = pause
        self._group = group
        self._clock = clock
        self._entries: OrderedDict[K, _Entry[V]] = OrderedDict()
        self._flights: dict[K, _Flight[K]] = {}
        self._last_flights: dict[Hashable, _Flight[K]] = {}
        self._departures: dict[Hashable, float] = {}
        self._failed_at: dict[K, float] = {}
        self._failing = False

    def fresh(self, key: K) -> V | None:
        """Return the value if it needs no reading."""
        return self._entries[key].value if self._is_fresh(key, self._clock()) else None

    def fresh_until(self, key: K) -> float:
        """Return the time of the clock until which the value is fresh, without any grace."""
        entry = self._entries.get(key)
        return -math.inf if entry is None else entry.read_at + self._ttl

    def is_renewed(self, key: K) -> bool:
        """Tell whether the value is being read again in the background."""
        flight = self._flights.get(key)
        return flight is not None and flight.in_background

    def renew(self, keys: Iterable[K]) -> None:
        """Read values again, in the background, that will soon not be fresh any longer."""
        now = self._clock()
        due = now + self._ttl * (1 - RENEW_SHARE)
        old = [key for key in dict.fromkeys(keys) if self.fresh_until(key) <= due]
        # Whoever waits for a value must not wait for these.
        self._take_off([key for key in old if self._may_read(key, now)], now, in_background=True)

    async def get(self, key: K) -> Held[V]:
        """Return one value; raises NothingKnownError.

        Where nothing is known, a slow first read is waited for: late is better than nothing.
        """
        return (await self.get_all((key,)))[key]

    async def get_all(self, keys: Sequence[K]) -> dict[K, Held[V]]:
        """Return the values of all keys; raises NothingKnownError. Waits as `get` does."""
        held = await self.get_many(keys)
        late = {self._flights[key].task for key in keys if key not in held and key in self._flights}
        if late:
            await asyncio.wait(late)
            held = await self.get_many(keys)
        missing = [key for key in keys if key not in held]
        if missing:
            raise NothingKnownError(missing[0])
        return held

    async def get_many(self, keys: Sequence[K]) -> dict[K, Held[V]]:
        """Return the values of which anything is known, reading together what is not fresh."""
        asked = self._clock()
        wanted = [key for key in dict.fromkeys(keys) if not self._is_fresh(key, asked)]
        self._take_off([key for key in wanted if self._may_read(key, asked)], asked)
        for flight in {self._flights[key] for key in wanted if key in self._flights}:
            left = flight.started + self._budget - self._clock()
            await asyncio.wait({flight.task}, timeout=left)
        await self._remember([key for key in wanted if key not in self._entries])
        return {
            key: Held(entry.value, stale=key in wanted and entry.read_at < asked)
            for key in keys
            if (entry := self._entries.get(key)) is not None
        }

    async def close(self) -> None:
        """Abandon the reads under way."""
        tasks = {flight.task for flight in self._flights.values()}
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)

    def _is_fresh(self, key: K, now: float) -> bool:
        grace = self._grace if self.is_renewed(key) else 0.0
        return now < self.fresh_until(key) + grace

    def _may_read(self, key: K, now: float) -> bool:
        failed_at = self._failed_at.get(key)
        return key not in self._flights and (failed_at is None or now - failed_at >= self._retry)

    def _take_off(self, keys: Sequence[K], now: float, *, in_background: bool = False) -> None:
        for key in keys:
            group = (in_background, self._group(key))
            flight = self._last_flights.get(group)
            if flight is None or flight.departed or len(flight.keys) >= self._batch:
                before = None if flight is None else flight.task
                flight = _Flight(now, in_background=in_background)
                flight.task = asyncio.create_task(self._fly(flight, group, before))
                self._last_flights[group] = flight
            flight.keys.append(key)
            self._flights[key] = flight

    async def _fly(
        self, flight: _Flight[K], group: Hashable, before: asyncio.Task[None] | None
    ) -> None:
        try:
            if before is not None and not before.done():
                await asyncio.wait({before}, timeout=OVERTAKE_SECONDS)
            if self._pause:
                await self._pause_after(group)
            flight.departed = True
            await self._read(flight.keys)
        finally:
            if self._last_flights.get(group) is flight:
                del self._last_flights[group]
            for key in flight.keys:
                del self._flights[key]

    async def _pause_after(self, group: Hashable) -> None:
        loop = asyncio.get_running_loop()
        departure = max(loop.time(), self._departures.get(group, -math.inf) + self._pause)
        self._departures[group] = departure
        await asyncio.sleep(departure - loop.time())

    async def _read(self, keys: Sequence[K]) -> None:
        try:
            async with asyncio.timeout(GIVE_UP_SECONDS):
                values = await self._load(keys)
        except Exception as error:  # whatever the fault, the last good numbers are served
            self._tell(error, len(keys))
            self._fail(keys)
        else:
            if self._failing:
                self._failing = False
                log.info("values can be read again")
            self._keep(values, self._clock())
            self._fail([key for key in keys if key not in values])

    async def _remember(self, missing: Sequence[K]) -> None:
        if missing and self._recall is not None:
            recalled = await self._recall(missing)
            # A reading that ended meanwhile is newer.
            unread = {key: recalled[key] for key in recalled if key not in self._entries}
            self._keep(unread, -math.inf)

    def _keep(self, values: Mapping[K, V], read_at: float) -> None:
        for key, value in values.items():
            self._failed_at.pop(key, None)
            self._entries.pop(key, None)
            self._entries[key] = _Entry(value, read_at)
        while self._limit is not None and len(self._entries) > self._limit:
            self._entries.popitem(last=False)

    def _tell(self, error: Exception, size: int) -> None:
        """Log a fault when it begins, not with every reading that it spoils."""
        expected = isinstance(error, StoreUnavailableError | TimeoutError | NothingKnownError)
        level = logging.DEBUG if self._failing and expected else logging.WARNING
        log.log(level, "cannot read %d values: %r", size, error, exc_info=not expected)
        self._failing = True

    def _fail(self, keys: Sequence[K]) -> None:
        if self._limit is not None and len(self._failed_at) > self._limit:
            self._failed_at.clear()
        self._failed_at.update(dict.fromkeys(keys, self._clock()))
