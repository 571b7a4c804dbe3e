"""Follows the log as it grows, with plain reads that have no effect on other readers."""

import asyncio
from collections.abc import AsyncGenerator, Collection, Mapping

import msgspec

from services.log import batch
from services.log.batch import Batch, BatchError
from services.log.interface import Log

MAX_TAILS = 10
WAIT_SECONDS = 1.0
"""How long a read waits for entries; shorter than the idle timeout of a connection."""
ENTRIES = 50
"""Entries that one read takes of each partition."""


class TailRead(msgspec.Struct, frozen=True):
    """The batches of one read, and the position after it, by partition."""

    batches: list[Batch]
    next: dict[int, int]


class Tails:
    """The followers of the log in this process."""

    def __init__(self, log: Log, limit: int = MAX_TAILS) -> None:
        self._log = log
        self._limit = limit
        self._count = 0
        self._closed = asyncio.Event()
        self.partitions = log.partitions

    def close(self) -> None:
        """End every follower."""
        self._closed.set()

    @property
    def full(self) -> bool:
        """Whether the limit of followers is reached."""
        return self._count >= self._limit

    async def now(self) -> int:
        """Return the log's time, in ms. Raises LogError."""
        return await self._log.reader.now()

    async def read(
        self, partitions: Collection[int], since_ms: int, after: Mapping[int, int]
    ) -> AsyncGenerator[TailRead, None]:
        """Yield entries as they arrive, and an empty TailRead after a second without any.

        Starts at `after`, positions by partition, or else at a time. Entries that are no batch are
        left out. Ends when this is closed. Raises LogError.
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
                        # The aggregator reports it.
                        continue
            yield TailRead(batches, dict(at))
