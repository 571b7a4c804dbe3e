"""Commands to Redis in one round trip, with little overhead.

The pipeline of redis-py creates an object and passes several layers for each command. At some
thousand commands a second, that was most of the cost of an append.
"""

from collections.abc import Iterable
from typing import Any

from redis.asyncio import Redis
from redis.exceptions import ResponseError

from services.redis_client.routing import RoutedRedis
from services.redis_client.wire import exchange, packed

Command = tuple[str | int | bytes, ...]


async def send(redis: Redis, commands: Iterable[Command], *, once: bool = False) -> list[Any]:
    """Send commands together and return their replies, as Redis writes them.

    A client made with `single_connection_client` keeps its connection from one call to the next,
    and is used by one call at a time. On a cluster each master gets the commands for its keys, in
    parallel. With `once`, no command is sent again after a lost connection, which may have executed
    it. Raises redis.exceptions.RedisError: the first error reply, after all replies were read, or
    the reason why there was none.
    """
    if isinstance(redis, RoutedRedis):
        return checked((await redis.route(list(commands), once=once)).replies)
    wire = list(map(packed, commands))
    if not wire:
        # An empty write would stay in asyncio's buffer, and the connection would never close.
        return []
    if redis.single_connection_client:
        await redis.initialize()
        assert redis.connection is not None, "initialize makes it"  # noqa: S101
        return checked(await exchange(redis.connection, wire, once=once))
    pool = redis.connection_pool
    connection = await pool.get_connection()  # type: ignore[no-untyped-call]
    try:
        return checked(await exchange(connection, wire, once=once))
    finally:
        await pool.release(connection)


def checked(replies: list[Any]) -> list[Any]:
    """Return the replies if none is an error. Raises the first error among them."""
    for reply in replies:
        if isinstance(reply, ResponseError):
            raise reply
    return replies
