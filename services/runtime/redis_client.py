"""Clients of Redis that raise a Redis error whenever a connection is lost."""

from typing import Any

from redis.asyncio import Redis
from redis.exceptions import ConnectionError as RedisConnectionError
from redis.exceptions import RedisError


def connect(url: str, **options: Any) -> Redis:
    """Return a client, not yet connected; `options` are those of Redis.from_url."""
    client: Redis = Redis.from_url(url, **options)
    pool = client.connection_pool
    pool.connection_class = _translating(pool.connection_class)
    return client


def reason_of(error: Exception) -> str:
    """Return the text of an error without the arguments of its command.

    Errors of a pipeline quote them, and so does the server's answer to an unknown command.
    """
    text = str(error).rpartition("of pipeline caused error: ")[2]
    return text.partition(", with args beginning with")[0] or type(error).__name__


async def answers(url: str) -> bool:
    """Tell whether a server answers at a URL."""
    async with connect(url) as redis:
        try:
            await redis.ping()
        except RedisError:
            return False
        return True


async def shut_down(url: str) -> int | None:
    """Ask a server to end without saving, and return its process id; None where none answers."""
    pid: int | None = None
    async with connect(url) as redis:
        try:
            pid = (await redis.info("server")).get("process_id")
            await redis.shutdown(nosave=True)
        except RedisConnectionError:
            return None
        except RedisError:
            pass
    return pid


def _translating(kind: type[Any]) -> type[Any]:
    """Return a class of connections that raises no RuntimeError.

    uvloop raises one when a transport is closed while a command is written. redis-py 8.1 lets it
    through, past callers that only handle Redis errors.
    """

    class TranslatingConnection(kind):  # type: ignore[misc]
        async def send_packed_command(self, *args: Any, **kwargs: Any) -> None:
            try:
                await super().send_packed_command(*args, **kwargs)
            except RuntimeError as error:
                raise RedisConnectionError(f"lost while a command was written: {error}") from error

    return TranslatingConnection
