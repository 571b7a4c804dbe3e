"""How far the log reaches, how far it was read, and how to rewind it."""

import contextlib
import secrets
from collections.abc import AsyncIterator, Collection, Mapping
from typing import Any, cast

from redis.asyncio import Redis
from redis.exceptions import RedisError, ResponseError

from services.log import holds, keys
from services.log.errors import HOLD_SECONDS, HOLDER, LogInUseError
from services.log.interface import Extent, LogPositions
from services.log.redis import entry_ids, leases, raw_pipeline
from services.log.redis.errors import translated
from services.log.redis.memory_headroom import WRITES_WHEN_FULL
from services.log.redis.replicas import Replicas

_TRIMMED_ENTRIES = 100_000
"""How many are trimmed at a time, which blocks Redis for some milliseconds."""

# Rewinding must work even when the log has filled Redis.
_HOLD = f"""{WRITES_WHEN_FULL}
return redis.call('SET', KEYS[1], ARGV[1], 'PX', ARGV[2], 'NX')
"""
_SET_COMMITTED = f"""{WRITES_WHEN_FULL}
for i = 1, #ARGV, 2 do
  if ARGV[i + 1] == '' then
    redis.call('HDEL', KEYS[1], ARGV[i])
  else
    redis.call('HSET', KEYS[1], ARGV[i], ARGV[i + 1])
  end
end
"""
# Positions exceed Lua's numbers. It always writes: waiting for replicas requires a write.
_NOTE_WRITTEN = f"""{WRITES_WHEN_FULL}
for i = 1, #ARGV, 2 do
  local old, new = redis.call('HGET', KEYS[1], ARGV[i]) or '', ARGV[i + 1]
  if #new < #old or (#new == #old and new < old) then new = old end
  redis.call('HSET', KEYS[1], ARGV[i], new)
end
"""


class RedisPositions(LogPositions):
    """Committed positions are a hash, owners are keys that expire, times are in the entry ids."""

    def __init__(
        self,
        redis: Redis,
        group: str,
        partitions: int,
        topic: str = keys.TOPIC,
        replicas: Replicas | None = None,
    ) -> None:
        self._redis = redis
        self._replicas = replicas or Replicas()
        self._group = group
        self._partitions = partitions
        self._topic = topic

    async def committed(self, partitions: Collection[int] | None = None) -> dict[int, int]:
        """See LogPositions."""
        key = keys.commits(self._group, self._topic)
        with translated():
            if partitions is None:
                positions = await cast("Any", self._redis.hgetall(key))
                return {int(number): int(at) for number, at in positions.items()}
            order = list(partitions)
            if not order:
                return {}
            values = await self._redis.hmget(key, [str(number) for number in order])
        return {number: int(value) for number, value in zip(order, values, strict=True) if value}

    async def set_committed(self, positions: Mapping[int, int | None]) -> None:
        """See LogPositions."""
        arguments = [
            text
            for partition, at in positions.items()
            for text in (str(partition), "" if at is None else str(at))
        ]
        with translated():
            await self._run(_SET_COMMITTED, keys.commits(self._group, self._topic), *arguments)

    async def written(self, shards: int | None = 1) -> dict[int, int]:
        """See LogPositions."""
        with translated():
            positions = await cast(
                "Any", self._redis.hgetall(keys.written(self._group, self._topic))
            )
        return {int(number): int(at) for number, at in positions.items()}

    async def note_written(self, positions: Mapping[int, int]) -> None:
        """See LogPositions."""
        arguments = [str(number) for pair in positions.items() for number in pair]
        key = keys.written(self._group, self._topic)
        with translated():
            # Without that, a lagging host of the store could be chosen after a failover.
            note: raw_pipeline.Command = ("EVAL", _NOTE_WRITTEN, 1, key, *arguments)
            await self._replicas.send(self._redis, [note], writing=True)

    async def forget_written(self, shards: int | None = 1) -> None:
        """See LogPositions."""
        with translated():
            await self._redis.delete(keys.written(self._group, self._topic))

    def _owner_keys(self) -> list[str]:
        return [
            keys.owner(partition, self._group, self._topic) for partition in range(self._partitions)
        ]

    @contextlib.asynccontextmanager
    async def hold(self) -> AsyncIterator[None]:
        """See LogPositions."""
        worker = f"{HOLDER}{secrets.token_hex(6)}"
        names = self._owner_keys()
        taken: list[str] = []
        try:
            for name in names:
                with translated():
                    await self._take(name, worker)
                taken.append(name)
            async with holds.kept(lambda: self._renewed(names, worker), HOLD_SECONDS):
                yield
        finally:
            with contextlib.suppress(RedisError, OSError):
                for name in taken:
                    await self._run(leases.RELEASE, name, worker)

    async def _take(self, name: str, worker: str) -> None:
        if not await self._run(_HOLD, name, worker, str(HOLD_SECONDS * 1000)):
            owner = cast("bytes", await self._redis.get(name) or b"just now").decode()
            raise LogInUseError(owner)

    async def _renewed(self, names: list[str], worker: str) -> bool:
        """Renew the hold; tell whether it lasted: an expired key may have had another owner."""
        milliseconds = str(HOLD_SECONDS * 1000)
        with translated():
            for name in names:
                if not await self._run(leases.RENEW, name, worker, milliseconds):
                    return False
        return True

    async def _run(self, script: str, key: str, *arguments: str) -> Any:
        return await cast("Any", self._redis.eval(script, 1, key, *arguments))

    async def owners(self) -> dict[int, str]:
        """See LogPositions."""
        with translated():
            owners = [await self._redis.get(name) for name in self._owner_keys()]
        return {
            number: cast("bytes", owner).decode()
            for number, owner in enumerate(owners)
            if owner is not None
        }

    async def disown(self) -> None:
        """See LogPositions."""
        with translated():
            await self._redis.delete(*self._owner_keys(), keys.workers(self._group, self._topic))

    async def extents(self, partitions: Collection[int] | None = None) -> list[Extent]:
        """See LogPositions."""
        committed = await self.committed(partitions)
        numbers = range(self._partitions) if partitions is None else partitions
        with translated():
            return [await self._extent(number, committed.get(number)) for number in numbers]

    async def _extent(self, partition: int, committed: int | None) -> Extent:
        try:
            stream = keys.stream(partition, self._topic)
            info = cast("Any", await self._redis.xinfo_stream(stream))
        except ResponseError:
            # There is no such stream.
            return Extent(partition, None, 0, 0, False, committed)
        first, last = info["first-entry"], info["last-entry"]
        length = int(info["length"])
        return Extent(
            partition,
            entry_ids.of_entry(first[0]) if first else None,
            entry_ids.of_entry(last[0]) + 1 if last else 0,
            length,
            int(info.get("entries-added", length)) > length,
            committed,
        )

    async def at_time(self, partition: int, ms: int) -> int:
        """See LogPositions."""
        return entry_ids.encode(max(0, ms), 0)

    async def time_of(self, partition: int, position: int) -> int:
        """See LogPositions."""
        return entry_ids.time_ms(position)

    async def trim(self, partition: int, before: int) -> bool:
        """See LogPositions. Redis drops whole nodes: one that extends past the position stays."""
        if before <= 0:
            return False
        with translated():
            dropped = await self._redis.xtrim(
                keys.stream(partition, self._topic),
                minid=entry_ids.to_entry(before),
                approximate=True,
                limit=_TRIMMED_ENTRIES,
            )
        return bool(dropped)
