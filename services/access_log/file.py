"""Examines an access log before any of it is uploaded: digest, length, first and last time."""

import gzip
import zlib
from hashlib import sha256
from pathlib import Path
from typing import BinaryIO, cast

import msgspec

from services.access_log.line import parse
from services.access_log.parser import GZIP_MAGIC, AccessLogError

_BLOCK = 1 << 20
_EDGE_LINES = 1000
"""Lines at each end from which first and last time are taken: a request is logged when it ends,
so lines are not quite in order."""
_EDGE_BYTES = 1 << 18


class LogFile(msgspec.Struct, frozen=True):
    """An access log on the disk.

    digest    SHA-256 of its content, uncompressed, in hex: the same packed or not
    lines     line feeds in it, and one for a last line without
    first_at  time of its first lines, ms since 1970; so is last_at
    """

    path: Path
    digest: str
    lines: int
    first_at: int
    last_at: int


def examine(path: Path) -> LogFile:
    """Read a file once, from end to end. Raises AccessLogError when it is no access log."""
    digest, lines, last = sha256(), 0, b"\n"
    head, tail = b"", b""
    try:
        with _opened(path) as stream:
            while block := stream.read(_BLOCK):
                digest.update(block)
                lines += block.count(b"\n")
                last = block[-1:]
                if len(head) < _EDGE_BYTES:
                    head += block[:_EDGE_BYTES]
                tail = (tail + block)[-_EDGE_BYTES:]
    except (OSError, EOFError, zlib.error) as error:
        raise AccessLogError(f"{path} cannot be read: {error}; expected an access log") from None
    times = [_times(head.split(b"\n")[:_EDGE_LINES]), _times(tail.split(b"\n")[-_EDGE_LINES:])]
    if not any(times):
        raise AccessLogError(f"{path} is no access log; expected the combined or common format")
    seen_at = [at for edge in times for at in edge]
    return LogFile(path, digest.hexdigest(), lines + (last != b"\n"), min(seen_at), max(seen_at))


def _opened(path: Path) -> BinaryIO:
    with path.open("rb") as file:
        packed = file.read(2) == GZIP_MAGIC
    return cast("BinaryIO", gzip.open(path) if packed else path.open("rb"))


def _times(lines: list[bytes]) -> list[int]:
    parsed = (parse(line.rstrip(b"\r")) for line in lines)
    return [line.at for line in parsed if line is not None and line.at >= 0]
