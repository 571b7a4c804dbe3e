"""The log as everybody outside its drivers sees it.

A position is an integer that grows within a partition, with gaps. Outside a driver positions are
compared, never decoded: `LogPositions` turns times into positions and back. Partitions have
nothing else in common; one position may stand in two of them.

Every coroutine here raises LogError when the log is out of reach or refuses.
"""

from abc import ABC, abstractmethod
from collections.abc import Collection, Mapping, Sequence
from contextlib import AbstractAsyncContextManager
from enum import IntEnum
from hashlib import sha256
from typing import ClassVar

import msgspec

from services.log.entries import LogEntry

REMEMBERED_SECONDS = 7 * 24 * 3600
"""How long the log knows a producer's last sequence after its last append, at least."""


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


class Extent(msgspec.Struct, frozen=True):
    """How far one partition reaches, and how far it was read.

    first      position of its first entry; None when it is empty
    end        position after its last entry; 0 when it is empty
    entries    how many there are
    trimmed    whether there were older ones
    committed  next position to read; None when nothing was read
    """

    partition: int
    first: int | None
    end: int
    entries: int
    trimmed: bool
    committed: int | None


class ImportOutcome(IntEnum):
    """What became of a chunk of an import."""

    APPENDED = 1
    REPEATED = 0
    """The log has been given these lines before."""
    LOST = -1
    """The log knows nothing of this import."""
    OUT_OF_ORDER = -2
    """What comes before it was not given, or more than that."""


class ImportProgress(msgspec.Struct, frozen=True):
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


class ServerCheck(msgspec.Struct, frozen=True):
    """One property of the server that decides whether the log is safe on it.

    ok      None when it could not be checked
    value   what is, in words
    advice  what to do about it
    """

    name: str
    ok: bool | None
    value: str
    advice: str = ""


def import_producer(site: str, digest: str) -> str:
    """Return the producer id of a file's import into a site."""
    return f"import-{sha256(f'{site} {digest}'.encode()).hexdigest()[:32]}"


class LogProducer(ABC):
    """Appends entries, each once however often it is given. One call at a time."""

    @abstractmethod
    async def open(self, producer_id: str) -> dict[int, int]:
        """Take up a producer's id, for entries that may have been given before.

        Returns the producer's last sequence of each partition in which the log remembers one,
        with every append decided that was in doubt. From now on the log remembers what this
        object appends for that id, until `forget`, and not for REMEMBERED_SECONDS only. An id that
        begins anew needs no `open`.
        """

    @abstractmethod
    async def append(self, entries: Sequence[LogEntry]) -> None:
        """Append entries; all are in the log when this returns.

        Those of one producer and partition are appended in the order given, none after one that
        fails, and none that the log has. When this raises, or is cancelled, nobody knows which
        are in the log: giving the same entries again is safe, after `abandon`.
        """

    @abstractmethod
    async def abandon(self) -> None:
        """Give up what is under way and its connection; the next call makes a new one."""

    @abstractmethod
    async def forget(self) -> None:
        """Let the log forget the ids that were opened, in time: nothing is given again."""

    @abstractmethod
    async def close(self) -> None:
        """Close every connection."""


class LogReader(ABC):
    """Plain reads, which nobody else notices."""

    @abstractmethod
    async def read(
        self, positions: Mapping[int, int], *, limit: int, wait: float = 0.0
    ) -> dict[int, Sequence[Record]]:
        """Return entries at or after the given position of each partition, in order.

        At most `limit` a partition. Waits up to `wait` seconds for the first one; partitions
        without an entry are left out.
        """

    @abstractmethod
    async def ends(self, partitions: Collection[int] | None = None) -> dict[int, int]:
        """Return the position after the last entry of each partition; 0 for an empty one."""

    @abstractmethod
    async def now(self) -> int:
        """Return the log's own time in ms since 1970."""


