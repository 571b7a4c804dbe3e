"""When a token was last used, to a few minutes; may be lost at any time."""

import logging
import time
from collections.abc import Awaitable, Callable
from typing import cast

from redis.asyncio import Redis
from redis.exceptions import RedisError

from services.state import keys

COARSE_SECONDS = 600

log = logging.getLogger(__name__)


class Usage:
    """Notes in Redis that tokens are used, rarely enough to cost nothing."""

    def __init__(self, redis: Redis, clock: Callable[[], float] = time.time) -> None:
        self._redis = redis
        self._clock = clock
        self._noted: dict[str, float] = {}

    async def note(self, token: str) -> None:
        """Note that a token is used now."""
        now = self._clock()
        if now < self._noted.get(token, float("-inf")) + COARSE_SECONDS:
            return
        self._noted[token] = now
        try:
            await self._redis.hset(keys.TOKENS_USED, token, str(int(now * 1000)))
        except (RedisError, OSError) as error:
            log.warning("cannot note when a token was used: %s", error)

    async def all(self) -> dict[str, int]:
        """Return when tokens were last used, in ms since 1970; of none while Redis is away."""
        try:
            held = await cast(
                "Awaitable[dict[bytes, bytes]]", self._redis.hgetall(keys.TOKENS_USED)
            )
        except (RedisError, OSError):
            return {}
        return {token.decode(): int(at) for token, at in held.items() if at.isdigit()}

    async def forget(self, token: str) -> None:
        """Forget a token that is revoked."""
        self._noted.pop(token, None)
        try:
            await self._redis.hdel(keys.TOKENS_USED, token)
        except (RedisError, OSError) as error:
            log.warning("cannot forget when a token was used: %s", error)
