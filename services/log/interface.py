"""The log as everything outside its drivers sees it.

A position is an integer that grows within a partition, with gaps. Outside a driver positions are
compared, never decoded: `LogPositions` turns times into positions and back. Positions of different
partitions are unrelated; two partitions may use the same one.

Every coroutine here raises LogError when the log is out of reach or refuses.
"""

from abc import ABC, abstractmethod
from collections.abc import Collection, Mapping, Sequence
from contextlib import AbstractAsyncContextManager
from typing import ClassVar

import msgspec

from services.log.admin import LogAdmin
from services.log.entries import LogEntry
from services.log.import_log import ImportLog
from services.log.server_check import ServerCheck
from services.log.server_memory import LogMemory
from services.log.texts import LogTexts

REMEMBERED_SECONDS = 7 * 24 * 3600
"""How long the log remembers a producer's last sequence after its last append, at least."""


class Record(msgspec.Struct, frozen=True, gc=False):
    """One entry of the log.

    position   its place, growing within a partition, with gaps
    time_ms    its log time, milliseconds since 1970
    headers    the fields beside the payload
    """

    partition: int
    position: int
    time_ms: int
    value: bytes
    headers: dict[str, bytes]


class Extent(msgspec.Struct, frozen=True):
    """How far one partition reaches, and how far it was read.

    first      position of its first entry; None when it is empty
    end        position after its last entry; 0 when it is empty
    entries    how many there are; a log may count transaction end markers, too
    trimmed    whether there were older ones
    committed  next position to read; None when nothing was read
    """

    partition: int
    first: int | None
    end: int
    entries: int
    trimmed: bool
    committed: int | None


class LogProducer(ABC):
    """Appends entries idempotently, so that a retry appends nothing twice. One call at a time."""

    @abstractmethod
    async def open(self, producer_id: str) -> dict[int, int]:
        """Resume a producer's id, for entries that may have been appended before.

        Returns the producer's last sequence in each partition where the log remembers one; every
        append that was in doubt is decided by then. From now on the log remembers the sequences of
        that id until `forget`, not only for REMEMBERED_SECONDS. A new id needs no `open`.
        """

    @abstractmethod
    async def append(self, entries: Sequence[LogEntry]) -> None:
        """Append entries; all are in the log when this returns.

        Those of one producer and partition are appended in the order given, none after one that
        fails, and none that the log already has. When this raises, or is cancelled, it is unknown
        which are in the log: call `abandon`, then append the same entries again.
        """

    @abstractmethod
    async def abandon(self) -> None:
        """Drop the call under way and its connection; the next call opens a new one."""

    @abstractmethod
    async def forget(self) -> None:
        """Let the ids that were opened expire: their entries will not be appended again."""

    @abstractmethod
    async def close(self) -> None:
        """Close every connection."""


READ_BYTES = 4 << 20
"""Limit of one read: a flood of entries with long paths could otherwise fill the memory."""


class LogReader(ABC):
    """Plain reads, without effect on other readers."""

    @abstractmethod
    async def read(
        self, positions: Mapping[int, int], *, limit: int, wait: float = 0.0
    ) -> dict[int, Sequence[Record]]:
        """Return entries at or after the given position of each partition, in order.

        At most `limit` a partition, and about READ_BYTES in all, but at least the next entry of
        each partition that has one, unless it had to wait. Waits up to `wait` seconds for the first
        one; partitions without an entry are left out.
        """

    @abstractmethod
    async def ends(self, partitions: Collection[int] | None = None) -> dict[int, int]:
        """Return the position after the last entry of each partition; 0 for an empty one."""

    @abstractmethod
    async def now(self) -> int:
        """Return the log's own time in ms since 1970."""


