"""Sends commands to one Redis in one round trip, bypassing the layers of its client."""

from collections.abc import Callable, Sequence
from typing import Any, cast

import hiredis
from redis.asyncio.connection import AbstractConnection
from redis.exceptions import ConnectionError as RedisConnectionError
from redis.exceptions import ResponseError

Command = tuple[Any, ...]

# Its type stub only allows tuples of one length.
_pack: Callable[[Command], bytes] = cast("Any", hiredis.pack_command)


def packed(command: Command) -> bytes:
    """Return a command in wire format; some of the client's names have two words."""
    name = command[0]
    return _pack((*name.split(), *command[1:]) if " " in name else command)


async def exchange(
    connection: AbstractConnection, packed: Sequence[bytes], *, once: bool = False
) -> list[Any]:
    """Send packed commands together and return their replies, some of which may be errors.

    A lost connection is retried according to its own policy; with `once` it is not, for commands
    that may have been executed and must not be again. Raises redis.exceptions.RedisError with the
    reason why there was no reply.
    """
    if once:
        try:
            return await _attempt(connection, packed)
        except RedisConnectionError as error:
            await connection.disconnect(error=error)
            raise
    replies: list[Any] = await connection.retry.call_with_retry(
        lambda: _attempt(connection, packed), lambda error: connection.disconnect(error=error)
    )
    return replies


async def _attempt(connection: Any, packed: Sequence[bytes]) -> list[Any]:
    await connection.send_packed_command(b"".join(packed), check_health=False)
    replies: list[Any] = []
    for _ in packed:
        try:
            replies.append(await connection.read_response())
        except ResponseError as error:
            replies.append(error)
    return replies
