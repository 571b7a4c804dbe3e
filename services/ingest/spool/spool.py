"""The spool of one ingest process: its own folder, and those it has adopted."""

import asyncio
import logging
import os
from collections.abc import Sequence
from pathlib import Path

from services.ingest import metrics
from services.ingest.spool import records
from services.ingest.spool.folder import Folder, folders
from services.ingest.spool.segment import SEGMENT_BYTES
from services.log.entries import LogEntry
from services.runtime.clock import Clock

_log = logging.getLogger(__name__)

_MARGIN_BYTES = 1 << 20


class SpoolError(Exception):
    """The spool cannot take hits; the message says why."""


class Spool:
    """Takes entries while the log cannot, and returns them in order."""

    def __init__(self, root: Path, limit: int, partitions: int, clock: Clock) -> None:
        self.root = root
        self._limit = limit
        self._partitions = partitions
        self._clock = clock
        self._own: Folder | None = None
        self._adopted: list[Folder] = []
        self._left_alone: set[str] = set()
        self.writing = asyncio.Lock()
        """Held while a record is written, and while hits are sent straight into the log again."""

    async def open(self) -> None:
        """Make the folder of this process. Raises SpoolError."""
        # A segment is deleted only when it is drained: a single one must not fill the spool.
        segment_bytes = min(SEGMENT_BYTES, self._limit // 4)
        try:
            await asyncio.to_thread(self.root.mkdir, 0o700, True, True)
            self._own = await asyncio.to_thread(
                Folder.create, self.root, self._partitions, segment_bytes
            )
        except OSError as error:
            raise SpoolError(
                f"LUOT_SPOOL={str(self.root)!r} cannot be used: {error.strerror}; expected a"
                " folder on a local disk that can be written"
            ) from None
        metrics.SPOOL_AGE.set_function(self.age)

    @property
    def own(self) -> Folder:
        """The folder of this process."""
        assert self._own is not None, "the spool is open"  # noqa: S101
        return self._own

    @property
    def hits(self) -> int:
        """Hits that are not drained."""
        return sum(folder.hits for folder in self._all())

    @property
    def size(self) -> int:
        """Bytes on the disk."""
        return sum(folder.size for folder in self._all())

    def age(self) -> float:
        """Return the age of the oldest hit in seconds, 0 when there is none."""
        written = [folder.oldest for folder in self._all() if folder.oldest is not None]
        return max(0.0, (self._clock() - min(written)) / 1000) if written else 0.0

    def full(self) -> str | None:
        """Return why no hits can be taken now, as far as is known without writing, or None."""
        if self.size >= self._limit:
            return f"the spool holds {self.size} bytes, LUOT_SPOOL_BYTES={self._limit}"
        try:
            disk = os.statvfs(self.root)
        except OSError as error:
            return f"LUOT_SPOOL={str(self.root)!r}: {error.strerror}"
        if disk.f_bavail * disk.f_frsize < _MARGIN_BYTES:
            return f"LUOT_SPOOL={str(self.root)!r}: its disk is full"
        return None

    async def append(self, entries: Sequence[LogEntry], *, attempted: bool) -> None:
        """Make entries durable here, as one record; one call at a time.

        `attempted` says that an append to the log was tried. Raises SpoolError.
        """
        written = self._clock()
        data = records.encode(written, entries, attempted=attempted)
        if self.size + len(data) > self._limit:
            raise SpoolError(f"the spool holds {self.size} bytes, LUOT_SPOOL_BYTES={self._limit}")
        hits = sum(entry.hits for entry in entries)
        try:
            await self.own.append(data, hits=hits, written=written)
        except OSError as error:
            raise SpoolError(f"LUOT_SPOOL={str(self.root)!r}: {error.strerror}") from None
        metrics.SPOOLED_HITS.inc(hits)
        self.measure()

    async def adopt(self) -> list[Folder]:
        """Take over the folders of processes that are gone; return all not yet drained."""
        for path in await asyncio.to_thread(folders, self.root):
            if path.name in self._left_alone:
                continue
            try:
                folder = await asyncio.to_thread(Folder.adopt, path, self._partitions)
            except OSError as error:
                _log.error("spool: %s cannot be read: %s", path, error)
                self._left_alone.add(path.name)
                continue
            if folder is not None:
                _log.log(
                    logging.WARNING if folder.hits else logging.DEBUG,
                    "spool: adopted %s with %d hits",
                    path,
                    folder.hits,
                )
                self._adopted.append(folder)
        self.measure()
        return list(self._adopted)

    def release(self, folder: Folder) -> None:
        """Give an adopted folder back; drained, it is deleted, and never adopted again."""
        self._adopted.remove(folder)
        if not folder.left:
            self._left_alone.add(folder.path.name)
        folder.close()
        self.measure()

    def measure(self) -> None:
        """Update the metrics."""
        metrics.SPOOL_HITS.set(self.hits)
        metrics.SPOOL_BYTES.set(self.size)

    def close(self) -> None:
        """Leave what is not drained to the next process."""
        for folder in self._all():
            folder.close()

    def _all(self) -> list[Folder]:
        return self._adopted if self._own is None else [self._own, *self._adopted]
