"""Reads the streams of a log."""

import asyncio
from collections.abc import Collection, Mapping, Sequence
from typing import Any, cast

from redis.asyncio import Redis

from services.log import keys
from services.log.admin import time_of
from services.log.interface import READ_BYTES, LogReader, Record
from services.log.redis import entry_fields, entry_ids, raw_pipeline
from services.log.redis.errors import translated
from services.log.redis.replicas import Replicas
from services.redis_client.client import servers
from services.redis_client.routing import RoutedRedis

# Entry by entry: XREAD limits their number, not their size, and some are a thousand times as
# large as others.
_READ = """
local after, limit, left = ARGV[1], tonumber(ARGV[2]), tonumber(ARGV[3])
local entries = {}
while #entries < limit do
  local entry = redis.call('XRANGE', KEYS[1], '(' .. after, '+', 'COUNT', 1)[1]
  if not entry then break end
  for _, part in ipairs(entry[2]) do left = left - #part end
  if left < 0 and #entries > 0 then break end
  after = entry[1]
  entries[#entries + 1] = entry
end
return entries
"""

_ANY = "return #redis.call('XRANGE', KEYS[1], '(' .. ARGV[1], '+', 'COUNT', 1)"
_LOOK_SECONDS = 0.05
"""How often the streams of a cluster are polled: a blocking XREAD covers only one slot."""

_Entry = tuple[bytes, Mapping[bytes, bytes]]


class RedisReader(LogReader):
    """Plain reads from our own positions.

    A consumer group costs 84 bytes per entry and 40% of the read speed, and a partition with a
    single owner does not need one.

    If replicas must hold an entry, it is not returned before they do: it could be counted, lost
    with the master, and appended again from a spool.
    """

    def __init__(
        self, redis: Redis, partitions: int, replicas: Replicas, topic: str = keys.TOPIC
    ) -> None:
        self._redis = redis
        self._partitions = partitions
        self._replicas = replicas
        self._topic = topic

    async def read(
        self, positions: Mapping[int, int], *, limit: int, wait: float = 0.0
    ) -> dict[int, Sequence[Record]]:
        """See LogReader."""
        if not positions:
            await asyncio.sleep(wait)
            return {}
        streams = {keys.stream(number, self._topic): number for number in positions}
        after = {
            stream: entry_ids.to_entry(max(positions[number] - 1, 0))
            for stream, number in streams.items()
        }
        with translated():
            if isinstance(self._redis, RoutedRedis):
                waiting = await self._waiting_in_cluster(after, limit, wait)
                return _records(streams, waiting)
            waiting = await self._waiting(after, limit)
            if not waiting and wait > 0:
                # One of each: the size of the next ones is unknown.
                blocking = max(1, int(wait * 1000))
                reply: Any = await self._redis.xread(cast("Any", after), count=1, block=blocking)
                waiting = {stream.decode(): entries for stream, entries in reply}
                if waiting and self._replicas.needed:
                    # Only now is it known what they must hold, and on which connection.
                    waiting = await self._waiting(after, limit)
        return _records(streams, waiting)

    async def _waiting_in_cluster(
        self, after: Mapping[str, str], limit: int, wait: float
    ) -> dict[str, list[_Entry]]:
        """Return what is there as `_waiting` does, or what arrives within so many seconds."""
        clock = asyncio.get_running_loop().time
        until = clock() + wait
        if not self._replicas.needed and (waiting := await self._waiting(after, limit)):
            return waiting
        while True:
            look: list[raw_pipeline.Command] = [
                ("EVAL", _ANY, 1, stream, entry) for stream, entry in after.items()
            ]
            there = await raw_pipeline.send(self._redis, look)
            # Only in these is something that replicas can hold.
            some = {
                stream: entry
                for (stream, entry), any_ in zip(after.items(), there, strict=True)
                if any_
            }
            if some and (waiting := await self._waiting(some, limit)):
                return waiting
            if clock() >= until:
                return {}
            await asyncio.sleep(min(_LOOK_SECONDS, until - clock()))

    async def _waiting(self, after: Mapping[str, str], limit: int) -> dict[str, list[_Entry]]:
        """Return the entries there, at most `limit` and a share of READ_BYTES of each stream."""
        share = READ_BYTES // len(after)
        reads: list[raw_pipeline.Command] = [
            ("EVAL", _READ, 1, stream, entry, limit, share) for stream, entry in after.items()
        ]
        if isinstance(self._redis, RoutedRedis):
            answers = await self._replicas.send(self._redis, reads)
        else:
            replies = await raw_pipeline.send(self._redis, [*reads, *self._replicas.commands])
            answers = replies[: len(reads)]
            if any(answers) and self._replicas.needed:
                self._replicas.check(int(replies[-1]))
        return {
            stream: [
                (entry, dict(zip(fields[::2], fields[1::2], strict=True)))
                for entry, fields in entries
            ]
            for stream, entries in zip(after, answers, strict=True)
            if entries
        }

    async def ends(self, partitions: Collection[int] | None = None) -> dict[int, int]:
        """See LogReader."""
        numbers = range(self._partitions) if partitions is None else list(partitions)
        with translated():
            async with self._redis.pipeline(transaction=False) as pipeline:
                for number in numbers:
                    pipeline.xrevrange(keys.stream(number, self._topic), count=1)
                last = cast("Any", await pipeline.execute())
        return {
            number: entry_ids.of_entry(entries[0][0]) + 1 if entries else 0
            for number, entries in zip(numbers, last, strict=True)
        }

    async def now(self) -> int:
        """See LogReader."""
        with translated():
            return await clock_ms(self._redis)


async def clock_ms(redis: Redis) -> int:
    """Return the time of Redis in ms; for a cluster, that of the master furthest behind.

    No master will give an entry an earlier time. Raises RedisError.
    """
    times = [await server.time() for server in (await servers(redis)).values()]
    return min(int(seconds) * 1000 + int(micros) // 1000 for seconds, micros in times)


def _records(
    streams: Mapping[str, int], waiting: Mapping[str, Sequence[_Entry]]
) -> dict[int, Sequence[Record]]:
    return {
        streams[stream]: [_record(streams[stream], *entry) for entry in entries]
        for stream, entries in waiting.items()
    }


def _record(partition: int, entry_id: bytes, fields: Mapping[bytes, bytes]) -> Record:
    at = entry_ids.of_entry(entry_id)
    headers, value = entry_fields.read(fields)
    ms = time_of(headers, entry_ids.time_ms(at))
    return Record(partition, at, ms, value, headers)
