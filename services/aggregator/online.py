"""Publishes each second how many visitors are online, for the API to read."""

import asyncio
import logging
import time
from collections.abc import Mapping
from typing import Any, cast

from redis.asyncio import Redis
from redis.exceptions import RedisError

from services.aggregator.fold import PartitionFold
from services.runtime.redis_client import connect
from services.state import keys

log = logging.getLogger(__name__)

PUBLISH_SECONDS = 1.0


class OnlineBoard:
    """The Redis hash `online`: slug → `<visitors>:<ms>`. A site without any is not written."""

    def __init__(self, redis_url: str) -> None:
        self._redis: Redis = connect(redis_url, protocol=2)

    async def publish_forever(self, folds: Mapping[int, PartitionFold]) -> None:
        """Publish once a second; a failure is told and tried again."""
        while True:
            now = time.time_ns() // 1_000_000
            counts: dict[str, int] = {}
            for fold in list(folds.values()):
                counts |= fold.online.counts(now)
            if counts:
                values = {site: f"{count}:{now}" for site, count in counts.items()}
                try:
                    await self._redis.hset(keys.ONLINE, mapping=cast("Any", values))
                except (RedisError, OSError) as error:
                    log.warning("cannot publish who is online: %r", error)
            await asyncio.sleep(PUBLISH_SECONDS)

    async def unreachable(self) -> str | None:
        """Return why Redis cannot be reached; None when it can."""
        try:
            await self._redis.ping()
        except (RedisError, OSError) as error:
            return f"Redis is unreachable: {error}"
        return None

    async def close(self) -> None:
        """Close the connection."""
        await self._redis.aclose()
