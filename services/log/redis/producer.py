"""Appends batches to Redis so that a retry after a lost reply cannot count twice."""

from collections.abc import Sequence
from contextlib import suppress
from hashlib import sha1

from redis.asyncio import Redis
from redis.exceptions import NoScriptError, RedisError

from services.log import keys
from services.log.entries import LogEntry
from services.log.interface import REMEMBERED_SECONDS, LogProducer
from services.log.redis import entry_fields
from services.log.redis.errors import translated
from services.log.redis.replicas import Replicas
from services.log.redis.short_form import ShortForm
from services.redis_client.client import disconnect

# Each entry is written before its sequence. Redis runs a script atomically, so both are written or
# neither, and none follows an entry that fails.
_APPEND = """
local last = tonumber(redis.call('GET', KEYS[2]) or 0)
local appended = 0
local step = 1 + tonumber(ARGV[2])
for i = 3, #ARGV, step do
  local sequence = tonumber(ARGV[i])
  if sequence > last then
    redis.call('XADD', KEYS[1], '*', unpack(ARGV, i + 1, i + step - 1))
    if ARGV[1] == '0' then
      redis.call('SET', KEYS[2], ARGV[i])
    else
      redis.call('SET', KEYS[2], ARGV[i], 'EX', ARGV[1])
    end
    last = sequence
    appended = appended + 1
  end
end
return appended
"""
_SHA = sha1(_APPEND.encode(), usedforsecurity=False).hexdigest()


class RedisProducer(LogProducer):
    """Appends with a script, all partitions in one round trip, on a cluster one to each master.

    If a master fails, others may have appended: a retry sends all again, and they skip it.

    A producer's last sequence is a key beside its partition's stream. It expires, except for ids
    that were opened: a drain retried after a crash finds it, however much later.
    """

    def __init__(self, redis: Redis, partitions: int, replicas: Replicas, short: ShortForm) -> None:
        self._redis = redis
        self._short = short
        self._partitions = partitions
        self._replicas = replicas
        self._opened: set[str] = set()

    async def open(self, producer_id: str) -> dict[int, int]:
        """See LogProducer."""
        partitions = range(self._partitions)
        with translated():
            async with self._redis.pipeline(transaction=False) as pipeline:
                for partition in partitions:
                    pipeline.get(keys.producer(partition, producer_id))
                sequences = await pipeline.execute()
        self._opened.add(producer_id)
        return {
            partition: int(sequence)
            for partition, sequence in zip(partitions, sequences, strict=True)
            if sequence is not None
        }

    async def append(self, entries: Sequence[LogEntry]) -> None:
        """See LogProducer."""
        with translated():
            try:
                await self._append(entries)
            except NoScriptError:
                await self._redis.script_load(_APPEND)
                await self._append(entries)

    async def _append(self, entries: Sequence[LogEntry]) -> None:
        fields_of = entry_fields.short_form if self._short.allowed() else entry_fields.long_form
        size = 0
        runs: dict[tuple[int, str], list[str | int | bytes]] = {}
        for entry in entries:
            fields = fields_of(entry)
            size = len(fields)
            run = runs.setdefault((entry.partition, entry.producer), [])
            run += (entry.sequence, *fields)
        await self._replicas.send(
            self._redis,
            [
                (
                    "EVALSHA",
                    _SHA,
                    2,
                    keys.stream(partition),
                    keys.producer(partition, producer),
                    0 if producer in self._opened else REMEMBERED_SECONDS,
                    size,
                    *run,
                )
                for (partition, producer), run in runs.items()
            ],
        )

    async def abandon(self) -> None:
        """See LogProducer."""
        with suppress(RedisError, OSError):
            await disconnect(self._redis)

    async def forget(self) -> None:
        """See LogProducer."""
        if not self._opened:
            return
        with translated():
            async with self._redis.pipeline(transaction=False) as pipeline:
                for producer in self._opened:
                    for partition in range(self._partitions):
                        pipeline.expire(keys.producer(partition, producer), REMEMBERED_SECONDS)
                await pipeline.execute()
        self._opened.clear()

    async def close(self) -> None:
        """See LogProducer."""
        await self._redis.aclose()
