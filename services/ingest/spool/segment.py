"""One file of the spool. Everything here does blocking I/O: call it from a thread."""

import os
from contextlib import suppress
from pathlib import Path
from typing import NamedTuple, Self

from services.ingest.spool import records

SEGMENT_BYTES = 16 << 20
"""A segment of this size takes no more records."""
_MAX_BYTES = SEGMENT_BYTES + records.MAX_RECORD
SUFFIX = ".spool"
DAMAGED = ".damaged"
DOUBTFUL = ".doubtful"


class SegmentScan(NamedTuple):
    """What a segment of another process holds.

    whole_header  whether it is long enough to have held a record
    partitions    of the log it was written for; None when it does not say
    end           where its last whole record ends
    hits          in whole records
    written       when the first of them was written, in ms since 1970; None when there is none
    torn          bytes behind the last whole record
    damaged       whether whole records follow those bytes, so that it was not a crash
    """

    whole_header: bool
    partitions: int | None = None
    end: int = 0
    hits: int = 0
    written: int | None = None
    torn: int = 0
    damaged: bool = False


class Segment:
    """An append-only file. Bytes after `end`, left by a failed write, are ignored."""

    def __init__(self, path: Path, end: int) -> None:
        self.path = path
        self.end = end
        self._descriptor: int | None = None

    @classmethod
    def create(cls, path: Path, partitions: int) -> Self:
        """Make a new file, durable with its name. Raises OSError and leaves nothing behind."""
        segment = cls(path, 0)
        segment._descriptor = os.open(
            path, os.O_RDWR | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600
        )
        try:
            segment.append(records.header(partitions))
            sync_folder(path.parent)
        except OSError:
            segment.seal()
            with suppress(OSError):
                path.unlink()
            raise
        return segment

    @property
    def writable(self) -> bool:
        """Whether more can be appended."""
        return self._descriptor is not None

    def append(self, data: bytes) -> None:
        """Append, durably. On OSError, a partial write is truncated away."""
        descriptor = self._descriptor
        assert descriptor is not None, "the segment is sealed"  # noqa: S101
        at = self.end
        try:
            while at < self.end + len(data):
                at += os.pwrite(descriptor, data[at - self.end :], at)
            os.fdatasync(descriptor)
        except OSError:
            self._cut(descriptor, sealing=at == self.end + len(data))
            raise
        self.end = at

    def _cut(self, descriptor: int, *, sealing: bool) -> None:
        try:
            os.ftruncate(descriptor, self.end)
        except OSError:
            sealing = True
        # After a failed fsync the content is unknown; the next record goes to another file.
        if sealing:
            self.seal()

    def read(self, at: int, size: int) -> bytes:
        """Return up to `size` bytes from an offset."""
        with self.path.open("rb") as file:
            return os.pread(file.fileno(), min(size, self.end - at), at)

    def seal(self) -> None:
        """Append no more."""
        if self._descriptor is not None:
            os.close(self._descriptor)
            self._descriptor = None

    def remove(self) -> None:
        """Delete the file."""
        self.seal()
        self.path.unlink(missing_ok=True)

    def keep_as(self, suffix: str) -> Path:
        """Take the file out of the spool under another name, for people to look at.

        Does nothing the second time. Raises OSError.
        """
        self.seal()
        path = self.path.with_suffix(suffix)
        try:
            self.path.rename(path)
        except FileNotFoundError:
            if not path.exists():
                raise
        return path


def scan(path: Path) -> SegmentScan:
    """Read a segment up to the largest size that is ever written, and find its whole records.

    Raises OSError.
    """
    with path.open("rb") as file:
        size = os.fstat(file.fileno()).st_size
        buffer = file.read(_MAX_BYTES)
    partitions = records.read_header(buffer)
    if partitions is None:
        return SegmentScan(size > records.HEADER_BYTES, torn=size)
    end, hits, written = records.HEADER_BYTES, 0, None
    for record, behind in records.read_all(buffer, end):
        end = behind
        hits += record.hits
        written = record.written if written is None else written
    torn = size - end
    damaged = size > _MAX_BYTES or (torn > 0 and records.whole_behind(buffer, end))
    return SegmentScan(True, partitions, end, hits, written, torn, damaged)


def sync_folder(path: Path) -> None:
    """Make the names in a folder durable. Raises OSError."""
    descriptor = os.open(path, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