class LogPositions(ABC):
    """How far one group of readers has read, and what positions mean."""

    @abstractmethod
    async def committed(self, partitions: Collection[int] | None = None) -> dict[int, int]:
        """Return the next position to read of each partition that has one."""

    @abstractmethod
    async def set_committed(self, positions: Mapping[int, int | None]) -> None:
        """Set committed positions, backwards too; None is the very beginning. `hold` them first."""

    @abstractmethod
    async def written(self, shards: int | None = 1) -> dict[int, int]:
        """Return the newest position of each partition that was recorded with `note_written`.

        shards  of the store, see written_number.py; None for all that have a record
        """

    @abstractmethod
    async def note_written(self, positions: Mapping[int, int]) -> None:
        """Record up to which position a store must hold the counters; it never decreases.

        By partition, or by `written_number` where the store has shards.
        """

    @abstractmethod
    async def forget_written(self, shards: int | None = 1) -> None:
        """Forget these records: the store was restored to an earlier state; see `written`."""

    @abstractmethod
    def hold(self) -> AbstractAsyncContextManager[None]:
        """Own every partition in the meantime, so that no aggregator folds.

        Raises LogInUseError when one is running.
        """

    @abstractmethod
    async def owners(self) -> dict[int, str]:
        """Return the worker that owns each partition that has an owner."""

    @abstractmethod
    async def disown(self) -> None:
        """Release every lease at once; the caller must know that no owner is alive."""

    @abstractmethod
    async def extents(self, partitions: Collection[int] | None = None) -> list[Extent]:
        """Return how far each partition reaches and how far it was read."""

    @abstractmethod
    async def at_time(self, partition: int, ms: int) -> int:
        """Return a position with all entries of that log time or later at or after it.

        Entries before that time are before it.
        """

    @abstractmethod
    async def time_of(self, partition: int, position: int) -> int:
        """Return the log time of the entry at a position, in ms.

        If there is none, that of the last one before it, as far as the log can tell.
        """

    @abstractmethod
    async def trim(self, partition: int, before: int) -> bool:
        """Drop entries before a position, approximately: the log may keep some of them.

        Returns whether any were dropped.
        """

    async def rewound(self, partition: int, position: int, ms: int) -> int:
        """Return the position that lies this many ms of log time before what was read."""
        if position <= 0 or ms <= 0:
            return max(0, position)
        read_at = await self.time_of(partition, position - 1)
        return min(position, await self.at_time(partition, max(0, read_at - ms)))


class Log(ABC):
    """One log, connected on first use, with its producers, reader, positions and imports.

    A driver is a module of `services/log/drivers` with a subclass of this; see `open_log`.

    server_name  what the server is called
    texts        what people read about logs of the driver
    tells_time   whether the server tells its time; if not, `reader.now()` is this machine's
    partitions   how many partitions the log has
    group        the group of readers whose committed positions and owners these are
    """

    server_name: ClassVar[str]
    texts: ClassVar[LogTexts]
    tells_time: ClassVar[bool] = True

    def __init__(self, url: str, *, partitions: int, group: str, answer_seconds: float) -> None:
        self.url = url
        self.partitions = partitions
        self.group = group
        self.answer_seconds = answer_seconds

    reader: LogReader
    positions: LogPositions
    imports: ImportLog
    admin: LogAdmin

    def require_replicas(self, number: int) -> None:  # noqa: B027 - most have nothing to do
        """From now on, count an entry as in the log only once so many replicas hold it.

        Does nothing for a log that replicates synchronously by itself.
        """

    @abstractmethod
    def producer(self, answer_seconds: float | None = None) -> LogProducer:
        """Return a producer with a connection of its own, which the caller closes.

        With `answer_seconds`, a call times out, and is retried once if the connection was dead.
        Without it, timeouts and retries are up to the caller.
        """

    @abstractmethod
    async def create(self) -> None:
        """Record how many partitions the log has, unless already recorded."""

    @abstractmethod
    async def created_with(self) -> int | None:
        """Return how many partitions the log was created with; None when it does not exist yet."""

    @abstractmethod
    async def check(self, *, unsafe_eviction: bool) -> None:
        """Create the log; raise LogRefusedError when this server must not hold it.

        That is, when it has another number of partitions, or may evict entries (unless
        `unsafe_eviction`).
        """

    @abstractmethod
    async def identity(self) -> str | None:
        """Return the log's identity; None until an aggregator has set it."""

    @abstractmethod
    async def identify(self, identity: str) -> None:
        """Set the log's identity; ingest adopts only spools of this log."""

    @abstractmethod
    async def examine(self) -> list[ServerCheck]:
        """Check the server; the first check names it. Raises LogError when it is unreachable."""

    @abstractmethod
    async def memory(self) -> LogMemory:
        """Return the memory that the server uses, and its limit."""

    @abstractmethod
    async def dead_entries(self) -> int:
        """Return how many entries could not be decoded."""

    @abstractmethod
    async def close(self) -> None:
        """Close every connection except those of producers."""
