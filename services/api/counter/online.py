"""How many visitors are online, as the aggregator publishes it each second."""

import time
from collections.abc import Callable, Sequence

from services.api.counter.body import OnlineNow
from services.api.counter.cache import StaleIfErrorCache
from services.state.errors import StateError
from services.state.online import OnlineCount, OnlineCounts
from services.state.state import State
from services.store.interface import StoreUnavailableError

VALID_SECONDS = 15
"""How long a number is valid after the aggregator published it."""
REMEMBERED_SECONDS = 300
"""How long the last number is shown while Redis is down; by then, all of them have left."""
REDIS_SECONDS = 1.0
FRESH_SECONDS = 0.5


class OnlineReader:
    """Reads a site's number at most twice a second, and those of many sites together."""

    def __init__(
        self,
        state: State,
        clock: Callable[[], float] = time.time,
        monotonic: Callable[[], float] = time.monotonic,
    ) -> None:
        self._state = OnlineCounts(state)
        self._clock = clock
        self._counts = StaleIfErrorCache(
            self._read, ttl=FRESH_SECONDS, budget=REDIS_SECONDS, clock=monotonic
        )

    async def close(self) -> None:
        """Abandon the reads under way."""
        await self._counts.close()

    async def now(self, slugs: Sequence[str]) -> dict[str, OnlineNow]:
        """Return the visitors online; if Redis is down, the last number for a while, then 0."""
        counts = await self._counts.get_many(slugs)
        online = dict.fromkeys(slugs, OnlineNow(0, is_current=False))
        for slug, ((count, read_at), stale) in counts.items():
            if stale and self._clock() - read_at > REMEMBERED_SECONDS:
                count = 0
            online[slug] = OnlineNow(count, is_current=not stale)
        return online

    async def _read(self, slugs: Sequence[str]) -> dict[str, tuple[int, float]]:
        now = self._clock()
        try:
            counts = await self._state.read(slugs)
        except StateError as error:
            raise StoreUnavailableError(f"Redis cannot be asked who is online: {error}") from error
        return {slug: (_valid(counts.get(slug), int(now * 1000)), now) for slug in slugs}


def _valid(count: OnlineCount | None, now_ms: int) -> int:
    if count is None or now_ms - count.at_ms > VALID_SECONDS * 1000:
        return 0
    return count.visitors
