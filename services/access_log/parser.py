"""Reads access logs: the combined and the common format, plain or compressed, one line at a time.

Times are those of the server that wrote the log, with its own offset.
"""

import gzip
import io
import sys
import zlib
from collections.abc import Iterator
from pathlib import Path
from types import TracebackType
from typing import BinaryIO, Self, cast

from services.access_log.line import LogLine, parse

STDIN = "-"
MAX_LINE = 64 * 1024
"""Apache and nginx refuse longer request lines; a longer one is not from an access log."""

GZIP_MAGIC = b"\x1f\x8b"

_EXAMPLES = 5
_EXAMPLE_BYTES = 80


class AccessLogError(Exception):
    """A log that cannot be read; the message names the file and what was expected."""


class AccessLog:
    """An open access log: iterate over its lines; unreadable ones are counted and skipped.

    lines, broken   lines read so far, and those of them that could not be parsed
    number          number of the last line read, counted from 1, empty ones too
    examples        number and beginning of the first broken ones
    size            bytes of the file as it lies on the disk, None when it is a pipe
    """

    def __init__(self, source: Path | str) -> None:
        """Open a file, or the standard input for '-'. Raises AccessLogError."""
        self.name = "standard input" if str(source) == STDIN else str(source)
        self.lines = 0
        self.broken = 0
        self.number = 0
        self.examples: list[tuple[int, str]] = []
        self.size: int | None = None
        try:
            if str(source) == STDIN:
                self._file: BinaryIO = sys.stdin.buffer
            else:
                self._file = Path(source).open("rb")  # noqa: SIM115  # closed by __exit__
                self.size = Path(source).stat().st_size
        except OSError as error:
            raise AccessLogError(
                f"{self.name} cannot be read: {error.strerror}; expected an access log"
            ) from None
        self._counted = _Counted(self._file)
        self._raw = io.BufferedReader(self._counted, 64 * 1024)

    @property
    def bytes_read(self) -> int:
        """How much of `size` has been read."""
        return self._counted.count

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        if self._file is not sys.stdin.buffer:
            self._file.close()

    def __iter__(self) -> Iterator[LogLine]:
        """Return the lines that could be parsed. Raises AccessLogError for a damaged file."""
        try:
            for raw in self._raw_lines():
                self.lines += 1
                line = parse(raw.rstrip(b"\r\n"))
                if line is None:
                    self.broken += 1
                    if len(self.examples) < _EXAMPLES:
                        shown = raw[:_EXAMPLE_BYTES].decode(errors="replace").strip()
                        self.examples.append((self.number, shown))
                else:
                    yield line
        except (OSError, EOFError, zlib.error) as error:
            raise AccessLogError(
                f"{self.name} is damaged after line {self.lines}: {error}"
            ) from None

    def _raw_lines(self) -> Iterator[bytes]:
        """Yield each line that is not empty; one longer than MAX_LINE is yielded as b''."""
        compressed = self._raw.peek(2)[:2] == GZIP_MAGIC
        stream = cast("BinaryIO", gzip.GzipFile(fileobj=self._raw) if compressed else self._raw)
        while raw := stream.readline(MAX_LINE):
            self.number += 1
            if len(raw) == MAX_LINE and not raw.endswith(b"\n"):
                while (rest := stream.readline(MAX_LINE)) and not rest.endswith(b"\n"):
                    pass
                yield b""
            elif raw.strip():
                yield raw


class _Counted(io.RawIOBase):
    """Counts the bytes read from a file."""

    def __init__(self, file: BinaryIO) -> None:
        self._file = file
        self.count = 0

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: bytearray | memoryview) -> int:  # type: ignore[override]
        data = self._file.read(len(buffer)) if self._file.seekable() else _read1(self._file, buffer)
        buffer[: len(data)] = data
        self.count += len(data)
        return len(data)


def _read1(file: BinaryIO, buffer: bytearray | memoryview) -> bytes:
    """Return the bytes a pipe has now, so that a log can be followed."""
    read = getattr(file, "read1", file.read)
    return cast("bytes", read(len(buffer)))
