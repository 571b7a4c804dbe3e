"""Appends batches to the log so that a retry after a lost reply cannot count twice."""

import secrets
from collections.abc import Sequence
from typing import Any, cast

import msgspec
from redis.asyncio import Redis
from redis.exceptions import NoScriptError

from services.log import batch, keys
from services.model.hit import Hit

SEQUENCE_TTL_SECONDS = 7 * 24 * 3600

# The entry is written before the sequence; Redis runs a script as one, so both happen or neither.
_APPEND = """
local last = redis.call('GET', KEYS[2])
if last and tonumber(last) >= tonumber(ARGV[4]) then
  return false
end
local id = redis.call('XADD', KEYS[1], '*', 'v', ARGV[1], 'n', ARGV[2], 'p', ARGV[3],
                      's', ARGV[4], 'b', ARGV[5])
redis.call('SET', KEYS[2], ARGV[4], 'EX', ARGV[6])
return id
"""


class Entry(msgspec.Struct, frozen=True, gc=False):
    """One batch on its way into the log; appending it again changes nothing."""

    partition: int
    producer: str
    sequence: int
    hits: int
    payload: bytes


class LogWriter:
    """One producer: numbers its batches and appends them.

    Entries of one partition must reach Redis in the order of their sequence, one at a time: an
    entry with a smaller sequence than the last one appended counts as a repetition. So a caller
    has one append under way, and retries or gives up before the next.
    """

    def __init__(self, partitions: int, producer: str | None = None) -> None:
        self.partitions = partitions
        self.producer = producer or secrets.token_hex(8)
        self._sequences = [0] * partitions

    def prepare(self, hits: Sequence[Hit]) -> list[Entry]:
        """Sort hits into entries, one a partition, in the order given.

        Takes at most MAX_HITS hits, so that no partition needs two entries.
        """
        by_partition: dict[int, list[Hit]] = {}
        for hit in hits:
            partition = keys.partition_of(hit.site, self.partitions)
            by_partition.setdefault(partition, []).append(hit)
        return [self._entry(partition, group) for partition, group in by_partition.items()]

    def _entry(self, partition: int, hits: Sequence[Hit]) -> Entry:
        payload = batch.encode(hits)
        self._sequences[partition] += 1
        return Entry(partition, self.producer, self._sequences[partition], len(hits), payload)

    @staticmethod
    async def append(redis: Redis, entries: Sequence[Entry]) -> None:
        """Append entries in one round trip; all are in the log when this returns.

        Raises redis.exceptions.RedisError when it cannot be known whether they are; appending
        the same entries again is then safe.
        """
        script = redis.register_script(_APPEND)
        try:
            await _pipeline(redis, script.sha, entries)
        except NoScriptError:
            await redis.script_load(_APPEND)
            await _pipeline(redis, script.sha, entries)


async def _pipeline(redis: Redis, sha: str, entries: Sequence[Entry]) -> None:
    async with redis.pipeline(transaction=False) as pipeline:
        for entry in entries:
            cast("Any", pipeline).evalsha(
                sha,
                2,
                keys.stream(entry.partition),
                keys.producer(entry.partition, entry.producer),
                batch.SCHEMA_VERSION,
                entry.hits,
                entry.producer,
                entry.sequence,
                entry.payload,
                SEQUENCE_TTL_SECONDS,
            )
        await pipeline.execute()
