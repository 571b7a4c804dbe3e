"""Follows the log as it grows, with plain reads that have no effect on other readers."""

import asyncio
from collections import Counter
from collections.abc import AsyncGenerator, Collection, Mapping

import msgspec

from services.log import admin, batch
from services.log.batch import Batch, BatchError
from services.log.interface import Log

MAX_TAILS = 10
MAX_TAILS_OF_ONE = 2
WAIT_SECONDS = 1.0
"""How long a read waits for entries; shorter than the idle timeout of a connection."""
ENTRIES = 50
"""Entries that one read takes from each partition."""


class TailRead(msgspec.Struct, frozen=True):
    """The batches of one read, and the position after it, by partition."""

    batches: list[Batch]
    next: dict[int, int]


class Tails:
    """The followers of the log in this process."""

    def __init__(self, log: Log, limit: int = MAX_TAILS) -> None:
        self._log = log
        self._limit = limit
        self._counts: Counter[str] = Counter()
        self._closed = asyncio.Event()
        self.partitions = log.partitions

    def close(self) -> None:
        """Stop every follower."""
        self._closed.set()

    def refusal(self, who: str) -> str | None:
        """Return why somebody may not follow the log now, None if they may."""
        if self._counts.total() >= self._limit:
            return "as many follow the log already as may"
        if self._counts[who] >= MAX_TAILS_OF_ONE:
            return f"{who} follows the log {MAX_TAILS_OF_ONE} times already"
        return None

    def enter(self, who: str) -> None:
        """Count one more follower."""
        self._counts[who] += 1

    def leave(self, who: str) -> None:
        """Count one follower less."""
        self._counts[who] -= 1
        self._counts += Counter()  # drops those without followers

    async def now(self) -> int:
        """Return the log's time, in ms. Raises LogError."""
        return await self._log.reader.now()

    async def read(
        self, partitions: Collection[int], since_ms: int, after: Mapping[int, int]
    ) -> AsyncGenerator[TailRead, None]:
        """Yield entries as they arrive, and an empty TailRead after a second without any.

        Starts at `after`, positions by partition, or else at a time. Entries that are not batches
        are skipped. Ends when this is closed. Raises LogError.
        """
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
                    if admin.PLACE in record.headers:
                        # A copy of what already passed in the previous log.
                        continue
                    try:
                        batches.append(batch.decode(record.value))
                    except BatchError:
                        # The aggregator reports it.
                        continue
            yield TailRead(batches, dict(at))
