"""What must be true of the Redis server before a hit is taken."""

import re
from typing import cast

from redis.asyncio import Redis
from redis.exceptions import AuthorizationError, ResponseError

from services.log import keys


class RefusedError(Exception):
    """This server cannot hold the log; the message says why and what to do."""


async def check_redis(redis: Redis, partitions: int, *, unsafe_eviction: bool) -> None:
    """Make sure that the server keeps what it is given and has the partitions we have.

    Raises RefusedError, or redis.exceptions.RedisError when the server cannot be asked.
    """
    if not unsafe_eviction:
        await _check_eviction(redis)
    await redis.set(keys.PARTITIONS, partitions, nx=True)
    found = cast("bytes", await redis.get(keys.PARTITIONS))
    if found != str(partitions).encode():
        shown = found.decode(errors="replace")
        raise RefusedError(
            f"LUOT_PARTITIONS={partitions}: this Redis holds a log of {shown} partitions;"
            f" expected {shown}, the number is fixed when the log is created"
        )


async def _check_eviction(redis: Redis) -> None:
    """Under allkeys-* whole streams go; under volatile-* what makes an append safe to repeat."""
    try:
        memory = await redis.info("memory")
    except (AuthorizationError, ResponseError) as error:
        raise RefusedError(
            f"Redis does not tell its maxmemory-policy ({error}); allow the command INFO, or set"
            " LUOT_UNSAFE_EVICTION=true if it is 'noeviction'"
        ) from error
    policy = str(memory.get("maxmemory_policy", ""))
    if re.match("allkeys-|volatile-", policy):
        raise RefusedError(
            f"Redis has maxmemory-policy {policy!r} and may evict hits that were accepted;"
            " expected 'noeviction' (or set LUOT_UNSAFE_EVICTION=true to take the loss)"
        )
