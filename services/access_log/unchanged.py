"""Makes sure that a log is read as it was examined: it may be rotated or cut in between."""

import os
from hashlib import sha256
from typing import BinaryIO, NamedTuple, Self

from services.access_log.compression import DAMAGED, MAGIC_BYTES, unpacked
from services.access_log.parser import MAX_LINE, AccessLog, AccessLogError


class Stamp(NamedTuple):
    """What tells one state of a file from another one, as far as its content is not read."""

    device: int
    inode: int
    size: int
    modified_ns: int

    @classmethod
    def of(cls, file: BinaryIO) -> Self:
        """Return the stamp of an open file."""
        status = os.fstat(file.fileno())
        return cls(status.st_dev, status.st_ino, status.st_size, status.st_mtime_ns)


class Unchanged:
    """Watches a log while it is read; it may only grow."""

    def __init__(self, log: AccessLog, examined: Stamp, digest: str, lines: int) -> None:
        """`log` has been opened, and not read. Raises AccessLogError if it is another file now.

        `digest` is that of its first `lines` lines when it was examined.
        """
        self._log = log
        self._digest = digest
        self._examined = Stamp.of(log.file)
        if self._examined != examined and _digest(log.file, lines) != digest:
            raise AccessLogError(
                f"{log.name} is not the file any more that was examined; was the log rotated?"
                " Nothing of it was sent: run the same command again"
            )

    def check(self) -> None:
        """Raise AccessLogError if the file was cut since, or written to without growing."""
        now = Stamp.of(self._log.file)
        if now.size < self._examined.size or (
            now.size == self._examined.size and now.modified_ns != self._examined.modified_ns
        ):
            raise AccessLogError(
                f"{self._log.name} changed while it was read, at line {self._log.number}; was the"
                " log rotated? Run the same command again, with the name that its lines have now:"
                " it continues"
            )

    def check_all(self) -> None:
        """Raise AccessLogError unless all that was read is what was examined."""
        self.check()
        if self._log.digest != self._digest:
            raise AccessLogError(
                f"{self._log.name} changed while it was read; was the log rotated? Undo the import"
                f" {self._digest[:12]} if `luot imports` lists it, and import the file again"
            )


def _digest(file: BinaryIO, lines: int) -> str:
    """Return the digest of the first lines of a file, and go back to its beginning."""
    digest, number = sha256(), 0
    try:
        head = file.read(MAGIC_BYTES)
        file.seek(0)
        stream = unpacked(file, head)
        while number < lines and (piece := stream.readline(MAX_LINE)):
            digest.update(piece)
            number += piece.endswith(b"\n")
    except DAMAGED:
        return ""
    finally:
        file.seek(0)
    return digest.hexdigest()
