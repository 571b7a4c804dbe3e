"""How many visitors are online, as published by the aggregator every second."""

import time
from collections.abc import Callable, Iterable, Sequence

from services.api.counter.body import OnlineNow
from services.api.counter.cache import StaleIfErrorCache
from services.state.errors import StateError
from services.state.online import OnlineCount, OnlineCounts, bots_of
from services.state.state import State
from services.store.interface import StoreUnavailableError

VALID_SECONDS = 15
"""How long a number is valid after the aggregator published it."""
REMEMBERED_SECONDS = 300
"""How long the last number is shown while Redis is down; after that, all have left."""
REDIS_SECONDS = 1.0
FRESH_SECONDS = 1.0
"""The interval at which it is published."""
SITES_A_READING = 200


class OnlineReader:
    """Reads a site's number once a second, and those of many sites together."""

    def __init__(
        self,
        state: State,
        clock: Callable[[], float] = time.time,
        monotonic: Callable[[], float] = time.monotonic,
    ) -> None:
        self._state = OnlineCounts(state)
        self._clock = clock
        self._counts = StaleIfErrorCache(
            self._read,
            ttl=FRESH_SECONDS,
            budget=REDIS_SECONDS,
            batch=SITES_A_READING,
            clock=monotonic,
        )

    async def close(self) -> None:
        """Abandon the reads under way."""
        await self._counts.close()

    async def now(self, slugs: Sequence[str]) -> dict[str, OnlineNow]:
        """Return who is online; if Redis is down, the last numbers for a while, then 0."""
        counts = await self._counts.get_many(slugs)
        online = dict.fromkeys(slugs, OnlineNow(0, is_current=False))
        for slug, ((visitors, bots, read_at), stale) in counts.items():
            if stale and self._clock() - read_at > REMEMBERED_SECONDS:
                visitors = bots = 0
            online[slug] = OnlineNow(visitors, is_current=not stale, bots=bots)
        return online

    def refresh(self, slugs: Iterable[str]) -> None:
        """Refresh in the background the numbers that will soon be a second old."""
        self._counts.refresh(slugs)

    def known(self, slugs: Sequence[str]) -> tuple[dict[str, OnlineNow], float]:
        """Return the fresh counts, and the time, by the clock, until which all counts are fresh."""
        known = {}
        for slug in slugs:
            if (count := self._counts.fresh(slug)) is not None:
                known[slug] = OnlineNow(count[0], is_current=True, bots=count[1])
        return known, min(map(self._counts.expires_at, slugs))

    async def _read(self, slugs: Sequence[str]) -> dict[str, tuple[int, int, float]]:
        now = self._clock()
        try:
            counts = await self._state.read([*slugs, *map(bots_of, slugs)])
        except StateError as error:
            raise StoreUnavailableError(f"Redis cannot be asked who is online: {error}") from error
        valid = {name: _valid(count, int(now * 1000)) for name, count in counts.items()}
        return {slug: (valid.get(slug, 0), valid.get(bots_of(slug), 0), now) for slug in slugs}


def _valid(count: OnlineCount, now_ms: int) -> int:
    if now_ms - count.at_ms > VALID_SECONDS * 1000:
        return 0
    return count.number
