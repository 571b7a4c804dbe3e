"""The one way to shared state: what all processes share and may lose at any time.

Each kind of it (salts, sessions, last shown numbers, …) has a module beside this one.
"""

from typing import Any

from redis.asyncio import Redis

from services.runtime.redis_client import connect
from services.state.errors import translated


class State:
    """Shared state on one Redis; not yet connected when it is made."""

    def __init__(self, redis: Redis) -> None:
        self.redis = redis
        """For the modules of this package only."""

    @classmethod
    def open(cls, url: str, **options: Any) -> "State":
        """Return the state at a URL; `options` are those of `Redis.from_url`."""
        return cls(connect(url, **options))

    async def ping(self) -> None:
        """Return if the server answers. Raises StateError."""
        with translated():
            await self.redis.ping()

    async def close(self) -> None:
        """Close every connection."""
        await self.redis.aclose()
