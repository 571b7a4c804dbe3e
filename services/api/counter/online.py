"""How many visitors are online, as the aggregator publishes it each second."""

import time
from collections.abc import Callable, Sequence

from services.api.counter.body import Online
from services.api.counter.cache import LastGood
from services.state.errors import StateError
from services.state.online import OnlineCount, OnlineCounts
from services.state.state import State
from services.store.interface import StoreUnavailableError

BELIEVED_SECONDS = 15
"""How long the number is believed after the aggregator said it."""
REMEMBERED_SECONDS = 300
"""How long the last number stays while Redis is away: nobody of then is online any longer."""
REDIS_SECONDS = 1.0
FRESH_SECONDS = 0.5


class OnlineReader:
    """Asks Redis at most twice a second for a site, and once for all that are asked together."""

    def __init__(
        self,
        state: State,
        clock: Callable[[], float] = time.time,
        monotonic: Callable[[], float] = time.monotonic,
    ) -> None:
        self._state = OnlineCounts(state)
        self._clock = clock
        self._counts = LastGood(
            self._read, ttl=FRESH_SECONDS, budget=REDIS_SECONDS, limit=10_000, clock=monotonic
        )

    async def close(self) -> None:
        """Abandon the readings under way."""
        await self._counts.close()

    async def now(self, slugs: Sequence[str]) -> dict[str, Online]:
        """Return the visitors online; the last number for a while, then 0, if Redis is away."""
        found = await self._counts.get_many(slugs)
        online = dict.fromkeys(slugs, Online(0, is_current=False))
        for slug, ((count, read_at), stale) in found.items():
            if stale and self._clock() - read_at > REMEMBERED_SECONDS:
                count = 0
            online[slug] = Online(count, is_current=not stale)
        return online

    async def _read(self, slugs: Sequence[str]) -> dict[str, tuple[int, float]]:
        now = self._clock()
        try:
            counts = await self._state.read(slugs)
        except StateError as error:
            raise StoreUnavailableError(f"Redis cannot be asked who is online: {error}") from error
        return {slug: (_believed(counts.get(slug), int(now * 1000)), now) for slug in slugs}


def _believed(count: OnlineCount | None, now_ms: int) -> int:
    if count is None or now_ms - count.at_ms > BELIEVED_SECONDS * 1000:
        return 0
    return count.visitors
