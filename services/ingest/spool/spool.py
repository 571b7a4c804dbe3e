"""The spool of one ingest process: its own folder, and those it has adopted."""

import asyncio
import logging
import os
from collections.abc import Sequence
from contextlib import suppress
from hashlib import blake2b
from pathlib import Path

from services.ingest import metrics
from services.ingest.spool import records
from services.ingest.spool.folder import Folder, folders
from services.ingest.spool.segment import SEGMENT_BYTES
from services.log import spool_marks
from services.log.entries import LogEntry
from services.runtime.clock import Clock

_log = logging.getLogger(__name__)

_MARGIN_BYTES = 1 << 20


class SpoolError(Exception):
    """The spool cannot take hits; the message says why."""


class Spool:
    """Takes entries while the log cannot, and returns them in order."""

    def __init__(
        self, root: Path, limit: int, partitions: int, clock: Clock, log_url: str = ""
    ) -> None:
        self.root = root
        # Its name reveals neither the address nor the password in the URL.
        name = blake2b(log_url.encode(), digest_size=8).hexdigest()
        self._last_log = root / f"last-{name}"
        self.log: str | None = None
        """Which log this spool belongs to; None until it is known."""
        self._limit = limit
        self._partitions = partitions
        self._clock = clock
        self._own: Folder | None = None
        self._adopted: list[Folder] = []
        self._left_alone: set[str] = set()
        self._others: set[str] = set()
        self.writing = asyncio.Lock()
        """Held while a record is written, and while hits are sent straight into the log again."""

    async def open(self) -> None:
        """Make the folder of this process. Raises SpoolError."""
        # A segment is deleted only when it is fully drained: one alone must not fill the spool.
        segment_bytes = min(SEGMENT_BYTES, self._limit // 4)
        try:
            await asyncio.to_thread(self.root.mkdir, 0o700, True, True)
            self._own = await asyncio.to_thread(
                Folder.create, self.root, self._partitions, segment_bytes
            )
            # If the log is down, it is still the one that this URL last led to.
            last = await asyncio.to_thread(spool_marks.read, self._last_log)
            if last is not None:
                await self.belong_to(last)
        except OSError as error:
            raise SpoolError(
                f"LUOT_SPOOL={str(self.root)!r} cannot be used: {error.strerror}; expected a"
                " folder on a local disk that can be written"
            ) from None
        metrics.SPOOL_AGE.set_function(self.age)
        metrics.SPOOL_LIMIT.set(self._limit)

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

    def fullness(self) -> float:
        """Return how full it is, from 0 to 1 and above."""
        return self.size / self._limit if self._limit else 0.0

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

    async def belong_to(self, log: str) -> None:
        """Mark this process's folder as that log's. Raises OSError."""
        if log == self.log and log == self.own.log:
            return
        await asyncio.to_thread(self.own.mark, log)
        await asyncio.to_thread(spool_marks.write, self._last_log, log)
        self.log = log

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
        """Take over the folders of processes that are gone; return all that are not drained.

        Those of another log are left alone.
        """
        others = 0
        for path in await asyncio.to_thread(folders, self.root):
            if path.name in self._left_alone:
                continue
            try:
                if await asyncio.to_thread(self._is_other, path):
                    others += await asyncio.to_thread(_bytes, path)
                    continue
                folder = await asyncio.to_thread(Folder.adopt, path, self._partitions, self.log)
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
        metrics.SPOOL_OTHER_BYTES.set(others)
        self.measure()
        return list(self._adopted)

    def _is_other(self, path: Path) -> bool:
        """Tell whether a folder is marked as another log's, and say so once. Raises OSError."""
        log = spool_marks.read(spool_marks.mark(path))
        if log in (None, self.log):
            return False
        if self.log is not None and path.name not in self._others and _bytes(path):
            self._others.add(path.name)
            _log.warning(
                "spool: %s belongs to another log (%s, this one is %s) and is left alone; an ingest"
                " of that log drains it",
                path,
                log,
                self.log,
            )
        return True

    def release(self, folder: Folder) -> None:
        """Give an adopted folder back; if drained, it is deleted and never adopted again."""
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


def _bytes(folder: Path) -> int:
    """Return how much a folder holds; its owner may be draining it. Raises OSError."""
    size = 0
    with suppress(FileNotFoundError):
        for file in folder.iterdir():
            with suppress(FileNotFoundError):
                size += file.stat().st_size
    return size
