"""The log's side of an import: chunks of an access log, each appended once, in order.

How far an import is stands in a hash beside the stream. Script and hash are one in Redis, so the
hash says exactly what the log has been given, and a log that was lost is known by its absence.
"""

import secrets
import time
from collections.abc import Awaitable, Callable
from enum import IntEnum
from hashlib import sha256
from typing import Any, cast

import msgspec
from redis.asyncio import Redis
from redis.exceptions import ResponseError

from services.log import batch, keys
from services.log.room import room
from services.log.writer import SEQUENCE_TTL_SECONDS
from services.model import position
from services.model.partition import partition_of

SALT_BYTES = 32
SALT_SECONDS = 48 * 3600
"""How long after the last import of a site the next one still knows the same visitors."""
BEHIND_SECONDS = 2.5
"""The aggregator is further behind than this only when it has too much to do, or is away."""
FULL = 0.75
"""Share of Redis's memory from which on an import waits; live hits need the rest."""
_LOOK_SECONDS = 0.25

_APPEND = """
local taken = redis.call('HGET', KEYS[2], 'taken')
if not taken then return {-1, 0} end
taken = tonumber(taken)
if taken >= tonumber(ARGV[2]) then return {0, taken} end
if taken ~= tonumber(ARGV[1]) then return {-2, taken} end
local id = redis.call('XADD', KEYS[1], '*', 'v', ARGV[3], 'n', ARGV[4], 'p', ARGV[5],
                      's', ARGV[2], 'b', ARGV[6])
redis.call('HSET', KEYS[2], 'taken', ARGV[2], 'entry', id)
redis.call('HINCRBY', KEYS[2], 'hits', ARGV[4])
return {1, tonumber(ARGV[2])}
"""


class Outcome(IntEnum):
    """What became of a chunk."""

    APPENDED = 1
    HELD = 0
    """The log has been given these lines before."""
    LOST = -1
    """The log knows nothing of this import."""
    OUT_OF_ORDER = -2
    """What comes before it was not given, or more than that."""


class Reached(msgspec.Struct, frozen=True):
    """How far an import is.

    taken     line up to which all pages are in the log
    hits      how many those were
    position  of the last entry; None before the first
    salt      '' when it was forgotten: the import is done
    """

    taken: int
    hits: int
    position: int | None
    salt: str


def producer_of(site: str, digest: str) -> str:
    """Return the producer id of a file's import into a site."""
    return f"import-{sha256(f'{site} {digest}'.encode()).hexdigest()[:32]}"


class ImportLog:
    """Imports as Redis knows them. Every call may raise redis.exceptions.RedisError."""

    def __init__(
        self,
        redis: Redis,
        partitions: int,
        group: str,
        monotonic: Callable[[], float] = time.monotonic,
    ) -> None:
        self._redis = redis
        self._partitions = partitions
        self._group = group
        self._monotonic = monotonic
        self._looked: dict[int, tuple[float, str | None]] = {}

    def _keys(self, site: str, digest: str) -> tuple[int, str, str]:
        partition = partition_of(site, self._partitions)
        producer = producer_of(site, digest)
        return partition, producer, keys.imported(partition, producer)

    async def begin(self, site: str, digest: str) -> Reached:
        """Make an import known, or find it as it is."""
        _, _, key = self._keys(site, digest)
        shared = keys.import_salt(site)
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
        reached = await self.find(site, digest)
        if reached is None:
            raise ResponseError(f"{key} is gone as soon as it was written")
        return reached

    async def find(self, site: str, digest: str) -> Reached | None:
        """Return how far an import is; None when the log knows nothing of it."""
        _, _, key = self._keys(site, digest)
        held = await cast("Awaitable[dict[bytes, bytes]]", self._redis.hgetall(key))
        if b"taken" not in held:
            return None
        entry = held.get(b"entry")
        return Reached(
            taken=int(held[b"taken"]),
            hits=int(held.get(b"hits", 0)),
            position=None if entry is None else position.of_entry(entry),
            salt=held.get(b"salt", b"").decode(),
        )

    async def append(
        self, site: str, digest: str, after: int, upto: int, hits: int, payload: bytes
    ) -> tuple[Outcome, int]:
        """Append the pages of the lines after one, up to another; return what came of it.

        The second value is the line up to which the log has all pages now.
        """
        partition, producer, key = self._keys(site, digest)
        given: tuple[Any, ...] = (after, upto, batch.SCHEMA_VERSION, hits, producer, payload)
        answer: Any = await self._redis.eval(_APPEND, 2, keys.stream(partition), key, *given)
        return Outcome(int(answer[0])), int(answer[1])

    async def counted(self, site: str, reached: Reached) -> bool:
        """Tell whether everything an import has appended is in the store."""
        if reached.position is None:
            return True
        partition = partition_of(site, self._partitions)
        return await self._committed(partition) > reached.position

    async def finish(self, site: str, digest: str) -> None:
        """Forget the salt, and after a while the rest: the store knows that it is done.

        Not at once: a store that is put back to yesterday's backup does not know it.
        """
        _, _, key = self._keys(site, digest)
        async with self._redis.pipeline(transaction=True) as pipeline:
            pipeline.hdel(key, "salt")
            pipeline.expire(key, SEQUENCE_TTL_SECONDS)
            await pipeline.execute()

    async def busy(self, site: str) -> str | None:
        """Return why nothing more should be appended right now; None when it may."""
        partition = partition_of(site, self._partitions)
        now = self._monotonic()
        looked, reason = self._looked.get(partition, (0.0, None))
        if looked == 0.0 or now - looked >= _LOOK_SECONDS:
            reason = await self._behind(partition) or await self._full()
            self._looked[partition] = (now, reason)
        return reason

    async def _committed(self, partition: int) -> int:
        held = await cast(
            "Awaitable[bytes | None]",
            self._redis.hget(keys.commits(self._group), str(partition)),
        )
        return int(held or 0)

    async def _behind(self, partition: int) -> str | None:
        at = await self._committed(partition)
        start = f"{position.time_ms(at)}-{position.sequence(at)}"
        waiting = cast("Any", await self._redis.xrange(keys.stream(partition), min=start, count=1))
        if not waiting:
            return None
        seconds, micros = await self._redis.time()
        oldest = position.time_ms(position.of_entry(waiting[0][0])) / 1000
        behind = seconds + micros / 1e6 - oldest
        if behind <= BEHIND_SECONDS:
            return None
        return f"the aggregator is {behind:.0f} s behind"

    async def _full(self) -> str | None:
        memory = await room(self._redis)
        return str(memory) if memory.share > FULL else None
