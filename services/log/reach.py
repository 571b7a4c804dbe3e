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
from services.log.room import WRITES_WHEN_FULL
from services.model import position

HOLD_SECONDS = 30.0

# An older state is put back also where the log has filled Redis.
_HOLD = f"""{WRITES_WHEN_FULL}
return redis.call('SET', KEYS[1], ARGV[1], 'PX', ARGV[2], ARGV[3])
"""
_SET_COMMITS = f"""{WRITES_WHEN_FULL}
for i = 1, #ARGV, 2 do
  if ARGV[i + 1] == '' then
    redis.call('HDEL', KEYS[1], ARGV[i])
  else
    redis.call('HSET', KEYS[1], ARGV[i], ARGV[i + 1])
  end
end
"""

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
    given = [
        text
        for partition, at in positions.items()
        for text in (str(partition), "" if at is None else str(at))
    ]
    await _run(redis, _SET_COMMITS, keys.commits(group), *given)


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
            if not await _run(redis, _HOLD, name, worker, str(milliseconds), "NX"):
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


async def _run(redis: Redis, script: str, key: str, *given: str) -> Any:
    return await cast("Any", redis.eval(script, 1, key, *given))


async def _renew(redis: Redis, names: list[str], worker: str, milliseconds: int) -> None:
    while True:
        await asyncio.sleep(HOLD_SECONDS / 3)
        try:
            for name in names:
                await _run(redis, _HOLD, name, worker, str(milliseconds), "XX")
        except (RedisError, OSError) as error:
            log.warning("cannot renew the hold on the partitions: %r", error)
