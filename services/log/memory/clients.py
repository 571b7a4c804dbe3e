"""The interfaces of the log on a MemoryServer."""

import contextlib
import secrets
from bisect import bisect_left, bisect_right
from collections.abc import AsyncIterator, Collection, Mapping, Sequence
from itertools import accumulate

from services.log.entries import LogEntry
from services.log.errors import HOLD_SECONDS, HOLDER, LogInUseError
from services.log.import_log import ImportLog, ImportOutcome, ImportProgress
from services.log.import_names import import_producer
from services.log.interface import READ_BYTES, Extent, LogPositions, LogProducer, LogReader, Record
from services.log.memory.server import GAP, MemoryServer
from services.model.partition import partition_of

HOLD_MS = HOLD_SECONDS * 1000


class MemoryProducer(LogProducer):
    """See LogProducer; the server never forgets a sequence."""

    def __init__(self, server: MemoryServer, partitions: int) -> None:
        self._server = server
        self._partitions = partitions

    async def open(self, producer_id: str) -> dict[int, int]:
        """See LogProducer."""
        self._server.check()
        sequences = self._server.sequences
        return {
            partition: sequences[partition, producer_id]
            for partition in range(self._partitions)
            if (partition, producer_id) in sequences
        }

    async def append(self, entries: Sequence[LogEntry]) -> None:
        """See LogProducer."""
        self._server.check()
        for entry in entries:
            key = (entry.partition, entry.producer)
            if entry.sequence > self._server.sequences.get(key, 0):
                self._server.append(entry.partition, entry.payload, _headers(entry))
                self._server.sequences[key] = entry.sequence

    async def abandon(self) -> None:
        """See LogProducer."""

    async def forget(self) -> None:
        """See LogProducer."""
        self._server.check()

    async def close(self) -> None:
        """See LogProducer."""


def _headers(entry: LogEntry) -> dict[str, bytes]:
    return {
        "v": str(entry.version).encode(),
        "n": str(entry.hits).encode(),
        "p": entry.producer.encode(),
        "s": str(entry.sequence).encode(),
    }


def _fitting(records: Sequence[Record], most: int) -> int:
    """Return how many records, the first in any case, have at most so many bytes."""
    sizes = accumulate(len(record.value) for record in records)
    return max(1, sum(size <= most for size in sizes))


