"""The state of imports in Redis.

The progress of an import is a hash beside the stream, updated by the script that appends. So the
hash says exactly what is in the log, and is lost with it.
"""

import secrets
from collections.abc import Awaitable
from typing import cast

from redis.asyncio import Redis

from services.log import batch, keys
from services.log.errors import LogError
from services.log.import_log import ImportLog, ImportOutcome, ImportProgress
from services.log.import_names import (
    BEHIND_SECONDS,
    SALT_BYTES,
    SALT_SECONDS,
    import_producer,
)
from services.log.interface import REMEMBERED_SECONDS, LogPositions, LogReader
from services.log.redis import entry_ids
from services.log.redis.errors import translated
from services.log.redis.memory_headroom import memory_headroom
from services.log.redis.replicas import Replicas
from services.model.partition import partition_of

FULL = 0.75
"""Redis memory usage above which an import waits; live hits need the rest."""

_APPEND = """
local taken = redis.call('HGET', KEYS[2], 'taken')
if not taken then return {-1, 0} end
taken = tonumber(taken)
if redis.call('HGET', KEYS[2], 'sealed') then return {-3, taken} end
if taken >= tonumber(ARGV[2]) then return {0, taken} end
if taken ~= tonumber(ARGV[1]) then return {-2, taken} end
local id = redis.call('XADD', KEYS[1], '*', 'v', ARGV[3], 'n', ARGV[4], 'p', ARGV[5],
                      's', ARGV[2], 'b', ARGV[6])
redis.call('HSET', KEYS[2], 'taken', ARGV[2], 'entry', id)
redis.call('HINCRBY', KEYS[2], 'hits', ARGV[4])
return {1, tonumber(ARGV[2])}
"""

_SEAL = """
if not redis.call('HGET', KEYS[1], 'taken') then return 0 end
redis.call('HSET', KEYS[1], 'sealed', '1')
redis.call('HDEL', KEYS[1], 'salt')
redis.call('EXPIRE', KEYS[1], ARGV[1])
return 1
"""


class RedisImportLog(ImportLog):
    """See ImportLog."""

    def __init__(
        self,
        redis: Redis,
        partitions: int,
        replicas: Replicas,
        reader: LogReader,
        positions: LogPositions,
    ) -> None:
        self._redis = redis
        self._partitions = partitions
        self._replicas = replicas
        self._reader = reader
        self._positions = positions

    def _keys(self, site: str, digest: str) -> tuple[int, str, str]:
        partition = partition_of(site, self._partitions)
        producer = import_producer(site, digest)
        return partition, producer, keys.imported(partition, producer)

    async def begin(self, site: str, digest: str) -> ImportProgress:
        """See ImportLog."""
        _, _, key = self._keys(site, digest)
        shared = keys.import_salt(site)
        with translated():
            async with self._redis.pipeline(transaction=False) as pipeline:
                pipeline.set(shared, secrets.token_hex(SALT_BYTES), nx=True)
                pipeline.expire(shared, SALT_SECONDS)
                pipeline.get(shared)
                salt = cast("bytes", (await pipeline.execute())[2])
            async with self._redis.pipeline(transaction=True) as pipeline:
                pipeline.hsetnx(key, "salt", salt.decode())
                pipeline.hsetnx(key, "taken", "0")
                pipeline.persist(key)
                await pipeline.execute()
        progress = await self.find(site, digest)
        if progress is None:
            raise LogError(f"{key} is gone as soon as it was written")
        return progress

    async def find(self, site: str, digest: str) -> ImportProgress | None:
        """See ImportLog."""
        _, _, key = self._keys(site, digest)
        with translated():
            fields = await cast("Awaitable[dict[bytes, bytes]]", self._redis.hgetall(key))
        if b"taken" not in fields:
            return None
        entry = fields.get(b"entry")
        return ImportProgress(
            taken=int(fields[b"taken"]),
            hits=int(fields.get(b"hits", 0)),
            position=None if entry is None else entry_ids.of_entry(entry),
            salt=fields.get(b"salt", b"").decode(),
        )

    async def append(
        self, site: str, digest: str, after: int, upto: int, hits: int, payload: bytes
    ) -> tuple[ImportOutcome, int]:
        """See ImportLog."""
        partition, producer, key = self._keys(site, digest)
        arguments = (after, upto, batch.SCHEMA_VERSION, hits, producer, payload)
        append = ("EVAL", _APPEND, 2, keys.stream(partition), key, *arguments)
        with translated():
            [reply] = await self._replicas.send(self._redis, [append])
        return ImportOutcome(int(reply[0])), int(reply[1])

    async def counted(self, site: str, progress: ImportProgress) -> bool:
        """See ImportLog."""
        if progress.position is None:
            return True
        return await self._committed(partition_of(site, self._partitions)) > progress.position

    async def finish(self, site: str, digest: str) -> None:
        """See ImportLog."""
        _, _, key = self._keys(site, digest)
        with translated():
            async with self._redis.pipeline(transaction=True) as pipeline:
                pipeline.hdel(key, "salt")
                pipeline.expire(key, REMEMBERED_SECONDS)
                await pipeline.execute()

    async def seal(self, site: str, digest: str) -> ImportProgress | None:
        """See ImportLog."""
        _, _, key = self._keys(site, digest)
        shared = keys.import_salt(site)
        with translated():
            await self._redis.eval(_SEAL, 1, key, REMEMBERED_SECONDS)
            await self._redis.set(shared, secrets.token_hex(SALT_BYTES), ex=SALT_SECONDS)
        return await self.find(site, digest)

    async def busy(self, site: str) -> str | None:
        """See ImportLog."""
        partition = partition_of(site, self._partitions)
        return await self._behind(partition) or await self._full()

    async def _committed(self, partition: int) -> int:
        return (await self._positions.committed([partition])).get(partition, 0)

    async def _behind(self, partition: int) -> str | None:
        at = await self._committed(partition)
        waiting = await self._reader.read({partition: at}, limit=1)
        if partition not in waiting:
            return None
        behind = (await self._reader.now() - waiting[partition][0].time_ms) / 1000
        if behind <= BEHIND_SECONDS:
            return None
        return f"the aggregator is {behind:.0f} s behind"

    async def _full(self) -> str | None:
        with translated():
            memory = await memory_headroom(self._redis)
        return str(memory) if memory.share > FULL else None
