"""Follows the log as it grows: plain reads, which nobody else notices."""

import asyncio
from collections.abc import AsyncGenerator, Collection, Mapping

import msgspec

from services.log import batch
from services.log.batch import Batch, BatchError
from services.log.interface import Log

MAX_TAILS = 10
WAIT_SECONDS = 1.0
"""A read waits for so long; shorter than what a connection may say nothing."""
ENTRIES = 50
"""Entries of each partition that one read takes."""


class TailRead(msgspec.Struct, frozen=True):
    """The batches of one read, and the position after it, by partition."""

    batches: list[Batch]
    next: dict[int, int]


class Tails:
    """Everybody who follows the log through this process."""

    def __init__(self, log: Log, limit: int = MAX_TAILS) -> None:
        self._log = log
        self._limit = limit
        self._count = 0
        self._closed = asyncio.Event()
        self.partitions = log.partitions

    def close(self) -> None:
        """Let everybody come to an end."""
        self._closed.set()

    @property
    def full(self) -> bool:
        """Whether as many follow as may."""
        return self._count >= self._limit

    async def now(self) -> int:
        """Return the log's time, in ms. Raises LogError."""
        return await self._log.reader.now()

    async def read(
        self, partitions: Collection[int], since_ms: int, after: Mapping[int, int]
    ) -> AsyncGenerator[TailRead, None]:
        """Read entries as they come, with an empty TailRead now and then when there are none.

        From `after`, positions by partition, or else from a time on. What is no batch is left
        out. Ends when this is closed. Raises LogError.
        """
        self._count += 1
        try:
            async for read in self._read(partitions, since_ms, after):
                yield read
        finally:
            self._count -= 1

    async def _read(
        self, partitions: Collection[int], since_ms: int, after: Mapping[int, int]
    ) -> AsyncGenerator[TailRead, None]:
        log = self._log
        at = {
            number: after[number]
            if number in after
            else await log.positions.at_time(number, max(0, since_ms))
            for number in partitions
        }
        while not self._closed.is_set():
            batches = []
            records = await log.reader.read(at, limit=ENTRIES, wait=WAIT_SECONDS)
            for number, entries in records.items():
                at[number] = entries[-1].position + 1
                for record in entries:
                    try:
                        batches.append(batch.decode(record.value))
                    except BatchError:
                        # The aggregator tells of it.
                        continue
            yield TailRead(batches, dict(at))
