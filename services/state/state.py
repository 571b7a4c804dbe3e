"""The only access to shared state: what all processes share and may lose at any time.

Each kind of it (salts, sessions, last shown numbers, …) has a module beside this one.
"""

from typing import Any

from redis.asyncio import Redis
from redis.asyncio.retry import Retry
from redis.backoff import NoBackoff
from redis.exceptions import ConnectionError as ConnectionLostError

from services.redis_client.client import connect

EVEN_WHEN_FULL = "#!lua flags=allow-oom\n"
"""Begins scripts that run even on a Redis out of memory: they write little, and rarely."""

_PUT = (
    EVEN_WHEN_FULL
    + """
if ARGV[3] == 'if there' and redis.call('EXISTS', KEYS[1]) == 0 then
    return 0
end
redis.call('SET', KEYS[1], ARGV[1], 'EX', ARGV[2])
return 1
"""
)


async def reply(answer: Any) -> Any:
    """Return the reply to a command, whose type redis-py does not tell."""
    return await answer


async def put(redis: Redis, key: str, value: bytes, seconds: int, when: str = "always") -> None:
    """Set a value that expires, even on a full Redis; `if there` only replaces an existing one."""
    await reply(redis.eval(_PUT, 1, key, value, str(seconds), when))


class State:
    """Shared state on one Redis; not yet connected when it is made."""

    def __init__(self, redis: Redis) -> None:
        self.redis = redis
        """For the modules of this package only."""

    @classmethod
    def open(
        cls,
        url: str,
        *,
        seconds: float | None = None,
        retries: int | None = None,
        **options: Any,
    ) -> "State":
        """Return the state at a URL.

        seconds  how long connecting and each answer may take; without a limit if None
        retries  how often a call is retried, at once, after a lost connection; the client's default
                 if None
        options  those of `Redis.from_url`
        """
        if seconds is not None:
            options |= {"socket_timeout": seconds, "socket_connect_timeout": seconds}
        if retries is not None:
            options["retry"] = Retry(NoBackoff(), retries, supported_errors=(ConnectionLostError,))
        return cls(connect(url, **options))

    async def close(self) -> None:
        """Close every connection."""
        await self.redis.aclose()
