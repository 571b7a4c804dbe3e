"""Follows the log as it grows: plain reads, which nobody else notices."""

import asyncio
from collections.abc import AsyncGenerator, Collection, Mapping
from typing import Any, cast

import msgspec
from redis.asyncio import Redis

from services.log import batch, keys
from services.log.batch import Batch, BatchError
from services.model import position

MAX_FOLLOWERS = 10
WAIT_MS = 1000
"""A read waits for so long; shorter than what a connection may say nothing."""
ENTRIES = 50
"""Entries of each partition that one read takes."""


class Read(msgspec.Struct, frozen=True):
    """What one read has found, and the position after it, by partition."""

    batches: list[Batch]
    next: dict[int, int]


class Followers:
    """Everybody who follows the log through this process."""

    def __init__(self, redis: Redis, partitions: int, limit: int = MAX_FOLLOWERS) -> None:
        self._redis = redis
        self._limit = limit
        self._count = 0
        self._closed = asyncio.Event()
        self.partitions = partitions

    def close(self) -> None:
        """Let everybody come to an end."""
        self._closed.set()

    @property
    def full(self) -> bool:
        """Whether as many follow as may."""
        return self._count >= self._limit

    async def now(self) -> int:
        """Return the log's time, in ms. Raises RedisError."""
        seconds, micros = await self._redis.time()
        return int(seconds) * 1000 + int(micros) // 1000

    async def read(
        self, partitions: Collection[int], since_ms: int, after: Mapping[int, int]
    ) -> AsyncGenerator[Read, None]:
        """Read entries as they come, with an empty Read now and then when there are none.

        From `after`, positions by partition, or else from a time on. What is no batch is left
        out. Ends when this is closed. Raises RedisError.
        """
        self._count += 1
        try:
            async for read in self._read(partitions, since_ms, after):
                yield read
        finally:
            self._count -= 1

    async def _read(
        self, partitions: Collection[int], since_ms: int, after: Mapping[int, int]
    ) -> AsyncGenerator[Read, None]:
        reached = {number: after.get(number, max(0, since_ms) << 20) for number in partitions}
        streams = {keys.stream(number).encode(): number for number in partitions}
        while not self._closed.is_set():
            asked = {keys.stream(number): _before(at) for number, at in reached.items()}
            answer: Any = await self._redis.xread(cast("Any", asked), count=ENTRIES, block=WAIT_MS)
            batches = []
            for stream, entries in _by_stream(answer):
                for entry_id, fields in entries:
                    reached[streams[stream]] = position.of_entry(entry_id) + 1
                    try:
                        batches.append(batch.decode(fields.get(b"b", b"")))
                    except BatchError:
                        # The aggregator tells of it.
                        continue
            yield Read(batches, dict(reached))


def _before(at: int) -> str:
    last = max(0, at - 1)
    return f"{position.time_ms(last)}-{position.sequence(last)}"


def _by_stream(answer: Any) -> list[tuple[bytes, list[tuple[bytes, dict[bytes, bytes]]]]]:
    """Return the entries of each stream; RESP3 wraps them once more."""
    if isinstance(answer, dict):
        return [
            (name, [entry for part in parts for entry in part]) for name, parts in answer.items()
        ]
    return list(answer or ())
