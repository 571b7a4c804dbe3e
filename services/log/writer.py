"""Appends batches to the log so that a retry after a lost reply cannot count twice."""

import secrets
from collections.abc import Iterable, Sequence
from hashlib import sha1

import msgspec
from redis.asyncio import Redis
from redis.exceptions import NoScriptError

from services.log import batch, keys, wire
from services.model.hit import Hit
from services.model.partition import partition_of

SEQUENCE_TTL_SECONDS = 7 * 24 * 3600
"""How long a producer's last sequence is known after its last append."""

# Each entry is written before its sequence; Redis runs a script as one, so both happen or neither,
# and after an entry that fails none follows.
_APPEND = """
local last = tonumber(redis.call('GET', KEYS[2]) or 0)
local appended = 0
for i = 3, #ARGV, 4 do
  local sequence = tonumber(ARGV[i + 2])
  if sequence > last then
    redis.call('XADD', KEYS[1], '*', 'v', ARGV[i], 'n', ARGV[i + 1], 'p', ARGV[1],
               's', ARGV[i + 2], 'b', ARGV[i + 3])
    if ARGV[2] == '0' then
      redis.call('SET', KEYS[2], ARGV[i + 2])
    else
      redis.call('SET', KEYS[2], ARGV[i + 2], 'EX', ARGV[2])
    end
    last = sequence
    appended = appended + 1
  end
end
return appended
"""
_SHA = sha1(_APPEND.encode(), usedforsecurity=False).hexdigest()


class Entry(msgspec.Struct, array_like=True, frozen=True, gc=False):
    """One batch on its way into the log; appending it again changes nothing."""

    partition: int
    producer: str
    sequence: int
    hits: int
    payload: bytes
    version: int = batch.SCHEMA_VERSION


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
            partition = partition_of(hit.site, self.partitions)
            by_partition.setdefault(partition, []).append(hit)
        return [self._entry(partition, group) for partition, group in by_partition.items()]

    def _entry(self, partition: int, hits: Sequence[Hit]) -> Entry:
        payload = batch.encode(hits)
        self._sequences[partition] += 1
        return Entry(partition, self.producer, self._sequences[partition], len(hits), payload)

    @staticmethod
    async def append(redis: Redis, entries: Sequence[Entry], *, forget: bool = True) -> None:
        """Append entries in one round trip; all are in the log when this returns.

        Those of one producer and partition are appended in the order given, and none after one
        that fails. With `forget=False` their producer's last sequence does not expire, until
        `expire` is called. Raises redis.exceptions.RedisError when it cannot be known whether
        they are in the log; appending the same entries again is then safe.
        """
        ttl = SEQUENCE_TTL_SECONDS if forget else 0
        try:
            await _append(redis, entries, ttl)
        except NoScriptError:
            await redis.script_load(_APPEND)
            await _append(redis, entries, ttl)

    @staticmethod
    async def expire(redis: Redis, producers: Iterable[tuple[int, str]]) -> None:
        """Let the last sequences of (partition, producer) expire in time: nothing is repeated."""
        async with redis.pipeline(transaction=False) as pipeline:
            for partition, producer in producers:
                pipeline.expire(keys.producer(partition, producer), SEQUENCE_TTL_SECONDS)
            await pipeline.execute()


async def _append(redis: Redis, entries: Sequence[Entry], ttl: int) -> None:
    runs: dict[tuple[int, str], list[int | bytes]] = {}
    for entry in entries:
        run = runs.setdefault((entry.partition, entry.producer), [])
        run += (entry.version, entry.hits, entry.sequence, entry.payload)
    await wire.send(
        redis,
        [
            (
                "EVALSHA",
                _SHA,
                2,
                keys.stream(partition),
                keys.producer(partition, producer),
                producer,
                ttl,
                *run,
            )
            for (partition, producer), run in runs.items()
        ],
    )