class LogPositions(ABC):
    """What one group of readers has read, and what positions mean."""

    @abstractmethod
    async def committed(self, partitions: Collection[int] | None = None) -> dict[int, int]:
        """Return the next position to read of the partitions that were read."""

    @abstractmethod
    async def set_committed(self, positions: Mapping[int, int | None]) -> None:
        """Set what is committed, also back; None is the very beginning. `hold` them first."""

    @abstractmethod
    async def written(self) -> dict[int, int]:
        """Return the newest position of each partition that was noted with `note_written`."""

    @abstractmethod
    async def note_written(self, positions: Mapping[int, int]) -> None:
        """Note up to which position a store must hold the counters; it never goes back."""

    @abstractmethod
    async def forget_written(self) -> None:
        """Forget what was noted: the store was put back to an earlier state."""

    @abstractmethod
    def hold(self) -> AbstractAsyncContextManager[None]:
        """Own every partition meanwhile, so that no aggregator folds.

        Raises LogInUseError when one does already.
        """

    @abstractmethod
    async def owners(self) -> dict[int, str]:
        """Return the worker that owns each partition that has an owner."""

    @abstractmethod
    async def disown(self) -> None:
        """Forget all owners at once: the caller knows that none of them lives."""

    @abstractmethod
    async def extents(self, partitions: Collection[int] | None = None) -> list[Extent]:
        """Tell of each partition how far it reaches and how far it was read."""

    @abstractmethod
    async def at_time(self, partition: int, ms: int) -> int:
        """Return a position with all entries of that log time or later at or after it.

        Entries before that time are before it.
        """

    @abstractmethod
    async def time_of(self, partition: int, position: int) -> int:
        """Return the log time of the entry at a position, in ms.

        Where none is, that of the last one before it, as far as the log can tell.
        """

    @abstractmethod
    async def trim(self, partition: int, before: int) -> bool:
        """Drop entries before a position, about: the log may keep some of them.

        Returns whether any were dropped.
        """

    async def rewound(self, partition: int, position: int, ms: int) -> int:
        """Return the position that lies this many ms of log time before what was read."""
        if position <= 0 or ms <= 0:
            return max(0, position)
        read_at = await self.time_of(partition, position - 1)
        return min(position, await self.at_time(partition, max(0, read_at - ms)))


class ImportLog(ABC):
    """The log's side of an import: chunks of an access log, each appended once, in order."""

    @abstractmethod
    async def begin(self, site: str, digest: str) -> ImportProgress:
        """Make an import known, or find it as it is."""

    @abstractmethod
    async def find(self, site: str, digest: str) -> ImportProgress | None:
        """Return how far an import is; None when the log knows nothing of it."""

    @abstractmethod
    async def append(
        self, site: str, digest: str, after: int, upto: int, hits: int, payload: bytes
    ) -> tuple[ImportOutcome, int]:
        """Append the pages of the lines after one, up to another; return what came of it.

        The second value is the line up to which the log has all pages now.
        """

    @abstractmethod
    async def counted(self, site: str, progress: ImportProgress) -> bool:
        """Tell whether everything an import has appended is in the store."""

    @abstractmethod
    async def finish(self, site: str, digest: str) -> None:
        """Forget the salt, and after a while the rest: the store knows that it is done.

        Not at once: a store that is put back to yesterday's backup does not know it.
        """

    @abstractmethod
    async def busy(self, site: str) -> str | None:
        """Return why nothing more should be appended right now; None when it may."""


class Log(ABC):
    """One log, not connected before it is used; gives out what works on it, and closes it.

    A driver is a module of `services/log/drivers` with a subclass of this; see `open_log`.

    schemes     of the URLs that the driver is for
    partitions  how many partitions the log has
    group       whose committed positions and owners are meant
    """

    schemes: ClassVar[tuple[str, ...]]

    def __init__(self, url: str, *, partitions: int, group: str, answer_seconds: float) -> None:
        self.url = url
        self.partitions = partitions
        self.group = group
        self.answer_seconds = answer_seconds

    reader: LogReader
    positions: LogPositions
    imports: ImportLog

    @abstractmethod
    def producer(self, answer_seconds: float | None = None) -> LogProducer:
        """Return a producer with a connection of its own; whoever asks for it closes it.

        With `answer_seconds`, a call fails after so long, and repeats itself once where the
        connection was dead. Without, it does neither: the caller limits and repeats.
        """

    @abstractmethod
    async def create(self) -> None:
        """Note how many partitions the log has, where nobody did before."""

    @abstractmethod
    async def created_with(self) -> int | None:
        """Return how many partitions the log was created with; None when there is none yet."""

    @abstractmethod
    async def check(self, *, unsafe_eviction: bool) -> None:
        """Create the log; raise LogRefusedError when this server must not hold it.

        That is, when it has another number of partitions, or may throw away what it was given
        (unless `unsafe_eviction`).
        """

    @abstractmethod
    async def identity(self) -> str | None:
        """Return which log this is; None until an aggregator has said it."""

    @abstractmethod
    async def identify(self, identity: str) -> None:
        """Say which log this is; ingest adopts the spools of this log only."""

    @abstractmethod
    async def examine(self) -> list[ServerCheck]:
        """Look at the server; the first check says which it is. Raises LogError if it is away."""

    @abstractmethod
    async def dead_entries(self) -> int:
        """Return how many entries could not be decoded."""

    @abstractmethod
    async def close(self) -> None:
        """Close every connection but those of producers."""
