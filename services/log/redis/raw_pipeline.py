"""Commands to Redis in one round trip, at the cost of their bytes.

The pipeline of redis-py makes an object and passes several layers for each command. For the same
command some thousand times a second, that was most of the cost of an append.
"""

from collections.abc import Callable, Iterable
from typing import Any, cast

import hiredis
from redis.asyncio import Redis
from redis.asyncio.connection import AbstractConnection
from redis.exceptions import ResponseError

Command = tuple[str | int | bytes, ...]


async def send(redis: Redis, commands: Iterable[Command]) -> list[Any]:
    """Send commands together and return their replies, as Redis writes them.

    A client made with `single_connection_client` keeps its connection from one call to the next,
    and is used by one call at a time. Raises redis.exceptions.RedisError: the first error reply,
    after all replies were read, or the reason why there was none.
    """
    # Its stub knows tuples of one length only.
    pack: Callable[[Command], bytes] = cast("Any", hiredis.pack_command)
    packed = [pack(command) for command in commands]
    if not packed:
        # An empty write would stay in asyncio's buffer, and the connection would never close.
        return []
    if redis.single_connection_client:
        await redis.initialize()
        assert redis.connection is not None, "initialize makes it"  # noqa: S101
        return await _retried(redis.connection, packed)
    pool = redis.connection_pool
    connection = await pool.get_connection()  # type: ignore[no-untyped-call]
    try:
        return await _retried(connection, packed)
    finally:
        await pool.release(connection)


async def _retried(connection: AbstractConnection, packed: list[bytes]) -> list[Any]:
    replies: list[Any] = await connection.retry.call_with_retry(
        lambda: _exchange(connection, packed), lambda error: connection.disconnect(error=error)
    )
    return replies


async def _exchange(connection: Any, packed: list[bytes]) -> list[Any]:
    await connection.send_packed_command(b"".join(packed), check_health=False)
    refused: ResponseError | None = None
    replies: list[Any] = []
    for _ in packed:
        try:
            replies.append(await connection.read_response())
        except ResponseError as error:
            refused = refused or error
    if refused is not None:
        raise refused
    return replies
