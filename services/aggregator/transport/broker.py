"""What the driver asks of a log: read, commit, publish what is dead, lease partitions."""

from abc import ABC, abstractmethod
from collections.abc import Collection, Mapping, Sequence

import msgspec


class Record(msgspec.Struct, frozen=True, gc=False):
    """One entry of the log.

    position   its place, growing within a partition, with gaps
    time_ms    its log time, milliseconds since 1970
    headers    everything that stands beside the payload
    """

    partition: int
    position: int
    time_ms: int
    value: bytes
    headers: dict[str, bytes]


class Progress(msgspec.Struct, frozen=True):
    """How far a partition is behind.

    entries    about how many entries stand from the committed position on
    oldest_ms  log time of the first of them; None when there is none
    now_ms     the log's own clock
    """

    entries: int
    oldest_ms: int | None
    now_ms: int


def earlier(first: int, position: int) -> list[int]:
    """Return up to where an early trim drops entries that stand before a position.

    Of the time from the first entry on a quarter; where that drops nothing, half, and then all.
    """
    return [first + (position - first) // share for share in (4, 2, 1)]


class Broker(ABC):
    """A log of several partitions, with the committed positions and leases of one group.

    Every method may raise the errors named in `unavailable` when the log is out of reach.
    """

    unavailable: tuple[type[Exception], ...] = (ConnectionError,)

    @abstractmethod
    async def read(
        self, positions: Mapping[int, int], wait: float, limit: int
    ) -> dict[int, Sequence[Record]]:
        """Return entries at or after the given position of each partition, in order.

        Waits up to `wait` seconds for the first one; at most `limit` entries a partition.
        """

    @abstractmethod
    async def committed(self, partitions: Collection[int]) -> dict[int, int]:
        """Return the next position to read of the partitions that have one."""

    @abstractmethod
    async def commit(self, positions: Mapping[int, int]) -> None:
        """Record the next position to read. A position that is recorded never goes back."""

    @abstractmethod
    def rewind(self, position: int, ms: int) -> int:
        """Return the position that lies this many milliseconds of log time before another."""

    @abstractmethod
    async def trim(
        self, position: int, partition: int, retention_ms: int, *, early: bool = False
    ) -> None:
        """Drop entries before a position that are also older than the retention.

        `early` drops about a quarter of those before the position, however young they are.
        """

    @abstractmethod
    async def shortage(self) -> str | None:
        """Return why the log has to become shorter than its retention; None when it need not."""

    @abstractmethod
    async def progress(self, partitions: Mapping[int, int]) -> dict[int, Progress]:
        """Tell how far each partition is behind, given its committed position."""

    @abstractmethod
    async def end(self, partition: int) -> int:
        """Return the position after the last entry; 0 for an empty log."""

    @abstractmethod
    async def append(self, topic: str, value: bytes, headers: Mapping[str, bytes]) -> None:
        """Append an entry to a topic of one stream; only the newest 10,000 are kept for sure."""

    @abstractmethod
    async def workers(self, worker: str, ttl: float) -> list[str]:
        """Record that a worker is alive; return all that were within `ttl` seconds, sorted."""

    @abstractmethod
    async def owners(self, partitions: Collection[int]) -> dict[int, str]:
        """Return the worker that holds the lease of each partition that has one."""

    @abstractmethod
    async def renew(self, worker: str, partitions: Collection[int], ttl: float) -> set[int]:
        """Prolong leases; return those that this worker still holds."""

    @abstractmethod
    async def acquire(self, worker: str, partition: int, ttl: float) -> bool:
        """Take a free lease; tell whether it is now this worker's."""

    @abstractmethod
    async def release(self, worker: str, partitions: Collection[int], *, leave: bool) -> None:
        """Give leases back; with `leave`, also stop being counted as alive."""

    @abstractmethod
    async def close(self) -> None:
        """Close every connection."""
