"""Commands to one Redis in one round trip, past the layers of its client."""

from collections.abc import Sequence
from typing import Any

from redis.asyncio.connection import AbstractConnection
from redis.exceptions import ResponseError

Command = tuple[Any, ...]


async def exchange(connection: AbstractConnection, packed: Sequence[bytes]) -> list[Any]:
    """Send packed commands together and return their replies, of which some may be errors.

    A connection that was lost is tried again as its own policy says. Raises
    redis.exceptions.RedisError: the reason why there was no reply.
    """
    replies: list[Any] = await connection.retry.call_with_retry(
        lambda: _once(connection, packed), lambda error: connection.disconnect(error=error)
    )
    return replies


async def _once(connection: Any, packed: Sequence[bytes]) -> list[Any]:
    await connection.send_packed_command(b"".join(packed), check_health=False)
    replies: list[Any] = []
    for _ in packed:
        try:
            replies.append(await connection.read_response())
        except ResponseError as error:
            replies.append(error)
    return replies
