"""Commands to one Redis in one round trip, past the layers of its client."""

from collections.abc import Callable, Sequence
from typing import Any, cast

import hiredis
from redis.asyncio.connection import AbstractConnection
from redis.exceptions import ResponseError

Command = tuple[Any, ...]

# Its stub knows tuples of one length only.
_pack: Callable[[Command], bytes] = cast("Any", hiredis.pack_command)


def packed(command: Command) -> bytes:
    """Return a command as it is sent; the client names some by two words."""
    name = command[0]
    return _pack((*name.split(), *command[1:]) if " " in name else command)


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
