"""How far the log reaches, how far it was read, and the way back."""

import asyncio
import contextlib
import logging
import secrets
from collections.abc import AsyncIterator, Mapping
from typing import Any, cast

import msgspec
from redis.asyncio import Redis
from redis.exceptions import RedisError, ResponseError

from services.log import keys
from services.model import position

HOLD_SECONDS = 30.0

log = logging.getLogger(__name__)


class Reach(msgspec.Struct, frozen=True):
    """One partition of the log.

    first      position of its first entry; None when it is empty
    end        position after its last entry; 0 when it is empty
    entries    how many there are
    trimmed    whether there were older ones
    committed  next position to read; None when nothing was read
    """

    partition: int
    first: int | None
    end: int
    entries: int
    trimmed: bool
    committed: int | None


class HeldError(Exception):
    """An aggregator holds a partition, so nobody else may change what is committed."""


async def reach(redis: Redis, group: str, partitions: int) -> list[Reach]:
    """Look at each partition. Raises redis.exceptions.RedisError."""
    committed = await commits(redis, group)
    found = []
    for partition in range(partitions):
        at = committed.get(partition)
        try:
            info = cast("Any", await redis.xinfo_stream(keys.stream(partition)))
        except ResponseError:
            # There is no such stream.
            found.append(Reach(partition, None, 0, 0, False, at))
            continue
        first, last = info["first-entry"], info["last-entry"]
        length = int(info["length"])
        found.append(
            Reach(
                partition,
                position.of_entry(first[0]) if first else None,
                position.of_entry(last[0]) + 1 if last else 0,
                length,
                int(info.get("entries-added", length)) > length,
                at,
            )
        )
    return found


async def commits(redis: Redis, group: str) -> dict[int, int]:
    """Return the next position to read of each partition that was read."""
    held = await redis.hgetall(keys.commits(group))
    return {int(partition): int(at) for partition, at in held.items()}


async def set_commits(redis: Redis, group: str, positions: Mapping[int, int | None]) -> None:
    """Set what is committed, also back; None is the very beginning. Hold the partitions first."""
    async with redis.pipeline(transaction=True) as pipeline:
        for partition, at in positions.items():
            if at is None:
                pipeline.hdel(keys.commits(group), str(partition))
            else:
                pipeline.hset(keys.commits(group), str(partition), str(at))
        await pipeline.execute()


@contextlib.asynccontextmanager
async def hold(redis: Redis, group: str, partitions: int) -> AsyncIterator[None]:
    """Own every partition meanwhile, so that no aggregator folds.

    Raises HeldError when one does already.
    """
    worker = f"held-{secrets.token_hex(6)}"
    names = [keys.owner(partition, group) for partition in range(partitions)]
    milliseconds = int(HOLD_SECONDS * 1000)
    taken: list[str] = []
    try:
        for name in names:
            if not await redis.set(name, worker, nx=True, px=milliseconds):
                owner = cast("bytes", await redis.get(name) or b"just now").decode()
                raise HeldError(
                    f"an aggregator is running ({owner}); stop every aggregator first. One that"
                    " was killed is forgotten after LUOT_LEASE_SECONDS"
                )
            taken.append(name)
        renewing = asyncio.create_task(_renew(redis, names, worker, milliseconds))
        try:
            yield
        finally:
            renewing.cancel()
            await asyncio.gather(renewing, return_exceptions=True)
    finally:
        if taken:
            with contextlib.suppress(RedisError, OSError):
                await redis.delete(*taken)


async def _renew(redis: Redis, names: list[str], worker: str, milliseconds: int) -> None:
    while True:
        await asyncio.sleep(HOLD_SECONDS / 3)
        try:
            for name in names:
                await redis.set(name, worker, xx=True, px=milliseconds)
        except (RedisError, OSError) as error:
            log.warning("cannot renew the hold on the partitions: %r", error)
