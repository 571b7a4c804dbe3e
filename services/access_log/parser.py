"""Reads access logs, plain or compressed, one line at a time."""

import io
import os
import sys
from collections.abc import Iterator
from hashlib import sha256
from itertools import chain, islice
from pathlib import Path
from types import TracebackType
from typing import BinaryIO, Self, cast

from services.access_log.compression import DAMAGED, MAGIC_BYTES, unpacked
from services.access_log.formats.format import LogFormat
from services.access_log.formats.known import ready, recognise
from services.access_log.line import LogLine

STDIN = "-"
MAX_LINE = 64 * 1024
"""Apache and nginx refuse longer request lines; a longer one is not from an access log."""

FALLBACK = "combined"
HEAD_LINES = 1000
"""How many lines at the beginning of a file are used to recognise its format."""

_EXAMPLES = 5
_EXAMPLE_BYTES = 80


class AccessLogError(Exception):
    """A log that cannot be read; the message names the file and what was expected."""


class AccessLog:
    """An open access log: iterate over its lines; unreadable ones are counted and skipped.

    lines, broken   request lines read so far, and those of them that could not be parsed
    format          the file's format; None until it has been recognised
    number          number of the last line read, from 1, including empty ones
    examples        number and beginning of the first broken lines
    size            bytes of the file on disk, perhaps compressed; None for a pipe
    file            the file itself
    """

    def __init__(
        self, source: Path | str, of_format: LogFormat | None = None, upto: int | None = None
    ) -> None:
        """Open a file, or the standard input for '-'. Raises AccessLogError.

        Without `of_format`, the format is recognised from the first lines. With `upto`, only so
        many lines are read, and their digest is taken.
        """
        self.name = "standard input" if str(source) == STDIN else str(source)
        self.lines = 0
        self.broken = 0
        self.number = 0
        self.examples: list[tuple[int, str]] = []
        self.size: int | None = None
        self.format = of_format
        self._upto = upto
        self._digest = sha256()
        try:
            if str(source) == STDIN:
                self.file: BinaryIO = sys.stdin.buffer
            else:
                self.file = Path(source).open("rb")  # noqa: SIM115  # closed by __exit__
                self.size = os.fstat(self.file.fileno()).st_size
        except OSError as error:
            raise AccessLogError(
                f"{self.name} cannot be read: {error.strerror}; expected an access log"
            ) from None
        self._counted = _Counted(self.file)
        self._raw = io.BufferedReader(self._counted, 64 * 1024)

    @property
    def bytes_read(self) -> int:
        """How much of `size` has been read."""
        return self._counted.count

    @property
    def digest(self) -> str:
        """SHA-256 of the lines read so far, in hex, when it is read up to a line."""
        return self._digest.hexdigest()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        if self.file is not sys.stdin.buffer:
            self.file.close()

    def __iter__(self) -> Iterator[LogLine]:
        """Yield the lines that could be parsed. Raises AccessLogError for a damaged file."""
        try:
            lines = self._lines()
            if self.format is None:
                head = list(islice(lines, 1 if self.size is None else HEAD_LINES))
                begin = [raw.rstrip(b"\r\n") for _, raw in head]
                self.format = ready(recognise(begin) or FALLBACK, None, begin)
                lines = chain(head, lines)
            read, is_note = self.format.read, self.format.is_note
            for number, line in lines:
                raw = line.rstrip(b"\r\n")
                self.number = number
                if is_note(raw):
                    continue
                self.lines += 1
                parsed = read(raw)
                if parsed is None:
                    self.broken += 1
                    if len(self.examples) < _EXAMPLES:
                        shown = raw[:_EXAMPLE_BYTES].decode(errors="replace").strip()
                        self.examples.append((number, shown))
                else:
                    yield parsed
        except DAMAGED as error:
            raise AccessLogError(
                f"{self.name} is damaged after line {self.number}: {error}"
            ) from None

    def _lines(self) -> Iterator[tuple[int, bytes]]:
        """Yield number and text of non-empty lines; b'' for one longer than MAX_LINE."""
        head = self._raw.peek(MAGIC_BYTES)[:MAGIC_BYTES]
        stream = unpacked(cast("BinaryIO", self._raw), head)
        number = 0
        upto, digest = self._upto, self._digest.update
        while number != upto and (raw := stream.readline(MAX_LINE)):
            number += 1
            if upto is not None:
                digest(raw)
            if len(raw) == MAX_LINE and not raw.endswith(b"\n"):
                ended = False
                while not ended and (rest := stream.readline(MAX_LINE)):
                    ended = rest.endswith(b"\n")
                    if upto is not None:
                        digest(rest)
                yield number, b""
            elif raw.strip():
                yield number, raw


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
    """Return the bytes that a pipe has now, so that a log can be followed."""
    read = getattr(file, "read1", file.read)
    return cast("bytes", read(len(buffer)))
