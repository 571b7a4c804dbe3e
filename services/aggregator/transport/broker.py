"""What the driver needs of a log: read, commit, dead letters, leases."""

from abc import ABC, abstractmethod
from collections.abc import Collection, Mapping, Sequence

import msgspec

from services.log.errors import LogError
from services.log.interface import LogPositions, LogReader, Record


class Progress(msgspec.Struct, frozen=True):
    """The consumer lag of a partition.

    entries    about how many entries there are from the committed position on
    oldest_ms  log time of the first of them; None when there is none
    now_ms     the log's own clock
    """

    entries: int
    oldest_ms: int | None
    now_ms: int


def earlier(first: int, position: int) -> list[int]:
    """Return the positions that an early trim tries in turn, up to `position`.

    A quarter of the entries in between; if that drops nothing, half, and then all.
    """
    return [first + (position - first) // share for share in (4, 2, 1)]


class Broker(ABC):
    """A log of several partitions, with the committed positions and leases of one group.

    Every coroutine may raise the errors named in `unavailable` when the log is out of reach.
    """

    unavailable: tuple[type[Exception], ...] = (LogError,)

    def __init__(self, reader: LogReader, positions: LogPositions) -> None:
        self._reader = reader
        self._positions = positions

    async def read(
        self, positions: Mapping[int, int], wait: float, limit: int
    ) -> dict[int, Sequence[Record]]:
        """Return entries at or after the given position of each partition, in order.

        Waits up to `wait` seconds for the first one; at most `limit` entries a partition.
        """
        return await self._reader.read(positions, limit=limit, wait=wait)

    async def committed(self, partitions: Collection[int]) -> dict[int, int]:
        """Return the next position to read of the partitions that have one."""
        return await self._positions.committed(partitions)

    @abstractmethod
    async def commit(self, positions: Mapping[int, int]) -> set[int]:
        """Commit the next position to read. A committed position never goes back.

        Return the partitions that are committed: those of others may not be.
        """

    async def rewound(self, partition: int, position: int, ms: int) -> int:
        """Return the position that lies this many ms of log time before what was read."""
        return await self._positions.rewound(partition, position, ms)

    async def holds(self, partition: int, position: int) -> bool:
        """Tell whether an entry, and all that followed it, is still in the log."""
        (extent,) = await self._positions.extents([partition])
        return extent.first is not None and extent.first <= position < extent.end

    async def trim(
        self, position: int, partition: int, retention_ms: int, *, early: bool = False
    ) -> None:
        """Drop entries before a position that are also older than the retention.

        `early` drops about a quarter of those before the position, however young they are.
        """
        now = await self._reader.now()
        oldest = min(position, await self._positions.at_time(partition, now - retention_ms))
        ends = [oldest]
        if early:
            (extent,) = await self._positions.extents([partition])
            if extent.first is not None:
                ends = [max(oldest, end) for end in earlier(extent.first, position)]
        for end in ends:
            if await self._positions.trim(partition, end):
                break

    @abstractmethod
    async def shortage(self) -> str | None:
        """Return why the log has to be trimmed below its retention; None when it need not be."""

    async def progress(self, partitions: Mapping[int, int]) -> dict[int, Progress]:
        """Return the consumer lag of each partition, given its committed position."""
        now = await self._reader.now()
        result = {}
        for number, at in partitions.items():
            waiting = await self._reader.read({number: at}, limit=1)
            if number not in waiting:
                result[number] = Progress(0, None, now)
                continue
            (extent,) = await self._positions.extents([number])
            first = extent.first or 0
            # A range cannot be counted without reading it; its share of the span is close enough.
            share = 1.0 if at <= first else (extent.end - at) / (extent.end - first)
            entries = max(1, round(extent.entries * share))
            result[number] = Progress(entries, waiting[number][0].time_ms, now)
        return result

    async def end(self, partition: int) -> int:
        """Return the position after the last entry; 0 for an empty log."""
        return (await self._reader.ends([partition]))[partition]

    @abstractmethod
    async def append(self, topic: str, value: bytes, headers: Mapping[str, bytes]) -> None:
        """Append an entry to a topic of one stream, which keeps at least the newest 10,000."""

    @abstractmethod
    async def workers(self, worker: str, ttl: float) -> list[str]:
        """Record that a worker is alive; return all that were within `ttl` seconds, sorted."""

    @abstractmethod
    async def owners(self, partitions: Collection[int]) -> dict[int, str]:
        """Return the worker that holds the lease of each partition that has one."""

    @abstractmethod
    async def renew(self, worker: str, partitions: Collection[int], ttl: float) -> set[int]:
        """Renew leases; return those that this worker still holds."""

    @abstractmethod
    async def acquire(self, worker: str, partition: int, ttl: float) -> bool:
        """Take a free lease; tell whether it is now this worker's."""

    @abstractmethod
    async def release(self, worker: str, partitions: Collection[int], *, leave: bool) -> None:
        """Release leases; with `leave`, also stop being counted as alive."""

    @abstractmethod
    async def close(self) -> None:
        """Close every connection."""
