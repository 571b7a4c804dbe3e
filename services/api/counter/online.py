"""How many visitors are online, as the aggregator publishes it in Redis each second."""

import asyncio
import time
from collections.abc import Awaitable, Callable, Sequence
from typing import Any, cast

from redis.asyncio import Redis
from redis.exceptions import RedisError

from services.api.counter.body import Online
from services.api.counter.cache import LastGood
from services.state import keys
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
        redis: Redis,
        clock: Callable[[], float] = time.time,
        monotonic: Callable[[], float] = time.monotonic,
    ) -> None:
        self._redis = redis
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
            async with asyncio.timeout(REDIS_SECONDS):
                said = await cast("Awaitable[Any]", self._redis.hmget(keys.ONLINE, list(slugs)))
        except (RedisError, OSError) as error:
            raise StoreUnavailableError(f"Redis cannot be asked who is online: {error}") from error
        return {
            slug: (_believed(text, int(now * 1000)), now)
            for slug, text in zip(slugs, said, strict=True)
        }


def _believed(said: bytes | str | None, now_ms: int) -> int:
    text = said.decode() if isinstance(said, bytes) else said or ""
    count, _, at_ms = text.partition(":")
    if not (count.isdecimal() and at_ms.isdecimal()):
        return 0
    return int(count) if now_ms - int(at_ms) <= BELIEVED_SECONDS * 1000 else 0