class MemoryReader(LogReader):
    """See LogReader."""

    def __init__(self, server: MemoryServer, partitions: int) -> None:
        self._server = server
        self._partitions = partitions

    async def read(
        self, positions: Mapping[int, int], *, limit: int, wait: float = 0.0
    ) -> dict[int, Sequence[Record]]:
        """See LogReader."""
        records = self._read(positions, limit)
        if records or wait <= 0:
            return records
        await self._server.changed(wait)
        return self._read(positions, limit)

    def _read(self, positions: Mapping[int, int], limit: int) -> dict[int, Sequence[Record]]:
        server = self._server
        server.check()
        result: dict[int, Sequence[Record]] = {}
        for number, at in positions.items():
            start = server.index(number, at)
            if records := server.records(number)[start : start + limit]:
                result[number] = records[: _fitting(records, READ_BYTES // len(positions))]
        return result

    async def ends(self, partitions: Collection[int] | None = None) -> dict[int, int]:
        """See LogReader."""
        self._server.check()
        numbers = range(self._partitions) if partitions is None else partitions
        return {number: _end(self._server.records(number)) for number in numbers}

    async def now(self) -> int:
        """See LogReader."""
        self._server.check()
        return self._server.clock()


def _end(records: Sequence[Record]) -> int:
    return records[-1].position + 1 if records else 0


class MemoryPositions(LogPositions):
    """See LogPositions."""

    def __init__(self, server: MemoryServer, group: str, partitions: int) -> None:
        self._server = server
        self._group = group
        self._partitions = partitions

    async def committed(self, partitions: Collection[int] | None = None) -> dict[int, int]:
        """See LogPositions."""
        self._server.check()
        commits = self._server.commits.get(self._group, {})
        return {at: commits[at] for at in commits if partitions is None or at in partitions}

    async def set_committed(self, positions: Mapping[int, int | None]) -> None:
        """See LogPositions."""
        self._server.check()
        commits = self._server.commits.setdefault(self._group, {})
        for partition, at in positions.items():
            if at is None:
                commits.pop(partition, None)
            else:
                commits[partition] = at

    async def written(self, shards: int | None = 1) -> dict[int, int]:
        """See LogPositions."""
        self._server.check()
        return dict(self._server.written.get(self._group, {}))

    async def note_written(self, positions: Mapping[int, int]) -> None:
        """See LogPositions."""
        self._server.check()
        written = self._server.written.setdefault(self._group, {})
        for partition, at in positions.items():
            written[partition] = max(at, written.get(partition, -1))

    async def forget_written(self, shards: int | None = 1) -> None:
        """See LogPositions."""
        self._server.check()
        self._server.written.pop(self._group, None)

    @contextlib.asynccontextmanager
    async def hold(self) -> AsyncIterator[None]:
        """See LogPositions."""
        worker = f"{HOLDER}{secrets.token_hex(6)}"
        for owner in (await self.owners()).values():
            raise LogInUseError(owner)
        for partition in range(self._partitions):
            self._server.lease(self._group, partition, worker, HOLD_MS)
        try:
            yield
        finally:
            for partition in range(self._partitions):
                self._server.leases.pop((self._group, partition), None)

    async def owners(self) -> dict[int, str]:
        """See LogPositions."""
        self._server.check()
        return {
            partition: owner
            for partition in range(self._partitions)
            if (owner := self._server.owner(self._group, partition)) is not None
        }

    async def disown(self) -> None:
        """See LogPositions."""
        self._server.check()
        self._server.leases.clear()
        self._server.alive.clear()

    async def extents(self, partitions: Collection[int] | None = None) -> list[Extent]:
        """See LogPositions."""
        committed = await self.committed(partitions)
        numbers = range(self._partitions) if partitions is None else partitions
        return [self._extent(number, committed.get(number)) for number in numbers]

    def _extent(self, partition: int, committed: int | None) -> Extent:
        records = self._server.records(partition)
        return Extent(
            partition,
            records[0].position if records else None,
            _end(records),
            len(records),
            len(records) * GAP < self._server.last(partition)[0],
            committed,
        )

    async def at_time(self, partition: int, ms: int) -> int:
        """See LogPositions."""
        self._server.check()
        records = self._server.records(partition)
        later = bisect_left(records, ms, key=lambda record: record.time_ms)
        if later < len(records):
            return records[later].position
        return self._server.last(partition)[0] + 1

    async def time_of(self, partition: int, position: int) -> int:
        """See LogPositions."""
        self._server.check()
        records = self._server.records(partition)
        if not records:
            return self._server.last(partition)[1]
        behind = bisect_right(records, position, key=lambda record: record.position)
        return records[max(0, behind - 1)].time_ms

    async def trim(self, partition: int, before: int) -> bool:
        """See LogPositions."""
        self._server.check()
        dropped = self._server.index(partition, before)
        del self._server.records(partition)[:dropped]
        return bool(dropped)


class MemoryImportLog(ImportLog):
    """See ImportLog."""

    def __init__(self, server: MemoryServer, positions: LogPositions, partitions: int) -> None:
        self._server = server
        self._positions = positions
        self._partitions = partitions

    async def begin(self, site: str, digest: str) -> ImportProgress:
        """See ImportLog."""
        self._server.check()
        salt = self._server.salts.setdefault(site, secrets.token_hex(32))
        producer = import_producer(site, digest)
        progress = self._server.imports.get(producer, ImportProgress(0, 0, None, ""))
        progress = ImportProgress(
            progress.taken, progress.hits, progress.position, progress.salt or salt
        )
        self._server.imports[producer] = progress
        return progress

    async def find(self, site: str, digest: str) -> ImportProgress | None:
        """See ImportLog."""
        self._server.check()
        return self._server.imports.get(import_producer(site, digest))

    async def append(
        self, site: str, digest: str, after: int, upto: int, hits: int, payload: bytes
    ) -> tuple[ImportOutcome, int]:
        """See ImportLog."""
        progress = await self.find(site, digest)
        if progress is None:
            return ImportOutcome.LOST, 0
        if import_producer(site, digest) in self._server.sealed:
            return ImportOutcome.SEALED, progress.taken
        if progress.taken >= upto:
            return ImportOutcome.REPEATED, progress.taken
        if progress.taken != after:
            return ImportOutcome.OUT_OF_ORDER, progress.taken
        partition, producer = partition_of(site, self._partitions), import_producer(site, digest)
        entry = LogEntry(partition, producer, upto, hits, payload)
        at = self._server.append(partition, payload, _headers(entry))
        self._server.imports[producer] = ImportProgress(
            upto, progress.hits + hits, at, progress.salt
        )
        return ImportOutcome.APPENDED, upto

    async def counted(self, site: str, progress: ImportProgress) -> bool:
        """See ImportLog."""
        if progress.position is None:
            return True
        partition = partition_of(site, self._partitions)
        committed = await self._positions.committed([partition])
        return committed.get(partition, 0) > progress.position

    async def finish(self, site: str, digest: str) -> None:
        """See ImportLog."""
        progress = await self.find(site, digest)
        if progress is not None:
            self._server.imports[import_producer(site, digest)] = ImportProgress(
                progress.taken, progress.hits, progress.position, ""
            )

    async def seal(self, site: str, digest: str) -> ImportProgress | None:
        """See ImportLog."""
        await self.finish(site, digest)
        self._server.salts.pop(site, None)
        progress = await self.find(site, digest)
        if progress is not None:
            self._server.sealed.add(import_producer(site, digest))
        return progress

    async def busy(self, site: str) -> str | None:
        """See ImportLog."""
        self._server.check()
        return None
