"""The segments of one ingest process: appended at one end, drained at the other.

A folder belongs to whoever holds the lock on it (flock, so that it ends with the process). The
state is changed on the event loop only; disk I/O runs in threads.
"""

import asyncio
import logging
import os
import re
import secrets
from collections import deque
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path
from typing import NamedTuple, Self

from services.ingest import metrics
from services.ingest.spool import records, segment
from services.ingest.spool.records import SpoolRecord
from services.ingest.spool.segment import SEGMENT_BYTES, Segment
from services.log import spool_marks
from services.runtime import file_locks

_log = logging.getLogger(__name__)

_CHUNK_BYTES = 1 << 20
_NAME = re.compile(r"[0-9a-f]{16}")


class RecordRun(NamedTuple):
    """Consecutive records, and where the next one begins."""

    records: Sequence[SpoolRecord]
    end: int


class Folder:
    """A queue of records on the disk."""

    def __init__(
        self, path: Path, lock: int, partitions: int, segment_bytes: int = SEGMENT_BYTES
    ) -> None:
        self.path = path
        self._lock = lock
        self.log: str | None = None
        """Which log it belongs to; None for one that was never marked."""
        self._partitions = partitions
        self._segment_bytes = segment_bytes
        self._segments: deque[Segment] = deque()
        self._kept: dict[Segment, str] = {}
        self._at = records.HEADER_BYTES
        self._number = 0
        self.hits = 0
        """Hits that are not drained."""
        self.oldest: int | None = None
        """When the first of them was written, in ms since 1970; approximate while draining."""

    @classmethod
    def create(cls, root: Path, partitions: int, segment_bytes: int = SEGMENT_BYTES) -> Self:
        """Create a folder, whose segments are sealed once they reach `segment_bytes`.

        Raises OSError.
        """
        while True:
            path = root / secrets.token_hex(8)
            path.mkdir(0o700)
            lock = _lock(path)
            if lock is not None:
                segment.sync_folder(root)
                return cls(path, lock, partitions, segment_bytes)

    @classmethod
    def adopt(cls, path: Path, partitions: int, log: str | None = None) -> Self | None:
        """Take over what a dead process has left; None when it is still alive.

        Also None when it is marked as another log's. Torn tails are reported here. Raises OSError.
        """
        lock = _lock(path)
        if lock is None:
            return None
        folder = cls(path, lock, partitions)
        try:
            folder.log = spool_marks.read(spool_marks.mark(path))
            if folder.log not in (None, log):
                folder.close()
                return None
            for file in sorted(path.glob("*" + segment.SUFFIX)):
                folder._adopt(file)
        except OSError:
            folder.close()
            raise
        return folder

    def _adopt(self, path: Path) -> None:
        scan = segment.scan(path)
        if scan.whole_header and scan.partitions != self._partitions:
            _log.error(
                "spool: %s is not a spool of this version of Luot for a log of %d partitions,"
                " but of %s; it stays as it is",
                path,
                self._partitions,
                scan.partitions or "something else",
            )
            return
        if scan.torn:
            metrics.SPOOL_TORN_BYTES.inc(scan.torn)
            _log.error(
                "spool: %s ends with %d bytes that are no whole record; %d hits before it are good",
                path,
                scan.torn,
                scan.hits,
            )
        file = Segment(path, max(scan.end, records.HEADER_BYTES))
        if scan.damaged:
            self._kept[file] = segment.DAMAGED
        self._segments.append(file)
        self.hits += scan.hits
        self.oldest = scan.written if self.oldest is None else self.oldest

    def mark(self, log: str) -> None:
        """Record which log it belongs to. Raises OSError."""
        spool_marks.write(spool_marks.mark(self.path), log)
        self.log = log

    @property
    def size(self) -> int:
        """Bytes on the disk."""
        return sum(file.end for file in self._segments)

    @property
    def left(self) -> int:
        """Bytes that are not drained."""
        return sum(file.end - self._start(file) for file in self._segments)

    def _start(self, file: Segment) -> int:
        return self._at if file is self._segments[0] else records.HEADER_BYTES

    async def append(self, data: bytes, *, hits: int, written: int) -> None:
        """Append a record, durably; one call at a time. On OSError nothing was appended."""
        file = self._segments[-1] if self._segments else None
        if file is None or not file.writable or file.end >= self._segment_bytes:
            file = await self._rotate(file)
        await asyncio.to_thread(file.append, data)
        self.hits += hits
        self.oldest = written if self.oldest is None else self.oldest

    async def _rotate(self, last: Segment | None) -> Segment:
        self._number += 1
        path = self.path / f"{self._number:08}{segment.SUFFIX}"
        file = await asyncio.to_thread(Segment.create, path, self._partitions)
        if last is not None:
            last.seal()
        self._segments.append(file)
        return file

    async def read(self) -> RecordRun | None:
        """Return the next records that are not drained, None when all are. Raises OSError."""
        while self._segments:
            file = self._segments[0]
            if self._at < file.end:
                chunk = await asyncio.to_thread(_read, file, self._at)
                if chunk is not None:
                    return chunk
                await self._skip(file)
            elif file.writable:
                return None
            else:
                await self._remove()
        return None

    def drop(self, chunk: RecordRun) -> None:
        """Mark the records that `read` returned last as drained."""
        self._at = chunk.end
        self.hits -= sum(record.hits for record in chunk.records)
        self.oldest = None if not self.left else chunk.records[-1].written

    def doubt(self) -> None:
        """Keep the file that `read` returned last, under another name, when it is drained."""
        self._kept.setdefault(self._segments[0], segment.DOUBTFUL)

    async def clear(self) -> None:
        """Delete the files; everything is drained."""
        while self._segments:
            await self._remove()
        self.hits, self.oldest = 0, None

    async def _skip(self, file: Segment) -> None:
        """Skip the rest of a file that was damaged after it was written."""
        torn = file.end - self._at
        metrics.SPOOL_TORN_BYTES.inc(torn)
        _log.error("spool: %d bytes at %d of %s are damaged", torn, self._at, file.path)
        self._kept[file] = segment.DAMAGED
        self._at = file.end

    async def _remove(self) -> None:
        """Take the first file out of the spool; after a cancellation it is still the first."""
        file = self._segments[0]
        file.seal()
        suffix = self._kept.get(file)
        try:
            if suffix is None:
                await asyncio.to_thread(file.remove)
            else:
                path = await asyncio.to_thread(file.keep_as, suffix)
                _log.error("spool: %s is kept for you to look at; see above", path)
        except OSError as error:
            _log.warning("spool: %s cannot be deleted: %s", file.path, error)
        # Only now: a cancellation may come before the thread has touched the file.
        self._segments.popleft()
        self._kept.pop(file, None)
        self._at = records.HEADER_BYTES

    def close(self) -> None:
        """Release the lock, so that others can adopt the folder; an empty one is deleted."""
        for file in self._segments:
            file.seal()
        if self._lock >= 0:
            with suppress(OSError):
                self.path.rmdir()
                spool_marks.mark(self.path).unlink(missing_ok=True)
            os.close(self._lock)
            self._lock = -1


def folders(root: Path) -> list[Path]:
    """Return the folders of all processes, the most recently changed last."""
    changed = []
    with suppress(OSError):
        for path in root.iterdir():
            if _NAME.fullmatch(path.name) and path.is_dir():
                with suppress(FileNotFoundError):
                    changed.append((path.stat().st_mtime_ns, path))
    return [path for _, path in sorted(changed)]


def _lock(path: Path) -> int | None:
    """Return a lock on a folder, None when somebody else has it or it has just been deleted."""
    try:
        descriptor = os.open(path, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    except FileNotFoundError:
        return None
    try:
        if file_locks.take(descriptor) and path.stat().st_ino == os.fstat(descriptor).st_ino:
            return descriptor
    except FileNotFoundError:
        pass
    except BaseException:
        os.close(descriptor)
        raise
    os.close(descriptor)
    return None


def _read(file: Segment, at: int) -> RecordRun | None:
    for size in (_CHUNK_BYTES, records.MAX_RECORD):
        read = list(records.read_all(file.read(at, size)))
        if read:
            return RecordRun([record for record, _ in read], at + read[-1][1])
    return None
